"""Recipes against torchvision, which the reference uses, and against what the specification says of corners."""

import numpy as np
import pytest

from anisora.harness.errors import ConfigError
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, VARIANTS, Recipe, antialiased

torch = pytest.importorskip("torch")
transforms = pytest.importorskip("torchvision.transforms")

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 60, 97, 3), dtype=np.uint8)


def reference(frames: np.ndarray, *steps: object, whole: bool = False) -> torch.Tensor:
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    return transforms.Compose(steps)(pixels if whole else pixels.float())


def divided(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float() / 255


CLIP = Recipe(resize="short", side=32, crop=32, mean=CLIP_MEAN, std=CLIP_STD)


@pytest.mark.parametrize("size", [(60, 97), (97, 60), (32, 45), (33, 33), (20, 50)])
@pytest.mark.parametrize("antialias", [False, True])
def test_short_side_crop_and_normalisation_are_those_of_torchvision(size: tuple[int, int], antialias: bool) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    expected = reference(
        frames,
        transforms.Resize(32, transforms.InterpolationMode.BICUBIC, antialias=antialias),
        transforms.CenterCrop(32),
        divided,
        transforms.Normalize(CLIP_MEAN, CLIP_STD),
    )
    found = Recipe(resize="short", side=32, antialias=antialias, crop=32, mean=CLIP_MEAN, std=CLIP_STD)(frames)
    assert found.shape == expected.shape == (2, 3, 32, 32)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_nothing_is_cut_where_no_crop_is_asked_for() -> None:
    expected = reference(
        FRAMES,
        transforms.Resize(32, transforms.InterpolationMode.BILINEAR, antialias=False),
        divided,
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    )
    found = Recipe(resize="short", side=32, filter="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD)(FRAMES)
    assert found.shape == (2, 3, 32, 51)  # int(32 * 97 / 60): cut, not rounded
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_whole_levels_are_those_of_torchvision_on_uint8() -> None:
    expected = reference(
        FRAMES, transforms.Resize(32, transforms.InterpolationMode.BICUBIC, antialias=False), divided, whole=True
    )
    found = Recipe(resize="short", side=32, rounded=True)(FRAMES)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
    assert (found * 255 - (found * 255).round()).abs().max() < 1e-4
    free = Recipe(resize="short", side=32)(FRAMES)
    assert free.min() < 0  # the overshoot of bicubic weights is kept
    assert free.max() > 1


def test_squashing_ignores_the_shape() -> None:
    expected = reference(
        FRAMES, transforms.Resize((24, 24), transforms.InterpolationMode.BICUBIC, antialias=True), divided
    )
    torch.testing.assert_close(Recipe(resize="exact", side=24, antialias=True)(FRAMES), expected, rtol=0, atol=1e-6)


def test_pictures_are_resized_as_pillow_does() -> None:
    from PIL import Image

    steps = transforms.Compose(
        [
            transforms.Resize(32, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(CLIP_MEAN, CLIP_STD),
        ]
    )
    expected = steps(Image.fromarray(FRAMES[0]))[None]
    torch.testing.assert_close(CLIP.picture(FRAMES[0]), expected, rtol=0, atol=1e-6)


def test_the_id_names_every_choice() -> None:
    recipes = [
        Recipe(
            resize=resize,
            side=side,
            filter=filter_,
            antialias=antialias,
            rounded=rounded,
            crop=crop,
            mean=mean,
            std=std,
        )
        for resize in ("short", "exact")
        for side in (32, 64)
        for filter_ in ("bilinear", "bicubic")
        for antialias in (False, True)
        for rounded in (False, True)
        for crop in (None, 32)
        for mean, std in ((None, None), (CLIP_MEAN, CLIP_STD), (IMAGENET_MEAN, IMAGENET_STD))
    ]
    assert len({recipe.id for recipe in recipes}) == len(recipes)
    assert CLIP.id == "short32-bicubic-crop32-norm0.481"


def test_frames_below_the_crop_and_unknown_variants_are_refused() -> None:
    with pytest.raises(ConfigError, match="got pictures of 97x60; expected 64 or more"):
        Recipe(resize="none", crop=64)(FRAMES)
    with pytest.raises(ConfigError, match="`resize` got 'new'; expected one of tv017, legacy"):
        antialiased("new")
    assert [antialiased(variant) for variant in VARIANTS] == [True, False]
