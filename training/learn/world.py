"""The small world that the networks of ``anisora learn`` are trained on: rendered clips, cut from longer scenes.

A few figures do a few things. Scenes are longer than clips, so that a clip begins anywhere in an action; those that
begin at even frames are trained on, and prompts for sampling take their first images from odd ones.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from anisora.harness.drawing.look import OUTFITS
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, prompt_of, render
from anisora.harness.runfolder import write_atomically

__all__ = ["FPS", "PROMPTS", "SIZE", "TRAINING_CLIPS", "World", "write_world"]

SIZE: Final = 64
"""Height and width of clips."""
FRAMES: Final = 9
FPS: Final = 16.0
"""Of Wan's clips."""
TRAINING_CLIPS: Final = "clips.jsonl"
"""A manifest below the world's folder: what is trained on."""
PROMPTS: Final = "prompts.yaml"
"""A suite below the world's folder: what is sampled for."""
_PROMPT_ROWS: Final = "prompts.jsonl"
_CUT_EVERY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Which scenes there are."""

    actions: tuple[str, ...] = ("wave", "bow", "turn", "talk")
    figures: int = 4
    """Seeds of ``Scene``: hair, colours and place of each."""
    scene_frames: int = 25

    def scenes(self) -> list[Scene]:
        """Return all scenes: each figure does each action."""
        return [
            Scene(
                action=action,
                seed=figure,
                outfit=figure % len(OUTFITS),
                width=SIZE,
                height=SIZE,
                num_frames=self.scene_frames,
                fps=FPS,
                hold=1,
            )
            for figure in range(self.figures)
            for action in self.actions
        ]

    def frames(self) -> NDArray[np.uint8]:
        """Return the frames of all scenes, (scenes, scene_frames, SIZE, SIZE, 3) uint8 RGB."""
        return np.stack([render(scene) for scene in self.scenes()])


def write_world(world: World, frames: NDArray[np.uint8], folder: Path) -> None:
    """Write the clips to train on, and a suite of prompts with first images and what follows them in the scene.

    Args:
        world: Which scenes there are.
        frames: Of all scenes, as ``World.frames`` returns them.
        folder: Where to; what is there is written anew.

    Raises:
        OSError: The disk is full.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    clips, prompts = [], []
    last = world.scene_frames - FRAMES
    with DecoderPool() as pool:
        for scene, drawn in zip(world.scenes(), frames, strict=True):
            name, prompt = f"{scene.action}-{scene.seed}", prompt_of(scene)
            for start in range(0, last + 1, _CUT_EVERY):
                cut = f"{name}-{start:02d}"
                pool.encode(drawn[start : start + FRAMES], fps=FPS, path=folder / f"{cut}.mkv")
                clips.append({"id": cut, "video": f"{cut}.mkv", "prompt": prompt})
            start = last // 2 | 1
            pool.encode(drawn[start : start + FRAMES], fps=FPS, path=folder / f"{name}.mkv")
            Image.fromarray(drawn[start]).save(folder / f"{name}.png")
            prompts.append(
                {
                    "id": name,
                    "prompt": prompt,
                    "image": f"{name}.png",
                    "label": scene.action,
                    "ground_truth": f"{name}.mkv",
                }
            )
    for file, rows in ((TRAINING_CLIPS, clips), (_PROMPT_ROWS, prompts)):
        with write_atomically(folder / file, "record") as out:
            out.write("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())
    with write_atomically(folder / PROMPTS, "record") as out:
        out.write(yaml.safe_dump(_SUITE, sort_keys=False).encode())


_SUITE: Final = {
    "name": "learn",
    "version": 1,
    "title": "Learn",
    "summary": "The prompts of the small world on which anisora learn trains its networks.",
    "dataset": f"manifest:path={_PROMPT_ROWS}",
    "seeds": [0],
    "cluster": "item",
    "reference": "ground-truth",
    "columns": [
        {"metric": metric, "header": metric}
        for metric in ("flow_magnitude", "temporal_flickering", "sharpness", "palette_drift", "ssim")
    ],
}
