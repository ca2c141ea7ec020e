"""A figure measured in inches from its upper left corner, so that nothing in it overlaps or is cut off."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from anisora.leaderboards.report.figure_style import INK, NOTE_SIZE, QUIET, drawable, text_widths, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = [
    "BETTER",
    "COLOURS",
    "DASHES",
    "MARKERS",
    "WORSE",
    "Canvas",
    "clean",
    "draw_key",
    "key_height",
    "rounded_ticks",
]

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Told apart by people who are colour-blind (Okabe and Ito 2008)."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
"""And these without colours."""
DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
BETTER, WORSE = "#0072b2", "#c2410c"

_MARGIN: Final = 0.05
_NOTE_LINE: Final = 0.115
_NOTE_SPACE: Final = 0.09
_KEY_LINE, _KEY_SPACE = 0.125, 0.05


class Canvas:
    """A figure with a note below."""

    def __init__(self, width: float, height: float, note: str) -> None:
        """Begin a figure.

        Args:
            width: Inches of all.
            height: Inches of what is above the note.
            note: One paragraph.
        """
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        lines = wrapped(drawable(note), 0.98 * width - 2 * _MARGIN, NOTE_SIZE) if note else []
        self.whole = height + (_NOTE_SPACE + _NOTE_LINE * len(lines) + _MARGIN if lines else 0)
        self.figure: Figure = Figure(figsize=(width, self.whole))
        for place, line in enumerate(lines):
            top = height + _NOTE_SPACE + _NOTE_LINE * place
            self.text(_MARGIN, top, line, size=NOTE_SIZE, color="#5b6472", va="top")

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        """Add axes; their labels stand outside of this rectangle."""
        return self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.whole,
                width / self.width,
                height / self.whole,
            )
        )

    def text(self, left: float, top: float, text: str, *, size: float, **style: Any) -> None:  # noqa: ANN401
        """Write a text that was made ``drawable``."""
        style = {"color": INK, **style}
        self.figure.text(left / self.width, 1 - top / self.whole, text, fontsize=size, **style)


def clean(axes: "Axes", *, sides: Sequence[str] = ("left", "bottom")) -> None:
    """Draw axes with few lines."""
    axes.spines[[side for side in ("left", "right", "top", "bottom") if side not in sides]].set_visible(False)
    axes.tick_params(length=2, width=0.5, color=QUIET, labelcolor=INK, labelsize=NOTE_SIZE, pad=2)


def rounded_ticks(axis: "Axis", count: int = 3) -> None:
    """Give an axis few ticks at round numbers, which stand inside it."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}".replace("-", "−")))


def key_height(names: Sequence[str], width: float) -> float:
    """Return the inches of a key that numbers names from 1."""
    return _KEY_LINE * -(-len(names) // _key_columns(names, width)) + 2 * _KEY_SPACE


def draw_key(canvas: Canvas, names: Sequence[str], top: float, width: float, left: float = 0.0) -> None:
    """Number names from 1, in columns that are read downwards.

    Args:
        canvas: Where.
        names: Made ``drawable``.
        top: Inches.
        width: Inches.
        left: Inches.
    """
    across = _key_columns(names, width)
    down = -(-len(names) // across)
    for place, name in enumerate(names):
        column, line = divmod(place, down)
        x, y = left + column * width / across, top + _KEY_SPACE + _KEY_LINE * (line + 0.5)
        canvas.text(x + 0.18, y, str(place + 1), size=NOTE_SIZE, ha="right", va="center", fontweight="bold")
        canvas.text(x + 0.25, y, name, size=NOTE_SIZE, va="center")


def _key_columns(names: Sequence[str], width: float) -> int:
    return max(1, min(len(names), int(width / (max(text_widths(names, NOTE_SIZE)) + 0.4))))
