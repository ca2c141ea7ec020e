"""One sitting of a run: a job in, a run folder and a record out.

Anything that stops half-way (a kill, a full disk, Ctrl-C) is taken up where it was by the same command.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from anisora.harness.cache import FeatureCache
from anisora.harness.device import describe
from anisora.harness.errors import RecordError
from anisora.harness.features import FeatureStore
from anisora.harness.loggers import made_loggers
from anisora.harness.media.decoder import DecodeLimits, DecodeOptions, DecoderPool
from anisora.harness.progress import announce, progress
from anisora.harness.protocols import PreparingGenerator, RunLogger
from anisora.harness.record import Counters, Protocol, RunRecord
from anisora.harness.revision import git_revision
from anisora.harness.runfolder import ClipRow, RunFolder, ScoreRow, sha256_of_file
from anisora.harness.stages.aggregate import AGGREGATION, aggregate
from anisora.harness.stages.generate import clip_path, generate_clips
from anisora.harness.stages.job import Job, Key
from anisora.harness.stages.plan import Plan, plan_metrics
from anisora.harness.stages.score import Scored, score_clips
from anisora.harness.types import Clip, Generation, StreamInfo
from anisora.harness.weights import cache_folder

__all__ = ["RunOptions", "execute", "preview"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to work; none of it changes a number."""

    out: Path = Path("runs")
    db: Path | None = Path("leaderboard.duckdb")
    """The leaderboard that finished runs are added to; None for no leaderboard."""
    mlflow: str | None = "default"
    """The MLflow tracking URI that finished runs are logged to; None for nowhere. ``default`` is MLFLOW_TRACKING_URI,
    or else ``mlflow.db`` beside the leaderboard, if there is one."""
    cache: Path | Literal["default"] | None = "default"
    """Folder of features kept between runs; None keeps none."""
    workers: int = 1
    fresh: bool = False
    """Delete what an earlier session of the same run left, and begin again."""
    commercial_ok: bool = False
    show_progress: bool = False
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    generate_only: bool = False
    """Stop when the clips exist."""
    decoders: DecoderPool | None = None
    """Processes for runs that follow one another, which go on after the run; where None, or where the run decodes in
    another way, it has its own."""


def preview(job: Job, options: RunOptions) -> str:
    """Say what ``execute`` would do, in one line; nothing is written.

    Raises:
        AnisoraError: What ``execute`` would refuse.
    """
    plan = plan_metrics(job.spec.metrics, job.samples, leave_out=job.is_custom, commercial_only=options.commercial_ok)
    folder = RunFolder(options.out / job.run_id)
    state = "finished" if folder.record_path.is_file() else "begun" if folder.path.is_dir() else "new"
    to_generate = len(job.to_generate) * len(job.spec.seeds)
    clips = f"{len(job.clips)} clips" if job.generator is None else f"{to_generate} clips to generate"
    left_out = f"; left out: {', '.join(plan.excluded)}" if plan.excluded else ""
    needs = f"\n{told}" if (told := _prepared(job, folder)) else ""
    return (
        f"{job.spec.model} on {job.spec.suite}: {len(job.samples)} items, {clips}, {len(job.missing)} missing; "
        f"metrics {', '.join(plan.metrics)}{left_out}; run {folder.path} ({state}){needs}"
    )


def _prepared(job: Job, folder: RunFolder) -> str:
    """Let a model check its weights and the memory, if there is a clip to make, and return what it says of them.

    Raises:
        WeightsMissing: Files are absent.
        ConfigError: It cannot fit.
    """
    if not isinstance(job.generator, PreparingGenerator):
        return ""
    paths = (clip_path(folder, sample, seed, job.spec.encoder) for sample in job.to_generate for seed in job.spec.seeds)
    return "" if all(path.is_file() for path in paths) else job.generator.prepare(settings=job.settings)


def _weights(job: Job) -> Mapping[str, str]:
    """Return the digests of what the model's networks are read from, where a clip was made."""
    return job.generator.weights() if isinstance(job.generator, PreparingGenerator) else {}


def execute(job: Job, options: RunOptions, *, folder: RunFolder | None = None) -> RunRecord:
    """Do a run, or what is left of it.

    Raises:
        AnisoraError: Wrong input, told before anything is written; or trouble with the run folder.
        OSError: The disk is full or read-only; the same command goes on later.
    """
    target = folder or RunFolder(options.out / job.run_id)
    earlier = _earlier_record(target) if not options.fresh else None
    if earlier is not None:  # metrics of earlier sessions stay in the run
        merged = sorted({*job.spec.metrics, *(result.metric for result in earlier.results)})
        job = _replace_metrics(job, merged)
    plan = plan_metrics(job.spec.metrics, job.samples, leave_out=job.is_custom, commercial_only=options.commercial_ok)
    if told := _prepared(job, target):
        _log.info("%s", told)
        if options.show_progress:
            announce(told)
    decode = DecodeOptions(colour=job.spec.decode, backend=job.spec.decoder, limits=options.limits)
    loggers: list[RunLogger] = (
        [] if options.generate_only else made_loggers("loggers", db=options.db, mlflow=options.mlflow)
    )
    # Two decoders per worker: a clip and its ground truth are read in step. None is started yet, but a library that is
    # not installed is told before anything is written.
    shared = options.decoders if options.decoders is not None and options.decoders.options == decode else None
    decoders = nullcontext(shared) if shared else DecoderPool(processes=2 * options.workers, options=decode)
    with target.lock(), _log_file(target):
        if options.fresh:
            _clear(target)
        target.write_spec(job.spec)
        with decoders as pool:
            session = _Session(job=job, plan=plan, folder=target, pool=pool, options=options, earlier=earlier)
            record = session.run()
    with _log_file(target):
        for logger in loggers:
            logger.on_end(record, target.path)
    return record


