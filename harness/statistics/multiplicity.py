"""Corrections of p values for their number."""

from collections.abc import Sequence

from anisora.harness.errors import MetricError

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for their number, step by step (Holm 1979); the order is kept.

    The i-th smallest of n, counted from 0, becomes the largest of ``(n - j) p_j`` over ``j <= i``, at most 1.
    Tests that could not be made are None; they stay None and do not count.

    Raises:
        MetricError: A p value is not between 0 and 1.

    Example:
        >>> holm([0.01, None, 0.04])
        [0.02, None, 0.04]
    """
    made = _made(p_values)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (value, index) in enumerate(sorted(made)):
        largest = max(largest, min(1.0, (len(made) - rank) * value))
        corrected[index] = largest
    return corrected


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values so that few of the differences called are none (Benjamini and Hochberg 1995).

    The i-th smallest of n, counted from 1, becomes the smallest of ``n p_j / j`` over ``j >= i``. Calling what is
    below 0.05 keeps the expected share of false calls below 0.05: for looking around, where ``holm`` is for claims.
    Tests that could not be made are None; they stay None and do not count.

    Raises:
        MetricError: A p value is not between 0 and 1.

    Example:
        >>> benjamini_hochberg([0.01, None, 0.04])
        [0.02, None, 0.04]
    """
    made = _made(p_values)
    corrected: list[float | None] = [None] * len(p_values)
    if made:
        from scipy.stats import false_discovery_control

        for value, (_, index) in zip(false_discovery_control([value for value, _ in made]), made, strict=True):
            corrected[index] = float(value)
    return corrected


def _made(p_values: Sequence[float | None]) -> list[tuple[float, int]]:
    """Return the tests that were made, each with its place."""
    made = [(value, index) for index, value in enumerate(p_values) if value is not None]
    for value, index in made:
        if not 0 <= value <= 1:
            raise MetricError(f"`p_values[{index}]` got {float(value)!r}; expected a number from 0 to 1, or None.")
    return made
