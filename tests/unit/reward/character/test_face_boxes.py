"""Figures around faces: factors by hand, and how they fit the figures that the renderer draws."""

import numpy as np
import pytest

from anisora.harness.drawing.canvas import Part
from anisora.harness.render import Scene, faces_of, parts_of
from anisora.reward.character.face_boxes import FaceBoxes, figure_boxes
from anisora.reward.character.kalman_box_filter import box_iou


def test_a_face_is_widened_and_cut_at_the_edges() -> None:
    faces = np.array([[100.0, 90, 20, 20], [0, 0, 50, 50]])
    np.testing.assert_allclose(figure_boxes(faces, 400, 300), [[90, 72, 130, 230], [0, 0, 75, 350]])
    assert figure_boxes(np.empty((0, 4)), 10, 10).shape == (0, 4)


def test_unlikely_faces_are_left_out_and_places_are_those_of_the_image() -> None:
    sizes = []

    def faces(picture: np.ndarray) -> np.ndarray:
        sizes.append(picture.shape)
        rows = [[320, 100, 32, 32, 0.9], [10, 10, 20, 20, 0.4]]
        return np.array(rows + [[320, 100, 32, 32, 0.8]] * 7, np.float32)

    found = FaceBoxes(faces).boxes(np.zeros((720, 1280, 3), np.uint8))
    assert sizes == [(360, 640, 3)]
    assert found.shape == (5, 4)
    np.testing.assert_allclose(found[0], [608, 200 - 0.9 * 64, 736, 200 + 7 * 64])


def test_no_face_gives_no_box() -> None:
    assert FaceBoxes(lambda _: np.empty((0, 5), np.float32)).boxes(np.zeros((90, 160, 3), np.uint8)).shape == (0, 4)


@pytest.mark.parametrize("action", ["wave", "walk", "talk", "dance", "zoom"])
def test_the_figures_of_the_renderer_lie_in_the_boxes_around_their_faces(action) -> None:
    scene = Scene(action=action, seed=3, num_frames=1, width=320, height=180)
    (face,) = faces_of(scene)
    assert face is not None
    box = figure_boxes(np.array([face]) * [320, 180, 320, 180], 180, 320)[0]
    figure = (parts_of(scene)[0] & ~np.uint8(Part.EFFECT)) > 0
    rows, columns = np.flatnonzero(figure.any(axis=1)), np.flatnonzero(figure.any(axis=0))
    assert box_iou(box, [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) > 0.55
