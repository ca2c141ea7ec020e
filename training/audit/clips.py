"""The clips that an audit compares: those of the model in training, and those of the model it began as."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError, DataError, RecordError
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.inputs.paths import shortened
from anisora.harness.inputs.runs import find_run, read_spec
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.suite import samples_by_id, suite_of_run
from anisora.harness.types import Clip, Condition, Generation, Image, Sample, VideoSource

__all__ = ["SAMPLES", "AuditClip", "check_clips", "clips_of_run", "sampled_clips"]

SAMPLES: Final = "samples/samples.jsonl"
"""In the folder of a training: a line for each clip that was made of the model on the way."""
_FIELDS: Final = (("step", int), ("item", str), ("seed", int), ("path", str), ("sha256", str))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditClip:
    """A clip of a prompt, an image and a seed."""

    item: str
    """Which prompt and image."""
    seed: int
    video: VideoSource
    """A file, or frames in memory."""
    prompt: str | None = None
    image: Image | None = None
    """The conditioning image; items that share one can be told apart by their prompts alone."""

    @property
    def key(self) -> tuple[str, int]:
        """What a clip is paired by."""
        return self.item, self.seed

    def generation(self) -> Generation:
        """Return the clip as metrics take it."""
        keyframes = () if self.image is None else ((0.0, self.image),)
        sample = Sample(id=self.item, prompt=self.prompt, condition=Condition(keyframes=keyframes))
        return Generation(sample=sample, clip=self.video, model="audited", seed=self.seed)


def check_clips(clips: Sequence[AuditClip], what: str) -> None:
    """Refuse clips that cannot be compared.

    Raises:
        DataError: There are none, or two are of one item and seed.
    """
    keys = [clip.key for clip in clips]
    if not keys:
        raise DataError(f"`{what}` is empty; expected clips of the model. Sample some, and audit again.")
    if len(set(keys)) < len(keys):
        item, seed = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"`{what}` has item {item!r} with seed {seed} twice; expected each item and seed once.")


def sampled_clips(run: Path, only: int | None = None) -> dict[int, list[AuditClip]]:
    """Read the clips that a training made on the way.

    Args:
        run: Its folder.
        only: The one step whose clips are read; those of all steps by default.

    Returns:
        {step: clips}, in the order of steps; 0 is the model before its first update.

    Raises:
        DataError: There are none, a line is not what a training writes, or a file is missing.
        RecordError: A file is not the one that was written.
    """
    path = run / SAMPLES
    if not path.is_file():
        raise DataError(
            f"`{run}` has no {SAMPLES}; expected a training that samples clips on the way, or two runs of clips. "
            "Give the second one with --base."
        )
    found: dict[int, dict[tuple[str, int], AuditClip]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        entry = _entry(f"`{path}` line {number}", line)
        if only is not None and entry["step"] != only:
            continue
        clip = _sampled(run, entry, f"`{path}` line {number}")
        found.setdefault(entry["step"], {})[clip.key] = clip  # a step that was taken again is told again
    if 0 not in found and only in (None, 0):
        raise DataError(
            f"`{path}` has no clips of step 0; expected those of the model before its first update. Sample the model "
            "that the training began with, and give that run with --base."
        )
    return {step: list(found[step].values()) for step in sorted(found)}


def _entry(where: str, line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise DataError(f"{where} got {shortened(line)}; expected a JSON object. Sample the clips again.")
    for name, kind in _FIELDS:
        value = entry.get(name)
        if isinstance(value, bool) or not isinstance(value, kind):
            raise DataError(f"{where}: `{name}` got {shortened(value)}; expected {kind.__name__}. Correct it.")
    return entry


def _sampled(run: Path, entry: dict[str, Any], where: str) -> AuditClip:
    clip = clip_at(run / entry["path"], None)
    if clip.digest != entry["sha256"]:
        raise RecordError(
            f"{where}: `{entry['path']}` has sha256 {clip.digest[:12]}, and the line says {entry['sha256'][:12]}; "
            "expected the clip that was sampled. Sample it again."
        )
    image = entry.get("image")
    if image is not None and not (run / image).is_file():
        raise DataError(f"{where}: `image` got {shortened(image)}, which does not exist; expected a file. Correct it.")
    return AuditClip(
        item=entry["item"],
        seed=entry["seed"],
        video=clip,
        prompt=entry.get("prompt"),
        image=None if image is None else Image(path=run / image, digest=sha256_of_file(run / image)),
    )


def clips_of_run(path: Path) -> list[AuditClip]:
    """Read the clips of a run of ``anisora run``, ``generate`` or ``evaluate``.

    Raises:
        DataError: It is no run.
        ConfigError: Its suite, which has prompts and images, is not on this machine.
        RecordError: Its list of clips is damaged.
    """
    folder = find_run(path)
    spec = read_spec(folder)
    samples = samples_by_id(suite_of_run(spec))
    rows = folder.read_clips()
    if not samples and spec.suite != "custom":
        raise ConfigError(
            f"`{path}` is of suite {spec.suite!r}, which is not on this machine; expected it, for prompts and images. "
            "Put it where it was."
        )
    clips = []
    for row in rows:
        sample = samples.get(row.item_id)
        keyframes = () if sample is None else sample.condition.keyframes
        clips.append(
            AuditClip(
                item=row.item_id,
                seed=row.seed,
                video=Clip(path=path / row.path, digest=row.sha256, fps=None),
                prompt=None if sample is None else sample.prompt,
                image=next((image for position, image in keyframes if position == 0), None),
            )
        )
    return clips
