"""VBench's totals from its dimensions, with the published constants; the constants are in ``totals.yaml``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = ["Total", "total_scores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One total: its value, or the dimensions that it lacks."""

    name: str
    value: float | None
    """About 0..1; dimensions beyond their published range lead outside. None where dimensions are missing."""
    missing: tuple[str, ...]


@cache
def _constants() -> dict[str, dict[str, dict[str, float]]]:
    import yaml

    text = files("anisora.metrics.vbench").joinpath("totals.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, dict[str, float]]] = yaml.safe_load(text)
    return loaded


def total_scores(values: Mapping[str, float]) -> tuple[Total, ...]:
    """Return quality, semantic, i2v, i2v_quality and the two totals.

    A missing dimension leaves its totals without a value; VBench's own script takes it for zero, which after its
    normalisation is less than zero.

    Args:
        values: {dimension: its aggregate, 0..1}; dimensions that no total has are ignored.

    Example:
        >>> found = {total.name: total for total in total_scores({"camera_motion": 0.5, "i2v_subject": 1.0})}
        >>> found["i2v"].value, found["i2v"].missing
        (None, ('i2v_background',))
    """
    constants = _constants()
    scales: dict[str, list[float]] = constants["scales"]  # type: ignore[assignment]
    scaled = {name: (values[name] - least) / (most - least) for name, (least, most) in scales.items() if name in values}
    groups = {name: _weighted(name, weights, scaled) for name, weights in constants["groups"].items()}
    known = {name: group.value for name, group in groups.items() if group.value is not None}
    found = list(groups.values())
    for name, weights in constants["totals"].items():
        missing = tuple(dict.fromkeys(each for group in weights for each in groups[group].missing))
        whole = _weighted(name, weights, known)
        found.append(Total(name=name, value=whole.value, missing=missing))
    return tuple(found)


def _weighted(name: str, weights: Mapping[str, float], values: Mapping[str, float]) -> Total:
    missing = tuple(part for part in weights if part not in values)
    if missing:
        return Total(name=name, value=None, missing=missing)
    value = math.fsum(weight * values[part] for part, weight in weights.items()) / math.fsum(weights.values())
    return Total(name=name, value=value, missing=())
