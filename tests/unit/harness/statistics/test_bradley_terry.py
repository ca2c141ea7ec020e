import math
from itertools import combinations

import numpy as np
import pytest
import statsmodels.api
from scipy import special, stats

from anisora.harness.errors import MetricError
from anisora.harness.statistics.bradley_terry import Vote, arena_ranks, bradley_terry


def drawn(
    seed: int, systems: int = 5, prompts: int = 40, *, left: float = 0.0, ties: float = 0.1
) -> tuple[list[Vote], dict[str, float]]:
    generator = np.random.default_rng(seed)
    strength = {f"s{at}": float(value) for at, value in enumerate(np.linspace(1, -1, systems))}
    votes = []
    for prompt in range(prompts):
        for one, other in combinations(strength, 2):
            first, second = (one, other) if generator.random() < 0.5 else (other, one)
            chance = special.expit(strength[first] - strength[second] + left)
            outcome = 0.5 if generator.random() < ties else float(generator.random() < chance)
            votes.append(Vote(left=first, right=second, outcome=outcome, cluster=f"p{prompt}"))
    return votes, strength


def of_wins(wins: dict[tuple[str, str], int]) -> list[Vote]:
    pairs = [pair for pair, count in wins.items() for _ in range(count)]
    return [Vote(left=one, right=other, outcome=1.0, cluster=str(at)) for at, (one, other) in enumerate(pairs)]


def test_the_worked_example_of_four_players_has_its_published_strengths() -> None:
    # Games as in the encyclopedia's worked example, which arena-rank repeats; strengths are scaled to a product of 1.
    wins = {
        ("a", "b"): 2, ("a", "d"): 1, ("b", "a"): 3, ("b", "c"): 5,
        ("c", "b"): 3, ("c", "d"): 1, ("d", "a"): 4, ("d", "c"): 3,
    }  # fmt: skip
    found = bradley_terry(of_wins(wins))
    odds = {system.name: math.exp(system.value) for system in found.systems}
    assert odds == pytest.approx({"a": 0.640, "b": 1.043, "c": 0.660, "d": 2.270}, abs=0.0006)
    assert [system.name for system in found.systems] == ["d", "b", "c", "a"]
    assert {system.name: system.votes for system in found.systems} == {"a": 10, "b": 13, "c": 12, "d": 9}


