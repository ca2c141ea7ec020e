"""Takes bundles of others into a board, and marks runs as withdrawn."""

from datetime import UTC, datetime
from pathlib import Path

from anisora.harness.errors import ConfigError
from anisora.leaderboards.store import Leaderboard, SubmitOutcome
from anisora.leaderboards.submission import Claim, Submission, check_claim
from anisora.leaderboards.submissions.bundle import Bundle, read_bundle

__all__ = ["add_bundle", "withdraw_run"]

_LONGEST_NOTE = 2000


def add_bundle(
    board: Leaderboard, path: Path, *, status: Claim = "reported", note: str = ""
) -> tuple[Bundle, SubmitOutcome]:
    """Check a bundle and put it on a board; what is refused leaves the board as it was.

    Args:
        board: The board.
        path: The bundle.
        status: ``reported``, or what the maintainer of the board claims.
        note: Who checked the run and how; a claim needs one.

    Returns:
        The bundle; and ``added``, ``same`` where the very run is there, ``restated`` where its status changed.

    Raises:
        ConfigError: The status is none, or a claim without a note.
        DataError: The file is no bundle, or a damaged or hostile one.
        RecordError: It contradicts itself, or the board has a run of this id with other content.
    """
    check_claim(status, note)
    _check_text("--note", note)
    bundle = read_bundle(path)
    submission = Submission(
        run_id=bundle.record.run_id, status=status, note=note.strip(), date=_now(), sha256=bundle.sha256
    )
    return bundle, board.submit(bundle.record, bundle.scores, submission)


def withdraw_run(board: Leaderboard, run_id: str, reason: str) -> None:
    """Mark a run as withdrawn from now on; it is kept, and stands in no table.

    Args:
        board: The board.
        run_id: The run.
        reason: Why; shown on the board.

    Raises:
        ConfigError: There is no reason.
        RecordError: It was withdrawn before.
        UnknownNameError: There is no such run.
    """
    if not reason.strip():
        raise ConfigError("`--reason` is empty; expected why the run is withdrawn, as the board is to tell it.")
    _check_text("--reason", reason)
    board.withdraw(run_id, reason=reason.strip(), date=_now())


def _check_text(name: str, text: str) -> None:
    if len(text) > _LONGEST_NOTE or not text.isprintable():
        raise ConfigError(
            f"`{name}` got {len(text):,} characters; expected one line of at most {_LONGEST_NOTE:,} printable ones."
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
