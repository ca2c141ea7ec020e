"""Steps with noise: their formulas, their densities, and the distributions that they keep."""

import math
from itertools import pairwise
from typing import Any

import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.grpo.noise_levels import dance_grpo_sigmas  # noqa: E402
from anisora.training.grpo.sde_step import clean_of_flow, dance_grpo_step, flow_grpo_step  # noqa: E402

GENERATOR = torch.Generator().manual_seed(2)
STATE, VELOCITY, NEXT, NOISE = torch.randn(4, 2, 3, 4, dtype=torch.float64, generator=GENERATOR)
SIGMA, NEXT_SIGMA = torch.tensor([1.0, 0.6], dtype=torch.float64), torch.tensor([0.9, 0.0], dtype=torch.float64)


def flow(state: Any, velocity: Any, sigma: Any, following: Any, **options: float) -> Any:
    return flow_grpo_step(state, velocity, sigma, following, sigma_for_one=0.9, **options)


@pytest.mark.parametrize("place", [0, 1])
def test_flow_grpo_takes_the_step_of_its_description(place: int) -> None:
    step = flow(STATE, VELOCITY, SIGMA, NEXT_SIGMA)
    s, d = float(SIGMA[place]), float(NEXT_SIGMA[place] - SIGMA[place])
    g = 0.7 * math.sqrt(s / (1 - (0.9 if s == 1 else s)))
    x, v = STATE[place], VELOCITY[place]
    torch.testing.assert_close(step.mean[place], x * (1 + g**2 / (2 * s) * d) + v * (1 + g**2 * (1 - s) / (2 * s)) * d)
    assert float(step.diffusion[place]) == pytest.approx(g)
    assert float(step.deviation[place]) == pytest.approx(g * math.sqrt(-d))


@pytest.mark.parametrize("place", [0, 1])
def test_dance_grpo_takes_the_step_of_its_description(place: int) -> None:
    straight, step = (dance_grpo_step(STATE, VELOCITY, SIGMA, NEXT_SIGMA, follows_score=each) for each in (False, True))
    s, d, x, v = float(SIGMA[place]), float(NEXT_SIGMA[place] - SIGMA[place]), STATE[place], VELOCITY[place]
    torch.testing.assert_close(straight.mean[place], x + d * v)
    score = -(x - (x - s * v) * (1 - s)) / s**2
    torch.testing.assert_close(step.mean[place], x + d * v - 0.5 * 0.3**2 * score * d)
    assert float(step.deviation[place]) == pytest.approx(0.3 * math.sqrt(-d))
    torch.testing.assert_close(clean_of_flow(STATE, VELOCITY, SIGMA)[place], x - s * v)


@pytest.mark.parametrize("take", [flow, dance_grpo_step])
def test_the_density_is_the_normal_ones_as_a_mean_over_values(take: Any) -> None:
    step = take(STATE, VELOCITY, SIGMA, NEXT_SIGMA)
    normal = torch.distributions.Normal(step.mean, step.deviation.view(-1, 1, 1))
    torch.testing.assert_close(step.log_prob(NEXT), normal.log_prob(NEXT).mean((1, 2)))
    torch.testing.assert_close(step.drawn(NOISE), step.mean + step.deviation.view(-1, 1, 1) * NOISE)


@pytest.mark.parametrize("take", [flow, dance_grpo_step])
def test_gradients_reach_the_velocity_and_not_the_drawn_state(take: Any) -> None:
    velocity, state = VELOCITY.clone().requires_grad_(), NEXT.clone().requires_grad_()
    take(STATE, velocity, SIGMA, NEXT_SIGMA).log_prob(state).sum().backward()
    assert state.grad is None
    assert bool(velocity.grad.ne(0).all())
    assert torch.autograd.gradcheck(
        lambda each: take(STATE[:, :1], each, SIGMA, NEXT_SIGMA).log_prob(NEXT[:, :1]), velocity[:, :1]
    )


