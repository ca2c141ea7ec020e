"""Lists of steps that distil V2 without changing a weight: a few of the teacher's levels of noise.

The teacher takes equal Euler steps before the shift. A list holds indices of its levels in ascending order: 0 is the
clean end, the number of its steps is noise alone.

Reference: anisoraV2_gpu/OSS/OSS.py (infer_OSS), anisoraV2_gpu/wan/image2video_mdinfer_oss_stu.py (the lists).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError
from anisora.models.wan.flow_schedule import shifted

__all__ = ["STEP_LISTS", "StepList", "student_sigmas", "teacher_sigmas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepList:
    """A list that a search found, and what it was found for."""

    steps: tuple[int, ...]
    """Ascending."""
    teacher_steps: int = 96
    shift: float = 5.0

    def sigmas(self) -> NDArray[np.float64]:
        """Return the levels at which the network is asked, descending."""
        return student_sigmas(self.steps, self.teacher_steps, self.shift)


STEP_LISTS: Final[dict[str, StepList]] = {
    "v2_16": StepList(steps=(2, 5, 11, 21, 36, 49, 63, 71, 80, 84, 87, 89, 92, 94, 95, 96)),
    "v2_16_alternative": StepList(steps=(2, 6, 14, 28, 44, 56, 66, 74, 79, 84, 87, 90, 93, 94, 95, 96)),
    "v2_12_544p": StepList(steps=(5, 20, 54, 63, 71, 79, 82, 87, 91, 94, 95, 96)),
}
"""The lists that were published; the first one is the release's."""


def teacher_sigmas(teacher_steps: int, shift: float) -> NDArray[np.float64]:
    """Return all levels of a teacher, ascending from 0 to 1.

    Args:
        teacher_steps: How many steps it takes.
        shift: Positive.

    Returns:
        (teacher_steps + 1,).

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    if teacher_steps < 1:
        raise ConfigError(f"`teacher_steps` got {teacher_steps}; expected 1 or more. The released lists have 96.")
    return shifted(np.linspace(0.0, 1.0, teacher_steps + 1), shift)


def student_sigmas(steps: Sequence[int], teacher_steps: int, shift: float) -> NDArray[np.float64]:
    """Return the levels at which a student's network is asked, descending; its last step goes to 0.

    Args:
        steps: Indices of the teacher's levels, ascending.
        teacher_steps: How many steps the teacher takes.
        shift: Positive.

    Returns:
        (len(steps),).

    Raises:
        ConfigError: The indices do not ascend from 1 or more to at most ``teacher_steps``.
    """
    ascends = all(low < high for low, high in pairwise(steps))
    if not steps or not ascends or steps[0] < 1 or steps[-1] > teacher_steps:
        raise ConfigError(
            f"`steps` got {list(steps)}; expected indices that ascend from 1 or more to at most {teacher_steps}, the "
            "steps of the teacher. Take a list of STEP_LISTS or search one."
        )
    return teacher_sigmas(teacher_steps, shift)[list(steps)[::-1]]
