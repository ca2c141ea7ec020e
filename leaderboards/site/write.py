"""Writes a site into a folder, whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.record import digest_of
from anisora.harness.runfolder import sha256_of_file
from anisora.leaderboards.database import Database
from anisora.leaderboards.site.data import SiteData, gather_site
from anisora.leaderboards.site.page import BOARD, INDEX, site_pages
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.submission import Submission

__all__ = ["MARKER", "write_site"]

MARKER: Final = "anisora-site.json"
"""Says that the folder is a site, and which files it is made of."""

_FORMAT: Final = 1


def write_site(board: Leaderboard, folder: Path, *, language: str = "en") -> Path:
    """Write a board as static pages and return the first of them.

    The pages are written beside the folder, which then takes their place; a site that is there is replaced. Its
    ``leaderboard.duckdb`` is kept if it holds the same, since DuckDB gives each new file an identity of its own.

    Args:
        board: The board.
        folder: Made if it is not there.
        language: Of the pages: ``en`` or ``zh``.

    Raises:
        ConfigError: The folder holds something that no site wrote, or the language is not known.
        DataError: The folder cannot be written.
        RecordError: The board cannot be read.
    """
    place = folder.absolute()
    earlier = _earlier(place, folder)
    data = gather_site(board, language)
    pages = site_pages(data, language)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".new", dir=place.parent))
        try:
            made.chmod(0o755)
            _fill(made, board, data, pages, place, earlier)
            _take_place(made, place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise DataError(
            f"The site cannot be written to `{folder}`: {error.strerror or error}; choose another folder with --out."
        ) from error
    return folder / INDEX


def _earlier(place: Path, shown: Path) -> dict[str, Any]:
    """Return the marker of the site that is there, or nothing for a folder that is empty or not there."""
    if not os.path.lexists(place):
        return {}
    if place.is_symlink() or not place.is_dir():
        raise ConfigError(f"`--out` got `{shown}`, which is a file or a link; expected a folder; choose another one.")
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_symlink() or path.is_file()}
    if not found and not any(place.iterdir()):
        return {}
    try:
        marker: dict[str, Any] = json.loads((place / MARKER).read_text(encoding="utf-8"))
        files = set(marker["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"`--out` got `{shown}`, which is not empty and no site (it has no {MARKER}); expected an empty folder "
            "or a site to replace; choose another folder."
        ) from None
    foreign = sorted(found - files - {MARKER})
    if foreign:
        raise ConfigError(
            f"`--out` got the site `{shown}`, which holds `{foreign[0]}` that no site wrote and that would be lost; "
            "move it away, or choose another folder."
        )
    return marker


def _fill(
    made: Path, board: Leaderboard, data: SiteData, pages: Mapping[str, str], place: Path, earlier: Mapping[str, Any]
) -> None:
    for name, text in sorted(pages.items()):
        path = made / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    content = _board_digest(board, data)
    old = place / BOARD
    known = earlier.get("files", {}).get(BOARD) if earlier.get("board") == content else None
    if known is not None and old.is_file() and sha256_of_file(old) == known:
        shutil.copy(old, made / BOARD)
    else:
        _copy_board(board, data, made / BOARD)
    files = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in pages.items()}
    marker = {
        "format": _FORMAT,
        "made_by": "anisora leaderboard site",
        "board": content,
        "files": dict(sorted({**files, BOARD: sha256_of_file(made / BOARD)}.items())),
    }
    (made / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")


def _board_digest(board: Leaderboard, data: SiteData) -> str:
    content = [
        [
            record.model_dump(mode="json"),
            asdict(data.submissions[record.run_id]),
            [asdict(row) for row in board.scores(record.run_id)],
        ]
        for suite in data.suites
        for record in suite.records
    ]
    return digest_of(content)


def _copy_board(board: Leaderboard, data: SiteData, path: Path) -> None:
    """Write the board anew: the file itself may name folders of this machine, and hold what was deleted from it."""
    database = Database(path)
    database.write(lambda _: None)  # makes the file of a board without runs, too
    copy = Leaderboard(database)
    for suite in data.suites:
        for record in suite.records:
            copy.add(record, board.scores(record.run_id))
    for run_id, submission in sorted(data.submissions.items()):
        if submission != Submission(run_id=run_id):
            copy.restate(submission)
    path.chmod(0o644)


def _take_place(made: Path, place: Path) -> None:
    if not place.exists():
        made.rename(place)
        return
    old = made.with_suffix(".old")
    place.rename(old)
    try:
        made.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
