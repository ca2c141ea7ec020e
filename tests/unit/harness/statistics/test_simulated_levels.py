"""How often intervals cover the truth and tests err, on samples like those of a benchmark of clips.

Scores are bounded and skewed, labels have 10 to 30 clips each, some 1,000 in all (above 77 labels from 4), and clips of
a label resemble each other. All replications are computed at once, by the functions that every table calls.
"""

import math
import re
from collections import defaultdict
from functools import cache

import numpy as np
import pytest
from scipy import special, stats
from shared_data import REPOSITORY

from anisora.harness.statistics.cluster_bootstrap import bca_bounds, resampled_counts
from anisora.harness.statistics.cluster_table import ClusterTable
from anisora.harness.statistics.cluster_variance import ClusterSums, cluster_variance, degrees_of_sizes
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.statistics.power import minimum_detectable_effect, power_at
from anisora.harness.statistics.proportion import clustered_proportion, wilson_bounds
from anisora.harness.statistics.sign_flips import flip_p_values
from anisora.harness.statistics.subset import StratumSums, stratified_mean, stratified_variance
from anisora.harness.statistics.variance_components import design_effect

ITEMS = 948
CORRELATIONS = (0.0, 0.1, 0.3)
SCORES = {"Beta(19, 1)": (19, 1), "Beta(5, 0.6)": (5, 0.6), "Beta(90, 10)": (90, 10)}
"""Means 0.95, 0.89 and 0.90; skewness -1.7, -1.7 and -0.5."""
SHARES = (0.3, 0.5, 0.8)
RARE_SHARES = (0.9, 0.95)
LABELS_FOR_SINGLES = 20
"""From here on a subset of one or two clips a label has enough labels of two to tell the spread of those of one."""
STEPS = 4000
REACH = 6.0


def label_sizes(clusters: int) -> np.ndarray:
    generator = np.random.default_rng(clusters + 100)
    mean = min(19.0, ITEMS / clusters)
    least = 10 if clusters <= 77 else 4
    return np.clip(np.round(mean * np.exp(generator.normal(-0.06, 0.35, clusters))), least, 30).astype(int)


@cache
def score_table(shape: tuple[float, float]) -> np.ndarray:
    """Return the quantiles of a distribution at a grid of normal numbers."""
    grid = (np.arange(2 * REACH * STEPS + 1)) / STEPS - REACH
    return stats.beta.ppf(special.ndtr(grid), *shape).astype(np.float32)


def scored(latent: np.ndarray, shape: tuple[float, float]) -> np.ndarray:
    return score_table(shape)[((latent + np.float32(REACH)) * np.float32(STEPS) + np.float32(0.5)).astype(np.int32)]


def latents(generator: np.random.Generator, replications: int, sizes: np.ndarray, correlation: float) -> np.ndarray:
    """Return (replications, items) normal numbers that correlate within clusters."""
    shared = generator.standard_normal((replications, len(sizes)), dtype=np.float32)
    own = generator.standard_normal((replications, int(sizes.sum())), dtype=np.float32)
    found = np.float32(math.sqrt(1 - correlation)) * own
    found += np.repeat(np.float32(math.sqrt(correlation)) * shared, sizes, axis=1)
    return np.clip(found, -REACH, REACH)


def by_cluster(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, np.r_[0, np.cumsum(sizes)[:-1]], axis=1, dtype=np.float64)


def sums_of(values: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ClusterSums]:
    """Return (replications,) means and the sums of the clusters about them."""
    totals, squares = by_cluster(values, sizes), by_cluster(values * values, sizes)
    mean = totals.sum(axis=1) / sizes.sum()
    middle = mean[:, None]
    count = np.broadcast_to(sizes.astype(np.float64), totals.shape)
    residual = totals - middle * count
    return mean, ClusterSums(
        weight=count,
        squared_weight=count,
        count=count,
        score=residual,
        residual=residual,
        squared_residual=squares - 2 * middle * totals + middle**2 * count,
    )


