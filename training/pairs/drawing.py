"""Preference pairs from the groups of a run: score all clips, pair them, write down how."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.progress import progress
from anisora.harness.protocols import RewardInfo, RewardModel
from anisora.training.pairs.choosing import ScoredPair, Take, choose_pairs
from anisora.training.pairs.group_rewards import ClipReward, run_rewards
from anisora.training.pairs.pairs_file import PairsFiles, write_pairs
from anisora.training.pairs.reward_scale import RewardScale, ScaleKind, scale_of
from anisora.training.pairs.run_clips import RunClips

__all__ = ["DrawnPairs", "PairOptions", "draw_pairs", "invalid_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """How pairs are drawn."""

    take: Take = "best-worst"
    min_gap: float = 0.0
    """Of scores on the scale."""
    scale: ScaleKind = "run"
    score_scale: float = 100.0
    """The highest score."""
    batch_size: int = 8
    """Clips of a call of the reward; changes no number."""
    fresh: bool = False
    """Score clips again that were scored before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPairs:
    """What came of it."""

    pairs: tuple[ScoredPair, ...]
    scale: RewardScale
    items: int
    clips: int
    invalid: tuple[ClipReward, ...]
    """Clips without a reward: they are in no pair."""


def draw_pairs(
    run: Path, reward: RewardModel, out: Path, options: PairOptions | None = None, *, shown: bool = False
) -> DrawnPairs:
    """Score the clips of a run, pair those of each item, and write the pairs.

    Args:
        run: A run folder with several clips an item.
        reward: What is better.
        out: The file of pairs, ``.jsonl``; what is beside it: ``pairs_file``.
        options: How.
        shown: Show how far it is.

    Raises:
        DataError: There is no run, no clip could be scored, or no two clips of an item are told apart.
        ConfigError: The run has one clip an item, its suite is not here, or the scale does not fit the reward.
    """
    options = options or PairOptions()
    files = PairsFiles(out)
    files.check_new()
    clips = RunClips(run)
    if max(Counter(row.item_id for row in clips.rows).values(), default=0) < 2:
        raise ConfigError(
            f"Run `{run}` has one clip an item; expected two or more to compare. Generate with several seeds, such as "
            "--seeds 0-3."
        )
    if options.fresh:
        files.scores.unlink(missing_ok=True)
    with progress("score", len(clips.rows), shown=shown) as advance:
        scored = run_rewards(clips, reward, files.scores, batch_size=options.batch_size, advance=advance)
    totals = [each.total for each in scored if each.total is not None]
    if not totals:
        raise DataError(
            f"Run `{run}` has {len(scored)} clips, none of which reward {reward.info.name!r} could score: "
            f"{scored[0].note}; expected two or more an item. Mend that, or choose another reward."
        )
    scale = scale_of(options.scale, reward.info, totals, top=options.score_scale)
    groups: dict[str, dict[int, float | None]] = {}
    for each in scored:
        groups.setdefault(each.item, {})[each.seed] = None if each.total is None else scale(each.total)
    pairs = [
        pair
        for item, rewards in groups.items()
        for pair in choose_pairs(item, rewards, take=options.take, min_gap=options.min_gap)
    ]
    if not pairs:
        raise DataError(
            f"Run `{run}` gives no pair: reward {reward.info.name!r} tells no two clips of its {len(groups)} items "
            f"apart by {options.min_gap:g} or more of {options.score_scale:g}; expected some. Lower --min-gap, draw "
            "more seeds, or choose another reward."
        )
    drawn = DrawnPairs(
        pairs=tuple(pairs),
        scale=scale,
        items=len(groups),
        clips=len(scored),
        invalid=tuple(each for each in scored if each.total is None),
    )
    write_pairs(files, pairs, _record(clips, reward.info, options, drawn))
    return drawn


def _record(clips: RunClips, info: RewardInfo, options: PairOptions, drawn: DrawnPairs) -> dict[str, Any]:
    spec = clips.spec
    return {
        "run": clips.path.resolve().name,
        "run_digest": clips.digest,
        "suite": f"{spec.suite}@{spec.suite_version}",
        "model": spec.model_spec,
        "untrained": clips.is_untrained,
        "reward": {
            "name": info.name,
            "fingerprint": info.fingerprint,
            "weights": dict(zip(info.dimensions, info.weights, strict=True)),
            "constants": info.constants,
        },
        "take": options.take,
        "min_gap": options.min_gap,
        "scale": asdict(drawn.scale),
        "counts": _counts(drawn),
    }


def _counts(drawn: DrawnPairs) -> dict[str, int]:
    return {
        "items": drawn.items,
        "items_without_pair": drawn.items - len({pair.item for pair in drawn.pairs}),
        "clips": drawn.clips,
        "invalid_clips": len(drawn.invalid),
        "pairs": len(drawn.pairs),
    }


def invalid_text(invalid: Sequence[ClipReward]) -> str:
    """Name the first clip that could not be scored, and why."""
    first = invalid[0]
    return f"{len(invalid)} clips could not be scored and are in no pair: {first.item} seed {first.seed}: {first.note}"
