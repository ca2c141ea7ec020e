"""A folder as VBench's ``vbench2_beta_i2v`` is once its images are there: 355 small images in two crops, both lists.

Counts, keys, folders and dimensions are VBench's; prompts and pictures are made up.
"""

import json
from pathlib import Path

import numpy as np

from anisora.datasets.vbench_i2v.dimensions import BACKGROUND_TYPES, SUBJECT_TYPES, TYPES

__all__ = ["CROPS", "ENTRIES", "FACTS", "made_prompts", "save_picture", "write_vbench_i2v_folder"]

ENTRIES = "vbench2_i2v_full_info.json"
FACTS = "data/i2v-bench-info.json"
CROPS = {"1-1": (36, 36), "16-9": (64, 36)}
"""{folder below data/crop: width, height}"""

_SUBJECT = ["i2v_subject", "subject_consistency", "motion_smoothness", "dynamic_degree", "aesthetic_quality"]
_SUBJECT += ["imaging_quality", "temporal_flickering"]
_BACKGROUND = [
    "i2v_background",
    "background_consistency",
    "aesthetic_quality",
    "imaging_quality",
    "temporal_flickering",
]
_CAMERA = ["pans left", "pans right", "tilts up", "tilts down", "zooms in", "zooms out", "static"]


def made_prompts() -> dict[str, str]:
    """Return {prompt: type} of the 355 images, in the order of the types."""
    counts = {**SUBJECT_TYPES, **BACKGROUND_TYPES}
    return {f"a made-up {kind} that turns, number {place}": kind for kind in TYPES for place in range(counts[kind])}


def save_picture(path: Path, seed: int, width: int, height: int) -> None:
    """Write an image of its own for every seed."""
    from PIL import Image

    blocks = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((width, height)).save(path, quality=95)


def write_vbench_i2v_folder(folder: Path) -> list[str]:
    """Write ``vbench2_i2v_full_info.json``, ``data/i2v-bench-info.json``, ``data/crop/`` and ``data/origin/``.

    Returns the 355 prompts.
    """
    prompts = made_prompts()
    entries, facts = [], []
    for prompt, kind in prompts.items():
        common = {"image_type": kind, "image_name": f"{prompt}.jpg"}
        entries.append({"prompt_en": prompt, "dimension": _SUBJECT if kind in SUBJECT_TYPES else _BACKGROUND, **common})
        if kind in BACKGROUND_TYPES:
            entries += [
                {"prompt_en": f"{prompt}, camera {motion}", "dimension": ["camera_motion"], **common}
                for motion in _CAMERA
            ]
        url = f"photos.example/{len(facts)}"
        facts.append({"file_name": f"{prompt}.jpg", "url": url, "type": kind, "caption": prompt})
    for ratio, (width, height) in CROPS.items():
        (folder / "data" / "crop" / ratio).mkdir(parents=True)
        for place, prompt in enumerate(prompts):
            save_picture(folder / "data" / "crop" / ratio / f"{prompt}.jpg", place, width, height)
    (folder / "data" / "origin").mkdir()
    save_picture(folder / "data" / "origin" / f"{next(iter(prompts))}.jpg", 0, 90, 60)
    (folder / ENTRIES).write_text(json.dumps(entries), encoding="utf-8")
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    return list(prompts)
