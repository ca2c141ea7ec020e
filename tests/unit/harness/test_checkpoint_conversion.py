"""Checkpoints of other classes become safetensors, and nothing that they name is imported, made or called."""

import argparse
import collections
import datetime
import functools
import operator
import os
import pickle  # noqa: TID251 - to write what hostile files hold
import pickletools
import struct
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from anisora.harness.checkpoint_conversion import Converted, convert_checkpoint
from anisora.harness.errors import AnisoraError, ConfigError, WeightsMissing
from anisora.harness.inert_pickle import Foreign, NotInertError, _Machine, read_inert
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.weights import load_state_dict

torch = pytest.importorskip("torch")

TRACE = "ANISORA_TEST_TRACE"
FORMATS = [pytest.param(True, id="zip"), pytest.param(False, id="legacy")]


def leave_trace(*_: object, **__: object) -> None:
    Path(os.environ[TRACE]).touch()


class Stateful:
    """An instance whose class does harm in everything that unpickling would do with it."""

    def __new__(cls, *_: object) -> "Stateful":
        if TRACE in os.environ:
            leave_trace()
        return super().__new__(cls)

    def __getnewargs__(self) -> tuple[str]:
        return ("argument",)

    def __getstate__(self) -> dict[str, int]:
        return {"steps": 4}

    def __setstate__(self, _: object) -> None:
        leave_trace()


class Calling:
    """Asks for a call when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: object, state: object = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "executed"
    monkeypatch.setenv(TRACE, str(path))
    return path


def tensors() -> dict[str, Any]:
    base = torch.arange(24, dtype=torch.float32)
    return {
        "plain": base.reshape(4, 6).clone(),
        "transposed": base.reshape(4, 6).t(),
        "view": base[5:11:2],
        "expanded": torch.ones(1, 3).expand(2, 3),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "half": torch.full((3,), 1.5, dtype=torch.float16),
        "brain": torch.full((3,), 1.5, dtype=torch.bfloat16),
        "double": torch.full((1,), 1.5, dtype=torch.float64),
        "long": torch.tensor([-(2**40), 2**40]),
        "byte": torch.tensor([0, 255], dtype=torch.uint8),
        "char": torch.tensor([-128, 127], dtype=torch.int8),
        "bool": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "名": torch.ones(1),
    }


def assert_same(path: Path, expected: dict[str, Any]) -> None:
    loaded = load_file(path)
    assert sorted(loaded) == sorted(expected)
    for key, tensor in expected.items():
        assert loaded[key].dtype == tensor.dtype, key
        assert torch.equal(loaded[key], tensor.detach()), key


def converted(tmp_path: Path, content: object, *, inside: str | None = None, zipped: bool = True) -> Converted:
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    return convert_checkpoint(tmp_path / "x.pth", tmp_path / "x.safetensors", inside=inside)


# -- what is converted


@pytest.mark.parametrize("zipped", FORMATS)
def test_tensors_of_every_kind_keep_their_numbers(tmp_path: Path, zipped: bool) -> None:
    made = converted(tmp_path, tensors(), zipped=zipped)
    assert_same(tmp_path / "x.safetensors", tensors())
    assert made.tensors == len(tensors())
    assert made.sha256 == sha256_of_file(tmp_path / "x.safetensors")
    assert made.bytes == (tmp_path / "x.safetensors").stat().st_size
    assert sorted(load_state_dict(tmp_path / "x.safetensors")) == sorted(tensors())
    with safe_open(tmp_path / "x.safetensors", "np") as opened:
        assert opened.metadata() == {"format": "pt"}


def test_numbers_newer_than_their_storages_are_read(tmp_path: Path) -> None:
    content = {
        "eight": torch.tensor([1.5, -2.0, 448.0]).to(torch.float8_e4m3fn).reshape(3, 1),
        "wide": torch.tensor([1, 2**40]).to(torch.uint64)[1:],
    }
    converted(tmp_path, content)
    loaded = load_file(tmp_path / "x.safetensors")
    assert torch.equal(loaded["eight"].float(), content["eight"].float())
    assert loaded["wide"].tolist() == [2**40]


@pytest.mark.parametrize("zipped", FORMATS)
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])  # with 0, torch writes what it cannot read
def test_every_protocol_of_pickle_is_read(tmp_path: Path, zipped: bool, protocol: int) -> None:
    content = {"model": tensors(), "args": argparse.Namespace(steps=[4, None, 1.5, True, b"x", "é\n", 2**70])}
    torch.save(content, tmp_path / "x.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    convert_checkpoint(tmp_path / "x.pt", tmp_path / "x.safetensors", inside="model")
    assert_same(tmp_path / "x.safetensors", tensors())


@pytest.fixture
def foreign(trace: Path) -> Iterator[Callable[[], object]]:
    """Makes instances of a module's class; the module exists only while the file is written."""
    module = types.ModuleType("never_installed")
    made = type("Options", (dict,), {"__module__": "never_installed", "__qualname__": "Options"})
    module.Options = made  # type: ignore[attr-defined]
    sys.modules["never_installed"] = module
    yield lambda: made(steps=4)
    sys.modules.pop("never_installed", None)


