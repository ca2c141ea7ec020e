"""Rotary positions of CogVideoX: each patch is turned by its latent frame, row and column.

AniSora V1 counts all three from 0, whatever the size of the clip. Stock CogVideoX stretches rows and columns, so that
a grid of any size covers the one that it was trained on.

Reference: anisoraV1_infer/fastercache/models/cogvideox/dit_video_concat.py (Rotary3DPositionEmbeddingMixin).
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from anisora.harness.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["resized_region", "rotary_positions"]


def resized_region(grid: tuple[int, int], trained: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where a grid lies on the trained one: as large as fits there with its own shape, centred.

    Args:
        grid: Rows and columns of patches.
        trained: Of the clips that the network was trained on.

    Returns:
        ((top, left), (bottom, right)); bottom and right are not part of it.

    Example:
        >>> resized_region((30, 45), (30, 45)), resized_region((40, 40), (30, 45))
        (((0, 0), (30, 45)), ((0, 8), (30, 38)))
    """
    rows, columns = trained
    tall = grid[0] * columns > rows * grid[1]
    height = rows if tall else round(columns / grid[1] * grid[0])
    width = round(rows / grid[0] * grid[1]) if tall else columns
    top, left = round((rows - height) / 2), round((columns - width) / 2)
    return (top, left), (top + height, left + width)


@lru_cache(maxsize=8)
def rotary_positions(
    frames: int,
    height: int,
    width: int,
    *,
    head_dim: int = 64,
    patch_size: int = 2,
    trained: tuple[int, int] | None = None,
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return the cosines and sines by which the channels of a head are turned, on the CPU.

    Args:
        frames: Of the latent clip.
        height: Of the latent clip.
        width: The same.
        head_dim: Channels of a head: a quarter for frames, three eighths each for rows and columns.
        patch_size: Side of a patch in latent pixels.
        trained: Latent height and width that rows and columns are stretched to, as stock CogVideoX does; None counts
            them from 0, as AniSora does.

    Returns:
        Two float32 tensors, (frames * rows * columns, head_dim); they are kept and must not be changed.

    Raises:
        ConfigError: The size has no whole patches.
    """
    from diffusers.models.embeddings import get_3d_rotary_pos_embed

    if frames < 1 or height < patch_size or width < patch_size or height % patch_size or width % patch_size:
        raise ConfigError(
            f"The latent clip has {frames} frames of {height}x{width}; expected at least one, with a height and width "
            f"that are multiples of {patch_size}. Choose a clip whose sides are multiples of {8 * patch_size} pixels."
        )
    grid = (height // patch_size, width // patch_size)
    if trained is None:
        # Of the two ways to count that diffusers has, this one gives whole numbers exactly.
        cosines, sines = get_3d_rotary_pos_embed(head_dim, None, grid, frames, grid_type="slice", max_size=grid)
    else:
        region = resized_region(grid, (trained[0] // patch_size, trained[1] // patch_size))
        cosines, sines = get_3d_rotary_pos_embed(head_dim, region, grid, frames)
    return cosines, sines
