"""The vision tower at tiny size against float64 numpy, and its key map in both directions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared
from tiny_regressors import SIZES, regressor_state

from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, inference, shapes_of
from anisora.reward.networks.blip_vision import (
    BASE,
    LARGE,
    PREFIX,
    VisionSizes,
    class_tokens,
    empty_vision,
    host_key,
    reference_key,
)

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
special = pytest.importorskip("scipy.special")

CONFIG = {
    "image_size": 224,
    "patch_size": 16,
    "hidden_size": 768,
    "num_layers": 12,
    "num_heads": 12,
    "mlp_ratio": 4,
    "layer_norm_eps": 1e-6,
    "activation": "exact gelu",
    "qkv_bias": True,
    "pooling": "CLS of last hidden state after final norm",
}


@pytest.fixture(scope="module")
def state():
    tower = {key: value for key, value in regressor_state("image").items() if key.startswith(PREFIX)}
    # Small deviations, where the epsilon of the norms shows.
    return {key: value * (0.02 if "patch_embed" in key or "pos_embed" in key else 1.0) for key, value in tower.items()}


@pytest.fixture(scope="module")
def tower(state):
    return made(state)


def made(state, sizes: VisionSizes = SIZES.vision):
    ours = {host_key(key).removeprefix(PREFIX): value for key, value in state.items()}
    return filled(empty_vision(sizes), "image-video-regressor", state=ours)


@pytest.fixture(scope="module")
def pixels():
    return torch.from_numpy(np.random.default_rng(0).standard_normal((3, 3, 32, 32)).astype(np.float32))


def by_hand(pixels, state, *, heads=3, epsilon=1e-6, gelu=lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2)))):
    """BLIP's vision transformer in float64: pre-norm blocks over a class token and the patches, then a norm."""
    weights = {key.removeprefix(PREFIX): value.numpy().astype(np.float64) for key, value in state.items()}

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    kernel = weights["patch_embed.proj.weight"]
    side, patch = pixels.shape[-1], kernel.shape[-1]
    tokens = []
    for picture in pixels.astype(np.float64):
        rows = [
            (kernel * picture[:, top : top + patch, left : left + patch]).sum((1, 2, 3))
            for top in range(0, side, patch)
            for left in range(0, side, patch)
        ]
        x = np.stack([weights["cls_token"][0, 0], *(row + weights["patch_embed.proj.bias"] for row in rows)])
        x = x + weights["pos_embed"][0]
        for layer in range(2):
            block = f"blocks.{layer}"
            q, k, v = (
                part.reshape(len(x), heads, -1).transpose(1, 0, 2)
                for part in np.split(linear(norm(x, f"{block}.norm1"), f"{block}.attn.qkv"), 3, axis=-1)
            )
            mixed = special.softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]), axis=-1) @ v
            x = x + linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"{block}.attn.proj")
            x = x + linear(gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1")), f"{block}.mlp.fc2")
        tokens.append(norm(x, "norm")[0])
    return np.stack(tokens)


def found_by(tower, pixels):
    with inference():
        return class_tokens(tower, pixels).numpy()


def test_the_class_tokens_are_those_of_the_oracle_and_known_mistakes_would_show(tower, state, pixels) -> None:
    found = found_by(tower, pixels)
    assert found.shape == (3, 24)
    assert found.dtype == np.float32
    expected = by_hand(pixels.numpy(), state)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    mistakes = {
        "transformers' own epsilon": by_hand(pixels.numpy(), state, epsilon=1e-5),
        "tanh GELU": by_hand(
            pixels.numpy(), state, gelu=lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        ),
        "quick GELU": by_hand(pixels.numpy(), state, gelu=lambda x: x / (1 + np.exp(-1.702 * x))),
        "other heads": by_hand(pixels.numpy(), state, heads=2),
    }
    for name, wrong in mistakes.items():
        assert np.abs(wrong - expected).max() > 5e-5, name


def test_the_pooled_output_is_something_else(tower, pixels) -> None:
    with inference():
        pooled = tower(pixel_values=pixels).pooler_output
    assert np.abs(pooled.numpy() - found_by(tower, pixels)).max() > 1e-2


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_picture_does_not_see_the_others_of_its_batch(tower, pixels, size) -> None:
    together = found_by(tower, pixels)
    parts = [found_by(tower, part) for part in torch.split(pixels, size)]
    np.testing.assert_allclose(np.concatenate(parts), together, atol=1e-5)


def test_the_released_sizes() -> None:
    assert BASE.epsilon == LARGE.epsilon == 1e-6
    assert VisionSizes.from_config(CONFIG) == BASE
    large = {**CONFIG, "hidden_size": 1024, "num_layers": 24, "num_heads": 16}
    assert VisionSizes.from_config(large) == LARGE


@pytest.mark.parametrize("name", [name for name in CONFIG if name not in ("activation", "qkv_bias", "pooling")])
def test_a_size_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"lacks '{name}'"):
        VisionSizes.from_config({key: value for key, value in CONFIG.items() if key != name})


@pytest.mark.parametrize("other", [{"activation": "tanh gelu"}, {"qkv_bias": False}])
def test_another_network_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="other than exact GELU with biases"):
        VisionSizes.from_config({**CONFIG, **other})


@pytest.mark.parametrize("sizes", [{"heads": 5}, {"patch": 7}])
def test_sizes_that_do_not_divide_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="expected multiples"):
        empty_vision(replace(SIZES.vision, **sizes))


@needs_shared
@pytest.mark.parametrize("tag", ["image_video_regressor", "text_video_regressor", "identity_embedder"])
def test_every_published_key_goes_to_a_key_of_the_tower_and_back(tag: str) -> None:
    listed = json.loads((GOLDEN / "keys" / f"{tag}.json").read_text())["tensors"]
    sizes = LARGE if tag == "identity_embedder" else BASE
    inside = {key: tuple(shape) for key, shape in listed.items() if key.startswith(PREFIX)}
    ours = {f"{PREFIX}{key}": shape for key, shape in shapes_of(empty_vision(sizes)).items()}
    assert {host_key(key): shape for key, shape in inside.items()} == ours
    assert {reference_key(key): shape for key, shape in ours.items()} == inside
    for key in listed:
        assert reference_key(host_key(key)) == key


@pytest.mark.parametrize(
    "key", ["visual_encoder.blocks.0.attn.relative", "visual_encoder.head.weight", "img_proj.weight", "temp"]
)
def test_a_key_of_neither_stays_as_it_is(key: str) -> None:
    assert host_key(key) == key
    assert reference_key(key) == key
