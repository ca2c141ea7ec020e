import json

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import Batch
from anisora.harness.types import StreamInfo
from anisora.metrics.extractors.raft_things import RaftThings
from anisora.metrics.golden.dynamic_degree import raft_state
from anisora.metrics.networks.raft import Raft, padded, published_shapes, torchvision_key

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def network() -> Raft:
    return Raft(raft_state(0), updates=3)


def frames(count: int = 3, height: int = 132, width: int = 150) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def pixels(frame: np.ndarray) -> "torch.Tensor":
    return torch.from_numpy(frame).permute(2, 0, 1)[None].float()


def batch_of(pictures: np.ndarray) -> Batch:
    stream = StreamInfo(fps=8.0, num_frames=len(pictures), height=0, width=0, codec="x", pixel_format="y")
    pairs = np.stack([pictures[:-1], pictures[1:]], axis=1)
    return Batch(frames=pairs, indices=np.zeros(pairs.shape[:2], np.int64), stream=stream)


@needs_shared
def test_keys_and_shapes_are_those_of_the_published_file() -> None:
    published = json.loads((GOLDEN / "keys" / "raft_things.json").read_text())["tensors"]
    assert {f"module.{key}": shape for key, shape in published_shapes().items()} == {
        key: tuple(shape) for key, shape in published.items()
    }


def test_the_two_key_maps_are_inverse() -> None:
    names = [torchvision_key(f"module.{key}") for key in published_shapes() if ".norm3." not in key]
    assert set(names) == set(Raft.empty().state_dict())
    assert len(set(names)) == len(names)


def test_a_file_under_torchvisions_own_names_fills_the_network_as_well(network: Raft) -> None:
    theirs = network.module.state_dict()
    assert [torchvision_key(key) for key in theirs] == list(theirs)
    filled = Raft(theirs, updates=1).module.state_dict()
    assert all(torch.equal(filled[key], theirs[key]) for key in theirs)


def test_a_key_too_few_or_too_many_is_refused() -> None:
    state = raft_state(0)
    with pytest.raises(ConfigError, match="unexpected"):
        Raft({**state, "module.fnet.conv3.weight": torch.zeros(1)})
    del state["fnet.conv2.bias"]
    with pytest.raises(ConfigError, match="missing"):
        Raft(state)


def test_of_the_two_names_of_a_norm_the_one_in_downsample_counts() -> None:
    first, second = (pixels(frame) for frame in frames(2, 128, 128))
    state = raft_state(0)
    flows = []
    for changed in ("none", "cnet.layer2.0.norm3.weight", "cnet.layer2.0.downsample.1.weight"):
        given = {key: 2 * tensor if key == changed else tensor for key, tensor in state.items()}
        flows.append(Raft(given, updates=1)(first, second, (b"a", b"b")))
    assert torch.equal(flows[0], flows[1])
    assert (flows[0] - flows[2]).abs().max() > 1e-2


def test_it_is_torchvisions_own_forward(network: Raft) -> None:
    first, second = (pixels(frame) for frame in frames(2, 128, 144))
    with torch.inference_mode():
        expected = network.module(first / 127.5 - 1, second / 127.5 - 1, num_flow_updates=3)[-1][0]
    found = network(first, second, (b"a", b"b"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_without_a_volume_the_flow_is_the_same(network: Raft) -> None:
    first, second = (pixels(frame) for frame in frames(2, 128, 144))
    kept = network(first, second, (b"c", b"d"))
    read = Raft(raft_state(0), updates=3, volume_bytes=0)(first, second, (b"c", b"d"))
    torch.testing.assert_close(kept, read, rtol=0, atol=1e-4)


def test_the_border_is_repeated_half_of_it_at_the_left_and_the_top() -> None:
    small = torch.arange(6.0).view(1, 1, 2, 3)
    found = padded(small, 8)
    assert found.shape == (1, 1, 8, 8)
    assert found[0, 0, 3, 2:5].tolist() == [0, 1, 2]
    assert found[0, 0, :, 2].tolist() == [0] * 4 + [3] * 4
    assert found[0, 0, 0].tolist() == [0, 0, 0, 1, 2, 2, 2, 2]


def test_the_feature_encoder_sees_each_frame_once() -> None:
    network = Raft(raft_state(0), updates=1)
    pictures = frames(4, 128, 128)
    RaftThings(network=network).extract(batch_of(pictures))
    assert network.encoded == 4
    alone = [
        float(
            RaftThings(network=Raft(raft_state(0), updates=1)).extract(batch_of(pictures[at : at + 2]))[
                "largest_motion"
            ][0]
        )
        for at in range(3)
    ]
    assert RaftThings(network=network).extract(batch_of(pictures))["largest_motion"].tolist() == alone


def test_the_fastest_twentieth_of_the_padded_picture_counts(network: Raft) -> None:
    pictures = frames(2)
    flow = network(pixels(pictures[0]), pixels(pictures[1]), (b"e", b"f"))
    assert flow.shape == (2, 136, 152)
    magnitude = np.sort(np.hypot(*flow.double().numpy()).ravel())[::-1]
    found = RaftThings(network=network).extract(batch_of(pictures))["largest_motion"]
    assert found == pytest.approx([magnitude[: int(0.05 * 136 * 152)].mean()], rel=1e-6)