def interval(values: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, sums = sums_of(values, sizes)
    found = cluster_variance(sums)
    half = special.stdtrit(found.degrees, 0.975) * np.sqrt(found.variance)
    return mean, mean - half, mean + half


def share_interval(values: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sums = sums_of(values, sizes)
    found = cluster_variance(sums)
    return wilson_bounds(mean, found.variance, special.stdtrit(found.degrees, 0.975), clusters=len(sizes))


def subset_interval(values: np.ndarray, sizes: np.ndarray, taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the mean of each replication's own items from the first of each label: they are exchangeable."""
    is_taken = np.arange(sizes.sum()) - np.repeat(np.r_[0, np.cumsum(sizes)[:-1]], sizes) < np.repeat(taken, sizes)
    means = by_cluster(values[:, is_taken], taken) / taken
    squares = by_cluster((values[:, is_taken] - np.repeat(means, taken, axis=1)) ** 2, taken) / np.maximum(taken - 1, 1)
    variance, degrees = stratified_variance(
        StratumSums(
            sampled=np.broadcast_to(taken.astype(np.float64), means.shape),
            population=np.broadcast_to(sizes.astype(np.float64), means.shape),
            squares=squares,
        )
    )
    middle = (means * sizes).sum(axis=1) / sizes.sum()
    half = special.stdtrit(degrees, 0.975) * np.sqrt(variance)
    return middle - half, middle + half


def covered(truth: float | np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def true_mean(shape: tuple[float, float]) -> float:
    return shape[0] / (shape[0] + shape[1])


def coverages(clusters: int, correlation: float, replications: int, seed: int) -> dict[str, float]:
    """Return {kind: share of the replications whose 95 % interval covers the truth}."""
    generator = np.random.default_rng([seed, clusters, round(100 * correlation)])
    sizes = label_sizes(clusters)
    latent = latents(generator, replications, sizes, correlation)
    other = np.clip(0.6 * latent + 0.8 * latents(generator, replications, sizes, correlation), -REACH, REACH)
    found = {}
    for name, shape in SCORES.items():
        values = scored(latent, shape)
        found[f"means, {name}"] = covered(true_mean(shape), *interval(values, sizes)[1:])
        if name == "Beta(19, 1)":
            same = values - scored(other, shape)
            found["paired differences, equal systems"] = covered(0.0, *interval(same, sizes)[1:])
            apart = values - scored(other, (90, 10))
            truth = true_mean(shape) - true_mean((90, 10))
            found["paired differences, unlike systems"] = covered(truth, *interval(apart, sizes)[1:])
            taken = np.minimum(sizes, np.maximum(2, np.round(sizes * 0.25).astype(int)))
            whole = values.mean(axis=1, dtype=np.float64)
            found["subsets of a quarter"] = covered(whole, *subset_interval(values, sizes, taken))
        if clusters >= LABELS_FOR_SINGLES:
            whole = values.mean(axis=1, dtype=np.float64)
            taken = np.where(np.argsort(np.argsort(-sizes)) < 0.3 * clusters, 2, 1)
            found[f"subsets of 1 or 2 a label, {name}"] = covered(whole, *subset_interval(values, sizes, taken))
    for share in (*SHARES, *RARE_SHARES):
        passed = (latent < special.ndtri(share)).astype(np.float32)
        kind = f"shares of {share:g}" if share < 0.95 else NEAR_ONE[clusters < FEW_FOR_NEAR_ONE]
        found[kind] = covered(share, *share_interval(passed, sizes))
    return found


FEW_FOR_NEAR_ONE = 10
NEAR_ONE = ("shares of 0.95, from 10 labels on", "shares of 0.95, 6 to 9 labels")
CONSERVATIVE = NEAR_ONE[1:]
"""Few clusters hold an item that fails: hardly any sample may exclude the truth from below."""


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("clusters", [6, 12, 40])
def test_intervals_cover_the_truth_as_often_as_they_say(clusters: int, correlation: float) -> None:
    replications = 4000 if clusters < 40 else 2000  # the long run below has 4,000 and more for all
    found = coverages(clusters, correlation, replications, seed=1)
    slack = 3 * math.sqrt(0.95 * 0.05 / replications)
    for kind, coverage in found.items():
        assert coverage >= 0.94 - slack, kind
        assert coverage <= (1.0 if kind in CONSERVATIVE else 0.965 + slack), kind


def test_the_classical_interval_does_not_hold_where_labels_are_few_and_skewed() -> None:
    sizes = np.full(7, 15)
    values = scored(latents(np.random.default_rng(0), 20_000, sizes, 0.3), (5, 0.6))
    means = by_cluster(values, sizes) / 15
    half = special.stdtrit(6, 0.975) * means.std(axis=1, ddof=1) / math.sqrt(7)
    middle = means.mean(axis=1)
    assert 0.92 < covered(true_mean((5, 0.6)), middle - half, middle + half) < 0.935
    assert covered(true_mean((5, 0.6)), *interval(values, sizes)[1:]) > 0.938


@pytest.mark.parametrize(
    ("sizes", "least", "greatest"),
    [
        ([1] * 6, 0.90, 0.925),
        ([1] * 10, 0.91, 0.93),
        ([1] * 30, 0.94, 0.95),
        ([10] * 5 + [60], 0.955, 0.99),
        ([10] * 9 + [200], 0.96, 0.995),
    ],
)
def test_the_limits_that_the_documentation_names(sizes: list[int], least: float, greatest: float) -> None:
    for correlation in (0.0,) if max(sizes) == 1 else CORRELATIONS:
        latent = latents(np.random.default_rng(0), 10_000, np.array(sizes), correlation)
        for shape in ((19, 1), (5, 0.6)):
            found = covered(true_mean(shape), *interval(scored(latent, shape), np.array(sizes))[1:])
            assert least <= found <= greatest


@pytest.mark.parametrize("clusters", [6, 9, 12, 15])
def test_shares_of_one_failure_in_thirty_have_intervals_that_are_too_wide(clusters: int) -> None:
    sizes = label_sizes(clusters)
    for correlation in CORRELATIONS:
        latent = latents(np.random.default_rng(0), 6000, sizes, correlation)
        passed = (latent < special.ndtri(0.97)).astype(np.float32)
        assert 0.965 <= covered(0.97, *share_interval(passed, sizes)) <= 0.993


def test_what_is_simulated_is_what_users_call() -> None:
    sizes = label_sizes(9)
    latent = latents(np.random.default_rng(5), 3, sizes, 0.2)
    values = scored(latent, (19, 1))
    labels = np.repeat([f"label {at}" for at in range(9)], sizes).tolist()
    mean, low, high = interval(values, sizes)
    shares = share_interval((latent < 0.8).astype(np.float32), sizes)
    taken = np.maximum(2, sizes // 4)
    ends = subset_interval(values, sizes, taken)
    first = np.r_[0, np.cumsum(sizes)[:-1]]
    for at in range(3):
        found = clustered_mean(values[at].tolist(), labels)
        assert (found.value, found.low, found.high) == pytest.approx((mean[at], low[at], high[at]), rel=1e-6)
        proportion = clustered_proportion((latent[at] < 0.8).astype(float).tolist(), labels)
        assert (proportion.low, proportion.high) == pytest.approx((shares[0][at], shares[1][at]), rel=1e-9)
        sampled = [int(start + step) for start, count in zip(first, taken, strict=True) for step in range(count)]
        subset = stratified_mean(
            {f"{item}": float(values[at][item]) for item in sampled},
            {f"{item}": label for item, label in enumerate(labels)},
            {f"label {at}": int(size) for at, size in enumerate(sizes)},
        )
        assert (subset.low, subset.high) == pytest.approx((ends[0][at], ends[1][at]), rel=1e-6)


def every_coverage() -> dict[str, tuple[float, float]]:
    """Return {kind: least and greatest coverage} over every number of clusters from 6 to 100."""
    found: dict[str, list[float]] = defaultdict(list)
    for clusters in range(6, 101):
        replications = max(4000, min(20_000, 4_800_000 // int(label_sizes(clusters).sum())))
        for correlation in CORRELATIONS:
            for kind, coverage in coverages(clusters, correlation, replications, seed=2).items():
                found[kind].append(coverage)
    return {kind: (min(values), max(values)) for kind, values in found.items()}


@pytest.mark.slow
@pytest.mark.long
def test_intervals_hold_from_6_to_100_clusters_as_the_documentation_shows() -> None:
    found = every_coverage()
    for kind, (least, greatest) in found.items():
        assert least >= 0.93, kind
        assert greatest <= (1.0 if kind in CONSERVATIVE else 0.97), kind
    page = (REPOSITORY / "docs" / "statistics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) +\| +([\d.]+) % +\| +([\d.]+) % +\|$", page, re.MULTILINE)
    shown = {kind: (float(low) / 100, float(high) / 100) for kind, low, high in rows}
    assert shown.keys() == found.keys()
    for kind, ends in found.items():
        assert shown[kind] == pytest.approx(ends, abs=0.003), kind


def bootstrap_coverage(clusters: int, correlation: float, *, replications: int, draws: int) -> float:
    sizes = label_sizes(clusters)
    count = sizes.astype(np.float64)
    found = []
    for part in range(replications // 1000):  # each part with draws of its own, whose noise all its samples share
        generator = np.random.default_rng([3, clusters, round(100 * correlation), part])
        totals = by_cluster(scored(latents(generator, 1000, sizes, correlation), (19, 1)), sizes)
        blocks = [block @ totals.T / (block @ count)[:, None] for block in resampled_counts(clusters, draws, part)]
        left_out = (totals.sum(axis=1)[:, None] - totals) / (count.sum() - count)
        low, high, _ = bca_bounds(np.concatenate(blocks), totals.sum(axis=1) / count.sum(), left_out.T, 0.95)
        found.append(covered(0.95, low, high))
    return sum(found) / len(found)


def test_bootstrap_intervals_cover_the_truth() -> None:
    assert 0.925 <= bootstrap_coverage(30, 0.3, replications=1000, draws=2000) <= 0.97


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("clusters", [30, 50, 100])
def test_bootstrap_intervals_hold_from_30_clusters(clusters: int, correlation: float) -> None:
    assert 0.93 <= bootstrap_coverage(clusters, correlation, replications=4000, draws=10_000) <= 0.97


@pytest.mark.parametrize("clusters", [6, 9, 12, 25])
def test_the_sign_flip_test_errs_in_5_percent(clusters: int) -> None:
    replications = 4000
    sizes = label_sizes(clusters)
    generator = np.random.default_rng([4, clusters])
    latent = latents(generator, replications, sizes, 0.3)
    other = np.clip(0.6 * latent + 0.8 * latents(generator, replications, sizes, 0.3), -REACH, REACH)
    sums = by_cluster(scored(latent, (19, 1)) - scored(other, (19, 1)), sizes).T
    counts = np.repeat(sizes[:, None].astype(np.float64), replications, axis=1)
    table = ClusterTable(columns=tuple(map(str, range(replications))), sums=sums, counts=counts)
    _, p_values, _ = flip_p_values(table, np.arange(replications), None if clusters <= 12 else (1000, 0))
    # Of 2^6 flips the least share of both ends is 2/64, so that six clusters err in 3.1 %.
    assert 0.02 <= (p_values <= 0.05).mean() <= 0.06


def family_wise_errors(clusters: int, datasets: int) -> float:
    """Return how often any of 45 pairs of ten equal systems in 14 correlated columns is called different."""
    generator = np.random.default_rng([5, clusters])
    sizes = label_sizes(clusters)
    first, second = np.triu_indices(10, 1)
    wrong = 0
    for _ in range(datasets):
        item = latents(generator, 1, sizes, 0.2)[0][:, None, None]
        common = latents(generator, 10, sizes, 0.1).T[:, :, None]
        own = latents(generator, 140, sizes, 0.1).T.reshape(-1, 10, 14)
        values = scored(np.clip(0.5 * item + 0.5 * common + math.sqrt(0.5) * own, -REACH, REACH), (19, 1))
        totals = np.add.reduceat(values, np.r_[0, np.cumsum(sizes)[:-1]], axis=0, dtype=np.float64)
        sums = (totals[:, first] - totals[:, second]).reshape(clusters, -1)
        counts = np.repeat(sizes[:, None].astype(np.float64), sums.shape[1], axis=1)
        table = ClusterTable(columns=tuple(map(str, range(sums.shape[1]))), sums=sums, counts=counts)
        _, _, adjusted = flip_p_values(table, np.arange(sums.shape[1]), (399, int(generator.integers(2**32))))
        wrong += bool((adjusted <= 0.05).any())
    return wrong / datasets


def test_a_family_of_630_tests_rarely_errs() -> None:
    assert 0.01 <= family_wise_errors(20, 200) <= 0.08


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("clusters", [15, 30, 77])
def test_a_family_of_630_tests_errs_in_5_percent(clusters: int) -> None:
    assert family_wise_errors(clusters, 4000) <= 0.06


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("clusters", [6, 8, 12, 30, 77])
def test_the_power_formula_agrees_with_simulation(clusters: int, correlation: float) -> None:
    sizes = label_sizes(clusters)
    count = int(sizes.sum())
    effect = design_effect(sizes.tolist(), correlation)
    values = latents(np.random.default_rng([6, clusters]), 4000, sizes, correlation)
    degrees = degrees_of_sizes(sizes, correlation)
    gap = minimum_detectable_effect(1.0, count, clusters, design_effect=effect, degrees=degrees)
    for part in (0.5, 1.0):
        _, low, high = interval(values + np.float32(part * gap), sizes)
        seen = float(((low > 0) | (high < 0)).mean())
        told = power_at(part * gap, 1.0, count, clusters, design_effect=effect, degrees=degrees)
        assert seen == pytest.approx(told, abs=0.03)
