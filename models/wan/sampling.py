"""From noise to latents with Wan's image-to-video networks: one loop for every release, solver and guidance.

The networks are arguments, so that trainers and tests bring their own; ``denoiser.WanDenoiser`` is one.

Reference: anisoraV3/wan/image2video_any.py, anisoraV3.2/wan/image2video.py (generate).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from anisora.harness.errors import ConfigError, DataError
from anisora.models.guidance import guided
from anisora.models.wan.experts import BOUNDARY, is_high_noise
from anisora.models.wan.flow_schedule import TRAIN_TIMESTEPS, euler_states
from anisora.models.wan.unipc import unipc_sigmas, unipc_states, unipc_timesteps

if TYPE_CHECKING:
    import torch

__all__ = [
    "Denoise",
    "Experts",
    "SampledState",
    "SamplingInputs",
    "Schedule",
    "euler_schedule",
    "sampled_states",
    "unipc_schedule",
    "velocity_at",
]

_UNGUIDED: Final = 1.0


class Denoise(Protocol):
    """A network as the loop calls it."""

    def __call__(
        self,
        latents: "torch.Tensor",
        timestep: "torch.Tensor",
        text: "torch.Tensor",
        image: "torch.Tensor | None" = None,
        /,
    ) -> "torch.Tensor":
        """Return the velocity (B, 16, T, h, w) float32 of latents (B, 36, T, h, w) float32 at timesteps (B,)."""
        ...


@dataclass(frozen=True, slots=True)
class Experts:
    """The two networks of V3.2."""

    high: Denoise
    """For timesteps from the boundary on."""
    low: Denoise
    boundary: float = BOUNDARY
    """0 to 1, as a part of the timesteps of training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingInputs:
    """What the networks are given beside the state. The batch axis has the noise's length, or 1 for all alike."""

    condition: "torch.Tensor"
    """(B, 20, T, h, w), as ``condition_tensor`` returns it, with a batch axis."""
    text: "torch.Tensor"
    """(B, tokens, text_dim) of the prompt."""
    negative_text: "torch.Tensor | None" = None
    """The same of the negative prompt; not needed where the guidance is 1."""
    image: "torch.Tensor | None" = None
    """(B, tokens, image_dim) of the first image, for Wan 2.1."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """At which levels of noise the networks are asked, and how the steps between them are taken."""

    solver: Literal["unipc", "euler"]
    sigmas: tuple[float, ...]
    """Descending; of UniPC with the final 0, of Euler without it."""
    timesteps: tuple[float, ...]
    """What the networks are told, one for each step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledState:
    """The state after a step."""

    step: int
    """From 0."""
    steps: int
    """How many there are."""
    timestep: float
    """At which the network was asked."""
    expert: Literal["H", "L"] | None
    """Which network it was; None where there is one."""
    latents: "torch.Tensor"
    """(B, 16, T, h, w) float32; after the last step, the result."""


def unipc_schedule(steps: int, shift: float) -> Schedule:
    """Return the schedule of the releases: V2 40 steps, V3 and later 8; shift 5, of 480p 3.

    Raises:
        ConfigError: There is no step, or the shift is not positive.
    """
    return Schedule("unipc", tuple(unipc_sigmas(steps, shift).tolist()), tuple(unipc_timesteps(steps, shift).tolist()))


def euler_schedule(sigmas: Sequence[float]) -> Schedule:
    """Return Euler's steps along given levels, such as those of ``flow_sigmas`` or of a distilled step list.

    Args:
        sigmas: Descending, from at most 1, without the final 0.

    Raises:
        ConfigError: They do not fall from 1 or less to above 0.
    """
    levels = tuple(float(sigma) for sigma in sigmas)
    if not levels or levels[0] > 1 or levels[-1] <= 0 or list(levels) != sorted(set(levels), reverse=True):
        raise ConfigError(
            f"`sigmas` got {list(levels)}; expected levels of noise that fall from 1 or less to above 0. "
            "Take them from flow_sigmas() or from STEP_LISTS."
        )
    return Schedule("euler", levels, tuple(sigma * TRAIN_TIMESTEPS for sigma in levels))


