"""Commands about weight files: list, where, verify, fetch, convert."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import option, split_words
from anisora.harness.errors import ConfigError

if TYPE_CHECKING:
    from anisora.harness.fetching import FetchPlan, Hub, ToFetch
    from anisora.harness.weights import LedgerFile, WeightEntry

__all__ = ["weights"]

_EXIT_FAILED = 1

_folder = option(
    "--weights",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of weight files; the cache is looked at as well.",
)


@click.group(cls=CommandGroup)
def weights() -> None:
    r"""Weight files: what there is, where it lies, whether it is whole, and how it comes here.

    \b
    anisora weights list
    """


def _files(entry: "WeightEntry", folder: Path | None) -> "list[LedgerFile]":
    from anisora.harness.weights import files_of

    return files_of(entry, folder=folder)


def _size(number: int | None) -> str:
    if number is None:
        return "unknown size"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} bytes"


def _print_columns(rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@weights.command("list")
@_folder
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_weights(folder: Path | None, *, as_json: bool) -> None:
    r"""Show every entry of the ledgers with size, licence, and whether it is here.

    \b
    anisora weights list
    """
    from anisora.harness.weights import list_entries

    rows = [_row(entry, _files(entry, folder)) for entry in list_entries()]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    header = ["name", "here", "size", "licence", "commercial use", "purpose"]
    lines = [
        [
            row["name"],
            "present" if row["present"] else "missing",
            _size(row["bytes"]),
            row["licence"],
            "yes" if row["commercial_use"] else "no",
            row["purpose"],
        ]
        for row in rows
    ]
    _print_columns([header, *lines])


def _row(entry: "WeightEntry", here: "list[LedgerFile]") -> dict[str, Any]:
    sizes = [each.path.stat().st_size if each.path else each.file.bytes for each in here]
    return {
        "name": entry.name,
        "purpose": entry.purpose,
        "present": bool(here) and all(each.path for each in here),
        "bytes": None if not here or None in sizes else sum(size for size in sizes if size is not None),
        "licence": entry.licence,
        "commercial_use": entry.commercial_use,
        "sources": [str(source) for source in entry.sources],
        "files": [
            {"path": each.file.path, "sha256": each.file.sha256, "at": str(each.path) if each.path else None}
            for each in here
        ],
    }


@weights.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_folder
def where(names: tuple[str, ...], folder: Path | None) -> None:
    r"""Print the paths in use, or where a file would be looked for.

    \b
    anisora weights where dino-vitb16
    """
    from anisora.harness.weights import entry_of, this_platform

    for entry in map(entry_of, dict.fromkeys(names)):
        here = _files(entry, folder)
        if not here:
            click.echo(f"{entry.name}: no file for {this_platform()}")
        for each in here:
            looked = " or ".join(map(str, each.places))
            click.echo(f"{entry.name}: {each.path}" if each.path else f"{entry.name}: missing; looked for {looked}")


@weights.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_folder
def verify(names: tuple[str, ...], folder: Path | None) -> int:
    r"""Hash the files that are here and compare them with the ledger.

    Exit code 1 if one differs, or is missing and was named.

    \b
    anisora weights verify
    """
    from anisora.harness.fetching import names_for
    from anisora.harness.runfolder import sha256_of_file
    from anisora.harness.weights import entry_of

    wrong = missing = alike = unknown = 0
    for name in names_for(names):
        for each in _files(entry_of(name), folder):
            if each.path is None:
                missing += 1
                if names:
                    click.echo(f"{name}: {each.file.path}: missing")
            elif problem := each.problem():
                wrong += 1
                click.echo(f"{name}: {problem}: DIFFERS")
            elif each.file.sha256 is None:
                unknown += 1
                click.echo(f"{name}: `{each.path}` has sha256 {sha256_of_file(each.path)}; the ledger knows none")
            else:
                alike += 1
    click.echo(f"{alike} as the ledger says, {unknown} without a known sha256, {wrong} different, {missing} missing.")
    return _EXIT_FAILED if wrong or (names and missing) else 0


@weights.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@option("--for", "metrics", callback=split_words, metavar="METRIC,...", help="What these metrics or groups need.")
@option(
    "--hub",
    type=click.Choice(["auto", "hf", "modelscope"]),
    default="auto",
    show_default=True,
    help="Hub to use alone; auto tries them in the order of the ledger.",
)
@_folder
@option("--dry-run", is_flag=True, help="Say what would be downloaded, and ask no server.")
@option("--yes", is_flag=True, help="Download without asking.")
def fetch(
    names: tuple[str, ...], metrics: list[str] | None, hub: "Hub", folder: Path | None, *, dry_run: bool, yes: bool
) -> int:
    r"""Download weight files into the cache, or into the folder of --weights.

    Without a name it is all that the ledgers have. What was interrupted goes on where it was.

    \b
    anisora weights fetch --for subject_consistency --dry-run
    """
    from anisora.harness import fetching

    plan = fetching.plan_fetch(fetching.names_for(names, metrics), folder=folder, hub=hub)
    _print_plan(plan)
    fetching.check_room(plan)
    if dry_run:
        return 0
    lacking = len(plan.wanted) - len(plan.downloads) + len(plan.elsewhere)
    if plan.downloads and fetching.offline_variable() is None and not yes:
        if not sys.stdin.isatty():
            raise ConfigError("`anisora weights fetch` has nobody to ask; give --yes to download without asking.")
        click.confirm("Download?", default=True, abort=True, err=True)
    with _bar() as told:
        for done in fetching.fetch(plan, told=told):
            for reason in done.reasons:
                click.echo(f"{done.item.found.entry.name}: {reason}.", err=True)
            if done.sha256 is None:
                lacking += 1
                click.echo(f"{done.item.found.entry.name}: {done.item.found.file.path} was not fetched.", err=True)
                continue
            known = "" if done.item.found.file.sha256 else "; the ledger knows none to compare"
            click.echo(f"{done.item.target}: from {done.source}, sha256 {done.sha256}{known}")
    return _EXIT_FAILED if lacking else 0


def _print_plan(plan: "FetchPlan") -> None:
    rows = []
    for item in plan.wanted:
        entry, file = item.found.entry, item.found.file
        if item.sources:
            licence = entry.licence + ("" if entry.commercial_use else " (no commercial use)")
            rows.append([entry.name, file.path, _size(file.bytes), " or ".join(map(str, item.sources)), licence])
            if item.found.path is not None:
                click.echo(f"{entry.name}: {item.problem}; it is fetched again.")
        else:
            click.echo(f"{entry.name}: {file.path} {item.advice()}.")
    for line in plan.elsewhere:
        click.echo(f"{line}.")
    if rows:
        _print_columns(rows)
    known = _size(plan.bytes) if plan.bytes or not plan.unknown else ""
    unknown = f"{plan.unknown} of unknown size" if plan.unknown else ""
    click.echo(
        f"{plan.present} file(s) are here; {len(plan.downloads)} to download"
        + (f" ({' and '.join(filter(None, (known, unknown)))})" if plan.downloads else "")
        + f" into {plan.folder}, where {_size(plan.free)} are free."
    )


@contextmanager
def _bar() -> "Iterator[Callable[[ToFetch, int, int | None], None]]":
    """Show a line for each file on stderr, if that is a terminal; yield the function that is told of progress."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[Path, Any] = {}

        def told(item: "ToFetch", done: int, total: int | None) -> None:
            if item.target not in tasks:
                tasks[item.target] = bar.add_task(item.target.name, total=total)
            bar.update(tasks[item.target], completed=done, total=total)

        yield told


@weights.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT.safetensors", type=click.Path(path_type=Path))
@option("--inside", metavar="KEY", help="Key of the checkpoint under which the tensors are, such as state_dict.")
def convert(file: Path, out: Path, inside: str | None) -> None:
    r"""Write the tensors of a pickled checkpoint as safetensors.

    No class of the checkpoint is imported and nothing in it is called; a call that it asks for is refused by name.

    \b
    anisora weights convert trained.pth trained.safetensors --inside model
    """
    from anisora.harness.checkpoint_conversion import convert_checkpoint

    made = convert_checkpoint(file, out, inside=inside)
    if made.left_out:
        click.echo(f"Left out, as they are no tensors: {', '.join(made.left_out)}.")
    click.echo(f"{out}: {made.tensors} tensors, {_size(made.bytes)}, sha256 {made.sha256}")
