"""The command ``replot``."""

from pathlib import Path

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option

__all__ = ["replot"]


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("figures"),
    show_default=True,
    help="Where the pictures are written, under the names of the files.",
)
@option("--quiet", is_flag=True, help="Print nothing but errors.")
def replot(files: tuple[Path, ...], out: Path, *, quiet: bool) -> None:
    r"""Draw figures of a paper again from the data beside them, after a change of labels or order, say.

    \b
    anisora replot figures/forest.json --out again
    """
    from anisora.leaderboards.report.paper_figures import save

    written = save.replot(files, out)
    if not quiet:
        click.echo("".join(f"{path}\n" for path in written), nl=False)
