import pytest

from anisora.metrics.networks.correlation import Correlation

torch = pytest.importorskip("torch")


def maps(height: int = 19, width: int = 26) -> list["torch.Tensor"]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 24, height, width, generator=generator) for _ in range(2)]


def places(height: int = 19, width: int = 26, spread: float = 9.0) -> "torch.Tensor":
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack([x, y])[None].float()
    return grid + spread * torch.randn(grid.shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("radius", [3, 4])
def test_with_and_without_a_volume_the_numbers_are_the_same(radius: int) -> None:
    first, second = maps()
    kept = Correlation(first, second, levels=4, radius=radius)
    read = Correlation(first, second, levels=4, radius=radius, volume_bytes=0)
    assert (kept.has_volume, read.has_volume) == (True, False)
    one, other = kept.read(places()), read.read(places())
    assert one.shape == (1, 4 * (2 * radius + 1) ** 2, 19, 26)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_it_is_torchvisions_correlation() -> None:
    optical_flow = pytest.importorskip("torchvision.models.optical_flow.raft")
    first, second = maps()
    block = optical_flow.CorrBlock(num_levels=3, radius=4)
    block.build_pyramid(first, second)
    expected = block.index_pyramid(centroids_coords=places())
    torch.testing.assert_close(
        Correlation(first, second, levels=3, radius=4).read(places()), expected, rtol=0, atol=1e-6
    )


def test_the_slow_index_moves_to_the_right_and_the_middle_is_the_place_itself() -> None:
    first, second = maps()
    exact = places(spread=0.0)
    found = Correlation(first, second, levels=1, radius=1).read(exact)[0]
    scale = 24**0.5
    assert found[4, 5, 7].item() == pytest.approx((first[0, :, 5, 7] @ second[0, :, 5, 7]).item() / scale, abs=1e-5)
    assert found[7, 5, 7].item() == pytest.approx((first[0, :, 5, 7] @ second[0, :, 5, 8]).item() / scale, abs=1e-5)
    assert found[5, 5, 7].item() == pytest.approx((first[0, :, 5, 7] @ second[0, :, 6, 7]).item() / scale, abs=1e-5)
    assert found[0, 0, 0].item() == 0  # beyond the border


def test_the_volume_is_left_out_where_it_would_not_fit() -> None:
    first, second = maps()
    needed = 4 * 19 * 26 * (19 * 26 + 9 * 13)
    assert Correlation(first, second, levels=2, radius=3, volume_bytes=needed).has_volume
    assert not Correlation(first, second, levels=2, radius=3, volume_bytes=needed - 1).has_volume
