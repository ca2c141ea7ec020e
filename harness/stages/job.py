"""From a specification to the work it stands for: which items, which clips or which model, under which run id.

``evaluate``, ``run``, ``rescore`` and ``rerun`` all come through here: a run repeated from its record is the same run.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.videos import custom_items, match_videos
from anisora.harness.protocols import (
    GenerationSettings,
    Generator,
    GeneratorInfo,
    RecordedGenerator,
    SelectiveGenerator,
)
from anisora.harness.record import Json, RunSpec, digest_of
from anisora.harness.registry import Spec, registry
from anisora.harness.suite import (
    Suite,
    draw_subset,
    load_samples,
    load_suite,
    pose_samples,
    samples_fingerprint,
    strata_of,
)
from anisora.harness.types import Clip, Sample

__all__ = ["CUSTOM", "Job", "Key", "custom_jobs", "job_of", "system_info", "where_clips_are"]

CUSTOM = "custom"
"""The suite name of runs over a user's own clips."""

_SYSTEMS: Final = "recorded/"

Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The work of one run."""

    spec: RunSpec
    suite: Suite | None
    """None for ``custom``."""
    samples: tuple[Sample, ...]
    clips: Mapping[Key, Clip]
    """Clips that exist already; empty where a model is to make them."""
    missing: tuple[Key, ...]
    """Clips that do not exist, and that the model cannot make."""
    population: Mapping[str, int] | None = None
    """Of a subset: {stratum: items of the whole suite}."""
    generator: Generator | None
    """The model that makes the clips, or None."""
    info: GeneratorInfo | None
    settings: GenerationSettings

    @property
    def is_custom(self) -> bool:
        """Whether the clips that were given are the items, so that metrics without their inputs are left out."""
        return self.suite is None or self.suite.dataset is None

    @property
    def clusters(self) -> dict[str, str]:
        """{item: cluster}: its label, or itself where the suite or the item has none."""
        by_label = self.suite is None or self.suite.cluster == "label"
        return {sample.id: (sample.label if by_label and sample.label else sample.id) for sample in self.samples}

    @property
    def to_generate(self) -> tuple[Sample, ...]:
        """The items that the model makes clips for: none without one, and none that it refuses."""
        refused = {item for item, _ in self.missing}
        return tuple(sample for sample in self.samples if self.generator and sample.id not in refused)

    @property
    def reference(self) -> bool:
        """True for the run of the ground truth itself."""
        return self.spec.model_spec == "ground-truth"

    @property
    def identity(self) -> str:
        """Digest of all that decides the clips and how they are read; metrics may be added to a run later."""
        spec = self.spec
        clips = [[*key, clip.digest, clip.fps] for key, clip in sorted(self.clips.items())]
        made_by = [self.info.name, self.info.revision] if self.info else []
        return digest_of(
            {
                "suite": [spec.suite, spec.suite_version, spec.track],
                "items": samples_fingerprint(self.samples),
                "model": [spec.model, spec.model_spec],
                "made_by": made_by,
                "clips": clips,
                "seeds": spec.seeds,
                "settings": spec.settings,
                "decode": [spec.decode, spec.decoder],
                "encoder": spec.encoder if self.generator else None,
            }
        )

    @property
    def run_id(self) -> str:
        """Suite, model and the start of the identity: the same work finds its folder again."""
        words = re.sub(r"[^A-Za-z0-9._]+", "-", f"{self.spec.suite}-{self.spec.model}").strip("-.")
        return f"{words[:80]}-{self.identity[:10]}"

    @property
    def _frame_rate(self) -> str:
        """``native``, or the rates that were declared for clips that carry none."""
        declared = sorted({clip.fps for clip in self.clips.values() if clip.fps is not None})
        return "native" if not declared else f"declared {', '.join(f'{fps:g}' for fps in declared)}"

    def protocol_fields(self, encoders: set[str], modes: set[str]) -> dict[str, Json]:
        """Return the run's part of the protocol, given the codecs of its clips and the modes of its metrics."""
        spec = self.spec
        return {
            "suite": f"{spec.suite}@{spec.suite_version}",
            "track": spec.track,
            "items": samples_fingerprint(self.samples),
            "seeds": sorted(spec.seeds),
            "samples_per_item": len(spec.seeds),
            "frame_rate": self._frame_rate,
            "length": "native",
            "resize": "native",
            "prompt_rewriting": "none",
            "reward_mode": "+".join(sorted(modes)) or None,
            "encoder": "+".join(sorted(encoders)),
            "decode": spec.decode,
            **dict(self.info.protocol if self.info else ()),
        }


