import numpy as np
import pytest

from anisora.harness.errors import ConfigError

pytest.importorskip("torch")
from anisora.training.grpo.noise_levels import dance_grpo_sigmas, flow_grpo_sigmas


@pytest.mark.parametrize("levels", [flow_grpo_sigmas, dance_grpo_sigmas])
def test_levels_fall_from_one_to_zero(levels: object) -> None:
    assert callable(levels)
    found = levels(9, shift=4.0)
    assert (len(found), found[0], found[-1]) == (10, 1, 0)
    assert (np.diff(found) < 0).all()


def test_equal_steps_are_shifted() -> None:
    np.testing.assert_allclose(dance_grpo_sigmas(4, shift=1.0), [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(dance_grpo_sigmas(2, shift=7.0), [1, 7 / 8, 0])
    lowest = 3 * 0.001 / 1.002
    np.testing.assert_allclose(flow_grpo_sigmas(2, shift=3.0), [1, 3 * lowest / (1 + 2 * lowest), 0], rtol=1e-6)


def test_no_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="`steps` got 0"):
        flow_grpo_sigmas(0)
