"""The clipped loss where its gradient flows and where it stops, and the penalty for leaving a reference."""

import math
from dataclasses import replace
from typing import Any

import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.grpo.policy import (  # noqa: E402
    ReferencePenalty,
    clipped_losses,
    policy_loss,
    reference_penalties,
)

GENERATOR = torch.Generator().manual_seed(4)
ADVANTAGES = torch.tensor([1.5, -0.5, 2.0, -1.0], dtype=torch.float64)
OLD = torch.tensor([-1.2, -0.9, -1.0, -1.1], dtype=torch.float64)
CHANGE = torch.tensor([0.3, 0.3, -0.3, -0.3], dtype=torch.float64)
MEAN, REFERENCE = torch.randn(2, 4, 3, 2, dtype=torch.float64, generator=GENERATOR)
PENALTY = ReferencePenalty(mean=MEAN, reference_mean=REFERENCE, diffusion=torch.tensor([0.5, 1, 2, 4.0]), beta=0.1)


def test_before_the_first_update_it_is_the_policy_gradient() -> None:
    new = OLD.clone().requires_grad_()
    found = policy_loss(ADVANTAGES, new, OLD)
    found.loss.backward()
    assert float(found.loss.detach()) == pytest.approx(-float(ADVANTAGES.mean()))
    torch.testing.assert_close(new.grad, -ADVANTAGES / 4)
    assert [float(each) for each in (found.approx_kl, found.clipfrac)] == [0, 0]
    assert found.kl_loss is None


def test_beyond_the_range_only_what_leads_back_has_a_gradient() -> None:
    new = (OLD + CHANGE).requires_grad_()
    losses = clipped_losses(ADVANTAGES, new, OLD, clip_range=0.2)
    losses.sum().backward()
    ratio = CHANGE.exp()
    torch.testing.assert_close(losses[0], torch.tensor(-1.5 * 1.2, dtype=torch.float64))
    torch.testing.assert_close(losses[3], torch.tensor(1.0 * 0.8, dtype=torch.float64))
    torch.testing.assert_close(losses[1:3], -(ADVANTAGES * ratio)[1:3])
    assert new.grad.ne(0).tolist() == [False, True, True, False]


def test_the_gradient_is_that_of_differences() -> None:
    new = (OLD + CHANGE).requires_grad_()
    assert torch.autograd.gradcheck(lambda each: policy_loss(ADVANTAGES, each, OLD, clip_range=0.2).loss, new)


def test_the_penalty_is_the_divergence_of_two_normal_steps_of_length_one() -> None:
    deviation = PENALTY.diffusion.double().view(-1, 1, 1)
    ours, theirs = (torch.distributions.Normal(each, deviation) for each in (MEAN, REFERENCE))
    divergence = torch.distributions.kl_divergence(ours, theirs).mean((1, 2))
    torch.testing.assert_close(reference_penalties(MEAN, REFERENCE, PENALTY.diffusion), divergence)
    with_penalty, without = policy_loss(ADVANTAGES, OLD, OLD, penalty=PENALTY), policy_loss(ADVANTAGES, OLD, OLD)
    assert with_penalty.kl_loss is not None
    assert float(with_penalty.kl_loss) == pytest.approx(float(divergence.mean()))
    assert float(with_penalty.loss - without.loss) == pytest.approx(0.1 * float(divergence.mean()))
    assert float(with_penalty.policy_loss) == float(without.policy_loss)


def test_the_penalty_pulls_towards_the_reference() -> None:
    mean = MEAN.clone().requires_grad_()
    policy_loss(ADVANTAGES, OLD, OLD, penalty=replace(PENALTY, mean=mean)).loss.backward()
    assert torch.equal(mean.grad.sign(), (MEAN - REFERENCE).sign())


def test_what_is_logged_has_no_gradient_and_is_counted_on_both_sides() -> None:
    change = torch.tensor([0.3, 0.0, -0.5, 0.1], dtype=torch.float64)
    found = policy_loss(ADVANTAGES, (OLD + change).requires_grad_(), OLD, clip_range=0.2, parts=8)
    logged = (found.clipfrac, found.clipfrac_gt_one, found.clipfrac_lt_one, found.approx_kl)
    assert [float(each) for each in logged] == pytest.approx([0.5, 0.25, 0.25, float((change**2).mean()) / 2])
    assert not any(each.requires_grad for each in (*logged, found.policy_loss))
    assert float(found.loss.detach()) == pytest.approx(float(found.policy_loss) / 8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: clipped_losses(ADVANTAGES, OLD, OLD, clip_range=0),
            ConfigError,
            "`clip_range` got 0; expected between",
        ),
        (
            lambda: policy_loss(ADVANTAGES, OLD[:2], OLD),
            DataError,
            r"have shapes \(4,\), \(2,\) and \(4,\); expected one",
        ),
        (lambda: policy_loss(ADVANTAGES, OLD, OLD, parts=0), ConfigError, "`parts` got 0 and `beta` None"),
        (
            lambda: policy_loss(ADVANTAGES, OLD, OLD, penalty=replace(PENALTY, beta=0.0)),
            ConfigError,
            "`beta` 0.0; expected 1 or more and a positive number",
        ),
        (
            lambda: reference_penalties(MEAN, REFERENCE[:, :1], PENALTY.diffusion),
            DataError,
            r"`reference_mean` has shape \(4, 1, 2\); expected \(4, 3, 2\)",
        ),
        (lambda: reference_penalties(MEAN, REFERENCE, torch.ones(3)), DataError, r"`level` has shape \(3,\)"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, error: type[AnisoraError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_ratio_is_not_lost_to_small_differences() -> None:
    new = OLD.float() + 1e-5
    assert float(policy_loss(ADVANTAGES.float(), new, OLD.float()).clipfrac) == 0
    assert math.isclose(float(policy_loss(ADVANTAGES, OLD + 2e-4, OLD).clipfrac), 1.0)
