"""A family of networks as trainers use it: what it keeps of a clip, what guides it, how it is noised and asked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from anisora.models.generator import TINY_FRAMES, TINY_SIZE
from anisora.models.released import Released
from anisora.training.conditions import Draws, GuideDraw, draw_guides
from anisora.training.losses.objective import Objective
from anisora.training.recipes import Recipe

if TYPE_CHECKING:
    import torch

__all__ = ["Encoded", "Family", "Inputs", "Level", "OfGuides"]

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

    name: str
    """The model's."""
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
