from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from local_metrics import needs, score_local

from anisora.datasets.demo import DEMO_SCENES
from anisora.harness.drawing import poses
from anisora.harness.render import ACTIONS, Scene, faces_of, render
from anisora.metrics.local.face_finder import FaceFinder, crop_of
from anisora.metrics.local.face_kept import kept_faces
from anisora.metrics.local.face_library import FaceLibrary
from anisora.metrics.local.working_size import scaled_to

NEAR = [action for action in ACTIONS if poses.ACTIONS[action].shot in ("close", "medium")]


def test_each_face_has_a_partner_of_its_own_the_most_alike_first() -> None:
    wanted = np.array([[1.0, 0.0], [1.0, 0.1]])
    found = np.array([[1.0, 0.1]])
    kept = kept_faces(wanted, found)
    assert kept.tolist() == [0.0, pytest.approx(1.0)]
    assert kept_faces(wanted, np.zeros((0, 2))).tolist() == [0.0, 0.0]
    assert kept_faces(wanted, wanted[::-1]).tolist() == [pytest.approx(1.0), pytest.approx(1.0)]


def test_a_crop_stays_inside_the_picture() -> None:
    picture = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    np.testing.assert_array_equal(crop_of(picture, np.array([1, 2, 3, 2])), picture[2:4, 1:4])
    assert crop_of(picture, np.array([-4, -4, 2, 2])).shape == (1, 1, 3)
    assert crop_of(picture, np.array([4, 4, 9, 9])).shape == (1, 2, 3)


@needs("anime_faces")
@pytest.mark.slow
@pytest.mark.parametrize("size", [(256, 144), (320, 180), (640, 360)])
def test_nine_in_ten_faces_of_close_and_medium_shots_are_found(size) -> None:
    find, seen = FaceFinder(), []
    for action in NEAR:
        for seed in range(5):
            scene = Scene(action=action, seed=seed, num_frames=13, width=size[0], height=size[1])
            clip, boxes = render(scene), faces_of(scene)
            seen += [bool((find(clip[at])["likelihood"] > 0).any()) for at in (0, 6, 12) if boxes[at] is not None]
    assert len(seen) > 70
    assert np.mean(seen) >= 0.9, f"{sum(seen)} of {len(seen)}"


@needs("anime_faces")
@pytest.mark.slow
def test_nine_in_ten_faces_that_the_demo_shows_are_found_where_they_are() -> None:
    find, found, shown = FaceFinder(), 0, 0
    for scene in DEMO_SCENES.values():
        frames, boxes = render(scene), faces_of(scene)
        for frame, box in list(zip(frames, boxes, strict=True))[::3]:
            if box is None:
                continue
            shown += 1
            x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
            seen = find(frame)
            found += any(
                left < x < left + width and top < y < top + height
                for left, top, width, height in seen["boxes"][seen["likelihood"] > 0]
            )
    assert shown > 120
    assert found / shown >= 0.9, f"{found} of {shown}"


@needs("anime_faces")
def test_the_box_lies_on_the_face_and_the_bits_are_the_same_again() -> None:
    picture = render(Scene(action="talk", seed=24, num_frames=1))[0]
    found, again = FaceFinder()(picture), FaceFinder()(picture)
    left, top, width, height = found["boxes"][0]
    assert left < 0.5 < left + width
    assert top < 0.56 < top + height
    assert np.isnan(found["boxes"][1:]).all()
    for name, values in found.items():
        np.testing.assert_array_equal(values, again[name])


@needs("anime_faces")
def test_two_detectors_at_work_at_once_do_not_disturb_each_other() -> None:
    # They share one library, which is called outside Python's lock.
    pictures = [scaled_to(render(Scene(action=action, seed=5, num_frames=1))[0], 640) for action in NEAR]
    alone = [FaceLibrary()(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda picture: FaceLibrary()(picture), pictures * 4))
    for place, found in enumerate(together):
        np.testing.assert_array_equal(found, alone[place % len(pictures)])


@needs("anime_faces")
def test_colour_fields_and_noise_have_no_face() -> None:
    find, rng = FaceFinder(), np.random.default_rng(0)
    pictures = [np.full((144, 256, 3), level, np.uint8) for level in (0, 128, 255)]
    pictures.append(rng.integers(0, 256, (144, 256, 3), np.uint8))
    assert [int((find(picture)["likelihood"] > 0).sum()) for picture in pictures] == [0, 0, 0, 0]


@needs("anime_faces")
def test_a_face_that_stays_is_kept_and_one_that_goes_is_not(tmp_path) -> None:
    clip = render(Scene(action="talk", seed=24, num_frames=8))
    assert score_local("face_kept", clip, image=clip[0], folder=tmp_path).value == 1.0
    gone = clip.copy()
    gone[4:] = clip.mean(axis=(0, 1, 2)).astype(np.uint8)
    score = score_local("face_kept", gone, image=clip[0], folder=tmp_path)
    assert score.value == 0.5
    assert score.parts["kept"] == [1.0] * 4 + [0.0] * 4


@needs("anime_faces")
def test_an_image_without_a_face_leaves_the_clip_unscored(tmp_path) -> None:
    clip = render(Scene(action="talk", seed=24, num_frames=2))
    score = score_local("face_kept", clip, image=np.full_like(clip[0], 90), folder=tmp_path)
    assert score.value is None
    assert "no face" in score.note
