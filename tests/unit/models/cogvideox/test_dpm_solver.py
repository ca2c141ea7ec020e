"""V1's solver against the formulas of its paper written out, and on clips whose distribution is known."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.dpm_solver import clean_of_velocity, dpm_states, dpm_step
from anisora.models.cogvideox.noise_table import V1, NoiseTable

DRAW = np.random.default_rng(4)


def velocities(state: Any, timestep: int) -> tuple[Any, Any]:
    bent = np.tanh(state) * timestep / 1000
    return bent, bent + 0.2


def slow(noise: Any, step_noise: Any, steps: int) -> list[Any]:
    """The release's loop, step by step as its description has it."""
    alpha_bar = V1.alpha_bar()

    def stretched(ascending: Any) -> Any:
        roots = np.sqrt(ascending)
        return (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])

    times = list(range(999, -1, -1000 // steps))[:steps]
    a = [*stretched(alpha_bar[times[::-1]])[::-1], 1.0]
    full = stretched(alpha_bar)
    x, before, states = noise, None, []
    for k, t in enumerate(times):
        nearest = full[np.argmin(np.abs(full - a[k]))]
        u, c = velocities(x, t)
        g = 1 + 6 * (1 - math.cos(math.pi * ((steps - t) / steps) ** 5)) / 2
        x0 = nearest * x - math.sqrt(1 - nearest**2) * (u + g * (c - u))
        if k == steps - 1:
            states.append(x0)
            break
        if k == 0:
            x = a[1] * x0 + math.sqrt(1 - a[1] ** 2) * step_noise[0]
        else:
            lam = [math.log(each / math.sqrt(1 - each**2)) if each else -math.inf for each in a[k - 1 : k + 2]]
            h, r = lam[2] - lam[1], (lam[1] - lam[0]) / (lam[2] - lam[1])
            d = x0 if k == 1 else (1 + 1 / (2 * r)) * x0 - before / (2 * r)
            x = (
                math.sqrt((1 - a[k + 1] ** 2) / (1 - a[k] ** 2)) * math.exp(-h) * x
                + a[k + 1] * (1 - math.exp(-2 * h)) * d
                + math.sqrt(1 - a[k + 1] ** 2) * math.sqrt(1 - math.exp(-2 * h)) * step_noise[k]
            )
        before = x0
        states.append(x)
    return states


@pytest.mark.parametrize("steps", [2, 10, 50])
def test_it_takes_the_steps_of_the_release(steps: int) -> None:
    noise, step_noise = DRAW.standard_normal(5), DRAW.standard_normal((steps, 5))
    found = list(dpm_states(velocities, noise, step_noise, steps))
    np.testing.assert_allclose(found, slow(noise, step_noise, steps), atol=1e-9)


def test_the_last_step_draws_no_noise_and_others_need_theirs() -> None:
    noise, step_noise = DRAW.standard_normal(3), DRAW.standard_normal((10, 3))
    whole, short = (list(dpm_states(velocities, noise, each, 10)) for each in (step_noise, step_noise[:9]))
    np.testing.assert_array_equal(whole, short)
    with pytest.raises(ConfigError, match="`step_noise` has 8 entries; expected 9, one for each step but the last"):
        next(dpm_states(velocities, noise, step_noise[:8], 10))


def test_a_velocity_tells_the_clean_point() -> None:
    clean, noise, level = DRAW.standard_normal(4), DRAW.standard_normal(4), 0.6
    state, velocity = level * clean + 0.8 * noise, level * noise - 0.8 * clean
    np.testing.assert_allclose(clean_of_velocity(state, velocity, level), clean)


def test_one_clean_point_is_reached_from_anywhere() -> None:
    goal = np.array([0.3, -2.0])

    def towards(state: Any, timestep: int) -> tuple[Any, Any]:
        level = V1.denoiser_levels()[np.argmin(np.abs(V1.timesteps(1000)[::-1] - timestep))]
        velocity = (level * state - goal) / math.sqrt(1 - level**2)
        return velocity, velocity

    *_, last = dpm_states(towards, DRAW.standard_normal(2), DRAW.standard_normal((50, 2)), 50)
    np.testing.assert_allclose(last, goal, atol=2e-2)


def test_steps_keep_the_spread_of_a_known_distribution() -> None:
    # Clean points of unit variance: every level has unit variance, and the best clean point is level * state.
    state, levels = DRAW.standard_normal(200_000), V1.solver_levels(50)
    before = None
    for level, following in pairwise(levels[:50]):
        clean = level * state
        state = dpm_step(state, clean, DRAW.standard_normal(state.shape), (level, following), before)
        before = (level, clean)
    assert state.std() == pytest.approx(1, abs=0.02)


def test_the_step_from_noise_alone_has_no_memory() -> None:
    state, clean, noise = DRAW.standard_normal((3, 4))
    first = dpm_step(state, clean, noise, (0.0, 0.3))
    np.testing.assert_allclose(first, 0.3 * clean + math.sqrt(1 - 0.09) * noise)
    second = dpm_step(state, clean, noise, (0.3, 0.5), (0.0, noise))
    np.testing.assert_allclose(second, dpm_step(state, clean, noise, (0.3, 0.5)))
    assert dpm_step(state, clean, None, (0.5, 1.0), (0.3, noise)) is clean


@pytest.mark.parametrize("levels", [(0.5, 0.5), (0.5, 0.3), (-0.1, 0.5), (0.5, 1.1), (1.0, 1.0)])
def test_levels_that_do_not_ascend_are_refused(levels: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="expected two shares of the signal that ascend within 0 to 1"):
        dpm_step(0.0, 0.0, 0.0, levels)


def test_another_table_gives_other_states() -> None:
    noise, step_noise = DRAW.standard_normal(3), DRAW.standard_normal((10, 3))
    table = NoiseTable(shift_scale=3.0)
    default, other = (next(dpm_states(velocities, noise, step_noise, 10, table=each)) for each in (None, table))
    assert not np.allclose(default, other)
