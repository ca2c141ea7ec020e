"""Brings weight files that a ledger names to this machine.

A file is asked of the sources of its entry, one after the other. Nothing gets its name before size and sha256 are those
of the ledger. Nothing of what arrives is opened here, but for the one member of a zip file that a source names.

Variables: ``HF_ENDPOINT`` and ``MODELSCOPE_ENDPOINT`` name mirrors of the hubs, ``HF_TOKEN`` is sent to the first
alone, ``ANISORA_OFFLINE``, ``HF_HUB_OFFLINE`` and ``TRANSFORMERS_OFFLINE`` forbid downloads.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from anisora.harness.archive_member import write_member
from anisora.harness.downloading import KEPT_FREE, Download, DownloadError, Patience, received, shown
from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.registry import registry
from anisora.harness.weights import (
    LedgerFile,
    WeightFile,
    WeightSource,
    entry_of,
    files_of,
    list_entries,
    this_platform,
    weight_folders,
)

__all__ = [
    "FetchPlan",
    "Fetched",
    "Hub",
    "ToFetch",
    "address_of",
    "check_room",
    "fetch",
    "names_for",
    "offline_variable",
    "plan_fetch",
]

Hub = Literal["auto", "hf", "modelscope"]

_OFFLINE: Final = ("ANISORA_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


@dataclass(frozen=True, slots=True)
class ToFetch:
    """A file that is not here, or not the one of the ledger."""

    found: LedgerFile
    sources: tuple[WeightSource, ...]
    """Those that can be downloaded from, in the order in which they are tried; none if it comes by hand alone."""
    target: Path
    problem: str

    @property
    def part(self) -> Path:
        """Where the bytes are until the file is whole."""
        return self.target.with_name(f"{self.target.name}.part")

    def advice(self) -> str:
        """Return how a file without a source for download comes here."""
        entry, file = self.found.entry, self.found.file
        usable = entry.sources_of(file)
        wheels = [str(source) for source in usable if source.hub == "wheel"]
        if wheels:
            return f"comes with {' or '.join(wheels)}"
        if usable:
            return f"is not on that hub; --hub auto takes it from {' or '.join(map(str, usable))}"
        others = " or ".join(str(source) for source in entry.sources if source.file in (None, file.path))
        return f"cannot be fetched from here; get it from {others or 'its authors'} and put it at `{self.target}`"


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What a fetch would do."""

    wanted: tuple[ToFetch, ...]
    present: int
    """Files that are here and as the ledger says."""
    elsewhere: tuple[str, ...]
    """Entries without a file for this kind of machine."""
    folder: Path
    free: int
    """Bytes that are free on its disk."""

    @property
    def downloads(self) -> tuple[ToFetch, ...]:
        """The files that have a source."""
        return tuple(item for item in self.wanted if item.sources)

    @property
    def bytes(self) -> int:
        """What the ledger knows of the downloads' size, without what earlier attempts left."""
        there = sum(
            item.part.stat().st_size for item in self.downloads if item.found.file.bytes and item.part.is_file()
        )
        return max(0, sum(item.found.file.bytes or 0 for item in self.downloads) - there)

    @property
    def unknown(self) -> int:
        """How many downloads have a size that the ledger does not know."""
        return sum(item.found.file.bytes is None for item in self.downloads)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one file."""

    item: ToFetch
    sha256: str | None
    """None if no source gave it."""
    source: WeightSource | None
    reasons: tuple[str, ...]
    """What went wrong at each source that was tried and did not give it."""


def names_for(names: Sequence[str], metrics: Sequence[str] | None = None) -> list[str]:
    """Return the entries that are asked for: by name, by the metrics that need them, or all.

    Args:
        names: Entries of the ledgers.
        metrics: Metrics or groups whose weights are wanted as well.

    Raises:
        UnknownNameError: A name is in no ledger, or no metric.
    """
    from anisora.harness.stages.plan import metric_names

    wanted = [entry_of(name).name for name in names]
    for metric in metric_names(metrics or ()):
        for asked in registry("metrics").create(metric).info.requests:
            wanted += registry("extractors").create(asked.extractor).info.weights
    if not names and metrics is None:
        wanted = [entry.name for entry in list_entries()]
    return sorted(set(wanted))


def offline_variable() -> str | None:
    """Return the variable that forbids downloads, if one does."""
    return next((name for name in _OFFLINE if os.environ.get(name, "").lower() in ("1", "on", "yes", "true")), None)


def plan_fetch(names: Sequence[str], *, folder: Path | None = None, hub: Hub = "auto") -> FetchPlan:
    """Say what has to come from where; present files are hashed, and no server is asked.

    Args:
        names: Entries of the ledgers.
        folder: The value of ``--weights``, which is where files will go; the cache by default.
        hub: The hub to use alone; addresses outside of hubs are used always.

    Raises:
        UnknownNameError: A name is in no ledger.
        WeightsMissing: The folder does not exist.
    """
    target = weight_folders(folder)[0]
    wanted: list[ToFetch] = []
    elsewhere: list[str] = []
    present = 0
    for entry in map(entry_of, dict.fromkeys(names)):
        here = files_of(entry, folder=folder)
        if not here:
            elsewhere.append(f"{entry.name}: has no file for {this_platform()}")
        for found in here:
            problem = found.problem()
            if not problem:
                present += 1
                continue
            sources = tuple(
                source for source in entry.sources_of(found.file) if source.hub == "url" or _is_chosen(source, hub)
            )
            wanted.append(ToFetch(found, sources, target / found.file.path, problem))
    disk = next(path for path in (target, *target.parents) if path.is_dir())
    return FetchPlan(tuple(wanted), present, tuple(elsewhere), target, shutil.disk_usage(disk).free)


def _is_chosen(source: WeightSource, hub: Hub) -> bool:
    return source.hub in (("hf", "modelscope") if hub == "auto" else (hub,))


def check_room(plan: FetchPlan) -> None:
    """Refuse what does not fit.

    Raises:
        WeightsMissing: The disk has too little room for what the ledger knows of the sizes.
    """
    if plan.bytes + KEPT_FREE > plan.free:
        raise WeightsMissing(
            f"Weights of {plan.bytes:,} bytes do not fit into `{plan.folder}`, where {plan.free:,} bytes are free "
            f"({KEPT_FREE:,} are left alone); make room, or name another folder with --weights."
        )


def fetch(
    plan: FetchPlan,
    *,
    told: Callable[[ToFetch, int, int | None], None] = lambda *_: None,
    patience: Patience | None = None,
) -> Iterator[Fetched]:
    """Download the files of a plan, one after the other; what one lacks does not stop the next.

    Args:
        plan: Of ``plan_fetch``.
        told: Is told the file, the bytes that are there and the bytes there will be, if that is known.
        patience: How long servers are waited for.

    Yields:
        What became of each file.

    Raises:
        WeightsMissing: Downloads are forbidden by a variable, or do not fit on the disk.
        ConfigError: HF_TOKEN cannot be sent.
    """
    forbidden = offline_variable()
    if plan.downloads and forbidden:
        raise WeightsMissing(
            f"`{forbidden}` is set, so nothing is downloaded; unset it, or put {len(plan.downloads)} file(s) below "
            f'`{plan.folder}` by hand: "anisora weights where" tells the paths.'
        )
    check_room(plan)
    opened: set[Path] = set()
    for item in plan.downloads:
        yield _fetch_one(item, plan.folder, opened, told, patience)
    for archive in opened:  # kept until now, since several files may lie in one
        archive.unlink(missing_ok=True)
        archive.with_name(f"{archive.name}.json").unlink(missing_ok=True)


def _fetch_one(
    item: ToFetch,
    folder: Path,
    opened: set[Path],
    told: Callable[[ToFetch, int, int | None], None],
    patience: Patience | None,
) -> Fetched:
    file = item.found.file
    reasons: list[str] = []

    def progress(done: int, total: int | None) -> None:
        told(item, done, total)

    for source in item.sources:
        address = address_of(source, file)
        token = _token() if source.hub == "hf" else None
        try:
            if source.archive_member is None:
                wanted = Download(address=address, bytes=file.bytes, sha256=file.sha256, token=token)
                with received(wanted, item.part, told=progress, patience=patience) as digest:
                    item.part.replace(item.target)
            else:
                archive = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.archive.part"
                with received(Download(address=address, token=token), archive, told=progress, patience=patience):
                    digest = _extract(archive, source.archive_member, item)
                opened.add(archive)
        except DownloadError as error:
            reasons.append(f"{source} ({shown(address)}) {error}")
            continue
        except OSError as error:
            reasons.append(f"`{item.part}` cannot be written: {error.strerror or error}")
            break
        return Fetched(item, digest, source, tuple(reasons))
    return Fetched(item, None, None, tuple(reasons))


def address_of(source: WeightSource, file: WeightFile) -> str:
    """Return the address of a file at a source."""
    if source.hub == "url":
        return source.id
    if source.hub == "hf":
        root, prefix, main = os.environ.get("HF_ENDPOINT") or "https://huggingface.co", "", "main"
    else:
        root, prefix, main = os.environ.get("MODELSCOPE_ENDPOINT") or "https://modelscope.cn", "models/", "master"
    if "://" not in root:  # as ModelScope's own library takes it
        root = f"https://{root}"
    revision = quote(source.revision or main, safe="")
    return f"{root.rstrip('/')}/{prefix}{quote(source.id)}/resolve/{revision}/{quote(source.path_of(file))}"


def _token() -> str | None:
    token = os.environ.get("HF_TOKEN", "").strip()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigError("`HF_TOKEN` holds characters that no token has; set it to the token alone, or unset it.")
    return token or None


def _extract(archive: Path, member: str, item: ToFetch) -> str:
    """Write a member of a zip file to the target, of which the archive chooses nothing; return its sha256."""
    part = item.target.with_name(f"{item.target.name}.member.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        digest = write_member(archive, member, item.found.file, part)
    except DownloadError:
        archive.unlink()
        raise
    else:
        part.replace(item.target)
    finally:
        part.unlink(missing_ok=True)
    return digest
