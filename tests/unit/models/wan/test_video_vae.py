"""The VAE behind generation: mode, constants, limits of pixels, tiles."""

from typing import Any

import numpy as np
import pytest
from tiny_wan import VAE, drawn, vae_shapes

from anisora.harness.errors import DataError
from anisora.models.wan.condition_tensor import LATENTS_MEAN, LATENTS_STD
from anisora.models.wan.networks import vae_settings, wan_vae
from anisora.models.wan.video_vae import WanVae

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

# Of three levels the tiny VAE halves the rows twice and the frames once, which its class does not follow in its tiles.
SCALES = {"scale_factor_spatial": 4}


@pytest.fixture
def network() -> Any:
    return wan_vae({**vae_settings(VAE), **SCALES}, [drawn(vae_shapes())])


@pytest.fixture(autouse=True)
def without_gradients() -> Any:
    with torch.inference_mode():
        yield


def clip(frames: int = 5, height: int = 8, width: int = 12) -> Any:
    return torch.rand(3, frames, height, width, generator=torch.Generator().manual_seed(4)) * 2 - 1


def test_a_clip_is_encoded_to_the_mode_and_normalised_channel_by_channel(network: Any) -> None:
    vae = WanVae(network)
    mode = vae.encode(clip())
    assert mode.shape[:1] + mode.shape[2:] == (16, 2, 3)
    assert torch.equal(mode, network.encode(clip()[None]).latent_dist.mean[0])
    latents = vae.latents(clip())
    for channel in range(16):
        expected = (mode[channel].numpy() - np.float32(LATENTS_MEAN[channel])) / np.float32(LATENTS_STD[channel])
        np.testing.assert_allclose(latents[channel].numpy(), expected, rtol=1e-6)


def test_decoding_undoes_the_normalisation_and_stays_in_range(network: Any) -> None:
    latents = torch.randn(16, 2, 2, 3, generator=torch.Generator().manual_seed(5)) * 4
    mean, std = (torch.tensor(values).view(-1, 1, 1, 1) for values in (LATENTS_MEAN, LATENTS_STD))
    decoded = WanVae(network).decode(latents)
    expected = network.decode((latents * std + mean)[None]).sample[0]
    torch.testing.assert_close(decoded, expected)
    assert decoded.shape[2:] == (8, 12)
    assert decoded.abs().max() <= 1


def test_other_constants_are_used(network: Any) -> None:
    vae = WanVae(network, latents_mean=[1.0] * 16, latents_std=[2.0] * 16)
    assert torch.equal(vae.latents(clip()), (vae.encode(clip()) - 1) / 2)
    latents = torch.full((16, 1, 2, 2), 3.0)
    assert torch.equal(vae.decode(torch.ones_like(latents)), network.decode(latents[None]).sample[0])


def test_it_computes_in_the_networks_number_format_and_gives_float32(network: Any) -> None:
    coarse = WanVae(wan_vae(vae_settings(VAE), [network.state_dict()], dtype="bfloat16"))
    exact = WanVae(network).latents(clip())
    latents = coarse.latents(clip())
    assert latents.dtype == coarse.decode(latents).dtype == torch.float32
    assert 0 < (latents - exact).abs().max() < 0.1


@pytest.mark.parametrize("frames", [0, 2, 4, 8])
def test_a_clip_whose_last_frames_would_be_lost_is_refused(network: Any, frames: int) -> None:
    with pytest.raises(DataError, match=rf"has shape \(3, {frames}, 8, 12\); expected .* a multiple of 4"):
        WanVae(network).encode(clip(frames))


def test_a_batch_and_latents_of_other_channels_are_refused(network: Any) -> None:
    with pytest.raises(DataError, match=r"has shape \(1, 3, 5, 8, 12\); expected \(3, F, H, W\)"):
        WanVae(network).encode(clip()[None])
    for shape in ((1, 16, 1, 2, 2), (20, 1, 2, 2)):
        with pytest.raises(DataError, match=r"expected \(16, T, h, w\)"):
            WanVae(network).decode(torch.zeros(shape))


def test_constants_must_be_as_many_as_channels(network: Any) -> None:
    with pytest.raises(DataError, match="has 16 and `latents_std` 3 entries; expected 16"):
        WanVae(network, latents_std=[1.0] * 3)


def test_tiles_are_asked_for_and_given_up_again(network: Any) -> None:
    whole = WanVae(network).decode(torch.ones(16, 1, 2, 72))
    tiled = WanVae(network, tiling=True)
    assert network.use_tiling
    found = tiled.decode(torch.ones(16, 1, 2, 72))
    assert found.shape == whole.shape == (3, 1, 8, 288)
    assert not torch.equal(found, whole)
    assert (found - whole).abs().max() < 0.2
    assert tiled.encode(found).shape == (16, 1, 2, 72)
    assert torch.equal(WanVae(network).decode(torch.ones(16, 1, 2, 72)), whole)
