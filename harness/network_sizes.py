"""How large networks are on their device, from their files or from their shapes; nothing is loaded."""

import math
from collections.abc import Iterable
from pathlib import Path

from anisora.harness.device import Device
from anisora.harness.memory_estimate import DTYPE_BYTES, GroupMemory, MemoryEstimate, NetworkMemory
from anisora.harness.protocols import CountedNetworks, FeatureExtractor
from anisora.harness.registry import registry
from anisora.harness.residency import NetworkGroup, is_tensor_file, network_entries
from anisora.harness.safetensors_file import read_header
from anisora.harness.weights import WeightEntry, files_of

__all__ = ["estimate_memory", "safetensors_parameters"]


def estimate_memory(groups: Iterable[NetworkGroup], device: Device) -> MemoryEstimate:
    """Return what groups of metrics take on a device; networks that only run on the CPU are not on another device.

    Args:
        groups: Of metrics that are computed together.
        device: Where networks run that may run anywhere.
    """
    return MemoryEstimate(tuple(GroupMemory(group.metrics, tuple(_networks(group, device))) for group in groups))


def _networks(group: NetworkGroup, device: Device) -> list[NetworkMemory]:
    found: dict[str, NetworkMemory] = {}
    for request in group.requests:
        extractor: FeatureExtractor = registry("extractors").create(request.extractor)
        if device.kind != "cpu" and not extractor.info.runs_on_devices:
            continue
        for entry in network_entries(extractor.info):
            if entry.name not in found or found[entry.name].size is None:
                found[entry.name] = NetworkMemory(entry.name, _size(entry, extractor), extractor.info.dtype)
    return list(found.values())


def _size(entry: WeightEntry, extractor: FeatureExtractor) -> int | None:
    """Return the bytes of a network: counted in its files, as large as these, or counted in its shapes."""
    width = DTYPE_BYTES[extractor.info.dtype]
    here = [each for each in files_of(entry) if is_tensor_file(each.file.path)]
    sizes = [_size_of_file(each.path, width) if each.path else each.file.bytes for each in here]
    known = [size for size in sizes if size is not None]
    if here and len(known) == len(sizes):
        return sum(known)
    if isinstance(extractor, CountedNetworks):
        count = extractor.parameters().get(entry.name)
        return None if count is None else count * width
    return None


def _size_of_file(path: Path, width: int) -> int:
    """Return the bytes of a file's tensors with so many bytes a number; of other formats, those of the file."""
    count = safetensors_parameters(path) if path.suffix == ".safetensors" else None
    return path.stat().st_size if count is None else count * width


def safetensors_parameters(path: Path) -> int | None:
    """Return how many numbers are in the tensors of a safetensors file, from its header; None where it has none."""
    try:
        return sum(math.prod(place.shape) for place in read_header(path).values())
    except ValueError:
        return None
