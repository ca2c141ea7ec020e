"""The tensors of a pickled torch checkpoint by name, read one at a time, without torch and without running anything.

Objects of classes other than tensors are placeholders (``stored_checkpoint``) and left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.inert_pickle import Foreign, NotInertError
from anisora.harness.stored_checkpoint import OtherNumbersError, ProgramError, StoredTensor, read_checkpoint

__all__ = ["CheckpointTensors", "open_checkpoint", "problems_of"]

_MOST_SHARED: Final = 4
"""Tensors may share numbers, and then a copy is larger than the file; more often than this it is a bomb."""
_MOST_MODULES: Final = 10_000
_NAMED: Final = 6  # keys spelled out in an error message


@dataclass(frozen=True, slots=True)
class CheckpointTensors:
    """Tensors of a file, none of whose numbers are in memory."""

    path: Path
    tensors: Mapping[str, StoredTensor]
    left_out: tuple[str, ...]
    """Keys beside the tensors that hold something else, with its kind."""
    places: Mapping[str, tuple[int, int]]
    """{key of a storage: (place in the file, bytes)}"""

    def numbers(self, name: str) -> NDArray[np.uint8]:
        """Return the bytes of a tensor's numbers in the order of its axes; where that can be, they stay in the file."""
        tensor = self.tensors[name]
        storage = tensor.storage
        if 0 in tensor.shape:
            return np.empty(0, np.uint8)
        place, _ = self.places[storage.key]
        kind = np.dtype(f"V{storage.itemsize}")
        flat: NDArray[np.void] = np.memmap(
            self.path, kind, mode="r", offset=place, shape=(_count(tensor, self.places),)
        )
        strides = [step * storage.itemsize for step in tensor.strides]
        return np.ascontiguousarray(as_strided(flat[tensor.offset :], tensor.shape, strides)).reshape(-1).view(np.uint8)


def open_checkpoint(path: Path, *, inside: str | None = None, perhaps_inside: Sequence[str] = ()) -> CheckpointTensors:
    """Find the tensors of a checkpoint.

    Args:
        path: A file of ``torch.save``: a dictionary of tensors, or with one inside, or a module.
        inside: Key under which the checkpoint keeps the tensors or the module.
        perhaps_inside: Where ``inside`` is None, keys of which the first that holds tensors is taken, else the top.

    Raises:
        WeightsMissing: The checkpoint is absent or damaged.
        ConfigError: It asks for a call, is a program, or holds no tensors there or numbers that are not known.
    """
    if not path.is_file():
        raise WeightsMissing(f"Weights `{path}` do not exist; name a file, or fetch it again.")
    with problems_of(path):
        checkpoint = read_checkpoint(path)
        if inside is None:
            top = _items(checkpoint.content)
            inside = next((key for key in perhaps_inside if _tensors_in(top.get(key))), None)
        tensors, left_out = _tensors_of(path, checkpoint.content, inside)
        total = sum(tensor.bytes for tensor in tensors.values())
        if total > _MOST_SHARED * path.stat().st_size:
            raise ConfigError(f"Weights `{path}` would become {total:,} bytes, many times the file; refused as a bomb.")
        for tensor in tensors.values():
            _check_place(tensor, checkpoint.places)
    return CheckpointTensors(path, tensors, left_out, checkpoint.places)


@contextmanager
def problems_of(path: Path) -> Iterator[None]:
    """Name the file in whatever its readers find wrong with it.

    Raises:
        WeightsMissing: It is damaged.
        ConfigError: It asks for a call, is a program, or holds numbers that are not known.
    """
    try:
        yield
    except NotInertError as error:
        raise ConfigError(
            f"Weights `{path}` ask to call {error.name!r}, which no tensor needs; refused, and nothing was run. "
            "Get the tensors as .safetensors from their authors."
        ) from error
    except ProgramError as error:
        raise ConfigError(
            f"Weights `{path}` are a TorchScript program, which is not plain data; refused, and nothing was run. "
            "Get the tensors as .safetensors from their authors."
        ) from error
    except OtherNumbersError as error:
        raise ConfigError(
            f"Weights `{path}` hold numbers of the kind {str(error)!r}, which are not converted; get the tensors as "
            ".safetensors from their authors."
        ) from error
    except ValueError as error:
        text = " ".join(str(error).split())[:160]
        raise WeightsMissing(
            f"Weights `{path}` are damaged or no checkpoint ({text}); fetch the file again."
        ) from error


