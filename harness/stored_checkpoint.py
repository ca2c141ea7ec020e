"""Reads what ``torch.save`` wrote without torch: where the numbers of each tensor lie in the file.

Both formats are read: the zip file (torch 1.6 and later) with ``data.pkl`` and one member for each storage, and the
older sequence of five pickles with the storages behind them. The pickles are read as data (``inert_pickle``).
Source: ``torch/serialization.py`` and ``torch/_utils.py``.
"""

import math
import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from anisora.harness.inert_pickle import Calls, Foreign, Name, NotInertError, read_inert
from anisora.harness.safetensors_file import ITEM_BYTES

__all__ = ["OtherNumbersError", "ProgramError", "StoredCheckpoint", "StoredTensor", "read_checkpoint"]

_LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
_DTYPES: Final[Mapping[str, str]] = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "UntypedStorage": "U8",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
}
"""{storage class or dtype of torch: name in safetensors}"""

_SIGNS_OF_DAMAGE: Final = (
    *(KeyError, TypeError, EOFError, OverflowError, RuntimeError, OSError, NotImplementedError),
    *(struct.error, zipfile.BadZipFile),
)
"""What the readers of a zip file, of numbers and of places in a file raise where these make no sense."""
_MOST_AXES: Final = 32
_MOST_PICKLE: Final = 1 << 30


class OtherNumbersError(Exception):
    """The checkpoint holds numbers of a kind that is not known here; the text is its name."""


class ProgramError(Exception):
    """The file is a TorchScript program."""


@dataclass(frozen=True, slots=True, eq=False)
class _Storage:
    dtype: str
    itemsize: int
    key: str
    count: int
    start: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor as a view of numbers in the file; offset and strides count numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """The bytes of its numbers, each counted as often as it is seen."""
        return math.prod(self.shape) * self.storage.itemsize


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """The object that was saved, and where its storages are."""

    content: Any
    places: Mapping[str, tuple[int, int]]
    """{key of a storage: (place in the file, bytes)}"""