@pytest.mark.parametrize("zipped", FORMATS)
def test_objects_of_other_classes_are_left_out_by_name(
    tmp_path: Path, foreign: Callable[[], object], zipped: bool
) -> None:
    content = {
        "bias": torch.ones(2),
        "options": foreign(),
        "args": argparse.Namespace(steps=4),
        "best": np.float64(0.5),
        "array": np.ones(3),
        "folder": Path("x"),
        "seen": {1, 2},
        "when": datetime.datetime(2024, 1, 1),
        "counts": collections.defaultdict(int, a=1),
        "device": torch.device("cpu"),
        "shape": torch.Size([1, 2]),
        "epoch": 3,
    }
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    del sys.modules["never_installed"]
    made = convert_checkpoint(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert_same(tmp_path / "x.safetensors", {"bias": torch.ones(2)})
    assert made.left_out[:2] == ("options (never_installed.Options)", "args (argparse.Namespace)")
    assert made.left_out[-1] == "epoch (int)"
    assert len(made.left_out) == len(content) - 1
    assert "never_installed" not in sys.modules


@pytest.mark.parametrize("zipped", FORMATS)
def test_a_pickled_module_becomes_its_state_dict(tmp_path: Path, zipped: bool) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Sequential(torch.nn.BatchNorm1d(2)), torch.nn.ReLU())
    module[1].register_buffer("passing", torch.zeros(1), persistent=False)
    converted(tmp_path, {"model": module, "epoch": 1}, inside="model", zipped=zipped)
    assert_same(tmp_path / "x.safetensors", module.state_dict())


