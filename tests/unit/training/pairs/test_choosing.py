import random

import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import RewardInfo
from anisora.training.pairs.choosing import ScoredPair, choose_pairs
from anisora.training.pairs.reward_scale import scale_of


def seeds(rewards: dict[int, float | None], **options: object) -> list[tuple[int, int]]:
    return [(pair.winner, pair.loser) for pair in choose_pairs("a", rewards, **options)]  # type: ignore[arg-type]


def info(value_range: tuple[float, float] | None = None, constants: str = "") -> RewardInfo:
    return RewardInfo(
        name="judge", dimensions=("d",), weights=(1.0,), fingerprint="f", value_range=value_range, constants=constants
    )


def test_the_best_clip_is_paired_with_the_worst() -> None:
    assert seeds({0: 0.2, 1: 0.9, 2: 0.5}) == [(1, 0)]


def test_all_takes_every_two_clips_the_better_one_first() -> None:
    assert seeds({0: 0.2, 1: 0.9, 2: 0.5}, take="all") == [(1, 2), (1, 0), (2, 0)]
    assert seeds({0: 0.2, 1: 0.9, 2: 0.5}, take="all", min_gap=0.4) == [(1, 2), (1, 0)]


def test_clips_of_one_reward_are_no_pair() -> None:
    assert seeds({0: 0.5, 1: 0.5, 2: 0.5}) == []
    assert seeds({0: 0.5, 1: 0.5, 2: 0.5}, take="all") == []
    assert seeds({0: 0.5, 1: 0.5, 2: 0.1}, take="all") == [(0, 2), (1, 2)]


def test_among_equals_the_smallest_seed_wins_and_the_largest_loses() -> None:
    assert seeds({3: 0.9, 1: 0.9, 2: 0.1, 7: 0.1}) == [(1, 7)]


def test_a_clip_without_a_reward_neither_wins_nor_loses() -> None:
    for take in ("best-worst", "all"):
        assert seeds({0: None, 1: 0.9, 2: 0.5, 3: None}, take=take) == [(1, 2)]
    assert seeds({0: None, 1: 0.9}) == []
    assert seeds({}) == []


def test_a_pair_in_the_wrong_order_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"the winner \(seed 1\) has 0.1, the loser \(seed 0\) 0.9; expected more"):
        ScoredPair("a", 1, 0, 0.1, 0.9)
    for wrong in (0.9, float("nan")):
        with pytest.raises(ValueError, match="expected more"):
            ScoredPair("a", 1, 0, wrong, 0.9)


@pytest.mark.parametrize("kind", ["run", "range", "constants"])
def test_no_scale_turns_an_order_round_or_leaves_its_ends(kind: str) -> None:
    draws = random.Random(0)
    totals = [draws.gauss(0.0, 3.0) for _ in range(200)] + [0.0, 1e-9, 2e-9]
    scale = scale_of(kind, info((-40.0, 40.0), "c@1"), totals, top=7.0)  # type: ignore[arg-type]
    ordered = [scale(total) for total in sorted(totals)]
    assert ordered == sorted(ordered)
    assert 0.0 <= ordered[0] < ordered[-1] <= 7.0
    rewards = {seed: scale(total) for seed, total in enumerate(totals)}
    for pair in choose_pairs("a", rewards, take="all"):
        assert totals[pair.winner] > totals[pair.loser]


def test_each_scale_has_its_ends() -> None:
    run = scale_of("run", info(), [2.0, 4.0], top=100.0)
    assert [run(value) for value in (2.0, 3.0, 4.0)] == [0.0, 50.0, 100.0]
    own = scale_of("range", info((0.0, 8.0)), [2.0, 4.0], top=100.0)
    assert [own(value) for value in (2.0, 4.0)] == [25.0, 50.0]
    stored = scale_of("constants", info(constants="c@1"), [], top=100.0)
    assert stored(0.0) == 50.0
    assert stored(1.0) == pytest.approx(84.1344746)  # one standard deviation above the mean


def test_a_scale_that_does_not_fit_the_reward_is_refused() -> None:
    with pytest.raises(ConfigError, match="'constants', and reward 'judge' has none; expected --constants FILE"):
        scale_of("constants", info(), [1.0], top=1.0)
    with pytest.raises(ConfigError, match="that of reward 'judge' is not known"):
        scale_of("range", info(), [1.0], top=1.0)
    with pytest.raises(ConfigError, match=r"that of reward 'judge' is \[0.0, inf\]; expected two bounds"):
        scale_of("range", info((0.0, float("inf"))), [1.0], top=1.0)
    with pytest.raises(DataError, match=r"gave 1\.5; expected 0 to 1, which it states"):
        scale_of("range", info((0.0, 1.0)), [1.5], top=1.0)
