"""Correlation of two feature maps around given places, with or without the volume of all pairs.

RAFT and AMT compare each place of one map with a window of places of the other, at several scales. The volume of all
pairs is quick to read and grows with the square of the number of places; where it would not fit the budget, only the
products that are read are computed. Reading is bilinear, and so is pooling, so that both ways give the same numbers but
for rounding.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

__all__ = ["VOLUME_BYTES", "Correlation"]

VOLUME_BYTES: Final = 256 << 20
"""The largest volume of all pairs, over all scales, that is kept."""
_BLOCK_BYTES: Final = 16 << 20
"""What one block of tiles takes, where there is no volume."""
_TILE: Final = 8
"""Side of the squares of places that are read together."""
_SPREAD: Final = 4
"""How far the windows of a square may drift apart, in places of the second map, and still be read together."""


class Correlation:
    """``<first(p), second(q)> / sqrt(channels)``, read in windows around places q."""

    def __init__(
        self,
        first: "torch.Tensor",
        second: "torch.Tensor",
        *,
        levels: int,
        radius: int,
        volume_bytes: int = VOLUME_BYTES,
    ) -> None:
        """Take two feature maps.

        Args:
            first: (1, C, h, w).
            second: (1, C, h, w), pooled by 2 from scale to scale; odd rows and columns at the end are left out.
            levels: Number of scales.
            radius: Of the window: 2 * radius + 1 places a side.
            volume_bytes: Above this size no volume is kept.
        """
        import torch

        self._radius = radius
        self._query = first[0].flatten(1).t() / first.shape[1] ** 0.5
        self._maps = [second[0]]
        for _ in range(levels - 1):
            self._maps.append(torch.nn.functional.avg_pool2d(self._maps[-1][None], 2, stride=2)[0])
        places = self._query.shape[0]
        needed = sum(4 * places * level[0].numel() for level in self._maps)
        self.has_volume = needed <= volume_bytes
        if self.has_volume:
            whole = (self._query @ second[0].flatten(1)).view(places, 1, *second.shape[2:])
            self._volumes = [whole]
            for _ in range(levels - 1):
                self._volumes.append(torch.nn.functional.avg_pool2d(self._volumes[-1], 2, stride=2))
        else:
            self._rows = [level.flatten(1).t().contiguous() for level in self._maps]
            self._tiles = _tiles(*first.shape[2:]).to(first.device)

    def read(self, places: "torch.Tensor") -> "torch.Tensor":
        """Return the windows around places of the second map.

        Args:
            places: (1, 2, h, w) of x and y in the second map at its full scale, one for each place of the first.

        Returns:
            (1, levels * (2 * radius + 1)^2, h, w): by level, then by x offset, then by y offset.
        """
        import torch

        height, width = places.shape[2:]
        centres = places[0].flatten(1).t()
        read = self._from_volume if self.has_volume else self._from_boxes
        windows = [read(level, centres / 2**level) for level in range(len(self._maps))]
        return torch.cat(windows, dim=1).t().view(1, -1, height, width)

    def _from_volume(self, level: int, centres: "torch.Tensor") -> "torch.Tensor":
        return self._sampled(self._volumes[level], centres)

    def _sampled(self, volume: "torch.Tensor", centres: "torch.Tensor") -> "torch.Tensor":
        """Return (n, windows) of n maps, (n, 1, h, w), around n centres; what lies outside is zero."""
        import torch

        side = 2 * self._radius + 1
        offset = torch.linspace(-self._radius, self._radius, side, device=centres.device)
        shifts = torch.stack(torch.meshgrid(offset, offset, indexing="ij"), dim=-1)  # the slow index moves x
        size = torch.tensor([volume.shape[3] - 1, volume.shape[2] - 1], device=centres.device)
        grid = 2 * (centres[:, None, None] + shifts) / size - 1
        found = torch.nn.functional.grid_sample(volume, grid, align_corners=True)
        return found.flatten(1)

    def _from_boxes(self, level: int, centres: "torch.Tensor") -> "torch.Tensor":
        """Read without a volume: neighbouring places look at nearly the same window, and share the products of it."""
        import torch

        side = 2 * self._radius + 1
        limits = torch.tensor(self._maps[level].shape[:0:-1], device=centres.device)  # of x and y
        # A window that lies wholly outside is zero wherever it lies.
        corners = (centres.floor() - self._radius).clamp(torch.full_like(limits, -side - 1), limits).long()
        spread = (_TILE - 1 + _SPREAD) // 2**level + 1
        seen = corners[self._tiles]
        near = (seen.amax(dim=1) - seen.amin(dim=1) <= spread).all(dim=-1)
        windows = centres.new_empty(len(centres), side * side)
        for group, box in (
            (self._tiles[near], side + 1 + spread),
            (self._tiles[~near].view(-1, 1), side + 1),  # places whose neighbours look elsewhere, one by one
        ):
            block = max(1, _BLOCK_BYTES // (4 * box**2 * (self._query.shape[1] + 2 * group.shape[1])))
            for start in range(0, len(group), block):
                some = group[start : start + block]
                windows[some] = self._from_box(level, centres[some], corners[some].amin(dim=1), self._query[some], box)
        return windows

    def _from_box(
        self, level: int, centres: "torch.Tensor", corner: "torch.Tensor", query: "torch.Tensor", box: int
    ) -> "torch.Tensor":
        """Return (tiles, n, windows) of (tiles, n, 2) centres whose windows lie in the boxes at (tiles, 2) corners."""
        import torch

        second = self._maps[level]
        width, height = second.shape[2], second.shape[1]
        reach = torch.arange(box, device=centres.device)
        x, y = (corner[:, axis, None] + reach for axis in (0, 1))
        inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
        index = y.clamp(0, height - 1)[:, :, None] * width + x.clamp(0, width - 1)[:, None, :]
        neighbours = self._rows[level].index_select(0, index.flatten()).view(len(corner), box * box, -1)
        product = torch.bmm(query, neighbours.transpose(1, 2)) * inside.flatten(1)[:, None]
        volume = product.view(-1, 1, box, box)
        return self._sampled(volume, (centres - corner[:, None]).flatten(0, 1)).view(*centres.shape[:2], -1)


def _tiles(height: int, width: int) -> "torch.Tensor":
    """Return (tiles, _TILE^2) indices of the places in each square; at the edges the last places stand again."""
    import torch

    reach = torch.arange(_TILE)
    y, x = ((torch.arange(0, size, _TILE)[:, None] + reach).clamp(max=size - 1) for size in (height, width))
    return (y[:, None, :, None] * width + x[None, :, None, :]).reshape(-1, _TILE**2)