def _replace_metrics(job: Job, metrics: list[str]) -> Job:
    return replace(job, spec=job.spec.model_copy(update={"metrics": metrics}))


def _earlier_record(folder: RunFolder) -> RunRecord | None:
    if not folder.record_path.is_file():
        return None
    try:
        return folder.read_record()
    except RecordError as error:
        _log.warning("%s Its rows are scored again.", error)
        return None


def _clear(folder: RunFolder) -> None:
    for path in (
        folder.spec_path,
        folder.clips_path,
        folder.scores_path,
        folder.errors_path,
        folder.record_path,
        folder.journal_path,
    ):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder.media, ignore_errors=True)


@contextmanager
def _log_file(folder: RunFolder) -> Iterator[None]:
    handler = logging.FileHandler(folder.log_path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("anisora")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


@dataclass(slots=True)
class _Session:
    """One sitting of a run: generate what is missing, score what is missing, write it down."""

    job: Job
    plan: Plan
    folder: RunFolder
    pool: DecoderPool
    options: RunOptions
    earlier: RunRecord | None
    timings: dict[str, float] = field(default_factory=dict)

    def run(self) -> RunRecord:
        """Go through the stages."""
        started, before = _now(), self.pool.decodes
        clips, errors = self._clips()
        kept_rows, streams = self._kept(clips)
        scored: list[Scored] = []
        store = self._store()
        if not self.options.generate_only:
            scored = self._score(store, clips, kept_rows, streams)
        counters = store.counters.model_copy(update={"decodes": self.pool.decodes - before})
        return self._write(started, clips, scored, errors, counters)

    def _store(self) -> FeatureStore:
        folder = cache_folder() / "features" if self.options.cache == "default" else self.options.cache
        return FeatureStore(
            pool=self.pool,
            requests=self.plan.requests,
            weights=self.plan.weights,
            cache=FeatureCache(folder) if folder else None,
        )

    def _clips(self) -> tuple[dict[Key, Clip], list[dict[str, str]]]:
        job = self.job
        if job.generator is None:
            return dict(job.clips), []
        with self._stage("generate"), self._bar("generate", len(job.to_generate) * len(job.spec.seeds)) as advance:
            return generate_clips(
                job.to_generate,
                job.spec.seeds,
                job.generator,
                self.folder,
                self.pool,
                settings=job.settings,
                encoder=job.spec.encoder,
                workers=self.options.workers,
                advance=advance,
            )

    def _kept(self, clips: Mapping[Key, Clip]) -> tuple[list[ScoreRow], dict[Key, StreamInfo]]:
        """Return rows and streams of earlier sessions that still stand: same clip, same protocol, no error."""
        if self.earlier is None or not (self.folder.scores_path.is_file() and self.folder.clips_path.is_file()):
            return [], {}
        rows = {(row.item_id, row.seed): row for row in self.folder.read_clips()}
        same = {key for key, row in rows.items() if key in clips and clips[key].digest == row.sha256}
        changed = sorted(key[0] for key in rows.keys() & clips.keys() - same)
        if changed:
            raise RecordError(
                f"Run `{self.folder.path}` was made with other clips: {changed[0]!r} and {len(changed) - 1} "
                'more changed. Run "anisora verify" to see which, or start again with --fresh.'
            )
        stands = {
            metric for metric, entry in self.plan.protocol.items() if self.earlier.protocol.metrics.get(metric) == entry
        }
        kept = [
            row
            for row in self.folder.read_scores()
            if row.metric in stands and row.status != "error" and (row.item_id, row.seed) in same
        ]
        return kept, {key: stream for key in same if (stream := _stream_of(rows[key])) is not None}

    def _score(
        self, store: FeatureStore, clips: Mapping[Key, Clip], kept: Sequence[ScoreRow], streams: dict[Key, StreamInfo]
    ) -> list[Scored]:
        job = self.job
        samples = {sample.id: sample for sample in job.samples}
        items = [
            Generation(sample=samples[item], clip=clip, model=job.spec.model, seed=seed)
            for (item, seed), clip in sorted(clips.items())
        ]
        with self._stage("score"), self._bar("score", len(items)) as advance:
            return score_clips(
                items,
                self.plan,
                store,
                self.folder,
                clusters=job.clusters,
                known=kept,
                streams=streams,
                workers=self.options.workers,
                advance=advance,
            )

    def _write(
        self,
        started: str,
        clips: Mapping[Key, Clip],
        scored: Sequence[Scored],
        errors: list[dict[str, str]],
        counters: Counters,
    ) -> RunRecord:
        job, folder = self.job, self.folder
        streams = {(found.rows[0].item_id, found.rows[0].seed): found.stream for found in scored if found.rows}
        clip_rows = [_clip_row(key, clip, streams.get(key), folder) for key, clip in clips.items()]
        rows = [row for found in scored for row in found.rows] + self._not_generated(errors)
        all_errors = errors + [error for found in scored for error in found.errors]
        all_errors.sort(key=lambda error: (error["item_id"], error["stage"], error["message"]))
        folder.write_clips(clip_rows)
        if not self.options.generate_only:
            folder.write_scores(rows)
        folder.write_errors(all_errors)
        encoders = {f"{row.codec}/{row.pixel_format}" for row in clip_rows if row.codec}
        untrained = next((digest for digest in self.plan.weights.values() if digest.startswith("untrained:")), None)
        if untrained is None and job.info is not None and job.info.untrained:
            untrained = f"untrained:{job.info.name}"
        infos = {name: metric.info for name, metric in self.plan.metrics.items()}
        modes = {info.mode for info in infos.values() if info.mode is not None}
        record = RunRecord(
            run_id=folder.path.name,
            status=_status(len(all_errors), rows),
            started=started,
            finished=_now(),
            spec=job.spec,
            results=[] if self.options.generate_only else aggregate(rows, infos, job.population),
            protocol=Protocol(
                fields={**job.protocol_fields(encoders, modes), "aggregation": AGGREGATION},
                metrics=dict(self.plan.protocol),
            ),
            made_by=job.info.told() if job.info else {},
            environment={
                **self._described(),
                "device": _device_of(job.spec.device),
                "metric_device": self.plan.device,
                "dtype": job.spec.dtype,
                "decoder": job.spec.decoder,
            },
            weights={**_weights(job), **self.plan.weights},
            untrained=untrained,
            reference=job.reference,
            items=len(job.samples),
            population=None if job.population is None else dict(job.population),
            missing=[f"{item}-{seed}" for item, seed in job.missing],
            excluded=dict(self.plan.excluded),
            errors=len(all_errors),
            counters=counters,
            timings=self.timings,
            files={
                path.name: sha256_of_file(path)
                for path in (folder.clips_path, folder.scores_path, folder.errors_path)
                if path.is_file()
            },
            git=git_revision(),
        )
        if self.options.generate_only:
            return record
        folder.write_record(record)
        folder.remove_journal()
        return record

    def _described(self) -> dict[str, Any]:
        """Return versions and devices, with what earlier sessions computed on the CPU in the place of an NPU."""
        described = describe()
        earlier = self.earlier.environment.get("npu_fallbacks") if self.earlier is not None else None
        if isinstance(earlier, list):
            described["npu_fallbacks"] = sorted({*described.get("npu_fallbacks", ()), *map(str, earlier)})
        return described

    def _not_generated(self, errors: Sequence[dict[str, str]]) -> list[ScoreRow]:
        """Items whose clip could not be made stay in every column, as errors."""
        return [
            ScoreRow(
                item_id=error["item_id"],
                seed=int(error["seed"]),
                cluster=self.job.clusters[error["item_id"]],
                metric=name,
                metric_version=metric.info.version,
                value=None,
                weight=1.0,
                status="error",
                note=f"not generated: {error['class']}",
                parts={},
            )
            for error in errors
            for name, metric in self.plan.metrics.items()
        ]

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.timings[name] = round(time.perf_counter() - begun, 3)

    def _bar(self, verb: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        return progress(f"{verb} {self.job.spec.model}", total, shown=self.options.show_progress)


def _clip_row(key: Key, clip: Clip, stream: StreamInfo | None, folder: RunFolder) -> ClipRow:
    path = clip.path.absolute()
    inside = path.is_relative_to(folder.path.absolute())
    return ClipRow(
        item_id=key[0],
        seed=key[1],
        path=str(path.relative_to(folder.path.absolute()) if inside else path),
        sha256=clip.digest,
        fps=stream.fps if stream else None,
        frames=stream.num_frames if stream else None,
        height=stream.height if stream else None,
        width=stream.width if stream else None,
        codec=stream.codec if stream else "",
        pixel_format=stream.pixel_format if stream else "",
    )


def _stream_of(row: ClipRow) -> StreamInfo | None:
    if row.fps is None or row.frames is None or row.height is None or row.width is None:
        return None
    return StreamInfo(
        fps=row.fps,
        num_frames=row.frames,
        height=row.height,
        width=row.width,
        codec=row.codec,
        pixel_format=row.pixel_format,
    )


def _status(errors: int, rows: Sequence[ScoreRow]) -> Literal["ok", "partial", "failed"]:
    if not errors:
        return "ok"
    return "partial" if any(row.status == "ok" for row in rows) else "failed"


def _device_of(asked: str) -> str:
    # By its name alone: a run may be scored again where there is no such device.
    return asked if asked in ("auto", "cpu") or ":" in asked else f"{asked}:0"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
