"""Frame sampling: each rule against a plain restatement of it."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError
from anisora.harness.media.sampling import sample_indices
from anisora.harness.types import FrameSampling

LENGTHS = st.integers(1, 500)
COUNTS = st.integers(1, 64)


def indices(
    mode: str, num_frames: int, fps: float = 24.0, positions: tuple[float, ...] = (), **number: float
) -> list[int]:
    sampling = FrameSampling(mode=mode, **number)  # type: ignore[arg-type]
    return sample_indices(sampling, num_frames=num_frames, fps=fps, positions=positions).tolist()


def test_all_is_every_frame() -> None:
    assert indices("all", 5) == [0, 1, 2, 3, 4]


def test_no_frames_give_no_indices() -> None:
    assert indices("uniform", 0, count=8) == []


def test_the_clip_of_the_reward_is_24_of_the_first_144_frames() -> None:
    assert indices("reward", 5) == [0, 1, 2, 3, 4]
    assert indices("reward", 49) == list(range(0, 48, 2))
    assert indices("reward", 400) == list(range(0, 144, 6))


def test_middle_gives_the_example_of_vbench() -> None:
    assert indices("middle", 49, count=8) == [2, 8, 14, 20, 26, 32, 38, 45]
    assert indices("middle", 16, count=8) == [0, 2, 4, 6, 8, 10, 12, 14]


@given(LENGTHS, COUNTS)
@example(250, 38)
def test_middle_is_the_middle_of_equal_parts_with_the_reference_roundings(n: int, count: int) -> None:
    parts = min(count, n)
    # In floating point, as the reference: 19 * (250 / 38) is just below 125, and its edge 124.
    edges = [int(i * (n / parts)) for i in range(parts)] + [n]
    assert indices("middle", n, count=count) == [(a + b - 1) // 2 for a, b in pairwise(edges)]


@given(LENGTHS, COUNTS)
def test_uniform_rounds_halves_to_even_and_holds_both_ends(n: int, count: int) -> None:
    steps = range(count) if count > 1 else [0]
    expected = {round(Fraction(i * (n - 1), max(count - 1, 1))) for i in steps}
    assert indices("uniform", n, count=count) == sorted(expected)


@given(LENGTHS, st.integers(1, 40))
def test_stride_starts_with_the_first_frame(n: int, stride: int) -> None:
    assert indices("stride", n, stride=stride) == list(range(0, n, stride))


@given(LENGTHS, st.sampled_from([8.0, 12.0, 16.0, 24.0, 30.0]), st.sampled_from([1.0, 2.0, 4.0, 8.0, 15.0]))
def test_fps_takes_the_frame_nearest_to_each_tick(n: int, fps: float, wanted: float) -> None:
    step = max(Fraction(fps) / Fraction(wanted), Fraction(1))
    ticks = {round(k * step) for k in range(n + 1)}
    sampling = FrameSampling(mode="fps", fps=wanted)
    assert sample_indices(sampling, num_frames=n, fps=fps).tolist() == sorted(t for t in ticks if t < n)


def step_at(fps: float) -> int:
    return int(sample_indices(FrameSampling(mode="interval", fps=8.0), num_frames=100, fps=fps)[1])


def test_interval_is_the_rule_of_vbench_with_halves_to_the_even_neighbour() -> None:
    steps = {
        3.0: 1,
        8.0: 1,
        12.0: 2,
        16.0: 2,
        20.0: 2,
        23.976: 3,
        24.0: 3,
        25.0: 3,
        28.0: 4,
        29.97: 4,
        30.0: 4,
        60.0: 8,
    }
    assert {fps: step_at(fps) for fps in steps} == steps


@given(LENGTHS, st.floats(0.5, 240.0), st.sampled_from([1.0, 8.0, 15.0]))
def test_interval_keeps_one_step_from_the_first_frame(n: int, fps: float, wanted: float) -> None:
    sampling = FrameSampling(mode="interval", fps=wanted)
    assert sample_indices(sampling, num_frames=n, fps=fps).tolist() == list(range(0, n, max(1, round(fps / wanted))))


def test_keyframes_are_rounded_positions_without_repetition() -> None:
    assert indices("keyframes", 50, positions=(1.0, 0.0, 0.5, 0.5001)) == [0, 24, 25, 49]


def test_a_position_outside_the_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match="numbers from 0 to 1"):
        indices("keyframes", 50, positions=(1.2,))


@pytest.mark.parametrize("sampling", [FrameSampling(mode="fps", fps=2.0), FrameSampling(mode="interval", fps=8.0)])
def test_a_clip_without_a_frame_rate_cannot_be_sampled_by_time(sampling: FrameSampling) -> None:
    with pytest.raises(ConfigError, match="the clip's frame rate, above 0"):
        sample_indices(sampling, num_frames=10, fps=0.0)
