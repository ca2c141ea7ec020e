"""Which networks are in memory together: all that are used, or those of one group of metrics at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal, get_args

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import ExtractorInfo, FeatureRequest, Metric
from anisora.harness.registry import registry
from anisora.harness.weights import WeightEntry, entry_of

__all__ = ["NetworkGroup", "Resident", "is_tensor_file", "network_entries", "network_groups", "read_resident"]

Resident = Literal["one", "all"]
"""``all``: what was loaded stays. ``one``: metrics are computed group by group, and the networks of a group go before
those of the next are loaded. No number depends on it."""

_TENSOR_SUFFIXES: Final = frozenset({".bin", ".ckpt", ".onnx", ".pt", ".pth", ".safetensors"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkGroup:
    """Metrics that are computed together, since none needs a network that another of them does not."""

    metrics: tuple[str, ...]
    requests: tuple[FeatureRequest, ...]
    weights: frozenset[str]
    """Entries of the ledger that its extractors read."""


def read_resident(word: str) -> Resident:
    """Return a policy.

    Raises:
        ConfigError: There is no such policy.
    """
    for known in get_args(Resident):
        if word == known:
            return known  # type: ignore[no-any-return]
    raise ConfigError(f"`resident` got {word!r}; expected one of {', '.join(get_args(Resident))}.")


def is_tensor_file(path: str) -> bool:
    """Return whether a file holds a network's tensors, by its name; other files are texts and tables."""
    return PurePosixPath(path).suffix.lower() in _TENSOR_SUFFIXES


def network_entries(info: ExtractorInfo) -> list[WeightEntry]:
    """Return the entries of the ledger that fill an extractor's networks, in its order."""
    entries = [entry_of(name) for name in info.weights]
    return [entry for entry in entries if any(is_tensor_file(file.path) for file in entry.files)]


def network_groups(metrics: Mapping[str, Metric]) -> tuple[NetworkGroup, ...]:
    """Divide metrics into groups by the networks they need.

    A metric whose networks are among another's is computed with it, and those without any with the first group. Two
    metrics of which each has a network of its own beside a shared one are two groups: memory is kept low, and the
    shared network is loaded twice.

    Returns:
        In the order in which the metrics come.
    """
    infos = {name: [_info(request) for request in metric.info.requests] for name, metric in metrics.items()}
    needs = {
        name: frozenset(entry.name for info in of_metric for entry in network_entries(info))
        for name, of_metric in infos.items()
    }
    largest = [need for need in dict.fromkeys(needs.values()) if not any(need < other for other in needs.values())]
    members: dict[frozenset[str], list[str]] = {need: [] for need in largest}
    for name, need in needs.items():
        members[next(other for other in largest if need <= other)].append(name)
    return tuple(_group(names, metrics, infos) for names in members.values())


def _group(
    names: Sequence[str], metrics: Mapping[str, Metric], infos: Mapping[str, Sequence[ExtractorInfo]]
) -> NetworkGroup:
    return NetworkGroup(
        metrics=tuple(names),
        requests=tuple(dict.fromkeys(request for name in names for request in metrics[name].info.requests)),
        weights=frozenset(weight for name in names for info in infos[name] for weight in info.weights),
    )


def _info(request: FeatureRequest) -> ExtractorInfo:
    info: ExtractorInfo = registry("extractors").create(request.extractor).info
    return info
