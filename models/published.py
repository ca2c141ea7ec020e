"""Networks as they lie on disk: in folders of diffusers and transformers, or in the layouts of their authors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import Dtype, torch_dtype
from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.networks import shapes_of
from anisora.harness.weights import Tensors, load_state_dict
from anisora.models.conversion.diffusers_config import network_arguments
from anisora.models.conversion.finding import FoundNetwork, find_networks, read_config
from anisora.models.conversion.tensors import convert_tensors

__all__ = [
    "PublishedNetwork",
    "empty_network",
    "files_of",
    "fill_from_folder",
    "find_folder",
    "find_original",
    "read_network",
]

_INDEX: Final = ".index.json"
_SUFFIXES: Final = (".safetensors", ".bin")
_NAMED: Final = 3  # keys spelled out in an error message


@dataclass(frozen=True, slots=True)
class PublishedNetwork:
    """A network in a folder of diffusers or transformers, under the library's own names."""

    folder: Path
    config: Mapping[str, Any]
    """Its config.json."""
    files: tuple[Path, ...]
    """Shards, in the order of their names."""

    def states(self) -> Iterator[Tensors]:
        """Yield the tensors of each file, one file at a time."""
        return map(load_state_dict, self.files)


def find_folder(folder: Path) -> PublishedNetwork | None:
    """Return the network of a library's folder, or None where there is none.

    Args:
        folder: May not exist.

    Raises:
        WeightsMissing: A shard that the index names is absent.
        ConfigError: The configuration or the index is no JSON object.
    """
    if not (folder / "config.json").is_file():
        return None
    config = read_config(folder / "config.json")
    for suffix in _SUFFIXES:
        indices = sorted(folder.glob(f"*{suffix}{_INDEX}"))
        if indices:
            named = sorted(set(read_config(indices[0]).get("weight_map", {}).values()))
            absent = [name for name in named if not (folder / name).is_file()]
            if absent or not named:
                raise WeightsMissing(
                    f"Weights `{indices[0]}` name {len(named)} files, of which {len(absent)} are not there"
                    f"{f', the first is {absent[0]!r}' if absent else ''}; fetch the folder again."
                )
            return PublishedNetwork(folder, config, tuple(folder / name for name in named))
        if found := sorted(folder.glob(f"*{suffix}")):
            return PublishedNetwork(folder, config, tuple(found))
    return None


def find_original(folder: Path) -> tuple[dict[str, FoundNetwork], str]:
    """Return the networks of a folder in the layouts of their authors, {part of a pipeline: network}, and why none.

    Args:
        folder: Exists.

    Returns:
        The networks and an empty text, or none and what is against the folder.

    Raises:
        WeightsMissing: A file is cut off, damaged, or named by an index and absent.
    """
    try:
        return {found.folder: found for found in find_networks(folder).networks}, ""
    except ConfigError as error:
        return {}, str(error)


def fill_original(network: Any, found: FoundNetwork, *, dtype: Dtype) -> Any:  # noqa: ANN401 - a class of diffusers
    """Fill a network from the layout of its authors, tensor by tensor, and return it, frozen and on the CPU.

    Args:
        network: On the meta device.
        found: As ``find_original`` returns it.
        dtype: Number format; what diffusers keeps in float32 stays so.

    Raises:
        ConfigError: Keys or shapes are not the network's.
    """
    kept = tuple(getattr(network, "_keep_in_fp32_modules", None) or ())
    pairs = convert_tensors(found.source, found.target.layout, shapes_of(network), dtype=dtype, keep_float32=kept)
    network.load_state_dict(dict(pairs), strict=True, assign=True)
    return network.requires_grad_(requires_grad=False).eval()


def fill_from_folder(
    module: Any,  # noqa: ANN401 - a class of diffusers or transformers
    network: PublishedNetwork,
    *,
    dtype: Dtype,
    tied: Mapping[str, str] | None = None,
    superfluous: Sequence[str] = (),
) -> Any:  # noqa: ANN401 - the module
    """Fill a network from a library's folder, strictly, and return it, frozen and on the CPU.

    Args:
        module: With parameters on the meta device and real buffers.
        network: Its files.
        dtype: Number format; what the library keeps in float32 stays so.
        tied: {key of the module: key of the files}, for tensors that are one and are stored once.
        superfluous: Beginnings of keys in the files that the module does without.

    Raises:
        ConfigError: Tensors are missing, unknown or of another shape.
    """
    kept = set(getattr(module, "_keep_in_fp32_modules", None) or ())
    tensors: dict[str, Any] = {}
    for state in network.states():
        for key, tensor in state.items():
            if superfluous and key.startswith(tuple(superfluous)):
                continue
            wanted = torch_dtype("float32" if kept & set(key.split(".")) else dtype)
            tensors[key] = tensor.to(wanted) if tensor.is_floating_point() else tensor
    tensors.update({key: tensors[same] for key, same in (tied or {}).items() if same in tensors})
    _check(module, network, {key: tuple(tensor.shape) for key, tensor in tensors.items()})
    module.load_state_dict(tensors, assign=True)
    return module.requires_grad_(requires_grad=False).eval()


def files_of(found: PublishedNetwork | FoundNetwork | None) -> tuple[Path, ...]:
    """Return the files that a network is read from; none where there is none."""
    if found is None:
        return ()
    return found.files if isinstance(found, PublishedNetwork) else found.source.files


def empty_network(found: PublishedNetwork | FoundNetwork, name: str, build: Callable[[Mapping[str, Any]], Any]) -> Any:  # noqa: ANN401
    """Return a network without numbers.

    Args:
        found: In either kind of folder.
        name: Of diffusers' class.
        build: Makes it of its arguments, on the meta device.

    Raises:
        ConfigError: The configuration is none of the class.
    """
    if isinstance(found, PublishedNetwork):
        import diffusers

        return build(network_arguments(found.config, getattr(diffusers, name), found.folder / "config.json"))
    return found.target.network({key: tensor.shape for key, tensor in found.source.tensors.items()}, found.config)


def read_network(
    found: PublishedNetwork | FoundNetwork,
    name: str,
    build: Callable[[Mapping[str, Any]], Any],
    *,
    dtype: Dtype,
    superfluous: Sequence[str] = (),
) -> Any:  # noqa: ANN401
    """Return a network with its numbers, frozen and on the CPU.

    Args:
        found: In either kind of folder.
        name: Of diffusers' class.
        build: Makes it of its arguments, on the meta device.
        dtype: Number format; what diffusers keeps in float32 stays so.
        superfluous: Beginnings of keys in a library's folder that the network does without.

    Raises:
        ConfigError: Keys or shapes are not the network's.
    """
    network = empty_network(found, name, build)
    return (
        fill_from_folder(network, found, dtype=dtype, superfluous=superfluous)
        if isinstance(found, PublishedNetwork)
        else fill_original(network, found, dtype=dtype)
    )


def _check(module: Any, network: PublishedNetwork, found: Mapping[str, tuple[int, ...]]) -> None:  # noqa: ANN401
    wanted = shapes_of(module)
    wrong = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if wrong:
        raise ConfigError(
            f"Weights in `{network.folder}` are not those of a {type(module).__name__}: {len(wrong)} tensors are "
            f"missing, unknown or of another shape, the first are {', '.join(wrong[:_NAMED])}; expected the "
            f"{len(wanted)} tensors of its config.json. Fetch the folder again."
        )
