"""A published checkpoint as tensors that are read one at a time: one file, or shards with their index.

Keys, shapes and number formats are known before any number is read, and nothing of a pickled file is run.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.checkpoint_tensors import CheckpointTensors, open_checkpoint
from anisora.harness.errors import ConfigError, MissingExtra, WeightsMissing
from anisora.harness.safetensors_file import StoredPlace, read_header

if TYPE_CHECKING:
    import torch

__all__ = ["INDEX_SUFFIX", "SUFFIXES", "Source", "SourceTensor", "checkpoints_in", "open_source"]

SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
INDEX_SUFFIX: Final = ".index.json"
_SHARD: Final = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}(?P<suffix>\.[a-z]+)")
_NAMED: Final = 3  # keys and files spelled out in an error message


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """A tensor that was not read yet."""

    file: Path
    dtype: str
    """By its name in safetensors, such as ``BF16``."""
    shape: tuple[int, ...]


_Opened = CheckpointTensors | dict[str, StoredPlace]


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint."""

    path: Path
    """As it was named: the file, or the index of its shards."""
    tensors: Mapping[str, SourceTensor]
    """{key: what is known of it}, in the order of the files."""
    left_out: tuple[str, ...]
    """Keys of pickled files that hold something else than tensors, with its kind."""
    _opened: Mapping[Path, _Opened]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files with the numbers."""
        return tuple(self._opened)

    def read(self, key: str) -> "torch.Tensor":
        """Read one tensor into memory of its own.

        Raises:
            MissingExtra: torch is not installed.
            WeightsMissing: The file is shorter than it was.
        """
        try:
            import torch
        except ImportError as error:
            raise MissingExtra(f"Reading `{self.path}`", "models") from error
        tensor = self.tensors[key]
        opened = self._opened[tensor.file]
        if isinstance(opened, CheckpointTensors):
            numbers = bytearray(opened.numbers(key).data)
        else:
            numbers = _read_range(tensor.file, opened[key])
        dtype = getattr(torch, _TORCH_DTYPES[tensor.dtype])
        flat = torch.frombuffer(numbers, dtype=dtype) if numbers else torch.empty(0, dtype=dtype)
        return flat.reshape(tensor.shape)


_TORCH_DTYPES: Final[Mapping[str, str]] = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"},
    **{"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "BOOL": "bool"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8"},
}


def _read_range(path: Path, place: StoredPlace) -> bytearray:
    numbers = bytearray(place.bytes)
    with path.open("rb", buffering=0) as file:
        file.seek(place.start)
        view, at = memoryview(numbers), 0
        while at < len(view):  # one call reads at most 2 GiB
            count = file.readinto(view[at:])
            if not count:
                raise WeightsMissing(f"Weights `{path}` became shorter while they were read; fetch the file again.")
            at += count
    return numbers


def checkpoints_in(folder: Path) -> list[Path]:
    """Return what ``open_source`` opens in a folder, without those below it: indices, and files that none names.

    Args:
        folder: A folder.

    Raises:
        ConfigError: A file is a shard and no index lies beside it.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    indices = [path for path in files if path.name.endswith(tuple(f"{suffix}{INDEX_SUFFIX}" for suffix in SUFFIXES))]
    sharded = {path.name.removesuffix(INDEX_SUFFIX) for path in indices}
    found = list(indices)
    for path in files:
        if path.suffix not in SUFFIXES or path.name in sharded:
            continue
        shard = _SHARD.fullmatch(path.name)
        if shard is None:
            found.append(path)
        elif f"{shard['stem']}{shard['suffix']}" not in sharded:
            raise _without_index(path, shard)
    return found


def open_source(path: Path, *, inside: str | None = None, perhaps_inside: Sequence[str] = ()) -> Source:
    """Find the tensors of a checkpoint.

    Args:
        path: A file (.safetensors, or what ``torch.save`` wrote), the index of shards (``*.index.json``), or a folder
            that holds one of these.
        inside: Key under which pickled files hold their tensors.
        perhaps_inside: Where ``inside`` is None, keys of which the first that holds tensors is taken, else the top.

    Raises:
        WeightsMissing: A file is absent, cut off or damaged.
        ConfigError: Index and shards do not agree, a pickle asks for a call, or a folder has not one checkpoint.
    """
    if path.is_dir():
        found = checkpoints_in(path)
        if len(found) != 1:
            names = ", ".join(each.name for each in found[:_NAMED]) or "none"
            raise ConfigError(
                f"Folder `{path}` holds {len(found)} checkpoints ({names}); expected one; name the file or index."
            )
        path = found[0]
    if not path.is_file():
        raise WeightsMissing(f"Checkpoint `{path}` does not exist; expected a file, an index or a folder of them.")
    if path.name.endswith(INDEX_SUFFIX):
        return _open_sharded(path, inside, perhaps_inside)
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"Checkpoint `{path}` is of no known kind; expected {', '.join(SUFFIXES)} or an index.")
    if shard := _SHARD.fullmatch(path.name):
        index = path.with_name(f"{shard['stem']}{shard['suffix']}{INDEX_SUFFIX}")
        if not index.is_file():
            raise _without_index(path, shard)
        raise ConfigError(f"Checkpoint `{path}` is one shard of several; name their index `{index}` or the folder.")
    return _source(path, {path: _open(path, inside, perhaps_inside)})


