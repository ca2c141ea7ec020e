"""The format is read and written as the library of the same name does it."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from anisora.harness.network_sizes import safetensors_parameters
from anisora.harness.safetensors_file import ITEM_BYTES, file_bytes, read_header, write_order, write_tensors

torch = pytest.importorskip("torch")

NAMES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn"},
    **{"I64": "int64", "I32": "int32", "U8": "uint8", "BOOL": "bool"},
}


def tensors() -> dict[str, Any]:
    made = {f"of.{name}": torch.arange(6).reshape(2, 3).to(getattr(torch, kind)) for name, kind in NAMES.items()}
    return made | {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "one": torch.ones(7, dtype=torch.uint8)}


def stored(names: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    kinds = {getattr(torch, kind): name for name, kind in NAMES.items()}
    return {key: (kinds[tensor.dtype], tuple(tensor.shape)) for key, tensor in names.items()}


def numbers_of(tensor: Any) -> memoryview:
    view: memoryview = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
    return view


def written(names: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    digest = write_tensors(buffer, stored(names), lambda key: numbers_of(names[key]))
    assert digest == hashlib.sha256(buffer.getvalue()).hexdigest()
    return buffer.getvalue()


def test_what_is_written_is_read_by_the_library(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    (tmp_path / "x.safetensors").write_bytes(written(tensors()))
    loaded = load_file(tmp_path / "x.safetensors")
    assert loaded.keys() == tensors().keys()
    for key, tensor in tensors().items():
        assert loaded[key].dtype == tensor.dtype
        assert torch.equal(loaded[key].to(torch.float64), tensor.to(torch.float64)), key


def test_common_formats_are_written_to_the_bytes_of_the_library(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    names = {key: tensors()[key] for key in ("of.F32", "of.BF16", "scalar", "of.U8", "empty")}
    save_file(names, tmp_path / "x.safetensors", metadata={"format": "pt"})
    assert (tmp_path / "x.safetensors").read_bytes() == written(names)
    assert written(dict(reversed(names.items()))) == written(names)
    assert file_bytes(stored(names)) == len(written(names))


def test_numbers_lie_at_multiples_of_their_width(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(written(tensors()))
    places = read_header(tmp_path / "x.safetensors")
    assert list(places) == write_order(stored(tensors()))
    assert [key for key, place in places.items() if place.start % ITEM_BYTES[place.dtype]] == []


def test_the_header_tells_shapes_places_and_how_many_numbers_there_are(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(tensors(), tmp_path / "x.safetensors")
    whole = (tmp_path / "x.safetensors").read_bytes()
    for key, place in read_header(tmp_path / "x.safetensors").items():
        assert (place.dtype, place.shape) == stored(tensors())[key]
        assert whole[place.start : place.start + place.bytes] == bytes(numbers_of(tensors()[key]))
    assert safetensors_parameters(tmp_path / "x.safetensors") == sum(each.numel() for each in tensors().values())


def test_a_file_that_is_cut_off_or_longer_is_refused_wherever(tmp_path: Path) -> None:
    whole = written(tensors())
    for kept in [*range(0, len(whole), 37), len(whole) - 1]:
        (tmp_path / "x").write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=r"bytes with a header of|bytes, and its header promises"):
            read_header(tmp_path / "x")
    (tmp_path / "x").write_bytes(whole + b"x")
    with pytest.raises(ValueError, match=f"{len(whole) + 1} bytes, and its header promises {len(whole)}"):
        read_header(tmp_path / "x")


def headed(entries: object, numbers: bytes) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + numbers


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F31", "shape": [2], "data_offsets": [0, 8]}, "'x' is described as"),
        ({"dtype": "F32", "shape": [2]}, "'x' is described as"),
        ({"dtype": "F32", "shape": ["a"], "data_offsets": [0, 8]}, "'x' is described as|has the bytes"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "has the bytes 0 to 8, expected 12"),
        ({"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}, "of shape"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}, "begins at byte"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}, "has the bytes -8 to 0"),
        (7, "'x' is described as 7"),
    ],
)
def test_headers_that_make_no_sense_are_refused(tmp_path: Path, entry: object, message: str) -> None:
    (tmp_path / "x").write_bytes(headed({"x": entry}, bytes(8)))
    with pytest.raises(ValueError, match=message):
        read_header(tmp_path / "x")


def test_tensors_may_not_share_bytes_and_a_header_is_an_object(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    (tmp_path / "x").write_bytes(headed({"x": entry, "y": entry}, bytes(8)))
    with pytest.raises(ValueError, match="begins at byte"):
        read_header(tmp_path / "x")
    for content in ([], "text", None):
        (tmp_path / "x").write_bytes(headed(content, b""))
        with pytest.raises(ValueError, match="a header that is no JSON object"):
            read_header(tmp_path / "x")
    (tmp_path / "x").write_bytes((200_000).to_bytes(8, "little") + b"[" * 200_000)
    with pytest.raises(ValueError, match="a header that is no JSON"):
        read_header(tmp_path / "x")


def test_what_cannot_stand_in_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"4 bytes for the tensor 'x', expected 8"):
        write_tensors(io.BytesIO(), {"x": ("F32", (2,))}, lambda _: memoryview(bytes(4)))
    for name in ("__metadata__", "\ud800"):
        with pytest.raises(ValueError, match=r"a tensor of the name|surrogates not allowed"):
            write_tensors(io.BytesIO(), {name: ("F32", (1,))}, lambda _: memoryview(bytes(4)))
