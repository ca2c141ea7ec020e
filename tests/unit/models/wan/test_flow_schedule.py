"""Levels and weights of flow matching against exact fractions, and steps on flows whose end is known."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError
from anisora.models.guidance import guided
from anisora.models.wan.flow_schedule import euler_states, flow_sigmas, shifted, training_weights

pytest.importorskip("torch")


@given(steps=st.integers(1, 200), shift=st.integers(1, 12))
def test_levels_are_shifted_fractions(steps: int, shift: int) -> None:
    found = flow_sigmas(steps, shift=shift)
    parts = [Fraction(steps - step, steps) for step in range(steps)]
    np.testing.assert_allclose(found, [float(shift * u / (1 + (shift - 1) * u)) for u in parts], atol=3e-7)
    assert found.dtype == np.float32
    assert found[0] == 1
    assert (np.diff(found) < 0).all()


def test_the_lowest_level_is_asked_only_without_the_extra_step() -> None:
    np.testing.assert_allclose(flow_sigmas(4, shift=1, extra_one_step=False), [1, 2 / 3, 1 / 3, 0], atol=1e-7)
    np.testing.assert_allclose(flow_sigmas(2, shift=1, sigma_min=0.5), [1, 0.75])
    np.testing.assert_allclose(flow_sigmas(2, shift=3, sigma_min=0.5, extra_one_step=False), [1, 0.75])


@given(first=st.floats(0.1, 9), second=st.floats(0.1, 9))
def test_two_shifts_are_one_by_their_product(first: float, second: float) -> None:
    levels = np.linspace(0, 1, 9)
    np.testing.assert_allclose(shifted(shifted(levels, first), second), shifted(levels, first * second), atol=1e-12)


@pytest.mark.parametrize("shift", [0, -1, float("nan")])
def test_a_shift_that_is_none_is_refused(shift: float) -> None:
    with pytest.raises(ConfigError, match=f"`shift` got {shift!r}; expected a positive number"):
        flow_sigmas(4, shift=shift)


def test_no_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="`steps` got 0; expected 1 or more"):
        flow_sigmas(0, shift=5)


def test_weights_are_a_bell_with_mean_1_and_lowest_0() -> None:
    timesteps = flow_sigmas(1000, shift=5) * 1000
    weights = training_weights(timesteps)
    assert weights.mean() == pytest.approx(1)
    assert weights.min() == 0
    assert weights.max() == pytest.approx(2.076, abs=1e-3)
    assert timesteps[weights.argmax()] == pytest.approx(500, abs=2)
    # Its width, from the ratio of two heights above the lowest.
    lowest = np.exp(-2 * ((timesteps.min() - 500) / 1000) ** 2), np.exp(-2 * 0.5**2)
    bell = np.exp(-2 * (timesteps.astype(float) / 1000 - 0.5) ** 2) - min(lowest)
    np.testing.assert_allclose(weights, bell / bell.mean(), atol=1e-9)


@pytest.mark.parametrize("count", [0, 1])
def test_no_table_has_no_weights(count: int) -> None:
    with pytest.raises(ConfigError, match=f"`timesteps` has {count} entries of one weight"):
        training_weights(np.ones(count))


@given(steps=st.integers(1, 20), shift=st.floats(0.5, 8), seed=st.integers(0, 99))
def test_a_straight_flow_ends_at_its_clean_point_after_any_steps(steps: int, shift: float, seed: int) -> None:
    noise, clean = np.random.default_rng(seed).standard_normal((2, 5))
    sigmas = flow_sigmas(steps, shift=shift).tolist()
    states = list(euler_states(lambda *_: noise - clean, noise, sigmas))
    assert len(states) == steps
    np.testing.assert_allclose(states[-1], clean, atol=1e-6)  # levels are in single precision


def test_the_network_is_asked_at_every_level_with_the_state_there() -> None:
    asked = []

    def velocity(state: float, sigma: float) -> float:
        asked.append((state, sigma))
        return 2.0

    assert list(euler_states(velocity, 1.0, [1.0, 0.5, 0.25])) == [0.0, -0.5, -1.0]
    assert asked == [(1.0, 1.0), (0.0, 0.5), (-0.5, 0.25)]


def test_guidance_goes_from_one_prediction_through_the_other() -> None:
    assert [guided(1.0, 3.0, scale) for scale in (0, 1, 5)] == [1.0, 3.0, 11.0]
