"""Golden cases of kind ``c03_image_video_regressor``: features of frames and key picture, and the score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.reward.networks.consistency_regressor import ConsistencyRegressor, RegressorSizes, consistency_score

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the network of a case and compare everything that it expects.

    Args:
        path: Folder with weights, inputs frames and key_image, and expected tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: The weights do not fit the sizes of the case.
    """
    sizes = RegressorSizes.from_config(case["config"])
    network = ConsistencyRegressor("image", load_state_dict(path / "weights.safetensors"), sizes)
    inputs = load_state_dict(path / "inputs.safetensors")
    frames = network.picture_features(inputs["frames"])
    key = network.picture_features(inputs["key_image"][None])
    score = consistency_score(network.frame_logits(frames), network.key_logits(key)[0])
    ours = {"frame_cls": frames, "key_cls": key, "score": np.array([score])}
    return list(compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"]))
