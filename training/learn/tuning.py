"""Tuning of the small video model by a reward, and what became of that reward and of others.

The reward is a core metric; held out is a neural one, which sees other things by other means. Clips are those that the
training itself samples: of fixed prompts, first frames and seeds, before the first step and after the last.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from anisora.harness.device import exact_float32
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.record import canonical_json
from anisora.harness.runfolder import RunFolder, write_atomically
from anisora.harness.stages.run import run
from anisora.harness.stages.session import RunOptions
from anisora.reward.metric_reward import MetricReward
from anisora.training.audit.audit_data import AUDIT
from anisora.training.audit.clips import AuditClip, sampled_clips
from anisora.training.config import GrpoConfig, PreferenceConfig, TrainingConfig, read_config
from anisora.training.export import MODEL
from anisora.training.grpo_run import make_grpo
from anisora.training.learn.pretraining import BASE, SHIFT, WORLD
from anisora.training.learn.world import FRAMES, PROMPTS, SIZE
from anisora.training.pairs.drawing import PairOptions, draw_pairs
from anisora.training.preference_run import make_preference
from anisora.training.running import run_training

__all__ = [
    "HELD_OUT",
    "METHODS",
    "MOTION",
    "RESULT",
    "REWARD",
    "TUNED",
    "Method",
    "Tuned",
    "draw_groups",
    "read_tuned",
    "tune",
]

Method = Literal["gapo", "grpo"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
MOTION: Final = "flow_magnitude"
WEIGHTS: Final[Mapping[str, float]] = {"warping_error": -1.0, MOTION: 0.0114, "sharpness": 1.07e-6}
"""Of the reward: pixels stay what they were along their motion, lines are sharp, and standing still earns nothing.
Among clips that the base draws of one prompt, a standard deviation of the three counts as 1, 0.5 and 0.5."""
HELD_OUT: Final = "feature_consistency"
"""Of group ``local``: how alike the features are that EfficientNet sees in frames and their neighbours."""
_ALSO: Final = ("first_frame_feature_similarity", "temporal_flickering")
"""Measured beside it."""
TUNED: Final = "tuned"
"""Below the folder of the pretraining: a training for each method and seed."""
RESULT: Final = "result.json"
REWARD: Final = "reward"
"""The name of what is optimised, beside those of metrics."""
_ITEMS: Final = 16
_SEEDS: Final = 2
_SAMPLING_STEPS: Final = 8
_GUIDANCE: Final = 1.0
"""None: a small network follows its prompt as well without, in half the time."""
GROUPS: Final = "groups"
"""Below the folder of the pretraining: the run of the base whose clips are compared for preferences."""
PAIRS: Final = "pairs.jsonl"
_GROUP_SIZE: Final = 8
_FIRST_SEED: Final = 1000
"""Of the clips that are compared: none has the noise of a clip that is measured."""

_REWARD: Final = "metric_reward:" + ",".join(f"{name}={weight:g}" for name, weight in WEIGHTS.items())
_COMMON: Final[Mapping[str, Any]] = {
    "lora": {"rank": 8},
    "buckets": ((SIZE, SIZE, FRAMES),),
    "gradient_checkpointing": False,
    "gradient_clip": 1.0,
    "shift": SHIFT,
    "audit": {"optimised": tuple(WEIGHTS), "held_out": (HELD_OUT, *_ALSO)},
    "samples": {"every": None, "items": _ITEMS, "seeds": _SEEDS, "steps": _SAMPLING_STEPS, "guidance": _GUIDANCE},
}
_METHODS: Final[Mapping[Method, Mapping[str, Any]]] = {
    "gapo": {
        "steps": 90,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "warmup_steps": 5,
        "loss": "gapo",
        "beta": 5000.0,
    },
    "grpo": {
        "steps": 12,
        "batch_size": 32,
        "group_size": _GROUP_SIZE,
        "learning_rate": 3e-3,
        "warmup_steps": 3,
        "reward": _REWARD,
        "sampling_steps": _SAMPLING_STEPS,
        "noise_level": 0.5,
        "timestep_fraction": 0.5,
        "noise_everywhere": False,
        "updates_per_sampling": 2,
        "clip_range": 0.01,
        "guidance": _GUIDANCE,
        "kl_weight": 0.0,
        "kl_logged": False,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a training did to the clips of fixed prompts and seeds."""

    method: Method
    seed: int
    share: float
    """Of the method's steps and clips that it had."""
    seconds: float
    """Of all of it: drawing, training, audit and scores."""
    alarms: tuple[str, ...]
    """Signals of the audit that held at its last look."""
    before: Mapping[str, tuple[float, ...]]
    """{metric: a value of each clip of the model before}, in the order of ``clips``."""
    after: Mapping[str, tuple[float, ...]]
    clips: tuple[tuple[str, int], ...]
    """Item and seed of each."""

    def change(self, metric: str) -> float:
        """Return the mean of the metric's differences, clip by clip."""
        pairs = zip(self.before[metric], self.after[metric], strict=True)
        return sum(after - before for before, after in pairs) / len(self.clips)


