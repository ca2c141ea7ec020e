"""Commands that look: list, doctor, suite."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from anisora.harness.commands.groups import Command, CommandGroup
from anisora.harness.commands.importing import import_suite_command
from anisora.harness.commands.options import metric_device, option
from anisora.harness.runfolder import write_atomically

__all__ = ["doctor", "list_names", "suite"]

_EXIT_FAILED = 1
_JSON_ALONE = ("fps", "system")
"""Columns that a table on a terminal has no room for."""


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    if not rows:
        click.echo("Nothing is registered.")
        return
    names = [name for name in rows[0] if name not in _JSON_ALONE]
    cells = [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[place]) for line in cells)) for place, name in enumerate(names)]
    for line in [names, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) or "-"
    return "yes" if value is True else "no" if value is False else "-" if value is None else str(value)


def _metrics() -> list[dict[str, Any]]:
    from anisora.harness.registry import registry

    rows = []
    for name in registry("metrics").names():
        info = registry("metrics").create(name).info
        rows.append(
            {
                "name": name,
                "version": info.version,
                "group": info.group,
                "direction": info.direction,
                "needs": sorted(info.needs),
                "extractors": [request.extractor for request in info.requests],
                "licence": info.licence,
                "commercial": info.commercial_use,
                "source": info.source,
            }
        )
    return rows


def _extractors() -> list[dict[str, Any]]:
    from anisora.harness.registry import registry

    rows = []
    for name in registry("extractors").names():
        info = registry("extractors").create(name).info
        rows.append(
            {
                "name": name,
                "version": info.version,
                "window": info.window or "clip",
                "needs": sorted(info.needs),
                "weights": list(info.weights),
                "preprocess": info.preprocess,
                "summary": info.summary,
            }
        )
    return rows


def _models() -> list[dict[str, Any]]:
    from dataclasses import asdict

    from anisora.harness.registry import registry

    rows = []
    for name in registry("models").names():
        info = registry("models").create(name).info
        rows.append(
            {
                "name": name,
                "base": info.base,
                "revision": info.revision,
                "tasks": sorted(info.tasks),
                "licence": info.licence,
                "commercial": info.commercial_use,
                "summary": info.summary,
                "fps": info.fps,
                "system": None if info.system is None else asdict(info.system),
            }
        )
    return rows


def _suites() -> list[dict[str, Any]]:
    from anisora.harness.registry import registry
    from anisora.harness.suite import load_suite

    rows = []
    for name in registry("suites").names():
        found = load_suite(name)
        rows.append(
            {
                "name": name,
                "version": found.version,
                "dataset": found.dataset,
                "columns": [column.metric for column in found.columns],
                "title": found.title,
            }
        )
    return rows


def _rewards() -> list[dict[str, Any]]:
    from anisora.harness.registry import registry

    return [{"name": name, "made by": str(registry("rewards").target(name))} for name in registry("rewards").names()]


def _weights() -> list[dict[str, Any]]:
    from anisora.harness.weights import list_entries

    return [
        {
            "name": entry.name,
            "purpose": entry.purpose,
            "files": [file.path for file in entry.files],
            "sources": [str(source) for source in entry.sources],
            "licence": entry.licence,
            "commercial": entry.commercial_use,
        }
        for entry in list_entries()
    ]


_LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "metrics": _metrics,
    "extractors": _extractors,
    "models": _models,
    "suites": _suites,
    "rewards": _rewards,
    "weights": _weights,
}


@click.command("list", cls=Command)
@click.argument("what", type=click.Choice(list(_LISTS)))
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_names(what: str, *, as_json: bool) -> None:
    r"""Show what is registered, with licence and needs.

    \b
    anisora list metrics
    """
    _print_rows(_LISTS[what](), as_json=as_json)


@click.command(cls=Command)
@metric_device
@option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Compare the device with the CPU, on tiny clips and on metrics with random networks, and write what came out.",
)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, report: Path | None, as_json: bool) -> int:
    r"""Check this machine and print the block for a bug report.

    \b
    anisora doctor
    """
    from anisora.harness.doctor import examine

    examined = examine()
    content = examined.as_json()
    if not as_json:
        click.echo(examined.as_text())
    healthy = examined.healthy
    if report is not None:
        from anisora.harness.device import compute_device
        from anisora.harness.device_report import compare_with_cpu

        compared = compare_with_cpu(compute_device(), told=lambda line: None if as_json else click.echo(line))
        healthy = healthy and compared.healthy
        content = {**content, **compared.as_json(), "healthy": healthy}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        with write_atomically(report, "report") as file:
            file.write(text.encode())
    if as_json:
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
    elif report is not None:
        click.echo(f"The report is in {report}.")
    return 0 if healthy else _EXIT_FAILED


@click.group(cls=CommandGroup)
def suite() -> None:
    r"""Check a suite, build one from a folder, or show its counts.

    \b
    anisora suite show demo
    """


@suite.command()
@click.argument("name")
def validate(name: str) -> None:
    r"""Check a suite file and everything it names.

    \b
    anisora suite validate demo
    """
    from anisora.harness.suite import load_samples, load_suite, validate_suite

    loaded = load_suite(name)
    validate_suite(loaded)
    items = "its items are the clips given" if loaded.dataset is None else f"{len(load_samples(loaded))} items"
    click.echo(f"Suite {loaded.name!r} version {loaded.version} is valid: {items}, {len(loaded.columns)} columns.")


@suite.command()
@click.argument("name")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, *, as_json: bool) -> None:
    r"""Print a suite's columns and its counts per label.

    \b
    anisora suite show demo
    """
    from dataclasses import asdict

    from anisora.harness.suite import describe, load_samples, load_suite

    loaded = load_suite(name)
    counts = None if loaded.dataset is None else describe(loaded, load_samples(loaded))
    if as_json:
        content = {"suite": loaded.model_dump(mode="json"), "counts": counts and asdict(counts)}
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
        return
    click.echo(f"{loaded.title} ({loaded.key}): {loaded.summary}")
    if counts is not None:
        click.echo(
            f"{counts.items} items, {counts.clips} clips per system; with a prompt {counts.prompts}, a conditioning "
            f"image {counts.keyframes}, a ground truth {counts.ground_truth}, a region mask {counts.region_masks}"
        )
    click.echo("columns: " + ", ".join(column.metric for column in loaded.columns))
    if loaded.tracks:
        derived = "".join(f"; {name}: mean of {', '.join(rule.mean_of)}" for name, rule in loaded.derived.items())
        click.echo(f"track {loaded.track} of {', '.join(loaded.tracks)}{derived}")
    if counts is None:
        click.echo(f"Its items are the clips given: anisora evaluate {loaded.name} --videos DIR_OR_MANIFEST")
        return
    for label, number in counts.labels.items():
        click.echo(f"{number:6d}  {label or '(no label)'}")


suite.add_command(import_suite_command)
