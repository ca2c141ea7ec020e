"""Prompts and images as the networks are given them."""

import numpy as np
import pytest

from anisora.harness.device import Device
from anisora.models.image_features import CLIP_MEAN, CLIP_STD, clip_pixels, image_features
from anisora.models.image_fit import covering
from anisora.models.library_networks import tiny_image_network, tiny_text_network, tiny_tokenizer
from anisora.models.placement import Placement
from anisora.models.text_encoding import TextEncoder, clean_prompt

torch = pytest.importorskip("torch")
HERE = Placement(Device())


def encoder(*, masked: bool, length: int = 24) -> TextEncoder:
    return TextEncoder(
        tokenizer=tiny_tokenizer(), module=tiny_text_network(multilingual=masked), length=length, masked=masked
    )


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("a  girl\n waves ", "a girl waves"),
        ("Nausica&auml;", "Nausicaä"),
        ("âœ” mended", "✔ mended"),
        ("女孩　挥手", "女孩 挥手"),
    ],
)
def test_prompts_are_cleaned_as_wan_s_tokenizer_does(written: str, cleaned: str) -> None:
    assert clean_prompt(written) == cleaned


def test_what_lies_behind_a_masked_text_is_zero_and_does_not_change_it() -> None:
    short, long = (encoder(masked=True, length=length).encode(["Rain."], HERE) for length in (12, 24))
    assert short.shape == (1, 12, 32)
    assert not long[:, 6:].any(), "five bytes and the end"
    assert long[:, :6].abs().sum() > 0
    torch.testing.assert_close(short[:, :6], long[:, :6], rtol=1e-5, atol=1e-6)


def test_padding_is_part_of_a_text_without_a_mask_and_long_texts_are_cut() -> None:
    states = encoder(masked=False).encode(["Rain.", "x" * 100], HERE)
    assert states.shape == (2, 24, 32)
    assert states[0, 6:].abs().sum() > 0


def test_texts_of_one_batch_do_not_change_each_other() -> None:
    both = encoder(masked=True).encode(["Rain.", "A girl waves."], HERE)
    alone = encoder(masked=True).encode(["A girl waves."], HERE)
    torch.testing.assert_close(both[1:], alone, rtol=1e-5, atol=1e-6)


def test_an_image_is_stretched_for_clip_not_cut() -> None:
    image = torch.zeros(3, 8, 64)
    image[0, :, :32] = 1
    pixels = clip_pixels(image, 16)
    assert pixels.shape == (1, 3, 16, 16)
    red = pixels[0, 0] * CLIP_STD[0] + CLIP_MEAN[0]
    assert red[:, :7].min() > 0.9
    assert red[:, 9:].max() < 0.1


def test_features_are_those_of_the_layer_before_the_last() -> None:
    network, image = tiny_image_network(), torch.rand(3, 20, 30)
    features = image_features(image, network, HERE)
    states = network(clip_pixels(image, 32), output_hidden_states=True).hidden_states
    assert torch.equal(features, states[-2])
    assert not torch.equal(features, states[-1])


@pytest.mark.parametrize("size", [(40, 90), (90, 40), (48, 64), (7, 200)])
def test_an_image_covers_a_size_and_keeps_its_middle(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    rows, columns = size[0] // 2, size[1] // 2
    image[:, columns:, 0], image[rows:, :, 1] = 255, 255
    fitted = covering(image, 48, 64)
    assert fitted.shape == (3, 48, 64)
    assert fitted[0, :, :28].max() < 0.3
    assert fitted[0, :, 36:].min() > 0.7
    if size[0] > 10:
        assert fitted[1, :18].max() < 0.3
        assert fitted[1, 30:].min() > 0.7


def test_an_image_of_the_size_is_left_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)
    assert np.array_equal((covering(image, 16, 32) * 255).round().numpy().astype(np.uint8), image.transpose(2, 0, 1))
