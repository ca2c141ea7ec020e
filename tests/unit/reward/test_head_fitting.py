"""A head finds the line that made the ratings, and never sees a first frame twice."""

from dataclasses import replace

import numpy as np
import pytest

from anisora.harness.errors import DataError, MetricError
from anisora.reward.head_fitting import fit_head, grouped_split
from anisora.reward.head_problems import FitOptions, Pair

OPTIONS = FitOptions(draws=1000)


def clips(
    seed: int = 0, groups: int = 60, size: int = 4, dimensions: int = 6
) -> tuple[np.ndarray, list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(groups * size, dimensions)).astype(np.float32)
    truth = np.array([1.0, -2.0, 0.5, 0.0, 0.0, 0.0])[:dimensions]
    return features, [f"g{at // size}" for at in range(len(features))], 3 + features @ truth


def judged(values: np.ndarray, size: int = 4, *, margin: float = 0.0, seed: int = 1) -> list[Pair]:
    rng = np.random.default_rng(seed)
    found: list[Pair] = []
    for start in range(0, len(values), size):
        for left in range(start, start + size):
            for right in range(left + 1, start + size):
                chance = rng.logistic() + values[left] - values[right]
                found.append((left, right, 0 if abs(chance) < margin else (1 if chance > 0 else -1)))
    return found


def test_the_line_behind_ratings_is_recovered() -> None:
    features, groups, values = clips()
    fit = fit_head(features, groups, ratings=values.tolist(), options=replace(OPTIONS, ridge=0.0))
    natural = fit.head.weight / fit.head.scale
    assert natural == pytest.approx([1.0, -2.0, 0.5, 0.0, 0.0, 0.0], abs=1e-3)
    assert fit.head.score(features) == pytest.approx(values, abs=1e-3)
    test = fit.quality["test"]
    assert test.everywhere.strict.without_ties == 1.0
    assert test.within.strict.without_ties == 1.0
    assert test.groups == 12
    assert test.everywhere.accuracy.note == "12 clusters; a bootstrap needs 30"
    assert test.within.accuracy.low is not None
    assert test.within.accuracy.low > 0.5


def test_the_line_behind_preferences_is_recovered_up_to_its_noise() -> None:
    features, groups, values = clips(groups=300)
    fit = fit_head(features, groups, pairs=judged(values), options=replace(OPTIONS, ridge=0.0))
    natural = fit.head.weight / fit.head.scale
    assert natural == pytest.approx([1.0, -2.0, 0.5, 0.0, 0.0, 0.0], abs=0.25)
    assert fit.tie_parameter is None
    assert fit.head.bias[0] == 0.0
    assert fit.quality["test"].everywhere.accuracy.low > 0.5


def test_ties_are_fitted_and_predicted() -> None:
    features, groups, values = clips(groups=300)
    pairs = judged(values, margin=1.0)
    assert 0.1 < np.mean([outcome == 0 for _, _, outcome in pairs]) < 0.5
    fit = fit_head(features, groups, pairs=pairs, options=OPTIONS)
    assert fit.tie_parameter is not None
    assert 0.2 < fit.tie_parameter < 5
    test = fit.quality["test"].everywhere.tied
    assert fit.tie_threshold > 0
    assert test.tied_by_both > 0
    assert test.with_ties > 0.5


def test_ties_alone_say_nothing_and_do_not_break_the_fit_without_them_in_training() -> None:
    features, groups, values = clips(groups=30)
    parts = grouped_split(groups, seed=0)
    pairs = [(left, right, 0 if parts[left] == "test" else outcome) for left, right, outcome in judged(values)]
    fit = fit_head(features, groups, pairs=pairs, options=OPTIONS)
    assert fit.tie_parameter is None
    assert np.isfinite(fit.quality["test"].loss)
    assert fit.quality["test"].everywhere.strict.without_ties is None


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_parts(seed: int) -> None:
    groups = [f"g{at % 17}" for at in range(200)]
    parts = grouped_split(groups, seed=seed)
    sides: dict[str, set[str]] = {}
    for group, part in zip(groups, parts, strict=True):
        sides.setdefault(group, set()).add(part)
    assert all(len(found) == 1 for found in sides.values())
    counts = [sum(part in found for found in sides.values()) for part in ("train", "validation", "test")]
    assert counts == [11, 3, 3]
    assert parts == grouped_split(groups, seed=seed)
    if seed:
        assert parts != grouped_split(groups, seed=0)


