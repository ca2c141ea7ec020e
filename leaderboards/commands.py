"""Commands over finished runs: leaderboard, compare, demo."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from anisora.harness.commands.groups import Command, CommandGroup
from anisora.harness.commands.options import leaderboard_file, option, run_options, split_words, work_options

if TYPE_CHECKING:
    from anisora.harness.suite import Column
    from anisora.leaderboards.store import Leaderboard

__all__ = ["compare", "demo", "leaderboard"]

_EXIT_FAILED = 1


class _ShowByDefault(CommandGroup):
    """``leaderboard SUITE`` is ``leaderboard show SUITE``: no suite has a command's name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


_database = option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.duckdb"),
    show_default=True,
    help="The leaderboard file.",
)


def _open(path: Path) -> "Leaderboard":
    from anisora.harness.errors import DataError, nearest
    from anisora.leaderboards.store import Leaderboard

    leaderboard_file(path)
    if not path.is_file() or not path.stat().st_size:
        guess = nearest(path.name, [found.name for found in path.parent.glob("*.duckdb") if found != path])
        hint = f" (did you mean `{path.with_name(guess)}`?)" if guess else ""
        raise DataError(
            f"Leaderboard `{path}` does not exist{hint}; score something first, or build it from run folders with: "
            f"anisora leaderboard rebuild --runs runs --db {path}"
        )
    return Leaderboard.open(path)


def _columns(suite: str, metrics: list[str] | None) -> "list[Column | str]":
    """Return the columns a suite declares, or the metrics asked for, or nothing for a suite that is not installed."""
    from anisora.harness.registry import registry
    from anisora.harness.suite import load_suite

    name = suite.partition("@")[0]
    declared = list(load_suite(name).columns) if name in registry("suites") else []
    if metrics is None:
        return list(declared)
    by_metric = {column.metric: column for column in declared}
    return [by_metric.get(metric, metric) for metric in metrics]


@click.group(cls=_ShowByDefault)
def leaderboard() -> None:
    r"""The table of a suite; `show` may be left out.

    \b
    anisora leaderboard demo --format markdown
    """


@leaderboard.command()
@click.argument("suite")
@option(
    "--format",
    "style",
    type=click.Choice(["text", "markdown", "latex", "csv", "json"]),
    default="text",
    show_default=True,
)
@option("--metrics", callback=split_words, metavar="A,B", help="Columns; the suite's by default.")
@option("--models", callback=split_words, metavar="A,B", help="Systems or run ids, in the order wanted.")
@option("--allow-diff", multiple=True, metavar="FIELD", help="Show runs that differ in a field, with a dagger.")
@option("--sort-by", metavar="METRIC", help="Order the rows by a metric, best first.")
@option(
    "--show-untrained", is_flag=True, help="Show runs of random weights among themselves; choose them with --models."
)
@_database
def show(
    suite: str,
    style: Literal["text", "markdown", "latex", "csv", "json"],
    metrics: list[str] | None,
    models: list[str] | None,
    allow_diff: tuple[str, ...],
    sort_by: str | None,
    *,
    show_untrained: bool,
    db: Path,
) -> None:
    r"""Print the table of a suite, with intervals and coverage.

    \b
    anisora leaderboard show demo --format latex
    """
    from anisora.leaderboards.render import render

    table = _open(db).build_table(
        suite,
        _columns(suite, metrics),
        models=models or (),
        allow_diff=allow_diff,
        show_untrained=show_untrained,
        sort_by=sort_by,
    )
    click.echo(render(table, style), nl=False)


@leaderboard.command()
@option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder of run folders.",
)
@_database
def rebuild(runs: Path, db: Path) -> int:
    r"""Forget the leaderboard and make it again from run folders.

    \b
    anisora leaderboard rebuild --runs runs
    """
    from anisora.harness.errors import DataError
    from anisora.harness.inputs.paths import missing_path
    from anisora.leaderboards.ingest import find_run_folders
    from anisora.leaderboards.store import Leaderboard

    if not runs.is_dir():
        raise missing_path(runs, "the folder of run folders")
    if not find_run_folders(runs)[0]:
        raise DataError(f"`{runs}` holds no finished run (a folder with record.json); correct --runs.")
    report = Leaderboard.open(db).rebuild(runs)
    click.echo(f"Added {len(report.added)} runs to {db}.")
    for folder, reason in report.skipped:
        click.echo(f"Skipped {folder}: {reason}", err=True)
    for folder in report.unfinished:
        click.echo(f"Not finished: {folder}", err=True)
    return _EXIT_FAILED if report.skipped else 0


@click.command(cls=Command)
@click.argument("suite")
@click.argument("left")
@click.argument("right")
@option("--metrics", callback=split_words, metavar="A,B", help="Metrics; those both have by default.")
@option("--format", "style", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@option("--json", "as_json", is_flag=True, help="The same as --format json.")
@_database
def compare(
    suite: str,
    left: str,
    right: str,
    metrics: list[str] | None,
    style: Literal["text", "markdown", "json"],
    *,
    as_json: bool,
    db: Path,
) -> None:
    r"""Compare two systems item by item, per metric, corrected.

    \b
    anisora compare demo damage/freeze:severity=1 damage/blur:severity=0.5
    """
    from anisora.harness.errors import ConfigError
    from anisora.leaderboards.render import render_comparison

    if left == right:
        raise ConfigError(f"`LEFT` and `RIGHT` both got {left!r}; expected two different systems or run ids.")
    compared = _open(db).compare(suite, left, right, _columns(suite, metrics) if metrics else ())
    click.echo(render_comparison(compared, "json" if as_json else style), nl=False)


@click.command(cls=Command)
@work_options
def demo(**parameters: Any) -> int:  # noqa: ANN401
    r"""Score a small rendered suite and its damages, and print the table.

    \b
    anisora demo
    """
    from anisora.leaderboards.demo import run_demo

    options, as_json, quiet = run_options(parameters)
    result = run_demo(options.out / "demo", options, told=lambda line: None if quiet else click.echo(line, err=True))
    if as_json:
        click.echo("[" + ",\n".join(record.model_dump_json(indent=1) for record in result.records) + "]")
    elif not quiet:
        click.echo(result.table)
        click.echo(f"{result.decodes} decodes in this session. Runs and leaderboard are in {options.out / 'demo'}.")
        click.echo("Score your own clips: anisora evaluate custom --videos my_clips/")
    return _EXIT_FAILED if any(record.status == "failed" for record in result.records) else 0
