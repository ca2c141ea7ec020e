"""Golden cases of kind ``gen_spatial_masks``: mask videos become channels, and blank what is not known."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.wan.condition_mask import known_area, latent_mask, masked_video, pack_mask
from anisora.models.wan.latent_size import latent_size

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the channels and the masked video of every item and compare them.

    Args:
        path: Folder with inputs video_<index> (F, 3, H, W) and mask_<index> (F, 1, H, W), and expected tensors.
        case: Its case.json.

    Raises:
        ConfigError: An item has a kind of mask that does not exist.
        DataError: The case expects something that is not computed here.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs, config = load_state_dict(path / "inputs.safetensors"), case["config"]
    ours = {}
    for item in config["items"]:
        index, kind = item["index"], item["kind"]
        video = inputs[f"video_{index}"]
        size = latent_size(
            item["max_area"], *video.shape[2:], vae_stride=config["vae_stride"], patch_size=config["patch_size"]
        )
        found = [size.height, size.width]
        yield compare_exact(f"item {index} size", found, [item["latent_height"], item["latent_width"]])
        area = known_area(inputs[f"mask_{index}"], kind)
        shown, area = masked_video(video, area, size.pixel_height, size.pixel_width)
        ours[f"masked_video_{index}"] = shown
        ours[f"mask4_{index}"] = pack_mask(latent_mask(area, size.height, size.width, kind), config["vae_stride"][0])
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"])
