"""Training of a small VAE: first on single frames, then on clips, to give back what it is shown.

The loss is the mean absolute error and the mean squared error of the pixels, and a little of the divergence of the
posterior from a standard normal one (Kingma and Welling 2014, arXiv 1312.6114). Frames come first, as Wan's authors
trained theirs (Wan 2025, arXiv 2503.20314, 4.1): a step costs a fraction, and what a frame needs a clip needs too.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from anisora.models.wan.condition_tensor import LATENTS_MEAN, LATENTS_STD

if TYPE_CHECKING:
    import torch

__all__ = ["VaeStage", "peak_signal_to_noise", "standardise_latents", "train_vae"]

_WARMUP: Final = 20
_LAST_RATE: Final = 0.03
"""Of the highest learning rate, at the end of a stage."""
_SQUARED: Final = 2.0
"""Weight of the squared error."""
_DIVERGENCE: Final = 1e-5
_GRADIENT_CLIP: Final = 1.0
_GRID: Final = 8
"""Crops begin at multiples of this many pixels, a latent's side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeStage:
    """A part of the training."""

    steps: int
    frames: int
    """Of each sample; one more than a multiple of four."""
    crop: int
    """Height and width of each sample, a multiple of eight."""
    batch_size: int
    learning_rate: float = 6e-3
    """The highest; it rises over the first steps and falls along a half cosine."""


def train_vae(
    vae: Any,  # noqa: ANN401 - a class of an optional library
    clips: "torch.Tensor",
    stages: Sequence[VaeStage],
    *,
    seed: int,
    told: Callable[[], None] = lambda: None,
) -> list[dict[str, float]]:
    """Train a VAE and return a line a step; on a CPU the same seed gives the same bytes.

    Args:
        vae: A ``diffusers.AutoencoderKLWan``; it is changed.
        clips: (N, F, H, W, 3) uint8.
        stages: One after the other, each with an optimizer of its own.
        seed: Of crops and of the posterior's noise.
        told: Is told of each step.

    Returns:
        ``step``, ``loss``, ``absolute``, ``squared`` and ``divergence`` of each step.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    vae.requires_grad_(requires_grad=True).train()
    log: list[dict[str, float]] = []
    for stage in stages:
        optimizer = torch.optim.AdamW(vae.parameters(), lr=stage.learning_rate, betas=(0.9, 0.95), weight_decay=1e-4)
        for step in range(stage.steps):
            for group in optimizer.param_groups:
                group["lr"] = stage.learning_rate * _share_of_rate(step, stage.steps)
            parts = _losses(vae, _sample(clips, stage, generator), generator)
            torch.autograd.backward(parts["loss"])
            torch.nn.utils.clip_grad_norm_(vae.parameters(), _GRADIENT_CLIP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            log.append({"step": len(log) + 1, **{name: float(value.detach()) for name, value in parts.items()}})
            told()
    vae.requires_grad_(requires_grad=False).eval()
    return log


def _share_of_rate(step: int, steps: int) -> float:
    falling = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / _WARMUP) * (_LAST_RATE + (1 - _LAST_RATE) * falling)


def _sample(clips: "torch.Tensor", stage: VaeStage, generator: "torch.Generator") -> "torch.Tensor":
    """Return cuts of clips drawn by chance, (B, 3, F, crop, crop) in -1 to 1."""
    import torch

    count, frames, height, width, _ = clips.shape

    def drawn(highest: int) -> int:
        return int(torch.randint(highest + 1, (), generator=generator))

    cuts = []
    for _ in range(stage.batch_size):
        clip, first = drawn(count - 1), drawn(frames - stage.frames)
        top, left = (_GRID * drawn((side - stage.crop) // _GRID) for side in (height, width))
        cuts.append(clips[clip, first : first + stage.frames, top : top + stage.crop, left : left + stage.crop])
    return torch.stack(cuts).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def _losses(
    vae: Any,  # noqa: ANN401 - a class of an optional library
    video: "torch.Tensor",
    generator: "torch.Generator",
) -> "Mapping[str, torch.Tensor]":
    posterior = vae.encode(video).latent_dist
    error = vae.decode(posterior.sample(generator)).sample - video
    absolute, squared = error.abs().mean(), error.square().mean()
    divergence = posterior.kl().mean() / posterior.mean[0].numel()
    loss = absolute + _SQUARED * squared + _DIVERGENCE * divergence
    return {"loss": loss, "absolute": absolute, "squared": squared, "divergence": divergence}


def standardise_latents(vae: Any, clips: "torch.Tensor") -> None:  # noqa: ANN401 - a class of an optional library
    """Let a VAE's latents have the means and deviations of Wan's, by which everybody who reads them normalises.

    They are scaled in the last convolution of the encoder and scaled back in the first one of the decoder: clips are
    given back as before.

    Args:
        vae: Trained; it is changed.
        clips: (N, F, H, W, 3) uint8, whose latents are measured.
    """
    import torch

    with torch.no_grad():
        encoded = torch.cat([vae.encode(_video(clip[None])).latent_dist.mode() for clip in clips])
        mean, std = encoded.mean((0, 2, 3, 4)), encoded.std((0, 2, 3, 4))
        wanted_mean, wanted_std = torch.tensor(LATENTS_MEAN), torch.tensor(LATENTS_STD)
        scale = wanted_std / std
        channels = len(scale)
        out, back = vae.quant_conv, vae.post_quant_conv
        out.weight[:channels] *= scale.view(-1, 1, 1, 1, 1)
        out.bias[:channels] = (out.bias[:channels] - mean) * scale + wanted_mean
        out.bias[channels:] += 2 * scale.log()
        back.bias += back.weight[..., 0, 0, 0] @ (mean - wanted_mean / scale)
        back.weight /= scale.view(1, -1, 1, 1, 1)


def peak_signal_to_noise(vae: Any, clips: "torch.Tensor") -> float:  # noqa: ANN401 - a class of an optional library
    """Return the mean over clips of the peak signal-to-noise ratio of what a VAE gives back, in dB.

    Args:
        vae: Trained.
        clips: (N, F, H, W, 3) uint8.
    """
    import torch

    found = []
    with torch.no_grad():
        for clip in clips:
            video = _video(clip[None])
            error = vae.decode(vae.encode(video).latent_dist.mode()).sample - video
            found.append(-10 * math.log10(float(error.square().mean()) / 4))
    return sum(found) / len(found)


def _video(clips: "torch.Tensor") -> "torch.Tensor":
    return clips.permute(0, 4, 1, 2, 3).float() / 127.5 - 1
