"""What a network that was trained for it does with a region mask: it keeps what is known and makes up the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_folders import tiny_parts, write_folder
from tiny_models import posed

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.types import Frames
from anisora.models.wan import adapter, components
from anisora.models.wan.condition_tensor import mask_video_condition
from anisora.models.wan.denoiser import WanDenoiser
from anisora.models.wan.latent_size import latent_size
from anisora.models.wan.video_vae import WanVae

HEIGHT, WIDTH, FRAMES, STEPS, PICTURES, BATCH = 64, 112, 5, 400, 48, 8


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


def pictures(count: int, seed: int) -> Any:
    """Pictures of fields of colour, as still clips in -1 to 1."""
    import torch

    fields = np.random.default_rng(seed).uniform(-1, 1, (count, 3, HEIGHT // 16, WIDTH // 16)).astype(np.float32)
    return torch.from_numpy(fields.repeat(16, 2).repeat(16, 3))[:, :, None].expand(-1, -1, FRAMES, -1, -1)


def whiten(network: Any) -> None:
    """Scale what the VAE's random numbers give to mean 0 and deviation 1 over pictures, as that of a trained one."""
    import torch

    vae = WanVae(network)
    with torch.no_grad():
        raw = torch.stack([vae.encode(video.contiguous()) for video in pictures(PICTURES, seed=0)])
        mean, spread = raw.mean((0, 2, 3, 4)), raw.std((0, 2, 3, 4))
        wanted_mean, wanted_spread = torch.tensor(vae.latents_mean), torch.tensor(vae.latents_std)
        gain = wanted_spread / spread
        encoding, decoding, count = network.quant_conv, network.post_quant_conv, len(gain)
        encoding.weight[:count] *= gain.view(-1, 1, 1, 1, 1)
        encoding.bias[:count] = (encoding.bias[:count] - mean) * gain + wanted_mean
        decoding.bias += (decoding.weight[..., 0, 0, 0] * (mean - wanted_mean / gain)).sum(1)
        decoding.weight /= gain.view(1, -1, 1, 1, 1)


def trained(parts: dict[str, Any]) -> Any:
    """Train a transformer for the condition of the any-mask release, and return how its loss fell."""
    import torch

    torch.manual_seed(0)
    network, vae = parts["transformer"], WanVae(parts["vae"])
    size = latent_size(HEIGHT * WIDTH, HEIGHT, WIDTH)
    clean, conditions = [], []
    with torch.no_grad():
        for place, (still, other) in enumerate(zip(pictures(PICTURES, 1), pictures(PICTURES, 2), strict=True)):
            # The first frame is known whole; after it one half changes to what nobody can tell.
            kept = slice(0, WIDTH // 2) if place % 2 else slice(WIDTH // 2, WIDTH)
            video = other.clone()
            video[..., kept] = still[..., kept]
            video[:, 0] = still[:, 0]
            known = torch.full((FRAMES, 1, HEIGHT, WIDTH), -1.0)
            known[..., kept] = 1.0
            frames = video.permute(1, 0, 2, 3).contiguous()
            conditions.append(mask_video_condition(frames, known, "spatial", size, vae.encode))
            clean.append(vae.latents(video))
    clean, conditions = torch.stack(clean), torch.stack(conditions)
    denoiser = WanDenoiser(network.requires_grad_(requires_grad=True))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(STEPS):
        chosen = torch.randint(PICTURES, (BATCH,))
        start, noise, sigma = clean[chosen], torch.randn(BATCH, *clean.shape[1:]), torch.rand(BATCH)
        level = sigma.view(-1, 1, 1, 1, 1)
        state = torch.cat([(1 - level) * start + level * noise, conditions[chosen]], dim=1)
        velocity = denoiser(state, sigma * 1000, torch.randn(BATCH, 8, 32), torch.randn(BATCH, 17, 16))
        loss = ((velocity - (noise - start)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    network.requires_grad_(requires_grad=False)
    return losses


@pytest.mark.slow
@pytest.mark.long
def test_a_kept_region_stays_closer_to_its_source_than_the_rest(
    tmp_path: Path, pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    # A little wider than tiny networks, which learn too slowly.
    monkeypatch.setattr(components, "_TINY", {**components._TINY, "dim": 96, "ffn_dim": 192})
    parts = tiny_parts("anisora-anymask")
    whiten(parts["vae"])
    losses = trained(parts)
    assert np.mean(losses[-20:]) < 0.3 * np.mean(losses[:20])
    folder = write_folder(tmp_path / "weights", parts)
    model = registry("models").create(f"anisora-anymask:weights={folder},steps=8")
    settings = GenerationSettings(height=HEIGHT, width=WIDTH, num_frames=FRAMES)
    vae = WanVae(parts["vae"])
    made: list[Any] = []

    def seen(_: object, latents: Any) -> Frames:
        made.append(latents[0])
        return np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)

    # The VAE's numbers are random and mix what lies apart: what the network drew is seen before it is decoded.
    monkeypatch.setattr(adapter, "decoded_frames", seen)
    ratios = []
    for seed, moving in ((11, slice(0, 7)), (12, slice(7, 14)), (13, slice(0, 7)), (14, slice(7, 14))):
        pixels = slice(8 * moving.start, 8 * moving.stop)
        sample = posed(tmp_path / str(seed), "region", seeds=(seed,), moving=pixels)
        model.generate(sample, seed=seed, settings=settings, reader=pool)
        picture = torch.from_numpy(pool.read_image(sample.condition.keyframes[0][1].path)).permute(2, 0, 1)
        still = (picture / 127.5 - 1)[:, None].expand(-1, FRAMES, -1, -1).contiguous()
        with torch.no_grad():
            error = (made[-1] - vae.latents(still)).abs()[:, 1:].mean((0, 1, 2))
        inside = torch.zeros(len(error), dtype=torch.bool)
        inside[moving] = True
        border = torch.zeros_like(inside)
        border[6:8] = True
        ratios.append(float(error[~inside & ~border].mean() / error[inside & ~border].mean()))
    assert max(ratios) < 0.8, ratios
    assert np.mean(ratios) < 0.6, ratios
