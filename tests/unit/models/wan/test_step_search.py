"""The search against all paths tried one by one, and what it tells of flows with a known answer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError
from anisora.models.wan.step_lists import teacher_sigmas
from anisora.models.wan.step_search import median_steps, search_steps, teacher_states

torch = pytest.importorskip("torch")


def noise_of(seed: int, channels: int = 2, frames: int = 3) -> Any:
    return torch.randn(1, channels, frames, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bent(state: Any, sigma: float) -> Any:
    return torch.tanh(state) * (1 - sigma) + 0.3 * state * sigma


def table(velocity: Any, noise: Any, levels: list[float], steps: int) -> tuple[tuple[int, ...], float]:
    """The dynamic program in full: every step from every state, nothing left out."""
    top = len(levels) - 1
    teacher = [noise]
    for high in range(top, 0, -1):
        teacher.append(teacher[-1] + velocity(teacher[-1], levels[high]) * (levels[high - 1] - levels[high]))
    teacher.reverse()
    states, costs, origins = {j: noise for j in range(top + 1)}, [float("inf")] * (top + 1), [-1] * (top + 1)
    tables = []
    for _ in range(steps):
        fresh = dict(states)
        for i in range(top, 0, -1):
            for j in range(i):
                state = states[i] + velocity(states[i], levels[i]) * (levels[j] - levels[i])
                cost = float(((state - teacher[j]) ** 2).mean())
                if cost < costs[j]:
                    costs[j], origins[j], fresh[j] = cost, i, state
        states = fresh
        tables.append(list(origins))
    path = [0]
    for row in reversed(tables):
        if path[-1] == top:
            break
        path.append(row[path[-1]])
    return tuple(path[1:]), costs[0]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), total=st.integers(2, 9), shift=st.sampled_from([1.0, 3.0, 5.0]), data=st.data())
def test_it_is_the_whole_program(seed: int, total: int, shift: float, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, total))
    levels, noise = teacher_sigmas(total, shift).tolist(), noise_of(seed)
    found = search_steps(bent, noise, levels, steps)
    assert (found.steps, found.cost) == (*table(bent, noise, levels, steps),)


def test_the_teacher_ends_where_its_steps_do() -> None:
    levels, noise = teacher_sigmas(3, 1.0).tolist(), noise_of(1)
    states = teacher_states(bent, noise, levels)
    assert states[3] is noise
    middle = noise - bent(noise, 1.0) / 3
    assert torch.allclose(states[2], middle)
    assert torch.allclose(states[1], middle - bent(middle, levels[2]) / 3)


def test_one_step_reaches_the_end_of_a_straight_flow_and_no_more_are_named() -> None:
    noise, goal = noise_of(2), noise_of(3)
    found = search_steps(lambda *_: noise - goal, noise, teacher_sigmas(6, 5.0).tolist(), 4)
    assert found.cost == pytest.approx(0, abs=1e-20)
    assert 1 <= len(found.steps) <= 4
    assert list(found.steps) == sorted(set(found.steps))


def test_more_steps_never_come_less_near() -> None:
    levels, noise = teacher_sigmas(10, 5.0).tolist(), noise_of(5)
    costs = [search_steps(bent, noise, levels, steps).cost for steps in range(1, 11)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0] / 100


def test_costs_are_of_the_frames_and_channels_asked_for_and_have_no_root() -> None:
    levels, noise = teacher_sigmas(5, 3.0).tolist(), noise_of(7, channels=3, frames=7)

    def velocity(state: Any, sigma: float) -> Any:
        moved = bent(state, sigma)
        moved[:, 2] = 100 * sigma**2
        moved[:, :, [1, 4]] = -100 * sigma**2
        return moved

    quiet = search_steps(velocity, noise, levels, 2, frames=3, channels=2)
    assert quiet.cost < 1 < search_steps(velocity, noise, levels, 2, frames=3).cost
    assert search_steps(velocity, noise, levels, 2, channels=2).cost > 1
    # One step can only start from one of the levels, at each of which there is the noise.
    goal = teacher_states(velocity, noise, levels)[0]
    for norm in (1, 2, 3):
        ends = [noise - velocity(noise, level) * level for level in levels[1:]]
        costs = [float(((end - goal)[:, :2][:, :, [0, 3, 6]].abs() ** norm).mean()) for end in ends]
        assert search_steps(velocity, noise, levels, 1, frames=3, channels=2, norm=norm).cost == min(costs)


def test_the_network_is_asked_no_more_often_than_said() -> None:
    asked = []

    def velocity(state: Any, sigma: float) -> Any:
        asked.append(sigma)
        return bent(state, sigma)

    search_steps(velocity, noise_of(1), teacher_sigmas(8, 5.0).tolist(), 5)
    assert len(asked) <= (5 + 1) * 8
    assert asked[:8] == teacher_sigmas(8, 5.0)[:0:-1].tolist()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"sigmas": [0.1, 1.0]}, "`sigmas` has 2 levels; expected two or more that ascend from 0"),
        ({"sigmas": [0.0]}, "`sigmas` has 1 levels"),
        ({"sigmas": [0.0, 1.0, 0.5]}, "`sigmas` has 3 levels"),
        ({"student_steps": 0}, "`student_steps` got 0; expected 1 to 4"),
        ({"student_steps": 5}, "`student_steps` got 5; expected 1 to 4"),
        ({"frames": 4}, "`frames` got 4; expected 1 to 3"),
        ({"channels": 0}, "`channels` got 0; expected 1 to 2"),
        ({"noise": noise_of(1)[0]}, r"`noise` has shape \(2, 3, 2, 2\)"),
    ],
)
def test_what_cannot_be_searched_is_refused(changed: dict[str, Any], words: str) -> None:
    arguments = {"noise": noise_of(1), "sigmas": teacher_sigmas(4, 5.0).tolist(), "student_steps": 2, **changed}
    with pytest.raises(ConfigError, match=words):
        search_steps(bent, **arguments)


@given(st.lists(st.sets(st.integers(1, 96), min_size=5, max_size=5), min_size=1, max_size=9))
def test_a_median_of_ascending_lists_ascends_and_was_found(runs: list[set[int]]) -> None:
    lists = [sorted(run) for run in runs]
    found = median_steps(lists)
    assert list(found) == sorted(set(found))
    assert all(step in {run[place] for run in lists} for place, step in enumerate(found))


def test_medians_need_lists_of_one_length() -> None:
    assert median_steps([[1, 9], [3, 9], [5, 7], [7, 8]]) == (3, 8)
    with pytest.raises(ConfigError, match=r"`runs` has 2 lists of lengths \[1, 2\]"):
        median_steps([[1], [1, 2]])
    with pytest.raises(ConfigError, match="at least one list"):
        median_steps([])
