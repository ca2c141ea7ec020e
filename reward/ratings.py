"""What people said of clips: a file of ratings, or of preferences between two clips."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError, DataError, nearest
from anisora.harness.inputs.paths import shortened
from anisora.harness.inputs.tabular import Record, read_records

__all__ = [
    "DEFAULT_DIMENSION",
    "DEFAULT_SCALE",
    "ClipKey",
    "ClipRating",
    "Judgements",
    "Preference",
    "parse_scale",
    "read_judgements",
]

DEFAULT_DIMENSION: Final = "overall"
"""The dimension of rows that name none."""
DEFAULT_SCALE: Final = (1.0, 5.0)

_PREFERENCES: Final = {"left": 1, "right": -1, "tie": 0}
_RATING_COLUMNS: Final = ("sample_id", "rating", "model", "rater", "dimension")
_PAIR_COLUMNS: Final = ("left", "right", "sample_id", "left_model", "right_model", "preference", "rater", "dimension")


@dataclass(frozen=True, slots=True, order=True)
class ClipKey:
    """A clip that was judged: what a system made for an item."""

    sample_id: str
    model: str = ""
    """Empty where the file has no column ``model``."""

    def __str__(self) -> str:
        """``item`` or ``item of model``."""
        return f"{self.sample_id} of {self.model}" if self.model else self.sample_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRating:
    """The mean of a clip's ratings."""

    clip: ClipKey
    value: float
    raters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """One judgement of one pair."""

    left: ClipKey
    right: ClipKey
    outcome: int
    """1 where left is preferred, -1 where right is, 0 for a tie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """All rows of one dimension; ratings or preferences, never both."""

    dimension: str
    ratings: tuple[ClipRating, ...] = ()
    preferences: tuple[Preference, ...] = ()

    @property
    def clips(self) -> tuple[ClipKey, ...]:
        """Every clip that was judged, sorted."""
        pairs = (clip for each in self.preferences for clip in (each.left, each.right))
        return tuple(sorted({*(rating.clip for rating in self.ratings), *pairs}))


def parse_scale(text: str) -> tuple[float, float]:
    """Read ``1-5``, the lowest and the highest rating.

    Raises:
        ConfigError: It is not two numbers, the smaller one first.

    Example:
        >>> parse_scale("0-100")
        (0.0, 100.0)
    """
    low, dash, high = text.partition("-")
    try:
        found = float(low), float(high)
    except ValueError:
        found = (math.nan, math.nan)
    if not dash or not all(map(math.isfinite, found)) or not found[0] < found[1]:
        raise ConfigError(f"`--scale` got {text!r}; expected the lowest and the highest rating, such as 1-5.")
    return found


def read_judgements(path: Path, *, scale: tuple[float, float] = DEFAULT_SCALE) -> list[Judgements]:
    """Read a file of ratings or of preferences; the columns say which.

    Ratings: ``sample_id`` and ``rating``, and if wanted ``model``, ``rater``, ``dimension``. A clip's value is the mean
    over its rows. Preferences: ``preference`` (left, right or tie) with ``left`` and ``right``, the ids of two items,
    or with ``sample_id``, ``left_model`` and ``right_model``; and if wanted ``rater``, ``dimension``.

    Args:
        path: A .csv, .jsonl or .parquet file.
        scale: Lowest and highest rating.

    Returns:
        One entry a dimension, sorted by name.

    Raises:
        DataError: Anything that is wrong with the file, with the line and the column.
    """
    records = read_records(path, key="", example="sample_id,rating", what="ratings or preferences")
    columns = tuple(dict.fromkeys(name for record in records for name in record.values))
    if "preference" in columns:
        _check_columns(path, columns, _PAIR_COLUMNS, needed=("sample_id",) if "left" not in columns else ("right",))
        return _preferences(records)
    _check_columns(path, columns, _RATING_COLUMNS, needed=("sample_id", "rating"))
    return _ratings(records, scale)


def _check_columns(path: Path, columns: Sequence[str], known: Sequence[str], *, needed: Sequence[str]) -> None:
    """Refuse a file without its columns, and a name that is a typing error; other columns are passed over."""
    for name in columns:
        guess = nearest(name, [each for each in known if each not in columns])
        if name not in known and guess is not None:
            raise DataError(f"`{path}` line 1: got the column {shortened(name)}; did you mean {guess!r}? Rename it.")
    lacking = [name for name in needed if name not in columns]
    if lacking:
        raise DataError(
            f"`{path}` line 1: got the columns {shortened(','.join(columns))}; expected `{lacking[0]}` among them; "
            "ratings have sample_id,rating and preferences left,right,preference."
        )


def _text(record: Record, column: str) -> str:
    value = record.values.get(column)
    if value is None:
        raise DataError(f"{record.where}: column `{column}` is empty; expected a name; fill it in.")
    return str(value)


def _optional(record: Record, column: str, default: str) -> str:
    value = record.values.get(column)
    return default if value is None else str(value)


def _ratings(records: Sequence[Record], scale: tuple[float, float]) -> list[Judgements]:
    values: dict[str, dict[ClipKey, list[float]]] = {}
    seen: dict[tuple[str, ClipKey, str], Record] = {}
    for record in records:
        clip = ClipKey(_text(record, "sample_id"), _optional(record, "model", ""))
        dimension = _optional(record, "dimension", DEFAULT_DIMENSION)
        _once(seen, (dimension, clip, _optional(record, "rater", "")), record, f"clip {shortened(str(clip))}")
        values.setdefault(dimension, {}).setdefault(clip, []).append(_rating(record, scale))
    return [
        Judgements(
            dimension=dimension,
            ratings=tuple(
                ClipRating(clip=clip, value=math.fsum(given) / len(given), raters=len(given))
                for clip, given in sorted(values[dimension].items())
            ),
        )
        for dimension in sorted(values)
    ]


def _rating(record: Record, scale: tuple[float, float]) -> float:
    given: Any = record.values.get("rating")
    try:
        value = math.nan if isinstance(given, bool) or given is None else float(given)
    except (TypeError, ValueError):
        value = math.nan
    low, high = scale
    if not low <= value <= high:
        raise DataError(
            f"{record.where}: column `rating` got {shortened(given)}; expected a number from {low:g} to {high:g}; "
            "correct it, or name the scale with --scale."
        )
    return value


def _preferences(records: Sequence[Record]) -> list[Judgements]:
    found: dict[str, list[Preference]] = {}
    seen: dict[tuple[str, ClipKey, ClipKey, str], Record] = {}
    for record in records:
        left, right = _pair(record)
        if left == right:
            raise DataError(f"{record.where}: compares {shortened(str(left))} with itself; expected two clips.")
        given = str(record.values.get("preference"))
        if given not in _PREFERENCES:
            raise DataError(
                f"{record.where}: column `preference` got {shortened(record.values.get('preference'))}; expected "
                "left, right or tie; correct it."
            )
        dimension, rater = _optional(record, "dimension", DEFAULT_DIMENSION), _optional(record, "rater", "")
        first, second = sorted((left, right))
        if rater:  # without a name, equal rows may be of different people
            _once(seen, (dimension, first, second, rater), record, f"the pair {shortened(f'{left} and {right}')}")
        found.setdefault(dimension, []).append(Preference(left=left, right=right, outcome=_PREFERENCES[given]))
    return [Judgements(dimension=dimension, preferences=tuple(found[dimension])) for dimension in sorted(found)]


def _pair(record: Record) -> tuple[ClipKey, ClipKey]:
    if record.values.get("sample_id") is not None:
        sample = _text(record, "sample_id")
        return ClipKey(sample, _text(record, "left_model")), ClipKey(sample, _text(record, "right_model"))
    return (
        ClipKey(_text(record, "left"), _optional(record, "left_model", "")),
        ClipKey(_text(record, "right"), _optional(record, "right_model", "")),
    )


def _once(seen: dict[Any, Record], key: tuple[Any, ...], record: Record, what: str) -> None:
    """Refuse that one person judges one thing twice."""
    if not key[-1]:
        return
    earlier = seen.setdefault(key, record)
    if earlier is not record:
        raise DataError(
            f"{record.where}: column `rater` got {shortened(key[-1])}, who judged {what} on line {earlier.line} "
            "already; expected each person once; remove one of the two."
        )
