"""The renderer draws distinct, repeatable clips with the timing that is asked for."""

import itertools

import cv2
import numpy as np
import pytest

from anisora.harness.drawing import poses
from anisora.harness.drawing.canvas import Part
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.render import ACTIONS, Scene, faces_of, parts_of, prompt_of, region_of, render

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


@pytest.mark.parametrize("action", ACTIONS)
def test_another_outfit_changes_nothing_but_clothes(action: str) -> None:
    scenes = [Scene(action=action, seed=4, outfit=outfit, num_frames=3, **_SMALL) for outfit in (0, 1)]
    first, second = (render(scene) for scene in scenes)
    clothed = np.any([parts_of(scene) & int(Part.CLOTHES | Part.TORSO | Part.LEGS) > 0 for scene in scenes], axis=0)
    # Edges are averaged from 3x3 pixels of the canvas, and of those the part under the middle one is told.
    near = np.stack([cv2.dilate(frame.astype(np.uint8), np.ones((7, 7), np.uint8)) for frame in clothed]) > 0
    changed = (first != second).any(axis=3)
    assert changed.any()
    assert not (changed & ~near).any()


@pytest.mark.parametrize("action", [name for name in ACTIONS if poses.ACTIONS[name].camera == "still"])
def test_what_changes_lies_in_the_region_or_hangs_on_it(action: str) -> None:
    scene = Scene(action=action, seed=6, num_frames=8, hold=1, **_SMALL)
    region, frames = region_of(scene), render(scene).astype(int)
    assert region.shape == (72, 128)
    assert 0 < region.mean() < 0.75
    change = np.abs(np.diff(frames, axis=0)).sum(axis=(0, 3))
    assert change[region].mean() > 3 * change[~region].mean()


def test_the_parts_tell_the_face_from_what_is_behind_it() -> None:
    parts = parts_of(Scene(action="talk", seed=1, num_frames=1, **_SMALL))[0]
    assert parts[36, 64] == Part.HEAD
    assert parts[2, 2] == Part.BACKDROP


def test_the_box_of_a_face_is_where_the_eyes_are_drawn() -> None:
    scene = Scene(action="talk", seed=1, num_frames=6)
    frames = render(scene)
    for frame, box in zip(frames, faces_of(scene), strict=True):
        assert box is not None
        left, top, width, height = box
        assert left >= 0
        assert left + width <= 1
        assert top >= 0
        assert top + height <= 1
        rows = slice(round(top * 144), round((top + height) * 144))
        inside = frame[rows, round(left * 256) : round((left + width) * 256)].astype(int)
        assert (inside.sum(axis=2) < 3 * 70).mean() > 0.02  # lashes and pupils
        assert (inside.sum(axis=2) > 3 * 170).mean() > 0.2  # skin


def test_a_face_turned_away_is_not_shown() -> None:
    boxes = faces_of(Scene(action="turn", seed=1, num_frames=24))
    assert boxes[0] is None
    assert boxes[12] is not None
    assert len(faces_of(Scene(action="turn", seed=1, num_frames=5))) == 5


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
