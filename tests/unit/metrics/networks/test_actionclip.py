"""ActionCLIP at tiny size against its adapter in float64 numpy; the released keys, and the checkpoint they come in."""

import json
import sys
import types
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.metrics.networks.actionclip import (
    RELEASED,
    ActionClip,
    ActionClipSizes,
    adapter_layers,
    read_checkpoint,
)

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")

SIZES = ActionClipSizes(
    embedding=32,
    image_size=16,
    patch=8,
    vision_width=48,
    vision_layers=2,
    vision_heads=3,
    context=9,
    vocabulary=50,
    text_width=64,
    text_layers=2,
    text_heads=4,
    frames=8,
    adapter_layers=3,
    adapter_heads=2,
)


def tiny_state(seed: int = 0, sizes: ActionClipSizes = SIZES) -> dict[str, Any]:
    drawn = untrained_rule(shapes_of(ActionClip.empty(sizes)), tag="actionclip", seed=seed)
    return {key: torch.from_numpy(array) for key, array in drawn.items()}


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return tiny_state()


@pytest.fixture(scope="module")
def network(state) -> ActionClip:
    return ActionClip(state, SIZES)


@pytest.fixture(scope="module")
def pixels() -> Any:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((2, 8, 3, 16, 16)).astype(np.float32))


def adapted(frames: np.ndarray, state: dict[str, Any], *, layers: int, heads: int) -> np.ndarray:
    """The temporal adapter in float64: pre-norm blocks over 8 frames without a mask, and the frames added again."""
    weights = {key.removeprefix("adapter."): value.numpy().astype(np.float64) for key, value in state.items()}

    def normalised(values, name):
        centred = values - values.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(values, name):
        return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    hidden = frames + weights["frame_position_embeddings.weight"]
    for layer in range(layers):
        block = f"transformer.resblocks.{layer}"
        wide = normalised(hidden, f"{block}.ln_1") @ weights[f"{block}.attn.in_proj_weight"].T
        queries, keys, values = (
            part.reshape(8, heads, -1).transpose(1, 0, 2)
            for part in np.split(wide + weights[f"{block}.attn.in_proj_bias"], 3, axis=-1)
        )
        logits = queries @ keys.transpose(0, 2, 1) / np.sqrt(queries.shape[-1])
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        mixed = (powers / powers.sum(-1, keepdims=True) @ values).transpose(1, 0, 2).reshape(8, -1)
        hidden = hidden + linear(mixed, f"{block}.attn.out_proj")
        inner = linear(normalised(hidden, f"{block}.ln_2"), f"{block}.mlp.c_fc")
        hidden = hidden + linear(inner / (1 + np.exp(-1.702 * inner)), f"{block}.mlp.c_proj")
    return (hidden + frames).mean(axis=0)


def test_the_adapter_is_that_of_the_oracle(network, state, pixels) -> None:
    found = network.encode_clips(pixels).numpy()
    assert found.shape == (2, 32)
    assert found.dtype == np.float32
    for clip, features in zip(pixels, found, strict=True):
        frames = network.module["clip"].encode_image(clip).detach().numpy().astype(np.float64)
        np.testing.assert_allclose(features, adapted(frames, state, layers=3, heads=2), atol=2e-5)
        other = adapted(frames, state, layers=3, heads=1)
        assert np.abs(features - other).max() > 1e-3, "the number of heads would not be noticed"


def test_the_order_of_frames_counts_and_other_clips_of_a_batch_do_not(network, pixels) -> None:
    features = network.encode_clips(pixels)
    assert torch.allclose(network.encode_clips(pixels[1:]), features[1:], atol=1e-6)
    assert (network.encode_clips(pixels.flip(1)) - features).abs().max() > 1e-3


def test_other_numbers_of_frames_are_refused(network, pixels) -> None:
    with pytest.raises(ConfigError, match="got 7 frames; expected 8"):
        network.encode_clips(pixels[:, :7])


def test_a_text_ends_at_its_largest_token_and_each_token_sees_those_before_it(network) -> None:
    text = torch.tensor([[3, 9, 4, 49, 0, 0, 0, 0, 0]])
    features = network.encode_tokens(text)
    assert features.shape == (1, 32)
    after, before = text.clone(), text.clone()
    after[0, 6], before[0, 0] = 7, 5
    assert torch.allclose(network.encode_tokens(after), features, atol=1e-6)
    assert (network.encode_tokens(before) - features).abs().max() > 1e-3


