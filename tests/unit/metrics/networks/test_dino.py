import json

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.metrics.networks.dino import DinoVitB16

torch = pytest.importorskip("torch")
pytest.importorskip("timm")


@pytest.fixture(scope="module")
def network() -> DinoVitB16:
    drawn = untrained_rule(shapes_of(DinoVitB16.empty()), tag="dino", seed=0)
    return DinoVitB16({key: torch.from_numpy(array) for key, array in drawn.items()})


@needs_shared
def test_keys_and_shapes_are_those_of_the_published_file() -> None:
    published = json.loads((GOLDEN / "keys" / "dino_vitb16.json").read_text())["tensors"]
    assert shapes_of(DinoVitB16.empty()) == {key: tuple(shape) for key, shape in published.items()}


def test_square_pictures_are_those_of_timm_itself(network: DinoVitB16) -> None:
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.module(pixels)
    torch.testing.assert_close(network(pixels), expected, rtol=0, atol=1e-5)


def test_pixels_beyond_whole_patches_are_not_seen(network: DinoVitB16) -> None:
    pixels = torch.randn(1, 3, 32, 60, generator=torch.Generator().manual_seed(1))
    changed = pixels.clone()
    changed[..., 48:] += 5  # 60 // 16 = 3 patches, 48 pixels
    torch.testing.assert_close(network(pixels), network(changed), rtol=0, atol=0)
    changed[..., 47] += 5
    assert (network(pixels) - network(changed)).abs().max() > 1e-3


def test_positions_of_other_shapes_are_stretched_by_a_factor_and_not_to_a_size(network: DinoVitB16) -> None:
    stretched = network._positions(2, 3)
    assert stretched.shape == (1, 1 + 2 * 3, 768)
    grid = network.module.pos_embed[:, 1:].reshape(1, 14, 14, 768).permute(0, 3, 1, 2)
    to_size = torch.nn.functional.interpolate(grid, size=(2, 3), mode="bicubic")
    sized = to_size.permute(0, 2, 3, 1).reshape(1, -1, 768)
    assert (stretched[:, 1:] - sized).abs().max() > 1e-3
    torch.testing.assert_close(stretched[:, :1], network.module.pos_embed[:, :1])
