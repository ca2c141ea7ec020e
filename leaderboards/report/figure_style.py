"""How all figures look: sizes, fonts and colours; and how they become files. Equal figures give equal files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import ConfigError
from anisora.leaderboards.typeset import display_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLUMN_WIDTH",
    "FORMATS",
    "GRID",
    "INK",
    "NOTE_SIZE",
    "QUIET",
    "TEXT_WIDTH",
    "TRUTH",
    "check_fonts",
    "drawable",
    "figure_style",
    "fitting_size",
    "save_figure",
    "text_widths",
    "wrapped",
]

FORMATS: Final = ("png", "svg", "pdf")
COLUMN_WIDTH: Final = 3.3
"""Inches of one column of a paper of two."""
TEXT_WIDTH: Final = 6.8
"""Inches of both."""
INK, QUIET, GRID, TRUTH = "#1d2330", "#8a93a3", "#e6e9ee", "#c2410c"
NOTE_SIZE: Final = 6.0
"""Points of the smallest text."""

_FONT: Final = "DejaVu Sans"  # comes with matplotlib
_CHINESE: Final = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
)
_NEVER_FIRST: Final = "，。；：、）” "
"""What does not begin a line."""
_SETTINGS: Final[dict[Any, Any]] = {
    "font.size": 8,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.6,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-9, 9),  # powers of ten are mathematics, which is not parsed
    "text.hinting": "none",  # letters are as wide in every format and size
    "text.parse_math": False,  # a dollar in a name is a dollar
    "svg.fonttype": "none",
    "svg.hashsalt": "anisora",
    "pdf.fonttype": 42,  # TrueType, which journals ask for
}


@contextmanager
def figure_style(language: str = "en") -> Iterator[None]:
    """Draw in the style of all figures while the context lasts.

    Args:
        language: Whose letters the fonts must have: ``en`` or ``zh``.

    Raises:
        ConfigError: No font of this machine has Chinese letters.
    """
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcParams.update({**_SETTINGS, "font.family": [_FONT, *([_chinese_font()] if language == "zh" else [])]})
        yield


def check_fonts(language: str) -> None:
    """Refuse a language whose letters no font of this machine has, before anything is read or drawn.

    Raises:
        ConfigError: There is no such font.
    """
    if language == "zh":
        _chinese_font()


def _chinese_font() -> str:
    """Return the family of a font with Chinese letters."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    def known() -> str | None:
        names = set(fontManager.get_font_names())
        return next((family for family in _CHINESE if family in names), None)

    found = known()
    if found is None:  # matplotlib remembers the fonts of its first day; one may have been installed since
        for path in sorted(findSystemFonts()):
            if "cjk" in Path(path).name.lower():
                fontManager.addfont(path)
        found = known()
    if found is None:
        raise ConfigError(
            "`--lang` got 'zh', and no font on this machine has Chinese letters; expected one of "
            f"{', '.join(_CHINESE)}; "
            'install one, such as by "apt install fonts-noto-cjk", or draw with --lang en.'
        )
    return found


def drawable(text: str) -> str:
    """Escape the characters that the fonts in use lack, and line ends; they would be drawn as boxes."""
    import matplotlib as mpl
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in mpl.rcParams["font.family"]]

    def has(char: str) -> bool:
        return char.isprintable() and any(font.get_char_index(ord(char)) for font in fonts)

    return "".join(char if has(char) else ascii(char)[1:-1] for char in text)


def text_widths(texts: Sequence[str], size: float) -> list[float]:
    """Return the widths of texts in inches, at a size in points, in the fonts in use."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=360)
    FigureCanvasAgg(figure)
    return [figure.text(0, 0, text, fontsize=size).get_window_extent().width / 360 for text in texts]


def fitting_size(texts: Sequence[str], width: float, size: float) -> float:
    """Return a size in points, at most ``size``, at which no text is wider than ``width`` inches."""
    widest = max(text_widths(texts, size), default=0.0)
    return size if widest <= width else size * width / widest


def wrapped(text: str, width: float, size: float) -> list[str]:
    """Break a text into lines, at spaces and between letters that are as wide as Chinese ones.

    Args:
        text: One paragraph.
        width: Inches.
        size: Points.
    """
    parts: list[str] = []
    for char in text:
        if parts and (_holds_on(parts[-1][-1], char) or char in _NEVER_FIRST):
            parts[-1] += char
        else:
            parts.append(char)
    lines, taken = [""], 0.0
    for part, wide in zip(parts, text_widths(parts, size), strict=True):
        if lines[-1] and taken + wide > width:
            lines.append("")
            taken = 0.0
        lines[-1] += part
        taken += wide
    return [line.rstrip() for line in lines]


def _holds_on(before: str, char: str) -> bool:
    """Tell whether two letters belong to one word."""
    return before != " " and display_width(before) < 2 and display_width(char) < 2


def save_figure(figure: "Figure", folder: Path, name: str, *, dots: int) -> list[Path]:
    """Write a figure in every format and return the files; nothing in them tells when or where.

    Args:
        figure: Drawn in ``figure_style``, which still lasts.
        folder: There already.
        name: Of the files, without suffix.
        dots: Of a PNG, for each inch.
    """
    written = []
    for kind in FORMATS:
        path = folder / f"{name}.{kind}"
        stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        figure.savefig(path, format=kind, dpi=dots, metadata=stamp)
        figure.set_layout_engine("none")  # laid out once, the same in every format
        written.append(path)
    return written
