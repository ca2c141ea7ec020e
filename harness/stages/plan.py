"""What a run is going to compute: its metrics, the features these share, and the protocol they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from anisora.harness.device import compute_device
from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.extras import missing_distributions, require_extra
from anisora.harness.protocols import FeatureRequest, Metric, Need
from anisora.harness.record import Json, digest_of
from anisora.harness.registry import registry
from anisora.harness.types import Sample

__all__ = ["Plan", "metric_names", "missing_needs", "plan_metrics", "unavailable_metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The metrics of a run and what they ask for."""

    metrics: Mapping[str, Metric]
    requests: tuple[FeatureRequest, ...]
    protocol: Mapping[str, dict[str, Json]]
    """{metric: everything about it that can change a number}"""
    weights: Mapping[str, str]
    device: str
    """Where the networks of its metrics run; ``cpu`` where none of them can run elsewhere."""
    excluded: Mapping[str, str]
    """{metric: why it was left out}"""

    def fingerprint(self, metric: str) -> str:
        """Short digest of a metric's protocol; rows made under another one are computed again."""
        return digest_of(self.protocol[metric])[:16]


def metric_names(wanted: Sequence[str]) -> list[str]:
    """Resolve metric names and group names (``core``, ``all``) to sorted metric names.

    A metric may have arguments, ``i2v_subject:resize=legacy``. ``all`` leaves out the group ``bridge``: the measures of
    another package are asked for by name. Groups leave out metrics that need an argument.

    Raises:
        UnknownNameError: A name is neither a metric nor a group.
        ConfigError: A metric does not take its arguments.
    """
    metrics = registry("metrics")
    names: set[str] = set()
    for name in wanted:
        if name in metrics:
            names.add(metrics.create(name).info.name if ":" in name else name)
            continue
        infos = {known: metrics.create(known).info for known in metrics.names()}
        groups = {known: info.group for known, info in infos.items() if not info.obstacle}
        members = [known for known, group in groups.items() if name == group or (name == "all" and group != "bridge")]
        if not members:
            metrics.target(name)  # raises, with the nearest name
        names.update(members)
    return sorted(names)


def unavailable_metrics(names: Sequence[str]) -> dict[str, str]:
    """Return {metric: why} of those that cannot be computed with what is installed; nothing is imported or run.

    Raises:
        UnknownNameError: A metric is not registered.
    """
    from anisora.harness.weights import digests_of

    reasons = {}
    for name in names:
        requests = registry("metrics").create(name).info.requests
        infos = [registry("extractors").create(request.extractor).info for request in requests]
        lacking = missing_distributions(sorted({needed for info in infos for needed in info.distributions}))
        if lacking:
            reasons[name] = f"not installed: {', '.join(lacking)}"
            continue
        try:
            digests_of(sorted({weight for info in infos for weight in info.weights}))
        except WeightsMissing as error:
            reasons[name] = str(error)
    return reasons


def missing_needs(sample: Sample, needs: frozenset[Need]) -> list[str]:
    """Return which of a metric's inputs a sample does not have, in words."""
    present = {
        "prompt": sample.prompt is not None,
        "keyframes": bool(sample.condition.keyframes),
        "ground_truth": sample.ground_truth is not None,
        "region_mask": sample.condition.region_mask is not None,
    }
    words = {
        "prompt": "prompt",
        "keyframes": "conditioning image",
        "ground_truth": "ground truth",
        "region_mask": "region mask",
    }
    return [words[need] for need in get_args(Need) if need in needs and not present[need]]


def plan_metrics(
    names: Sequence[str], samples: Sequence[Sample], *, leave_out: bool, commercial_only: bool = False
) -> Plan:
    """Make the metrics and gather what they share.

    Args:
        names: Metrics to compute.
        samples: The items they are for.
        leave_out: Leave out metrics that no item has the inputs for, and say so; otherwise they stay, unscored.
        commercial_only: Refuse metrics whose licence forbids commercial use.

    Raises:
        UnknownNameError: A metric is not registered.
        ConfigError: Nothing is left to compute, a licence forbids what was asked for, a metric lacks an argument or a
            file, or was fitted on other weights than those that are there.
        MissingExtra: A metric needs packages that are not installed.
        WeightsMissing: Weight files are not there; all of them are named at once.
    """
    from anisora.harness.weights import digests_of

    metrics: dict[str, Metric] = {}
    excluded: dict[str, str] = {}
    for name in names:
        metric: Metric = registry("metrics").create(name)
        if metric.info.obstacle:
            raise ConfigError(metric.info.obstacle)
        lacking = [missing_needs(sample, metric.info.needs) for sample in samples]
        if leave_out and samples and all(lacking):
            words = sorted({word for missing in lacking for word in missing})
            excluded[name] = f"no item has a {' or '.join(words)}"
            continue
        metrics[name] = metric
    if not metrics:
        raise ConfigError(
            f"No metric is left to compute: {_listed(excluded)}. Give a manifest with the inputs they need, "
            'or choose others with --metrics (see "anisora list metrics").'
        )
    forbidden = [name for name, metric in metrics.items() if not metric.info.commercial_use]
    if commercial_only and forbidden:
        raise ConfigError(
            f"`--commercial-ok` forbids {', '.join(forbidden)}: their licences allow no commercial use. "
            "Leave them out with --metrics."
        )
    for name, metric in metrics.items():
        for request in metric.info.requests:
            require_extra(registry("extractors").create(request.extractor).info, f"Metric `{name}`")
    requests = tuple(dict.fromkeys(request for metric in metrics.values() for request in metric.info.requests))
    extractors = {request.extractor: registry("extractors").create(request.extractor).info for request in requests}
    weights = digests_of(sorted({name for info in extractors.values() for name in info.weights}))
    protocol = {}
    for name, metric in metrics.items():
        entry: dict[str, Json] = {"version": metric.info.version}
        for request in metric.info.requests:
            info = extractors[request.extractor]
            entry[info.name] = {
                "version": info.version,
                "sampling": request.sampling.id,
                "preprocess": info.preprocess,
                "weights": {weight: weights[weight] for weight in info.weights},
            }
        if metric.info.files:
            entry["files"] = dict(metric.info.files)
        _check_fitted_on(name, metric, weights)
        protocol[name] = entry
    movable = any(info.runs_on_devices for info in extractors.values())
    return Plan(
        metrics=metrics,
        requests=requests,
        protocol=protocol,
        weights=weights,
        device=str(compute_device()) if movable else "cpu",
        excluded=excluded,
    )


def _check_fitted_on(name: str, metric: Metric, weights: Mapping[str, str]) -> None:
    for weight, expected in metric.info.fitted_on:
        found = weights.get(weight, "")
        if found != expected:
            raise ConfigError(
                f"Metric `{name}` was fitted on weights `{weight}` with digest {expected[:24]}, and those in use have "
                f"{found[:24] or 'none'}; expected the same; fit it again, or use the weights it was fitted on."
            )


def _listed(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
