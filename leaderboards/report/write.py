"""Writes a report into a folder: the page, tables in every style, figures and the protocol paragraph."""

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from anisora.harness.errors import AnisoraError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import write_atomically
from anisora.harness.types import Clip
from anisora.leaderboards.render import Style, render
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figures import save_figures
from anisora.leaderboards.report.media import small_clips, small_image, thumbnails
from anisora.leaderboards.report.page import Extra, Media, html_page
from anisora.leaderboards.report.provenance import protocol_paragraph
from anisora.leaderboards.words import Words

__all__ = ["PAGE", "draw_media", "pictures_of", "write_report"]

PAGE: Final = "report.html"
_TABLES: Final[tuple[tuple[Style, str], ...]] = (
    ("markdown", "md"),
    ("latex", "tex"),
    ("csv", "csv"),
    ("json", "json"),
)
_MOST_THUMBNAILS: Final = 60


def write_report(
    data: ReportData,
    folder: Path,
    *,
    language: str = "en",
    extras: Sequence[Extra] = (),
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> Path:
    """Write a report and return its page.

    ``report.html`` stands alone. Beside it ``tables/`` holds the leaderboard as Markdown, LaTeX, CSV and JSON,
    ``figures/`` the figures as PNG, SVG and PDF, and ``protocol.md`` the paragraph for a paper.

    Args:
        data: What it tells.
        folder: Made if it is not there; files of an earlier report are replaced.
        language: Of the page: ``en`` or ``zh``. Figures are in English.
        extras: Sections that the page has beside those of every suite.
        workers: Clips in work at a time.
        advance: Called once per clip or picture.

    Raises:
        ConfigError: The language is not known.
        DataError: The folder cannot be written.
    """
    words = Words(language)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="figures") as executor:
            # Figures take one core for seconds, and clips wait for other processes meanwhile.
            english = data.in_language("en")  # fonts with Chinese letters do not come with matplotlib
            figures = executor.submit(save_figures, folder / "figures", english.table, english.matrix)
            for style, suffix in _TABLES:
                _write(folder / "tables" / f"leaderboard.{suffix}", render(data.table, style, language=language))
            _write(folder / "protocol.md", protocol_paragraph(data, words) + "\n")
            media = draw_media(data, workers=workers, advance=advance)
            drawn = {path.stem: _svg_uri(path) for path in figures.result() if path.suffix == ".svg"}
        _write(folder / PAGE, html_page(data, replace(media, figures=drawn), words, extras=extras))
    except OSError as error:
        raise DataError(
            f"The report cannot be written to `{folder}`: {error.strerror or error}; choose another folder with --out."
        ) from error
    return folder / PAGE


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path, "report") as file:
        file.write(text.encode())


def pictures_of(data: ReportData) -> int:
    """Return how many clips and pictures ``write_report`` draws, for progress."""
    chosen = {choice.item for choice in data.choices}
    clips = {clip.digest for (_, item), clip in data.clips.items() if item in chosen}
    return len(clips) + len(_shown_of_all(data))


def draw_media(data: ReportData, *, workers: int = 1, advance: Callable[[], None] = lambda: None) -> Media:
    """Make the pictures and videos of a page from the clips that are on this machine.

    Args:
        data: Whose choices are shown.
        workers: Clips in work at a time.
        advance: Called once per clip or picture.
    """
    chosen = {choice.item for choice in data.choices}
    wanted = {key: clip for key, clip in data.clips.items() if key[1] in chosen}
    with DecoderPool(processes=workers) as pool:
        return Media(
            clips=small_clips(pool, wanted, workers=workers, advance=advance),
            conditions=_conditions(pool, data, sorted(chosen)),
            sheet=thumbnails(pool, _shown_of_all(data), workers=workers, advance=advance),
        )


def _svg_uri(path: Path) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _conditions(pool: DecoderPool, data: ReportData, items: Sequence[str]) -> dict[str, str]:
    found = {}
    for item in items:
        sample = data.samples.get(item)
        first = min(sample.condition.keyframes, key=lambda pair: pair[0], default=None) if sample else None
        if first is not None:
            try:
                found[item] = small_image(pool, first[1])
            except AnisoraError:
                continue  # an image that cannot be read was told when the item was scored
    return found


def _shown_of_all(data: ReportData) -> list[tuple[str, Clip]]:
    """Return (item, clip) of evenly spaced items: the ground truth's clip, or the first system's."""
    runs = [row.run_id for row in sorted(data.table.rows, key=lambda row: not row.reference)]
    items = list(data.items)
    step = max(1, -(-len(items) // _MOST_THUMBNAILS))
    pairs = []
    for item in items[::step]:
        clip = next((data.clips[run, item] for run in runs if (run, item) in data.clips), None)
        if clip is not None:
            pairs.append((item, clip))
    return pairs
