"""A checkpoint is known before it is read, and each tensor is read as it was written."""

import json
from pathlib import Path
from typing import Any

import pytest
from official_checkpoints import save_shards

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.models.conversion.source import Source, checkpoints_in, open_source

torch = pytest.importorskip("torch")


def tensors() -> dict[str, Any]:
    base = torch.arange(24, dtype=torch.float32)
    return {
        "plain": base.reshape(4, 6).clone(),
        "transposed": base.reshape(4, 6).t(),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "half": torch.full((3,), 1.5, dtype=torch.float16),
        "brain": torch.full((3, 1), 1.5, dtype=torch.bfloat16),
        "eight": torch.tensor([1.5, -2.0]).to(torch.float8_e4m3fn),
        "long": torch.tensor([-(2**40), 2**40]),
        "bool": torch.tensor([True, False]),
    }


def assert_read(source: Source) -> None:
    assert source.tensors.keys() == tensors().keys()
    for key, tensor in tensors().items():
        known, read = source.tensors[key], source.read(key)
        assert (known.shape, read.dtype) == (tuple(tensor.shape), tensor.dtype)
        assert torch.equal(read.to(torch.float64), tensor.to(torch.float64)), key


def contiguous() -> dict[str, Any]:
    return {key: tensor.contiguous() for key, tensor in tensors().items()}


def test_one_file_of_either_kind_and_shards_of_both_are_read_alike(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(contiguous(), tmp_path / "x.safetensors")
    torch.save(tensors(), tmp_path / "x.pth")
    torch.save({"module": tensors(), "step": 3}, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    save_shards(tmp_path / "shards", contiguous(), 3)
    index = save_shards(tmp_path / "pickled", tensors(), 2, stem="pytorch_model", pickled=True)
    assert_read(open_source(tmp_path / "x.safetensors"))
    assert_read(open_source(tmp_path / "x.pth", perhaps_inside=("module", "state_dict")))
    assert_read(open_source(tmp_path / "x.pt", perhaps_inside=("state_dict", "module")))
    assert_read(open_source(tmp_path / "x.pt", inside="module"))
    assert_read(open_source(tmp_path / "shards"))
    assert_read(open_source(index))
    assert [path.name for path in open_source(tmp_path / "shards").files] == [
        f"diffusion_pytorch_model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)
    ]


def test_what_is_read_can_be_changed_without_changing_the_file(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "x.pth")
    source = open_source(tmp_path / "x.pth")
    source.read("plain").zero_()
    assert torch.equal(source.read("plain"), tensors()["plain"])


def test_what_is_no_tensor_is_told(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(1), "step": 3}, tmp_path / "x.pt")
    assert open_source(tmp_path / "x.pt").left_out == ("step (int)",)


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"x": torch.ones(100)}, tmp_path / "x.safetensors")
    source = open_source(tmp_path / "x.safetensors")
    (tmp_path / "x.safetensors").write_bytes((tmp_path / "x.safetensors").read_bytes()[:-8])
    with pytest.raises(WeightsMissing, match=r"x\.safetensors` became shorter"):
        source.read("x")


def test_an_index_that_names_one_file_makes_it_one_checkpoint(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(contiguous(), tmp_path / "model.safetensors")
    content = {"weight_map": dict.fromkeys(tensors(), "model.safetensors")}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(content))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / ".hidden.pt").write_bytes(b"")
    assert [path.name for path in checkpoints_in(tmp_path)] == ["model.safetensors.index.json"]
    assert_read(open_source(tmp_path))


def test_a_folder_with_two_checkpoints_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds 0 checkpoints \(none\); expected one"):
        open_source(tmp_path)
    for name in ("a.pt", "b.pt"):
        torch.save(tensors(), tmp_path / name)
    with pytest.raises(ConfigError, match=r"holds 2 checkpoints \(a\.pt, b\.pt\); expected one"):
        open_source(tmp_path)
    with pytest.raises(ConfigError, match=r"have no 'model' at the top"):
        open_source(tmp_path / "a.pt", inside="model")


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {"x": 3}}', '{"weight_map": {}}']
)
def test_an_index_without_a_map_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.safetensors.index.json").write_text(content)
    with pytest.raises(WeightsMissing, match=r"x\.safetensors\.index\.json` (is no JSON with a|has a) weight_map"):
        open_source(tmp_path)