def test_the_scale_in_the_checkpoint_is_not_used(state, pixels) -> None:
    tokens = torch.tensor([[3, 49, 0, 0, 0, 0, 0, 0, 0]])
    scaled = {**state, "clip.logit_scale": torch.tensor(4.6)}
    one, other = ActionClip(state, SIZES), ActionClip(scaled, SIZES)
    assert torch.equal(one.encode_clips(pixels), other.encode_clips(pixels))
    assert torch.equal(one.encode_tokens(tokens), other.encode_tokens(tokens))


def test_sizes_come_from_a_configuration_with_the_names_of_the_reference() -> None:
    config = {
        "embed_dim": 512,
        "image_resolution": 224,
        "vision_layers": 12,
        "vision_width": 768,
        "vision_patch_size": 16,
        "context_length": 77,
        "vocab_size": 49408,
        "transformer_width": 512,
        "transformer_layers": 12,
        "adapter_layers": 6,
        "adapter_segments": 8,
        "vision_heads": 12,
        "text_heads": 8,
        "adapter_heads": 8,
    }
    assert ActionClipSizes.from_config(config) == RELEASED
    del config["vocab_size"]
    with pytest.raises(ConfigError, match="lacks vocab_size"):
        ActionClipSizes.from_config(config)


def test_weights_of_other_sizes_are_refused(state) -> None:
    with pytest.raises(ConfigError, match="do not fit the network"):
        ActionClip(state, replace(SIZES, adapter_layers=2))


def test_layers_of_the_adapter_are_counted_in_the_file(state) -> None:
    assert adapter_layers(state) == 3


@needs_shared
def test_keys_and_shapes_are_those_of_the_released_checkpoint() -> None:
    listed = json.loads((GOLDEN / "keys" / "actionclip_motion.json").read_text())["tensors"]
    assert adapter_layers(listed) == RELEASED.adapter_layers
    assert shapes_of(ActionClip.empty()) == {key: tuple(shape) for key, shape in listed.items()}


def write_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch, **extra: object) -> None:
    """Save tensors as mmengine's runner does, with a loss curve that pickles an array and a table of its methods."""

    class HistoryBuffer:
        def current(self) -> float:
            return 0.0

    HistoryBuffer.__module__ = "mmengine.logging.history_buffer"
    HistoryBuffer.__qualname__ = "HistoryBuffer"
    HistoryBuffer.current.__module__ = HistoryBuffer.__module__
    HistoryBuffer.current.__qualname__ = "HistoryBuffer.current"
    module = types.ModuleType(HistoryBuffer.__module__)
    module.HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        for name in ("mmengine", "mmengine.logging"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, module.__name__, module)
        curve = HistoryBuffer()
        curve.__dict__.update(_log_history=np.arange(3.0), statistics_methods={"current": HistoryBuffer.current})
        hub = {"log_scalars": OrderedDict(loss=curve), "runtime_info": {"best": np.float64(0.5)}}
        tensors = OrderedDict({"clip.logit_scale": torch.tensor(4.6), "adapter.weight": torch.ones(2, 3)})
        torch.save({"meta": {"epoch": 3}, "state_dict": tensors, "message_hub": hub, **extra}, path)


def test_the_tensors_of_a_checkpoint_are_read_without_the_trainer_that_wrote_it(tmp_path, monkeypatch) -> None:
    path = tmp_path / "motion.pth"
    write_checkpoint(path, monkeypatch)
    assert b"HistoryBuffer" in path.read_bytes()
    allowed = set(torch.serialization.get_safe_globals())
    tensors = read_checkpoint(path)
    assert sorted(tensors) == ["adapter.weight", "clip.logit_scale"]
    assert torch.equal(tensors["adapter.weight"], torch.ones(2, 3))
    assert "mmengine" not in sys.modules
    assert set(torch.serialization.get_safe_globals()) == allowed, "what is allowed for this file stays allowed"


def test_other_objects_in_a_checkpoint_are_refused(tmp_path, monkeypatch) -> None:
    path = tmp_path / "motion.pth"
    write_checkpoint(path, monkeypatch, hook=Path("anything"))
    with pytest.raises(ConfigError, match="not plain data"):
        read_checkpoint(path)


def test_a_checkpoint_that_is_not_there_is_missing(tmp_path) -> None:
    with pytest.raises(WeightsMissing, match=r"motion\.pth"):
        read_checkpoint(tmp_path / "motion.pth")
