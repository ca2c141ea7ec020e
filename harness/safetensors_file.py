"""The safetensors format, read and written tensor by tensor: a length, a JSON header and the numbers behind it.

Source: https://github.com/huggingface/safetensors (README, "Format").
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["ITEM_BYTES", "StoredPlace", "file_bytes", "read_header", "write_order", "write_tensors"]

ITEM_BYTES: Final[Mapping[str, int]] = {
    **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1},
    **{"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1},
}
"""{number format by its name in safetensors: bytes of a number}"""

_LARGEST_HEADER: Final = 100_000_000
_METADATA: Final = "__metadata__"

TensorKinds = Mapping[str, tuple[str, Sequence[int]]]
"""{name: (number format, shape)}"""


@dataclass(frozen=True, slots=True)
class StoredPlace:
    """Where a tensor lies in a file."""

    dtype: str
    """A key of ``ITEM_BYTES``."""
    shape: tuple[int, ...]
    start: int
    """Bytes from the beginning of the file."""
    bytes: int


def read_header(path: Path) -> dict[str, StoredPlace]:
    """Return where each tensor of a file lies; no number is read.

    Args:
        path: A safetensors file.

    Returns:
        {name: place}, in the order of the header.

    Raises:
        ValueError: It is no such file, or one that is cut off; the text says what is wrong.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(size - 8, _LARGEST_HEADER):
            raise ValueError(f"{size:,} bytes with a header of {length:,}")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"a header that is no JSON ({str(error)[:60]})") from error
    if not isinstance(header, dict):
        raise ValueError("a header that is no JSON object")
    begin = 8 + length
    found = {name: _place(name, entry, begin) for name, entry in header.items() if name != _METADATA}
    end = begin
    for name, place in sorted(found.items(), key=lambda item: (item[1].start, item[1].bytes)):
        if place.start != end:
            raise ValueError(f"the tensor {name!r} begins at byte {place.start:,}, expected {end:,}")
        end += place.bytes
    if end != size:
        raise ValueError(f"{size:,} bytes, and its header promises {end:,}")
    return found


def _place(name: str, entry: Any, begin: int) -> StoredPlace:  # noqa: ANN401 - any JSON
    try:
        dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        size = math.prod(shape) * ITEM_BYTES[dtype]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the tensor {name!r} is described as {str(entry)[:80]}") from error
    if not all(isinstance(number, int) and number >= 0 for number in (*shape, start, end)) or end - start != size:
        raise ValueError(f"the tensor {name!r} of shape {shape} has the bytes {start} to {end}, expected {size}")
    return StoredPlace(dtype, shape, begin + start, size)


def write_order(tensors: TensorKinds) -> list[str]:
    """Return the names in the order of a file: the widest numbers first, as each then lies at a multiple of its width.

    Args:
        tensors: {name: (number format, shape)}.
    """
    return sorted(tensors, key=lambda name: (-ITEM_BYTES[tensors[name][0]], name))


def file_bytes(tensors: TensorKinds) -> int:
    """Return how large a file of these tensors is."""
    return len(_head(tensors)) + sum(_size(*kind) for kind in tensors.values())


def write_tensors(file: IO[bytes], tensors: TensorKinds, numbers: Callable[[str], memoryview]) -> str:
    """Write a safetensors file, asking for the numbers of one tensor at a time.

    Args:
        file: Open, at its beginning.
        tensors: {name: (number format, shape)}; the same tensors give the same bytes in any order.
        numbers: Returns the bytes of a name's numbers.

    Returns:
        The sha256 of what was written.

    Raises:
        ValueError: A name or the numbers of one cannot stand in such a file.
    """
    digest = hashlib.sha256()
    head = _head(tensors)
    file.write(head)
    digest.update(head)
    for name in write_order(tensors):
        view = numbers(name).cast("B")
        if len(view) != _size(*tensors[name]):
            raise ValueError(f"{len(view):,} bytes for the tensor {name!r}, expected {_size(*tensors[name]):,}")
        file.write(view)
        digest.update(view)
    return digest.hexdigest()


def _head(tensors: TensorKinds) -> bytes:
    header: dict[str, object] = {_METADATA: {"format": "pt"}}
    at = 0
    for name in write_order(tensors):
        if name == _METADATA:
            raise ValueError(f"a tensor of the name {name!r}")
        name.encode()  # half a surrogate pair is a UnicodeEncodeError, which is a ValueError
        dtype, shape = tensors[name]
        end = at + _size(dtype, shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _size(dtype: str, shape: Sequence[int]) -> int:
    return math.prod(shape) * ITEM_BYTES[dtype]
