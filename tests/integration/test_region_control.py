"""What a network that was trained for it does with a region mask: its frames keep what is known and make up the rest.

The networks are of the real classes and are read from a folder. Random numbers would not do: such a VAE mixes what
lies apart, and such a transformer ignores its condition. So the VAE is set to show each latent the mean colour of its
own pixels, and the transformer learns the condition for a few seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_folders import tiny_parts, write_folder
from tiny_models import posed, write_image

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.types import Clip, Frames, Sample
from anisora.models.wan import components
from anisora.models.wan.condition_tensor import LATENTS_MEAN, LATENTS_STD, mask_video_condition
from anisora.models.wan.denoiser import WanDenoiser
from anisora.models.wan.latent_size import latent_size
from anisora.models.wan.video_vae import WanVae

HEIGHT, WIDTH, FRAMES = 64, 112, 5
LEFT, RIGHT = slice(0, WIDTH // 2), slice(WIDTH // 2, WIDTH)
SEAM = 8
"""Pixels on both sides of the edge of a region that are not compared: half a patch of the transformer."""
CLOSE, FAR = 32.0, 48.0
"""Mean differences, of 255: below it what is kept, above it what is not. Two of these pictures differ by 85."""
STEPS, CLIPS, BATCH, RATE = 160, 24, 8, 1e-2


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an any-mask model whose networks do what is asked of them."""
    with pytest.MonkeyPatch.context() as patch:
        # The tiny transformer learns too slowly; fewer layers and blocks save time.
        patch.setattr(components, "_TINY", {**components._TINY, "dim": 96, "ffn_dim": 192, "num_layers": 1})
        patch.setattr(components, "_TINY_VAE", {**components._TINY_VAE, "num_res_blocks": 1})
        parts = tiny_parts("anisora-anymask")
    show_mean_colours(parts["vae"])
    losses = trained(parts["transformer"], WanVae(parts["vae"]))
    assert np.mean(losses[-20:]) < 0.4 * np.mean(losses[:20])
    return write_folder(tmp_path_factory.mktemp("weights"), parts)


def show_mean_colours(vae: Any) -> None:
    """Set a VAE to hold in each latent the mean colour of its pixels and frames, sixteen times over.

    Colours pass through the first three channels. A large constant in the fourth keeps the length that the last
    normalisation divides by, and factors near 0 keep the activation behind it linear.
    """
    import torch
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanResample, WanResidualBlock

    constant, small = 16.0, 1e-3
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
        for module in vae.modules():
            if isinstance(module, WanResidualBlock) and module.in_dim != module.out_dim:
                pass_on(module.conv_shortcut)
            elif isinstance(module, WanResample):
                pass_on(module.resample[1], means=module.mode.startswith("down"))
                if module.mode == "downsample3d":
                    module.time_conv.weight[:, :, 1:, 0, 0] = torch.eye(module.dim)[..., None] / 2
                elif module.mode == "upsample3d":
                    module.time_conv.weight[:, :, -1, 0, 0] = torch.eye(module.dim).repeat(2, 1)
        for coder in (vae.encoder, vae.decoder):
            coder.conv_in.bias[3] = constant
            coder.norm_out.gamma.fill_(2 * small * constant / coder.norm_out.scale)
        pass_on(vae.quant_conv)
        pass_on(vae.post_quant_conv)
        pass_on(vae.encoder.conv_in)
        pass_on(vae.decoder.conv_out, 1 / small)
        for channel, (mean, std) in enumerate(zip(LATENTS_MEAN, LATENTS_STD, strict=True)):
            # Colours that are as likely all over -1 to 1 deviate by the root of a third.
            colour, gain = channel % 3, std * 3**0.5
            vae.encoder.conv_out.weight[channel, colour, -1, 1, 1] = gain / small
            vae.encoder.conv_out.bias[channel] = mean
            share = 1 / (gain * len(range(colour, len(LATENTS_STD), 3)))
            vae.decoder.conv_in.weight[colour, channel, -1, 1, 1] = share
            vae.decoder.conv_in.bias[colour] -= mean * share


