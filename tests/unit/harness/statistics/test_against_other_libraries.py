"""Where scipy or statsmodels compute the same thing, the numbers agree to 1e-10.

What neither has is compared with slow definitions in the other modules here.
"""

import math

import numpy as np
import pytest
import statsmodels.api
from scipy import stats
from scipy.stats._resampling import BootstrapResult
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from anisora.harness.statistics.cluster_bootstrap import bca_bounds, resampled_counts
from anisora.harness.statistics.cluster_regression import clustered_coefficient
from anisora.harness.statistics.cluster_variance import SKEWNESS_COST, two_sided_p
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.statistics.effect_sizes import effect_sizes, mcnemar
from anisora.harness.statistics.matched_motion import matched_motion_difference
from anisora.harness.statistics.multiplicity import benjamini_hochberg, holm
from anisora.harness.statistics.paired_difference import paired_difference
from anisora.harness.statistics.power import items_needed, power_at
from anisora.harness.statistics.proportion import clustered_proportion, wilson_bounds
from anisora.harness.statistics.subset import stratified_mean
from anisora.harness.statistics.variance_components import variance_components

DIGITS = 1e-10


def clustered(seed: int, clusters: int, size: int) -> tuple[np.ndarray, list[str]]:
    generator = np.random.default_rng(seed)
    values = np.repeat(generator.normal(0, 0.5, clusters), size) + generator.gamma(2, 1, clusters * size)
    return values, [f"c{at // size}" for at in range(clusters * size)]


def exact(values: np.ndarray | float) -> np.ndarray:
    return np.round(np.asarray(values) * 2**20) / 2**20


@pytest.mark.parametrize("size", [1, 7])
def test_the_error_of_equal_clusters_is_the_clustered_sandwich_of_statsmodels(size: int) -> None:
    values, labels = clustered(0, 12, size)
    groups = np.unique(labels, return_inverse=True)[1]
    theirs = statsmodels.api.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": groups})
    found = clustered_mean(values.tolist(), labels)
    assert found.value == pytest.approx(theirs.params[0], rel=DIGITS)
    assert found.standard_error == pytest.approx(theirs.bse[0], rel=DIGITS)


def test_symmetrical_single_clips_have_the_t_interval_and_p_value_of_scipy() -> None:
    # Whole 2^-20ths have exact sums and differences, so that what is symmetrical stays so.
    half = exact(np.random.default_rng(1).normal(size=15))
    values = np.r_[exact(0.4) + half, exact(0.4) - half]
    names = [str(at) for at in range(30)]
    found = clustered_mean(values.tolist(), names)
    theirs = stats.ttest_1samp(values, 0)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=DIGITS)
    assert two_sided_p(found.value, found.standard_error, found.degrees) == pytest.approx(theirs.pvalue, rel=DIGITS)
    right = exact(np.random.default_rng(2).normal(size=30))
    left = dict(zip(names, (right + values).tolist(), strict=True))
    paired = paired_difference(left, dict(zip(names, right.tolist(), strict=True)), {name: name for name in names})
    theirs = stats.ttest_rel(right + values, right)
    assert paired.p_value == pytest.approx(theirs.pvalue, rel=DIGITS)
    ends = theirs.confidence_interval(0.95)
    assert (paired.estimate.low, paired.estimate.high) == pytest.approx((ends.low, ends.high), rel=DIGITS)


@pytest.mark.parametrize(("passed", "count"), [(1, 20), (474, 948), (900, 948), (10, 10), (0, 10)])
def test_the_bounds_of_a_share_are_those_of_wilson_by_scipy_and_statsmodels(passed: int, count: int) -> None:
    share = np.float64(passed / count)
    variance, quantile = share * (1 - share) / count, np.float64(stats.norm.ppf(0.975))
    found = [float(end) for end in wilson_bounds(share, variance, quantile, clusters=count)]
    assert found == pytest.approx(list(proportion_confint(passed, count, method="wilson")), abs=DIGITS)
    theirs = stats.binomtest(passed, count).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx([theirs.low, theirs.high], abs=DIGITS)


def test_a_share_of_single_clips_is_wilsons_at_its_effective_number() -> None:
    values = [1.0] * 13 + [0.0] * 17
    found = clustered_proportion(values, [str(at) for at in range(30)])
    share = 13 / 30
    skewness = stats.skew(values) ** 2 / 30
    quantile = stats.t.ppf(0.975, 1 / (1 / 29 + SKEWNESS_COST * skewness))
    alpha = 2 * stats.norm.sf(quantile)  # the normal quantile of which is this t quantile
    effective = share * (1 - share) / found.standard_error**2  # 29: the variance has one less in its denominator
    assert effective == pytest.approx(29, rel=DIGITS)
    theirs = proportion_confint(share * effective, effective, alpha=alpha, method="wilson")
    assert (found.low, found.high) == pytest.approx(theirs, abs=DIGITS)


@pytest.mark.parametrize("count", [1, 2, 9, 140])
def test_corrections_are_those_of_statsmodels(count: int) -> None:
    p_values = (np.random.default_rng(count).random(count) ** 3).round(3).tolist()
    for mine, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        assert mine(p_values) == pytest.approx(multipletests(p_values, method=name)[1].tolist(), abs=DIGITS)


