"""Golden cases of kind ``gen_condition_tensor``: conditions from images at positions and from masked videos.

A case has the weights of a small VAE; whoever registers a handler passes what builds it.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.models.wan.condition_mask import MaskKind
from anisora.models.wan.condition_tensor import Encode, keyframe_condition, mask_video_condition
from anisora.models.wan.frame_ids import frame_ids
from anisora.models.wan.latent_size import LatentSize, latent_size

__all__ = ["BuildEncoder", "compare_conditions"]

BuildEncoder = Callable[[Tensors, Mapping[str, Any]], Encode]
"""(weights under the reference's keys, the case's ``vae``) -> the VAE."""
_KEYFRAMES: Final = "any-frame"
_MASKS: Final[dict[str, MaskKind]] = {"temporal-mask": "temporal", "spatial-mask": "spatial"}


def compare_conditions(path: Path, case: Mapping[str, Any], build: BuildEncoder) -> list[Comparison]:
    """Compute the condition of every item and compare it.

    Args:
        path: Folder with weights, inputs image_<index>_<place> in 0 to 1, video_<index> and mask_<index> in -1 to 1,
            and expected tensors y_<index>.
        case: Its case.json.
        build: Makes the VAE.

    Raises:
        DataError: The case expects something that is not computed here, or an item is of an unknown kind.
    """
    return list(_comparisons(path, case, build))


def _comparisons(path: Path, case: Mapping[str, Any], build: BuildEncoder) -> Iterator[Comparison]:
    inputs, vae = load_state_dict(path / "inputs.safetensors"), case["config"]["vae"]
    encode = build(load_state_dict(path / "weights.safetensors"), vae)
    constants = {name: vae[name] for name in ("latents_mean", "latents_std")}
    ours = {}
    for item in case["config"]["items"]:
        index, kind, total = item["index"], item["kind"], item["num_frames"]
        if kind == _KEYFRAMES:
            ids = frame_ids(item["positions"], total)
            yield compare_exact(f"item {index} frame_ids", list(ids), item["frame_ids"])
            images = [inputs[f"image_{index}_{place}"] for place in range(len(ids))]
            size = latent_size(item["max_area"], *images[0].shape[1:])
            condition = keyframe_condition(images, ids, total, size, encode, **constants)
        elif kind in _MASKS:
            video = inputs[f"video_{index}"]
            size = latent_size(item["max_area"], *video.shape[2:])
            condition = mask_video_condition(video, inputs[f"mask_{index}"], _MASKS[kind], size, encode, **constants)
        else:
            raise DataError(f"Item {index} has kind {kind!r}; expected {_KEYFRAMES}, {', '.join(_MASKS)}.")
        yield _compare_size(item, size)
        ours[f"y_{index}"] = condition
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"])


def _compare_size(item: Mapping[str, Any], size: LatentSize) -> Comparison:
    found = [size.pixel_height, size.pixel_width]
    return compare_exact(f"item {item['index']} size", found, [item["pixel_height"], item["pixel_width"]])
