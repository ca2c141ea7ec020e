"""The networks of the anime reward at tiny sizes, with seeded weights under the keys of the published files."""

from typing import Any

from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.reward.networks.blip_vision import VisionSizes, reference_key
from anisora.reward.networks.caption_tokenizer import CaptionTokenizer
from anisora.reward.networks.consistency_regressor import ConsistencyRegressor, Key, RegressorSizes, TextSizes
from anisora.reward.networks.identity_embedder import EmbedderSizes, IdentityEmbedder

__all__ = [
    "EMBEDDER",
    "SIZES",
    "embedder_state",
    "regressor_state",
    "tiny_embedder",
    "tiny_regressor",
    "tiny_tokenizer",
]

WORDS = ("a", "girl", "boy", "walks", "waves", "runs", "in", "the", "rain", "##s", "##ing", "sun", ",", ".", "red")
VISION = VisionSizes(image_size=32, patch=8, width=24, layers=2, heads=3)
SIZES = RegressorSizes(
    vision=VISION,
    text=TextSizes(vocabulary=40, width=30, layers=2, heads=5, mlp_width=36, positions=48),
    projected=20,
)
EMBEDDER = EmbedderSizes(vision=VISION, embedding=10)


def seeded_state(module: Any, tag: str, seed: int) -> dict[str, Any]:
    """Draw the state of a module under the keys of the published file."""
    import torch

    shapes = {reference_key(key): shape for key, shape in shapes_of(module).items()}
    drawn = untrained_rule(shapes, tag=tag, seed=seed)
    return {key: torch.from_numpy(array) for key, array in drawn.items()}


def regressor_state(key: Key, seed: int = 0) -> dict[str, Any]:
    """Return the tensors of a regressor."""
    return seeded_state(ConsistencyRegressor.empty(key, SIZES), f"{key}-video-regressor", seed)


def tiny_regressor(key: Key, seed: int = 0) -> ConsistencyRegressor:
    """Make a regressor of SIZES."""
    return ConsistencyRegressor(key, regressor_state(key, seed), SIZES)


def embedder_state(seed: int = 0) -> dict[str, Any]:
    """Return the tensors of an identity embedder."""
    return seeded_state(IdentityEmbedder.empty(EMBEDDER), "identity-embedder", seed)


def tiny_embedder(seed: int = 0) -> IdentityEmbedder:
    """Make an identity embedder of size EMBEDDER."""
    return IdentityEmbedder(embedder_state(seed), EMBEDDER)


def tiny_tokenizer() -> CaptionTokenizer:
    """Make a tokenizer of a few words, within the vocabulary of SIZES."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    return CaptionTokenizer({word: number for number, word in enumerate(words)})
