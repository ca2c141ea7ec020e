import json

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import MetricError
from anisora.harness.networks import shapes_of
from anisora.harness.protocols import Batch
from anisora.harness.types import StreamInfo
from anisora.metrics.extractors.amt_s import AmtS as Extractor
from anisora.metrics.golden.motion_smoothness import amt_state

torch = pytest.importorskip("torch")

from anisora.metrics.networks.amt import AmtS  # noqa: E402 - imports torch


@pytest.fixture(scope="module")
def network() -> AmtS:
    return AmtS(amt_state(0))


def picture(seed: int, height: int = 128, width: int = 144) -> "torch.Tensor":
    coarse = torch.rand(1, 3, height // 16 + 1, width // 16 + 1, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")


def batch_of(frames: np.ndarray) -> Batch:
    stream = StreamInfo(fps=8.0, num_frames=3, height=0, width=0, codec="x", pixel_format="y")
    return Batch(frames=frames[None], indices=np.arange(3)[None], stream=stream)


@needs_shared
def test_keys_and_shapes_are_those_of_the_published_file() -> None:
    published = json.loads((GOLDEN / "keys" / "amt_s.json").read_text())["tensors"]
    assert shapes_of(AmtS.empty()) == {key: tuple(shape) for key, shape in published.items()}


def test_without_a_volume_the_drawn_frame_is_the_same(network: AmtS) -> None:
    kept = network(picture(0), picture(1))
    read = AmtS(amt_state(0), volume_bytes=0)(picture(0), picture(1))
    torch.testing.assert_close(kept, read, rtol=0, atol=1e-5)


def test_the_padding_is_cut_off_again(network: AmtS) -> None:
    drawn = network(picture(2, 130, 150), picture(3, 130, 150))
    assert drawn.shape == (3, 130, 150)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    whole = network.module(
        *(
            torch.nn.functional.pad(p, (5, 5, 7, 7), mode="replicate")
            for p in (picture(2, 130, 150), picture(3, 130, 150))
        )
    )
    torch.testing.assert_close(drawn, whole[0, :, 7:137, 5:155], rtol=0, atol=1e-5)


def test_what_is_drawn_depends_on_both_frames_and_their_order_of_channels(network: AmtS) -> None:
    drawn = network(picture(4), picture(5))
    for changed in (
        network(picture(4), picture(6)),
        network(picture(6), picture(5)),
        network(picture(4).flip(1), picture(5).flip(1)).flip(0),
    ):
        assert (drawn - changed).abs().max() > 1e-3


@pytest.mark.parametrize(
    "part", ["feat_encoder.conv2", "encoder.pyramid4", "decoder3", "update2.flow_head", "comb_block"]
)
def test_every_part_counts(part: str) -> None:
    state = amt_state(0)
    for key in state:
        if key.startswith(part) and key.endswith("weight") and state[key].ndim > 1:
            state[key] = state[key] * 1.5
    assert (AmtS(state)(picture(7), picture(8)) - AmtS(amt_state(0))(picture(7), picture(8))).abs().max() > 1e-4


def test_the_error_is_that_of_levels_cut_and_not_rounded(network: AmtS) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    pixels = [torch.from_numpy(frames[at]).permute(2, 0, 1)[None].float() / 255 for at in (0, 2)]
    drawn = np.floor(network(*pixels).numpy().transpose(1, 2, 0) * np.float32(255))
    found = Extractor(network=network).extract(batch_of(frames))["mean_absolute"]
    assert found == pytest.approx([np.abs(drawn.astype(np.float64) - frames[1]).mean()], abs=1e-6)


def test_frames_below_the_smallest_side_are_refused(network: AmtS) -> None:
    Extractor(network=network).extract(batch_of(np.zeros((3, 113, 113, 3), np.uint8)))  # padded to 128
    with pytest.raises(MetricError, match="frames are 144x112; AMT needs sides of 128 pixels"):
        Extractor(network=network).extract(batch_of(np.zeros((3, 112, 144, 3), np.uint8)))
