"""Large networks: made without numbers, filled from the ledger's files, and kept once in a process.

A network is a module of a well-kept library or of ``metrics/networks``. It is built on the meta device, so that nothing
is drawn only to be overwritten, and its tensors come from ``weights.load_weights`` under a strict key map.
"""

import gc
import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from anisora.harness.device import Dtype, compute_device, empty_cache, exact_float32, torch_dtype
from anisora.harness.weights import Tensors, load_weights, match_keys, untrained_seed, weight_folders

if TYPE_CHECKING:
    import torch

__all__ = ["filled", "inference", "parameters_of", "release_networks", "shapes_of", "shared_network", "without_numbers"]

_networks: dict[tuple[object, ...], Any] = {}
_lock = threading.Lock()


@contextmanager
def inference() -> "Iterator[None]":
    """Compute without gradients, and in float32 that is float32 on every device."""
    import torch

    exact_float32()
    with torch.inference_mode():
        yield


@contextmanager
def without_numbers() -> "Iterator[None]":
    """Build modules inside the block on the meta device: shapes alone."""
    import torch

    with torch.device("meta"):
        yield


def shapes_of(module: "torch.nn.Module") -> dict[str, tuple[int, ...]]:
    """Return {key: shape} of a module's state."""
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}


def parameters_of(module: "torch.nn.Module") -> int:
    """Return how many numbers are in a module's state."""
    return sum(math.prod(shape) for shape in shapes_of(module).values())


def filled(
    module: "torch.nn.Module",
    name: str,
    *,
    state: Tensors | None = None,
    file: str | None = None,
    inside: str | None = None,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    superfluous: Sequence[str] = (),
    safe_globals: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
    dtype: Dtype = "float32",
) -> Any:  # noqa: ANN401 - the module, of whatever class it is
    """Fill a module with the tensors of a ledger entry, put it on the device of this process and return it.

    Args:
        module: Built inside ``without_numbers``.
        name: Entry of the ledger.
        state: Tensors under the keys of the file, in place of the file: tests and golden cases.
        file: Which file of the entry.
        inside: Key of the checkpoint that holds the tensors.
        rename: From a key of the file to the module's.
        superfluous: Keys of the file that the module does not have.
        safe_globals: Names of ``weights.SAFE_GLOBALS`` that the file may hold.
        shapes: {key: shape} of the module, where it is only a part of what the file fills.
        dtype: Number format of the floating-point tensors.

    Raises:
        WeightsMissing: The file is absent, damaged or not the ledger's.
        ConfigError: Its keys or shapes are not the module's.
    """
    import torch

    wanted = dict(shapes or shapes_of(module))
    if state is None:
        tensors = load_weights(
            name,
            wanted,
            file=file,
            inside=inside,
            rename=rename,
            superfluous=superfluous,
            safe_globals=safe_globals,
        )
    else:
        tensors = match_keys(state, wanted, rename=rename, superfluous=superfluous, source=name)
    wanted_dtype = torch_dtype(dtype)
    floats = {
        key: tensor.to(wanted_dtype) if torch.is_floating_point(tensor) else tensor for key, tensor in tensors.items()
    }
    module.load_state_dict(floats, assign=True)
    return module.requires_grad_(requires_grad=False).eval().to(compute_device().torch_device())


def shared_network(name: str, build: Callable[[], Any], weights: Sequence[str]) -> Any:  # noqa: ANN401 - any module
    """Return the network of a name, built once in a process for the same weights and device.

    Args:
        name: Of the network.
        build: Makes it.
        weights: Entries of the ledger that fill it; other folders of files, or another untrained seed, make another
            network. The files are not hashed here: this is asked for every batch, and reading them does it once.
    """
    key = (name, tuple(weights), *_surroundings())
    with _lock:
        if key not in _networks:
            _networks[key] = build()
        return _networks[key]


def release_networks(keep: Collection[str] = ()) -> None:
    """Forget the networks of this process and give their memory back; whoever asks for one again makes it again.

    Args:
        keep: Entries of the ledger; networks that are filled by these alone, for this device, stay.
    """
    stay = _surroundings()
    with _lock:
        gone = [key for key in _networks if key[2:] != stay or not set(cast("tuple[str, ...]", key[1])) <= set(keep)]
        for key in gone:
            del _networks[key]
    if gone:
        gc.collect()  # modules are cycles
        empty_cache()


def _surroundings() -> tuple[object, ...]:
    """Return what else a network depends on."""
    return untrained_seed(), tuple(weight_folders()), str(compute_device())
