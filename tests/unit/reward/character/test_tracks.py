"""From boxes to crops on rendered clips: one, two and no figures, both modes, with and without a network."""

from dataclasses import dataclass

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, MetricError
from anisora.harness.render import Scene, parts_of, render
from anisora.harness.types import Frames
from anisora.reward.character.box_masks import BoxMasks
from anisora.reward.character.tracks import (
    boxes_of,
    spread_frames,
    through_jpeg,
    tracked_characters,
)

SCENE = Scene(action="walk", seed=5, num_frames=20, width=96, height=54)


@dataclass
class GivenMasks:
    """A tracker that knows its labels beforehand."""

    labels: np.ndarray

    def label_map(self, frames: Frames, boxes: object) -> np.ndarray:
        return self.labels


@pytest.fixture(scope="module")
def frames() -> Frames:
    return render(SCENE)


@pytest.fixture(scope="module")
def figure() -> np.ndarray:
    return (parts_of(SCENE) > 0).astype(np.uint16)


def test_one_figure_gives_eight_crops_of_itself(frames, figure) -> None:
    found = tracked_characters(frames, [[0, 0, 1, 1]], GivenMasks(figure), mode="corrected")
    assert (found.numbers, found.dropped, found.reason) == ((1,), (), None)
    (crops,) = found.characters
    assert crops.frames == (0, 3, 5, 8, 11, 14, 16, 19)
    for index, image, mask in zip(crops.frames, crops.images, crops.masks, strict=True):
        assert image.shape == (*mask.shape, 3)
        assert mask.sum() == figure[index].sum()
        assert not image[mask == 0].any()
        assert image[mask > 0].astype(int).sum() == frames[index][figure[index] > 0].astype(int).sum()


def test_the_reference_takes_the_first_ones_and_stores_them_as_jpeg(frames, figure) -> None:
    found = tracked_characters(frames, [[0, 0, 1, 1]], GivenMasks(figure))
    (crops,) = found.characters
    assert crops.frames == (0, 2, 4, 6, 8, 10, 12, 14)
    plain = tracked_characters(frames[:15:2], [[0, 0, 1, 1]], GivenMasks(figure[:15:2]), mode="corrected")
    for stored, exact in zip(crops.images, plain.characters[0].images, strict=True):
        difference = np.abs(stored.astype(int) - exact.astype(int))
        assert 0 < difference.mean() < 8
    once = tracked_characters(
        np.stack([through_jpeg(frame) for frame in frames[:15:2]]),
        [[0, 0, 1, 1]],
        GivenMasks(figure[:15:2]),
        mode="corrected",
    )
    for stored, cut in zip(crops.images, once.characters[0].images, strict=True):
        np.testing.assert_array_equal(stored, through_jpeg(cut))


def test_jpeg_is_opencvs_of_quality_95(frames, tmp_path) -> None:
    import cv2

    path = str(tmp_path / "frame.jpg")
    cv2.imwrite(path, frames[0][..., ::-1])
    np.testing.assert_array_equal(through_jpeg(frames[0]), cv2.imread(path)[..., ::-1])
    with pytest.raises(MetricError, match="cannot be stored as JPEG"):
        through_jpeg(np.zeros((0, 4, 3), np.uint8))


def test_two_figures_the_later_one_in_front(frames) -> None:
    boxes = [[10, 10, 50, 40], [40, 5, 80, 50]]
    found = tracked_characters(frames, boxes, BoxMasks(), mode="corrected")
    assert found.numbers == (1, 2)
    first, second = found.characters
    assert first.masks[0].shape == (30, 30)
    assert first.masks[0].sum() == 30 * 30
    assert second.masks[0].sum() == 40 * 45
    np.testing.assert_array_equal(first.images[0], frames[0][10:40, 10:40])


def test_a_figure_seen_too_rarely_is_dropped_with_a_reason(frames, figure) -> None:
    labels = figure.copy()
    labels[7:] = 0
    labels[:, :2, :2] = 2
    found = tracked_characters(frames, [[0, 0, 1, 1]] * 3, GivenMasks(labels))
    assert found.numbers == (2,)
    assert found.reason is None
    assert found.dropped == (
        "character 1 is seen in 7 of 20 frames, fewer than 8",
        "character 3 is seen in 0 of 20 frames, fewer than 8",
    )


def test_nobody_left_is_a_reason_and_no_error(frames) -> None:
    found = tracked_characters(frames, [[0, 0, 1, 1]], GivenMasks(np.zeros(frames.shape[:3], np.uint16)))
    assert (found.characters, found.numbers) == ((), ())
    assert found.reason == "character 1 is seen in 0 of 20 frames, fewer than 8"
    short = tracked_characters(frames[:5], [[0, 0, 9, 9]], BoxMasks())
    assert short.reason == "character 1 is seen in 5 of 5 frames, fewer than 8"


@pytest.mark.parametrize("boxes", [[], np.empty((0, 4))])
def test_nobody_found_is_a_reason_and_the_tracker_is_not_asked(frames, boxes) -> None:
    found = tracked_characters(frames, boxes, GivenMasks(np.zeros(3, np.uint16)))
    assert found.reason == "no character was found in the conditioning image"
    assert found.characters == ()


def test_wrong_input_is_named(frames) -> None:
    with pytest.raises(ConfigError, match="`mode` got 'exact'"):
        tracked_characters(frames, [], BoxMasks(), mode="exact")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match=r"`boxes` has shape \(1, 3\)"):
        tracked_characters(frames, [[1, 2, 3]], BoxMasks())
    with pytest.raises(MetricError, match="The tracker gave labels of shape"):
        tracked_characters(frames, [[1, 2, 3, 4]], GivenMasks(np.zeros(3, np.uint16)))
    with pytest.raises(MetricError, match="finite numbers"):
        BoxMasks().label_map(frames, [[np.nan, 2, 3, 4]])


def test_spread_frames_reach_from_the_first_to_the_last() -> None:
    visible = np.zeros(60, bool)
    visible[3:52] = True
    assert spread_frames(visible) == [3, 10, 17, 24, 30, 37, 44, 51]
    assert spread_frames(visible[:11]) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert spread_frames(visible[:10]) is None
    with pytest.raises(MetricError, match="1 or more"):
        spread_frames(visible, 0)


def test_boxes_are_looked_for_in_the_conditioning_image_cut_to_the_frames(frames) -> None:
    pytest.importorskip("torch")
    seen: list[Frames] = []

    class Detector:
        def boxes(self, image: Frames) -> np.ndarray:
            seen.append(image)
            return np.array([[1.0, 2.0, 30.0, 40.0]])

    image = render(Scene(action="walk", seed=5, num_frames=1, width=192, height=144))[0]
    np.testing.assert_array_equal(boxes_of(image, frames, Detector()), [[1, 2, 30, 40]])
    assert seen[0].shape == (54, 96, 3)
