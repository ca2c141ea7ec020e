"""The data of figures as files, from which the same pictures are drawn again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import missing_path, shortened, unreadable_path
from anisora.harness.runfolder import write_atomically
from anisora.leaderboards.report.figure_style import figure_style, save_figure
from anisora.leaderboards.report.paper_figures import (
    critical_difference,
    filmstrip,
    forest,
    heat_map,
    pareto,
    radar,
    style_table,
)
from anisora.leaderboards.report.paper_figures.critical_difference import CriticalDifference
from anisora.leaderboards.report.paper_figures.filmstrip import Filmstrip
from anisora.leaderboards.report.paper_figures.forest import Forest
from anisora.leaderboards.report.paper_figures.heat_map import HeatMap
from anisora.leaderboards.report.paper_figures.pareto import Pareto
from anisora.leaderboards.report.paper_figures.radar import Radar
from anisora.leaderboards.report.paper_figures.style_table import StyleTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawing", "Picture", "draw_figure", "read_figure", "save_drawing", "write_figure"]

Picture = Radar | Forest | CriticalDifference | Pareto | HeatMap | Filmstrip
"""The data of a figure that is a picture."""
Drawing = Picture | StyleTable
"""The data of a figure."""

_DOTS: Final = 200
_MOST_BYTES: Final = 64 << 20
_READER: Final[TypeAdapter[Drawing]] = TypeAdapter(Annotated[Drawing, Field(discriminator="figure")])


def write_figure(path: Path, data: Drawing) -> None:
    """Write the data of a figure as JSON; equal data give equal bytes."""
    with write_atomically(path, "report") as file:
        file.write((data.model_dump_json(indent=1) + "\n").encode())


def read_figure(path: Path) -> Drawing:
    """Read what ``write_figure`` wrote.

    Raises:
        DataError: There is no such file, it cannot be read, or it is not the data of a figure.
    """
    if not path.is_file():
        raise missing_path(path, "the data of a figure")
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise DataError(f"`{path}` has {size} bytes; expected the data of a figure, at most {_MOST_BYTES}.")
        return _READER.validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise unreadable_path(path, error) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"`{path}` is not the data of a figure: `{where}` got {shortened(first.get('input'))}: {first['msg']}; "
            "name a JSON file that stands beside a figure."
        ) from error


def save_drawing(data: Drawing, folder: Path, name: str) -> list[Path]:
    """Draw a figure into files and return them: PNG, SVG and PDF, or Markdown, LaTeX and CSV of a table.

    Args:
        data: What is drawn.
        folder: There already.
        name: Of the files, without suffix.

    Raises:
        ConfigError: No font of this machine has the letters of its language.
        DataError: The pictures in it cannot be read.
    """
    if isinstance(data, StyleTable):
        return style_table.save(data, folder, name)
    with figure_style(data.language):
        return save_figure(draw_figure(data), folder, name, dots=_DOTS)


def draw_figure(data: Picture) -> "Figure":
    """Draw a figure; it is saved while the ``figure_style`` of its language still lasts.

    Raises:
        DataError: The pictures in it cannot be read.
    """
    match data:
        case Radar():
            return radar.draw(data)
        case Forest():
            return forest.draw(data)
        case CriticalDifference():
            return critical_difference.draw(data)
        case Pareto():
            return pareto.draw(data)
        case HeatMap():
            return heat_map.draw(data)
        case Filmstrip():
            return filmstrip.draw(data)