def draw_groups(out: Path, *, share: float = 1.0, quiet: bool = True) -> Path:
    """Draw groups of clips with the base, score them and pair them; return the file of the pairs.

    What is done already is taken as it is.

    Args:
        out: The folder of a pretraining.
        share: Of the eight clips of a prompt, two or more of them.
        quiet: Say nothing.

    Raises:
        AnisoraError: As ``anisora generate`` and ``anisora train pairs``.
    """
    pairs = out / PAIRS
    if pairs.is_file():
        return pairs
    _check_base(out)
    record = run(
        str(out / WORLD / PROMPTS),
        f"{BASE}:weights={out / MODEL},guidance={_GUIDANCE},shift={SHIFT}",
        seeds=range(_FIRST_SEED, _FIRST_SEED + _group_size(share)),
        settings={"height": SIZE, "width": SIZE, "num_frames": FRAMES, "steps": _SAMPLING_STEPS},
        device="cpu",
        options=RunOptions(out=out / GROUPS, db=None, mlflow=None, show_progress=not quiet, generate_only=True),
    )
    with MetricReward(WEIGHTS) as judge:
        draw_pairs(out / GROUPS / record.run_id, judge, pairs, PairOptions(take="all"), shown=not quiet)
    return pairs


def tune(out: Path, method: Method, seed: int, *, share: float = 1.0, quiet: bool = True) -> Tuned:
    """Train with one method and seed from the base of a pretraining, and measure what came of it.

    What is done already is taken as it is, and a training that was stopped goes on. On a CPU the same pretraining,
    share and seed give the same bytes, for one number of threads.

    Args:
        out: The folder of a pretraining.
        method: How to train.
        seed: Of everything that is drawn in the training.
        share: Of the method's steps and of the clips of a prompt; one drawing and two clips or more.
        quiet: Say nothing.

    Raises:
        DataError: There is no pretraining.
        ConfigError: The folder of the training is of another share.
        MissingExtra: A library is not installed.
        WeightsMissing: The file of the held-out metric's network is absent.
    """
    folder = out / TUNED / f"{method}-{seed}"
    if (folder / RESULT).is_file():
        tuned = read_tuned(folder)
        if tuned.share != share:
            raise ConfigError(
                f"`{folder}` has a training with {tuned.share:g} of all steps, and now it is {share:g}; expected the "
                "same. Choose another folder."
            )
        return tuned
    _check_base(out)
    exact_float32()
    began = time.monotonic()
    config = _config(out, method, seed, share)
    cache = out / "cache"
    if isinstance(config, GrpoConfig):
        run_training(config, make_grpo, cache=cache, quiet=quiet)
    else:
        assert isinstance(config, PreferenceConfig)
        run_training(config, make_preference, cache=cache, quiet=quiet)
    steps = sampled_clips(folder)
    clips = [sorted(steps[at], key=lambda clip: clip.key) for at in (0, max(steps))]
    before, after = (_measured(each) for each in clips)
    tuned = Tuned(
        method=method,
        seed=seed,
        share=share,
        seconds=time.monotonic() - began,
        alarms=_alarms(folder),
        before=before,
        after=after,
        clips=tuple(clip.key for clip in clips[0]),
    )
    with write_atomically(folder / RESULT, "record") as file:
        file.write((canonical_json(_data(tuned)) + "\n").encode())
    return tuned


