"""Classifier-free guidance."""

from typing import Any

__all__ = ["guided"]


def guided(unconditional: Any, conditional: Any, scale: float) -> Any:  # noqa: ANN401 - a tensor or an array
    """Return ``u + scale * (c - u)``; 1 is the conditional prediction, 0 the unconditional one.

    Args:
        unconditional: What the network predicts without the prompt, tensor or array of any shape.
        conditional: With it, of the same shape.
        scale: Above 1, the prompt is followed more closely.
    """
    return unconditional + scale * (conditional - unconditional)
