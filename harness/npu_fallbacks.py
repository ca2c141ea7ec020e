"""What is done on the CPU in the place of an Ascend NPU, and what of it was used in this process.

Three kinds: operators that the NPU has with limits that the networks here do not keep, which are in a table; operators
that the installed torch_npu has no kernel for, which its own dispatcher tells; and numbers in float64.

Reference: the tables of supported interfaces of github.com/Ascend/pytorch (docs/zh/api/native_api/pytorch_2-13-0), and
torch_npu/csrc/aten/VariableFallbackKernel.cpp, which does the same without a record.
"""

import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FALLBACKS", "FLOAT64", "compute_on_the_cpu", "note_fallback", "used_fallbacks"]

_log = logging.getLogger(__name__)

FLOAT64: Final = "float64"
FALLBACKS: Final[dict[str, str]] = {
    "aten::_fft_c2c": "fft2 is not among the verified interfaces",
    "aten::_fft_c2r": "is verified for few sizes alone",
    "aten::_fft_r2c": "is verified for values from -100 to 100 and few sizes alone",
    "aten::roll": "takes no complex numbers, which fftshift gives it",
    "aten::upsample_bicubic2d": "takes a size and no scale_factor",
    FLOAT64: "matrix products take float32 and less",
}
"""{operator, or feature: why the NPU's own is not used}"""
MISSING: Final = "torch_npu has no kernel for it"
_COMPOSED: Final = (
    "CompositeExplicitAutogradNonFunctional",
    "CompositeExplicitAutograd",
    "CompositeImplicitAutograd",
    "CompositeImplicitAutogradNestedTensor",
)
"""Whoever has a kernel under one of these is made of other operators on every device."""
_KEY: Final = "PrivateUse1"
"""Under which torch_npu registers its kernels."""

_used: set[str] = set()
_lock = threading.Lock()
_libraries: list[Any] = []


def used_fallbacks() -> list[str]:
    """Return the operators and features that were computed on the CPU in this process, sorted."""
    with _lock:
        return sorted(_used)


def note_fallback(name: str) -> None:
    """Remember that a fallback was used; the log says so the first time."""
    with _lock:
        is_new = name not in _used
        _used.add(name)
    if is_new:
        _log.warning("On the NPU, `%s` is computed on the CPU: %s.", name, FALLBACKS.get(name, MISSING))


def compute_on_the_cpu(torch: Any) -> None:  # noqa: ANN401 - the module
    """Have the table's operators, and those without a kernel, computed on the CPU from now on.

    Args:
        torch: The module, after torch_npu was imported.
    """
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    library = torch.library.Library("aten", "IMPL")
    _libraries.append(library)  # what it registers is gone with it
    missing = [
        name
        for name in torch._C._dispatch_get_all_op_names()
        if name.startswith("aten::")
        and has_kernel(name, "CPU")
        and not any(has_kernel(name, key) for key in (_KEY, *_COMPOSED))
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warning only once for all operators", UserWarning)
        for name in (*(name for name in FALLBACKS if name != FLOAT64), *missing):
            operator, _, overload = name.removeprefix("aten::").partition(".")
            call = getattr(getattr(torch.ops.aten, operator), overload or "default")
            library.impl(call, _kernel(torch, call, name), _KEY, allow_override=True)


def _kernel(torch: Any, call: Any, name: str) -> Callable[..., Any]:  # noqa: ANN401 - an operator
    """Return a kernel: tensors to the CPU, the operator there, its results back, those in place into their places."""
    arguments = call._schema.arguments

    def compute(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - an operator's
        note_fallback(name)
        device = None

        def moved(value: Any) -> Any:  # noqa: ANN401
            nonlocal device
            if isinstance(value, torch.Tensor):
                device = value.device if device is None and value.device.type != "cpu" else device
                return value.cpu()
            return type(value)(moved(item) for item in value) if isinstance(value, list | tuple) else value

        def returned(value: Any) -> Any:  # noqa: ANN401
            if isinstance(value, torch.Tensor):
                return value.to(device)
            return type(value)(returned(item) for item in value) if isinstance(value, list | tuple) else value

        given = {**{argument.name: value for argument, value in zip(arguments, args, strict=False)}, **kwargs}
        there = {key: moved(value) for key, value in given.items()}
        found = call(
            *(there[argument.name] for argument in arguments[: len(args)]), **{key: there[key] for key in kwargs}
        )
        written = [argument.name for argument in arguments if _is_written(argument) and argument.name in given]
        for key in written:
            given[key].copy_(there[key])
        if len(written) == 1 and isinstance(found, torch.Tensor):
            return given[written[0]]
        return tuple(given[key] for key in written) if written else returned(found)

    return compute


def _is_written(argument: Any) -> bool:  # noqa: ANN401 - of a schema
    return argument.alias_info is not None and argument.alias_info.is_write
