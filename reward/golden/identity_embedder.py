"""Golden cases of kind ``c05a_identity_embedder``: embeddings, probabilities of each frame, and the score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.reward.character.gallery_score import gallery_score, identity_probabilities
from anisora.reward.networks.identity_embedder import EmbedderSizes, IdentityEmbedder

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the network of a case, score its crops and compare everything that it expects.

    Args:
        path: Folder with weights, inputs query_crops and gallery_images, and expected tensors.
        case: Its case.json, with the names of the gallery's pictures.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: The weights do not fit the sizes of the case.
    """
    network = IdentityEmbedder(load_state_dict(path / "weights.safetensors"), EmbedderSizes.from_config(case["config"]))
    inputs = load_state_dict(path / "inputs.safetensors")
    crops = inputs["query_crops"]
    queries = network(crops.flatten(0, 1)).numpy().reshape(*crops.shape[:2], -1)
    gallery = network(inputs["gallery_images"]).numpy()
    names = case["gallery_names"]
    # Each crop as a clip of one frame: what the mean over frames hides.
    alone = identity_probabilities(queries.reshape(-1, 1, queries.shape[-1]), gallery, names)
    found = gallery_score(queries, gallery, names, mode="reference")
    ours = {
        "query_embeds": queries,
        "gallery_embeds": gallery,
        "identity_prob_per_frame": alone.reshape(*queries.shape[:2], -1),
        "score": np.array([found.score]),
    }
    comparisons = list(compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"]))
    if "identities" in case:
        comparisons.append(compare_exact("identities", list(found.identities), case["identities"]))
    return comparisons
