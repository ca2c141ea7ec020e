"""AniSora V1 and its successor tuned with rewards as trainers use them.

Reference: anisoraV1_train_gpu/sat/diffusion_video.py (shared_step).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import GenerationSettings
from anisora.harness.types import Frames
from anisora.models.cogvideox.adapter import CogVideoXGenerator
from anisora.models.cogvideox.autoencoder import SCALING, decoded_frames, encode_posterior
from anisora.models.cogvideox.components import CogVideoXParts
from anisora.models.cogvideox.drawn_noise import step_noise
from anisora.models.cogvideox.guide_slots import guides_in_slots, latent_frames, slot_of_frame, uses_clip_latent
from anisora.models.cogvideox.sampling import sample_latents
from anisora.models.cogvideox.transformer_call import TransformerCall
from anisora.models.placement import Placement
from anisora.training.conditions import GuideDraw, guide_condition
from anisora.training.families.family import Encoded, Family, Inputs, Level, OfGuides, Sampling

if TYPE_CHECKING:
    import torch

__all__ = ["CogVideoXFamily", "noisy_first_frame"]

_SIDE = 16
"""Pixels of a patch."""


@dataclass(slots=True, kw_only=True)
class CogVideoXFamily(Family):
    """A release on CogVideoX's networks."""

    generator: CogVideoXGenerator
    parts: CogVideoXParts
    placement: Placement
    call: TransformerCall
    levels: "torch.Tensor"
    """(1000,) float64: the signal's share at each timestep."""

    def check_bucket(self, bucket: tuple[int, int, int]) -> None:
        """Raise ConfigError unless the networks can have clips of this size."""
        height, width, frames = bucket
        multiple, rest = self.released.frame_rule
        if height % _SIDE or width % _SIDE or (frames - rest) % multiple:
            raise ConfigError(
                f"`buckets` has {list(bucket)}; expected a height and width that are multiples of {_SIDE}, and a "
                f"number of frames that is a multiple of {multiple} plus {rest}. Correct it."
            )

    def encode_text(self, prompt: str) -> "torch.Tensor":
        """Return the embedding of a prompt, (226, dim) float32 on the CPU."""
        return self.parts.text.encode([prompt], self.placement)[0].float().cpu()

    def encode_clip(self, video: "torch.Tensor") -> dict[str, "torch.Tensor"]:
        """Return the posterior of a clip, which each step samples anew.

        Args:
            video: (F, 3, H, W) in 0 to 1.

        Returns:
            ``mean`` and ``std``, (T, 16, h, w), scaled.
        """
        vae = self.placement.ready(self.parts.vae)
        mean, std = encode_posterior(vae, (video * 2 - 1).transpose(0, 1)[None])
        return {"mean": mean[0].transpose(0, 1) * SCALING, "std": std[0].transpose(0, 1) * SCALING}

    def encode_guides(self, images: "torch.Tensor", frames: tuple[int, ...], num_frames: int) -> dict[str, Any]:
        """Return the posterior of a frame encoded alone.

        Args:
            images: (1, 3, H, W) in 0 to 1.
            frames: One, from 0.
            num_frames: Of the clip.
        """
        return self.encode_clip(images)

    def to_encode(self, draw: GuideDraw, num_frames: int) -> tuple[tuple[int, ...], ...]:
        """Return the frames that ``encode_guides`` is asked for: each by itself, where the clip's latents lack it."""
        if draw.is_dropped:
            return ()
        return tuple((frame,) for frame in draw.frames if not uses_clip_latent(frame, num_frames))

    def clean(self, clip: Encoded, generator: "torch.Generator") -> "torch.Tensor":
        """Return a sample of the latents of a clip, (T, 16, h, w)."""
        return _sampled(clip, generator)

    def kept(self, latents: "torch.Tensor") -> Encoded:
        """Return a posterior without spread at latents, (T, 16, h, w), scaled."""
        return {"mean": latents, "std": latents * 0}

    def condition(
        self,
        clean: "torch.Tensor",
        guides: OfGuides,
        draw: GuideDraw,
        num_frames: int,
        generator: "torch.Generator",
    ) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return the condition of a clip, (T, 16, h, w): its guides in their latent frames, zeros elsewhere."""

        def encoded(frame: int) -> "torch.Tensor":
            return _sampled(guides[(frame,)], generator)

        return guide_condition(clean[None], draw, num_frames, encoded)[0], None

    def posed(
        self, first_frame: Encoded, num_frames: int, generator: "torch.Generator"
    ) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return the condition of a clip, (T, 16, h, w): a sample of its first frame in its slot, zeros elsewhere."""
        guide = _sampled(first_frame, generator)
        return guides_in_slots([guide], [slot_of_frame(0)], latent_frames(num_frames))[0], None

    def latent_shape(self, condition: "torch.Tensor") -> tuple[int, ...]:
        """Return (T, 16, h, w)."""
        return tuple(condition.shape)

    def sampled(
        self, inputs: Inputs, without: "torch.Tensor", generator: "torch.Generator", sampling: Sampling
    ) -> "torch.Tensor":
        """Return the latents of a clip, (1, T, 16, h, w)."""
        height, width, frames, steps, guidance = sampling
        asked = GenerationSettings(height=height, width=width, num_frames=frames, steps=steps, guidance=guidance)
        request = self.generator.settings(asked)
        latents = inputs.condition
        for state in sample_latents(
            self.call, inputs.condition, inputs.text, generator, steps=request.steps, negative_text=without
        ):
            latents = state
        return latents

    def _frames(self, latents: "torch.Tensor") -> Frames:
        return decoded_frames(self.placement.ready(self.parts.vae), latents)

    def draw_level(self, generator: "torch.Generator") -> Level:
        """Draw how much a sample is noised."""
        import torch

        timestep = int(torch.randint(len(self.levels), (), generator=generator))
        return Level(float(self.levels[timestep]), timestep, 1.0)

    def velocity(self, noised: "torch.Tensor", timesteps: "torch.Tensor", inputs: Inputs) -> "torch.Tensor":
        """Return what the network predicts, (B, T, 16, h, w) float32.

        Args:
            noised: (B, T, 16, h, w).
            timesteps: (B,).
            inputs: With a batch axis.
        """
        import torch

        return self.call(torch.cat([noised, inputs.condition], 2), inputs.text, timesteps.long())

    def with_network(self, network: Any) -> "CogVideoXFamily":  # noqa: ANN401 - a module of diffusers
        """Return the family with another network of the same class: a frozen copy."""
        return replace(self, network=network, call=TransformerCall(network))

    def forget_text(self) -> None:
        """Let the text encoder go: all prompts are encoded."""
        self.parts.text.module.to("cpu")


def _sampled(posterior: Encoded, generator: "torch.Generator") -> "torch.Tensor":
    mean, std = posterior["mean"], posterior["std"]
    return mean + std * step_noise(generator, mean.shape)


def noisy_first_frame(latents: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    """Return the condition of preference training: the clip's first latent frame with noise, zeros elsewhere.

    The deviation of the noise is drawn, ``exp(N(-3, 0.5))``.

    Args:
        latents: (T, C, h, w), scaled.
        generator: On the CPU.

    Returns:
        (T, C, h, w).

    Reference: anisora_rl/sat/diffusion_video.py (add_noise_to_first_frame).
    """
    import torch

    deviation = float((torch.randn((), generator=generator) * 0.5 - 3).exp())
    condition = torch.zeros_like(latents)
    slot = slot_of_frame(0)
    # The reference adds noise before it scales.
    condition[slot] = latents[slot] + SCALING * deviation * step_noise(generator, latents[slot].shape)
    return condition
