"""The runs a user asks for: evaluate clips, run a model, rescore, rerun. Each becomes a specification, that a job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.runs import find_run, read_spec
from anisora.harness.inputs.videos import system_names
from anisora.harness.media.decoder import encoder_suffix
from anisora.harness.record import Json, RunRecord, RunSpec
from anisora.harness.registry import Spec
from anisora.harness.runfolder import RunFolder
from anisora.harness.stages.job import CUSTOM, Job, custom_jobs, job_of, system_info, where_clips_are
from anisora.harness.stages.plan import metric_names
from anisora.harness.stages.session import RunOptions, execute
from anisora.harness.suite import Suite, load_suite
from anisora.harness.tracks import split_track

__all__ = [
    "CUSTOM",
    "RunOptions",
    "custom_jobs_of",
    "evaluate",
    "evaluate_spec",
    "rerun",
    "rerun_folder",
    "rescore",
    "run",
    "run_spec",
    "takes_any_clips",
]


def evaluate(
    suite: str,
    *,
    videos: str | Path | Sequence[str | Path],
    model: str | None = None,
    metrics: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    labels: Sequence[str] | None = None,
    subset: int | None = None,
    subset_seed: int = 0,
    match: Literal["name", "order"] = "name",
    allow_missing: bool = False,
    fps: float | None = None,
    decode: Literal["reference", "tagged"] = "reference",
    decoder: Literal["av", "decord"] = "av",
    options: RunOptions | None = None,
) -> RunRecord:
    """Score videos that exist; write a run folder and add it to the leaderboard.

    Args:
        suite: Name of a suite, path of a suite file, or ``custom`` for clips of one's own. The clips are the items of a
            suite without items of its own, too.
        videos: A folder or a manifest.
        model: Name of the system in tables; the folder's name by default.
        metrics: Names of metrics or groups; the suite's columns by default, the group ``core`` for ``custom``.
        seeds: Samples per item; the suite's by default.
        limit: Only the first items.
        labels: Only items with these labels.
        subset: Draw this many items by label; the results estimate the means over the whole suite.
        subset_seed: Of the draw.
        match: ``order`` takes numbered files in the order of the suite.
        allow_missing: Go on where items have no video, and count them.
        fps: Frame rate of clips that carry none.
        decode: How colours are read: ``reference`` as decord does, ``tagged`` by the stream's own tags.
        decoder: ``av`` or ``decord``.
        options: How to work.

    Raises:
        AnisoraError: Wrong input, told before anything is written.

    Example:
        >>> record = evaluate("custom", videos="outputs/v2")  # doctest: +SKIP
    """
    sources = [videos] if isinstance(videos, str | Path) else list(videos)
    if len(sources) != 1:
        raise ConfigError(f"`videos` got {len(sources)} folders; expected 1. `evaluate_custom` compares several.")
    if takes_any_clips(suite):
        for given, value in (("limit", limit), ("labels", labels), ("seeds", seeds), ("subset", subset)):
            if value is not None:
                raise ConfigError(f"`{given}` got {value!r}, but `{suite}` scores every clip; leave it out.")
        (job,) = custom_jobs_of(
            [Path(sources[0])],
            suite=suite,
            model=model,
            metrics=metrics,
            fps=fps,
            allow_missing=allow_missing,
            decode=decode,
            decoder=decoder,
        )
        return execute(job, options or RunOptions())
    made = evaluate_spec(
        suite,
        videos=sources[0],
        model=model,
        metrics=metrics,
        seeds=seeds,
        limit=limit,
        labels=labels,
        subset=subset,
        subset_seed=subset_seed,
        match=match,
        allow_missing=allow_missing,
        fps=fps,
        decode=decode,
        decoder=decoder,
    )
    return execute(job_of(made), options or RunOptions())


def evaluate_spec(
    suite: str,
    *,
    videos: str | Path,
    model: str | None = None,
    metrics: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    labels: Sequence[str] | None = None,
    subset: int | None = None,
    subset_seed: int = 0,
    match: Literal["name", "order"] = "name",
    allow_missing: bool = False,
    fps: float | None = None,
    decode: Literal["reference", "tagged"] = "reference",
    decoder: Literal["av", "decord"] = "av",
) -> RunSpec:
    """Return the specification of ``evaluate`` for a suite; nothing is opened but the suite file."""
    source = Path(videos).absolute()
    name = model or system_names([source])[0]
    spec = _suite_spec(load_suite(suite), suite, name, "recorded", metrics, seeds, limit, labels, (subset, subset_seed))
    return spec.model_copy(
        update={
            "videos": [str(source)],
            "match": match,
            "allow_missing": allow_missing,
            "fps": fps,
            "decode": decode,
            "decoder": decoder,
        }
    )


def takes_any_clips(suite: str) -> bool:
    """Return whether the clips that are given are the items: for ``custom``, and for a suite that has none of its own.

    Raises:
        UnknownNameError: No suite has this name.
    """
    return suite == CUSTOM or load_suite(suite).dataset is None


def custom_jobs_of(
    sources: Sequence[Path],
    *,
    suite: str = CUSTOM,
    model: str | None = None,
    metrics: Sequence[str] | None = None,
    fps: float | None = None,
    allow_missing: bool = False,
    decode: Literal["reference", "tagged"] = "reference",
    decoder: Literal["av", "decord"] = "av",
) -> list[Job]:
    """Return one job per folder of clips, after checking that the folders hold the same items.

    Raises:
        DataError: Clips are not in every folder, or manifests disagree about an item.
    """
    if model is not None and len(sources) > 1:
        raise ConfigError(f"`--model` got {model!r} for {len(sources)} folders; systems are named by their folders.")
    if suite == CUSTOM:
        spec = RunSpec(
            suite=CUSTOM,
            suite_version=1,
            model=model or "",
            model_spec="recorded",
            seeds=[0],
            metrics=metric_names(metrics or ["core"]),
        )
    else:
        spec = _suite_spec(load_suite(suite), suite, model or "", "recorded", metrics, None, None, None, (None, 0))
    given = {
        "videos": [str(Path(source).absolute()) for source in sources],
        "allow_missing": allow_missing,
        "fps": fps,
        "decode": decode,
        "decoder": decoder,
        "device": "cpu",
    }
    return custom_jobs(spec.model_copy(update=given))


def run(
    suite: str,
    model: str,
    *,
    metrics: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    labels: Sequence[str] | None = None,
    subset: int | None = None,
    subset_seed: int = 0,
    settings: Mapping[str, Json] | None = None,
    encoder: str | None = None,
    decode: Literal["reference", "tagged"] = "reference",
    decoder: Literal["av", "decord"] = "av",
    device: str = "auto",
    allow_missing: bool = False,
    options: RunOptions | None = None,
) -> RunRecord:
    """Generate with a model adapter, then evaluate.

    Args:
        suite: Name of a suite or path of a suite file.
        model: ``name:key=value,word`` of a model adapter.
        metrics: As in ``evaluate``.
        seeds: As in ``evaluate``.
        limit: As in ``evaluate``.
        labels: As in ``evaluate``.
        subset: As in ``evaluate``.
        subset_seed: As in ``evaluate``.
        settings: Fields of GenerationSettings that differ from the suite's and the adapter's.
        encoder: How clips are kept; None: as the suite says.
        decode: As in ``evaluate``.
        decoder: As in ``evaluate``.
        device: Where the model runs.
        allow_missing: Go on where the model has no clip for an item, or can make none, and count them.
        options: How to work.

    Raises:
        AnisoraError: Wrong input, told before anything is written.

    Example:
        >>> record = run("demo", "damage/freeze:severity=0.5")  # doctest: +SKIP
    """
    spec = run_spec(
        suite,
        model=model,
        metrics=metrics,
        seeds=seeds,
        limit=limit,
        labels=labels,
        subset=subset,
        subset_seed=subset_seed,
        settings=settings,
        encoder=encoder,
        decode=decode,
        decoder=decoder,
        device=device,
        allow_missing=allow_missing,
    )
    return execute(job_of(spec), options or RunOptions())


def run_spec(
    suite: str,
    *,
    model: str,
    metrics: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    limit: int | None = None,
    labels: Sequence[str] | None = None,
    subset: int | None = None,
    subset_seed: int = 0,
    settings: Mapping[str, Json] | None = None,
    encoder: str | None = None,
    decode: Literal["reference", "tagged"] = "reference",
    decoder: Literal["av", "decord"] = "av",
    device: str = "auto",
    allow_missing: bool = False,
) -> RunSpec:
    """Return the specification of ``run``."""
    if takes_any_clips(suite):
        info = system_info(model)
        if info is not None:
            raise DataError(f"Model `{model}` makes no clips here; {where_clips_are(info, suite)}")
        raise ConfigError(
            f"`{suite}` has no items to generate for; use a suite that has, or a suite file made by "
            '"anisora suite import".'
        )
    loaded = load_suite(suite)
    model_spec = str(Spec.parse(model))
    chosen = encoder or loaded.encoder
    encoder_suffix(chosen)  # an encoder that is not known is told now
    return _suite_spec(
        loaded, suite, model_spec, model_spec, metrics, seeds, limit, labels, (subset, subset_seed)
    ).model_copy(
        update={
            "settings": {**loaded.generation, **(settings or {})},
            "encoder": chosen,
            "decode": decode,
            "decoder": decoder,
            "device": device,
            "allow_missing": allow_missing,
        }
    )


def rescore(
    folder: str | Path, metrics: Sequence[str] | None = None, *, options: RunOptions | None = None
) -> RunRecord:
    """Score what is missing in a run, or add metrics to it, without generating.

    Raises:
        DataError: The folder holds no run.
        RecordError: The clips are not the ones that were scored.
    """
    target = find_run(Path(folder))
    spec = read_spec(target)
    wanted = sorted({*spec.metrics, *metric_names(metrics or [])})
    job = job_of(spec.model_copy(update={"metrics": wanted}))
    return execute(job, options or RunOptions(), folder=target)


def rerun(folder: str | Path, *, options: RunOptions | None = None) -> RunRecord:
    """Do a run again from its record alone, in a new folder ``<run_id>.rerun`` beside it.

    Raises:
        DataError: The folder holds no run.
        RecordError: The run is not finished, or its record is damaged.
    """
    path = Path(folder)
    record = find_run(path).read_record()
    chosen = replace(options or RunOptions(), db=None, mlflow=None, cache=None, fresh=True)
    return execute(job_of(record.spec), chosen, folder=RunFolder(rerun_folder(path)))


def rerun_folder(folder: Path) -> Path:
    """Return where ``rerun`` writes: beside the run, so that it never touches the original."""
    return folder.with_name(f"{folder.name}.rerun")


def _absolute(source: str) -> str:
    """Return where a suite is read from again, whatever the working directory, with its track."""
    path, track = split_track(source)
    if not path.endswith((".yaml", ".yml")):
        return source
    return str(Path(path).absolute()) + (f"@{track}" if track else "")


def _suite_spec(
    suite: Suite,
    source: str,
    name: str,
    model_spec: str,
    metrics: Sequence[str] | None,
    seeds: Sequence[int] | None,
    limit: int | None,
    labels: Sequence[str] | None,
    subset: tuple[int | None, int],
) -> RunSpec:
    wanted = metric_names(metrics) if metrics else sorted({column.metric for column in suite.columns})
    if seeds is not None and (not seeds or len(set(seeds)) != len(seeds)):
        raise ConfigError(f"`--seeds` got {list(seeds)!r}; expected distinct whole numbers.")
    if subset[0] is not None and (limit is not None or labels):
        other = "--labels" if limit is None else "--limit"
        raise ConfigError(
            f"`--subset` got {subset[0]!r} beside `{other}`; a draw stands for the whole suite; "
            "leave one of the two out."
        )
    return RunSpec(
        suite=suite.name,
        suite_version=suite.version,
        track=suite.track,
        model=name,
        model_spec=model_spec,
        suite_source=_absolute(source),
        seeds=sorted(seeds or suite.seeds),
        metrics=wanted,
        limit=limit,
        labels=sorted(labels) if labels else None,
        subset=subset[0],
        subset_seed=subset[1],
    )
