"""Commands over finished runs: leaderboard, compare, demo."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from anisora.harness.commands.groups import Command, CommandGroup
from anisora.harness.commands.options import (
    leaderboard_file,
    metric_device,
    option,
    run_options,
    split_words,
    work_options,
)
from anisora.leaderboards.site.commands import site
from anisora.leaderboards.submissions.commands import add, bundle, withdraw
from anisora.leaderboards.training_command import add_training

if TYPE_CHECKING:
    from anisora.harness.suite import Column
    from anisora.leaderboards.render import Style
    from anisora.leaderboards.store import Leaderboard
    from anisora.leaderboards.table import LeaderboardTable

__all__ = ["columns_of_suite", "compare", "demo", "leaderboard", "open_leaderboard", "power"]

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


def open_leaderboard(path: Path) -> "Leaderboard":
    """Open a leaderboard that exists.

    Raises:
        DataError: There is none; the message has the nearest file and the next step.
        ConfigError: The file is something else.
    """
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


def columns_of_suite(suite: str, metrics: list[str] | None) -> "list[Column | str]":
    """Return the columns a suite declares, or the metrics asked for, or nothing for a suite that is not installed."""
    from anisora.harness.registry import registry
    from anisora.harness.suite import load_suite

    name = suite.partition("@")[0]
    declared = list(load_suite(name).columns) if name in registry("suites") else []
    if metrics is None:
        return list(declared)
    by_metric = {column.metric: column for column in declared}
    return [by_metric.get(metric, metric) for metric in metrics]


def _published(suite: str, style: "Style", context: click.Context) -> str:
    """Write the rows of a suite that others report, which are shown whole."""
    from anisora.harness.errors import ConfigError
    from anisora.leaderboards.published.rendering import render_published
    from anisora.leaderboards.published.tables import published_table

    unused = {"suite", "style", "published", "db", "out"}
    given = [name for name, value in context.params.items() if name not in unused and value]
    if given:
        raise ConfigError(
            f"`--published` got `--{given[0].replace('_', '-')}` too; the rows of others are shown as printed; leave "
            "one of the two out."
        )
    return render_published(published_table(suite.partition("@")[0]), style)


def _of_all_tracks(
    board: "Leaderboard", suite: str, columns: Sequence["Column | str"], context: click.Context
) -> "LeaderboardTable":
    """Return the table of all tracks, with the options of ``show`` that it takes."""
    from anisora.harness.errors import ConfigError
    from anisora.leaderboards.tracks import track_table

    given = context.params
    if given["with_baselines"]:
        raise ConfigError("`--all-tracks` got `--with-baselines` too; baselines belong to one track; name it.")
    return track_table(
        board,
        suite.partition("@")[0],
        columns,
        models=given["models"] or (),
        allow_diff=given["allow_diff"],
        show_untrained=given["show_untrained"],
        sort_by=given["sort_by"],
    )


def _baselines(board: "Leaderboard", suite: str, columns: Sequence["Column | str"], out: Path, db: Path) -> list[str]:
    """Return the run ids of the suite's degenerate baselines, after scoring those that are not there."""
    from anisora.harness.stages.session import RunOptions
    from anisora.leaderboards.baselines import add_baselines, baseline_runs

    def told(line: str) -> None:
        click.echo(line, err=True)

    key = board.suite_key(suite)
    metrics = [column if isinstance(column, str) else column.metric for column in columns]
    options = RunOptions(out=out, workers=2, show_progress=True)
    for model, reason in add_baselines(board, key, metrics, db, options, told=told).items():
        told(f"{model} is left out: {reason}")
    return baseline_runs(board, key)


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
@option(
    "--with-baselines",
    is_flag=True,
    help="Score frozen, cross-faded, panned, shuffled and warped clips, too, and show them apart.",
)
@option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Where runs of baselines go.",
)
@option("--all-tracks", is_flag=True, help="Show the runs of all tracks, marked, and the means over tracks.")
@option("--pareto", callback=split_words, metavar="A,B", help="Name the systems that no other beats in all of these.")
@option("--published", is_flag=True, help="Show the rows that others report, as printed; needs no leaderboard.")
@_database
@click.pass_context
def show(
    context: click.Context,
    suite: str,
    style: "Style",
    metrics: list[str] | None,
    models: list[str] | None,
    allow_diff: tuple[str, ...],
    sort_by: str | None,
    *,
    show_untrained: bool,
    with_baselines: bool,
    out: Path,
    all_tracks: bool,
    pareto: list[str] | None,
    published: bool,
    db: Path,
) -> None:
    r"""Print the table of a suite, with intervals and coverage.

    \b
    anisora leaderboard show demo --format latex
    anisora leaderboard show demo --metrics temporal_flickering,sharpness --with-baselines
    anisora leaderboard show demo --pareto flow_magnitude,temporal_flickering
    anisora leaderboard show demo --all-tracks
    anisora leaderboard show vbench-i2v-8 --published
    """
    from anisora.harness.errors import DataError, UnknownNameError
    from anisora.leaderboards.pareto import with_pareto
    from anisora.leaderboards.published.tables import published_suites
    from anisora.leaderboards.render import render

    if published:
        click.echo(_published(suite, style, context), nl=False)
        return
    try:
        board, columns = open_leaderboard(db), columns_of_suite(suite, metrics)
        if all_tracks:
            table = _of_all_tracks(board, suite, columns, context)
            click.echo(render(with_pareto(table, pareto) if pareto else table, style), nl=False)
            return
        baselines = _baselines(board, suite, columns, out, db) if with_baselines else []
        table = board.build_table(
            suite,
            columns,
            models=[*models, *baselines] if models else (),
            allow_diff=allow_diff,
            show_untrained=show_untrained,
            sort_by=sort_by,
            baselines=baselines,
        )
    except (DataError, UnknownNameError) as error:
        name = suite.partition("@")[0]
        if name not in published_suites():
            raise
        raise DataError(f"{error} (rows that others report: anisora leaderboard {name} --published)") from error
    click.echo(render(with_pareto(table, pareto) if pareto else table, style), nl=False)


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
    from anisora.leaderboards.training_store import find_training_folders

    if not runs.is_dir():
        raise missing_path(runs, "the folder of run folders")
    if not find_run_folders(runs)[0] and not find_training_folders(runs):
        raise DataError(f"`{runs}` holds no finished run (a folder with record.json); correct --runs.")
    report = Leaderboard.open(db).rebuild(runs)
    trained = f" and {len(report.trainings)} trainings" if report.trainings else ""
    click.echo(f"Added {len(report.added)} runs{trained} to {db}.")
    for folder, reason in report.skipped:
        click.echo(f"Skipped {folder}: {reason}", err=True)
    for folder in report.unfinished:
        click.echo(f"Not finished: {folder}", err=True)
    return _EXIT_FAILED if report.skipped else 0


