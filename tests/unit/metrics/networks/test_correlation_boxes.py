"""Places that look at nearly the same window are read together; those that do not, one by one."""

import pytest

from anisora.metrics.networks import correlation
from anisora.metrics.networks.correlation import Correlation

torch = pytest.importorskip("torch")

HEIGHT, WIDTH = 19, 26  # not whole squares of places


def places(*, drift: float, away: float = 0.0, outlier: float = 0.0) -> "torch.Tensor":
    """Where each place looks: at itself, moved by the same, by noise, and one of them elsewhere."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    grid = torch.stack([x, y])[None].float() + away
    grid = grid + drift * torch.rand(grid.shape, generator=torch.Generator().manual_seed(1))
    grid[0, :, 3, 4] += outlier
    return grid


@pytest.mark.parametrize(
    ("drift", "away", "outlier"),
    [(0.0, 0.0, 0.0), (2.9, 0.3, 0.0), (1.0, 6.5, 40.0), (1.0, -80.0, 0.0), (1.0, 0.0, -1e6), (60.0, -30.0, 0.0)],
)
@pytest.mark.parametrize("radius", [3, 4])
def test_reading_in_boxes_equals_reading_the_volume(radius: int, drift: float, away: float, outlier: float) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(1, 24, HEIGHT, WIDTH, generator=generator) for _ in range(2))
    looked_at = places(drift=drift, away=away, outlier=outlier)
    expected = Correlation(first, second, levels=4, radius=radius).read(looked_at)
    found = Correlation(first, second, levels=4, radius=radius, volume_bytes=0).read(looked_at)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_one_place_that_looks_elsewhere_costs_its_own_square_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    read = Correlation._from_box

    def noted(
        self: Correlation, level: int, centres: torch.Tensor, corner: torch.Tensor, query: torch.Tensor, box: int
    ) -> torch.Tensor:
        asked.append((len(centres), centres.shape[1]))
        return read(self, level, centres, corner, query, box)

    monkeypatch.setattr(Correlation, "_from_box", noted)
    square = correlation._TILE**2
    maps = torch.zeros(2, 1, 8, HEIGHT, WIDTH)
    reader = Correlation(maps[0], maps[1], levels=1, radius=3, volume_bytes=0)
    reader.read(places(drift=1.0))
    assert asked == [(12, square)]
    asked.clear()
    reader.read(places(drift=1.0, outlier=12.0))
    assert asked == [(11, square), (square, 1)]
