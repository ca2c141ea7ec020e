"""Networks as their authors publish them: a folder with a configuration and one file of tensors, or shards with an index.

Only files on disk are read here, by ``weights.load_state_dict``; ``models.published_folders`` says where folders are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import Dtype, torch_dtype
from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.weights import Tensors, load_state_dict

__all__ = ["PublishedNetwork", "fill_library_network", "find_network", "read_json", "states_of"]

_INDEX: Final = ".index.json"
_SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin")
_NAMED: Final = 3  # keys spelled out in an error message


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """What one network is read from."""

    folder: Path
    config: Mapping[str, Any]
    """Its config.json; empty where there is none."""
    files: tuple[Path, ...]
    """Shards, in the order of their names."""


def find_network(folder: Path, only: str = "") -> PublishedNetwork | None:
    """Return the network of a folder, or None where it holds none.

    Args:
        folder: May not exist.
        only: The stem with which its files begin, where the folder has others too.

    Raises:
        WeightsMissing: A shard that the index names is absent.
        ConfigError: The configuration or the index is no JSON object.
    """
    if not folder.is_dir():
        return None
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    indices = sorted(path for path in folder.glob(f"*{_INDEX}") if path.name.startswith(only))
    if indices:
        named = sorted(set(read_json(indices[0]).get("weight_map", {}).values()))
        absent = [name for name in named if not (folder / name).is_file()]
        if absent or not named:
            raise WeightsMissing(
                f"Weights `{indices[0]}` name {len(named)} files, of which {len(absent)} are not there, the first is "
                f"{absent[0] if absent else 'none'!r}; fetch the folder again."
            )
        return PublishedNetwork(folder, config, tuple(folder / name for name in named))
    for suffix in _SUFFIXES:
        found = sorted(path for path in folder.glob(f"*{suffix}") if path.name.startswith(only))
        if found:
            return PublishedNetwork(folder, config, tuple(found))
    return None


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ConfigError: The file is none.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"`{path}` cannot be read as JSON ({error}); fetch the file again.") from error
    if not isinstance(read, dict):
        raise ConfigError(f"`{path}` holds a {type(read).__name__}; expected a JSON object. Fetch the file again.")
    return read


def states_of(network: PublishedNetwork, *, inside: str | None = None) -> Iterator[Tensors]:
    """Yield the tensors of each file, one file at a time.

    Args:
        network: Found before.
        inside: Key of a pickled file that holds the tensors.
    """
    for path in network.files:
        yield load_state_dict(path, inside=inside if path.suffix != ".safetensors" else None)


def fill_library_network(
    module: Any,  # noqa: ANN401 - a class of transformers
    network: PublishedNetwork,
    *,
    dtype: Dtype,
    tied: Mapping[str, str] | None = None,
    superfluous: Sequence[str] = (),
) -> Any:  # noqa: ANN401 - the module
    """Fill a network of transformers from its folder, strictly, and return it, frozen.

    Args:
        module: With parameters on the meta device and real buffers.
        network: Its files, under the library's own names.
        dtype: Number format.
        tied: {key of the module: key of the files}, for tensors that are one and are stored once.
        superfluous: Beginnings of keys in the files that the module does without.

    Raises:
        ConfigError: Tensors are missing, unknown or of another shape.
    """
    tensors: dict[str, Any] = {}
    for state in states_of(network):
        tensors.update({key: tensor for key, tensor in state.items() if not key.startswith(tuple(superfluous))})
    tensors.update({key: tensors[same] for key, same in (tied or {}).items() if same in tensors})
    wanted = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    wrong = sorted(
        {key for key in wanted.keys() ^ tensors.keys()}
        | {key for key in wanted.keys() & tensors.keys() if tuple(tensors[key].shape) != wanted[key]}
    )
    if wrong:
        raise ConfigError(
            f"Weights in `{network.folder}` are not those of `{type(module).__name__}`: {len(wrong)} tensors are missing, "
            f"unknown or of another shape, the first are {', '.join(wrong[:_NAMED])}; expected the {len(wanted)} tensors "
            "of its config.json. Fetch the folder again."
        )
    wanted_dtype = torch_dtype(dtype)
    floats = {key: tensor.to(wanted_dtype) if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    module.load_state_dict(floats, assign=True)
    return module.requires_grad_(requires_grad=False).eval()