for _command in (bundle, add, add_training, withdraw, site):
    leaderboard.add_command(_command)


@click.command(cls=Command)
@click.argument("suite")
@click.argument("left")
@click.argument("right")
@option("--metrics", callback=split_words, metavar="A,B", help="Metrics; those both have by default.")
@option("--format", "style", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
@option("--json", "as_json", is_flag=True, help="The same as --format json.")
@option(
    "--at-equal-motion",
    "motion",
    metavar="METRIC",
    help="Compare at equal values of a metric of motion, too: still clips score well on consistency.",
)
@_database
def compare(
    suite: str,
    left: str,
    right: str,
    metrics: list[str] | None,
    motion: str | None,
    style: Literal["text", "markdown", "json"],
    *,
    as_json: bool,
    db: Path,
) -> None:
    r"""Compare two systems item by item, per metric, corrected.

    \b
    anisora compare demo damage/freeze:severity=1 damage/blur:severity=0.5
    anisora compare demo damage/freeze:severity=1 ground-truth --at-equal-motion flow_magnitude
    """
    from anisora.harness.errors import ConfigError
    from anisora.leaderboards.render import render_comparison

    if left == right:
        raise ConfigError(f"`LEFT` and `RIGHT` both got {left!r}; expected two different systems or run ids.")
    columns = columns_of_suite(suite, metrics) if metrics else ()
    compared = open_leaderboard(db).compare(suite, left, right, columns, motion=motion)
    click.echo(render_comparison(compared, "json" if as_json else style), nl=False)


@click.command(cls=Command)
@click.argument("suite")
@option("--metrics", callback=split_words, metavar="A,B", help="Columns; the suite's by default.")
@option("--models", callback=split_words, metavar="A,B", help="Systems or run ids whose differences are read.")
@option("--allow-diff", multiple=True, metavar="FIELD", help="Read runs that differ in a field, too.")
@option(
    "--power", "wanted", type=click.FloatRange(0.05, 1, min_open=True, max_open=True), default=0.8, show_default=True
)
@_database
def power(
    suite: str,
    metrics: list[str] | None,
    models: list[str] | None,
    allow_diff: tuple[str, ...],
    *,
    wanted: float,
    db: Path,
) -> None:
    r"""Tell the smallest gap between two systems that the items of a suite can show, and how many items a gap needs.

    \b
    anisora power demo
    """
    from anisora.leaderboards.power import power_of_columns, power_text

    board = open_leaderboard(db)
    table = board.build_table(suite, columns_of_suite(suite, metrics), models=models or (), allow_diff=allow_diff)
    scores = {row.run_id: board.scores(row.run_id) for row in table.rows}
    level = 0.95
    found = power_of_columns(table, scores, power=wanted, level=level)
    click.echo(power_text(table.suite_key, found, power=wanted, level=level), nl=False)


@click.command(cls=Command)
@option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the report.")
@metric_device
@work_options
def demo(*, lang: str, **parameters: Any) -> int:  # noqa: ANN401
    r"""Score a small suite and its damages, print what they tell, and write the report.

    \b
    anisora demo
    """
    from anisora.leaderboards.demo import run_demo
    from anisora.leaderboards.demo_report import demo_report
    from anisora.leaderboards.demo_screen import demo_screen

    options, as_json, quiet = run_options(parameters)
    out = options.out / "demo"
    device = os.environ.get("ANISORA_DEVICE") or "auto"
    result = run_demo(out, options, device=device, told=lambda line: None if quiet else click.echo(line, err=True))
    page = demo_report(result, out, options, language=lang)
    if as_json:
        click.echo("[" + ",\n".join(record.model_dump_json(indent=1) for record in result.records) + "]")
    elif not quiet:
        click.echo(demo_screen(result, page))
    return _EXIT_FAILED if any(record.status == "failed" for record in result.records) else 0
