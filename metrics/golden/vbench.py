"""Handler of golden cases of the kind ``vbench``: each dimension of the case by our own metric."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison
from anisora.metrics.golden.dimension import GoldenDimension, compare_dimension

__all__ = ["compare_vbench", "dimension_named"]

_RAW_SUFFIXES: Final = ("_frame_scores", "_radii")
"""Endings of tolerances of raw values, which are no dimensions."""
_LEGACY: Final = "expected_legacy_antialias.json"


def compare_vbench(path: Path, case: dict[str, Any]) -> Sequence[Comparison]:
    """Compare every dimension that the case has a tolerance for; i2v_subject without antialiasing, too, if it is there.

    Raises:
        DataError: We have no such dimension.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: dict[str, Any]) -> Iterator[Comparison]:
    for name in case["tolerance"]:
        if not name.endswith(_RAW_SUFFIXES):
            yield from compare_dimension(path, case, name, dimension_named(name))
    if "i2v_subject" in case["tolerance"] and (path / _LEGACY).is_file():
        from anisora.metrics.golden.i2v_subject import LEGACY

        yield from compare_dimension(path, case, "i2v_subject", LEGACY, expected=_LEGACY)


def dimension_named(name: str) -> GoldenDimension:
    """Return how a dimension is computed here.

    Raises:
        DataError: We have none of this name.
    """
    module = f"anisora.metrics.golden.{name}"
    if not name.isidentifier() or find_spec(module) is None:
        raise DataError(f"Dimension {name!r} of the case is none that is computed here; correct the case's tolerances.")
    found: GoldenDimension = import_module(module).DIMENSION
    return found
