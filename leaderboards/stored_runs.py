"""Runs of a leaderboard for those who may not know where it is kept, by the registry's name ``stored_run``."""

from pathlib import Path

from anisora.harness.record import RunRecord
from anisora.harness.runfolder import ScoreRow
from anisora.leaderboards.commands import open_leaderboard

__all__ = ["stored_run"]


def stored_run(database: Path, run_id: str) -> tuple[RunRecord, list[ScoreRow]]:
    """Return the record and the rows of a run.

    Args:
        database: The leaderboard file.
        run_id: The run.

    Raises:
        DataError: There is no leaderboard.
        UnknownNameError: It has no such run.
    """
    board = open_leaderboard(database)
    return board.get(run_id), board.scores(run_id)
