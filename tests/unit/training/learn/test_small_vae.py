"""The small VAE: what it begins with, that it learns, and the latents that it ends with."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from anisora.models.wan.video_vae import WanVae  # noqa: E402
from anisora.training.learn.small_networks import new_vae  # noqa: E402
from anisora.training.learn.small_vae import (  # noqa: E402
    VaeStage,
    peak_signal_to_noise,
    standardise_latents,
    train_vae,
)

SHORT = (
    VaeStage(steps=25, frames=1, crop=16, batch_size=4),
    VaeStage(steps=3, frames=5, crop=16, batch_size=2, learning_rate=1e-3),
)


def clips(count: int = 3, frames: int = 9) -> Any:
    """Return gradients of drawn colours that move, (count, frames, 32, 32, 3) uint8."""
    colours = torch.randint(256, (count, 1, 1, 1, 3), generator=torch.Generator().manual_seed(0)).float()
    ramp = (torch.arange(frames)[:, None, None] + torch.arange(32)[:, None] + torch.arange(32)) / (frames + 64)
    return (colours * ramp[None, ..., None]).to(torch.uint8)


def coded(vae: Any, video: Any) -> Any:
    with torch.no_grad():
        return vae.decode(vae.encode(video).latent_dist.mode()).sample


def test_a_new_vae_shows_each_frame_without_the_ones_before() -> None:
    video = torch.rand(1, 3, 9, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    other = video.clone()
    other[:, :, 0] *= -1
    vae = new_vae(0)
    before, after = coded(vae, video), coded(vae, other)
    torch.testing.assert_close(before[:, :, 1:], after[:, :, 1:])
    assert not torch.allclose(before[:, :, 0], after[:, :, 0])
    # Four frames of one latent are shown as their mean.
    torch.testing.assert_close(before[:, :, 1:5], before[:, :, 1:2].expand(-1, -1, 4, -1, -1))


def test_a_training_lowers_the_losses_and_repeats_bit_for_bit() -> None:
    made = [new_vae(3) for _ in range(2)]
    logs = [train_vae(vae, clips(), SHORT, seed=5) for vae in made]
    assert logs[0] == logs[1]
    assert all(torch.equal(one, two) for one, two in zip(*(vae.parameters() for vae in made), strict=True))
    assert [line["step"] for line in logs[0]] == list(range(1, 29))
    early, late = (sum(line["absolute"] for line in part) / 5 for part in (logs[0][:5], logs[0][20:25]))
    assert late < 0.75 * early
    assert peak_signal_to_noise(made[0], clips()) > peak_signal_to_noise(new_vae(3), clips()) + 1


def test_another_seed_is_another_training() -> None:
    stage = (VaeStage(steps=1, frames=1, crop=16, batch_size=1),)
    one, two = (train_vae(new_vae(0), clips(), stage, seed=seed) for seed in (0, 1))
    assert one != two


def test_latents_get_the_deviations_of_wans_and_clips_stay() -> None:
    vae = new_vae(0)
    train_vae(vae, clips(), SHORT[:1], seed=0)
    video = clips().permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    before, spread = coded(vae, video), vae.encode(video).latent_dist.std
    standardise_latents(vae, clips())
    torch.testing.assert_close(coded(vae, video), before, atol=1e-4, rtol=1e-4)
    reader = WanVae(vae)
    latents = torch.stack([reader.latents(clip) for clip in video])
    torch.testing.assert_close(latents.mean((0, 2, 3, 4)), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3, 4)), torch.ones(16), atol=1e-3, rtol=0)
    # The noise of the posterior is scaled as its mean is.
    share = vae.encode(video).latent_dist.std / spread
    torch.testing.assert_close(share, share.mean((0, 2, 3, 4), keepdim=True).expand_as(share), atol=1e-4, rtol=1e-3)