def read_tuned(folder: Path) -> Tuned:
    """Read what ``tune`` wrote."""
    said = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    return Tuned(
        method=said["method"],
        seed=said["seed"],
        share=said["share"],
        seconds=said["seconds"],
        alarms=tuple(said["alarms"]),
        before={name: tuple(values) for name, values in said["before"].items()},
        after={name: tuple(values) for name, values in said["after"].items()},
        clips=tuple((item, seed) for item, seed in said["clips"]),
    )


def _data(tuned: Tuned) -> dict[str, Any]:
    return {
        "method": tuned.method,
        "seed": tuned.seed,
        "share": tuned.share,
        "seconds": round(tuned.seconds, 1),
        "alarms": list(tuned.alarms),
        "before": {name: list(values) for name, values in tuned.before.items()},
        "after": {name: list(values) for name, values in tuned.after.items()},
        "clips": [list(key) for key in tuned.clips],
        "untrained": True,  # a toy: its numbers are of no leaderboard
    }


def _group_size(share: float) -> int:
    return max(2, round(share * _GROUP_SIZE))


def _check_base(out: Path) -> None:
    if not (out / MODEL).is_dir():
        raise DataError(f"`{out}` has no {MODEL}/; expected a pretraining. Make it: anisora learn pretrain --out {out}")


def _config(out: Path, method: Method, seed: int, share: float) -> TrainingConfig:
    said: dict[str, Any] = {
        **_COMMON,
        **_METHODS[method],
        "model": f"{BASE}:weights={out / MODEL}",
        "out": out / TUNED / f"{method}-{seed}",
        "seed": seed,
    }
    rounds = said.get("updates_per_sampling", 1)
    said["steps"] = rounds * max(1, round(share * said["steps"] / rounds))
    if method == "grpo":
        size = _group_size(share)
        said |= {"group_size": size, "batch_size": said["batch_size"] // said["group_size"] * size}
    if method == "grpo":
        return read_config(GrpoConfig, None, {**said, "data": str(out / WORLD / PROMPTS)})
    [group] = (path for path in sorted((out / GROUPS).iterdir()) if RunFolder(path).spec_path.is_file())
    return read_config(PreferenceConfig, None, {**said, "pairs": out / PAIRS, "run": group})


def _measured(clips: Sequence[AuditClip]) -> dict[str, tuple[float, ...]]:
    """Score clips from their files, as a leaderboard does.

    Raises:
        DataError: One could not be scored.
    """
    with MetricReward(WEIGHTS, reported=(HELD_OUT, *_ALSO)) as judge:
        batch = judge.score_items([clip.generation() for clip in clips])
    found = {REWARD: batch.total, **batch.dimensions}
    for name, values in found.items():
        for clip, value in zip(clips, values, strict=True):
            if math.isnan(value):
                raise DataError(
                    f"Metric {name!r} gave no value for item {clip.item!r}, seed {clip.seed}; expected one each."
                )
    return {name: tuple(map(float, values)) for name, values in found.items()}


def _alarms(folder: Path) -> tuple[str, ...]:
    found = json.loads((folder / AUDIT).read_text(encoding="utf-8"))
    return tuple(alarm["signal"] for alarm in found["alarms"])
