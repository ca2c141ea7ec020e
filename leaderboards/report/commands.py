"""The command ``report``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option, split_words

if TYPE_CHECKING:
    from anisora.leaderboards.cell_text import Intervals
    from anisora.leaderboards.published.tables import PublishedTable

__all__ = ["report"]


@click.command(cls=Command)
@click.argument("suite")
@option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("report"),
    show_default=True,
    help="Where the report is written.",
)
@option(
    "--style",
    type=click.Choice(["page", "paper"]),
    default="page",
    show_default=True,
    help="An HTML page, or LaTeX for a paper: table, protocol, checklist, references.",
)
@option("--metrics", callback=split_words, metavar="A,B", help="Columns; the suite's by default.")
@option("--models", callback=split_words, metavar="A,B", help="Systems or run ids, in the order wanted.")
@option("--allow-diff", multiple=True, metavar="FIELD", help="Show runs that differ in a field, with a dagger.")
@option("--sort-by", metavar="METRIC", help="Order the rows by a metric, best first.")
@option("--show-untrained", is_flag=True, help="Show runs of random weights among themselves.")
@option(
    "--examples",
    type=click.IntRange(0, 20),
    default=2,
    show_default=True,
    metavar="N",
    help="Items shown of each kind: best, worst, most disputed.",
)
@option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the page.")
@option(
    "--intervals",
    type=click.Choice(["half-width", "brackets", "none"]),
    help="Intervals in the table of a paper: ±half (the default), [low, high] or none.",
)
@option("--published", is_flag=True, help="Give a paper the rows that others report of the suite, apart.")
@option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, metavar="N", help="Clips in work.")
@option("--no-mlflow", is_flag=True, help="Do not attach the page to the runs in MLflow.")
@option(
    "--mlflow",
    metavar="URI",
    help="Where MLflow keeps runs; MLFLOW_TRACKING_URI, or else mlflow.db beside the leaderboard, by default.",
)
@option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.duckdb"),
    show_default=True,
    help="The leaderboard file.",
)
@option("--quiet", is_flag=True, help="Print nothing but errors.")
def report(
    suite: str,
    out: Path,
    style: Literal["page", "paper"],
    metrics: list[str] | None,
    models: list[str] | None,
    allow_diff: tuple[str, ...],
    sort_by: str | None,
    *,
    show_untrained: bool,
    examples: int,
    lang: str,
    intervals: "Intervals | None",
    published: bool,
    workers: int,
    no_mlflow: bool,
    mlflow: str | None,
    db: Path,
    quiet: bool,
) -> None:
    r"""Write the page, tables and figures of a suite, for a paper or a release.

    \b
    anisora report demo --out report
    anisora report demo --out report-zh --lang zh
    anisora report demo --out paper --style paper
    """
    from anisora.harness.progress import progress
    from anisora.leaderboards.commands import columns_of_suite, open_leaderboard
    from anisora.leaderboards.report.data import gather
    from anisora.leaderboards.report.paper.figures import figures_of_paper
    from anisora.leaderboards.report.paper.write import write_paper
    from anisora.leaderboards.report.write import pictures_of, write_report
    from anisora.leaderboards.tracking import attach_file

    reported = _reported(suite, style, intervals, published=published)
    board = open_leaderboard(db)
    data = gather(
        board,
        suite,
        columns_of_suite(suite, metrics) if metrics else (),
        models=models or (),
        allow_diff=allow_diff,
        show_untrained=show_untrained,
        sort_by=sort_by,
        examples=examples,
        language=lang,
    )
    if style == "paper":
        clips = len(data.table.rows) * len(data.choices)
        with progress("draw", clips, shown=not quiet) as advance:
            figures = figures_of_paper(
                data, out, language=lang, workers=workers, advance=advance, told=partial(click.echo, err=True)
            )
        paper = write_paper(
            data, out, language=lang, intervals=intervals or "half-width", published=reported, figures=figures
        )
        if not quiet:
            click.echo(f"The paper is {paper}. Beside it are its table, figures, protocol, checklist and references.")
        return
    with progress("draw", pictures_of(data), shown=not quiet) as advance:
        page = write_report(data, out, language=lang, workers=workers, advance=advance)
    if not no_mlflow:
        attach_file(page, list(data.records.values()), uri=mlflow or "", beside=db)
    if not quiet:
        click.echo(f"The report is {page}. Beside it are tables, figures and the protocol.")


def _reported(suite: str, style: str, intervals: str | None, *, published: bool) -> "PublishedTable | None":
    """Return the rows that a paper is to have beside those of runs.

    Raises:
        ConfigError: A page has no such option.
        UnknownNameError: Nobody reports rows of the suite.
    """
    from anisora.harness.errors import ConfigError
    from anisora.leaderboards.published.tables import published_table

    given = "--published" if published else "--intervals" if intervals else ""
    if style == "page" and given:
        raise ConfigError(f"`{given}` goes with --style paper, and `--style` got 'page'; leave one of them out.")
    return published_table(suite.partition("@")[0]) if published else None
