"""The command ``leaderboard site``."""

from pathlib import Path

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option

__all__ = ["site"]


@click.command(cls=Command)
@option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Where the pages are written; a site that is there is replaced.",
)
@option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the pages.")
@option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.duckdb"),
    show_default=True,
    help="The leaderboard file.",
)
def site(out: Path, lang: str, db: Path) -> None:
    r"""Write a board as static pages that need no server: suites, systems, downloads.

    \b
    anisora leaderboard site --out site
    """
    from anisora.leaderboards.commands import open_leaderboard
    from anisora.leaderboards.site.write import write_site

    index = write_site(open_leaderboard(db), out, language=lang)
    click.echo(f"The site is {index}. Publish the folder {out} as it is.")
