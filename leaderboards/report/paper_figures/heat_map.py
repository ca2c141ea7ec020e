"""One column by label of the items: labels by systems, as a heat map."""

from collections.abc import Mapping
from math import fsum
from typing import TYPE_CHECKING, Final, Literal

from pydantic import model_validator

from anisora.harness.errors import UnknownNameError
from anisora.leaderboards.pairing import rows_by_metric, values_of
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import (
    COLUMN_WIDTH,
    INK,
    NOTE_SIZE,
    TEXT_WIDTH,
    drawable,
    fitting_size,
    text_widths,
)
from anisora.leaderboards.report.paper_figures.canvas import Canvas, rounded_ticks
from anisora.leaderboards.report.paper_figures.figure_data import (
    MOST_SYSTEMS,
    Axis,
    FigureData,
    FigureWords,
    Number,
    Omission,
    Part,
    Parts,
    System,
    axis_of,
    best_rows,
    note_on_choice,
    systems_of,
)
from anisora.leaderboards.typeset import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

__all__ = ["MOST_LABELS", "HeatCell", "HeatLabel", "HeatMap", "data_of", "draw"]

MOST_LABELS: Final = 60
"""What a page has room for."""
_TALLEST, _HIGHEST_ROW, _WIDEST_CELL, _NARROWEST_CELL = 7.6, 0.2, 0.62, 0.4  # inches
_BAR, _BAR_SPACE = 0.1, 0.5  # inches
_LONGEST_NAME, _LONGEST_LABEL = 1.5, 1.2  # inches
_SMALLEST_NUMBER: Final = 4.5  # points
_ABSENT: Final = "#f2f2f2"


class HeatCell(Part):
    """One system in one label, in natural units."""

    value: Number
    """The mean over the items, or that of the differences from the ground truth."""
    items: int
    """Items that entered."""


class HeatLabel(Part):
    """A line of the map."""

    label: str
    cells: tuple[HeatCell | None, ...]
    """Of each system; None where nothing was scored."""


class HeatMap(FigureData):
    """Labels by systems."""

    figure: Literal["heat_map"] = "heat_map"
    axis: Axis
    is_difference: bool
    """Whether cells are differences from the ground truth, paired by item."""
    systems: Parts[System]
    labels: Parts[HeatLabel]
    limits: tuple[Number, Number]
    """Natural values at the ends of the colours."""
    bar: str
    """What the colours say."""

    @model_validator(mode="after")
    def _labels_have_all_systems(self) -> "HeatMap":
        if not self.labels or any(len(label.cells) != len(self.systems) for label in self.labels):
            raise ValueError(f"expected {len(self.systems)} cells in every label, one for each system")
        if not self.limits[0] < self.limits[1]:
            raise ValueError("expected the first of `limits` below the second")
        return self


def data_of(data: ReportData, say: FigureWords, metric: str | None = None) -> HeatMap | Omission:
    """Return what a heat map shows.

    Args:
        data: The report.
        say: The language.
        metric: A column of the table; the first when left out.

    Raises:
        UnknownNameError: It is not in the table.
    """
    table = data.table
    column = next((each for each in table.columns if metric in (None, each.metric)), None)
    if column is None:
        known = [each.metric for each in table.columns]
        raise UnknownNameError("column", metric or "", known, f"The table has: {', '.join(known)}.")
    rows = [row for row in best_rows(table, MOST_SYSTEMS) if not row.reference]
    truth = next((row for row in table.rows if row.reference), None)
    label_of = {row.item_id: row.cluster for scored in data.scores.values() for row in scored}
    values = {run: values_of(rows_by_metric(scored).get(column.metric, [])) for run, scored in data.scores.items()}
    true = values.get(truth.run_id, {}) if truth is not None else {}
    sizes: dict[str, int] = {}
    for label in label_of.values():
        sizes[label] = sizes.get(label, 0) + 1
    if not 1 < len(sizes) < len(label_of):
        return Omission(figure="heat_map", reason=say("heat_omitted"))
    largest = sorted(sizes, key=lambda label: (-sizes[label], label))[:MOST_LABELS]
    rows = [row for row in rows if values[row.run_id]]
    systems = systems_of(table)
    labels = tuple(
        HeatLabel(
            label=plain(label),
            cells=tuple(_cell(values[row.run_id], true, [i for i in label_of if label_of[i] == label]) for row in rows),
        )
        for label in sorted(largest)
    )
    found = [cell.value for label in labels for cell in label.cells if cell is not None]
    if not found:
        return Omission(figure="heat_map", reason=say("heat_omitted"))
    axis = axis_of(column)
    return HeatMap(
        language=say.language,
        suite=table.suite_key,
        title=say("heat_title", column=axis.label),
        note=say("space").join(
            [
                say("heat_difference" if true else "heat_value", column=axis.label),
                *([say("heat_labels", shown=MOST_LABELS, labels=len(sizes))] if len(sizes) > MOST_LABELS else []),
                *note_on_choice(table, say, MOST_SYSTEMS),
            ]
        ),
        axis=axis,
        is_difference=bool(true),
        systems=tuple(systems[row.run_id] for row in rows),
        labels=labels,
        limits=_limits(found, is_difference=bool(true)),
        bar=say(f"heat_bar_{axis.direction}" if true and axis.direction else "heat_bar"),
    )


