"""Writes the figures of a paper, each with the data that it is drawn from, and draws them again from those."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.runfolder import write_atomically
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import check_fonts
from anisora.leaderboards.report.paper_figures import (
    critical_difference,
    filmstrip,
    forest,
    heat_map,
    pareto,
    radar,
    style_table,
)
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.figure_file import Drawing, read_figure, save_drawing, write_figure
from anisora.leaderboards.report.paper_figures.filmstrip import Filmstrip
from anisora.leaderboards.typeset import markdown, plain

__all__ = ["CAPTIONS", "PaperFigures", "paper_figures", "replot", "save_paper_figures", "write_figures"]

CAPTIONS: Final = "captions.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFigures:
    """What a paper's figures are drawn from."""

    drawings: tuple[tuple[str, Drawing], ...]
    """(name of the files, data)"""
    omissions: tuple[Omission, ...]
    """Figures that the report cannot have, with the reason."""


def paper_figures(
    data: ReportData,
    *,
    language: str = "en",
    trade_off: tuple[str, str] | None = None,
    by_label: str | None = None,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> PaperFigures:
    """Return the data of every figure that a report can have.

    Args:
        data: The report.
        language: Of the texts: ``en`` or ``zh``.
        trade_off: Metrics of the trade-off, across and up; one of motion and one of consistency by default.
        by_label: The metric of the heat map; that of the first column by default.
        workers: Clips in work at a time.
        advance: Called once per clip.

    Raises:
        ConfigError: The language is not known.
        UnknownNameError: A metric is not in the table.
    """
    say = FigureWords(language)
    data = data.in_language(language)
    films = filmstrip.data_of(data, say, workers=workers, advance=advance)
    made: list[tuple[str, Drawing | Omission]] = [
        ("radar", radar.data_of(data, say)),
        ("forest", forest.data_of(data, say)),
        ("critical-difference", critical_difference.data_of(data, say)),
        ("pareto", pareto.data_of(data, say, trade_off)),
        ("heat-map", heat_map.data_of(data, say, by_label)),
        ("styles", style_table.data_of(data, say)),
        *((f"filmstrip-{film.kind}" if isinstance(film, Filmstrip) else "filmstrip", film) for film in films),
    ]
    return PaperFigures(
        drawings=tuple((name, each) for name, each in made if not isinstance(each, Omission)),
        omissions=tuple(each for _, each in made if isinstance(each, Omission)),
    )


def save_paper_figures(
    folder: Path,
    data: ReportData,
    *,
    language: str = "en",
    trade_off: tuple[str, str] | None = None,
    by_label: str | None = None,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write every figure that a report can have, and return the files.

    Each is a PDF, an SVG and a PNG, the table of styles Markdown, LaTeX and CSV, and beside each lies a JSON file of
    what is drawn. ``captions.md`` has a caption for each, and says which are left out and why.

    Args:
        folder: Made if it is not there; files of an earlier report are replaced.
        data: The report.
        language: Of the texts: ``en`` or ``zh``.
        trade_off: Metrics of the trade-off, across and up; one of motion and one of consistency by default.
        by_label: The metric of the heat map; that of the first column by default.
        workers: Clips in work at a time.
        advance: Called once per clip.

    Raises:
        ConfigError: The language is not known, or no font of this machine has its letters.
        DataError: The folder cannot be written.
        UnknownNameError: A metric is not in the table.
    """
    check_fonts(language)
    made = paper_figures(
        data, language=language, trade_off=trade_off, by_label=by_label, workers=workers, advance=advance
    )
    return write_figures(folder, made, language=language)


def write_figures(folder: Path, made: PaperFigures, *, language: str = "en") -> list[Path]:
    """Write figures, the data of each and ``captions.md``, and return the files.

    Args:
        folder: Made if it is not there; files of an earlier report are replaced.
        made: From ``paper_figures``.
        language: Of the captions: ``en`` or ``zh``.

    Raises:
        ConfigError: No font of this machine has the letters of the language.
        DataError: The folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, drawing in made.drawings:
            write_figure(folder / f"{name}.json", drawing)
            written += [folder / f"{name}.json", *save_drawing(drawing, folder, name)]
        with write_atomically(folder / CAPTIONS, "report") as file:
            file.write(_captions(made, FigureWords(language)).encode())
    except OSError as error:
        raise _unwritable(folder, error) from error
    return [*written, folder / CAPTIONS]


def _captions(made: PaperFigures, say: FigureWords) -> str:
    lines = [f"# {say('captions')}", ""]
    for name, drawing in made.drawings:
        lines += [f"**{name}** {markdown(drawing.title)}{say('stop')}{markdown(drawing.note)}", ""]
    if made.omissions:
        lines += [f"## {say('left_out')}", ""]
        lines += [f"* {markdown(omission.reason)}" for omission in made.omissions]
    return "\n".join(lines).rstrip() + "\n"


def replot(paths: Sequence[Path], out: Path) -> list[Path]:
    """Draw figures again from their data, and return the pictures.

    Args:
        paths: JSON files that ``save_paper_figures`` wrote, changed or not, of different names.
        out: Made if it is not there; pictures take the names of the files.

    Raises:
        ConfigError: Two files have one name, or no font of this machine has the letters of a figure's language.
        DataError: A file is not the data of a figure, or the folder cannot be written.
    """
    twice = _first_twice(path.stem for path in paths)
    if twice is not None:
        raise ConfigError(f"`FILE` got two files of the name {plain(twice)!r}; draw them into different folders.")
    drawings = [(path.stem, read_figure(path)) for path in paths]
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, drawing in drawings:
            written += save_drawing(drawing, out, name)
    except OSError as error:
        raise _unwritable(out, error) from error
    return written


def _first_twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"The figures cannot be written to `{folder}`: {error.strerror or error}; choose another folder with --out."
    )
