"""Golden cases of kind ``gen_latent_size``: sizes of clips from an area and the size of the first image."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.parity import Comparison, compare_exact
from anisora.models.wan.latent_size import latent_size

__all__ = ["handle"]

_OURS: Final = {
    "pixel_height": "pixel_height",
    "pixel_width": "pixel_width",
    "latent_height": "height",
    "latent_width": "width",
}
"""{field of a row: attribute of a size}"""


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute every size again and compare it; nothing but equality passes.

    Args:
        path: Folder with expected.json: {sizes: [{max_area, image_height, image_width, ...}]}.
        case: Its case.json.

    Raises:
        ConfigError: A row has no positive size.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config = case["config"]
    for place, row in enumerate(json.loads((path / "expected.json").read_text(encoding="utf-8"))["sizes"]):
        size = latent_size(
            row["max_area"],
            row["image_height"],
            row["image_width"],
            vae_stride=config["vae_stride"],
            patch_size=config["patch_size"],
        )
        ours = {field: getattr(size, name) for field, name in _OURS.items()}
        yield compare_exact(f"sizes {place}", ours, {field: row[field] for field in _OURS})
