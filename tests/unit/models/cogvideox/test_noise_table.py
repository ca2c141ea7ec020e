"""V1's tables against the definition of betas in a plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.dynamic_guidance import dynamic_guidance
from anisora.models.cogvideox.noise_table import V1, NoiseTable, nearest_entry, zero_snr


def test_alpha_bar_is_the_product_of_what_each_step_leaves() -> None:
    kept, found = 1.0, []
    for step in range(1000):
        root = math.sqrt(0.00085) + step / 999 * (math.sqrt(0.012) - math.sqrt(0.00085))
        kept *= 1 - root**2
        found.append(kept)
    np.testing.assert_allclose(V1.alpha_bar(), found, rtol=1e-12)
    assert V1.denoiser_levels()[0] ** 2 == pytest.approx(0.99915)


def test_a_shift_divides_the_signal_to_noise_ratio() -> None:
    def ratio(table: NoiseTable) -> np.ndarray:
        return table.alpha_bar() / (1 - table.alpha_bar())

    np.testing.assert_allclose(ratio(NoiseTable(shift_scale=3.0)), ratio(V1) / 3, rtol=1e-9)


@given(steps=st.integers(2, 1000))
def test_both_tables_end_without_signal_and_keep_their_cleanest_level(steps: int) -> None:
    levels, timesteps = V1.solver_levels(steps), V1.timesteps(steps)
    assert len(levels) == steps + 1
    assert (levels[0], levels[-1]) == (0, 1)
    assert (np.diff(levels) > 0).all()
    assert levels[-2] == pytest.approx(math.sqrt(V1.alpha_bar()[timesteps[-1]]))
    assert timesteps[0] == 999
    assert (np.diff(timesteps) < 0).all()
    assert timesteps[-1] >= 0


@pytest.mark.parametrize(
    ("steps", "first"), [(50, [999, 979, 959]), (10, [999, 899, 799]), (30, [999, 965, 932]), (1000, [999, 998, 997])]
)
def test_timesteps_are_equal_parts_of_the_last_one_cut(steps: int, first: list[int]) -> None:
    assert V1.timesteps(steps)[:3].tolist() == first
    exact = [999 - 999 * step / steps for step in range(steps)]
    if steps < 1000:
        assert V1.timesteps(steps).tolist() == [math.floor(each + 1e-9) for each in exact]


def test_the_two_tables_differ_where_the_levels_are_the_same() -> None:
    solver, known = V1.solver_levels(50)[:-1], V1.denoiser_levels()
    same = np.abs(solver - known[V1.timesteps(50)])
    assert 1e-4 < same.max() < 1e-3
    nearest = [nearest_entry(known, level) for level in solver]
    assert np.abs(solver - nearest).max() < same.max()


def test_all_levels_of_training_are_both_tables() -> None:
    np.testing.assert_allclose(V1.solver_levels(1000)[:-1], V1.denoiser_levels()[::-1], atol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 1001])
def test_other_numbers_of_steps_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=f"`steps` got {steps}; expected 2 to 1000"):
        V1.solver_levels(steps)


def test_a_table_of_one_level_cannot_be_stretched() -> None:
    with pytest.raises(ConfigError, match="`levels` has 1 entries"):
        zero_snr(np.array([0.5]))
    with pytest.raises(ConfigError, match="two or more different ones"):
        zero_snr(np.array([0.5, 0.5]))


def test_guidance_is_erratic_as_the_release_has_it() -> None:
    found = [dynamic_guidance(timestep, 50) for timestep in V1.timesteps(50).tolist()]
    assert np.mean(found) == pytest.approx(3.815, abs=1e-3)
    assert 1 <= min(found) < 1.001
    assert 6.999 < max(found) <= 7


def test_guidance_of_the_index_of_a_step_would_fall_smoothly() -> None:
    found = [dynamic_guidance(step, 50) for step in range(51)]
    assert (found[0], found[50]) == (7, 1)
    assert found == sorted(found, reverse=True)
    assert dynamic_guidance(0, 50, scale=2.0, exponent=1.0) == 3
