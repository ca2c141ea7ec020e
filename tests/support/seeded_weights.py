"""The rule by which golden cases draw their weights, stated apart from the product, which is compared with it."""

import zlib
from collections.abc import Sequence

import numpy as np

__all__ = ["seeded_tensor"]

EMBEDDINGS = (
    "pos_embed",
    "positional_embedding",
    "cls_token",
    "class_embedding",
    "token_embedding",
    "position_emb",
    "scale_emb",
    ".cls",
    "temporal_positional",
)


def seeded_tensor(key: str, shape: Sequence[int], *, tag: str, seed: int) -> np.ndarray:
    """Return the float32 tensor of a key: a stream of its own, scaled by what the key and the shape say."""
    size = 1
    for side in shape:
        size *= side
    stream = np.random.RandomState(zlib.crc32(f"{seed}/{tag}/{key}".encode()))
    z = stream.standard_normal(size).astype(np.float32)
    tenth = np.float32(0.1)
    if key.endswith("running_var"):
        z = np.float32(1) + tenth * np.abs(z)
    elif key.endswith("running_mean") or any(part in key for part in EMBEDDINGS):
        z = tenth * z
    elif len(shape) > 1:
        z = z * np.float32(1 / np.sqrt(size // shape[0]))
    elif key.endswith("weight"):
        z = np.float32(1) + tenth * z
    else:
        z = np.float32(0.02) * z
    return z.reshape(tuple(shape))
