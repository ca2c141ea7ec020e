"""Crops of a character: against a slow computation pixel by pixel, and the frames that they come from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from anisora.harness.errors import MetricError
from anisora.harness.media.reference_sampling import crop_8
from anisora.reward.character.mask_crop import character_crops, chosen_frames, embedder_input, square_crop

masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


@given(mask=masks)
def test_a_crop_is_what_a_slow_copy_gives(mask: np.ndarray) -> None:
    image = picture(*mask.shape)
    points = [(y, x) for y in range(mask.shape[0]) for x in range(mask.shape[1]) if mask[y, x]]
    top, left = min(y for y, _ in points), min(x for _, x in points)
    height, width = max(y for y, _ in points) - top + 1, max(x for _, x in points) - left + 1
    side = max(height, width)
    slow = np.zeros((side, side, 3), np.uint8)
    for y, x in points:
        slow[y - top + (side - height) // 2, x - left + (side - width) // 2] = image[y, x]
    crop, square = square_crop(image, mask)
    np.testing.assert_array_equal(crop, slow)
    np.testing.assert_array_equal(square, slow.any(axis=2))
    assert (crop.dtype, square.dtype) == (np.uint8, np.uint8)


@given(mask=masks, scale=st.sampled_from([1, 7, 255]))
def test_any_number_but_0_is_inside(mask: np.ndarray, scale: int) -> None:
    image = picture(*mask.shape)
    for ours, other in zip(square_crop(image, mask), square_crop(image, mask * np.uint16(scale)), strict=True):
        np.testing.assert_array_equal(ours, other)


def test_the_odd_pixel_of_padding_is_at_the_right_and_below() -> None:
    image = picture(6, 6)
    mask = np.zeros((6, 6), bool)
    mask[1:4, 2:4] = True
    tall, square = square_crop(image, mask)
    assert square.tolist() == [[1, 1, 0]] * 3
    np.testing.assert_array_equal(tall[:, :2], image[1:4, 2:4])
    assert square_crop(image, mask.T)[1].tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]


@given(visible=st.lists(st.booleans(), max_size=200))
def test_the_frames_are_those_of_the_reference_sampler_over_the_seen_ones(visible: list[bool]) -> None:
    seen = [index for index, is_seen in enumerate(visible) if is_seen]
    places = crop_8(len(seen))
    expected = None if places is None else [seen[place] for place in places]
    assert chosen_frames(np.array(visible, bool)) == expected


def test_known_frames() -> None:
    assert chosen_frames(np.ones(49, bool)) == list(range(0, 48, 6))[:8]
    assert chosen_frames(np.ones(132, bool)) == list(range(0, 128, 16))
    assert chosen_frames(np.ones(15, bool)) == list(range(8))
    assert chosen_frames(np.ones(7, bool)) is None
    assert chosen_frames(np.ones(7, bool), 3) == [0, 2, 4]


def test_characters_of_a_clip_are_told_apart() -> None:
    frames = np.stack([picture(5, 6, seed) for seed in range(9)])
    labels = np.zeros((9, 5, 6), np.uint16)
    labels[:, 1:3, 1:5] = 300
    labels[2:, 2:5, 4] = 2
    first, second = character_crops(frames, labels, 300), character_crops(frames, labels, 2, count=7)
    assert first is not None
    assert second is not None
    assert first.frames == tuple(range(8))
    assert second.frames == tuple(range(2, 9))
    # The later object lies on top of the first from frame 2 on.
    assert [int(mask.sum()) for mask in first.masks] == [8, 8, *[7] * 6]
    np.testing.assert_array_equal(second.images[0][:, 1], frames[2, 2:5, 4])
    assert character_crops(frames, labels, 2) is None
    assert character_crops(frames, labels, 1) is None


def test_the_embedder_sees_crops_and_gallery_through_different_filters() -> None:
    pytest.importorskip("torch")
    image = picture(13, 13)
    query, gallery = embedder_input(image), embedder_input(image, "gallery")
    assert query.shape == gallery.shape == (1, 3, 224, 224)
    assert float((query - gallery).abs().max()) > 0.1
    black = embedder_input(np.zeros((3, 3, 3), np.uint8))[0, :, 0, 0]
    np.testing.assert_allclose(black, [-1.7922626, -1.7520971, -1.4802198], atol=1e-6)


def test_shapes_that_do_not_fit_are_errors() -> None:
    image = picture(4, 5)
    with pytest.raises(MetricError, match=r"`mask` has shape \(5, 4\)"):
        square_crop(image, np.ones((5, 4)))
    with pytest.raises(MetricError, match="`image` is float64"):
        square_crop(image / 255, np.ones((4, 5)))
    with pytest.raises(MetricError, match="`mask` is empty"):
        square_crop(image, np.zeros((4, 5)))
    with pytest.raises(MetricError, match=r"`frames` has shape \(1, 4, 5, 3\) and `labels` \(2, 4, 5\)"):
        character_crops(image[None], np.ones((2, 4, 5), np.uint8), 1)
    with pytest.raises(MetricError, match="`object_id` is 0"):
        character_crops(image[None], np.zeros((1, 4, 5), np.uint8), 0)
    with pytest.raises(MetricError, match=r"`visible` has shape \(2, 2\)"):
        chosen_frames(np.ones((2, 2), bool))
    with pytest.raises(MetricError, match="`count` is 0"):
        chosen_frames(np.ones(2, bool), 0)
    with pytest.raises(MetricError, match=r"shape \(0, 0, 3\); expected uint8 \(s, s, 3\), not empty"):
        embedder_input(np.zeros((0, 0, 3), np.uint8))