def job_of(spec: RunSpec) -> Job:
    """Load the items of a specification and find its clips or its model.

    Raises:
        ConfigError: Suite, model or settings are not what they should be.
        DataError: Clips and items do not fit together.
    """
    settings = _settings(spec)
    _check_names(spec)
    suite = _suite_of(spec)
    if suite is None or suite.dataset is None:
        return custom_jobs(spec)[spec.system]
    samples = load_samples(suite, limit=spec.limit, labels=spec.labels, posed=False)
    population = None
    if spec.subset is not None:
        population = dict(sorted(Counter(strata_of(suite, samples).values()).items()))
        samples = draw_subset(suite, samples, spec.subset, spec.subset_seed)
    samples = pose_samples(suite, samples)
    if spec.videos:
        if len(spec.videos) != 1:
            raise ConfigError(
                f"`--videos` got {len(spec.videos)} folders for suite {suite.name!r}; expected 1. "
                "Only `evaluate custom` takes several."
            )
        everything = load_samples(suite, posed=False) if spec.limit or spec.labels or spec.subset else samples
        match = match_videos(
            samples,
            spec.seeds,
            Path(spec.videos[0]),
            match=spec.match,
            fps=spec.fps,
            allow_missing=spec.allow_missing,
            known=everything,
            known_seeds=suite.seeds,
        )
        return Job(
            spec=spec,
            suite=suite,
            samples=tuple(samples),
            clips=match.clips,
            missing=match.missing,
            generator=None,
            info=system_info(spec.model),
            settings=settings,
            population=population,
        )
    model = registry("models").create(spec.model_spec)
    if isinstance(model, RecordedGenerator):
        located = {(sample.id, seed): model.locate(sample, seed=seed) for sample in samples for seed in spec.seeds}
        missing = tuple(key for key, clip in located.items() if clip is None)
        if len(missing) == len(located):
            raise DataError(
                f"Model `{spec.model_spec}` has no clip for any of the {len(samples)} items of suite {suite.name!r}; "
                f"{where_clips_are(model.info, spec.suite_source or suite.name)}"
            )
        if missing and not spec.allow_missing:
            raise DataError(
                f"Model `{spec.model_spec}` has no clip for {len(missing)} of {len(located)} items, the first "
                f"is {missing[0][0]!r}; pass --allow-missing to go on without them."
            )
        clips = {key: clip for key, clip in located.items() if clip is not None}
        return Job(
            spec=spec,
            suite=suite,
            samples=tuple(samples),
            clips=clips,
            missing=missing,
            generator=None,
            info=model.info,
            settings=settings,
            population=population,
        )
    return Job(
        spec=spec,
        suite=suite,
        samples=tuple(samples),
        clips={},
        missing=_refused(spec, suite, model, samples, settings),
        generator=model,
        info=model.info,
        settings=settings,
        population=population,
    )


def system_info(model: str) -> GeneratorInfo | None:
    """Return what is known of a system whose clips are given, by its name in tables; None where nothing is.

    Args:
        model: A name; systems are registered among the models, as ``recorded/NAME``.
    """
    if not model.startswith(_SYSTEMS) or model not in registry("models").names():
        return None
    info: GeneratorInfo = registry("models").create(Spec(model)).info
    return info


