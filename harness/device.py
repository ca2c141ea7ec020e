"""The one place that knows cuda and npu: which device a name means, its number format, and seeding.

torch is imported only when an accelerator is asked for; without torch every name but the CPU's is refused.
"""

import os
import platform
import random
import sys
import threading
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Final, Literal, get_args

import numpy as np

from anisora.harness.errors import ConfigError, DeviceUnavailable, MissingExtra
from anisora.harness.host_memory import free_host_memory
from anisora.harness.npu_fallbacks import FLOAT64, compute_on_the_cpu, note_fallback, used_fallbacks

__all__ = [
    "DTYPES",
    "Device",
    "DeviceKind",
    "Dtype",
    "available_devices",
    "compute_device",
    "describe",
    "empty_cache",
    "exact_float32",
    "free_memory",
    "in_float64",
    "peak_memory",
    "reset_peak_memory",
    "resolve",
    "resolve_dtype",
    "seed_everything",
    "torch_dtype",
]

DeviceKind = Literal["cpu", "cuda", "npu"]
Dtype = Literal["float32", "float16", "bfloat16"]
DTYPES: Final[tuple[Dtype, ...]] = get_args(Dtype)

_DISTRIBUTIONS: Final = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "duckdb",
    "opencv-python-headless",
    "av",
    "decord",
    "torch",
    "torchvision",
    "torch-npu",
    "transformers",
    "diffusers",
)

_lock: Final = threading.Lock()
_prepared: Final[list[Any]] = []
"""Modules torch.npu that are set up: one, outside of tests."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where networks run."""

    kind: DeviceKind = "cpu"
    index: int | None = None
    """Which of several; None for the CPU."""

    def __str__(self) -> str:
        """The canonical name: ``cpu``, ``cuda:0``, ``npu:1``."""
        return self.kind if self.index is None else f"{self.kind}:{self.index}"

    def torch_device(self) -> Any:  # noqa: ANN401 - a torch.device; torch is optional
        """Return the torch device.

        Raises:
            MissingExtra: torch is not installed.
            DeviceUnavailable: The NPU's library is gone since the device was resolved.
        """
        torch = _torch()
        if torch is None:
            raise MissingExtra(f"Device `{self}`", "models")
        if self.kind == "npu" and _npu(torch) is None:
            raise DeviceUnavailable(
                f"Device `{self}` needs torch_npu, which cannot be imported; install the extra 'npu'."
            )
        return torch.device(str(self))


def resolve(name: str = "auto") -> Device:
    """Return the device that a name means.

    Args:
        name: ``auto`` (cuda, else npu, else cpu), ``cpu``, ``cuda``, ``cuda:i``, ``npu`` or ``npu:i``.

    Raises:
        ConfigError: The name is none of these.
        DeviceUnavailable: This machine has no such device; the message has those it has.

    Example:
        >>> str(resolve("cpu"))
        'cpu'
    """
    kind, colon, number = name.strip().lower().partition(":")
    if kind not in ("auto", *get_args(DeviceKind)) or (colon and (kind in ("auto", "cpu") or not number.isdecimal())):
        raise ConfigError(f"`--device` got {name!r}; expected auto, cpu, cuda, cuda:0, npu or npu:0.")
    if kind == "cpu":
        return Device()
    available = available_devices()
    if kind == "auto":
        return available[-1] if available[-1].kind == "cpu" else next(d for d in available if d.kind != "cpu")
    wanted = Device("cuda" if kind == "cuda" else "npu", int(number or 0))
    if wanted not in available:
        raise DeviceUnavailable(
            f"Device `{wanted}` is not available: {_reason(wanted)}. This machine has "
            f"{', '.join(map(str, available))}; choose one of these."
        )
    return wanted


def compute_device() -> Device:
    """Return where the networks of metrics run: ``ANISORA_DEVICE`` (``--device``), else what ``auto`` means.

    Raises:
        ConfigError: The variable holds no name of a device.
        DeviceUnavailable: This machine has no such device.
    """
    return resolve(os.environ.get("ANISORA_DEVICE") or "auto")


def available_devices() -> list[Device]:
    """Return every device of this machine: the CPU, then cuda, then npu.

    torch is imported where it is installed.
    """
    devices = [Device()]
    torch = _torch()
    if torch is None:
        return devices
    if torch.cuda.is_available():
        devices += [Device("cuda", index) for index in range(torch.cuda.device_count())]
    npu = _npu(torch)
    if npu is not None and npu.is_available():
        devices += [Device("npu", index) for index in range(npu.device_count())]
    return devices


def _reason(wanted: Device) -> str:
    torch = _torch()
    if torch is None:
        return "torch is not installed (extra 'models')"
    if wanted.kind == "npu" and _npu(torch) is None:
        return "torch_npu is not installed or finds no CANN (extra 'npu')"
    return f"torch {torch.__version__} finds no such {wanted.kind} device"


def _torch() -> Any:  # noqa: ANN401 - the module, or None
    if "torch" not in sys.modules and find_spec("torch") is None:
        return None
    # An installed torch_npu without its driver makes `import torch` itself fail, unless it is told to wait.
    before = os.environ.get("TORCH_DEVICE_BACKEND_AUTOLOAD")
    os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = "0"
    try:
        return import_module("torch")
    finally:
        if before is None:
            del os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"]
        else:
            os.environ["TORCH_DEVICE_BACKEND_AUTOLOAD"] = before


