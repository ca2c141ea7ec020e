"""The identity embedder at tiny size, and what its checkpoint may hold beside it."""

import json

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared
from tiny_regressors import EMBEDDER, embedder_state, tiny_embedder

from anisora.harness.errors import ConfigError
from anisora.harness.networks import inference, shapes_of
from anisora.harness.weights import match_keys
from anisora.reward.networks.blip_vision import class_tokens, host_key
from anisora.reward.networks.identity_embedder import RELEASED, UNUSED_KEYS, EmbedderSizes, IdentityEmbedder

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

PRETRAINING = (
    "text_encoder.encoder.layer.0.attention.self.query.weight",
    "text_encoder_m.embeddings.position_ids",
    "text_proj.weight",
    "text_proj_m.bias",
    "visual_encoder_m.blocks.0.norm1.weight",
    "vision_proj_m.weight",
    "itm_head.bias",
    "text_decoder.cls.predictions.bias",
    "image_queue",
    "text_queue",
    "queue_ptr",
    "temp",
)


@pytest.fixture(scope="module")
def pixels():
    return torch.from_numpy(np.random.default_rng(2).standard_normal((4, 3, 32, 32)).astype(np.float32))


def test_embeddings_are_the_projected_class_tokens_and_not_normalised(pixels) -> None:
    network = tiny_embedder()
    state = embedder_state()
    found = network(pixels).numpy()
    with inference():
        tokens = class_tokens(network.module["visual_encoder"], pixels).double().numpy()
    weight, bias = (state[f"vision_proj.{part}"].double().numpy() for part in ("weight", "bias"))
    np.testing.assert_allclose(found, tokens @ weight.T + bias, atol=1e-5)
    lengths = np.linalg.norm(found, axis=-1)
    assert np.abs(lengths - 1).min() > 0.05, "they have length 1: normalising would not be noticed"
    np.testing.assert_allclose(np.concatenate([network(part).numpy() for part in pixels.split(1)]), found, atol=1e-5)


@needs_shared
def test_keys_and_shapes_are_those_of_the_released_checkpoint() -> None:
    listed = json.loads((GOLDEN / "keys" / "identity_embedder.json").read_text())["tensors"]
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in listed.items()}
        state |= {name: torch.empty(1) for name in PRETRAINING}
    shapes = shapes_of(IdentityEmbedder.empty())
    assert EmbedderSizes() == RELEASED
    assert len(match_keys(state, shapes, rename=host_key, superfluous=UNUSED_KEYS)) == len(listed) == len(shapes)


@pytest.mark.parametrize("name", PRETRAINING)
def test_what_pretraining_left_in_a_checkpoint_is_passed_over(name: str, pixels) -> None:
    network = IdentityEmbedder({**embedder_state(), name: torch.zeros(1)}, EMBEDDER)
    assert torch.equal(network(pixels), tiny_embedder()(pixels))


@pytest.mark.parametrize("name", ["visual_encoder.head.weight", "text_projection", "cls_head.0.weight", "vision_proj2"])
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="1 unexpected"):
        IdentityEmbedder({**embedder_state(), name: torch.zeros(1)}, EMBEDDER)


def test_a_missing_key_and_another_shape_are_refused() -> None:
    state = embedder_state()
    with pytest.raises(ConfigError, match="1 missing"):
        IdentityEmbedder({key: value for key, value in state.items() if key != "vision_proj.bias"}, EMBEDDER)
    with pytest.raises(ConfigError, match="of another shape"):
        IdentityEmbedder({**state, "vision_proj.bias": torch.zeros(11)}, EMBEDDER)


def test_a_configuration_without_the_projection_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected `vision` and `vision_proj`"):
        EmbedderSizes.from_config({"vision": {}})
