"""Says what changed in a run since it was made: clips, weights, rows, aggregates."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anisora.harness.errors import AnisoraError, RecordError
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.inputs.runs import find_run
from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.runfolder import RunFolder, sha256_of_file
from anisora.harness.stages.aggregate import aggregate
from anisora.harness.weights import digests_of

__all__ = ["Change", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as the record says."""

    what: str
    """``clip``, ``file``, ``weight``, ``row``, ``metric``."""
    name: str
    detail: str


def verify(folder: str | Path) -> list[Change]:
    """Re-hash clips, weights and files of a run, and recompute its aggregates from its rows.

    Returns:
        What changed; empty if everything holds.

    Raises:
        DataError: The folder holds no run.
        RecordError: The run is not finished, or its record is damaged.
    """
    run = find_run(Path(folder))
    record = run.read_record()
    changes = list(_files(run, record))
    damaged = {change.name for change in changes}
    if run.clips_path.name not in damaged:
        changes += _clips(run)
    changes += _weights(record)
    if run.scores_path.name not in damaged:
        changes += _aggregates(run, record)
    return changes


def _files(run: RunFolder, record: RunRecord) -> Iterator[Change]:
    for name, expected in sorted(record.files.items()):
        path = run.path / name
        if not path.is_file():
            yield Change(what="file", name=name, detail="is gone")
        elif (found := sha256_of_file(path)) != expected:
            yield Change(what="file", name=name, detail=f"has sha256 {found[:12]}, the record says {expected[:12]}")


def _clips(run: RunFolder) -> Iterator[Change]:
    try:
        rows = run.read_clips()
    except (RecordError, ValueError, TypeError) as error:
        yield Change(what="row", name=run.clips_path.name, detail=f"cannot be read: {error}")
        return
    for row in rows:
        path = run.path / row.path
        try:
            found = clip_at(path, None).digest
        except (AnisoraError, OSError):
            yield Change(what="clip", name=row.item_id, detail=f"`{row.path}` is gone or cannot be read")
            continue
        if found != row.sha256:
            yield Change(
                what="clip",
                name=row.item_id,
                detail=f"`{row.path}` has sha256 {found[:12]}, the run scored {row.sha256[:12]}",
            )


def _weights(record: RunRecord) -> Iterator[Change]:
    for name, expected in sorted(record.weights.items()):
        try:
            found = digests_of([name])[name]
        except AnisoraError as error:
            yield Change(what="weight", name=name, detail=str(error))
            continue
        if found != expected:
            yield Change(what="weight", name=name, detail=f"has {found[:24]}, the run used {expected[:24]}")


def _aggregates(run: RunFolder, record: RunRecord) -> Iterator[Change]:
    metrics = registry("metrics")
    infos = {}
    for result in record.results:
        if result.metric not in metrics:
            yield Change(what="metric", name=result.metric, detail="is not registered any more")
            continue
        infos[result.metric] = metrics.create(result.metric).info
        if infos[result.metric].obstacle:  # its own files are gone, or changed
            yield Change(what="metric", name=result.metric, detail=infos[result.metric].obstacle)
    try:
        recomputed = {result.metric: result for result in aggregate(run.read_scores(), infos, record.population)}
    except (RecordError, ValueError, KeyError, TypeError) as error:
        yield Change(what="row", name=run.scores_path.name, detail=f"cannot be read: {error}")
        return
    for result in record.results:
        again = recomputed.get(result.metric)
        if again is not None and again != result:
            name = next(field for field in type(result).model_fields if getattr(again, field) != getattr(result, field))
            yield Change(
                what="metric",
                name=result.metric,
                detail=f"`{name}` is {getattr(result, name)!r} in the record, "
                f"{getattr(again, name)!r} by its rows and the installed code",
            )
