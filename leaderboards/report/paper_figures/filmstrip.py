"""Frames of one item, a line for each system: a filmstrip."""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import model_validator

from anisora.harness.errors import AnisoraError, DataError
from anisora.harness.executors.local import map_unordered
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip, Frames, StreamInfo
from anisora.leaderboards.report.choice import Choice, Kind
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import NOTE_SIZE, QUIET, TEXT_WIDTH, drawable, fitting_size, text_widths
from anisora.leaderboards.report.media import STRIP_FRAMES, fitted
from anisora.leaderboards.report.paper_figures.canvas import Canvas
from anisora.leaderboards.report.paper_figures.figure_data import (
    FigureData,
    FigureWords,
    Omission,
    Part,
    Parts,
    System,
    best_rows,
    systems_of,
)
from anisora.leaderboards.typeset import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST", "FilmRow", "Filmstrip", "data_of", "draw"]

_log = logging.getLogger(__name__)

MOST: Final = 12
"""Systems that a page has room for, beside the ground truth."""
_LONGEST_SIDE: Final = 180
"""Pixels of a frame's longer side."""
_MOST_PIXELS: Final = 4_000_000
_LONGEST_NAME, _TALLEST, _GAP, _HEAD = 1.3, 8.4, 0.03, 0.17  # inches


class FilmRow(Part):
    """The frames of one system."""

    system: System
    clip_sha256: str
    frames: tuple[int, ...]
    """Indices in the clip, from 0."""
    clip_frames: int
    """Of the whole clip."""
    strip: bytes
    """The frames side by side, made small: a PNG."""


class Filmstrip(FigureData):
    """One item."""

    figure: Literal["filmstrip"] = "filmstrip"
    item: str
    kind: Kind
    """Why it was chosen."""
    heads: Parts[str]
    """Above the frames."""
    rows: Parts[FilmRow]

    @model_validator(mode="after")
    def _rows_have_all_frames(self) -> "Filmstrip":
        if not self.rows or any(len(row.frames) != len(self.heads) for row in self.rows):
            raise ValueError(f"expected {len(self.heads)} frames in every row, one for each head")
        return self