def sampled_states(
    network: Denoise | Experts,
    noise: "torch.Tensor",
    inputs: SamplingInputs,
    schedule: Schedule,
    guidance: float | tuple[float, float] = _UNGUIDED,
) -> Iterator[SampledState]:
    """Yield the state after each step; the last one's latents are the result, normalised.

    Noise and condition are joined in float32; the state stays float32. At guidance 1 the network is asked once a step:
    what it predicts without the prompt cancels.

    Args:
        network: One network, or two with their boundary.
        noise: (B, 16, T, h, w).
        inputs: On the noise's device.
        schedule: As ``unipc_schedule`` or ``euler_schedule`` returns it.
        guidance: Of all steps, or of two networks as (low, high).

    Raises:
        ConfigError: There is guidance without a negative prompt, or two of them for one network.
        DataError: The condition is not of the noise's size.
    """
    velocity = _checked_velocity(network, noise, inputs, guidance)
    experts = network if isinstance(network, Experts) else None
    start, levels, timesteps = noise.float(), schedule.sigmas, schedule.timesteps
    if schedule.solver == "unipc":
        states = unipc_states(velocity, start, levels, [int(timestep) for timestep in timesteps])
    else:
        states = euler_states(velocity_at(network, noise, inputs, guidance), start, levels)
    for step, latents in enumerate(states):
        letter = _letter(experts, timesteps[step])
        yield SampledState(step=step, steps=len(timesteps), timestep=timesteps[step], expert=letter, latents=latents)


def velocity_at(
    network: Denoise | Experts,
    noise: "torch.Tensor",
    inputs: SamplingInputs,
    guidance: float | tuple[float, float] = _UNGUIDED,
) -> "Callable[[torch.Tensor, float], torch.Tensor]":
    """Return what Euler's steps and searches ask: (state, sigma) -> the velocity, guidance included.

    Args:
        network: As in ``sampled_states``, like all that follows.
        noise: (B, 16, T, h, w); states have its shape.
        inputs: On the states' device.
        guidance: Of all levels, or of two networks as (low, high).

    Raises:
        ConfigError: There is guidance without a negative prompt, or two of them for one network.
        DataError: The condition is not of the noise's size.
    """
    velocity = _checked_velocity(network, noise, inputs, guidance)
    return lambda state, sigma: velocity(state, sigma * TRAIN_TIMESTEPS)


def _checked_velocity(
    network: Denoise | Experts, noise: "torch.Tensor", inputs: SamplingInputs, guidance: float | tuple[float, float]
) -> "Callable[[torch.Tensor, float], torch.Tensor]":
    scales = guidance if isinstance(guidance, tuple) else (guidance, guidance)
    _check(network if isinstance(network, Experts) else None, scales, noise, inputs)
    return _velocity(network, inputs, scales)


def _velocity(
    network: Denoise | Experts, inputs: SamplingInputs, scales: tuple[float, float]
) -> "Callable[[torch.Tensor, float], torch.Tensor]":
    import torch

    def velocity(state: "torch.Tensor", timestep: float) -> "torch.Tensor":
        (batch, *_), (low, high) = state.shape, scales
        if isinstance(network, Experts):
            is_high = is_high_noise(timestep, network.boundary)
            asked, scale = (network.high, high) if is_high else (network.low, low)
        else:
            asked, scale = network, low
        joined = torch.cat([state, _of_batch(inputs.condition, batch).to(state)], dim=1)
        told = torch.full((batch,), float(timestep), device=state.device)
        image = None if inputs.image is None else _of_batch(inputs.image, batch)
        conditional = asked(joined, told, _of_batch(inputs.text, batch), image)
        if scale == _UNGUIDED or inputs.negative_text is None:
            return conditional
        unconditional = asked(joined, told, _of_batch(inputs.negative_text, batch), image)
        mixed: torch.Tensor = guided(unconditional, conditional, scale)
        return mixed

    return velocity


def _letter(experts: Experts | None, timestep: float) -> Literal["H", "L"] | None:
    if experts is None:
        return None
    return "H" if is_high_noise(timestep, experts.boundary) else "L"


def _of_batch(tensor: "torch.Tensor", batch: int) -> "torch.Tensor":
    return tensor.expand(batch, *tensor.shape[1:])


def _check(experts: Experts | None, scales: tuple[float, float], noise: "torch.Tensor", inputs: SamplingInputs) -> None:
    if experts is None and scales[0] != scales[1]:
        raise ConfigError(
            f"`guidance` got {scales}; expected one number for one network. A pair is (low, high) of two experts."
        )
    if inputs.negative_text is None and scales != (_UNGUIDED, _UNGUIDED):
        raise ConfigError(
            f"`guidance` got {scales} without a negative prompt; expected `negative_text`, or a guidance of 1. "
            "Encode the release's negative prompt."
        )
    if noise.ndim != 5 or inputs.condition.ndim != 5 or noise.shape[2:] != inputs.condition.shape[2:]:
        raise DataError(
            f"`condition` has shape {tuple(inputs.condition.shape)} and `noise` {tuple(noise.shape)}; expected both "
            "(B, channels, T, h, w) with equal T, h and w. Draw noise of the condition's size."
        )
    for name, tensor in (
        ("condition", inputs.condition),
        ("text", inputs.text),
        ("negative_text", inputs.negative_text),
        ("image", inputs.image),
    ):
        if tensor is not None and len(tensor) not in (1, len(noise)):
            raise DataError(
                f"`{name}` has a batch of {len(tensor)}; expected {len(noise)}, that of the noise, or 1 for all alike."
            )
