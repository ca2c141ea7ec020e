"""Groups of clips that are scored while others are drawn."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from anisora.harness.protocols import RewardBatch

if TYPE_CHECKING:
    import torch

__all__ = ["scored_while_drawn"]

Group = TypeVar("Group")
Drawn = TypeVar("Drawn")


def scored_while_drawn(
    groups: Iterable[Group],
    draw: "Callable[[Group], tuple[Drawn, torch.Tensor]]",
    score: "Callable[[Group, torch.Tensor], RewardBatch]",
) -> tuple[list[Drawn], list[RewardBatch]]:
    """Draw groups one after the other, each of which is scored in another thread while the next ones are drawn.

    Args:
        groups: What is to be drawn.
        draw: Group -> what is kept of it, and its frames (B, T, 3, H, W) uint8.
        score: (group, frames) -> rewards; one call at a time, in order.

    Returns:
        What was kept of each group, and its rewards, in order.
    """
    kept: list[Drawn] = []
    scored: list[Future[RewardBatch]] = []
    with ThreadPoolExecutor(1, thread_name_prefix="reward") as thread:
        for group in groups:
            drawn, frames = draw(group)
            kept.append(drawn)
            scored.append(thread.submit(score, group, frames))
        return kept, [each.result() for each in scored]
