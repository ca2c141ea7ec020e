"""Reports of systems whose scores are drawn around given means, for tests of figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scored_systems import TRUTH, Scored, Values

from anisora.harness.suite import Column

__all__ = ["COLUMNS", "drawn_systems", "labels_of_items", "values_by_system"]

COLUMNS = (
    Column(metric="sharpness", header="Sharp", scale=100, decimals=1),
    Column(metric="flicker", header="Flicker"),
    Column(metric="flow", header="Flow", scale=10, decimals=2),
)
"""Higher is better, lower is better, closest to the ground truth is best."""

_MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}


def labels_of_items(items: int, labels: int) -> dict[str, str]:
    """Return {item: label}, the labels taking turns."""
    return {f"item-{at:02}": f"label-{at % labels}" for at in range(items)}


def values_by_system(
    means: Mapping[str, float], metrics: Sequence[str], items: Sequence[str], *, spread: float = 0.05
) -> dict[str, dict[str, dict[str, float]]]:
    """Return {model: {metric: {item: value}}}, drawn around the mean of each model."""
    generator = np.random.default_rng(0)
    return {
        model: {
            metric: dict(zip(items, generator.normal(mean, spread, len(items)).tolist(), strict=True))
            for metric in metrics
        }
        for model, mean in means.items()
    }


def drawn_systems(
    means: Mapping[str, float] = _MEANS,
    columns: Sequence[Column] = COLUMNS,
    *,
    items: int = 24,
    labels: int = 8,
    changed: Mapping[tuple[str, str], Values] | None = None,
    **fields: Any,
) -> Scored:
    """Score systems around their means.

    Args:
        means: {model: mean of its scores}.
        columns: Of the table.
        items: How many.
        labels: That the items share; the clusters.
        changed: {(model, metric): values in place of the drawn ones}; without any item, the metric is not scored.
        fields: Of ``Scored``.
    """
    label_of = labels_of_items(items, labels)
    systems: dict[str, dict[str, Values]] = {
        model: dict(metrics)
        for model, metrics in values_by_system(means, [column.metric for column in columns], list(label_of)).items()
    }
    for (model, metric), values in (changed or {}).items():
        systems[model].pop(metric)
        if values:
            systems[model][metric] = values
    return Scored(systems, columns, clusters=label_of, **fields)
