import pytest
from tiny_cogvideox import seeded_autoencoder

from anisora.harness.errors import ConfigError
from anisora.harness.networks import inference

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from anisora.models.cogvideox.autoencoder import (  # noqa: E402
    SCALING,
    build_autoencoder,
    decode_latents,
    encode_image,
)


def generator(seed: int = 0) -> "torch.Generator":
    return torch.Generator().manual_seed(seed)


def images(count: int = 1) -> "torch.Tensor":
    return torch.rand(count, 3, 32, 48, generator=generator(9)) * 2 - 1


def test_the_defaults_are_the_released_sizes() -> None:
    config = build_autoencoder().config
    assert config.scaling_factor == SCALING == 0.7
    assert (tuple(config.block_out_channels), config.layers_per_block) == ((128, 256, 256, 512), 3)
    assert (config.latent_channels, config.temporal_compression_ratio) == (16, 4)


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [({"scaling_factor": 1.15258426}, "1.15258426;"), ({"invert_scale_latents": True}, "0.7, inverted;")],
)
def test_the_vaes_of_other_generations_are_refused(arguments: dict[str, object], seen: str) -> None:
    with pytest.raises(ConfigError, match=f"`scaling_factor` got {seen} expected 0.7"):
        build_autoencoder(arguments)


def test_an_image_is_a_sample_of_its_posterior_scaled() -> None:
    autoencoder = seeded_autoencoder()
    with inference():
        found = encode_image(autoencoder, images(2), generator())
        posterior = autoencoder.encode(images(2).unsqueeze(2)).latent_dist
        drawn = torch.randn(posterior.mean.shape, generator=generator())
        assert found.shape == (2, 16, 4, 6)
        assert torch.equal(found, ((posterior.mean + posterior.std * drawn) * 0.7).squeeze(2))
        assert not torch.equal(found, encode_image(autoencoder, images(2), generator(1)))
        # diffusers draws in the same order from the same generator.
        assert torch.equal(found, (posterior.sample(generator()) * 0.7).squeeze(2))


def test_a_draw_is_the_same_in_every_number_format() -> None:
    whole, half = seeded_autoencoder(), seeded_autoencoder().to(torch.bfloat16)
    with inference():
        exact, rounded = (encode_image(each, images(), generator()) for each in (whole, half))
    assert rounded.dtype == torch.float32
    assert (exact - rounded).abs().max() < 0.1 * exact.std()


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_latents_become_frames_in_the_chunks_of_diffusers(frames: int) -> None:
    autoencoder = seeded_autoencoder()
    latents = torch.randn(1, frames, 16, 4, 6, generator=generator())
    with inference():
        found = decode_latents(autoencoder, latents)
        assert found.shape == (1, 3, 4 * frames - 3, 32, 48)
        unscaled = (latents / 0.7).transpose(1, 2)
        first, cache = autoencoder.decoder(unscaled[:, :, :3])
        parts = [first]
        for start in range(3, frames, 2):
            part, cache = autoencoder.decoder(unscaled[:, :, start : start + 2], conv_cache=cache)
            parts.append(part)
    torch.testing.assert_close(found, torch.cat(parts, dim=2))


@pytest.mark.parametrize("frames", [2, 4])
def test_an_even_number_of_latents_is_refused(frames: int) -> None:
    other = f"Ask for {4 * frames - 7} or {4 * frames + 1} frames"
    with pytest.raises(ConfigError, match=f"`latents` has {frames} latent frames; expected an odd number.* {other}"):
        decode_latents(seeded_autoencoder(), torch.zeros(1, frames, 16, 4, 6))


def test_tiles_give_nearly_the_same_frames_of_the_same_size() -> None:
    autoencoder = seeded_autoencoder()
    latents = torch.randn(1, 1, 16, 12, 10, generator=generator())
    with inference():
        whole = decode_latents(autoencoder, latents)
        tiled = decode_latents(autoencoder, latents, tiled=True)
        again = decode_latents(autoencoder, latents)
    assert tiled.shape == whole.shape == (1, 3, 1, 96, 80)
    assert not torch.equal(tiled, whole)
    assert torch.equal(again, whole)
    # Where no tile ends: the inside of the first one.
    assert (tiled - whole)[..., :24, :16].abs().mean() < (tiled - whole).abs().mean()


def test_tiles_that_do_not_fit_together_are_refused() -> None:
    autoencoder = seeded_autoencoder()
    autoencoder.tile_sample_min_width, autoencoder.tile_latent_min_width = 32, 4
    with inference(), pytest.raises(ConfigError, match=r"`tiled` gave frames of .* expected \[96, 80\]"):
        decode_latents(autoencoder, torch.zeros(1, 1, 16, 12, 10), tiled=True)
