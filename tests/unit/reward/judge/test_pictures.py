"""Frames as pictures, against transformers' processor for Pillow, bit for bit."""

import numpy as np
import pytest
from tiny_judge import noise_frames

from anisora.reward.judge.pictures import PictureRecipe
from anisora.reward.judge.remembered_pictures import RememberedPictures

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SMALL = PictureRecipe(longest=98, shortest=42)


def theirs(pictures: list[np.ndarray], recipe: PictureRecipe) -> tuple[np.ndarray, np.ndarray]:
    processor = transformers.Idefics2ImageProcessorPil(
        size={"longest_edge": recipe.longest, "shortest_edge": recipe.shortest},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        do_image_splitting=False,
    )
    made = processor([pictures], return_tensors="np")
    return made["pixel_values"][0], made["pixel_attention_mask"][0]


@pytest.mark.parametrize("size", [(40, 60), (42, 98), (98, 42), (20, 30), (120, 160), (161, 97), (43, 200), (300, 20)])
def test_a_picture_of_any_size_is_what_the_processor_makes_of_it(size: tuple[int, int]) -> None:
    frames = noise_frames(2, *size)
    pixels, mask = SMALL(frames)
    wanted, real = theirs(list(frames), SMALL)
    assert np.array_equal(pixels.numpy(), wanted)
    assert np.array_equal(mask.numpy(), real)
    assert pixels.dtype == torch.float32


def test_pictures_of_several_sizes_are_padded_alike() -> None:
    pictures = [noise_frames(1, *size)[0] for size in ((72, 126), (126, 72), (50, 60))]
    pixels, mask = SMALL(pictures)
    wanted, real = theirs(pictures, SMALL)
    assert np.array_equal(pixels.numpy(), wanted)
    assert np.array_equal(mask.numpy(), real)
    assert mask.float().mean() < 1


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 720), (480, 720)),
        ((1080, 1920), (551, 980)),
        ((720, 1280), (551, 980)),
        ((1080, 2002), (528, 980)),  # cut, not rounded: 528.67
        ((1920, 1080), (980, 551)),
        ((300, 400), (378, 400)),
        ((200, 200), (378, 378)),
    ],
)
def test_the_released_sizes(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert PictureRecipe().size(*size) == expected


def test_the_id_names_the_sizes_and_the_filter() -> None:
    assert PictureRecipe().id == "longest980-shortest378-pillow-bilinear-norm0.500"


def test_the_pictures_of_a_clip_are_made_once_for_two_networks_and_two_clips_are_kept() -> None:
    remembered = RememberedPictures(SMALL)
    clips = [noise_frames(2, seed=seed) for seed in range(3)]
    first = remembered(clips[0])
    again = remembered(clips[0].copy())
    assert again[0] is first[0]
    assert torch.equal(first[0], SMALL(clips[0])[0])
    remembered(clips[1])
    remembered(clips[0])
    assert remembered.computed == 2
    remembered(clips[2])  # the second was asked for least lately
    remembered(clips[0])
    assert remembered.computed == 3
    remembered(clips[1])
    assert remembered.computed == 4
    assert len(remembered._made) == 2


def test_frames_of_equal_bytes_and_another_shape_are_another_clip() -> None:
    remembered = RememberedPictures(SMALL)
    frames = noise_frames(2, 60, 80)
    remembered(frames)
    assert remembered(frames.reshape(2, 80, 60, 3))[0].shape == (2, 3, 80, 60)
