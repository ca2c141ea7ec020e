"""Searches the few levels of noise whose Euler steps stay nearest to a teacher's many: optimal step size, OSS.

A dynamic program over the student's steps. After each number of steps it holds, for every level of the teacher, the
nearest state that a student reached there and from which level it came; one more step is tried from every such state
to every lower level. What a step costs is how far it ends from the teacher's own state at that level.

Reference: anisoraV2_gpu/OSS/OSS.py (search_OSS_video), anisoraV2_gpu/get-med.py (calculate_median).
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import ConfigError
from anisora.models.wan.flow_schedule import euler_states, euler_step

if TYPE_CHECKING:
    import torch

__all__ = ["FoundSteps", "Velocity", "median_steps", "search_steps", "teacher_states"]

Velocity = Callable[["torch.Tensor", float], "torch.Tensor"]
"""(state, sigma) -> the network's prediction, guidance included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSteps:
    """What a search found."""

    steps: tuple[int, ...]
    """Indices of the teacher's levels, ascending. Fewer than asked for where fewer come as near. The last one may be
    below the teacher's highest level: at the start every level holds the same noise."""
    cost: float
    """How far the student's result is from the teacher's: the mean of ``|difference| ** norm``."""


def teacher_states(velocity: Velocity, noise: "torch.Tensor", sigmas: Sequence[float]) -> "list[torch.Tensor]":
    """Return the states of the teacher at all its levels, in their order.

    Args:
        velocity: The network.
        noise: (1, C, F, h, w), the state at the highest level.
        sigmas: All levels, ascending from 0.
    """
    descending = list(sigmas[:0:-1])
    return [noise, *euler_states(velocity, noise, descending)][::-1]


def search_steps(
    velocity: Velocity,
    noise: "torch.Tensor",
    sigmas: Sequence[float],
    student_steps: int,
    *,
    frames: int | None = None,
    channels: int | None = None,
    norm: float = 2.0,
) -> FoundSteps:
    """Search the steps of a student for one prompt and one noise.

    Args:
        velocity: The network; it is asked at most ``(student_steps + 1) * teacher's steps`` times.
        noise: (1, C, F, h, w).
        sigmas: All levels of the teacher, ascending from 0.
        student_steps: How many steps the student takes.
        frames: Costs are of so many frames, evenly spread from first to last; None takes all.
        channels: Costs are of the first so many channels; None takes all.
        norm: Of the difference; no root is taken.

    Raises:
        ConfigError: The levels do not ascend from 0, the student takes no step or more than the teacher, or there are
            not as many frames or channels.
    """
    levels = [float(sigma) for sigma in sigmas]
    _check(levels, student_steps, noise, frames, channels)
    teacher = [_selected(state, frames, channels) for state in teacher_states(velocity, noise, levels)]
    highest = len(levels) - 1
    states = [noise] * (highest + 1)
    costs = [math.inf] * (highest + 1)
    origins: list[int | None] = [None] * (highest + 1)
    is_new = [True] * (highest + 1)
    history = []
    for _ in range(student_steps):
        reached, changed = list(states), [False] * (highest + 1)
        for start in range(highest, 0, -1):
            if not is_new[start]:
                continue  # all its steps were tried, and only a smaller cost replaces one
            direction = velocity(states[start], levels[start])
            for end in range(start):
                state = euler_step(states[start], direction, levels[start], levels[end])
                difference = _selected(state, frames, channels) - teacher[end]
                cost = float((difference.abs() ** norm).mean())
                if cost < costs[end]:
                    costs[end], origins[end] = cost, start
                    reached[end], changed[end] = state, True
        states, is_new = reached, changed
        history.append(list(origins))
    return FoundSteps(steps=_traced(history), cost=costs[0])


def _traced(history: Sequence[Sequence[int | None]]) -> tuple[int, ...]:
    """Follow the origins from the clean end back to noise."""
    steps: list[int] = []
    for origins in reversed(history):
        origin = origins[steps[-1] if steps else 0]
        if origin is None:
            break
        steps.append(origin)
    return tuple(steps)


def _selected(state: "torch.Tensor", frames: int | None, channels: int | None) -> "torch.Tensor":
    import torch

    state = state[:, :channels]
    if frames is None:
        return state
    return state[:, :, torch.linspace(0, state.shape[2] - 1, frames).long().to(state.device)]


def _check(levels: Sequence[float], student_steps: int, noise: Any, frames: int | None, channels: int | None) -> None:  # noqa: ANN401
    ascends = all(low < high for low, high in pairwise(levels))
    if len(levels) < 2 or levels[0] != 0 or not ascends:
        raise ConfigError(
            f"`sigmas` has {len(levels)} levels; expected two or more that ascend from 0. "
            "Take them from teacher_sigmas()."
        )
    if not 1 <= student_steps < len(levels):
        raise ConfigError(
            f"`student_steps` got {student_steps}; expected 1 to {len(levels) - 1}, the steps of the teacher. "
            "Ask for fewer."
        )
    if noise.ndim != 5:
        raise ConfigError(f"`noise` has shape {tuple(noise.shape)}; expected (1, C, F, h, w). Add what is missing.")
    for name, asked, there in (("frames", frames, noise.shape[2]), ("channels", channels, noise.shape[1])):
        if asked is not None and not 1 <= asked <= there:
            raise ConfigError(f"`{name}` got {asked}; expected 1 to {there}, those of the noise. Ask for fewer.")


def median_steps(runs: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the median of the lists of several searches, place by place.

    Of an even number of lists the lower of the two middle ones counts, so that every step is one that was found.

    Args:
        runs: Lists of one length.

    Raises:
        ConfigError: There is none, or the lengths differ.

    Example:
        >>> median_steps([[1, 5, 9], [2, 4, 9], [2, 7, 8]])
        (2, 5, 9)
    """
    lengths = sorted({len(run) for run in runs})
    if len(lengths) != 1:
        raise ConfigError(
            f"`runs` has {len(runs)} lists of lengths {lengths}; expected at least one list, all of one length. "
            "Search again with as many student steps."
        )
    return tuple(int(statistics.median_low(place)) for place in zip(*runs, strict=True))
