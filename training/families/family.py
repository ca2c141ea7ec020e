"""A family of networks as trainers use it: what it keeps of a clip, what guides it, how it is noised and asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from anisora.harness.networks import inference
from anisora.harness.types import Frames
from anisora.models.generator import TINY_FRAMES, TINY_SIZE, DiffusionGenerator
from anisora.models.released import Released
from anisora.training.conditions import Draws, GuideDraw, draw_guides
from anisora.training.losses.objective import Objective
from anisora.training.recipes import Recipe

if TYPE_CHECKING:
    import torch

__all__ = ["Encoded", "Family", "Inputs", "Level", "OfGuides", "Sampling"]

Encoded = Mapping[str, "torch.Tensor"]
"""Tensors that an encoder made, by name, on the CPU."""
OfGuides = Mapping[tuple[int, ...], Encoded]
"""{frames: what was encoded of them}"""


class Level(NamedTuple):
    """How much a sample is noised."""

    level: float
    """As the objective takes it."""
    timestep: float
    """What the network is told."""
    weight: float
    """Of the loss."""


class Sampling(NamedTuple):
    """How clips are drawn; None leaves what the model's own adapter does."""

    height: int
    width: int
    frames: int
    steps: int | None = None
    guidance: float | None = None


class Inputs(NamedTuple):
    """What a network is given beside the noisy latents; a leading axis for a batch."""

    condition: "torch.Tensor"
    text: "torch.Tensor"
    """(tokens, dim)"""
    image: "torch.Tensor | None"
    """(tokens, dim), for networks with an image branch."""


@dataclass(slots=True, kw_only=True)
class Family(ABC):
    """A model of a family, loaded to be trained."""

    negative_prompt: ClassVar[str | None] = None
    """What sampling with guidance stays away from; None is an embedding of zeros."""
    name: str
    """The model's."""
    generator: DiffusionGenerator[Any]
    """Knows how the model is sampled."""
    is_untrained: bool
    """Whether it began as random numbers."""
    released: Released
    recipe: Recipe
    objective: Objective
    network: Any
    """The transformer in training."""
    part: str
    """Where a pipeline of diffusers has it: transformer or transformer_2."""
    companions: Mapping[str, Any]
    """The other parts of the pipeline, {name in its folder: module, tokenizer, or path of what is published}."""
    encoders: str
    """Digest of everything that encodes: of equal ones, what they made is equal."""

    def default_bucket(self) -> tuple[int, int, int]:
        """Return (height, width, frames) of the model's own clips."""
        if self.is_untrained:
            return (*TINY_SIZE, TINY_FRAMES)
        return self.released.height, self.released.width, self.released.num_frames

    @abstractmethod
    def check_bucket(self, bucket: tuple[int, int, int]) -> None:
        """Raise ConfigError unless the networks can have clips of this size."""

    @abstractmethod
    def encode_text(self, prompt: str) -> "torch.Tensor":
        """Return the embedding of a prompt, (tokens, dim) float32 on the CPU."""

    @abstractmethod
    def encode_clip(self, video: "torch.Tensor") -> dict[str, "torch.Tensor"]:
        """Return what is kept of a clip.

        Args:
            video: (F, 3, H, W) in 0 to 1.
        """

    @abstractmethod
    def encode_guides(self, images: "torch.Tensor", frames: tuple[int, ...], num_frames: int) -> dict[str, Any]:
        """Return what is kept of frames that guide a clip.

        Args:
            images: (len(frames), 3, H, W) in 0 to 1.
            frames: From 0.
            num_frames: Of the clip.
        """

    def draw_guides(self, num_frames: int, draws: Draws, *, dropout: float, guides: str) -> GuideDraw:
        """Draw which frames guide a clip.

        Args:
            num_frames: Of the clip.
            draws: Where chance comes from.
            dropout: Chance of no condition.
            guides: ``first`` or ``random``.
        """
        if guides == "first":
            return GuideDraw(frames=(0,), is_dropped=draws.uniform() < dropout)
        return draw_guides(num_frames, draws, dropout=dropout)

    @abstractmethod
    def to_encode(self, draw: GuideDraw, num_frames: int) -> tuple[tuple[int, ...], ...]:
        """Return the frames that ``encode_guides`` is asked for, before ``inputs`` can be."""

    @abstractmethod
    def clean(self, clip: Encoded, generator: "torch.Generator") -> "torch.Tensor":
        """Return the latents of a clip, without a batch axis; where the posterior is sampled, with these draws."""

    @abstractmethod
    def kept(self, latents: "torch.Tensor") -> Encoded:
        """Return what would be kept of a clip whose latents are these, without a batch axis: ``clean`` gives them."""

    @abstractmethod
    def condition(
        self,
        clean: "torch.Tensor",
        guides: OfGuides,
        draw: GuideDraw,
        num_frames: int,
        generator: "torch.Generator",
    ) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return the condition of a clip, and the embedding of its first guide for networks that have a branch."""

    @abstractmethod
    def posed(
        self, first_frame: Encoded, num_frames: int, generator: "torch.Generator"
    ) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return the condition of a clip that is to be drawn, and the embedding of its first frame.

        Args:
            first_frame: What ``encode_guides`` made of the frame.
            num_frames: Of the clip.
            generator: On the CPU; where the posterior is sampled, with its draws.
        """

    @abstractmethod
    def latent_shape(self, condition: "torch.Tensor") -> tuple[int, ...]:
        """Return the shape of the latents of a clip, without a batch axis.

        Args:
            condition: Of the clip, without a batch axis.
        """

    @abstractmethod
    def sampled(
        self, inputs: Inputs, without: "torch.Tensor", generator: "torch.Generator", sampling: Sampling
    ) -> "torch.Tensor":
        """Return the latents of a clip, drawn as the model's own adapter draws them, with the network as it is now.

        The same draws give the same clip.

        Args:
            inputs: Of one clip, with a batch axis, on the device.
            without: (1, tokens, dim), the embedding of the negative prompt.
            generator: On the CPU; has given ``posed`` its draws.
            sampling: How.

        Returns:
            (1, ...).
        """

    def decode(self, latents: "torch.Tensor") -> "torch.Tensor":
        """Return the frames of latents, on the CPU.

        Args:
            latents: (B, ...), as sampling ends with them.

        Returns:
            (B, T, 3, H, W) uint8.
        """
        import torch

        with inference():
            frames = np.stack([self._frames(each[None]) for each in latents])
        return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 1, 4, 2, 3)))

    @abstractmethod
    def _frames(self, latents: "torch.Tensor") -> Frames:
        """Return the frames of the latents of one clip, (T, H, W, 3) uint8."""

    @abstractmethod
    def draw_level(self, generator: "torch.Generator") -> Level:
        """Draw how much a sample is noised."""

    @abstractmethod
    def velocity(self, noised: "torch.Tensor", timesteps: "torch.Tensor", inputs: Inputs) -> "torch.Tensor":
        """Return what the network predicts, float32.

        Args:
            noised: (B, ...) latents.
            timesteps: (B,).
            inputs: With a batch axis.
        """

    @abstractmethod
    def with_network(self, network: Any) -> "Family":  # noqa: ANN401 - a module of diffusers
        """Return the family with another network of the same class: a frozen copy."""

    @abstractmethod
    def forget_text(self) -> None:
        """Let the text encoder go: all prompts are encoded."""
