"""The renderer draws distinct, repeatable clips with the timing that is asked for."""

import itertools

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.render import ACTIONS, Scene, prompt_of, render

_SMALL = {"width": 128, "height": 72}


def _repeats(frames: np.ndarray) -> list[bool]:
    return [np.array_equal(before, after) for before, after in itertools.pairwise(frames)]


def test_there_are_enough_actions_for_intervals_over_clusters() -> None:
    assert len(ACTIONS) >= 12
    assert len(set(ACTIONS)) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_moves_and_has_the_shape_that_was_asked_for(action: str) -> None:
    frames = render(Scene(action=action, seed=2, num_frames=12, **_SMALL))
    assert frames.shape == (12, 72, 128, 3)
    assert frames.dtype == np.uint8
    assert len({frame.tobytes() for frame in frames}) >= 3
    assert frames.std() > 20


@pytest.mark.parametrize("action", ["walk", "pan", "zoom", "petals", "cast"])
def test_the_same_scene_gives_the_same_bytes(action: str) -> None:
    scene = Scene(action=action, seed=5, num_frames=4, **_SMALL)
    assert np.array_equal(render(scene), render(scene))


def test_another_seed_gives_another_clip() -> None:
    first, second = (render(Scene(action="walk", seed=seed, num_frames=1, **_SMALL)) for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_another_outfit_changes_the_figure_and_nothing_of_the_place() -> None:
    uniform, jacket = (
        render(Scene(action="wave", seed=4, outfit=outfit, num_frames=1, **_SMALL))[0] for outfit in (0, 1)
    )
    changed = (uniform != jacket).any(axis=2)
    assert 0.02 < changed.mean() < 0.5
    assert not changed[:, :20].any()
    assert not changed[:24].any()  # sky and hair


def test_actions_on_one_seed_differ_from_one_another() -> None:
    moments = {action: render(Scene(action=action, seed=9, num_frames=12, **_SMALL))[8] for action in ACTIONS}
    for left, right in itertools.combinations(ACTIONS, 2):
        assert not np.array_equal(moments[left], moments[right]), (left, right)


@pytest.mark.parametrize("hold", [1, 2, 3])
def test_drawings_are_held_for_the_frames_that_were_asked_for(hold: int) -> None:
    frames = render(Scene(action="walk", seed=1, num_frames=12, hold=hold, **_SMALL))
    assert _repeats(frames) == [(index + 1) % hold != 0 for index in range(11)]


@pytest.mark.parametrize("action", ["pan", "zoom"])
def test_a_camera_moves_on_ones_while_the_figure_is_on_twos(action: str) -> None:
    assert not any(_repeats(render(Scene(action=action, seed=1, num_frames=12, hold=2, **_SMALL))))


def test_a_pan_moves_the_background_to_the_left() -> None:
    frames = render(Scene(action="pan", seed=1, num_frames=24, **_SMALL)).astype(float)
    ground = frames[:, 50:66]
    shifts = {}
    for shift in range(-6, 7):
        moved = np.roll(ground[8], shift, axis=1)[:, 8:60]
        shifts[shift] = np.abs(moved - ground[9][:, 8:60]).mean()
    assert min(shifts, key=shifts.__getitem__) < 0


def test_the_first_frame_shows_the_figure() -> None:
    for action in ACTIONS:
        frames = render(Scene(action=action, seed=3, num_frames=2, **_SMALL))
        swapped = render(Scene(action=action, seed=3, outfit=1, num_frames=2, **_SMALL))
        assert (frames[0] != swapped[0]).any(axis=2).mean() > 0.01, action


def test_the_prompt_names_figure_action_and_place() -> None:
    prompt = prompt_of(Scene(action="walk", seed=0))
    assert prompt.startswith("Anime style: a girl with ")
    assert " in a sailor uniform walks from left to right, " in prompt
    assert prompt.endswith(".")
    assert "a hooded jacket" in prompt_of(Scene(action="walk", seed=0, outfit=1))


def test_prompts_of_all_actions_differ() -> None:
    assert len({prompt_of(Scene(action=action, seed=0)) for action in ACTIONS}) == len(ACTIONS)


def test_an_unknown_action_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Action 'wlak' is not known\. Did you mean 'walk'\?"):
        Scene(action="wlak", seed=0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("outfit", 2),
        ("width", 8),
        ("height", 8),
        ("num_frames", 0),
        ("hold", 0),
        ("fps", 0.0),
    ],
)
def test_a_scene_that_cannot_be_is_refused_by_field(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"`Scene\.{field}` got {value!r}; expected"):
        Scene(**{"action": "walk", "seed": 0, field: value})
