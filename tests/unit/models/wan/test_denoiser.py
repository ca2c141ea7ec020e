"""A transformer behind its call: padding of texts, number formats, and the image branch."""

from typing import Any

import pytest
from tiny_wan import IMAGE_DIM, TRANSFORMER, drawn, transformer_shapes

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.denoiser import WanDenoiser, padded_text
from anisora.models.wan.networks import transformer_settings, wan_transformer

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

LATENTS = torch.randn(2, 36, 2, 4, 6, generator=torch.Generator().manual_seed(1))
TIMESTEP = torch.tensor([721.0, 12.5])
TEXT = torch.randn(2, 7, 12, generator=torch.Generator().manual_seed(2))
IMAGE = torch.randn(2, 5, IMAGE_DIM, generator=torch.Generator().manual_seed(3))


def network(image_dim: int | None, dtype: Any = "float32") -> Any:
    state = drawn(transformer_shapes(image_dim))
    return wan_transformer(transformer_settings(TRANSFORMER, image_dim), [state], dtype=dtype)


def test_texts_are_followed_by_zeros() -> None:
    texts = [torch.ones(2, 3), torch.full((4, 3), 2.0)]
    found = padded_text(texts, 5)
    assert found.shape == (2, 5, 3)
    assert found.sum(dim=(1, 2)).tolist() == [6, 24]
    assert found[0, 2:].abs().sum() == found[1, 4:].abs().sum() == 0


@pytest.mark.parametrize("text", [torch.ones(6, 3), torch.ones(1, 2, 3)])
def test_a_text_that_is_too_long_or_no_sequence_is_refused(text: Any) -> None:
    with pytest.raises(DataError, match=r"expected \(tokens, text_dim\) with at most 5 tokens. Cut text 1"):
        padded_text([torch.ones(1, 3), text], 5)


def test_a_short_text_is_one_with_zeros_to_512() -> None:
    denoise = WanDenoiser(network(IMAGE_DIM))
    whole = torch.cat([TEXT, torch.zeros(2, 505, 12)], dim=1)
    with torch.inference_mode():
        short = denoise(LATENTS, TIMESTEP, TEXT, IMAGE)
        assert torch.equal(short, denoise(LATENTS, TIMESTEP, whole, IMAGE))
        inner = denoise.network(LATENTS, TIMESTEP, whole, IMAGE, return_dict=False)[0]
        shorter = WanDenoiser(network(None), text_len=9)(LATENTS, TIMESTEP, TEXT)
        assert not torch.equal(shorter, WanDenoiser(network(None))(LATENTS, TIMESTEP, TEXT))
    assert short.shape == (2, 16, 2, 4, 6)
    assert torch.equal(short, inner)


def test_every_clip_of_a_batch_has_its_own_timestep_text_and_image() -> None:
    denoise = WanDenoiser(network(IMAGE_DIM))
    with torch.inference_mode():
        both = denoise(LATENTS, TIMESTEP, TEXT, IMAGE)
        single = [denoise(LATENTS[[place]], TIMESTEP[[place]], TEXT[[place]], IMAGE[[place]]) for place in range(2)]
    torch.testing.assert_close(both, torch.cat(single), atol=1e-5, rtol=1e-4)


def test_a_network_in_bfloat16_takes_and_gives_float32() -> None:
    with torch.inference_mode():
        exact = WanDenoiser(network(IMAGE_DIM))(LATENTS, TIMESTEP, TEXT, IMAGE)
        coarse = WanDenoiser(network(IMAGE_DIM, "bfloat16"))(LATENTS, TIMESTEP, TEXT, IMAGE)
    assert coarse.dtype == torch.float32
    assert 0 < (coarse - exact).abs().max() < 0.1 * exact.abs().max()


def test_an_image_is_needed_by_the_networks_that_have_a_branch_for_it_and_refused_by_the_others() -> None:
    with pytest.raises(ConfigError, match=r"`image` is missing, and the network has an image branch of 10 numbers"):
        WanDenoiser(network(IMAGE_DIM))(LATENTS, TIMESTEP, TEXT)
    with pytest.raises(ConfigError, match=r"`image` is given, and the network has no image branch"):
        WanDenoiser(network(None))(LATENTS, TIMESTEP, TEXT, IMAGE)