def _tensors_of(path: Path, content: object, inside: str | None) -> tuple[dict[str, StoredTensor], tuple[str, ...]]:
    if inside is not None:
        top = _items(content)
        if inside not in top:
            raise ConfigError(f"Weights `{path}` have no {inside!r} at the top; they hold {_keys(top)}.")
        content = top[inside]
    items = _items(content)
    tensors = {str(key): value for key, value in items.items() if isinstance(value, StoredTensor)}
    others = [(key, value) for key, value in items.items() if not isinstance(value, StoredTensor)]
    if not tensors:
        within = [str(key) for key, value in others if _tensors_in(value)]
        hint = f"--inside takes {' or '.join(map(repr, within[:_NAMED]))}" if within else f"they hold {_keys(items)}"
        raise ConfigError(f"Weights `{path}` have no tensors {f'in {inside!r}' if inside else 'at the top'}; {hint}.")
    if len(tensors) + len(others) < len(items):
        raise ValueError("two tensors of one name")
    return tensors, tuple(f"{key} ({_kind(value)})" for key, value in others)


def _tensors_in(value: object) -> bool:
    return any(isinstance(each, StoredTensor) for each in _items(value).values())


def _keys(items: Mapping[Any, object]) -> str:
    keys = [repr(key) for key in items if isinstance(key, str)]
    return f"{', '.join(keys[:_NAMED])}{', …' if len(keys) > _NAMED else ''}" or "nothing under a name"


def _kind(value: object) -> str:
    return value.name if isinstance(value, Foreign) else type(value).__name__


def _items(value: object) -> Mapping[Any, object]:
    """Return {key: value} of a dictionary or of what stands for one, and the state of what stands for a module."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, Foreign):
        return {}
    return _module_state(value) if _is_module(value) else value.items


def _is_module(value: Foreign) -> bool:
    return isinstance(value.state, dict) and {"_parameters", "_buffers", "_modules"} <= value.state.keys()


def _module_state(module: Foreign) -> dict[str, StoredTensor]:
    """Return the parameters and persistent buffers of a module under the names of its ``state_dict``."""
    found: dict[str, StoredTensor] = {}
    waiting = [("", module)]
    visited = 0
    while waiting:
        prefix, each = waiting.pop()
        visited += 1
        if visited > _MOST_MODULES:
            raise ValueError("modules inside of each other without end")
        state = each.state if isinstance(each.state, dict) else {}
        passing = state.get("_non_persistent_buffers_set")
        left_out = [f"{prefix}{name}" for name in passing.members] if isinstance(passing, Foreign) else []
        for group in ("_parameters", "_buffers"):
            for name, value in _items(state.get(group)).items():
                if isinstance(value, StoredTensor) and not (group == "_buffers" and f"{prefix}{name}" in left_out):
                    found[f"{prefix}{name}"] = value
        for name, child in _items(state.get("_modules")).items():
            if isinstance(child, Foreign):
                waiting.append((f"{prefix}{name}.", child))
    return found


def _check_place(tensor: StoredTensor, places: Mapping[str, tuple[int, int]]) -> None:
    if tensor.storage.key not in places:
        raise ValueError(f"a tensor whose storage {tensor.storage.key!r} is not there")
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if 0 not in tensor.shape and last >= _count(tensor, places):
        raise ValueError("a tensor that reaches behind its storage")


def _count(tensor: StoredTensor, places: Mapping[str, tuple[int, int]]) -> int:
    """Return how many numbers the storage of a tensor has in the file."""
    _, length = places[tensor.storage.key]
    return min(tensor.storage.count, length // tensor.storage.itemsize)
