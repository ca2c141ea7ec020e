"""Which rewards are held out: metrics of another kind than those that are optimised."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from anisora.harness.registry import registry
from anisora.harness.stages.plan import missing_needs, unavailable_metrics
from anisora.harness.types import Sample

__all__ = ["AUTOMATIC", "held_out_metrics", "metrics_among", "optimised_metrics"]

AUTOMATIC: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "core": ("temporal_flickering", "warping_error", "line_stability", "condition_fidelity"),
        "local": (
            "feature_consistency",
            "first_frame_feature_similarity",
            "technical_quality_niqe",
            "technical_quality_brisque",
        ),
    }
)
"""Held out by themselves, by group: those with a direction that cost little enough for every look."""
_MEAN: Final = re.compile(r"reward/(.+)/mean")


def optimised_metrics(log: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the metrics that a training optimises, by the names in its log: ``reward/NAME/mean``.

    A dimension of a combined reward is named ``reward/dimension``; names that are no metrics are passed over.
    """
    return metrics_among({found[1] for line in log for name in line if (found := _MEAN.fullmatch(name))})


def metrics_among(dimensions: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics among the dimensions of a reward, sorted.

    Args:
        dimensions: As the reward names them: ``sharpness``, or ``sharp/sharpness`` of a combined one.
    """
    metrics = registry("metrics")
    return tuple(sorted({last for each in dimensions if (last := each.rpartition("/")[2]) in metrics}))


def held_out_metrics(optimised: Collection[str], samples: Sequence[Sample]) -> tuple[str, ...]:
    """Choose metrics of another kind than those that are optimised, among those that can be computed here.

    Where only core metrics are optimised, those of group ``local`` (small networks and tables of natural statistics)
    are held out; where only others are, the core ones; where both or neither, all that are not optimised.

    Args:
        optimised: Names of metrics.
        samples: Of the clips: a metric is left out where none has the inputs that it needs.

    Returns:
        Names, sorted; there may be none.
    """
    groups = {registry("metrics").create(name).info.group for name in optimised}
    if groups == {"core"}:
        chosen: tuple[str, ...] = AUTOMATIC["local"]
    elif groups and "core" not in groups:
        chosen = AUTOMATIC["core"]
    else:
        chosen = AUTOMATIC["core"] + AUTOMATIC["local"]
    wanted = [name for name in chosen if name not in optimised and name in registry("metrics")]
    absent = unavailable_metrics(wanted)
    needs = {name: registry("metrics").create(name).info.needs for name in wanted}
    return tuple(
        sorted(
            name
            for name in wanted
            if name not in absent and not all(missing_needs(sample, needs[name]) for sample in samples)
        )
    )
