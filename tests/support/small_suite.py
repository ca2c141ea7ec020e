"""A suite of small rendered clips on disk, and the command line as a process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import ACTIONS, Scene, prompt_of, render

COMMAND = [sys.executable, "-c", "from anisora.harness.cli import main; main()"]


def build_suite(folder: Path, *, items: int = 4, num_frames: int = 6, width: int = 96, height: int = 64) -> Path:
    """Write ``suite.yaml`` with its manifest, ground truth clips and first frames; return its path."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    lines = ["id,prompt,image,label,ground_truth"]
    with DecoderPool() as pool:
        for place in range(items):
            action = ACTIONS[place % len(ACTIONS)]
            scene = Scene(action=action, seed=place, width=width, height=height, num_frames=num_frames)
            frames = render(scene)
            name = f"item{place:02d}"
            pool.encode(frames, fps=scene.fps, path=folder / f"{name}.mkv")
            Image.fromarray(frames[0]).save(folder / f"{name}.png")
            lines.append(f'{name},"{prompt_of(scene)}",{name}.png,{action},{name}.mkv')
    (folder / "items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = ["temporal_flickering", "flow_magnitude", "sharpness", "psnr", "ssim", "condition_fidelity"]
    content = {
        "name": "small",
        "version": 1,
        "title": "Small",
        "summary": "Rendered clips for tests.",
        "dataset": "manifest:path=items.csv",
        "seeds": [0],
        "cluster": "item",
        "reference": "ground-truth",
        "columns": [{"metric": name, "header": name} for name in columns],
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def environment(**extra: str) -> dict[str, str]:
    """Return a clean environment for a child process."""
    # Bytecode may be written: compiling every module anew is most of a short process's time.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANISORA_", "MLFLOW_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    # Importing MLflow takes seconds; the tests of what is logged to it switch it on again.
    return {**kept, "OMP_NUM_THREADS": "1", "ANISORA_NO_MLFLOW": "1", **extra}


def anisora(
    arguments: Sequence[str | Path], *, cwd: Path, check: bool = False, timeout: float = 600, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder of its own and return what it printed."""
    extra.setdefault("ANISORA_CACHE", str(cwd / "cache"))
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and result.returncode != 0:
        raise AssertionError(f"exit {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def only_run(out: Path) -> Path:
    """Return the one run folder below ``out``."""
    folders = [path for path in out.iterdir() if path.is_dir()]
    assert len(folders) == 1, folders
    return folders[0]
