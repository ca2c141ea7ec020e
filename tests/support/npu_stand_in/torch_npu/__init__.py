"""In the place of Huawei's torch_npu, for tests: torch's private-use backend under the name npu, computing on the CPU.

What it shows: which tensors and networks go to the device and come back, that no operator mixes both places, that
numbers are those of the CPU bit by bit, and what is done about operators that have no kernel or no float64.

What it cannot show: whether an Ascend NPU has the operators, what it computes in their place, its number formats, its
memory, its speed, more than one device.

Operators without a kernel are told by the environment: ``NPU_STAND_IN_MISSING=aten::silu,aten::gelu``. At exit,
``NPU_STAND_IN_REPORT`` is a file to write {"sent", "operators", "options", "seeds"} to.
"""

import atexit
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.utils import backend_registration
from torch.utils._pytree import tree_flatten, tree_map_only

__version__ = "0.0.0+stand.in"

MEMORY = 64 << 30
"""Bytes that the device says it has."""
sent = 0
"""Tensors of at least one dimension that came from the CPU."""
operators: Counter[str] = Counter()
"""How often each operator was computed."""
seeds: list[int] = []
missing = {name for name in os.environ.get("NPU_STAND_IN_MISSING", "").split(",") if name}
_has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
_COMPOSED = (
    "CompositeExplicitAutogradNonFunctional",
    "CompositeExplicitAutograd",
    "CompositeImplicitAutograd",
    "CompositeImplicitAutogradNestedTensor",
)
_NO_FLOAT64 = {f"aten::{name}" for name in ("mm", "bmm", "addmm", "baddbmm", "addmv", "mv", "dot", "convolution")}
"""Of the real device's operators, those of the matrix unit, which refuse float64."""
_MIXING = {f"aten::{name}" for name in ("copy_", "_to_copy", "index", "index_put_", "_index_put_impl_", "set_")}
"""May have tensors of both places."""
_WHOLE = {f"aten::{name}" for name in ("scaled_dot_product_attention", "rms_norm", "matmul", "linear")}
"""Of the operators that are made of others, those whose last bits follow from how they are taken apart."""
_MADE = ("arange", "arange.start", "arange.start_step", "linspace", "eye", "randperm")
"""What makes a tensor without taking one, and would resize an empty one for it."""


