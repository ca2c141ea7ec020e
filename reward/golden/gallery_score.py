"""Golden cases of kind ``c05b_gallery_score``: identities, their probabilities and the score of clips."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.reward.character.gallery_score import gallery_score

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Score every row of a case and compare all that it expects.

    Args:
        path: Folder with inputs gallery_<index> and query_<index>, expected.json and expected tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, or has a gallery of one identity.
        MetricError: Its shapes do not fit together.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs = load_state_dict(path / "inputs.safetensors", framework="numpy")
    tolerance = case["tolerance"]
    probabilities = {}
    for row in json.loads((path / "expected.json").read_text(encoding="utf-8")):
        index = row["index"]
        found = gallery_score(inputs[f"query_{index}"], inputs[f"gallery_{index}"], row["names"], mode="reference")
        ours = {
            "identities": found.identities,
            "object_score": found.object_scores,
            "winner": found.winners,
            "score": found.score,
        }
        expected = {name: value for name, value in row.items() if name not in ("index", "names")}
        yield from compare_expected(ours, expected, tolerance, label=f"row {index} ")
        probabilities[f"identity_prob_{index}"] = found.probabilities
    expected = load_state_dict(path / "expected.safetensors", framework="numpy")
    yield from compare_expected(probabilities, expected, tolerance)