def _npu(torch: Any) -> Any:  # noqa: ANN401 - the module torch.npu, or None
    if not hasattr(torch, "npu"):
        try:
            import_module("torch_npu")  # adds torch.npu
        except (ImportError, OSError, RuntimeError):
            return None
    npu = getattr(torch, "npu", None)
    if npu is not None:
        _prepare(torch, npu)
    return npu


def _prepare(torch: Any, npu: Any) -> None:  # noqa: ANN401 - modules
    with _lock:
        if npu in _prepared:
            return
        # Formats of its own make numbers depend on what came before; AniSora's NPU code does without them, too.
        npu.config.allow_internal_format = False
        compute_on_the_cpu(torch)
        _prepared.append(npu)


def resolve_dtype(name: str, device: Device) -> Dtype:
    """Return the number format in which networks run; ``auto`` is float32, since scores are compared.

    Raises:
        ConfigError: The name is unknown, or the device is too slow or inexact with it.
    """
    if name == "auto":
        return "float32"
    for dtype in DTYPES:
        if dtype == name:
            if dtype == "float16" and device.kind == "cpu":
                raise ConfigError("`--dtype` got 'float16' for the cpu, which computes it in software; use float32.")
            return dtype
    raise ConfigError(f"`--dtype` got {name!r}; expected auto or one of {', '.join(DTYPES)}.")


def torch_dtype(dtype: Dtype) -> Any:  # noqa: ANN401 - a torch.dtype; torch is optional
    """Return torch's object for a number format."""
    torch = _torch()
    if torch is None:
        raise MissingExtra(f"Number format `{dtype}`", "models")
    return getattr(torch, dtype)


def exact_float32() -> None:
    """Make float32 mean float32: convolutions on recent GPUs and NPUs keep 10 or 11 bits of the mantissa otherwise."""
    torch = _torch()
    if torch is None:
        return
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    npu = getattr(torch, "npu", None)
    for kind in () if npu is None else (npu.matmul, npu.conv):
        if kind.allow_hf32:
            kind.allow_hf32 = False


def in_float64(tensor: Any) -> Any:  # noqa: ANN401 - tensors; torch is optional
    """Return a tensor in float64: where it is, or on the CPU if its device has no products of such numbers."""
    if tensor.device.type != "npu":
        return tensor.double()
    note_fallback(FLOAT64)
    return tensor.cpu().double()


def free_memory(device: Device) -> int | None:
    """Return how many bytes a device has free, for the CPU those that this process may still take; None if unknown.

    A limit of the control group that the process runs in counts like the machine's.
    """
    if device.kind == "cpu":
        return free_host_memory()
    backend = _backend(device)
    return None if backend is None else int(backend.mem_get_info(device.index)[0])


def reset_peak_memory(device: Device) -> None:
    """Start counting the most memory that tensors take on a device anew; nothing is counted on the CPU."""
    if (backend := _backend(device)) is not None:
        backend.reset_peak_memory_stats(device.index)


def peak_memory(device: Device) -> int | None:
    """Return the most bytes that tensors took on a device since ``reset_peak_memory``; None for the CPU."""
    backend = _backend(device)
    return None if backend is None else int(backend.max_memory_allocated(device.index))


def _backend(device: Device) -> Any:  # noqa: ANN401 - torch.cuda, torch.npu or None
    torch = _torch()
    if torch is None or device.kind == "cpu":
        return None
    return torch.cuda if device.kind == "cuda" else _npu(torch)


def empty_cache() -> None:
    """Give the memory that torch keeps for tensors that are gone back to cuda and npu; nothing is started for it."""
    torch = sys.modules.get("torch")
    for backend in () if torch is None else (torch.cuda, getattr(torch, "npu", None)):
        if backend is not None and backend.is_initialized():
            backend.empty_cache()


def seed_everything(seed: int) -> None:
    """Seed random, numpy's global stream, and torch on every device if torch has been imported.

    Raises:
        ConfigError: The seed is not in 0..2**32-1.
    """
    if not 0 <= seed < 2**32:
        raise ConfigError(f"`seed` got {seed!r}; expected a whole number from 0 to {2**32 - 1}.")
    random.seed(seed)
    np.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)  # cuda included
        npu = getattr(torch, "npu", None)
        if npu is not None:
            npu.manual_seed_all(seed)


def describe(*, probe: bool = False) -> dict[str, Any]:
    """Return versions and devices for a record or a bug report; plain JSON.

    Args:
        probe: Import torch, if it is installed, to see the accelerators; else they are told only if it is
            imported.
    """
    versions: dict[str, str] = {}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    described: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "versions": versions,
    }
    if probe or "torch" in sys.modules:
        described["devices"] = {str(device): _device_name(device) for device in available_devices()}
    if used := used_fallbacks():
        described["npu_fallbacks"] = used
    return described


def _device_name(device: Device) -> str:
    torch = _torch()
    if device.kind == "cpu" or torch is None:
        return platform.processor() or platform.machine()
    backend = torch.cuda if device.kind == "cuda" else torch.npu
    return str(backend.get_device_name(device.index))
