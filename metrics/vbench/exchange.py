"""VBench's files: results as its tools write and read them, from our rows and back.

The shapes are those of vbench/__init__.py and vbench/utils.py (``save_json``, ``build_full_info_json``): a result is
``{dimension: [aggregate, [{"video_path", "video_results", ...}]]}``, camera_motion's a list of three; a full info is a
list of ``{"prompt_en", "dimension", "video_list"}``.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import ClipRow, ScoreRow
from anisora.harness.types import Sample

__all__ = ["PERCENT", "ReportedDimension", "full_info", "read_results", "results_of"]

PERCENT: Final = frozenset({"imaging_quality"})
"""Dimensions whose clips VBench has on a scale of 0 to 100, and their mean on 0 to 1."""
_BOOLEAN: Final = frozenset({"dynamic_degree"})
_WITH_COUNTS: Final = frozenset({"background_consistency"})
_IMAGES: Final = ("i2v_subject", "i2v_background")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDimension:
    """One dimension of a result file, on our scale."""

    name: str
    aggregate: float | None
    """As the file tells it; None where it is no number."""
    clips: tuple[tuple[str, float | None], ...]
    """(path, value) of each video, in the order of the file; None where it is no number."""
    by_type: tuple[tuple[str, float | None], ...] = ()
    """(type, mean) of camera_motion."""

    @property
    def mean(self) -> float | None:
        """The mean over the clips that have a value, each counting once; None of none."""
        values = [value for _, value in self.clips if value is not None]
        return math.fsum(values) / len(values) if values else None


def results_of(
    record: RunRecord, rows: Sequence[ScoreRow], clips: Sequence[ClipRow], samples: Mapping[str, Sample]
) -> dict[str, list[Any]]:
    """Return what VBench writes as ``*_eval_results.json``, for those metrics of a run that are dimensions of VBench.

    Clips without a value are left out: VBench has no word for them.

    Args:
        record: Of the run.
        rows: Its scores.
        clips: Where its clips lie.
        samples: {item: sample}, for the paths of conditioning images; those of absent items are left out.

    Raises:
        DataError: No metric of the run is one of VBench's.
    """
    from anisora.harness.registry import registry

    paths = {(clip.item_id, clip.seed): clip.path for clip in clips}
    registered = registry("metrics")
    found: dict[str, list[Any]] = {}
    for result in record.results:
        if result.metric not in registered or not _is_dimension(result.metric):
            continue
        scored = [row for row in rows if row.metric == result.metric and row.status == "ok"]
        entries = [_entry(row, paths, samples) for row in sorted(scored, key=lambda row: (row.item_id, row.seed))]
        found[result.metric] = [result.value, entries]
    if not found:
        names = ", ".join(result.metric for result in record.results)
        raise DataError(
            f"Run `{record.run_id}` has no dimension of VBench, only {names}; rescore it with --metrics vbench."
        )
    return found


def _is_dimension(metric: str) -> bool:
    from anisora.harness.registry import registry

    source: str = registry("metrics").create(metric).info.source
    return source.startswith("VBench, ")


def _entry(row: ScoreRow, paths: Mapping[tuple[str, int], str], samples: Mapping[str, Sample]) -> dict[str, Any]:
    assert row.value is not None
    value: float | bool = row.value
    if row.metric in PERCENT:
        value = 100 * row.value
    if row.metric in _BOOLEAN:
        value = row.value == 1
    entry: dict[str, Any] = {"video_path": paths.get((row.item_id, row.seed), row.item_id), "video_results": value}
    if row.metric in _WITH_COUNTS:
        entry |= {"video_sim": row.value * row.weight, "cnt_per_video": int(row.weight)}
    sample = samples.get(row.item_id)
    if row.metric in _IMAGES and sample is not None and sample.condition.keyframes:
        entry["image_path"] = str(sample.condition.keyframes[0][1].path)
    return entry


def full_info(
    results: Mapping[str, Sequence[Any]],
    rows: Sequence[ScoreRow],
    clips: Sequence[ClipRow],
    samples: Mapping[str, Sample],
) -> list[dict[str, Any]]:
    """Return what VBench writes as ``*_full_info.json``: one entry an item, with its prompt and its clips.

    Args:
        results: Of ``results_of``.
        rows: Scores of the run.
        clips: Where its clips lie.
        samples: {item: sample}; an item that is absent, or has no prompt, has its id in the prompt's place.
    """
    made = []
    for item in sorted({row.item_id for row in rows}):
        sample = samples.get(item)
        dimensions = sorted({row.metric for row in rows if row.item_id == item and row.metric in results})
        entry: dict[str, Any] = {
            "prompt_en": sample.prompt if sample is not None and sample.prompt else item,
            "dimension": dimensions,
            "video_list": [clip.path for clip in sorted(clips, key=lambda clip: clip.seed) if clip.item_id == item],
        }
        if sample is not None and sample.condition.keyframes:
            entry["custom_image_path"] = str(sample.condition.keyframes[0][1].path)
        made.append(entry)
    return made


def read_results(path: Path) -> tuple[ReportedDimension, ...]:
    """Read a result file of VBench.

    ``NaN``, which VBench writes although JSON has no such number, becomes None. Percentages become shares, true and
    false 1 and 0.

    Raises:
        DataError: The file cannot be read, or is not of that shape; the message names the dimension.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"`{path}` cannot be read as JSON ({error}); expected a result file of VBench.") from error
    if not isinstance(content, dict) or not content:
        raise DataError(f"`{path}` holds a {type(content).__name__}; expected {{dimension: [aggregate, [clips]]}}.")
    return tuple(_reported(path, str(name), value) for name, value in content.items())


def _reported(path: Path, name: str, value: Any) -> ReportedDimension:  # noqa: ANN401 - whatever the file holds
    shape = "[aggregate, [clips]]" if name != "camera_motion" else "[aggregate, {type: mean}, [clips]]"
    is_list = isinstance(value, list) and len(value) in (2, 3)
    if not is_list or not isinstance(value[-1], list) or not all(isinstance(entry, dict) for entry in value[-1]):
        raise DataError(f"`{path}` has {str(value)[:60]!r} for {name!r}; expected {shape}.")
    by_type = value[1] if len(value) == 3 else {}
    if not isinstance(by_type, dict):
        raise DataError(f"`{path}` has {str(by_type)[:60]!r} as the types of {name!r}; expected {shape}.")
    clips = []
    for at, entry in enumerate(value[-1]):
        if "video_path" not in entry or "video_results" not in entry:
            raise DataError(
                f"`{path}`, {name!r}, clip {at}: expected `video_path` and `video_results`, got {list(entry)}."
            )
        number = _number(path, name, entry["video_results"])
        clips.append((str(entry["video_path"]), number / 100 if number is not None and name in PERCENT else number))
    return ReportedDimension(
        name=name,
        aggregate=_number(path, name, value[0]),
        clips=tuple(clips),
        by_type=tuple((str(kind), _number(path, name, mean)) for kind, mean in by_type.items()),
    )


def _number(path: Path, name: str, value: Any) -> float | None:  # noqa: ANN401 - whatever the file holds
    if value is None:
        return None
    if not isinstance(value, int | float):
        raise DataError(f"`{path}` has {str(value)[:60]!r} in {name!r}; expected a number, true or false.")
    return float(value) if math.isfinite(value) else None