@pytest.mark.parametrize("order_effect", [False, True])
def test_strengths_and_errors_are_those_of_statsmodels(order_effect: bool) -> None:
    votes, _ = drawn(1, left=0.4)
    found = bradley_terry(votes, order_effect=order_effect)
    names = sorted({vote.left for vote in votes})
    design = np.array([[(vote.left == name) - (vote.right == name) for name in names[:-1]] for vote in votes], float)
    if order_effect:
        design = np.hstack([design, np.ones((len(votes), 1))])
    groups = np.unique([vote.cluster for vote in votes], return_inverse=True)[1]
    model = statsmodels.api.GLM(
        [vote.outcome for vote in votes], design, family=statsmodels.api.families.Binomial()
    ).fit(tol=1e-14, maxiter=200, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    # Theirs are strengths against the last system; ours against the mean of all.
    contrast = (
        np.eye(len(names) + order_effect)[:, : len(names) - 1]
        - np.r_[np.full(len(names), 1 / len(names)), [0.0] * order_effect][:, None]
    )
    if order_effect:
        contrast[-1] = 0
        contrast = np.hstack([contrast, np.eye(len(names) + 1)[:, -1:]])
    values = contrast @ model.params
    errors = np.sqrt(np.diag(contrast @ model.cov_params() @ contrast.T) * 40 / 39)
    mine = {system.name: system for system in found.systems}
    quantile = stats.t.ppf(0.975, 39)
    for at, name in enumerate(names):
        assert mine[name].value == pytest.approx(values[at], abs=1e-10)
        assert mine[name].standard_error == pytest.approx(errors[at], rel=1e-8)
        assert mine[name].high == pytest.approx(values[at] + quantile * errors[at], rel=1e-8)
    assert (found.order_effect is not None) == order_effect
    if order_effect:
        assert found.order_effect.value == pytest.approx(model.params[-1], abs=1e-10)
        assert found.order_effect.standard_error == pytest.approx(errors[-1], rel=1e-8)


def test_intervals_hold_the_true_strengths_and_the_order_effect() -> None:
    covered = []
    for seed in range(60):
        votes, strength = drawn(seed, left=0.5, ties=0.0, prompts=25)
        found = bradley_terry(votes, order_effect=True)
        covered += [system.low <= strength[system.name] <= system.high for system in found.systems]
        covered.append(found.order_effect.low <= 0.5 <= found.order_effect.high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_votes_on_one_prompt_are_no_independent_votes() -> None:
    votes, _ = drawn(2, prompts=8)
    again = [Vote(left=v.left, right=v.right, outcome=v.outcome, cluster=v.cluster) for v in votes for _ in range(5)]
    once, five = bradley_terry(votes), bradley_terry(again)
    for one, other in zip(once.systems, five.systems, strict=True):
        assert (one.value, one.standard_error) == pytest.approx((other.value, other.standard_error), rel=1e-9)


def test_an_order_effect_that_is_ignored_moves_who_stood_left_more_often() -> None:
    votes = [Vote(left="a", right="b", outcome=float(at % 10 < 6), cluster=str(at)) for at in range(100)]
    votes += [Vote(left="b", right="a", outcome=float(at % 10 < 6), cluster=f"o{at}") for at in range(20)]
    fitted = bradley_terry(votes, order_effect=True)
    assert fitted.systems[0].value == pytest.approx(0, abs=1e-9)
    assert fitted.order_effect.value == pytest.approx(math.log(1.5))
    assert bradley_terry(votes).systems[0].value > 0.1


def test_the_order_of_votes_and_the_names_of_prompts_change_nothing() -> None:
    votes, _ = drawn(3)
    other = [Vote(left=v.left, right=v.right, outcome=v.outcome, cluster=v.cluster + "x") for v in reversed(votes)]
    for one, two in zip(bradley_terry(votes).systems, bradley_terry(other).systems, strict=True):
        assert (one.name, one.rank) == (two.name, two.rank)
        assert one.value == pytest.approx(two.value, abs=1e-12)


def test_ranks_count_the_intervals_that_lie_wholly_above() -> None:
    # As arenas do: three systems within noise share rank 1, the fourth is below two of them only.
    low, high = np.array([1010.0, 1004.0, 990.0, 980.0, 900.0]), np.array([1030.0, 1024.0, 1012.0, 1000.0, 950.0])
    assert arena_ranks(low, high).tolist() == [1, 1, 1, 3, 5]
    votes, _ = drawn(4, prompts=80)
    found = bradley_terry(votes)
    for system in found.systems:
        assert system.rank == 1 + sum(other.low > system.high for other in found.systems)
    assert found.systems[0].rank == 1
    assert found.systems[-1].rank > 3


def test_a_system_that_never_lost_needs_a_ridge() -> None:
    wins = {("a", "b"): 3, ("b", "c"): 2, ("c", "b"): 2, ("a", "c"): 1}
    with pytest.raises(MetricError, match=r"Votes do not place 'a' against the others.*`ridge`"):
        bradley_terry(of_wins(wins))
    found = bradley_terry(of_wins(wins), ridge=0.1)
    assert found.systems[0].name == "a"
    assert sum(system.value for system in found.systems) == pytest.approx(0, abs=1e-9)
    # The gradient of the penalised likelihood is zero.
    value = {system.name: system.value for system in found.systems}
    for name in "abc":
        gradient = sum(
            1 - special.expit(value[one] - value[two])
            for one, two in [(v.left, v.right) for v in of_wins(wins)]
            if one == name
        )
        gradient -= sum(
            1 - special.expit(value[one] - value[two])
            for one, two in [(v.left, v.right) for v in of_wins(wins)]
            if two == name
        )
        assert gradient - 0.1 * value[name] == pytest.approx(0, abs=1e-9)


def test_systems_that_never_met_are_named() -> None:
    apart = of_wins({("a", "b"): 1, ("b", "a"): 1, ("c", "d"): 2, ("d", "c"): 1, ("d", "e"): 1, ("e", "d"): 1})
    with pytest.raises(MetricError, match="Votes do not place 'a', 'b' against the others: never compared"):
        bradley_terry(apart)
    with pytest.raises(MetricError, match="each system stood on one side only"):
        bradley_terry(
            [*of_wins({("a", "b"): 3}), Vote(left="a", right="b", outcome=0.0, cluster="x")], order_effect=True
        )


def test_few_prompts_give_strengths_without_intervals() -> None:
    votes, _ = drawn(5, prompts=5)
    found = bradley_terry(votes)
    assert (found.note, found.method, found.clusters) == ("5 clusters; an interval needs 6", "", 5)
    assert all(system.low is None and system.rank is None and system.standard_error > 0 for system in found.systems)
    one = bradley_terry([Vote(left="a", right="b", outcome=0.5, cluster="p")])
    assert (one.systems[0].value, one.systems[0].standard_error, one.note) == (
        0.0,
        None,
        "1 cluster; an interval needs 6",
    )


@pytest.mark.parametrize(
    ("votes", "arguments", "message"),
    [
        ([], {}, "`votes` is empty"),
        ([Vote(left="a", right="a", outcome=1.0, cluster="p")], {}, r"`votes\[0\]` compares 'a' with itself"),
        ([Vote(left="a", right="b", outcome=0.7, cluster="p")], {}, r"`votes\[0\].outcome` got 0.7"),
        ([Vote(left="a", right="b", outcome=0.5, cluster="p")], {"ridge": -1}, "`ridge` got -1"),
        ([Vote(left="a", right="b", outcome=0.5, cluster="p")], {"level": 95}, "`level` got 95"),
    ],
)
def test_what_is_no_vote_is_refused(votes, arguments, message) -> None:
    with pytest.raises(MetricError, match=message):
        bradley_terry(votes, **arguments)