def test_pairs_across_parts_are_dropped_and_counted() -> None:
    features, groups, values = clips(groups=12)
    parts = grouped_split(groups, seed=0)
    train, test = parts.index("train"), parts.index("test")
    fit = fit_head(features, groups, pairs=[*judged(values), (train, test, 1)], options=OPTIONS)
    assert fit.dropped_pairs == 1


def test_it_stops_where_validation_gets_worse() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 200)).astype(np.float32)  # more features than clips: noise is learnt
    groups = [f"g{at // 2}" for at in range(60)]
    ratings = (features[:, 0] + 2 * rng.normal(size=60)).tolist()
    early = fit_head(features, groups, ratings=ratings, options=replace(OPTIONS, ridge=0.0, patience=3))
    assert early.stopped_early
    late = fit_head(features, groups, ratings=ratings, options=replace(OPTIONS, ridge=0.0, patience=500))
    assert early.quality["train"].loss > 1e-4
    assert late.quality["validation"].loss <= early.quality["validation"].loss
    assert late.steps < 500


def test_features_that_say_nothing_leave_a_head_that_says_the_same_of_all() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 3)).astype(np.float32)
    groups = [f"g{at // 2}" for at in range(40)]
    parts = grouped_split(groups, seed=0)
    ratings = [float(value if part == "train" else -value) for value, part in zip(features[:, 0], parts, strict=True)]
    fit = fit_head(features, groups, ratings=[3 + value for value in ratings], options=OPTIONS)
    assert fit.steps == 0
    assert not fit.head.weight.any()


def test_the_same_seed_gives_the_same_bytes() -> None:
    features, groups, values = clips()
    first, second = (fit_head(features, groups, ratings=values.tolist(), options=OPTIONS) for _ in range(2))
    for name in ("weight", "bias", "mean", "scale"):
        assert getattr(first.head, name).tobytes() == getattr(second.head, name).tobytes()
    assert first.quality == second.quality
    other = fit_head(features, groups, ratings=values.tolist(), options=replace(OPTIONS, seed=1))
    assert other.parts != first.parts


def test_a_feature_that_does_not_vary_is_no_division_by_zero() -> None:
    features, groups, values = clips()
    features[:, 3] = 7.0
    fit = fit_head(features, groups, ratings=values.tolist(), options=OPTIONS)
    assert fit.head.scale[3] == 1.0
    assert np.isfinite(fit.head.score(features)).all()


def test_wrong_input_is_refused() -> None:
    features, groups, values = clips(groups=5)
    ratings = values.tolist()
    with pytest.raises(MetricError, match="exactly one of them"):
        fit_head(features, groups)
    with pytest.raises(MetricError, match="expected one finite number a row"):
        fit_head(features, groups, ratings=ratings[:-1])
    with pytest.raises(MetricError, match="not finite"):
        fit_head(np.where(features == features[0, 0], np.nan, features), groups, ratings=ratings)
    with pytest.raises(MetricError, match=r"`pairs` has \(0, 0, 1\)"):
        fit_head(features, groups, pairs=[(0, 0, 1)])
    with pytest.raises(DataError, match="2 different first frames"):
        fit_head(features, ["a", "b"] * 10, ratings=ratings)
    with pytest.raises(DataError, match="No judged pair has both clips in the train part"):
        fit_head(features, groups, pairs=[])
    with pytest.raises(MetricError, match="`FitOptions` got ridge=-1"):
        FitOptions(ridge=-1)