@pytest.mark.parametrize(("one", "other"), [(9, 2), (5, 5), (0, 7), (40, 61)])
def test_mcnemar_is_that_of_statsmodels(one: int, other: int) -> None:
    left = {f"l{at}": 1.0 for at in range(one)} | {f"r{at}": 0.0 for at in range(other)} | {"both": 1.0, "none": 0.0}
    right = {f"l{at}": 0.0 for at in range(one)} | {f"r{at}": 1.0 for at in range(other)} | {"both": 1.0, "none": 0.0}
    theirs = their_mcnemar([[1, one], [other, 1]], exact=True)
    assert mcnemar(left, right).p_value == pytest.approx(theirs.pvalue, abs=DIGITS)


@pytest.mark.parametrize("seed", range(3))
def test_from_the_same_draws_the_bounds_are_those_of_scipys_bca(seed: int) -> None:
    values = np.random.default_rng(seed).gamma(1.0, size=45)
    draws = np.concatenate(list(resampled_counts(45, 5000, seed))) @ values / 45
    left_out = (values.sum() - values) / 44
    low, high, error = bca_bounds(draws[:, None], np.array([values.mean()]), left_out[:, None], 0.95)
    widened = 2 * stats.norm.cdf(math.sqrt(45 / 44) * stats.t.ppf(0.975, 44)) - 1
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=0,
        bootstrap_result=BootstrapResult(None, draws, None),
        confidence_level=widened,
        method="BCa",
    )
    assert low[0] == pytest.approx(theirs.confidence_interval.low, rel=DIGITS)
    assert high[0] == pytest.approx(theirs.confidence_interval.high, rel=DIGITS)
    assert error[0] == pytest.approx(theirs.standard_error, rel=DIGITS)


def test_the_chance_to_beat_is_the_statistic_of_mann_and_whitney() -> None:
    generator = np.random.default_rng(3)
    left, right = generator.normal(0.3, 1, 60).round(1), generator.normal(0, 1, 60).round(1)
    names = [str(at) for at in range(60)]
    sides = [dict(zip(names, side.tolist(), strict=True)) for side in (left, right)]
    found = effect_sizes(*sides, {name: name for name in names})
    assert found.superiority == pytest.approx(stats.mannwhitneyu(left, right).statistic / 3600, rel=DIGITS)
    assert found.paired_d == pytest.approx(stats.ttest_rel(left, right).statistic / math.sqrt(60), rel=DIGITS)


def test_components_are_those_of_the_analysis_of_variance() -> None:
    generator = np.random.default_rng(4)
    groups = {str(at): (generator.normal(0, 1) + generator.normal(size=5)).tolist() for at in range(9)}
    theirs = stats.f_oneway(*groups.values())
    within = np.mean([np.var(values, ddof=1) for values in groups.values()])
    found = variance_components(groups)
    assert found.within == pytest.approx(within, rel=DIGITS)
    assert found.between == pytest.approx((theirs.statistic - 1) * within / 5, rel=DIGITS)


@pytest.mark.parametrize("count", [6, 20, 948])
def test_power_is_that_of_statsmodels_at_the_same_quantile(count: int) -> None:
    chance = 6 * (count - 2) / ((count + 1) * (count + 3) * count)
    quantile = stats.t.ppf(0.975, 1 / (1 / (count - 1) + SKEWNESS_COST * chance))
    alpha = 2 * stats.t.sf(quantile, count - 1)
    for effect in (0.05, 0.3, 0.9) if count < 100 else (0.02, 0.1):
        theirs = TTestPower().power(effect, count, alpha, df=count - 1)
        assert power_at(effect * 0.2, 0.2, count, count) == pytest.approx(theirs, abs=DIGITS)


def test_so_many_clips_are_needed_as_statsmodels_says_but_for_the_cost_of_skewness() -> None:
    for effect in (0.05, 0.1, 0.3):
        theirs = TTestPower().solve_power(effect, power=0.8, alpha=0.05)
        assert 0 <= items_needed(effect, 1.0) - math.ceil(theirs) <= 6


def test_regressions_are_those_of_statsmodels() -> None:
    generator = np.random.default_rng(5)
    x = generator.normal(size=40)
    y = 0.5 * x + generator.normal(size=40) * (1 + abs(x))
    design = np.stack([np.ones(40), x], axis=1)
    theirs = statsmodels.api.OLS(y, design).fit(cov_type="HC2")
    names = [str(at) for at in range(40)]
    for column in (0, 1):
        found = clustered_coefficient(design, y, names, column)
        assert found.value == pytest.approx(theirs.params[column], rel=DIGITS)
        assert found.standard_error == pytest.approx(theirs.bse[column], rel=DIGITS)
    zeros = dict.fromkeys(names, 0.0)
    scores, motion = (dict(zip(names, side.tolist(), strict=True)) for side in (y, x))
    matched = matched_motion_difference(scores, zeros, motion, zeros, {name: name for name in names})
    assert matched.at_equal_motion.value == pytest.approx(theirs.params[0], rel=DIGITS)
    assert matched.slope.value == pytest.approx(theirs.params[1], rel=DIGITS)


def test_a_sample_of_one_label_is_scipys_t_interval_with_the_correction_of_a_finite_population() -> None:
    values = np.random.default_rng(6).normal(size=25)
    names = [str(at) for at in range(25)]
    found = stratified_mean(dict(zip(names, values.tolist(), strict=True)), dict.fromkeys(names, "x"), {"x": 100})
    error = stats.sem(values) * math.sqrt(0.75)
    expected = stats.t.interval(0.95, 24, loc=values.mean(), scale=error)
    assert (found.low, found.high) == pytest.approx(expected, rel=DIGITS)