class NpuTensor(torch.Tensor):
    """A tensor that says it is on the NPU and holds one on the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "NpuTensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=torch.device("npu", 0),
            requires_grad=False,
        )

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    def tolist(self) -> Any:
        return self.held.tolist()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"NpuTensor({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _dispatched(func, args, kwargs or {})


def _dispatched(func: Any, args: Any, kwargs: Any) -> Any:
    """Find the kernel of an operator, as torch does it for a device."""
    name, whole = func._schema.name, func.name()
    if name == "aten::_has_compatible_shallow_copy_type":
        return False  # a tensor here is more than its storage: moved modules get other parameters
    if name not in _WHOLE and _has_kernel(whole, "CompositeImplicitAutograd"):
        # As on a real device, where operators without autograd come here whole.
        return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
    if _has_kernel(whole, "PrivateUse1"):
        return func._op_dk(torch._C.DispatchKey.PrivateUse1, *args, **kwargs)
    return _computed(func, args, kwargs)


def _computed(func: Any, args: Any, kwargs: Any) -> Any:
    """Do an operator on the tensors that are held."""
    global sent
    name, whole = func._schema.name, func.name()
    operators[name] += 1
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
    strangers = [leaf for leaf in tensors if not isinstance(leaf, NpuTensor) and leaf.dim()]
    if name in ("aten::copy_", "aten::_to_copy"):
        sent += len(strangers)
    elif strangers and name not in _MIXING:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {whole} found npu:0 and cpu")
    if name in _NO_FLOAT64 and any(leaf.dtype == torch.float64 for leaf in tensors):
        raise RuntimeError(f"{name} of the stand-in is not implemented for DT_DOUBLE")
    device = kwargs.get("device")
    leaves = device is not None and torch.device(device).type != "npu"
    inner_args, inner_kwargs = tree_map_only(NpuTensor, lambda tensor: tensor.held, (args, kwargs))
    if device is not None and not leaves:
        inner_kwargs = {**inner_kwargs, "device": torch.device("cpu")}
    given = {id(tensor.held): tensor for tensor in tensors if isinstance(tensor, NpuTensor)}
    found = func(*inner_args, **inner_kwargs)
    if leaves or (name == "aten::copy_" and not isinstance(args[0], NpuTensor)):
        return found

    def wrapped(tensor: torch.Tensor) -> NpuTensor:
        same = given.get(id(tensor))  # of an operator in place
        if same is not None:
            return same
        with torch.inference_mode(tensor.is_inference()):  # a view of a parameter is none, inside inference or not
            return NpuTensor(tensor)

    return tree_map_only(torch.Tensor, wrapped, found)


def _empty(size: Any, *, dtype: Any = None, memory_format: Any = None, **_: Any) -> NpuTensor:
    operators["aten::empty"] += 1
    chosen = torch.contiguous_format if memory_format is None else memory_format
    return NpuTensor(torch.empty(size, dtype=dtype, memory_format=chosen))


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> NpuTensor:
    operators["aten::empty_strided"] += 1
    return NpuTensor(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    """Copy where torch itself asks for it, below Python: into a tensor that it makes from a list of numbers."""
    inner = [tensor.held if isinstance(tensor, NpuTensor) else tensor for tensor in (target, source)]
    inner[0].copy_(inner[1], non_blocking=non_blocking)
    return target


def _made(name: str) -> Callable[..., NpuTensor]:
    operator, _, overload = name.partition(".")
    call = getattr(getattr(torch.ops.aten, operator), overload or "default")

    def make(*args: Any, **kwargs: Any) -> NpuTensor:
        operators[f"aten::{operator}"] += 1
        return NpuTensor(call(*args, **{**kwargs, "device": torch.device("cpu")}))

    return make


def _kernel(func: Any) -> Callable[..., Any]:
    return lambda *args, **kwargs: _computed(func, args, kwargs)


def _register(library: torch.library.Library) -> None:
    """Give every operator that has a kernel of its own on the CPU one here, but for the missing ones."""
    own: dict[str, Callable[..., Any]] = {
        "aten::empty.memory_format": _empty,
        "aten::empty_strided": _empty_strided,
        "aten::_copy_from": _copy_from,
        **{f"aten::{name}": _made(name) for name in _MADE},
    }
    for name in torch._C._dispatch_get_all_op_names():
        if name.startswith("aten::") and (
            _has_kernel(name, "CPU") and not any(_has_kernel(name, key) for key in _COMPOSED)
        ):
            operator, _, overload = name.removeprefix("aten::").partition(".")
            func = getattr(getattr(torch.ops.aten, operator), overload or "default")
            if func._schema.name not in missing:
                own.setdefault(name, _kernel(func))
    for name, kernel in own.items():
        library.impl(name.removeprefix("aten::"), kernel, "PrivateUse1")


def npu_fusion_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    head_num: int,
    input_layout: str,
    *,
    scale: float,
    atten_mask: torch.Tensor | None = None,
    keep_prob: float = 1.0,
    **_: Any,
) -> tuple[torch.Tensor]:
    """Compute attention of (batch, tokens, heads, channels), the one layout that is asked for."""
    operators["npu::npu_fusion_attention"] += 1
    if input_layout != "BSND" or head_num != query.shape[2] or atten_mask is not None or keep_prob != 1.0:
        raise RuntimeError(f"the stand-in has no attention of {input_layout} with {head_num} heads and such settings")
    heads = (tensor.transpose(1, 2) for tensor in (query, key, value))
    return (torch.nn.functional.scaled_dot_product_attention(*heads, scale=scale).transpose(1, 2),)


class _Options:
    """Takes settings, and remembers them."""

    def __init__(self, **given: bool) -> None:
        self.__dict__["given"] = given

    def __setattr__(self, name: str, value: object) -> None:
        self.given[name] = value

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["given"].get(name)


def _backend() -> ModuleType:
    npu = ModuleType("torch.npu")
    npu.is_available = lambda: True
    npu.is_initialized = lambda: True
    npu.device_count = lambda: 1
    npu.current_device = lambda: 0
    npu.set_device = lambda device: None  # noqa: ARG005
    npu.synchronize = lambda device=None: None  # noqa: ARG005
    npu._is_in_bad_fork = lambda: False
    npu.get_device_name = lambda index=0: "stand-in, computes on the CPU"  # noqa: ARG005
    npu.mem_get_info = lambda index=0: (MEMORY, MEMORY)  # noqa: ARG005
    npu.reset_peak_memory_stats = lambda index=0: None  # noqa: ARG005
    npu.max_memory_allocated = lambda index=0: 0  # noqa: ARG005
    npu.empty_cache = lambda: None
    npu.manual_seed = npu.manual_seed_all = lambda seed: seeds.append(int(seed))
    npu.get_amp_supported_dtype = lambda: [torch.float16, torch.bfloat16]
    npu.config, npu.conv, npu.matmul = _Options(), _Options(allow_hf32=True), _Options(allow_hf32=False)
    return npu


def _report(path: str) -> None:
    content = {
        "sent": sent,
        "operators": dict(sorted(operators.items())),
        "options": {name: getattr(npu, name).given for name in ("config", "conv", "matmul")},
        "seeds": seeds,
    }
    Path(path).write_text(json.dumps(content, indent=1), encoding="utf-8")


npu = _backend()
backend_registration._setup_privateuseone_for_python_backend("npu", backend_module=npu)
_library = torch.library.Library("aten", "IMPL")
_register(_library)
if "NPU_STAND_IN_REPORT" in os.environ:
    atexit.register(_report, os.environ["NPU_STAND_IN_REPORT"])