@pytest.mark.parametrize("take", [flow, dance_grpo_step])
def test_one_level_for_all_is_that_level_for_each_and_half_precision_is_left(take: Any) -> None:
    one, each = (take(STATE, VELOCITY, s, n) for s, n in ((0.5, 0.25), (torch.full((2,), 0.5), torch.full((2,), 0.25))))
    torch.testing.assert_close(one.mean, each.mean)
    torch.testing.assert_close(one.deviation, each.deviation)
    half = take(STATE.bfloat16(), VELOCITY.bfloat16(), 0.5, 0.25)
    assert (half.mean.dtype, half.log_prob(NEXT.bfloat16()).dtype) == (torch.float32, torch.float32)


def spread_after(take: Any, goal: float) -> tuple[float, float]:
    """Return the deviation of states that started as noise and reached a level, and that of the flow there.

    Clean values are normal around 0 with deviation 1/2, so that the best velocity is known.
    """
    levels = [float(each) for each in dance_grpo_sigmas(100, shift=1.0) if each > goal - 1e-6]
    state = torch.randn(2, 20_000, generator=GENERATOR, dtype=torch.float64)
    for sigma, following in pairwise(levels):
        of_clean = (1 - sigma) * 0.25
        velocity = state * (sigma - of_clean) / ((1 - sigma) * of_clean + sigma**2)
        step = take(state, velocity, sigma, following)
        state = step.drawn(torch.randn(state.shape, generator=GENERATOR, dtype=torch.float64))
    return float(state.std()), math.sqrt(((1 - levels[-1]) / 2) ** 2 + levels[-1] ** 2)


@pytest.mark.parametrize("goal", [0.7, 0.2])
def test_steps_keep_the_distributions_of_the_flow(goal: float) -> None:
    for take in (lambda *each: flow_grpo_step(*each, sigma_for_one=0.99), dance_grpo_step):
        found, expected = spread_after(take, goal)
        assert found == pytest.approx(expected, rel=0.03)


def test_noise_that_nothing_makes_up_for_leaves_them() -> None:
    found, expected = spread_after(lambda *each: dance_grpo_step(*each, follows_score=False, eta=0.7), 0.2)
    assert found > expected * 1.1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: flow(STATE, VELOCITY[:1], 1.0, 0.5),
            DataError,
            r"`velocity` has shape \(1, 3, 4\); expected \(2, 3, 4\)",
        ),
        (
            lambda: flow(STATE, VELOCITY, 0.5, 0.5),
            ConfigError,
            r"`sigma` has 0.5 and `next_sigma` 0.5; expected levels that",
        ),
        (lambda: dance_grpo_step(STATE, VELOCITY, 1.5, 0.5), ConfigError, "`sigma` has 1.5"),
        (lambda: dance_grpo_step(STATE, VELOCITY, 0.5, -0.1), ConfigError, "`next_sigma` -0.1"),
        (
            lambda: dance_grpo_step(STATE, VELOCITY, 0.5, 0.1, eta=0),
            ConfigError,
            "`eta` got 0; expected a positive number",
        ),
        (
            lambda: flow(STATE, VELOCITY, 0.5, 0.1, noise_level=0),
            ConfigError,
            "`sigma_for_one` got 0.9 and `noise_level` 0",
        ),
        (
            lambda: flow_grpo_step(STATE, VELOCITY, 1.0, 0.1, sigma_for_one=1.0),
            ConfigError,
            "`sigma_for_one` got 1.0 .*Take the schedule's second level",
        ),
        (
            lambda: flow(STATE, VELOCITY, 1.0, 0.5).log_prob(NEXT[:, :1]),
            DataError,
            r"`state` has shape \(2, 1, 4\); expected \(2, 3, 4\)",
        ),
        (lambda: flow(STATE, VELOCITY, torch.ones(3), 0.5), DataError, r"`level` has shape \(3,\)"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, error: type[AnisoraError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
