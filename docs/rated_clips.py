"""Writes rendered clips, damaged at known severities, with the ratings that their severities stand for.

    python docs/rated_clips.py rated --scenes 150

Each scene is drawn once and damaged by blur and by noise; a clip's rating is 5 - 4 * severity. ``rated/clips.csv`` is a
manifest in which all clips of a scene have the undamaged first frame as their image, ``rated/ratings.csv`` holds the
ratings and ``rated/pairs.csv`` preferences between clips of one scene. They stand in for people: they show
that the machinery works, not how well it predicts anyone.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from anisora.harness.degrade import degrade
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import ACTIONS, Scene, render

VERSIONS = (("clean", 0.0), ("blur", 0.2), ("blur", 0.5), ("noise", 0.2), ("noise", 0.5))
"""(damage, severity) of the clips of a scene."""


def write_rated_clips(folder: Path, scenes: int, *, width: int = 192, height: int = 108, num_frames: int = 6) -> None:
    """Write clips, manifest, ratings and preferences of so many scenes."""
    (folder / "clips").mkdir(parents=True)
    clips, ratings, pairs = ["id,video,image,label"], ["sample_id,rating"], ["left,right,preference"]
    with DecoderPool() as pool:
        for seed in range(scenes):
            action = ACTIONS[seed % len(ACTIONS)]
            scene = Scene(action=action, seed=seed, width=width, height=height, num_frames=num_frames)
            drawn = render(scene)
            image = f"clips/scene{seed:03d}.png"
            Image.fromarray(drawn[0]).save(folder / image)
            rated = []
            for damage, severity in VERSIONS:
                name = f"scene{seed:03d}.{damage}{severity:g}"
                frames = drawn if severity == 0 else degrade(damage, drawn, severity=severity, seed=seed)
                path = folder / "clips" / f"{name}.mkv"
                pool.encode(np.ascontiguousarray(frames), fps=scene.fps, path=path)
                clips.append(f"{name},clips/{name}.mkv,{image},{action}")
                ratings.append(f"{name},{5 - 4 * severity:g}")
                rated.append((name, severity))
            for (left, first), (right, second) in combinations(rated, 2):
                preference = "tie" if first == second else "left" if first < second else "right"
                pairs.append(f"{left},{right},{preference}")
    for name, lines in (("clips.csv", clips), ("ratings.csv", ratings), ("pairs.csv", pairs)):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--scenes", type=int, default=150)
    arguments = parser.parse_args()
    write_rated_clips(arguments.folder, arguments.scenes)


if __name__ == "__main__":
    main()
