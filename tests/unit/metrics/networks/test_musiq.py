"""MUSIQ against a second implementation in float64 numpy, with one layer; its keys against the published file's."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from shared_data import GOLDEN, needs_shared

from anisora.harness.networks import shapes_of
from anisora.metrics.golden.imaging_quality import musiq_state
from anisora.metrics.networks import musiq
from anisora.metrics.networks.musiq import Musiq, grid_places, scale_size

torch = pytest.importorskip("torch")

Array = NDArray[np.float64]
Layers = dict[str, Any]


@pytest.fixture(scope="module")
def state() -> Layers:
    return musiq_state(0, layers=1)


@pytest.fixture(scope="module")
def network(state: Layers) -> Musiq:
    return Musiq(state, layers=1)


@pytest.fixture(scope="module")
def pictures() -> Any:
    pixels = np.random.default_rng(0).random((2, 3, 18, 53), dtype=np.float32)
    pixels[1] = 0.5 + (pixels[1] - 0.5) * 0.02  # nearly flat, so that the stem's epsilon counts
    return torch.from_numpy(pixels)


@pytest.fixture(scope="module")
def expected(state: Layers, pictures: Any) -> Array:
    return np.array([_oracle(state, picture) for picture in pictures.double().numpy()])


@needs_shared
def test_keys_and_shapes_are_those_of_the_published_file() -> None:
    published = json.loads((GOLDEN / "keys" / "musiq_spaq.json").read_text())["tensors"]
    assert shapes_of(Musiq.empty()) == {key: tuple(shape) for key, shape in published.items()}


def test_network_equals_a_second_implementation(network: Musiq, pictures: Any, expected: Array) -> None:
    found = network(pictures)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=2e-5)


def test_batch_and_pieces_of_a_picture_do_not_matter(
    network: Musiq, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = network(pictures).numpy()
    monkeypatch.setattr(musiq, "_AT_ONCE", 7)
    alone = [float(network(pictures[place : place + 1])[0]) for place in range(2)]
    np.testing.assert_allclose(alone, together, rtol=0, atol=2e-5)


def test_epsilons_of_the_block_are_those_of_the_reference() -> None:
    # With drawn weights the variances in the block are so large that no score tells these epsilons from others.
    block = Musiq.empty(1)["block1"]
    assert {name: block[name].eps for name in block if name.startswith("gn")} == dict.fromkeys(
        ("gn1", "gn2", "gn3", "gn_proj"), 1e-4
    )


def _layer_norm_epsilon(network: Musiq, _: pytest.MonkeyPatch) -> None:
    for layer in network.module.modules():
        if type(layer).__name__ == "LayerNorm":
            layer.eps = 1e-5


def _root_epsilon(network: Musiq, _: pytest.MonkeyPatch) -> None:
    network.module["gn_root"].eps = 1e-4


def _flattened_channels_first(network: Musiq, _: pytest.MonkeyPatch) -> None:
    embedding = network.module["embedding"]
    kernels = embedding.weight.reshape(384, 256, 8, 8).permute(0, 2, 3, 1)
    embedding.weight = torch.nn.Parameter(kernels.reshape(384, -1), requires_grad=False)


def _scales_in_another_order(network: Musiq, _: pytest.MonkeyPatch) -> None:
    scales = network.module["transformer_encoder"]["scaleembed_input"]
    scales["scale_emb"] = torch.nn.Parameter(scales["scale_emb"][[2, 0, 1]], requires_grad=False)


def _columns_before_rows(network: Musiq, _: pytest.MonkeyPatch) -> None:
    places = network.module["transformer_encoder"]["posembed_input"]
    swapped = places["position_emb"].view(1, 10, 10, 384).transpose(1, 2).reshape(1, 100, 384)
    places["position_emb"] = torch.nn.Parameter(swapped, requires_grad=False)


def _padded_right_and_below(network: Musiq, patch: pytest.MonkeyPatch) -> None:
    def padded(picture: Any, *, kernel: int, stride: int) -> Any:
        missing = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in picture.shape[2:]]
        return torch.nn.functional.pad(picture, (0, missing[1], 0, missing[0]))

    patch.setattr(musiq, "_padded", padded)


def _copies_antialiased(network: Musiq, patch: pytest.MonkeyPatch) -> None:
    def copies(picture: Any) -> list[Any]:
        sizes = [scale_size(*picture.shape[2:], side) for side in (224, 384)]
        resized = torch.nn.functional.interpolate
        return [*(resized(picture, size=size, mode="bicubic", antialias=True) for size in sizes), picture]

    patch.setattr(musiq, "_copies", copies)


def _small_pictures_left_out(network: Musiq, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(musiq, "_copies", lambda picture: [picture, picture, picture])


MISTAKES = (
    _layer_norm_epsilon,
    _root_epsilon,
    _flattened_channels_first,
    _scales_in_another_order,
    _columns_before_rows,
    _padded_right_and_below,
    _copies_antialiased,
    _small_pictures_left_out,
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__.strip("_"))
def test_known_mistakes_would_be_seen(
    mistake: Callable[[Musiq, pytest.MonkeyPatch], None],
    state: Layers,
    pictures: Any,
    expected: Array,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = Musiq(state, layers=1)
    mistake(wrong, monkeypatch)
    assert np.abs(wrong(pictures).numpy() - expected).max() > 1e-4


def test_pixels_are_taken_as_0_to_1(network: Musiq, pictures: Any, expected: Array) -> None:
    assert np.abs(network((pictures + 1) / 2).numpy() - expected).min() > 0.1


@pytest.mark.parametrize(
    ("size", "long_side", "resized"),
    [
        ((128, 192), 224, (149, 224)),
        ((202, 150), 384, (384, 285)),
        ((16, 64), 224, (56, 224)),
        ((1, 448), 384, (1, 384)),
        ((5, 448), 224, (2, 224)),  # 2.5: halves to the even number
        ((7, 448), 224, (4, 224)),
    ],
)
def test_scale_size_rounds(size: tuple[int, int], long_side: int, resized: tuple[int, int]) -> None:
    assert scale_size(*size, long_side) == resized


def test_grid_places_go_row_by_row_over_the_whole_grid() -> None:
    assert grid_places(1, 3) == [0, 3, 6]
    assert grid_places(2, 2) == [0, 5, 50, 55]
    assert grid_places(10, 10) == list(range(100))
    assert grid_places(12, 1)[-3:] == [70, 80, 90]


# What follows is the second implementation: float64, one picture, kernels as matrices, no torch operator.


def _oracle(state: Layers, picture: Array) -> float:
    weights = {key: tensor.double().numpy() for key, tensor in state.items()}
    tokens = [weights["transformer_encoder.cls"][0]]
    for scale, copy in enumerate(_oracle_copies(picture * 2 - 1)):
        tokens.append(np.stack(list(_oracle_tokens(weights, copy, scale))))
    hidden = np.concatenate(tokens)
    layer = "transformer_encoder.transformer.encoderblock_0."
    hidden = hidden + _oracle_attention(weights, layer, _layer_norm(weights, layer + "norm1", hidden))
    inner = _linear(weights, layer + "mlp.fc1", _layer_norm(weights, layer + "norm2", hidden))
    inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
    hidden = hidden + _linear(weights, layer + "mlp.fc2", inner)
    return float(_linear(weights, "head", _layer_norm(weights, "transformer_encoder.encoder_norm", hidden[:1]))[0, 0])


def _oracle_copies(picture: Array) -> Iterator[Array]:
    long = max(picture.shape[1:])
    for side in (224, 384):
        height, width = (int(np.rint(length * side / long)) for length in picture.shape[1:])
        rows, columns = _bicubic(picture.shape[1], height), _bicubic(picture.shape[2], width)
        yield np.einsum("yh,chw,xw->cyx", rows, picture, columns, optimize=True)
    yield picture


def _bicubic(old: int, new: int) -> Array:
    """Return the (new, old) matrix of the cubic convolution kernel with a = -0.75, its ends repeated."""
    matrix = np.zeros((new, old))
    for row in range(new):
        centre = (row + 0.5) * old / new - 0.5
        for column in range(math.floor(centre) - 1, math.floor(centre) + 3):
            x, a = abs(centre - column), -0.75
            near = (a + 2) * x**3 - (a + 3) * x**2 + 1
            far = a * (x**3 - 5 * x**2 + 8 * x - 4)
            matrix[row, min(max(column, 0), old - 1)] += near if x <= 1 else far
    return matrix


def _oracle_tokens(weights: Layers, picture: Array, scale: int) -> Iterator[Array]:
    padded = _same(picture[None], 32, 32)[0]
    rows, columns = padded.shape[1] // 32, padded.shape[2] // 32
    for row in range(rows):
        for column in range(columns):
            patch = padded[None, :, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            place = (10 * row // rows) * 10 + 10 * column // columns
            token = _linear(weights, "embedding", _oracle_stem(weights, patch).transpose(0, 2, 3, 1).reshape(1, -1))[0]
            token = token + weights["transformer_encoder.posembed_input.position_emb"][0, place]
            yield token + weights["transformer_encoder.scaleembed_input.scale_emb"][scale]


def _oracle_stem(weights: Layers, patch: Array) -> Array:
    root = np.maximum(_group_norm(weights, "gn_root", _convolved(weights, "conv_root", patch, 2), 1e-6), 0)
    root = np.lib.stride_tricks.sliding_window_view(_same(root, 3, 2), (3, 3), (2, 3))[:, :, ::2, ::2].max((4, 5))
    inner = root
    for place in (1, 2, 3):
        inner = _convolved(weights, f"block1.conv{place}", inner, 1)
        inner = _group_norm(weights, f"block1.gn{place}", inner, 1e-4)
        inner = np.maximum(inner, 0) if place < 3 else inner
    outer = _group_norm(weights, "block1.gn_proj", _convolved(weights, "block1.conv_proj", root, 1), 1e-4)
    return np.maximum(inner + outer, 0)


def _same(inputs: Array, kernel: int, stride: int) -> Array:
    before_after = []
    for side in inputs.shape[2:]:
        missing = max(0, (math.ceil(side / stride) - 1) * stride + kernel - side)
        before_after.append((missing // 2, missing - missing // 2))
    return np.pad(inputs, [(0, 0), (0, 0), *before_after])


def _convolved(weights: Layers, name: str, inputs: Array, stride: int) -> Array:
    kernels = weights[name + ".weight"].reshape(len(weights[name + ".weight"]), -1)
    side = weights[name + ".weight"].shape[2]
    kernels = (kernels - kernels.mean(1, keepdims=True)) / (kernels.std(1, ddof=1, keepdims=True) + 1e-5)
    windows = np.lib.stride_tricks.sliding_window_view(_same(inputs, side, stride), (side, side), (2, 3))
    windows = windows[0, :, ::stride, ::stride]
    channels, height, width = windows.shape[:3]
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(channels * side * side, height * width)
    return (kernels @ columns).reshape(1, -1, height, width)


def _group_norm(weights: Layers, name: str, inputs: Array, epsilon: float) -> Array:
    groups = inputs.reshape(32, -1)
    normal = (groups - groups.mean(1, keepdims=True)) / np.sqrt(groups.var(1, keepdims=True) + epsilon)
    scale, shift = (weights[f"{name}.{kind}"][None, :, None, None] for kind in ("weight", "bias"))
    return normal.reshape(inputs.shape) * scale + shift


def _layer_norm(weights: Layers, name: str, inputs: Array) -> Array:
    normal = (inputs - inputs.mean(1, keepdims=True)) / np.sqrt(inputs.var(1, keepdims=True) + 1e-6)
    return normal * weights[name + ".weight"] + weights[name + ".bias"]


def _linear(weights: Layers, name: str, inputs: Array) -> Array:
    return inputs @ weights[name + ".weight"].T + weights[name + ".bias"]


def _oracle_attention(weights: Layers, layer: str, inputs: Array) -> Array:
    query, key, value = (_linear(weights, f"{layer}attention.{name}", inputs) for name in ("query", "key", "value"))
    heads = []
    for head in range(6):
        part = slice(64 * head, 64 * head + 64)
        logits = query[:, part] @ key[:, part].T / 8
        powers = np.exp(logits - logits.max(1, keepdims=True))
        heads.append(powers / powers.sum(1, keepdims=True) @ value[:, part])
    return _linear(weights, layer + "attention.out", np.concatenate(heads, axis=1))
