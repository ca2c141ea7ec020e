"""The released models at tiny size, and samples to pose to them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.types import Clip, Condition, Frames, Image, Sample
from anisora.models.cogvideox.releases import RELEASES as COGVIDEOX
from anisora.models.generator import DiffusionGenerator
from anisora.models.released import Released
from anisora.models.wan.releases import RELEASES as WAN

__all__ = ["NO_SETTINGS", "RELEASED", "TRACKS", "posed", "tiny_model", "write_image", "write_mask"]

NO_SETTINGS = GenerationSettings()
RELEASED: dict[str, Released] = {**COGVIDEOX, **WAN}
TRACKS = [(name, track) for name, released in sorted(RELEASED.items()) for track in sorted(released.tracks)]
_POSITIONS = {"i2v": (0.0,), "last": (1.0,), "mid": (0.5,), "keyframe": (0.0, 1.0), "region": (0.0,)}


def tiny_model(name: str, **arguments: object) -> DiffusionGenerator[object]:
    """Return a released model with random numbers."""
    words = "".join(f",{key}={value}" for key, value in arguments.items())
    made: DiffusionGenerator[object] = registry("models").create(f"{name}:tiny{words}")
    return made


def write_image(path: Path, *, seed: int, height: int = 64, width: int = 112) -> Image:
    """Write a picture of coloured fields."""
    fields = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    PillowImage.fromarray(fields.repeat(16, 0).repeat(16, 1)).save(path)
    return Image(path=path, digest=f"{seed}")


def write_mask(path: Path, moving: slice, *, height: int = 64, width: int = 112) -> Path:
    """Write a mask whose columns of a slice are to move."""
    mask: Frames = np.zeros((height, width), np.uint8)
    mask[:, moving] = 255
    PillowImage.fromarray(mask).save(path)
    return path


def posed(
    folder: Path,
    track: str,
    *,
    prompt: str = "A girl waves.",
    seeds: Sequence[int] = (1, 2),
    moving: slice = slice(0, 56),
    ground_truth: Clip | None = None,
) -> Sample:
    """Return a sample on a track: one picture a seed, as many as the track takes."""
    folder.mkdir(parents=True, exist_ok=True)
    keyframes = tuple(
        (position, write_image(folder / f"{seed}.png", seed=seed))
        for position, seed in zip(_POSITIONS[track], seeds, strict=False)
    )
    mask = write_mask(folder / "mask.png", moving) if track == "region" else None
    return Sample(
        id="walk", prompt=prompt, condition=Condition(keyframes=keyframes, region_mask=mask), ground_truth=ground_truth
    )
