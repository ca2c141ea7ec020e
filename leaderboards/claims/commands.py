"""The command ``claims``."""

from pathlib import Path

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option

__all__ = ["claims"]

_BOARD = Path("leaderboard.duckdb")
_EXIT_FLAGGED = 1


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@option(
    "--db",
    type=click.Path(path_type=Path),
    show_default="leaderboard.duckdb, where there is one",
    help="The leaderboard file; published tables are known without.",
)
@option("--suite", metavar="NAME", help="Compare with this suite alone; with the one that fits best by default.")
@option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def claims(file: Path, db: Path | None, suite: str | None, *, as_json: bool) -> int:
    r"""Re-derive the tables of a Markdown, LaTeX or CSV file and flag what does not follow.

    Exit codes: 0 nothing flagged, 1 something flagged, 2 a file that cannot be read.

    \b
    anisora claims results.md
    anisora claims paper.tex --db leaderboard.duckdb --suite demo
    """
    from anisora.leaderboards.claims.check import check_claims
    from anisora.leaderboards.claims.rendering import render_claims
    from anisora.leaderboards.claims.sources import known_tables
    from anisora.leaderboards.commands import open_leaderboard

    path = db if db is not None else _BOARD if _BOARD.is_file() else None
    known, left_out = known_tables(None if path is None else open_leaderboard(path), suite)
    report = check_claims(file, known, left_out)
    click.echo(render_claims(report, as_json=as_json), nl=False)
    return _EXIT_FLAGGED if report.flagged else 0
