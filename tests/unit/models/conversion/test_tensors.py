"""Plans are made of shapes alone, and what they cannot be made of is refused by name."""

from pathlib import Path
from typing import Any

import pytest

from anisora.harness.errors import ConfigError
from anisora.models.conversion.layout import CheckpointLayout, Piece
from anisora.models.conversion.source import Source, open_source
from anisora.models.conversion.tensors import TargetTensor, convert_tensors, plan_tensors, read_target

torch = pytest.importorskip("torch")

PIECES = {
    "joined.weight": (Piece("c", 3, (2,)), Piece("ab", 3, (0, 1))),
    "norm.scale": (Piece("norm.weight"),),
    "kernel": (Piece("kernel", shape=(2, 2)),),
    "steps": (Piece("steps"),),
    "again": (Piece("c"),),
    "learned": (),
    "table": (),
}
LAYOUT = CheckpointLayout(
    name="small", pieces=PIECES.get, must_be_zero=lambda key: key == "learned", prefix="net.", beside=("other.",)
)
SHAPES = {"ab": (4, 2), "c": (2, 2), "norm.weight": (3,), "kernel": (2, 2), "steps": (1,)}


def state() -> dict[str, Any]:
    return {
        "net.joined.weight": torch.arange(12.0).reshape(6, 2) / 7,
        "net.norm.scale": torch.tensor([1.0, 1 / 3, 2.0]),
        "net.kernel": torch.arange(4.0).reshape(2, 2, 1),
        "net.steps": torch.tensor([5]),
        "net.learned": torch.zeros(3),
        "net.table": torch.ones(3),
        "other.weight": torch.ones(9),
    }


def source_of(folder: Path, tensors: dict[str, Any]) -> Source:
    torch.save(tensors, folder / "x.pt")
    return open_source(folder / "x.pt")


def test_a_plan_names_source_format_and_shape_in_the_order_of_the_network(tmp_path: Path) -> None:
    plan = plan_tensors(source_of(tmp_path, state()), LAYOUT, SHAPES, dtype="float16", keep_float32=("norm",))
    assert list(plan) == list(SHAPES)
    assert plan["ab"] == TargetTensor("net.joined.weight", "F16", (4, 2))
    assert plan["norm.weight"] == TargetTensor("net.norm.scale", "F32", (3,))
    assert plan["steps"] == TargetTensor("net.steps", "I64", (1,))


def test_tensors_come_whole_by_either_way(tmp_path: Path) -> None:
    source = source_of(tmp_path, state())
    plan = plan_tensors(source, LAYOUT, SHAPES, keep_float32=("norm",))
    made = dict(convert_tensors(source, LAYOUT, SHAPES, keep_float32=("norm",)))
    assert made.keys() == SHAPES.keys()
    joined = state()["net.joined.weight"].bfloat16()
    assert torch.equal(made["ab"], joined[:4])
    assert torch.equal(made["c"], joined[4:])
    assert torch.equal(made["norm.weight"], state()["net.norm.scale"])
    assert made["steps"].tolist() == [5]
    for key, tensor in made.items():
        again = read_target(source, LAYOUT, key, plan[key])
        assert (again.dtype, again.is_contiguous()) == (tensor.dtype, True)
        assert torch.equal(again, tensor)


def test_nothing_is_read_for_a_plan_but_what_must_be_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, state())
    read = []
    original = Source.read
    monkeypatch.setattr(Source, "read", lambda self, key: read.append(key) or original(self, key))
    plan_tensors(source, LAYOUT, SHAPES)
    assert read == ["net.learned"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net.learned": torch.tensor([0.0, 1e-8, 0.0])}, "numbers other than 0 in 'net.learned'"),
        ({"net.again": torch.ones(2, 2)}, r"has 'net\.joined\.weight' and 'net\.again', and both become 'c'"),
        ({"net.unknown": torch.ones(1)}, r"the key 'net\.unknown', which no file of layout 'small' has"),
        ({"loose": torch.ones(1)}, "the key 'loose', which no file of layout 'small' has"),
        ({"net.joined.weight": torch.ones(5, 2)}, "expected rows in 3 equal parts"),
        ({"net.norm.scale": torch.ones(4)}, r"has other shapes for 'norm\.weight' \(\(4,\), expected \(3,\)\)"),
        ({"net.kernel": None}, "lacks 'kernel'"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_tensor(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    tensors = {key: tensor for key, tensor in (state() | change).items() if tensor is not None}
    source = source_of(tmp_path, tensors)
    with pytest.raises(ConfigError, match=message):
        plan_tensors(source, LAYOUT, SHAPES)
    with pytest.raises(ConfigError, match=message):
        next(convert_tensors(source, LAYOUT, SHAPES))


def test_numbers_that_become_infinite_are_refused_and_infinite_ones_are_kept(tmp_path: Path) -> None:
    changed = state() | {"net.norm.scale": torch.tensor([1.0, 7e4, 2.0])}
    with pytest.raises(ConfigError, match=r"in 'net\.norm\.scale' that are too large for float16"):
        dict(convert_tensors(source_of(tmp_path, changed), LAYOUT, SHAPES, dtype="float16"))
    changed["net.norm.scale"][1] = torch.inf
    made = dict(convert_tensors(source_of(tmp_path, changed), LAYOUT, SHAPES, dtype="float16"))
    assert made["norm.weight"].tolist() == [1.0, torch.inf, 2.0]
