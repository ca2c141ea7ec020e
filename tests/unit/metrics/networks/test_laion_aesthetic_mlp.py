"""LAION's second aesthetic head against one float64 matrix; its keys against the published file's."""

import json
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError
from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.metrics.networks.laion_aesthetic_mlp import LaionAestheticMlp, clip_score, rounded_scores

torch = pytest.importorskip("torch")

WIDTHS, LAYERS = (12, 9, 5, 1), (0, 2, 3)


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    shapes = shapes_of(LaionAestheticMlp.empty(WIDTHS, LAYERS))
    return {key: torch.from_numpy(array) for key, array in untrained_rule(shapes, tag="mlp", seed=0).items()}


@pytest.fixture(scope="module")
def head(state) -> LaionAestheticMlp:
    return LaionAestheticMlp(state, widths=WIDTHS, layers=LAYERS)


def embeddings(count: int) -> Any:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((count, 12)).astype(np.float32) * 10)


def affine(state: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The whole head as one matrix and one shift."""
    matrix, shift = np.eye(12), np.zeros(12)
    for number in LAYERS:
        weight = state[f"layers.{number}.weight"].numpy().astype(np.float64)
        matrix, shift = weight @ matrix, weight @ shift + state[f"layers.{number}.bias"].numpy()
    return matrix[0], shift[0]


def test_the_head_is_one_affine_function_of_the_direction(head, state) -> None:
    matrix, shift = affine(state)
    vectors = embeddings(5)
    directions = vectors.numpy().astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    found = head(vectors).numpy()
    np.testing.assert_allclose(found, directions @ matrix + shift, atol=1e-6)
    np.testing.assert_allclose(head(vectors * 7).numpy(), found, atol=1e-6)


def test_a_vector_of_zeros_gives_the_shift(head, state) -> None:
    (found,) = head(torch.zeros(1, 12)).tolist()
    assert found == pytest.approx(float(affine(state)[1]), abs=1e-6)


def test_a_picture_s_bits_do_not_depend_on_its_neighbours(head) -> None:
    vectors = embeddings(7)
    alone = torch.cat([head(vector[None]) for vector in vectors])
    assert torch.equal(head(vectors), alone)
    assert head(vectors[:0]).shape == (0,)


def test_frames_are_rounded_to_five_decimals_before_the_mean() -> None:
    assert rounded_scores([1.000004, 2.0000051]) == [1.0, 2.00001]
    assert clip_score([0.000004, 0.000004, 0.000004]) == 0.0
    assert clip_score([1.0, 2.0000051]) == pytest.approx(1.500005, abs=1e-12)


def test_widths_and_layers_must_go_together() -> None:
    with pytest.raises(ConfigError, match="got 4 numbers; expected 3 for 2 layers"):
        LaionAestheticMlp.empty(WIDTHS, (0, 2))


@needs_shared
def test_keys_and_shapes_are_those_of_the_published_file() -> None:
    listed = json.loads((GOLDEN / "keys" / "laion_aesthetic_mlp.json").read_text())["tensors"]
    assert shapes_of(LaionAestheticMlp.empty()) == {key: tuple(shape) for key, shape in listed.items()}
