"""The figures that stand in a paper, drawn into its folder."""

from collections.abc import Callable
from pathlib import Path

from anisora.harness.errors import ConfigError
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import check_fonts
from anisora.leaderboards.report.paper.document import PaperFigure
from anisora.leaderboards.report.paper_figures.save import paper_figures, write_figures
from anisora.leaderboards.report.paper_figures.style_table import StyleTable

__all__ = ["figures_of_paper"]


def figures_of_paper(
    data: ReportData,
    out: Path,
    *,
    language: str = "en",
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
    told: Callable[[str], object],
) -> list[PaperFigure]:
    """Draw the figures of a paper into ``out/figures`` and return those that are pictures, with their captions.

    Args:
        data: The report.
        out: Folder of the paper.
        language: Of the texts: ``en`` or ``zh``. Where no font has its letters there are no figures: what TeX sets, it
            sets with its own.
        workers: Clips in work at a time.
        advance: Called once per clip.
        told: Is told why there are none.

    Raises:
        DataError: The folder cannot be written.
    """
    try:
        check_fonts(language)
    except ConfigError as error:
        told(f"The figures are left out: {error}")
        return []
    folder = out / "figures"
    made = paper_figures(data, language=language, workers=workers, advance=advance)
    write_figures(folder, made, language=language)
    return [
        PaperFigure(path=folder / f"{name}.pdf", caption=drawing.title)
        for name, drawing in made.drawings
        if not isinstance(drawing, StyleTable)
    ]
