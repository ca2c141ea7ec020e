"""The commands ``leaderboard bundle``, ``add`` and ``withdraw``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import leaderboard_file, option

if TYPE_CHECKING:
    from anisora.leaderboards.submission import Claim

__all__ = ["add", "bundle", "withdraw"]

_database = option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.duckdb"),
    show_default=True,
    help="The leaderboard file.",
)


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The bundle; RUN_ID.anisora.zip by default.")
def bundle(run: Path, out: Path | None) -> None:
    r"""Write a finished run as one file that can be sent to whoever keeps a board.

    It holds the record and the rows, no media and no paths of this machine. Its path is printed.

    \b
    anisora leaderboard bundle runs/demo-my-model-0123456789
    """
    from anisora.leaderboards.submissions.bundle import write_bundle

    path = write_bundle(run, out)
    click.echo(path)
    click.echo(f"{path.stat().st_size:,} bytes; add it to a board with: anisora leaderboard add {path}", err=True)


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@option(
    "--status",
    type=click.Choice(["reported", "re-scored", "verified"]),
    default="reported",
    show_default=True,
    help="What whoever keeps the board claims; more than reported needs a note.",
)
@option("--note", default="", metavar="TEXT", help="Who checked the run, and how.")
@_database
def add(file: Path, status: "Claim", note: str, db: Path) -> None:
    r"""Check a bundle and take it into a board; what is refused changes nothing.

    \b
    anisora leaderboard add "$(anisora leaderboard bundle runs/demo-my-model-0123456789)" --db public.duckdb
    """
    from anisora.leaderboards.store import Leaderboard
    from anisora.leaderboards.submissions.add import add_bundle

    leaderboard_file(db)
    added, outcome = add_bundle(Leaderboard.open(db), file, status=status, note=note)
    name = f"{added.record.spec.model} ({added.record.run_id})"
    told = {
        "added": f"Added {name} to {db} as {status}: {len(added.scores):,} rows agree with {len(added.record.results)} "
        "results.",
        "same": f"{name} is in {db} already, with the same content; nothing was changed.",
        "restated": f"{name} was in {db} with the same content; its status is {status} now.",
    }
    click.echo(told[outcome])


@click.command(cls=Command)
@click.argument("run_id")
@option("--reason", required=True, metavar="TEXT", help="Why; the board tells it.")
@_database
def withdraw(run_id: str, reason: str, db: Path) -> None:
    r"""Mark a run as withdrawn: it is kept with its reason, and stands in no table.

    \b
    anisora leaderboard withdraw "$(basename runs/demo/demo-damage-jitter-*)" --reason "wrong checkpoint"
    """
    from anisora.leaderboards.commands import open_leaderboard
    from anisora.leaderboards.submissions.add import withdraw_run

    withdraw_run(open_leaderboard(db), run_id, reason)
    click.echo(f"{run_id} is withdrawn from {db}: {reason.strip()}")
