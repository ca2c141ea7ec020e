"""What is trained once and tuned many times: a small VAE and a small video model of Wan's classes."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import exact_float32
from anisora.harness.errors import ConfigError
from anisora.harness.progress import announce, progress
from anisora.harness.record import canonical_json
from anisora.harness.runfolder import write_atomically
from anisora.models.conversion.new_folder import new_folder
from anisora.models.untrained import TRAINING_CARD
from anisora.training.config import SupervisedConfig, read_config
from anisora.training.export import MODEL
from anisora.training.learn.small_networks import new_transformer, new_vae, write_networks
from anisora.training.learn.small_vae import VaeStage, peak_signal_to_noise, standardise_latents, train_vae
from anisora.training.learn.world import FPS, FRAMES, SIZE, TRAINING_CLIPS, World, write_world
from anisora.training.running import run_training
from anisora.training.supervised_run import make_supervised

__all__ = ["BASE", "SHIFT", "VAE_LOG", "WORLD", "Pretraining", "pretrain"]

BASE: Final = "wan-2.1"
"""Whose classes the networks are of, and as which commands take the result."""
SHIFT: Final = 3.0
"""Of the levels of noise: Wan's for small clips."""
WORLD: Final = "world"
NETWORKS: Final = "networks"
"""Below the folder: the trained VAE, and a transformer as it is before its training."""
TRAINING: Final = "training"
"""Below the folder: the supervised training of the transformer, a run folder."""
VAE_LOG: Final = "vae.jsonl"
_CLAIM: Final = "pretraining.json"
_MEASURED: Final = 16
"""Clips on which latents are measured, and the VAE is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """What is trained, and for how long."""

    seed: int = 0
    world: World = field(default_factory=World)
    vae: tuple[VaeStage, ...] = (
        VaeStage(steps=2000, frames=1, crop=32, batch_size=16),
        VaeStage(steps=800, frames=9, crop=32, batch_size=4, learning_rate=3e-3),
        VaeStage(steps=200, frames=9, crop=64, batch_size=2, learning_rate=1e-3),
    )
    steps: int = 1200
    """Of the transformer."""
    batch_size: int = 16
    learning_rate: float = 1e-3
    ema_decay: float = 0.99

    def scaled(self, share: float) -> "Pretraining":
        """Return the plan with a share of its steps, each part with one or more.

        Args:
            share: Above 0, up to 1.
        """

        def part(steps: int) -> int:
            return max(1, round(share * steps))

        return replace(
            self, vae=tuple(replace(stage, steps=part(stage.steps)) for stage in self.vae), steps=part(self.steps)
        )


def pretrain(plan: Pretraining, out: Path, *, cache: Path | None = None, quiet: bool = True) -> Path:
    """Train the VAE and then the transformer; return a folder of diffusers, which moves as a whole.

    What is done already is taken as it is; the training of the transformer goes on from its newest checkpoint. On a CPU
    the same plan gives the same bytes, for one number of threads.

    Args:
        plan: What to train.
        out: The folder; new, or of the same plan.
        cache: Where encoded clips are kept; below the folder by default.
        quiet: Say nothing.

    Raises:
        ConfigError: The folder is of another plan.
        MissingExtra: diffusers or accelerate is not installed.
        OSError: The disk is full.
    """
    said = json.loads(canonical_json(asdict(plan)))
    _claim(said, out)
    model = out / MODEL
    if (model / TRAINING_CARD).is_file():
        return model
    card = {"base": "random numbers", "untrained": True, "toy": True, "pretraining": said}
    if not (out / NETWORKS / TRAINING_CARD).is_file():
        _make_networks(plan, out, card, shown=not quiet)
    config = read_config(SupervisedConfig, None, _supervised(plan, out))
    trained = run_training(config, make_supervised, cache=out / "cache" if cache is None else cache, quiet=quiet)
    with new_folder(model) as folder:
        shutil.copytree(trained, folder, dirs_exist_ok=True)  # of links, what they point at
        _write_card(card, folder)
    return model


def _claim(said: Mapping[str, Any], out: Path) -> None:
    """Write the plan into the folder.

    Raises:
        ConfigError: Another one is there, or something that is no pretraining.
    """
    path = out / _CLAIM
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        other = sorted(name for name in said.keys() | before.keys() if said.get(name) != before.get(name))
        if other:
            name = other[0]
            raise ConfigError(
                f"`{out}` was begun with `{name}` {before.get(name)!r}, and now it is {said.get(name)!r}; expected the "
                "same. Choose another --out."
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(
            f"`--out` got `{out}`, where something else is already; expected a folder of a pretraining or a new one. "
            "Choose another one."
        )
    with write_atomically(path, "record") as file:
        file.write((json.dumps(said, indent=1, sort_keys=True) + "\n").encode())


def _make_networks(plan: Pretraining, out: Path, card: Mapping[str, Any], *, shown: bool) -> None:
    """Draw the world, train the VAE on it, and write all networks."""
    import torch

    exact_float32()
    frames = plan.world.frames()
    write_world(plan.world, frames, out / WORLD)
    clips = torch.from_numpy(frames)
    vae = new_vae(plan.seed)
    with progress("train the VAE", sum(stage.steps for stage in plan.vae), shown=shown, unit="steps") as advance:
        log = train_vae(vae, clips, plan.vae, seed=plan.seed, told=advance)
    measured = clips[:_MEASURED, :FRAMES]
    standardise_latents(vae, measured)
    if shown:
        announce(f"The VAE gives clips back with {peak_signal_to_noise(vae, measured):.1f} dB.")
    with write_atomically(out / VAE_LOG, "record") as file:
        file.write("".join(f"{canonical_json(line)}\n" for line in log).encode())
    with new_folder(out / NETWORKS) as folder:
        write_networks(new_transformer(plan.seed), vae, folder)
        _write_card(card, folder)


def _supervised(plan: Pretraining, out: Path) -> dict[str, Any]:
    """Return the fields of the transformer's training."""
    return {
        "model": f"{BASE}:weights={out / NETWORKS}",
        "out": out / TRAINING,
        "data": str(out / WORLD / TRAINING_CLIPS),
        "steps": plan.steps,
        "batch_size": plan.batch_size,
        "learning_rate": plan.learning_rate,
        "warmup_steps": min(50, plan.steps),
        "ema_decay": plan.ema_decay,
        "gradient_checkpointing": False,
        "buckets": ((SIZE, SIZE, FRAMES),),
        "fps": FPS,
        "skip_frames": 0,
        "shift": SHIFT,
        "text_dropout": 0.1,
        "seed": plan.seed,
    }


def _write_card(card: Mapping[str, Any], folder: Path) -> None:
    with write_atomically(folder / TRAINING_CARD, "record") as file:
        file.write((json.dumps(dict(card), indent=1, sort_keys=True) + "\n").encode())
