"""CogVideoX's sampling: from noise, guide latents and text to the latents of a clip, state by state.

The state is kept in float32, whatever the network computes in, and all noise is drawn on the CPU. The network is a
callable, so that a trainer or a test may pass another.

Reference: anisoraV1_infer/scripts/cogvideox/fastercache_sample_cogvideox_sp.py.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.models.cogvideox.dpm_solver import dpm_states
from anisora.models.cogvideox.drawn_noise import NoiseInOrder, step_noise

if TYPE_CHECKING:
    import torch

__all__ = ["STEPS", "Predict", "Solver", "Velocities", "guided_velocities", "sample_latents", "v1_solver"]

STEPS: Final = 50
"""Of the released models."""

Predict = Callable[["torch.Tensor", "torch.Tensor", int], "torch.Tensor"]
"""(latents and condition (B, T, C, h, w), text (B, L, D), timestep) -> velocity (B, T, C', h, w), float32."""
Velocities = Callable[["torch.Tensor", int], tuple["torch.Tensor", "torch.Tensor"]]
"""(state, timestep) -> velocities without and with the prompt."""
Solver = Callable[[Velocities, "torch.Tensor", "torch.Generator", int], Iterator["torch.Tensor"]]
"""(velocities, noise, generator of further noise, steps) -> the state after each step."""


def guided_velocities(
    predict: Predict,
    condition: "torch.Tensor",
    text: "torch.Tensor",
    negative_text: "torch.Tensor | None" = None,
    *,
    batched: bool = True,
) -> Velocities:
    """Return what predicts both branches of classifier-free guidance; the condition is in both.

    Args:
        predict: Calls the network.
        condition: (B, T, C, h, w): latents of guide images in their slots, scaled, zeros elsewhere.
        text: (B, L, D).
        negative_text: Of the branch without the prompt; None is zeros, as AniSora has it.
        batched: Both branches in one call, that without the prompt first; else one after the other, which needs less
            memory.

    Raises:
        ConfigError: The network leaves computations out, which needs both branches in one call.
        DataError: The two texts differ in shape.
    """
    import torch

    without = torch.zeros_like(text) if negative_text is None else negative_text
    if without.shape != text.shape:
        raise DataError(
            f"`negative_text` has shape {tuple(without.shape)}; expected {tuple(text.shape)}, that of the text. "
            "Pad both to the same number of tokens."
        )
    if not batched and getattr(predict, "is_cached", False):
        raise ConfigError(
            "`batched` got False for a network with FasterCache, which predicts one branch from the other; expected "
            "True. Leave FasterCache out where memory is short."
        )

    def velocities(state: "torch.Tensor", timestep: int) -> "tuple[torch.Tensor, torch.Tensor]":
        latents = torch.cat([state, condition.to(state)], dim=2)
        if not batched:
            return predict(latents, without, timestep), predict(latents, text, timestep)
        both = predict(torch.cat([latents, latents]), torch.cat([without, text]), timestep)
        unconditional, conditional = both.chunk(2)
        return unconditional, conditional

    return velocities


def v1_solver(
    velocities: Velocities, noise: "torch.Tensor", generator: "torch.Generator", steps: int
) -> "Iterator[torch.Tensor]":
    """Yield the state after each step of AniSora V1's solver.

    Args:
        velocities: Of both branches.
        noise: The first state.
        generator: On the CPU; one draw a step, but the last.
        steps: How many.

    Raises:
        ConfigError: There is no such number of steps.
    """
    draws = NoiseInOrder(generator, noise.shape, steps - 1, noise.device)
    return dpm_states(velocities, noise, draws, steps)


def sample_latents(
    predict: Predict,
    condition: "torch.Tensor",
    text: "torch.Tensor",
    generator: "torch.Generator",
    *,
    steps: int = STEPS,
    negative_text: "torch.Tensor | None" = None,
    solver: Solver = v1_solver,
    batched: bool = True,
) -> "Iterator[torch.Tensor]":
    """Yield the state after each step; the last one is the clip's latents, scaled.

    Args:
        predict: Calls the network: a ``TransformerCall``.
        condition: (B, T, C, h, w): latents of guide images in their slots, scaled, zeros elsewhere.
        text: (B, L, D).
        generator: On the CPU; guide images are encoded with it before.
        steps: How many.
        negative_text: Of the branch without the prompt; None is zeros, as AniSora has it.
        solver: ``v1_solver``, or ``stock_solver`` for stock CogVideoX.
        batched: Both branches in one call; else one after the other, which needs less memory.

    Raises:
        ConfigError: There is no such number of steps, or the network needs both branches in one call.
        DataError: The two texts differ in shape.
    """
    velocities = guided_velocities(predict, condition, text, negative_text, batched=batched)
    noise = step_noise(generator, condition.shape, condition.device)
    yield from solver(velocities, noise, generator, steps)
