"""Which values of a column take its first and its second place."""

from collections.abc import Collection

__all__ = ["first_and_second"]


def first_and_second(badness: Collection[float]) -> tuple[float | None, float | None]:
    """Return the values of the first and of the second place; None where there is no such place.

    There is a first place among two or more. A second one is there only behind a first that nobody shares, since two
    that share the first take both, and only where somebody comes behind it, since the last of two is no distinction.

    Args:
        badness: One number a system, as precise as print, less for better.

    Example:
        >>> first_and_second([3.0, 1.0, 2.0]), first_and_second([1.0, 1.0, 2.0]), first_and_second([1.0, 2.0])
        ((1.0, 2.0), (1.0, None), (1.0, None))
    """
    ordered = sorted(badness)
    if len(ordered) < 2:
        return None, None
    shares = ordered[1] == ordered[0]
    return ordered[0], None if shares or ordered[-1] == ordered[1] else ordered[1]