def read_checkpoint(path: Path) -> StoredCheckpoint:
    """Read a file of ``torch.save``.

    Args:
        path: The file.

    Returns:
        What was saved, with ``StoredTensor`` for tensors, and ``Foreign`` for objects of all other classes.

    Raises:
        NotInertError: It asks for a call that rebuilds no tensor.
        ProgramError: It is a TorchScript program.
        OtherNumbersError: It holds numbers of an unknown kind.
        ValueError: It is damaged, or no such file.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        is_zip = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        try:
            read = _read_zip(file) if is_zip else _read_legacy(file, size)
        except _SIGNS_OF_DAMAGE as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
    if any(place + length > size for place, length in read.places.values()):
        raise ValueError("numbers that lie behind the end of the file")
    return read


def _read_zip(file: IO[bytes]) -> StoredCheckpoint:
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise ValueError(f"a zip file with {len(pickles)} data.pkl, expected 1")
        prefix = pickles[0].removesuffix("data.pkl")
        if f"{prefix}constants.pkl" in members:
            raise ProgramError
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise ValueError("compressed members, which torch does not write")
        order = archive.read(f"{prefix}byteorder") if f"{prefix}byteorder" in members else b"little"
        _check_order(order == b"little")
        if members[pickles[0]].file_size > _MOST_PICKLE:
            raise ValueError("a data.pkl of more than a gigabyte")
        with archive.open(pickles[0]) as pickled:
            content = read_inert(pickled, calls=_CALLS, persistent=_persistent)
        places = {}
        for name, info in members.items():
            if name.startswith(f"{prefix}data/"):
                with archive.open(info) as member:  # reading to the end compares the checksum
                    while member.read(1 << 20):
                        pass
                places[name.removeprefix(f"{prefix}data/")] = (_place_of(file, info), info.file_size)
    return StoredCheckpoint(content, places)


def _place_of(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    file.seek(info.header_offset)
    *_, name, extra = struct.unpack("<4s5H3L2H", file.read(30))
    return info.header_offset + 30 + int(name) + int(extra)


def _read_legacy(file: IO[bytes], size: int) -> StoredCheckpoint:
    storages: dict[str, _Storage] = {}

    def persistent(key: object) -> object:
        found = _persistent(key)
        if isinstance(found, _Storage):
            storages[found.key] = found
        return found

    def following() -> Any:  # noqa: ANN401 - any data
        return read_inert(file, calls=_CALLS, persistent=persistent)

    if following() != _LEGACY_MAGIC:
        raise ValueError("no file of torch.save")
    following()  # the version of the format, which never changed
    system = following()
    _check_order(not isinstance(system, dict) or system.get("little_endian", True) is True)
    content = following()
    places: dict[str, tuple[int, int]] = {}
    for key in following():
        (count,) = struct.unpack("<q", file.read(8))
        length = count * storages[key].itemsize
        if not 0 <= length <= size:
            raise ValueError("a storage that is larger than the file")
        places[key] = (file.tell(), length)
        file.seek(length, os.SEEK_CUR)
    return StoredCheckpoint(content, places)


def _check_order(little: bool) -> None:
    if not little:
        raise ValueError("numbers of a big-endian machine, which are not read")


# -- what stands for the calls by which torch rebuilds tensors


def _persistent(key: object) -> _Storage | Name:
    """Return what a persistent id stands for.

    ('storage', class, key, device, numbers[, view]) is a storage; ('module', class, file, source) is a class.
    """
    if not isinstance(key, tuple):
        raise TypeError("a persistent id that is no storage")
    if key[0] == "module" and isinstance(key[1], Name):
        return key[1]
    kind, made, name, _, count, *view = key
    if kind != "storage" or not isinstance(made, Name) or not isinstance(name, str) or not _is_count(count):
        raise ValueError("a persistent id that is no storage")
    dtype, itemsize = _dtype(made)
    start = view[0][1] if view and view[0] is not None else 0
    if not _is_count(start):
        raise ValueError("a view of a storage that begins nowhere")
    return _Storage(dtype, itemsize, name, count, start)


def _dtype(name: Name) -> tuple[str, int]:
    if name.module.partition(".")[0] != "torch" or name.attribute not in _DTYPES:
        raise OtherNumbersError(str(name))
    dtype = _DTYPES[name.attribute]
    return dtype, ITEM_BYTES[dtype]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("a tensor without storage, shape or strides")
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > _MOST_AXES or not all(map(_is_count, numbers)):
        raise ValueError("a tensor of impossible shape")
    return StoredTensor(storage, offset + storage.start, shape, strides)


def _tensor_of_dtype(arguments: tuple[Any, ...]) -> StoredTensor:
    storage, offset, shape, strides, _, _, dtype = arguments[:7]
    if not isinstance(storage, _Storage) or not isinstance(dtype, Name):
        raise ValueError("a tensor without storage or dtype")
    name, itemsize = _dtype(dtype)
    count = storage.count * storage.itemsize // itemsize
    return _tensor((_Storage(name, itemsize, storage.key, count), offset, shape, strides))


def _parameter(arguments: tuple[Any, ...]) -> object:
    return arguments[0]


def _typed(arguments: tuple[Any, ...]) -> object:
    function, _, inner = arguments[:3]
    if not isinstance(function, Name) or not isinstance(inner, tuple):
        raise TypeError("a tensor that nothing rebuilds")
    if str(function) not in _REBUILDING:
        raise NotInertError(str(function))
    return _REBUILDING[str(function)](inner)


def _dictionary(arguments: tuple[Any, ...]) -> object:
    pairs = arguments[0] if arguments and isinstance(arguments[0], list | tuple) else ()
    return {key: value for key, value in pairs if isinstance(key, str)}


def _set(arguments: tuple[Any, ...]) -> object:
    return Foreign("builtins.set", members=list(arguments[0]) if arguments else [])


def _instance(arguments: tuple[Any, ...]) -> object:
    return Foreign(str(arguments[0]) if arguments else "object", arguments)


_REBUILDING: Final[Calls] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_dtype,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
}
_HELD: Final = (
    *("torch.Size", "torch.device", "torch.dtype", "datetime.datetime", "datetime.timedelta", "_codecs.encode"),
    *("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
    *("builtins.slice", "builtins.complex"),
    *(f"pathlib.{name}" for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
)
"""Values that training leaves in checkpoints; a placeholder holds what they would be made of."""

_CALLS: Final[Calls] = {
    **_REBUILDING,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda _: {},
    "builtins.set": _set,
    "copyreg._reconstructor": _instance,
    **{name: partial(Foreign, name) for name in _HELD},
}
