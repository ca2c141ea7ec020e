import numpy as np
import pytest

from anisora.harness.errors import ConfigError
from anisora.models.wan.flow_schedule import flow_sigmas
from anisora.models.wan.step_lists import STEP_LISTS, student_sigmas, teacher_sigmas

pytest.importorskip("torch")


@pytest.mark.parametrize("name", STEP_LISTS)
def test_published_lists_are_levels_of_their_teacher_from_noise_down(name: str) -> None:
    sigmas = STEP_LISTS[name].sigmas()
    assert len(sigmas) == len(STEP_LISTS[name].steps)
    assert sigmas[0] == 1
    assert (np.diff(sigmas) < 0).all()
    assert np.isin(sigmas, teacher_sigmas(96, 5.0)).all()


def test_the_released_list_is_the_one_of_the_documentation() -> None:
    first, *_, last = STEP_LISTS["v2_16"].sigmas()
    assert len(STEP_LISTS["v2_16"].steps) == 16
    assert (first, round(float(last), 6)) == (1.0, 0.096154)


def test_all_steps_of_the_teacher_are_its_own_levels() -> None:
    found = student_sigmas(range(1, 13), 12, 3.0)
    np.testing.assert_allclose(found, flow_sigmas(12, shift=3.0), atol=1e-6)
    assert teacher_sigmas(12, 3.0)[[0, 12]].tolist() == [0, 1]


@pytest.mark.parametrize("steps", [[], [0, 5], [5, 5], [5, 4], [5, 97], [-1]])
def test_what_is_no_list_of_the_teacher_is_refused(steps: list[int]) -> None:
    with pytest.raises(ConfigError, match="expected indices that ascend from 1 or more to at most 96") as caught:
        student_sigmas(steps, 96, 5.0)
    assert f"`steps` got {steps}" in str(caught.value)


def test_a_teacher_without_steps_is_refused() -> None:
    with pytest.raises(ConfigError, match="`teacher_steps` got 0"):
        teacher_sigmas(0, 5.0)
