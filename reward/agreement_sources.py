"""Where the scores that are compared with people come from: runs, tables of scores, and published tables."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import shortened
from anisora.harness.inputs.tabular import Record, read_records
from anisora.harness.protocols import Direction
from anisora.harness.registry import registry
from anisora.reward.agreement import Agreement, ScoredClip, system_agreement
from anisora.reward.ratings import ClipKey, Judgements

if TYPE_CHECKING:
    from anisora.harness.record import RunRecord
    from anisora.harness.runfolder import ScoreRow

__all__ = ["Scores", "matched", "published_agreement", "scores_of_file", "scores_of_runs"]

Scores = dict[str, dict[ClipKey, ScoredClip]]
"""{metric: {clip: score}}"""

_PEOPLE: Final = "human_evaluation"
"""Column of a published table that holds what people say."""
_NO_METRICS: Final = frozenset({"sample_id", "model", "cluster", "seed", "label"})
_UNSCORED: Final = frozenset({"", "-", "nan", "none"})


def scores_of_runs(
    runs: Sequence[str], database: Path, metrics: Sequence[str] | None
) -> tuple[Scores, dict[str, Direction]]:
    """Return the scores of runs, each a folder or the id of a run in the leaderboard, and the metrics' directions.

    Raises:
        DataError: A run or the leaderboard is not there, two runs are of one system, or none has a metric.
        UnknownNameError: The leaderboard has no such run.
    """
    from anisora.harness.inputs.runs import find_run

    values: dict[str, dict[ClipKey, list[ScoreRow]]] = {}
    directions: dict[str, Direction] = {}
    models: dict[str, str] = {}
    for run in runs:
        record: RunRecord
        rows: list[ScoreRow]
        if Path(run).is_dir():
            folder = find_run(Path(run))
            record, rows = folder.read_record(), folder.read_scores()
        else:
            record, rows = registry("presenters").get("stored_run")(database, run)
        model = record.spec.model
        if model in models:
            raise DataError(f"`--run` got {models[model]} and {run}, both of {model!r}; expected one run a system.")
        models[model] = run
        directions |= {result.metric: result.direction for result in record.results}
        for row in rows:
            values.setdefault(row.metric, {}).setdefault(ClipKey(row.item_id, model), []).append(row)
    scores = {metric: {clip: _mean_of(rows) for clip, rows in clips.items()} for metric, clips in values.items()}
    return _chosen(scores, metrics, ", ".join(runs)), directions


def _mean_of(rows: "Sequence[ScoreRow]") -> ScoredClip:
    found = [row.value for row in rows if row.value is not None]
    return ScoredClip(value=math.fsum(found) / len(found) if found else None, cluster=rows[0].cluster)


def scores_of_file(path: Path, metrics: Sequence[str] | None) -> Scores:
    """Read ``sample_id``, and if wanted ``model``, ``cluster`` (or ``label``) and ``seed``; other columns are metrics.

    An empty cell, ``-`` or ``nan`` is a clip without a score. Rows that differ in ``seed`` alone are averaged.

    Raises:
        DataError: Anything that is wrong with the file, with the line and the column.
    """
    records = read_records(path, key="sample_id", example="sample_id,model,my_metric", what="scores")
    names = dict.fromkeys(name for record in records for name in record.values if name not in _NO_METRICS)
    wanted = [name for name in names if metrics is None or name in metrics]
    values: dict[str, dict[ClipKey, list[float]]] = {name: {} for name in wanted}
    clusters: dict[ClipKey, str] = {}
    seen: dict[tuple[ClipKey, str], Record] = {}
    for record in records:
        cells = record.values
        if cells.get("sample_id") is None:
            raise DataError(f"{record.where}: column `sample_id` is empty; expected the id of an item; fill it in.")
        clip = ClipKey(str(cells["sample_id"]), _text(cells.get("model")))
        earlier = seen.setdefault((clip, _text(cells.get("seed"))), record)
        if earlier is not record:
            raise DataError(
                f"{record.where}: clip {shortened(str(clip))} is on line {earlier.line} already; expected each once; "
                "remove one, or tell them apart in a column `model` or `seed`."
            )
        clusters.setdefault(clip, _text(cells.get("cluster")) or _text(cells.get("label")) or clip.sample_id)
        for name in wanted:
            value = _number(record, name)
            values[name].setdefault(clip, []).extend([] if value is None else [value])
    scores = {
        name: {
            clip: ScoredClip(value=math.fsum(found) / len(found) if found else None, cluster=clusters[clip])
            for clip, found in clips.items()
        }
        for name, clips in values.items()
    }
    return _chosen(scores, metrics, str(path))


def _text(value: Any) -> str:  # noqa: ANN401 - a cell
    return "" if value is None else str(value)


def _number(record: Record, name: str) -> float | None:
    given = record.values.get(name)
    if given is None or str(given).strip().lower() in _UNSCORED:
        return None
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{record.where}: column `{name}` got {shortened(given)}; expected a finite number, or nothing where the "
            "clip has no score; correct it, or choose other columns with --metrics."
        )
    return value


def _chosen(scores: Scores, metrics: Sequence[str] | None, source: str) -> Scores:
    for name in metrics or ():
        if name not in scores:
            raise DataError(f"`--metrics` got {name!r}, which {source} does not have; it has {', '.join(scores)}.")
    if not scores:
        raise DataError(f"{source} has no metric; expected at least one column or metric of scores.")
    return {name: clips for name, clips in scores.items() if metrics is None or name in metrics}


def matched(judgements: Sequence[Judgements], scores: Scores) -> Scores:
    """Return the scores under the clips that people judged: a file without systems is of the one that was scored.

    Raises:
        DataError: No judged clip has a score, or the file does not say which of several systems it is about.
    """
    judged = {clip for each in judgements for clip in each.clips}
    models = sorted({clip.model for clips in scores.values() for clip in clips})
    if not any(clip.model for clip in judged) and models != [""]:
        if len(models) > 1:
            raise DataError(
                f"The scores are of {len(models)} systems ({', '.join(models[:3])}) and the ratings have no column "
                "`model`; expected it; add it, or give the scores of one system."
            )
        scores = {
            metric: {ClipKey(clip.sample_id): found for clip, found in clips.items()}
            for metric, clips in scores.items()
        }
    if not any(clip in clips for clips in scores.values() for clip in judged):
        known = next((str(clip) for clips in scores.values() for clip in clips), "nothing")
        raise DataError(
            f"None of the {len(judged)} judged clips has a score: {shortened(str(min(judged)))} was judged, and "
            f"{shortened(known)} was scored; expected the same ids and systems; correct one of the files."
        )
    return scores


def published_agreement(suite: str) -> list[Agreement]:
    """Compare every column of a published table with its human score, over the systems that have one.

    After the columns come their mean, which a reader would take, and the mean without each column that is against
    people: what such a column does to a mean is seen, never hidden in it.

    Raises:
        UnknownNameError: There is no such table.
        DataError: It has no human score.
    """
    table = registry("presenters").get("published_table")(suite)
    if _PEOPLE not in table.metrics:
        raise DataError(f"The published table `{suite}` has no column `{_PEOPLE}`; choose another one: anisora-7.")
    at_people = table.metrics.index(_PEOPLE)
    people = {row.model: row.value(at_people) for row in table.generated if row.value(at_people) is not None}
    columns = {
        column.metric: (
            column.direction,
            {model: merit for model in people if (merit := table.merit(table.row(model), at)) is not None},
        )
        for at, column in enumerate(table.columns)
        if at != at_people
    }

    def compare(name: str, merits: Mapping[str, float], direction: Direction) -> Agreement:
        return system_agreement(
            people,
            merits,
            dimension=_PEOPLE,
            metric=name,
            direction=direction,
            unscored=len(people) - len(merits),
        )

    found = [compare(name, merits, direction) for name, (direction, merits) in columns.items()]
    against = [each.metric for each in found if each.pearson is not None and (each.pearson.value or 0) < 0]
    found.append(compare(f"mean of {len(columns)} columns", _mean_over(columns, leave_out=()), "higher"))
    found += [compare(f"mean without {name}", _mean_over(columns, leave_out=(name,)), "higher") for name in against]
    return found


def _mean_over(
    columns: Mapping[str, tuple[Direction, Mapping[str, float]]], *, leave_out: Sequence[str]
) -> dict[str, float]:
    kept = [merits for name, (_, merits) in columns.items() if name not in leave_out]
    shared = set.intersection(*(set(merits) for merits in kept))
    return {model: math.fsum(merits[model] for merits in kept) / len(kept) for model in shared}
