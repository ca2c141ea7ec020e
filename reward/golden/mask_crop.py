"""Golden cases of kind ``c07_mask_crop``: frames chosen, crops and masks to the pixel, and the embedder's input."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.reward.character.mask_crop import CharacterCrops, character_crops, embedder_input

__all__ = ["handle"]

_STEP: Final = 16
"""Every so many pixels of an input are kept in the case."""
_INPUTS: Final = "query_224/gallery_224"


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Cut every object out of the clip of a case and compare all that it expects.

    Args:
        path: Folder with inputs frames and masks, expected.json: [{object, frames, shapes}], and expected tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        MetricError: Its shapes do not fit together.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs = load_state_dict(path / "inputs.safetensors", framework="numpy")
    config = case["config"]
    rows = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    yield compare_exact("objects", [row["object"] for row in rows], config["objects"])
    found: dict[int, CharacterCrops | None] = {
        row["object"]: character_crops(
            inputs["frames"], inputs["masks"], row["object"], count=config["frames_per_object"]
        )
        for row in rows
    }
    for row in rows:
        crops = found[row["object"]]
        ours = None if crops is None else list(crops.frames)
        yield compare_exact(f"object{row['object']} frames", ours, row["frames"])
        if "shapes" in row:
            shapes = None if crops is None else [list(image.shape) for image in crops.images]
            yield compare_exact(f"object{row['object']} shapes", shapes, row["shapes"])
    expected = load_state_dict(path / "expected.safetensors", framework="numpy")
    tolerance = {name: case["tolerance"][_INPUTS if "_224_" in name else "pixels"] for name in expected}
    # A crop that is missing here differs from any that is expected.
    missing = dict.fromkeys(
        f"object{number}_{part}{place}"
        for number in found
        for part in ("img", "square_mask")
        for place in range(config["frames_per_object"])
    )
    yield from compare_expected({**missing, **_tensors(found)}, expected, tolerance)


def _tensors(found: Mapping[int, CharacterCrops | None]) -> dict[str, Any]:
    """Return all crops and masks by name, and the input that the first crop becomes in both roles."""
    tensors: dict[str, Any] = {}
    for number, crops in found.items():
        if crops is None:
            continue
        for place, (image, mask) in enumerate(zip(crops.images, crops.masks, strict=True)):
            tensors[f"object{number}_img{place}"] = image
            tensors[f"object{number}_square_mask{place}"] = mask
    first = next((crops.images[0] for crops in found.values() if crops is not None), None)
    if first is not None:
        query, gallery = embedder_input(first, "query").numpy()[0], embedder_input(first, "gallery").numpy()[0]
        wide = query.astype(np.float64)
        tensors["query_224_first_crop_every16"] = query[:, ::_STEP, ::_STEP]
        tensors["gallery_224_first_crop_every16"] = gallery[:, ::_STEP, ::_STEP]
        tensors["query_224_first_crop_mean_std"] = np.stack([wide.mean(axis=(1, 2)), wide.std(axis=(1, 2), ddof=1)])
    return tensors