def data_of(
    data: ReportData,
    say: FigureWords,
    *,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> list[Filmstrip | Omission]:
    """Return what the filmstrips of the first item chosen of each kind show.

    Frames are evenly spaced from the first to the last. A clip that is not on this machine, or cannot be read, is left
    out; an item without any clip has no filmstrip.

    Args:
        data: The report.
        say: The language.
        workers: Clips in work at a time.
        advance: Called once per clip.
    """
    rows = [*(row for row in data.table.rows if row.reference), *best_rows(data.table, MOST)]
    choices = list({choice.kind: choice for choice in reversed(data.choices)}.values())[::-1]
    wanted = {
        (row.run_id, choice.item): data.clips[row.run_id, choice.item]
        for choice in choices
        for row in rows
        if (row.run_id, choice.item) in data.clips
    }
    if not wanted:
        return [Omission(figure="filmstrip", reason=say("film_omitted"))]
    strips = _strips(wanted, workers, advance)
    systems = systems_of(data.table)
    found: list[Filmstrip | Omission] = []
    for choice in choices:
        made = [
            FilmRow(
                system=systems[row.run_id],
                clip_sha256=wanted[row.run_id, choice.item].digest,
                frames=indices,
                clip_frames=length,
                strip=strip,
            )
            for row in rows
            if (row.run_id, choice.item) in strips
            for indices, length, strip in [strips[row.run_id, choice.item]]
        ]
        absent = len(rows) - len(made)
        if made:
            found.append(_filmstrip(data, choice, tuple(made), absent, say))
        else:
            found.append(Omission(figure="filmstrip", reason=say("film_without_clips", item=plain(choice.item))))
    return found


def _filmstrip(data: ReportData, choice: Choice, rows: tuple[FilmRow, ...], absent: int, say: FigureWords) -> Filmstrip:
    if len({row.frames for row in rows}) == 1:
        heads = [say("film_frame", frame=frame) for frame in rows[0].frames]
    else:
        heads = [f"{round(100 * place / (STRIP_FRAMES - 1))} %" for place in range(STRIP_FRAMES)]
    notes = [say("film_note", item=plain(choice.item), why=say(f"film_{choice.kind}"))]
    systems = sum(not row.reference for row in data.table.rows)
    if systems > MOST:
        notes.append(say("best_shown", shown=MOST, systems=systems))
    if absent:
        notes.append(say("film_absent", count=absent))
    return Filmstrip(
        language=say.language,
        suite=data.table.suite_key,
        title=say("film_title", item=plain(choice.item)),
        note=say("space").join(notes),
        item=choice.item,
        kind=choice.kind,
        heads=tuple(heads),
        rows=rows,
    )


_Strip = tuple[tuple[int, ...], int, bytes]


def _strips(
    clips: Mapping[tuple[str, str], Clip], workers: int, advance: Callable[[], None]
) -> dict[tuple[str, str], _Strip]:
    """Return (indices, length of the clip, PNG) of the clips that can be read; equal ones are read once."""
    by_digest = {clip.digest: clip for clip in clips.values()}
    with DecoderPool(processes=workers) as pool:

        def work(clip: Clip) -> tuple[str, _Strip | None]:
            try:
                return clip.digest, _strip(pool, clip)
            except AnisoraError as error:
                _log.warning("left out of the filmstrips: %s", error)
                return clip.digest, None

        made = {}
        for digest, strip in map_unordered(work, by_digest.values(), workers=workers):
            made[digest] = strip
            advance()
    return {key: strip for key, clip in clips.items() if (strip := made[clip.digest]) is not None}


def _strip(pool: DecoderPool, clip: Clip) -> _Strip:
    """Read evenly spaced frames; of a clip shorter than the strip, some more than once."""
    with pool.open(clip, lambda stream: sorted(set(_spaced(stream)))) as stream:
        found = {
            int(index): fitted(frame, _LONGEST_SIDE)
            for indices, window in stream
            for index, frame in zip(indices, window, strict=True)
        }
        indices = _spaced(stream.info)
        length = stream.info.num_frames
    return tuple(indices), length, _png(np.concatenate([found[index] for index in indices], axis=1))


def _spaced(stream: StreamInfo) -> list[int]:
    return [int(index) for index in np.linspace(0, stream.num_frames - 1, STRIP_FRAMES).round()]


def _png(picture: Frames) -> bytes:
    import cv2

    _, packed = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return bytes(packed.tobytes())


def _picture(strip: bytes) -> Frames:
    """Read the PNG of a strip.

    Raises:
        DataError: It is none, or too large.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(strip), formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                size = f"{image.width} x {image.height}"
                raise DataError(f"`strip` of a filmstrip has {size} pixels; expected {_MOST_PIXELS} at most.")
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"`strip` of a filmstrip is no PNG that can be read: {error}; draw the report anew.") from error


def draw(data: Filmstrip) -> "Figure":
    """Draw the lines of frames, names to their left."""
    names = [drawable(row.system.label) for row in data.rows]
    size = fitting_size(names, _LONGEST_NAME, NOTE_SIZE + 0.5)
    left = max(text_widths(names, size)) + 0.1
    pictures = [_frames(_picture(row.strip), len(data.heads)) for row in data.rows]
    shapes = [frames[0].shape[0] / frames[0].shape[1] for frames in pictures]
    wide = (TEXT_WIDTH - left) / len(data.heads) - _GAP
    wide = min(wide, (_TALLEST - _GAP * len(shapes)) / sum(shapes))
    canvas = Canvas(TEXT_WIDTH, _HEAD + sum(wide * shape + _GAP for shape in shapes), data.note)
    for place, head in enumerate(data.heads):
        middle = left + place * (wide + _GAP) + wide / 2
        canvas.text(middle, 0.03, drawable(head), size=NOTE_SIZE, ha="center", va="top", color="#5b6472")
    top = _HEAD
    for name, frames, shape in zip(names, pictures, shapes, strict=True):
        canvas.text(left - 0.07, top + wide * shape / 2, name, size=size, ha="right", va="center")
        for place, frame in enumerate(frames):
            axes = canvas.axes(left + place * (wide + _GAP), top, wide, wide * shape)
            axes.imshow(frame, aspect="auto", interpolation="antialiased")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(linewidth=0.3, color=QUIET)
        top += wide * shape + _GAP
    return canvas.figure


def _frames(picture: Frames, count: int) -> Sequence[Frames]:
    if picture.shape[1] < count:
        raise DataError(f"`strip` of a filmstrip is {picture.shape[1]} pixels wide; expected {count} frames.")
    return np.split(picture[:, : picture.shape[1] // count * count], count, axis=1)
