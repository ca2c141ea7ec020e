"""Losses of judged pairs as likelihoods: the three outcomes of a pair have chances that add up to one."""

import math
from typing import Any

import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.losses.reward_model import (  # noqa: E402
    FIRST,
    INVALID,
    SAME,
    SECOND,
    JudgedPairs,
    bradley_terry_loss,
    constant_margin_loss,
    losses_by_name,
    pair_accuracies,
    regression_loss,
    scaled_loss,
    score_margin_loss,
    ties_loss,
)


def judged(first: list[Any], second: list[Any], labels: list[Any], scores: Any = None) -> JudgedPairs:
    first_scores, second_scores = (None, None) if scores is None else map(torch.tensor, scores)
    rewards = (torch.tensor(each, dtype=torch.float64) for each in (first, second))
    return JudgedPairs(
        first_rewards=next(rewards),
        second_rewards=next(rewards),
        labels=torch.tensor(labels),
        first_scores=first_scores,
        second_scores=second_scores,
    )


@pytest.mark.parametrize("k", [1.5, 5.0])
@pytest.mark.parametrize("gap", [-2.0, 0.0, 0.3])
def test_the_chances_of_win_tie_and_loss_add_up_to_one(k: float, gap: float) -> None:
    losses = [float(ties_loss(judged([[gap]], [[0.0]], [[label]]), k=k)) for label in (FIRST, SAME, SECOND)]
    assert sum(math.exp(-loss) for loss in losses) == pytest.approx(1)


def test_where_no_tie_is_expected_it_is_bradley_terry() -> None:
    pairs = judged([[0.4, -1.0]], [[1.0, 0.5]], [[FIRST, SECOND]])
    assert float(ties_loss(pairs, k=1 + 1e-9)) == pytest.approx(float(bradley_terry_loss(pairs)))
    expected = (math.log1p(math.exp(0.6)) + math.log1p(math.exp(-1.5))) / 2
    assert float(bradley_terry_loss(pairs)) == pytest.approx(expected)


def test_a_swapped_pair_with_its_label_swapped_is_the_same_pair() -> None:
    scores = [[[4.0, 2.0, 3.0]], [[1.0, 5.0, 3.0]]]
    pairs = judged([[0.4, -1.0, 2.0]], [[1.0, 0.5, 1.0]], [[FIRST, SECOND, SAME]], scores)
    swapped = judged([[1.0, 0.5, 1.0]], [[0.4, -1.0, 2.0]], [[SECOND, FIRST, SAME]], scores[::-1])
    for name, loss in losses_by_name().items():
        assert float(loss(pairs)) == pytest.approx(float(loss(swapped))), name


def test_margins_and_scales_are_those_of_scores() -> None:
    pairs = judged([[1.0]], [[0.2]], [[FIRST]], [[[4.0]], [[2.5]]])
    assert float(score_margin_loss(pairs)) == pytest.approx(math.log1p(math.exp(-(0.8 - 1.5))))
    assert float(scaled_loss(pairs)) == pytest.approx(1.5 * math.log1p(math.exp(-0.8)))
    assert float(constant_margin_loss(pairs, margin=0.5)) == pytest.approx(math.log1p(math.exp(-0.3)))
    assert float(constant_margin_loss(pairs, margin=0.0)) == pytest.approx(float(bradley_terry_loss(pairs)))
    assert float(regression_loss(pairs)) == pytest.approx((0.0**2 + 0.7**2) / 2)


def test_what_is_not_judged_counts_as_zero_and_has_no_gradient() -> None:
    pairs = judged([[1.0, 0.5], [2.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]], [[FIRST, SAME], [INVALID, INVALID]])
    pairs.first_rewards.requires_grad_()
    ties_loss(pairs).backward()
    assert pairs.first_rewards.grad.ne(0).tolist() == [[True, True], [False, False]]
    assert float(bradley_terry_loss(pairs).detach()) == pytest.approx(math.log1p(math.exp(-1.0)) / 4)


def test_gradients_are_those_of_differences() -> None:
    labels = torch.tensor([[FIRST, SECOND, SAME]])
    rewards = torch.tensor([[0.3, -0.2, 0.9]], dtype=torch.float64, requires_grad=True)

    def loss(first: Any) -> Any:
        return ties_loss(JudgedPairs(first_rewards=first, second_rewards=torch.zeros_like(first), labels=labels))

    assert torch.autograd.gradcheck(loss, rewards)


def test_accuracy_is_of_each_dimension_and_without_what_is_not_judged() -> None:
    pairs = judged(
        [[1.0, 0.0], [0.1, 3.0], [9.0, 0.0]], [[0.0, 1.0]] * 3, [[FIRST, FIRST], [SAME, FIRST], [INVALID, SAME]]
    )
    first, second = pair_accuracies(pairs)
    assert (first.pairs, first.with_ties, first.without_ties, first.tie_threshold) == (2, 1.0, 1.0, pytest.approx(0.1))
    assert (second.pairs, second.without_ties) == (3, 0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: judged([[1.0]], [[1.0]], [[3]]), DataError, "`labels` has 3; expected 1 for the first clip"),
        (
            lambda: judged([[1.0]], [[1.0, 2.0]], [[1]]),
            DataError,
            r"`second_rewards` has shape \(1, 2\); expected \(1, 1\)",
        ),
        (lambda: judged([[1.0]], [[1.0]], [[1]], [[[1.0]], [1.0]]), DataError, r"`second_scores` has shape \(1,\)"),
        (
            lambda: scaled_loss(judged([[1.0]], [[0.0]], [[1]])),
            DataError,
            "`second_scores` is None; expected the scores",
        ),
        (
            lambda: ties_loss(judged([[1.0]], [[0.0]], [[1]]), k=1.0),
            ConfigError,
            "`k` got 1.0; expected a number above 1",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, error: type[AnisoraError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
