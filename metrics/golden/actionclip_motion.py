"""Golden cases of kind ``c02_actionclip_motion``: features of texts and clips, frames chosen, motion scores."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.media.reference_sampling import linspace_8
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.metrics.networks.actionclip import ActionClip, ActionClipSizes
from anisora.metrics.vbench.motion_score import first_text_probability

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the network of a case and compare everything that it expects.

    Args:
        path: Folder with weights, inputs, expected.json: [{frames, T, indices, motion_score}], and expected tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: The weights do not fit the sizes of the case.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    network = ActionClip(load_state_dict(path / "weights.safetensors"), ActionClipSizes.from_config(case["config"]))
    inputs = load_state_dict(path / "inputs.safetensors")
    rows = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    tolerance = case["tolerance"]
    texts = network.encode_tokens(inputs["text_tokens"])
    features = {"text_features": texts}  # before any normalisation, as those of clips
    directions = torch.nn.functional.normalize(texts, dim=-1)
    for place, row in enumerate(rows):
        frames = inputs[row["frames"]]
        indices = linspace_8(len(frames))
        clip = network.encode_clips(frames[indices][None])
        features[f"video_features_{place}"] = clip
        cosine = (torch.nn.functional.normalize(clip, dim=-1) @ directions.T).numpy()
        ours = {"T": len(frames), "indices": indices, "motion_score": first_text_probability(cosine)[0]}
        wanted = {name: value for name, value in row.items() if name != "frames"}
        yield from compare_expected(ours, wanted, tolerance, label=f"{row['frames']} ")
    yield from compare_expected(features, load_state_dict(path / "expected.safetensors"), tolerance)
