"""Mean ranks and groups, against scipy and by brute force."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.mean_ranks import maximal_groups, mean_ranks
from anisora.harness.statistics.sign_flips import max_t

Systems = dict[str, dict[str, float]]


def drawn(seed: int, gaps: dict[str, float], *, clusters: int = 10, each: int = 3) -> tuple[Systems, dict[str, str]]:
    """Return {system: {item: score}} and clusters; systems differ by gaps of one standard deviation."""
    generator = np.random.default_rng(seed)
    labels = {f"i{at}": f"c{at % clusters}" for at in range(clusters * each)}
    common = generator.normal(size=len(labels))
    return {
        name: dict(zip(labels, (common + gap + generator.normal(size=len(labels))).tolist(), strict=True))
        for name, gap in gaps.items()
    }, labels


@pytest.mark.parametrize("lower", [False, True])
def test_mean_ranks_are_those_of_scipy(lower: bool) -> None:
    systems, clusters = drawn(0, {"a": 0.0, "b": 0.5, "c": 1.0, "d": 0.1})
    systems["d"] |= {item: systems["a"][item] for item in list(clusters)[:9]}  # ties
    (found,) = mean_ranks({"x": systems}, clusters, lower_is_better=frozenset({"x"} if lower else ()))
    values = np.array([list(systems[name].values()) for name in "abcd"])
    wanted = stats.rankdata(values if lower else -values, axis=0).mean(axis=1)
    assert {system.name: system.rank for system in found.systems} == pytest.approx(
        dict(zip("abcd", wanted, strict=True))
    )
    assert [system.rank for system in found.systems] == sorted(wanted.tolist())
    assert (found.items, found.clusters, found.left_out) == (30, 10, 0)


def test_groups_follow_the_corrected_tests_of_differences_of_ranks_in_all_columns() -> None:
    gaps = {f"m{at}": 0.4 * at for at in range(5)}
    columns = {name: drawn(seed, gaps)[0] for seed, name in enumerate(("x", "y"))}
    clusters = drawn(0, gaps)[1]
    ranks = {
        name: dict(
            zip(systems, stats.rankdata([[-v for v in s.values()] for s in systems.values()], axis=0), strict=True)
        )
        for name, systems in columns.items()
    }
    pairs = list(combinations(gaps, 2))
    tests = max_t(
        {
            f"{name} {one} {other}": dict(zip(clusters, (mine[one] - mine[other]).tolist(), strict=True))
            for name, mine in ranks.items()
            for one, other in pairs
        },
        clusters,
    ).tests
    apart = {tuple(test.name.split()) for test in tests if test.adjusted_p < 0.05}
    assert 0 < len(apart) < len(tests)
    for found in mean_ranks(columns, clusters):
        order = [system.name for system in found.systems]
        alike = {
            frozenset(group)
            for size in range(2, 6)
            for group in combinations(order, size)
            if not any((found.column, *sorted(pair)) in apart for pair in combinations(group, 2))
        }
        largest = {group for group in alike if not any(group < other for other in alike)}
        assert {frozenset(group) for group in found.groups} == largest
        assert (found.method, found.flips, found.seed) == ("exact over 1024 sign flips of clusters", 1024, None)


def test_far_systems_are_told_apart_and_equal_ones_are_not() -> None:
    systems, clusters = drawn(1, {"worst": -9.0, "best": 9.0, "middle": 0.0})
    systems["twin"] = dict(systems["middle"])
    (found,) = mean_ranks({"x": systems}, clusters)
    assert [(system.name, system.rank) for system in found.systems] == [
        ("best", 1.0),
        ("middle", 2.5),
        ("twin", 2.5),
        ("worst", 4.0),
    ]
    assert found.groups == (("middle", "twin"),)


def test_below_six_clusters_nothing_can_be_told_apart() -> None:
    for clusters, groups in ((5, (("best", "worst"),)), (6, ())):
        systems, labels = drawn(2, {"worst": -9.0, "best": 9.0}, clusters=clusters)
        assert mean_ranks({"x": systems}, labels)[0].groups == groups


def test_items_that_a_system_lacks_are_left_out_for_all_and_counted() -> None:
    systems, clusters = drawn(3, {"a": 0.0, "b": 1.0})
    whole = {name: {item: value for item, value in values.items() if item != "i4"} for name, values in systems.items()}
    del systems["a"]["i4"]
    (found,), (wanted,) = (mean_ranks({"x": values}, clusters) for values in (systems, whole))
    assert found.systems == wanted.systems
    assert (found.items, found.left_out) == (29, 1)


@pytest.mark.slow
def test_equal_systems_are_rarely_told_apart() -> None:
    """One family in twenty may err; of 400 families, 33 are more than chance allows (p < 0.005)."""
    errors = 0
    for seed in range(400):
        systems, clusters = drawn(seed, dict.fromkeys("abcde", 0.0), clusters=12)
        (found,) = mean_ranks({"x": systems}, clusters)
        errors += found.groups != (tuple(system.name for system in found.systems),)
    assert 6 < errors < 33


def test_largest_groups_by_brute_force() -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        names = "abcdefg"
        apart = {frozenset(pair) for pair in combinations(names, 2) if generator.random() < 0.4}
        alike = [
            group
            for size in range(2, 8)
            for group in combinations(names, size)
            if not any(frozenset(pair) in apart for pair in combinations(group, 2))
        ]
        largest = [group for group in alike if not any(set(group) < set(other) for other in alike)]
        assert maximal_groups(names, apart) == tuple(sorted(largest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 1.0}, r"`level` got 1\.0; expected a number between 0 and 1"),
        ({"lower_is_better": frozenset({"z"})}, r"`lower_is_better` names 'z', which is no column"),
        ({"columns": {"x": {"a": {"i": 1.0}}}}, r"Column 'x' has 1 systems; expected at least two"),
        ({"columns": {"x": {"a": {"i": 1.0}, "b": {"j": 1.0}}}}, r"Column 'x' has no item that all of"),
        ({"columns": {"x": {"a": {"i": float("nan")}, "b": {"i": 1.0}}}}, r"Column 'x' has a value that is not finite"),
    ],
)
def test_what_cannot_be_ranked_is_refused(change: dict, message: str) -> None:
    given = {"columns": {"x": {"a": {"i": 1.0}, "b": {"i": 2.0}}}, "clusters": {"i": "i"}, **change}
    with pytest.raises(MetricError, match=message):
        mean_ranks(**given)
