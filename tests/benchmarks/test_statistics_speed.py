"""How long resampling takes at the size of the benchmark, beside the loops it replaces.

Each group of two has the vectorised function and the plain loop over a few draws; ``extra_info`` says how many, so that
the ratio for equal numbers of draws can be read from one run.
"""

import math
import random
from itertools import combinations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from anisora.harness.statistics.cluster_bootstrap import bootstrap_mean
from anisora.harness.statistics.sign_flips import max_t

COLUMNS = tuple(f"metric-{at:02}" for at in range(14))
MODELS = tuple(f"model-{at:02}" for at in range(10))
DRAWS = 10_000
LOOP_DRAWS = 20
LOOP_FLIPS = 2

Values = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def labels() -> dict[str, str]:
    sizes = np.random.default_rng(0).multinomial(948 - 77 * 4, np.full(77, 1 / 77)) + 4
    return {f"label-{label:02}/{at}": f"label-{label:02}" for label, size in enumerate(sizes) for at in range(size)}


@pytest.fixture(scope="module")
def scores(labels: dict[str, str]) -> Values:
    generator = np.random.default_rng(1)
    return {column: dict(zip(labels, generator.beta(19, 1, len(labels)).tolist(), strict=True)) for column in COLUMNS}


@pytest.fixture(scope="module")
def family(labels: dict[str, str]) -> Values:
    generator = np.random.default_rng(2)
    table = generator.beta(19, 1, (len(MODELS), len(COLUMNS), len(labels)))
    return {
        f"{MODELS[one]}/{MODELS[other]}/{column}": dict(
            zip(labels, (table[one, at] - table[other, at]).tolist(), strict=True)
        )
        for one, other in combinations(range(len(MODELS)), 2)
        for at, column in enumerate(COLUMNS)
    }


def looped_means(values: dict[str, float], labels: dict[str, str], draws: int) -> list[float]:
    """Resample clusters and average their items, one after the other."""
    members: dict[str, list[float]] = {}
    for item, value in values.items():
        members.setdefault(labels[item], []).append(value)
    names, generator = sorted(members), random.Random(0)
    means = []
    for _ in range(draws):
        drawn = [value for name in generator.choices(names, k=len(names)) for value in members[name]]
        means.append(sum(drawn) / len(drawn))
    return means


def looped_maxima(family: Values, labels: dict[str, str], flips: int) -> list[float]:
    """Flip clusters and compute every statistic, one after the other."""
    names, generator = sorted(set(labels.values())), random.Random(0)
    maxima = []
    for _ in range(flips):
        signs = {name: generator.choice((-1, 1)) for name in names}
        largest = 0.0
        for column in family.values():
            flipped = {item: signs[labels[item]] * value for item, value in column.items()}
            mean = sum(flipped.values()) / len(flipped)
            parts: dict[str, list[float]] = {}
            for item, value in flipped.items():
                parts.setdefault(labels[item], []).append(value - mean)
            squares = sum(sum(part) ** 2 / (1 - len(part) / len(flipped)) for part in parts.values())
            largest = max(largest, abs(mean) * len(flipped) / math.sqrt(squares))
        maxima.append(largest)
    return maxima


@pytest.mark.benchmark(group="bootstrap of 14 columns of 948 clips")
def test_bca_of_ten_thousand_draws(benchmark: BenchmarkFixture, scores: Values, labels: dict[str, str]) -> None:
    clusters = list(labels.values())
    benchmark.extra_info["draws"] = DRAWS
    found = benchmark.pedantic(
        lambda: [bootstrap_mean(list(values.values()), clusters, draws=DRAWS) for values in scores.values()],
        rounds=3,
        warmup_rounds=1,
    )
    assert all(each.low < each.value < each.high for each in found)


@pytest.mark.benchmark(group="bootstrap of 14 columns of 948 clips")
def test_looped_bootstrap_of_few_draws(benchmark: BenchmarkFixture, scores: Values, labels: dict[str, str]) -> None:
    benchmark.extra_info["draws"] = LOOP_DRAWS
    found = benchmark.pedantic(
        lambda: [looped_means(values, labels, LOOP_DRAWS) for values in scores.values()], rounds=3
    )
    assert [len(means) for means in found] == [LOOP_DRAWS] * 14


@pytest.mark.benchmark(group="max-T of 45 pairs of models and 14 columns")
def test_max_t_of_ten_thousand_flips(benchmark: BenchmarkFixture, family: Values, labels: dict[str, str]) -> None:
    benchmark.extra_info["draws"] = DRAWS
    found = benchmark.pedantic(lambda: max_t(family, labels, flips=DRAWS), rounds=2)
    assert len(found.tests) == 630


@pytest.mark.benchmark(group="max-T of 45 pairs of models and 14 columns")
def test_looped_max_t_of_few_flips(benchmark: BenchmarkFixture, family: Values, labels: dict[str, str]) -> None:
    benchmark.extra_info["draws"] = LOOP_FLIPS
    assert len(benchmark.pedantic(lambda: looped_maxima(family, labels, LOOP_FLIPS), rounds=2)) == LOOP_FLIPS


@pytest.mark.benchmark(group="ratios")
def test_how_many_times_faster_a_draw_is(
    benchmark: BenchmarkFixture, scores: Values, family: Values, labels: dict[str, str]
) -> None:
    """Both ways in one run, so that the machine is the same; the ratios are in ``extra_info``."""
    from time import perf_counter

    clusters = list(labels.values())

    def ratios() -> dict[str, float]:
        times = [perf_counter()]
        for values in scores.values():
            bootstrap_mean(list(values.values()), clusters, draws=DRAWS)
        times.append(perf_counter())
        for values in scores.values():
            looped_means(values, labels, LOOP_DRAWS)
        times.append(perf_counter())
        max_t(family, labels, flips=DRAWS)
        times.append(perf_counter())
        looped_maxima(family, labels, LOOP_FLIPS)
        times.append(perf_counter())
        bootstrap, loop, flips, flip_loop = np.diff(times)
        return {
            "bootstrap": float(loop / LOOP_DRAWS / (bootstrap / DRAWS)),
            "max-T": float(flip_loop / LOOP_FLIPS / (flips / DRAWS)),
        }

    found = benchmark.pedantic(ratios, rounds=1)
    benchmark.extra_info.update(found)
    assert set(found) == {"bootstrap", "max-T"}
