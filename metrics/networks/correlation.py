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
_BLOCK_BYTES: Final = 64 << 20
"""What the neighbours of one block of places take, where there is no volume."""


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
        read = self._from_volume if self.has_volume else self._by_product
        windows = [read(level, centres / 2**level) for level in range(len(self._maps))]
        return torch.cat(windows, dim=1).t().view(1, -1, height, width)

    def _from_volume(self, level: int, centres: "torch.Tensor") -> "torch.Tensor":
        import torch

        side = 2 * self._radius + 1
        offset = torch.linspace(-self._radius, self._radius, side, device=centres.device)
        shifts = torch.stack(torch.meshgrid(offset, offset, indexing="ij"), dim=-1)  # the slow index moves x
        volume = self._volumes[level]
        size = torch.tensor([volume.shape[3] - 1, volume.shape[2] - 1], device=centres.device)
        grid = 2 * (centres[:, None, None] + shifts) / size - 1
        found = torch.nn.functional.grid_sample(volume, grid, align_corners=True)
        return found.flatten(1)

    def _by_product(self, level: int, centres: "torch.Tensor") -> "torch.Tensor":
        import torch

        radius, second = self._radius, self._maps[level]
        height, width = second.shape[1:]
        rows = second.flatten(1).t().contiguous()
        reach = torch.arange(-radius, radius + 2, device=centres.device)
        block = max(1, _BLOCK_BYTES // (4 * len(reach) ** 2 * second.shape[0]))
        windows = []
        for start in range(0, len(centres), block):
            centre, query = centres[start : start + block], self._query[start : start + block]
            corner = centre.floor()
            x, y = (corner[:, axis, None].long() + reach for axis in (0, 1))
            inside = ((x >= 0) & (x < width))[:, :, None] & ((y >= 0) & (y < height))[:, None, :]
            index = y.clamp(0, height - 1)[:, None, :] * width + x.clamp(0, width - 1)[:, :, None]
            neighbours = rows.index_select(0, index.flatten()).view(len(centre), -1, rows.shape[1])
            product = (neighbours @ query[:, :, None]).view(index.shape) * inside
            part = (centre - corner)[:, :, None, None]
            along_x = product[:, :-1] * (1 - part[:, 0]) + product[:, 1:] * part[:, 0]
            along_y = along_x[:, :, :-1] * (1 - part[:, 1]) + along_x[:, :, 1:] * part[:, 1]
            windows.append(along_y.flatten(1))
        return torch.cat(windows)