def pass_on(convolution: Any, factor: float = 1.0, *, means: bool = False) -> None:
    """Let a convolution give its inputs, or the means of two by two of them, as its first outputs."""
    weight = convolution.weight if convolution.weight.ndim == 4 else convolution.weight[:, :, -1]
    for channel in range(min(weight.shape[:2])):
        if means:
            weight[channel, channel, :2, :2] = factor / 4
        else:
            weight[channel, channel, weight.shape[2] // 2, weight.shape[3] // 2] = factor


def pictures(count: int, seed: int) -> Any:
    """Pictures of fields of colour, (count, 3, 1, H, W) in -1 to 1."""
    import torch

    fields = np.random.default_rng(seed).uniform(-1, 1, (count, 3, HEIGHT // 16, WIDTH // 16)).astype(np.float32)
    return torch.from_numpy(fields.repeat(16, 2).repeat(16, 3))[:, :, None]


def trained(network: Any, vae: WanVae) -> list[float]:
    """Train a transformer for the condition of the any-mask release, and return how its loss fell."""
    import torch

    torch.manual_seed(0)
    size = latent_size(HEIGHT * WIDTH, HEIGHT, WIDTH)
    clean, conditions = [], []
    with torch.no_grad():
        for place, (first, later, other) in enumerate(zip(*(pictures(CLIPS, seed) for seed in (1, 2, 3)), strict=True)):
            # The first frame is known whole. After it one half is known, as it was or changed, and nobody can tell
            # what the other half changes to.
            kept = LEFT if place % 2 else RIGHT
            video = other.repeat(1, FRAMES, 1, 1)
            video[..., kept] = (first if place % 4 < 2 else later)[..., kept]
            video[:, :1] = first
            known = torch.full((FRAMES, 1, HEIGHT, WIDTH), -1.0)
            known[..., kept] = 1.0
            conditions.append(mask_video_condition(video.transpose(0, 1), known, "spatial", size, vae.encode))
            clean.append(vae.latents(video))
    starts, known_parts = torch.stack(clean), torch.stack(conditions)
    denoiser = WanDenoiser(network.requires_grad_(requires_grad=True))
    # Texts are noise here: there is nothing to learn of them, and their padding is most of a step's work.
    network.condition_embedder.text_embedder.requires_grad_(requires_grad=False)
    for block in network.blocks:
        block.attn2.requires_grad_(requires_grad=False)
    optimizer = torch.optim.Adam([each for each in network.parameters() if each.requires_grad], RATE)
    losses = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 10, 2 * (1 - step / STEPS))
        chosen = torch.randint(CLIPS, (BATCH,))
        start, noise, sigma = starts[chosen], torch.randn(BATCH, *starts.shape[1:]), torch.rand(BATCH)
        level = sigma.view(-1, 1, 1, 1, 1)
        state = torch.cat([(1 - level) * start + level * noise, known_parts[chosen]], dim=1)
        velocity = denoiser(state, sigma * 1000, torch.randn(BATCH, 8, 32), torch.randn(BATCH, 17, 16))
        loss = ((velocity - (noise - start)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    network.requires_grad_(requires_grad=False)
    return losses


@dataclass(frozen=True, slots=True)
class Distances:
    """Mean absolute differences of both halves of frames from a source, in 0 to 255."""

    left: float
    right: float

    @classmethod
    def of(cls, frames: Frames, source: Frames) -> "Distances":
        difference = np.abs(frames.astype(np.int16) - source).mean((0, 1, 3))
        return cls(float(difference[: LEFT.stop - SEAM].mean()), float(difference[RIGHT.start + SEAM :].mean()))

    def kept_and_moved(self, moving: slice) -> tuple[float, float]:
        return (self.right, self.left) if moving == LEFT else (self.left, self.right)


def frames_of(model: Any, sample: Sample, pool: DecoderPool, seed: int) -> Frames:
    settings = GenerationSettings(height=HEIGHT, width=WIDTH, num_frames=FRAMES)
    made: Frames = model.generate(sample, seed=seed, settings=settings, reader=pool).frames
    assert (made.dtype, made.shape) == (np.uint8, (FRAMES, HEIGHT, WIDTH, 3))
    return made


def picture_of(sample: Sample, pool: DecoderPool) -> Frames:
    return pool.read_image(sample.condition.keyframes[0][1].path)


def with_mask_video(sample: Sample, moving: slice, pool: DecoderPool) -> Sample:
    mask: Frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    mask[:, :, moving] = 255
    assert sample.condition.region_mask is not None
    path = sample.condition.region_mask.with_suffix(".mkv")
    pool.encode(mask, fps=16.0, path=path, encoder="ffv1")
    return replace(sample, condition=replace(sample.condition, region_mask=path))


def check_kept(pairs: list[tuple[float, float]]) -> None:
    """Check each (distance of the kept half, distance of the moved half)."""
    assert all(kept < CLOSE and moved > FAR for kept, moved in pairs), pairs


@pytest.mark.slow
@pytest.mark.parametrize("form", ["image", "video"])
def test_a_kept_region_stays_closer_to_its_source_than_the_rest(
    tmp_path: Path, pool: DecoderPool, weights: Path, form: str
) -> None:
    model = registry("models").create(f"anisora-anymask:weights={weights},steps=8")
    later = []
    for seed in (11, 12, 13):
        # Each half of one picture is kept once, with one seed: only the mask says which.
        for moving in (LEFT, RIGHT):
            sample = posed(tmp_path / f"{seed}-{moving.start}", "region", seeds=(seed,), moving=moving)
            if form == "video":
                sample = with_mask_video(sample, moving, pool)
            frames, source = frames_of(model, sample, pool, seed), picture_of(sample, pool)
            later.append(Distances.of(frames[1:], source).kept_and_moved(moving))
            first = Distances.of(frames[:1], source)
            assert max(first.left, first.right) < CLOSE, "the first frame is known whole"
    check_kept(later)


@pytest.mark.slow
@pytest.mark.parametrize(("moving", "kept"), [(slice(0, WIDTH), False), (slice(0, 0), True)], ids=["all", "nothing"])
def test_where_all_or_nothing_moves_both_halves_are_alike(
    tmp_path: Path, pool: DecoderPool, weights: Path, moving: slice, *, kept: bool
) -> None:
    model = registry("models").create(f"anisora-anymask:weights={weights},steps=8")
    for seed in (11, 12):
        sample = posed(tmp_path / str(seed), "region", seeds=(seed,), moving=moving)
        found = Distances.of(frames_of(model, sample, pool, seed)[1:], picture_of(sample, pool))
        halves = (found.left, found.right)
        assert max(halves) < CLOSE if kept else min(halves) > FAR, found


@pytest.mark.slow
def test_a_temporal_mask_keeps_what_the_ground_truth_becomes(tmp_path: Path, pool: DecoderPool, weights: Path) -> None:
    model = registry("models").create(f"anisora-anymask:weights={weights},steps=8,mask=temporal")
    from_truth, from_first = [], []
    for seed in (11, 12):
        for moving in (LEFT, RIGHT):
            sample = posed(tmp_path / f"{seed}-{moving.start}", "region", seeds=(seed,), moving=moving)
            first = picture_of(sample, pool)
            later = pool.read_image(write_image(tmp_path / "later.png", seed=seed + 100).path)
            path = tmp_path / f"{seed}-{moving.start}.mkv"
            pool.encode(np.stack([first, *[later] * (FRAMES - 1)]), fps=16.0, path=path, encoder="ffv1")
            sample = replace(sample, ground_truth=Clip(path=path, digest=""))
            frames = frames_of(model, sample, pool, seed)
            from_truth.append(Distances.of(frames[1:], later).kept_and_moved(moving))
            from_first.append(Distances.of(frames[1:], first).kept_and_moved(moving)[0])
    check_kept(from_truth)
    assert min(from_first) > FAR, "it is the ground truth which is kept, not the picture"