def _without_index(path: Path, shard: "re.Match[str]") -> ConfigError:
    index = f"{shard['stem']}{shard['suffix']}{INDEX_SUFFIX}"
    return ConfigError(f"Checkpoint `{path}` is a shard, and its index {index} is not beside it; fetch that as well.")


def _open(path: Path, inside: str | None, perhaps_inside: Sequence[str]) -> _Opened:
    if path.suffix != ".safetensors":
        return open_checkpoint(path, inside=inside, perhaps_inside=perhaps_inside)
    try:
        return read_header(path)
    except ValueError as error:
        raise WeightsMissing(
            f"Weights `{path}` are cut off or damaged ({' '.join(str(error).split())}); fetch the file again."
        ) from error


def _source(path: Path, opened: Mapping[Path, _Opened]) -> Source:
    tensors: dict[str, SourceTensor] = {}
    left_out: list[str] = []
    for file, each in opened.items():
        if isinstance(each, CheckpointTensors):
            left_out += each.left_out
            tensors |= {key: SourceTensor(file, kept.storage.dtype, kept.shape) for key, kept in each.tensors.items()}
        else:
            tensors |= {key: SourceTensor(file, place.dtype, place.shape) for key, place in each.items()}
    return Source(path, tensors, tuple(left_out), opened)


def _open_sharded(index: Path, inside: str | None, perhaps_inside: Sequence[str]) -> Source:
    named = _weight_map(index)
    wanted: dict[str, set[str]] = {}
    for key, name in named.items():
        wanted.setdefault(name, set()).add(key)
    _check_shards(index, wanted)
    opened: dict[Path, _Opened] = {}
    for name in sorted(wanted):
        path = index.with_name(name)
        opened[path] = _open(path, inside, perhaps_inside)
        keys = set(_source(path, {path: opened[path]}).tensors)
        for what, differing in (("lacks", wanted[name] - keys), ("holds, against the index,", keys - wanted[name])):
            if differing:
                raise ConfigError(
                    f"Shard `{path}` {what} {_some(differing)}; expected exactly the {len(wanted[name])} tensors that "
                    f"`{index.name}` puts there; fetch both again from one revision."
                )
    return _source(index, opened)


def _weight_map(index: Path) -> dict[str, str]:
    try:
        content: Any = json.loads(index.read_text(encoding="utf-8"))
        named = content["weight_map"]
        is_map = isinstance(named, dict) and all(isinstance(name, str) for name in named.values())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsMissing(f"Index `{index}` is no JSON with a weight_map; fetch the file again.") from error
    if not is_map or not named:
        raise WeightsMissing(f"Index `{index}` has a weight_map that names no files; fetch the file again.")
    for name in named.values():
        if Path(name).name != name or not name.endswith(SUFFIXES):
            raise ConfigError(f"Index `{index}` names the shard {name!r}; expected a file beside it ({SUFFIXES[0]}).")
    return dict(named)


def _check_shards(index: Path, wanted: Mapping[str, object]) -> None:
    """Raise an error unless the shards on disk are those that the index names."""
    missing = [name for name in sorted(wanted) if not index.with_name(name).is_file()]
    if missing:
        raise WeightsMissing(
            f"Index `{index}` names {len(wanted)} shards, and {len(missing)} are not there: {_some(missing)}; "
            "fetch them into the same folder."
        )
    whole = index.name.removesuffix(INDEX_SUFFIX)
    others = []
    for path in index.parent.iterdir():
        shard = _SHARD.fullmatch(path.name)
        if shard and f"{shard['stem']}{shard['suffix']}" == whole and path.name not in wanted:
            others.append(path.name)
    if others:
        raise ConfigError(
            f"Index `{index}` does not name {_some(others)}, which lies beside it; the shards are of two revisions: "
            "fetch index and shards again, or move away what does not belong."
        )


def _some(names: "set[str] | Sequence[str]") -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(map(repr, listed[:_NAMED])) + more
