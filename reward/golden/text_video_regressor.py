"""Golden cases of kind ``c04_text_video_regressor``: features of texts, and the score of each against the frames."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.reward.networks.consistency_regressor import (
    UNUSED_KEYS,
    ConsistencyRegressor,
    RegressorSizes,
    consistency_score,
)

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the network of a case and compare everything that it expects.

    Args:
        path: Folder with weights, inputs frames, input_ids and attention_mask, and expected tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: The weights do not fit the sizes of the case.
    """
    state = load_state_dict(path / "weights.safetensors")
    network = ConsistencyRegressor("text", state, RegressorSizes.from_config(case["config"]))
    inputs = load_state_dict(path / "inputs.safetensors")
    frames = network.frame_logits(network.picture_features(inputs["frames"]))
    texts = network.text_features(inputs["input_ids"], inputs["attention_mask"])
    scores = [consistency_score(frames, logit) for logit in network.key_logits(texts)]
    ours = {"text_cls": texts, "score": np.array(scores)}
    comparisons = list(compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"]))
    if "superfluous_keys" in case:
        unused = [key for key in state if any(fnmatchcase(key, pattern) for pattern in UNUSED_KEYS["text"])]
        comparisons.append(compare_exact("superfluous keys", len(unused), case["superfluous_keys"]["count"]))
    return comparisons
