"""UniPC against the paper's equations solved as matrices, and its order on a flow whose solution is known."""

import math
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import ConfigError
from anisora.models.wan.experts import expert_letters
from anisora.models.wan.flow_schedule import euler_states, shifted
from anisora.models.wan.unipc import unipc_sigmas, unipc_states, unipc_timesteps


def log_ratio(sigma: float) -> float:
    return math.log((1 - sigma) / sigma)


def phi(order: int, h: float) -> float:
    """The paper's functions of data prediction: the integral that remains of the exponential, by their recursion."""
    value = math.exp(-h)
    for k in range(order):
        value = (1 / math.factorial(k) - value) / h
    return value


def weights(h: float, ratios: list[float]) -> Any:
    """Solve R a = g / B(h) of the paper's equation for the orders there are."""
    orders = range(1, len(ratios) + 1)
    rows = [[(ratio * h) ** (k - 1) for ratio in ratios] for k in orders]
    right = [h**k * math.factorial(k) * phi(k + 1, h) for k in orders]
    return np.linalg.solve(rows, np.array(right) / (1 - math.exp(-h)))


def slow(velocity: Any, state: Any, sigmas: Any) -> list[Any]:
    """Take the steps in the paper's notation, with both systems of equations solved numerically."""
    found, known, start = [], [], state
    for index, sigma in enumerate(sigmas[:-1]):
        clean = state - sigma * velocity(state, sigma)
        if known:
            last, h = known[-1], log_ratio(sigma) - log_ratio(known[-1][0])
            base = sigma / last[0] * start + (1 - sigma) * (1 - math.exp(-h)) * last[1]
            nodes = [((log_ratio(s) - log_ratio(last[0])) / h, m - last[1]) for s, m in (*known[:-1], (sigma, clean))]
            first_order = [0.5] if len(nodes) == 1 else weights(h, [ratio for ratio, _ in nodes])
            total = sum(w * change / ratio for w, (ratio, change) in zip(first_order, nodes, strict=True))
            state = base + (1 - sigma) * (1 - math.exp(-h)) * total
        known = [*known, (sigma, clean)][-2:]
        start, target = state, sigmas[index + 1]
        if target == 0:
            state = clean
        else:
            h = log_ratio(target) - log_ratio(sigma)
            state = target / sigma * start + (1 - target) * (1 - math.exp(-h)) * clean
            if len(known) == 2:
                ratio = (log_ratio(known[0][0]) - log_ratio(sigma)) / h
                state = state + (1 - target) * (1 - math.exp(-h)) * 0.5 * (known[0][1] - clean) / ratio
        found.append(state)
    return found


def bent(state: Any, sigma: float) -> Any:
    return np.tanh(state) * (1.3 - sigma) + math.sin(5 * sigma)


@pytest.mark.parametrize(("steps", "shift"), [(1, 5.0), (2, 5.0), (3, 1.0), (8, 5.0), (40, 3.0)])
def test_it_takes_the_steps_of_the_papers_equations(steps: int, shift: float) -> None:
    noise = np.random.default_rng(1).standard_normal(6)
    sigmas = unipc_sigmas(steps, shift).astype(float)
    levels = iter(sigmas)
    found = list(unipc_states(lambda state, _: bent(state, next(levels)), noise, sigmas, range(steps)))
    np.testing.assert_allclose(found, slow(bent, noise, sigmas), atol=1e-9)


def gaussian(state: Any, sigma: float, spread: float = 0.5) -> Any:
    """The exact velocity where clean points are normal with this spread; the path is known in closed form."""
    variance = (1 - sigma) ** 2 * spread**2 + sigma**2
    return state * (sigma - (1 - sigma) * spread**2) / variance


def last_but_one_error(steps: int, order_of: Any) -> float:
    sigmas = shifted(np.linspace(0.99, 0.0, steps + 1), 1.0)
    levels = iter(sigmas)
    noise = np.array([1.7])
    *_, state, _ = order_of(lambda x, _: gaussian(x, next(levels)), noise, sigmas)
    end = sigmas[-2]
    spread = [math.hypot((1 - sigma) * 0.5, sigma) for sigma in (sigmas[0], end)]
    return float(abs(state - noise * spread[1] / spread[0])[0])


def test_it_is_of_order_2_and_better_than_eulers_steps() -> None:
    def unipc(velocity: Any, noise: Any, sigmas: Any) -> Any:
        return unipc_states(velocity, noise, sigmas, range(len(sigmas) - 1))

    def euler(velocity: Any, noise: Any, sigmas: Any) -> Any:
        return euler_states(velocity, noise, sigmas[:-1].tolist())

    coarse, fine = (last_but_one_error(steps, unipc) for steps in (40, 80))
    assert coarse / fine > 3.4
    assert fine < last_but_one_error(80, euler) / 10


def test_levels_start_below_1_and_end_at_0_and_timesteps_are_cut() -> None:
    sigmas, timesteps = unipc_sigmas(8, 5.0), unipc_timesteps(8, 5.0)
    assert timesteps.tolist() == [999, 972, 937, 892, 833, 749, 624, 416]
    np.testing.assert_allclose(sigmas[[0, 4, 8]], [4.995 / 4.996, 2.4975 / 2.998, 0], atol=1e-7)
    assert expert_letters(timesteps) == "HHHLLLLL"
    assert unipc_timesteps(3, 1.0).tolist() == [999, 666, 333]  # 0.999 is a little more in single precision
    assert unipc_timesteps(1, 5.0, 100).tolist() == [99]


def test_the_boundary_itself_is_high_noise() -> None:
    assert expert_letters([901, 900, 899.9]) == "HHL"
    assert expert_letters([875, 874], 0.875) == "HL"
    assert expert_letters([90, 89], num_train_timesteps=100) == "HL"


@pytest.mark.parametrize(
    ("sigmas", "timesteps"),
    [([0.9, 0.5], [1]), ([1.0, 0.0], [1]), ([0.5, 0.9, 0.0], [1, 2]), ([0.5, 0.0], [1, 2]), ([0.0], [])],
)
def test_levels_that_are_none_are_refused(sigmas: list[float], timesteps: list[int]) -> None:
    with pytest.raises(ConfigError, match=f"`sigmas` has {len(sigmas)} levels and `timesteps` {len(timesteps)} ent"):
        next(unipc_states(lambda state, _: state, 1.0, sigmas, timesteps))


def test_no_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="`steps` got 0; expected 1 or more"):
        unipc_sigmas(0, 5.0)
