"""Small clips to train on, with a manifest, and settings with which a tiny model trains in a second."""

import json
from pathlib import Path
from typing import Any

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, prompt_of, render

__all__ = ["SMALL", "write_clips"]

SMALL: dict[str, Any] = {
    "buckets": [[32, 48, 9]],
    "skip_frames": 0,
    "learning_rate": 1e-3,
    "gradient_checkpointing": False,
    "steps": 2,
}
"""Fields of a configuration."""
_ACTIONS = ("walk", "run", "jump", "wave", "turn", "talk")


def write_clips(folder: Path, *, count: int = 3, num_frames: int = 12) -> Path:
    """Write clips of 16 frames a second and a manifest; return the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    with DecoderPool() as pool:
        for seed, action in enumerate(_ACTIONS[:count]):
            scene = Scene(action=action, seed=seed, width=96, height=64, num_frames=num_frames, fps=16.0)
            pool.encode(render(scene), fps=16.0, path=folder / f"{action}.mp4", encoder="h264:crf=10")
            lines.append(json.dumps({"id": action, "video": f"{action}.mp4", "prompt": prompt_of(scene)}))
    manifest = folder / "clips.jsonl"
    manifest.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return manifest
