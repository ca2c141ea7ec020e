"""Draws the pictures of the documentation from a real run of the demo.

    anisora demo
    python docs/make_images.py runs/demo

``images/demo-clips.png`` shows a frame of every clip of the demo suite, ``images/demo-leaderboard.png`` the systems,
four frames of one item by each, and their scores with intervals.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import RunFolder
from anisora.harness.suite import load_samples, load_suite
from anisora.harness.types import Clip, Frames
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.table import Cell, LeaderboardTable, Row, TableColumn

IMAGES = Path(__file__).resolve().parent / "images"
ITEM = "walk-a"
"""The item whose frames stand beside each system."""

_INK, _GREY, _LINE, _BEST, _PAPER = "#1b1f24", "#6b7280", "#d8dce2", "#0b6bcb", "#ffffff"
_STRIP = (96, 54)
_FRAMES = 4
_NAME, _COLUMN, _ROW, _TOP, _MARGIN = 190, 118, 66, 58, 14
_COLOURS = 128


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow."""
    return ImageFont.load_default(size)


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG with a palette, which keeps flat colours small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    sys.stdout.write(f"{path}: {path.stat().st_size} bytes\n")


def contact_sheet(pool: DecoderPool) -> Image.Image:
    """Show the middle frame of every clip of the demo suite with its action."""
    size, columns, caption = (192, 108), 6, 20
    samples = load_samples(load_suite("demo"))
    rows = -(-len(samples) // columns)
    sheet = Image.new("RGB", (columns * (size[0] + 6) + 6, rows * (size[1] + caption + 6) + 6), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, sample in enumerate(samples):
        assert sample.ground_truth is not None
        frames, info = pool.read_frames(sample.ground_truth)
        left = 6 + place % columns * (size[0] + 6)
        top = 6 + place // columns * (size[1] + caption + 6)
        sheet.paste(Image.fromarray(frames[len(frames) // 2]).resize(size, Image.Resampling.LANCZOS), (left, top))
        text = f"{sample.label}   {info.num_frames} frames, {info.fps:g} fps"
        draw.text((left + 2, top + size[1] + 2), text, _INK, font(13))
    return sheet


def strip_of(pool: DecoderPool, row: Row, folder: Path) -> Frames:
    """Return a few frames of one item by one system, evenly spaced."""
    run = RunFolder(folder / row.run_id)
    clip = next(found for found in run.read_clips() if found.item_id == ITEM)
    frames, _ = pool.read_frames(Clip(path=run.path / clip.path, digest=clip.sha256))
    chosen: Frames = frames[np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int)]
    return chosen


def _direction(draw: ImageDraw.ImageDraw, at: tuple[float, float], direction: str | None) -> None:
    """Draw a small arrow: up, down, or to the right for the ground truth."""
    x, y = at
    shape = {
        "higher": [(x, y + 8), (x + 8, y + 8), (x + 4, y)],
        "lower": [(x, y), (x + 8, y), (x + 4, y + 8)],
        "reference": [(x, y), (x, y + 8), (x + 8, y + 4)],
    }
    if direction in shape:
        draw.polygon(shape[direction], fill=_GREY)


def _cell(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], column: TableColumn, cell: Cell, span: tuple[float, float]
) -> None:
    """Write a value and, below it, its interval on the scale of its column."""
    x, y = at
    text = "-" if cell.value is None else column.format(cell.value)
    draw.text((x, y + 10), text, _BEST if cell.best else _INK, font(17))
    if cell.above_reference:
        width = draw.textlength(text, font(17))
        draw.text((x + width + 4, y + 8), "*", _GREY, font(17))
    if cell.value is None or cell.low is None or cell.high is None:
        return
    low, high = span
    width = _COLUMN - 22

    def place(value: float) -> float:
        return x + (value - low) / (high - low or 1.0) * width

    middle = y + 44
    draw.line([(x, middle), (x + width, middle)], _LINE, 1)
    draw.line([(place(cell.low), middle), (place(cell.high), middle)], _GREY, 3)
    draw.ellipse(
        [place(cell.value) - 3, middle - 3, place(cell.value) + 3, middle + 3], fill=_BEST if cell.best else _INK
    )


def _spans(table: LeaderboardTable) -> list[tuple[float, float]]:
    spans = []
    for place in range(len(table.columns)):
        cells = [row.cells[place] for row in table.rows]
        ends = [end for cell in cells for end in (cell.value, cell.low, cell.high) if end is not None]
        spans.append((min(ends), max(ends)))
    return spans


def leaderboard(pool: DecoderPool, table: LeaderboardTable, folder: Path) -> Image.Image:
    """Show the table: a strip of frames and a name for each system, values with intervals for each column."""
    strip_width = _FRAMES * (_STRIP[0] + 2) + 12
    width = 2 * _MARGIN + _NAME + strip_width + len(table.columns) * _COLUMN
    picture = Image.new("RGB", (width, _TOP + len(table.rows) * _ROW + 2 * _MARGIN + 14), _PAPER)
    draw = ImageDraw.Draw(picture)
    start = _MARGIN + _NAME + strip_width
    draw.text((_MARGIN, _MARGIN), f"{table.suite_key}: {ITEM}, and the scores over all items", _INK, font(15))
    for place, column in enumerate(table.columns):
        x = start + place * _COLUMN
        for line, word in enumerate(column.header.split(" ", 1)):
            draw.text((x + 12, _MARGIN + 16 * line), word, _INK, font(13))
        _direction(draw, (x, _MARGIN + 4), column.direction)
    spans = _spans(table)
    for number, row in enumerate(table.rows):
        y = _TOP + number * _ROW
        draw.line([(_MARGIN, y), (width - _MARGIN, y)], _INK if row.reference else _LINE, 1)
        name, _, settings = row.model.partition(":")
        draw.text((_MARGIN, y + 14), name, _INK, font(15))
        draw.text((_MARGIN, y + 34), settings, _GREY, font(12))
        for at, frame in enumerate(strip_of(pool, row, folder)):
            small = Image.fromarray(frame).resize(_STRIP, Image.Resampling.LANCZOS)
            picture.paste(small, (_MARGIN + _NAME + at * (_STRIP[0] + 2), y + 6))
        for place, (column, cell, span) in enumerate(zip(table.columns, row.cells, spans, strict=True)):
            _cell(draw, (start + place * _COLUMN, y), column, cell, span)
    note = (
        "Blue: best of its column. *: better than the ground truth. Lines: 95 % intervals. "
        "Triangle right: closest to the ground truth is best."
    )
    draw.text((_MARGIN, _TOP + len(table.rows) * _ROW + _MARGIN), note, _GREY, font(12))
    return picture


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="where `anisora demo` wrote its runs, such as runs/demo")
    folder: Path = parser.parse_args(arguments).runs
    with DecoderPool() as pool, Leaderboard.open(folder / "leaderboard.duckdb") as board:
        table = board.build_table(board.suite_key("demo"), load_suite("demo").columns)
        save(contact_sheet(pool), IMAGES / "demo-clips.png")
        save(leaderboard(pool, table, folder), IMAGES / "demo-leaderboard.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
