"""FasterCache: attention and the branch without the prompt are predicted from earlier steps in part of the steps.

The method is Lv et al. 2024 (arXiv 2410.19355), as diffusers has it. AniSora V1's entry point has an implementation of
its own with other constants; clips made with either differ from each other and from those made without. It is an
approximation and belongs in the record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from anisora.models.cogvideox.transformer_call import TransformerCall

__all__ = ["FasterCacheSettings", "faster_cache"]

_TENSOR_FORMAT: Final = "BFCHW"


@dataclass(frozen=True, slots=True, kw_only=True)
class FasterCacheSettings:
    """In which steps what is left out. A range of timesteps has both ends excluded."""

    attention_every: int = 2
    """Attention is computed in every n-th step of its range."""
    attention_timesteps: tuple[int, int] = (-1, 681)
    attention_weight: float = 0.3
    """How far attention is extrapolated from the last two that were computed."""
    unconditional_every: int = 5
    """The branch without the prompt is computed in every n-th step of its range."""
    unconditional_timesteps: tuple[int, int] = (-1, 641)
    low_frequency_weight: float = 1.1
    low_frequency_timesteps: tuple[int, int] = (99, 641)
    high_frequency_weight: float = 1.1
    high_frequency_timesteps: tuple[int, int] = (-1, 301)


@contextmanager
def faster_cache(call: TransformerCall, settings: FasterCacheSettings | None = None) -> Iterator[dict[str, Any]]:
    """Leave computations out inside the block, which is for one clip; after it the network is as it was.

    Args:
        call: What the sampling loop calls; both branches in one call, that without the prompt first.
        settings: In which steps; None is the defaults.

    Yields:
        What is to be recorded.
    """
    from diffusers import FasterCacheConfig

    chosen = settings or FasterCacheSettings()
    config = FasterCacheConfig(
        spatial_attention_block_skip_range=chosen.attention_every,
        spatial_attention_timestep_skip_range=chosen.attention_timesteps,
        attention_weight_callback=lambda _: chosen.attention_weight,
        unconditional_batch_skip_range=chosen.unconditional_every,
        unconditional_batch_timestep_skip_range=chosen.unconditional_timesteps,
        alpha_low_frequency=chosen.low_frequency_weight,
        low_frequency_weight_update_timestep_range=chosen.low_frequency_timesteps,
        alpha_high_frequency=chosen.high_frequency_weight,
        high_frequency_weight_update_timestep_range=chosen.high_frequency_timesteps,
        tensor_format=_TENSOR_FORMAT,
        current_timestep_callback=lambda: call.timestep,
    )
    call.network.enable_cache(config)
    try:
        yield {"faster_cache": {"tensor_format": _TENSOR_FORMAT, **asdict(chosen)}}
    finally:
        call.network.disable_cache()
