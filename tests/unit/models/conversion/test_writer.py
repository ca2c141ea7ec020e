"""Tensors are spread over files as diffusers' own library spreads them."""

import math
from pathlib import Path

import pytest

from anisora.models.conversion.layout import CheckpointLayout, Piece
from anisora.models.conversion.source import open_source
from anisora.models.conversion.tensors import TargetTensor, plan_tensors
from anisora.models.conversion.writer import plan_files, write_weights


def tensors(*sizes: int) -> dict[str, TargetTensor]:
    return {f"t{at}": TargetTensor(f"s{at}", "F32", (size,)) for at, size in enumerate(sizes)}


@pytest.mark.parametrize(
    ("sizes", "limit"),
    [((6, 6, 2, 6, 2, 2), 10), ((1, 20, 1, 1), 10), ((20,), 10), ((10, 10), 10), ((5, 5, 1), 10), ((3,) * 9, 10)],
)
def test_shards_are_those_of_the_library_of_the_hub(sizes: tuple[int, ...], limit: int) -> None:
    torch = pytest.importorskip("torch")
    hub = pytest.importorskip("huggingface_hub")
    with torch.device("meta"):
        state = {key: torch.empty(each.shape) for key, each in tensors(*sizes).items()}
    split = hub.split_torch_state_dict_into_shards(
        {key: torch.empty_like(tensor, device="cpu") for key, tensor in state.items()},
        filename_pattern="diffusion_pytorch_model{suffix}.safetensors",
        max_shard_size=4 * limit,
    )
    planned = plan_files(tensors(*sizes), max_bytes=4 * limit)
    assert {file.name: list(file.tensors) for file in planned} == split.filename_to_tensors


def test_one_file_has_no_number_and_every_tensor_is_in_one() -> None:
    (file,) = plan_files(tensors(1, 2, 3), max_bytes=100)
    assert file.name == "diffusion_pytorch_model.safetensors"
    many = plan_files(tensors(*range(1, 40)), max_bytes=4 * 50)
    assert [key for file in many for key in file.tensors] == list(tensors(*range(1, 40)))
    assert many[1].name == f"diffusion_pytorch_model-00002-of-{len(many):05d}.safetensors"
    numbers = sum(4 * math.prod(tensor.shape) for tensor in many[0].tensors.values())
    assert numbers <= 4 * 50 < many[0].bytes


def test_progress_counts_every_byte_of_the_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({f"t{at}": torch.full((at + 1,), float(at)) for at in range(6)}, tmp_path / "x.pt")
    source = open_source(tmp_path / "x.pt")
    layout = CheckpointLayout(name="same", pieces=lambda key: (Piece(key),))
    plan = plan_tensors(source, layout, {f"t{at}": (at + 1,) for at in range(6)}, dtype="float32")
    counted: list[int] = []
    written = write_weights(tmp_path, plan_files(plan, max_bytes=24), source, layout, told=counted.append)
    on_disk = {path.name: path.stat().st_size for path in tmp_path.glob("diffusion_pytorch_model*")}
    assert {file.name: file.bytes for file in written} == on_disk
    index = written[-1].name
    assert index.endswith(".index.json")
    assert sum(counted) == sum(size for name, size in on_disk.items() if name != index)
