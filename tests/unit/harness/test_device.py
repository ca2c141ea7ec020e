import json
import os
import random
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from anisora.harness.device import (
    Device,
    available_devices,
    describe,
    exact_float32,
    resolve,
    resolve_dtype,
    seed_everything,
    torch_dtype,
)
from anisora.harness.errors import ConfigError, DeviceUnavailable, MissingExtra

torch = pytest.importorskip("torch")


@pytest.fixture
def two_npus(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that offers what torch_npu adds to torch, on a machine with two NPUs."""
    backend = ModuleType("torch.npu")
    backend.seeds = []
    backend.is_available = lambda: True
    backend.device_count = lambda: 2
    backend.get_device_name = lambda index: f"Ascend910B-{index}"
    backend.manual_seed_all = backend.seeds.append
    backend.config = SimpleNamespace(allow_internal_format=True)
    backend.matmul, backend.conv = SimpleNamespace(allow_hf32=False), SimpleNamespace(allow_hf32=True)
    monkeypatch.setitem(sys.modules, "torch_npu", ModuleType("torch_npu"))
    monkeypatch.setattr(torch, "npu", backend, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return backend


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setitem(sys.modules, "torch_npu", None)  # importing it raises ImportError
    monkeypatch.delattr(torch, "npu", raising=False)


def test_without_an_accelerator_auto_is_the_cpu(no_accelerator: None) -> None:
    assert resolve("auto") == resolve("cpu") == Device("cpu")
    assert str(resolve()) == "cpu"
    assert resolve("auto").torch_device() == torch.device("cpu")


def test_auto_prefers_the_first_gpu(two_gpus: None) -> None:
    assert str(resolve("auto")) == "cuda:0"
    assert str(resolve("cuda")) == "cuda:0"
    assert resolve("CUDA:1").torch_device() == torch.device("cuda", 1)
    assert str(resolve("cpu")) == "cpu"


def test_an_npu_is_found_through_torch_npu(two_npus: ModuleType) -> None:
    assert str(resolve("auto")) == "npu:0"
    assert str(resolve("npu:1")) == "npu:1"
    with pytest.raises(DeviceUnavailable, match=r"`npu:2` is not available.*cpu, npu:0, npu:1"):
        resolve("npu:2")
    assert describe(probe=True)["devices"]["npu:1"] == "Ascend910B-1"
    seed_everything(5)
    assert two_npus.seeds == [5]


def test_an_npu_computes_in_plain_formats_and_in_float32_that_is_float32(two_npus: ModuleType) -> None:
    resolve("npu")
    assert two_npus.config.allow_internal_format is False
    exact_float32()
    assert (two_npus.matmul.allow_hf32, two_npus.conv.allow_hf32) == (False, False)


def test_a_torch_npu_without_its_driver_is_no_npu(no_accelerator: None) -> None:
    assert [str(device) for device in available_devices()] == ["cpu"]
    with pytest.raises(DeviceUnavailable, match=r"`npu:0` is not available: torch_npu .* This machine has cpu;"):
        resolve("npu")
    with pytest.raises(DeviceUnavailable, match=r"`npu:0` needs torch_npu"):
        Device("npu", 0).torch_device()


def test_a_gpu_that_is_not_there_is_refused_by_name(no_accelerator: None) -> None:
    with pytest.raises(DeviceUnavailable, match=r"`cuda:3` is not available: torch .* This machine has cpu"):
        resolve("cuda:3")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", "auto:1", "cuda:", "", "cuda:-1"])
def test_a_name_that_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"`--device` got {name!r}; expected auto, cpu"):
        resolve(name)


def test_numbers_are_float32_unless_asked_otherwise() -> None:
    assert resolve_dtype("auto", Device("cuda", 0)) == "float32"
    assert resolve_dtype("bfloat16", Device()) == "bfloat16"
    assert torch_dtype(resolve_dtype("float16", Device("cuda", 0))) is torch.float16
    with pytest.raises(ConfigError, match=r"'float16' for the cpu"):
        resolve_dtype("float16", Device())
    with pytest.raises(ConfigError, match=r"`--dtype` got 'double'; expected auto or one of float32"):
        resolve_dtype("double", Device())


def test_float32_can_be_made_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    exact_float32()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_seeding_repeats_every_stream() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(1))

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first
    seed_everything(4)
    assert draw() != first
    with pytest.raises(ConfigError, match=r"`seed` got -1"):
        seed_everything(-1)


def test_the_description_is_plain_json() -> None:
    described = describe()
    assert json.loads(json.dumps(described)) == described
    assert described["versions"]["numpy"] == np.__version__


def test_describing_and_the_cpu_need_no_torch() -> None:
    code = (
        "import sys; from anisora.harness.device import describe, resolve; "
        "d = describe(); print(resolve('cpu'), 'torch' in sys.modules, 'devices' in d)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cpu", "False", "False"]


def test_without_torch_auto_is_the_cpu_and_the_rest_names_the_extra() -> None:
    # A finder that hides torch is what an environment without it looks like.
    code = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torch_npu"):
            raise ModuleNotFoundError(name)
import importlib.util as util
original = util.find_spec
util.find_spec = lambda name, package=None: None if name == "torch" else original(name, package)
sys.meta_path.insert(0, Hidden())
from anisora.harness.device import Device, resolve, torch_dtype, exact_float32, seed_everything
print(resolve("auto"))
exact_float32(), seed_everything(1)
for call in (lambda: resolve("cuda"), lambda: Device().torch_device(), lambda: torch_dtype("float32")):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, "models" in str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = (DeviceUnavailable.__name__, MissingExtra.__name__, MissingExtra.__name__)
    assert done.stdout.split() == ["cpu", *(word for name in names for word in (name, "True"))]


def test_importing_torch_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH_DEVICE_BACKEND_AUTOLOAD", raising=False)
    available_devices()
    assert "TORCH_DEVICE_BACKEND_AUTOLOAD" not in os.environ
    monkeypatch.setenv("TORCH_DEVICE_BACKEND_AUTOLOAD", "1")
    available_devices()
    assert os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] == "1"
