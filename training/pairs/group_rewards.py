"""Rewards of all clips of a run, each written down as soon as it is known: scoring goes on where it was stopped."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from anisora.harness.errors import AnisoraError, DataError
from anisora.harness.journal import open_journal, read_journal
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import RewardBatch, RewardModel
from anisora.harness.runfolder import ClipRow, sha256_of_file
from anisora.harness.types import Clip
from anisora.reward.reward_inputs import as_numpy
from anisora.reward.weighted_mean import NO_TOTAL
from anisora.training.pairs.run_clips import RunClips

__all__ = ["ClipReward", "run_rewards"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipReward:
    """What a reward says of a clip."""

    item: str
    seed: int
    sha256: str
    """Of the file."""
    total: float | None
    """None where it could not be scored."""
    dimensions: dict[str, float | None]
    note: str
    """Why there is no total."""


def run_rewards(
    run: RunClips,
    reward: RewardModel,
    journal: Path,
    *,
    batch_size: int,
    advance: Callable[[], None] = lambda: None,
) -> list[ClipReward]:
    """Score the clips of a run from their files; those that this reward has scored before are read.

    Args:
        run: Whose clips.
        reward: What scores them.
        journal: Where the rewards of all clips are written, a line each.
        batch_size: Most clips of a call.
        advance: Is told of each clip that has its line.

    Returns:
        One for each clip, in the order of the run.
    """
    fingerprint = reward.info.fingerprint
    known = {
        (entry["item"], entry["seed"]): ClipReward(**{name: entry[name] for name in ClipReward.__slots__})
        for entry in read_journal(journal)
        if entry["fingerprint"] == fingerprint
    }
    known = {
        (row.item_id, row.seed): found
        for row in run.rows
        if (found := known.get((row.item_id, row.seed))) is not None and found.sha256 == row.sha256
    }
    for _ in known:
        advance()
    left = [row for row in run.rows if (row.item_id, row.seed) not in known]
    journal.parent.mkdir(parents=True, exist_ok=True)
    with open_journal(journal) as lines, DecoderPool() as reader:
        for start in range(0, len(left), batch_size):
            for found in _score(run, reward, left[start : start + batch_size], reader):
                lines.append({**asdict(found), "fingerprint": fingerprint})
                known[found.item, found.seed] = found
                advance()
    return [known[row.item_id, row.seed] for row in run.rows]


def _score(run: RunClips, reward: RewardModel, rows: Sequence[ClipRow], reader: DecoderPool) -> list[ClipReward]:
    """Return the rewards of some clips; one that cannot be scored does not take others with it."""
    found: dict[str, ClipReward] = {}
    able: dict[float, list[ClipRow]] = {}  # a call of a reward takes one frame rate
    for row in rows:
        try:
            able.setdefault(_frame_rate(run, row, reader), []).append(row)
        except AnisoraError as error:
            found[row.path] = _without(row, str(error))
    for fps, group in able.items():
        found |= _scored(run, reward, group, fps)
    return [found[row.path] for row in rows]


def _frame_rate(run: RunClips, row: ClipRow, reader: DecoderPool) -> float:
    """Return the frame rate of a clip that is there as it was made.

    Raises:
        DataError: It is not, or its item is not in the suite.
        VideoUnreadable: It cannot be decoded.
    """
    file = run.file(row)
    if row.item_id not in run.samples:
        raise DataError(f"Item {row.item_id!r} is not in the suite.")
    if not file.exists():
        raise DataError(f"`{file}` is not there.")
    if file.is_file() and sha256_of_file(file) != row.sha256:
        raise DataError(f"`{file}` was changed after the run.")
    if row.fps is not None:
        return row.fps
    with reader.open(Clip(path=file, digest=row.sha256, fps=run.spec.fps)) as stream:  # nothing has decoded it yet
        return float(stream.expected.fps)


def _scored(run: RunClips, reward: RewardModel, rows: Sequence[ClipRow], fps: float) -> dict[str, ClipReward]:
    samples = [run.samples[row.item_id] for row in rows]
    try:
        batch = reward(
            [run.file(row) for row in rows],
            [sample.prompt or "" for sample in samples],
            [sample.condition for sample in samples],
            fps=fps,
        )
    except AnisoraError as error:
        if len(rows) == 1:
            return {rows[0].path: _without(rows[0], str(error))}
        return {row.path: found for row in rows for found in _scored(run, reward, [row], fps).values()}
    return {row.path: _clip_reward(row, batch, place) for place, row in enumerate(rows)}


def _clip_reward(row: ClipRow, batch: RewardBatch, place: int) -> ClipReward:
    total = float(as_numpy(batch.total)[place])
    dimensions = {name: _number(float(as_numpy(values)[place])) for name, values in batch.dimensions.items()}
    if bool(as_numpy(batch.valid)[place]) and math.isfinite(total):
        return ClipReward(
            item=row.item_id, seed=row.seed, sha256=row.sha256, total=total, dimensions=dimensions, note=""
        )
    scores = batch.scores[place] if batch.scores else {}
    reasons = "; ".join(f"{name}: {score.note}" for name, score in scores.items() if score.value is None)
    return _without(row, reasons or NO_TOTAL, dimensions)


def _without(row: ClipRow, note: str, dimensions: dict[str, float | None] | None = None) -> ClipReward:
    return ClipReward(
        item=row.item_id, seed=row.seed, sha256=row.sha256, total=None, dimensions=dimensions or {}, note=note
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
