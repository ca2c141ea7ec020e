"""AniSora V2 to V3.2 and Wan 2.1 as trainers use them.

Reference: anisoraV2_gpu/fastvideo/train.py. V2 is given the first frame, its successors any eighth ones; how these were
drawn is not published, so that ``random`` draws them as V1's training does.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import GenerationSettings
from anisora.harness.types import Frames
from anisora.models.generation_request import GenerationRequest
from anisora.models.image_features import image_features
from anisora.models.wan.adapter import WanGenerator
from anisora.models.wan.condition_mask import keyframe_mask, pack_mask
from anisora.models.wan.condition_tensor import condition_tensor, keyframe_video
from anisora.models.wan.denoiser import WanDenoiser
from anisora.models.wan.experts import is_high_noise
from anisora.models.wan.frame_ids import FRAME_STEP
from anisora.models.wan.latent_size import PATCH_SIZE, VAE_STRIDE
from anisora.models.wan.preparation import WanNetworks, decoded_frames
from anisora.models.wan.releases import NEGATIVE_PROMPT, WanRelease
from anisora.models.wan.sampling import Denoise, Experts, SamplingInputs, sampled_states
from anisora.training.conditions import Draws, GuideDraw
from anisora.training.families.family import Encoded, Family, Inputs, Level, OfGuides, Sampling
from anisora.training.losses.flow_matching import FlowTable

if TYPE_CHECKING:
    import torch

__all__ = ["WanFamily", "of_expert"]


@dataclass(slots=True, kw_only=True)
class WanFamily(Family):
    """A release on Wan's networks."""

    negative_prompt: ClassVar[str | None] = NEGATIVE_PROMPT
    released: WanRelease
    generator: WanGenerator
    networks: WanNetworks
    table: FlowTable
    """Levels of noise; of a model with two experts, those of the one in training."""

    def check_bucket(self, bucket: tuple[int, int, int]) -> None:
        """Raise ConfigError unless the networks can have clips of this size."""
        height, width, frames = bucket
        side = VAE_STRIDE[1] * PATCH_SIZE[1]
        multiple, rest = self.released.frame_rule
        if height % side or width % side or (frames - rest) % multiple:
            raise ConfigError(
                f"`buckets` has {list(bucket)}; expected a height and width that are multiples of {side}, and a number "
                f"of frames that is a multiple of {multiple} plus {rest}. Correct it."
            )

    def encode_text(self, prompt: str) -> "torch.Tensor":
        """Return the embedding of a prompt, (tokens, dim) float32 on the CPU."""
        return self.networks.parts.text.encode([prompt], self.networks.placement)[0].float().cpu()

    def encode_clip(self, video: "torch.Tensor") -> dict[str, "torch.Tensor"]:
        """Return the normalised latents of a clip.

        Args:
            video: (F, 3, H, W) in 0 to 1.
        """
        self.networks.placement.ready(self.networks.parts.vae)
        return {"latents": self.networks.vae.latents(video.transpose(0, 1) * 2 - 1)}

    def encode_guides(self, images: "torch.Tensor", frames: tuple[int, ...], num_frames: int) -> dict[str, Any]:
        """Return the mask and latents of a clip in which these frames alone are shown, and CLIP's view of the first.

        Args:
            images: (len(frames), 3, H, W) in 0 to 1.
            frames: From 0.
            num_frames: Of the clip.
        """
        parts, placement = self.networks.parts, self.networks.placement
        placement.ready(parts.vae)
        height, width = images.shape[2:]
        video = keyframe_video(list(images), frames, num_frames, height, width)
        mask = pack_mask(keyframe_mask(frames, num_frames, height // VAE_STRIDE[1], width // VAE_STRIDE[2]))
        found = {"condition": condition_tensor(video, mask, self.networks.vae.encode)}
        if parts.image is not None:
            found["image"] = image_features(images[0], parts.image, placement)[0]
        return found

    def draw_guides(self, num_frames: int, draws: Draws, *, dropout: float, guides: str) -> GuideDraw:
        """Draw which frames guide a clip; they lie on eighth frames.

        Args:
            num_frames: Of the clip.
            draws: Where chance comes from.
            dropout: Chance of no condition.
            guides: ``first`` or ``random``.
        """
        drawn = Family.draw_guides(self, num_frames, draws, dropout=dropout, guides=guides)
        return replace(drawn, frames=tuple(round(frame / FRAME_STEP) * FRAME_STEP for frame in drawn.frames))

    def to_encode(self, draw: GuideDraw, num_frames: int) -> tuple[tuple[int, ...], ...]:
        """Return the frames that ``encode_guides`` is asked for: all guides together, since one clip shows them."""
        return (draw.frames,)

    def clean(self, clip: Encoded, generator: "torch.Generator") -> "torch.Tensor":
        """Return the latents of a clip, (16, T, h, w): the mode of the posterior, without draws."""
        return clip["latents"]

    def kept(self, latents: "torch.Tensor") -> Encoded:
        """Return what would be kept of a clip whose latents are these."""
        return {"latents": latents}

    def condition(
        self,
        clean: "torch.Tensor",
        guides: OfGuides,
        draw: GuideDraw,
        num_frames: int,
        generator: "torch.Generator",
    ) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return the condition of a clip, (20, T, h, w), and CLIP's view of its first guide."""
        import torch

        found = guides[draw.frames]
        image = found.get("image")
        if draw.is_dropped:
            return torch.zeros_like(found["condition"]), None if image is None else torch.zeros_like(image)
        return found["condition"], image

    def posed(
        self, first_frame: Encoded, num_frames: int, generator: "torch.Generator"
    ) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return the condition of a clip, (20, T, h, w), and CLIP's view of its first frame."""
        return first_frame["condition"], first_frame.get("image")

    def latent_shape(self, condition: "torch.Tensor") -> tuple[int, ...]:
        """Return (16, T, h, w)."""
        return (len(self.networks.vae.latents_mean), *condition.shape[1:])

    def request(self, sampling: Sampling) -> GenerationRequest:
        """Return how clips are drawn, without open ends.

        Raises:
            ConfigError: A setting is none of the model's.
        """
        height, width, frames, steps, guidance = sampling
        asked = GenerationSettings(height=height, width=width, num_frames=frames, steps=steps, guidance=guidance)
        return self.generator.settings(asked)

    def sampled(
        self, inputs: Inputs, without: "torch.Tensor", generator: "torch.Generator", sampling: Sampling
    ) -> "torch.Tensor":
        """Return the latents of a clip, (1, 16, T, h, w)."""
        import torch

        request = self.request(sampling)
        latents = torch.randn(1, *self.latent_shape(inputs.condition[0]), generator=generator).to(inputs.condition)
        given = SamplingInputs(condition=inputs.condition, text=inputs.text, negative_text=without, image=inputs.image)
        schedule = self.generator.schedule(request)
        for state in sampled_states(self._denoise(), latents, given, schedule, request.guidance):
            latents = state.latents
        return latents

    def _denoise(self) -> Denoise | Experts:
        """Return the network in training, with its companion where the model has two."""
        own = WanDenoiser(self.network)
        if not self.released.experts:
            return own
        other = WanDenoiser(self.other_network())
        return Experts(own, other) if self.is_high_noise else Experts(other, own)

    @property
    def is_high_noise(self) -> bool:
        """Whether it is the network for high noise that is trained, of a model that has two."""
        return self.part == "transformer"

    def other_network(self) -> Any:  # noqa: ANN401 - a module of diffusers
        """Return the network that is not trained, of a model that has two; it is on the device."""
        networks = self.networks
        return networks.placement.ready(networks.parts.transformers[1 if self.is_high_noise else 0])

    def is_trained_at(self, timestep: float) -> bool:
        """Return whether it is the network in training that denoises a timestep.

        Args:
            timestep: 0 to 1000.
        """
        return not self.released.experts or is_high_noise(timestep) == self.is_high_noise

    def _frames(self, latents: "torch.Tensor") -> Frames:
        return decoded_frames(self.networks, latents)

    def draw_level(self, generator: "torch.Generator") -> Level:
        """Draw how much a sample is noised."""
        import torch

        at = int(torch.randint(len(self.table.sigmas), (), generator=generator))
        return Level(*(float(column[at]) for column in (self.table.sigmas, self.table.timesteps, self.table.weights)))

    def velocity(self, noised: "torch.Tensor", timesteps: "torch.Tensor", inputs: Inputs) -> "torch.Tensor":
        """Return what the network predicts, (B, 16, T, h, w) float32.

        Args:
            noised: (B, 16, T, h, w).
            timesteps: (B,).
            inputs: With a batch axis.
        """
        import torch

        latents = torch.cat([noised, inputs.condition], 1)
        return WanDenoiser(self.network)(latents, timesteps, inputs.text, inputs.image)

    def with_network(self, network: Any) -> "WanFamily":  # noqa: ANN401 - a module of diffusers
        """Return the family with another network of the same class: a frozen copy."""
        return replace(self, network=network)

    def forget_text(self) -> None:
        """Let the text encoder go: all prompts are encoded."""
        self.networks.parts.text.module.to("cpu")


def of_expert(table: FlowTable, expert: str) -> FlowTable:
    """Return the levels of noise of one of two experts.

    Args:
        table: Of both.
        expert: ``high`` or ``low``.
    """
    import torch

    chosen = torch.tensor([is_high_noise(each) == (expert == "high") for each in table.timesteps.tolist()])
    return FlowTable(sigmas=table.sigmas[chosen], timesteps=table.timesteps[chosen], weights=table.weights[chosen])
