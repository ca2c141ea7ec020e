"""Golden cases of kind ``c10_laion_aesthetic_mlp``: scores of frames from their features, and of the clip."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.metrics.networks.laion_aesthetic_mlp import LaionAestheticMlp, clip_score, rounded_scores

__all__ = ["handle"]

_ONE_UNIT: Final = 1e-5 + 1e-12
"""What holds where a case names no tolerance; and float64's error in a difference of one unit of the fifth decimal."""


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the head of a case and compare everything that it expects.

    Args:
        path: Folder with weights, inputs and expected.json.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, or a head with activations.
        ConfigError: The weights do not fit the widths of the case.
    """
    config = case["config"]
    if config.get("activation") is not None:
        raise DataError(f"`{path}` has activation {config['activation']!r}; expected null, the head is linear.")
    state = load_state_dict(path / "weights.safetensors")
    head = LaionAestheticMlp(state, widths=config["widths"], layers=config["layer_indices"])
    scores = head(load_state_dict(path / "inputs.safetensors")["embeddings"]).tolist()
    ours: dict[str, Any] = {
        "frame_score": scores,
        "frame_score_rounded": rounded_scores(scores),
        "clip_score": clip_score(scores),
    }
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    return list(compare_expected(ours, expected, {"frame_score_rounded": _ONE_UNIT, **case["tolerance"]}))