def _cell(mine: Mapping[str, float], true: Mapping[str, float], items: list[str]) -> HeatCell | None:
    """Return the mean of a label, or of its differences where there is ground truth."""
    found = [
        mine[item] - (true[item] if true else 0.0) for item in items if item in mine and (not true or item in true)
    ]
    return HeatCell(value=fsum(found) / len(found), items=len(found)) if found else None


def _limits(values: list[float], *, is_difference: bool) -> tuple[float, float]:
    if is_difference:
        reach = max(map(abs, values)) or 1.0
        return -reach, reach
    return (min(values), max(values)) if min(values) < max(values) else (min(values) - 0.5, max(values) + 0.5)


def draw(data: HeatMap) -> "Figure":
    """Draw labels downwards and systems across, with numbers in the cells that have room for them."""
    import numpy as np
    from matplotlib.colors import Normalize

    labels = [drawable(label.label) for label in data.labels]
    names = [drawable(system.label) for system in data.systems]
    label_size = fitting_size(labels, _LONGEST_LABEL, NOTE_SIZE + 0.5)
    name_size = fitting_size(names, _LONGEST_NAME, NOTE_SIZE + 0.5)
    left = max(text_widths(labels, label_size)) + 0.15
    slanted = max(text_widths(names, name_size))
    head = 0.8 * slanted + 0.17
    over = 0.62 * slanted + 0.05  # what the last name reaches beyond the map
    right = max(over, _BAR_SPACE + 0.3)
    width = COLUMN_WIDTH if (COLUMN_WIDTH - left - right) / len(names) > _NARROWEST_CELL else TEXT_WIDTH
    wide = min(_WIDEST_CELL * len(names), width - left - right)
    row = min(_HIGHEST_ROW, _TALLEST / len(labels))
    tall = row * len(labels)
    canvas = Canvas(width, head + tall + 0.1, data.note)
    axes = canvas.axes(left, head, wide, tall)
    values = np.array(
        [[np.nan if cell is None else cell.value * data.axis.scale for cell in label.cells] for label in data.labels]
    )
    low, high = sorted(limit * data.axis.scale for limit in data.limits)
    norm, colours = Normalize(low, high), _colours(data)
    axes.set_facecolor(_ABSENT)
    mesh = axes.pcolormesh(np.ma.masked_invalid(values), cmap=colours, norm=norm, edgecolors="#ffffff", linewidth=0.6)
    axes.set_ylim(len(labels), 0)
    axes.set_yticks([place + 0.5 for place in range(len(labels))], labels, fontsize=label_size)
    axes.set_xticks(
        [place + 0.5 for place in range(len(names))],
        names,
        fontsize=name_size,
        rotation=52,
        ha="left",
        rotation_mode="anchor",
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=2, labelcolor=INK)
    axes.spines[:].set_visible(False)
    _write_numbers(axes, data, colours, norm, (wide / len(names), row))
    _draw_bar(canvas, data, mesh, left + wide + 0.18, head, min(tall, 1.8))
    return canvas.figure


def _colours(data: HeatMap) -> "Colormap":
    """Return worse to better as orange to blue, or less to more as light to dark."""
    from matplotlib.colors import LinearSegmentedColormap

    if not data.is_difference:
        return LinearSegmentedColormap.from_list("values", ["#f5f9fd", "#9dc3e0", "#1c5f99", "#0b2a4a"])
    ends = ["#b45309", "#f3b27a", "#fbfbfb", "#92c1e0", "#1c5f99"]
    return LinearSegmentedColormap.from_list("differences", ends[::-1] if data.axis.direction == "lower" else ends)


def _write_numbers(
    axes: "Axes", data: HeatMap, colours: "Colormap", norm: "Normalize", cell: tuple[float, float]
) -> None:
    """Write the value of each cell, if all are large enough to be read."""
    texts = {
        (down, right): _number(data, found.value)
        for down, label in enumerate(data.labels)
        for right, found in enumerate(label.cells)
        if found is not None
    }
    size = min(fitting_size(list(texts.values()), cell[0] - 0.05, NOTE_SIZE), 72 * cell[1] / 1.25)
    if size < _SMALLEST_NUMBER:
        return
    for (down, right), text in texts.items():
        found = data.labels[down].cells[right]
        assert found is not None
        red, green, blue, _ = colours(norm(found.value * data.axis.scale))
        is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        axes.text(
            right + 0.5,
            down + 0.5,
            text,
            fontsize=size,
            color="#ffffff" if is_dark else INK,
            ha="center",
            va="center_baseline",
        )


def _number(data: HeatMap, value: float) -> str:
    text = data.axis.printed(value)
    is_more = data.is_difference and not text.startswith("−") and float(text) != 0
    return f"+{text}" if is_more else text


def _draw_bar(canvas: Canvas, data: HeatMap, mesh: "QuadMesh", left: float, top: float, tall: float) -> None:
    bar = canvas.axes(left, top, _BAR, tall)
    canvas.figure.colorbar(mesh, cax=bar)
    bar.set_ylabel(drawable(data.bar), fontsize=NOTE_SIZE, color=INK, labelpad=3)
    bar.tick_params(length=2, width=0.5, labelsize=NOTE_SIZE, labelcolor=INK, pad=2)
    rounded_ticks(bar.yaxis, 4)
    for spine in bar.spines.values():
        spine.set_linewidth(0.4)
