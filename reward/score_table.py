"""What a reward says of named videos: as a table for people, and as plain data."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anisora.harness.protocols import RewardBatch, RewardInfo
from anisora.harness.types import Score
from anisora.reward.scored_videos import NamedVideo
from anisora.reward.weighted_mean import NO_TOTAL

__all__ = ["ScoredVideo", "score_data", "score_table", "scored_videos"]

_STILL = "still"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredVideo:
    """The scores of one video."""

    video: NamedVideo
    scores: Mapping[str, Score]
    total: float | None
    failed: frozenset[str]
    """Dimensions that failed; others without a value do not apply."""

    def note(self, dimension: str) -> str:
        """Return why there is no number, or what is to be known of it; a still is marked."""
        note = self.scores[dimension].note
        if not self.video.is_still:
            return note
        return f"{_STILL}: {note or 'scored as a clip of one frame'}"

    @property
    def total_note(self) -> str:
        """The note of the total."""
        note = NO_TOTAL if self.total is None else ""
        if not self.video.is_still:
            return note
        return f"{_STILL}: {note or 'of what one frame can be scored by'}"


def scored_videos(videos: Sequence[NamedVideo], batch: RewardBatch, dimensions: Sequence[str]) -> list[ScoredVideo]:
    """Put scores and videos together.

    Args:
        videos: What was named.
        batch: The scores of those that have an item, in their order.
        dimensions: Of the reward.
    """
    rows = iter(zip(batch.scores, batch.total, batch.failed, strict=True))
    found = []
    for video in videos:
        if video.item is None:
            lacking = Score(sample_id=video.name, seed=0, value=None, note=video.problem)
            none = dict.fromkeys(dimensions, lacking)
            found.append(ScoredVideo(video=video, scores=none, total=None, failed=frozenset(dimensions)))
            continue
        scores, total, failed = next(rows)
        number = float(total) if math.isfinite(total) else None
        found.append(ScoredVideo(video=video, scores=scores, total=number, failed=failed))
    return found


def score_table(scored: Sequence[ScoredVideo]) -> str:
    """Return a line for each video and dimension, and for the total, in columns."""
    lines = [("video", "dimension", "value", "note"), *(line for each in scored for line in _lines(each))]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    text = ""
    for name, dimension, value, note in lines:
        text += f"{name:<{widths[0]}}  {dimension:<{widths[1]}}  {value:>{widths[2]}}  {note}".rstrip() + "\n"
    return text


def _lines(each: ScoredVideo) -> Iterator[tuple[str, str, str, str]]:
    name = _printable(each.video.name)
    for dimension, score in each.scores.items():
        yield name, dimension, _shown(score.value), _printable(each.note(dimension))
    yield name, "total", _shown(each.total), each.total_note


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _printable(text: str) -> str:
    """Return a text on one line, without what would move the cursor: names of files may hold anything."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def score_data(scored: Sequence[ScoredVideo], info: RewardInfo) -> dict[str, Any]:
    """Return all of it as plain data."""
    return {
        "reward": info.name,
        "fingerprint": info.fingerprint,
        "weights": dict(zip(info.dimensions, info.weights, strict=True)),
        "videos": [
            {
                "video": each.video.name,
                "still": each.video.is_still,
                "total": each.total,
                "note": each.total_note,
                "dimensions": {
                    dimension: {
                        "value": score.value,
                        "status": _status(each, dimension),
                        "note": each.note(dimension),
                    }
                    for dimension, score in each.scores.items()
                },
            }
            for each in scored
        ],
    }


def _status(each: ScoredVideo, dimension: str) -> str:
    if dimension in each.failed:
        return "error"
    return "unscored" if each.scores[dimension].value is None else "ok"