def where_clips_are(info: GeneratorInfo, suite: str) -> str:
    """Say how clips that are no model's to make are had, and how they are scored.

    Args:
        info: Of a recorded model.
        suite: As it is named on the command line.
    """
    command = f"anisora evaluate {suite} --videos DIR"
    if info.system is None:
        return f"clips that exist are scored with: {command}"
    return f"to have its clips, {info.system.obtain}; then: {command} --model {info.name}"


def _suite_of(spec: RunSpec) -> Suite | None:
    """Load the suite of a specification; None for ``custom``.

    Raises:
        DataError: It has another version by now.
    """
    if spec.suite == CUSTOM:
        return None
    suite = load_suite(spec.suite_source or spec.suite)
    if suite.version != spec.suite_version:
        raise DataError(
            f"Suite `{suite.name}` is at version {suite.version}, the run was made with version "
            f"{spec.suite_version}; install the release that has it, or start a new run."
        )
    return suite


def _refused(
    spec: RunSpec, suite: Suite, model: Generator, samples: Sequence[Sample], settings: GenerationSettings
) -> tuple[Key, ...]:
    """Return what the model cannot make, asked before anything is written.

    Raises:
        DataError: It can make nothing, or not everything and nobody said to go on without.
    """
    if not isinstance(model, SelectiveGenerator):
        return ()
    asked = {sample.id: model.refuses(sample, settings=settings) for sample in samples}
    reasons = {item: reason for item, reason in asked.items() if reason is not None}
    if not reasons:
        return ()
    first, reason = next(iter(reasons.items()))
    if len(reasons) == len(samples):
        raise DataError(
            f"Model `{spec.model_spec}` can make no clip for any of the {len(samples)} items of suite "
            f"{suite.name!r}: the first, {first!r}, {reason}."
        )
    if not spec.allow_missing:
        raise DataError(
            f"Model `{spec.model_spec}` can make no clip for {len(reasons)} of {len(samples)} items: the first, "
            f"{first!r}, {reason}; or pass --allow-missing to go on without them."
        )
    return tuple((item, seed) for item in reasons for seed in spec.seeds)


def custom_jobs(spec: RunSpec) -> list[Job]:
    """Return one job per folder of clips; what a manifest says of an item holds for all of them.

    Args:
        spec: What the runs have in common, of ``custom`` or of a suite without items of its own; an empty ``model``
            stands for the names of the folders.

    Raises:
        DataError: Clips are not in every folder, or manifests disagree about an item.
    """
    suite = _suite_of(spec)
    samples, systems = custom_items(
        [Path(source) for source in spec.videos], fps=spec.fps, allow_missing=spec.allow_missing
    )
    jobs = []
    for place, (name, match) in enumerate(systems):
        seeds = sorted({seed for _, seed in match.clips}) or [0]
        own = spec.model_copy(update={"system": place, "model": spec.model or name, "seeds": seeds})
        _check_names(own)
        jobs.append(
            Job(
                spec=own,
                suite=suite,
                samples=tuple(samples),
                clips=match.clips,
                missing=match.missing,
                generator=None,
                info=system_info(own.model),
                settings=GenerationSettings(),
            )
        )
    return jobs


def _check_names(spec: RunSpec) -> None:
    """Refuse names that no table and no record could hold."""
    if not spec.model.isprintable() or not spec.model.strip():
        raise ConfigError(
            f"`--model` got {spec.model!r}; expected printable text for the name in tables; give another."
        )
    for source in spec.videos:
        if not source.isprintable():
            raise ConfigError(f"`--videos` got {source!r}; expected a path of printable characters; rename it.")


def _settings(spec: RunSpec) -> GenerationSettings:
    known = set(GenerationSettings.__slots__)
    for name in spec.settings:
        if name not in known:
            raise ConfigError(f"Generation setting {name!r} is not known; expected one of {', '.join(sorted(known))}.")
    return GenerationSettings(**spec.settings)  # type: ignore[arg-type]
