"""Cases of metrics as files, scored through the real decoder and feature store."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from metric_tester import Case
from PIL import Image as PillowImage

from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip, Condition, FrameArray, Generation, Image, Sample

__all__ = ["written"]


def written(case: Case, folder: Path, pool: DecoderPool) -> Generation:
    """Write a case as lossless files and return the generation that names them."""
    images = []
    for place, (position, image) in enumerate(case.images):
        path = folder / f"image-{place}.png"
        PillowImage.fromarray(image).save(path)
        images.append((position, Image(path=path, digest=hashlib.sha256(path.read_bytes()).hexdigest())))
    mask = None
    if case.region_mask is not None:
        mask = folder / "mask.png"
        PillowImage.fromarray(case.region_mask.astype(np.uint8) * 255).save(mask)
    sample = Sample(
        id=case.name,
        condition=Condition(keyframes=tuple(images), region_mask=mask),
        ground_truth=None if case.ground_truth is None else _file(case.ground_truth, folder / "truth.mkv", pool),
    )
    return replace(case.item, sample=sample, clip=_file(case.clip, folder / "clip.mkv", pool))


def _file(source: FrameArray, path: Path, pool: DecoderPool) -> Clip:
    pool.encode(source.frames, fps=source.fps, path=path)
    return clip_at(path, None)