def test_a_view_of_a_storage_in_an_old_file_begins_where_it_says(tmp_path: Path) -> None:
    class Stored:
        """What the pickler below writes as a persistent id."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            if isinstance(value, Stored):
                return ("storage", torch.FloatStorage, "7", "cpu", 6, ("8", 2, 4))
            return None

    class Rebuilt:
        def __reduce__(self) -> tuple[Any, ...]:
            rebuild = torch._utils._rebuild_tensor_v2
            return rebuild, (Stored(), 1, (2,), (1,), False, collections.OrderedDict())

    with (tmp_path / "x.pth").open("wb") as file:
        system = {"little_endian": True, "protocol_version": 1001, "type_sizes": {"short": 2, "int": 4, "long": 4}}
        for value in (0x1950A86A20F9469CFC6C, 1001, system):
            pickle.dump(value, file, protocol=2)
        Pickler(file, protocol=2).dump({"x": Rebuilt()})
        pickle.dump(["7"], file, protocol=2)
        file.write(struct.pack("<q6f", 6, *range(6)))
    assert load_state_dict(tmp_path / "x.pth")["x"].tolist() == [3.0, 4.0]  # as torch reads it
    convert_checkpoint(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert load_file(tmp_path / "x.safetensors")["x"].tolist() == [3.0, 4.0]


def test_a_tensor_with_attributes_and_a_state_dict_with_metadata_are_read(tmp_path: Path) -> None:
    tensor = torch.ones(2)
    tensor.note = "an attribute"
    state = torch.nn.Linear(2, 1).state_dict()
    state["noted"] = tensor
    converted(tmp_path, state)
    assert_same(tmp_path / "x.safetensors", dict(state))


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    first = converted(tmp_path, tensors())
    (tmp_path / "x.safetensors").unlink()
    assert converted(tmp_path, dict(reversed(tensors().items())), zipped=False).sha256 == first.sha256


def test_torch_is_not_imported(tmp_path: Path) -> None:
    torch.save({"bias": torch.ones(2)}, tmp_path / "x.pth")
    code = (
        "import sys; from pathlib import Path; from anisora.harness.checkpoint_conversion import convert_checkpoint\n"
        "convert_checkpoint(Path('x.pth'), Path('x.safetensors')); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# -- what is refused


HOSTILE: dict[str, Callable[[Path], object]] = {
    "posix.system": lambda path: Calling(os.system, f"touch '{path}'"),
    "builtins.eval": lambda path: Calling(eval, f"__import__('pathlib').Path({str(path)!r}).touch()"),
    "builtins.exec": lambda path: Calling(exec, f"__import__('pathlib').Path({str(path)!r}).touch()"),
    "builtins.getattr": lambda path: Calling(operator.call, Calling(getattr, path, "touch")),
    "(subprocess|commands).Popen": lambda path: Calling(subprocess.Popen, ["touch", str(path)]),
    "functools.partial": lambda path: functools.partial(os.system, f"touch '{path}'"),
}


@pytest.mark.parametrize("zipped", FORMATS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_call_is_refused_by_name_and_does_not_happen(tmp_path: Path, trace: Path, name: str, zipped: bool) -> None:
    content = {"bias": torch.ones(2), "extra": HOSTILE[name](trace)}
    with pytest.raises(ConfigError, match=rf"x\.pth` ask to call '{name}', .* refused, and nothing was run"):
        converted(tmp_path, content, zipped=zipped)
    assert not trace.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.parametrize("name", ["posix.system", "builtins.eval", "builtins.getattr"])
def test_the_hostile_checkpoints_of_these_tests_are_truly_hostile(tmp_path: Path, trace: Path, name: str) -> None:
    # Were they harmless, the test above would prove nothing.
    torch.save({"extra": HOSTILE[name](trace)}, tmp_path / "x.pth")
    torch.load(tmp_path / "x.pth", weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("zipped", FORMATS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_class_that_does_harm_when_it_is_made_or_filled_is_a_placeholder(
    tmp_path: Path, trace: Path, zipped: bool, protocol: int
) -> None:
    content = {"bias": torch.ones(2), "extra": Stateful()}
    trace.unlink(missing_ok=True)  # making it for the test leaves a trace as well
    torch.save(content, tmp_path / "x.pth", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    made = convert_checkpoint(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert not trace.exists()
    (left_out,) = made.left_out
    assert left_out.startswith("extra (")
    assert "Stateful" in left_out
    torch.load(tmp_path / "x.pth", weights_only=False)
    assert trace.exists()  # which is what unpickling would have done


def test_a_setstate_of_a_called_class_is_not_run_either(tmp_path: Path, trace: Path) -> None:
    content = {"bias": torch.ones(2), "extra": Calling(collections.UserDict, state={"x": 1})}
    with pytest.raises(ConfigError, match=r"ask to call '\w+\.(Iterable)?UserDict'"):
        converted(tmp_path, content)


def hand_written(name: str, path: Path) -> bytes:
    """Return a pickle that pickling does not write."""
    command = f"touch '{path}'"
    return {
        "INST": f'(S"{command}"\nios\nsystem\n.'.encode(),
        "OBJ": b"(cos\nsystem\nU" + bytes([len(command)]) + command.encode() + b"o.",
        "NEWOBJ of an instance": b"cos\nsystem\n)\x81)\x81.",
        "BUILD of a module's function": b"cbuiltins\nprint\n}U\x01xI1\nsb.",
        "REDUCE of an instance": b"cos\nsystem\n)\x81)R.",
        "EXT1": b"\x82\x01.",
    }[name]


@pytest.mark.parametrize(
    "name",
    ["INST", "OBJ", "NEWOBJ of an instance", "BUILD of a module's function", "REDUCE of an instance", "EXT1"],
)
def test_the_rarer_ways_to_call_are_refused_too(tmp_path: Path, trace: Path, name: str) -> None:
    (tmp_path / "x.pth").write_bytes(hand_written(name, trace))
    with pytest.raises(AnisoraError, match=r"'os\.system'|'builtins\.print'|EXT1"):
        convert_checkpoint(tmp_path / "x.pth", tmp_path / "x.safetensors")
    assert not trace.exists()


def test_every_instruction_of_pickle_is_read_refused_or_unknown_to_checkpoints() -> None:
    refused = set()
    for code in pickletools.opcodes:
        machine = _Machine({}, lambda key: key)
        try:
            machine.step(code.name, None)
        except ValueError as error:
            refused.add(str(error).split()[2].rstrip(","))
        except (IndexError, KeyError, TypeError, AttributeError, NotInertError):
            continue  # it is known, and found nothing on the stack
    assert refused == {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}


def test_a_placeholder_holds_what_the_object_was_made_of(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pickle.dumps(argparse.Namespace(steps=4), protocol=2))
    with (tmp_path / "x").open("rb") as file:
        value = read_inert(file, calls={}, persistent=lambda key: key)
    assert isinstance(value, Foreign)
    assert (value.name, value.state) == ("argparse.Namespace", {"steps": 4})


def test_keys_that_would_be_hashed_without_end_do_no_harm(tmp_path: Path) -> None:
    deep = b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"K\x01s."
    (tmp_path / "x").write_bytes(deep)
    with (tmp_path / "x").open("rb") as file:
        value = read_inert(file, calls={}, persistent=lambda key: key)
    assert len(value) == 1


def test_a_program_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:  # the members by which torch.jit.save is known
        archive.writestr("x/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("x/constants.pkl", pickle.dumps((), protocol=2))
    with pytest.raises(ConfigError, match="are a TorchScript program"):
        convert_checkpoint(tmp_path / "x.pt", tmp_path / "x.safetensors")


def test_numbers_that_are_not_known_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.pth` hold numbers of the kind 'torch\.ComplexFloatStorage'"):
        converted(tmp_path, {"x": torch.zeros(1, dtype=torch.complex64)})


def test_a_sparse_tensor_is_refused_by_the_name_of_its_call(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ask to call 'torch\.serialization\._get_layout'"):
        converted(tmp_path, {"x": torch.eye(2).to_sparse()})


def test_many_views_of_few_numbers_are_a_bomb(tmp_path: Path) -> None:
    base = torch.ones(1000)
    with pytest.raises(ConfigError, match=r"would become [\d,]+ bytes, many times the file; refused as a bomb"):
        converted(tmp_path, {str(number): base.expand(1000, 1000) for number in range(10)})
    with pytest.raises(ConfigError, match="bomb"):
        converted(tmp_path, {"x": torch.ones(1).expand(10**12)})


def test_modules_inside_of_themselves_have_an_end(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(1, 1))
    module._modules["again"] = module
    with pytest.raises(WeightsMissing, match="without end"):
        converted(tmp_path, module)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(5, (2,), (1,)), (0, (7,), (1,)), (0, (2, 2), (5, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (-2,), (1,))],
)
def test_a_tensor_that_reaches_outside_its_storage_is_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    torch.save({"x": torch.arange(6.0)}, tmp_path / "x.pth")
    with zipfile.ZipFile(tmp_path / "x.pth") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    storage = b"((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06tQ"
    numbers = b"(" + b"".join(f"I{n}\n".encode() for n in shape) + b"t("
    numbers += b"".join(f"I{n}\n".encode() for n in strides) + b"t"
    forged = b"}U\x01xctorch._utils\n_rebuild_tensor_v2\n" + storage + f"I{offset}\n".encode() + numbers + b"\x89NtRs."
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as archive:
        for name, value in content.items():
            archive.writestr(name, forged if name.endswith("data.pkl") else value)
    with pytest.raises(WeightsMissing, match=r"impossible shape|behind its storage"):
        convert_checkpoint(tmp_path / "y.pth", tmp_path / "y.safetensors")


@pytest.mark.parametrize("zipped", FORMATS)
def test_a_damaged_checkpoint_is_named_wherever_it_is_cut(tmp_path: Path, zipped: bool) -> None:
    torch.save(tensors(), tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "x.pth").read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        (tmp_path / "cut.pth").write_bytes(whole[:place])
        with pytest.raises(WeightsMissing, match=r"cut\.pth` are damaged or no checkpoint"):
            convert_checkpoint(tmp_path / "cut.pth", tmp_path / "cut.safetensors")


@pytest.mark.parametrize("zipped", FORMATS)
def test_changed_bytes_give_a_named_error_or_a_file(tmp_path: Path, trace: Path, zipped: bool) -> None:
    content = {"model": {"a": torch.ones(3), "b": torch.ones(2, 2).half()}, "args": argparse.Namespace(steps=4)}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "x.pth").read_bytes()
    generator = np.random.default_rng(0)
    out = tmp_path / "y.safetensors"
    outcomes = {"file": 0, "error": 0}
    for _ in range(300):
        changed = bytearray(whole)
        for place in generator.integers(0, len(whole), generator.integers(1, 4)):
            changed[place] = generator.integers(0, 256)
        (tmp_path / "y.pth").write_bytes(changed)
        try:
            convert_checkpoint(tmp_path / "y.pth", out, inside="model")
        except AnisoraError:
            outcomes["error"] += 1
            continue
        outcomes["file"] += 1
        load_file(out)
        out.unlink()
    assert min(outcomes.values()) > 0


def test_a_changed_number_is_noticed_by_the_checksum_of_the_zip_file(tmp_path: Path) -> None:
    torch.save({"x": torch.full((100,), 1.25)}, tmp_path / "x.pth")
    whole = (tmp_path / "x.pth").read_bytes()
    number = struct.pack("<f", 1.25)
    (tmp_path / "x.pth").write_bytes(whole.replace(number * 100, number * 99 + struct.pack("<f", 1.5)))
    with pytest.raises(WeightsMissing, match="CRC"):
        convert_checkpoint(tmp_path / "x.pth", tmp_path / "x.safetensors")


def test_where_the_tensors_are_is_told(tmp_path: Path) -> None:
    content = {"state_dict": {"bias": torch.ones(2)}, "ema": {"bias": torch.ones(2)}, "epoch": 3}
    with pytest.raises(ConfigError, match=r"no tensors at the top; --inside takes 'state_dict' or 'ema'\."):
        converted(tmp_path, content)
    with pytest.raises(ConfigError, match=r"no 'model' at the top; they hold 'state_dict', 'ema', 'epoch'\."):
        converted(tmp_path, content, inside="model")
    with pytest.raises(ConfigError, match=r"no tensors in 'epoch'; they hold nothing under a name\."):
        converted(tmp_path, content, inside="epoch")


def test_the_new_file_needs_a_free_name(tmp_path: Path) -> None:
    torch.save({"bias": torch.ones(2)}, tmp_path / "x.pth")
    (tmp_path / "taken.safetensors").write_bytes(b"mine")
    for name in ("x.pt", "taken.safetensors"):
        with pytest.raises(ConfigError, match=r"expected one that ends in \.safetensors and is free"):
            convert_checkpoint(tmp_path / "x.pth", tmp_path / name)
    assert (tmp_path / "taken.safetensors").read_bytes() == b"mine"
    with pytest.raises(WeightsMissing, match="do not exist"):
        convert_checkpoint(tmp_path / "absent.pth", tmp_path / "y.safetensors")
