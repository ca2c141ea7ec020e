"""The heat map: cells recomputed from the scores, and what it draws."""

import numpy as np
import pytest
from drawn_systems import COLUMNS, drawn_systems, labels_of_items, values_by_system
from scored_systems import TRUTH

from anisora.harness.errors import UnknownNameError
from anisora.leaderboards.report.figure_style import figure_style
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.heat_map import MOST_LABELS, HeatMap, data_of, draw

SAY = FigureWords("en")
MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}
METRICS = ["sharpness", "flicker", "flow"]
LABELS = labels_of_items(24, 8)


def heat_map(metric: str | None = None, **fields) -> HeatMap:
    made = data_of(drawn_systems(**fields).report(), SAY, metric)
    assert isinstance(made, HeatMap), made
    return made


@pytest.mark.parametrize(("metric", "with_truth"), [(None, True), ("flicker", True), ("sharpness", False)])
def test_cells_are_means_of_differences_or_of_values_by_label(metric: str | None, with_truth: bool) -> None:
    means = {name: mean for name, mean in MEANS.items() if with_truth or name != TRUTH}
    made = heat_map(metric, means=means)
    name = metric or "sharpness"
    scores = values_by_system(means, METRICS, list(LABELS))
    assert [label.label for label in made.labels] == [f"label-{at}" for at in range(8)]
    assert [system.label for system in made.systems] == ["alpha", "beta", "gamma"]
    for label in made.labels:
        items = [item for item in LABELS if LABELS[item] == label.label]
        for system, cell in zip(made.systems, label.cells, strict=True):
            mine = [scores[system.label][name][item] for item in items]
            base = [scores[TRUTH][name][item] for item in items] if with_truth else [0.0] * len(items)
            assert cell is not None
            assert cell.value == pytest.approx(np.mean(np.subtract(mine, base)))
            assert cell.items == 3
    values = [cell.value for label in made.labels for cell in label.cells]
    reach = max(map(abs, values))
    assert made.limits == ((-reach, reach) if with_truth else (min(values), max(values)))
    assert made.is_difference == with_truth


def test_items_that_one_side_lacks_do_not_enter() -> None:
    some = dict.fromkeys([item for item in LABELS if LABELS[item] != "label-3"][2:], 0.5)
    made = heat_map(changed={("alpha", "sharpness"): some})
    cells = {label.label: label.cells[0] for label in made.labels}
    assert cells["label-3"] is None
    assert {name: cell.items for name, cell in cells.items() if cell} == {
        f"label-{at}": 2 if at < 2 else 3 for at in range(8) if at != 3
    }


def test_a_system_without_the_column_has_no_place() -> None:
    assert [system.label for system in heat_map("flow", changed={("beta", "flow"): {}}).systems] == ["alpha", "gamma"]


@pytest.mark.parametrize(
    ("metric", "bar"),
    [
        ("sharpness", "worse ← difference → better"),
        ("flicker", "better ← difference → worse"),
        ("flow", "less ← difference → more"),
    ],
)
def test_colours_say_what_is_better(metric: str, bar: str) -> None:
    made = heat_map(metric, means={"high": 0.9, TRUTH: 0.5})
    assert made.bar == bar
    with figure_style():
        axes = draw(made).axes[0]
    red, _, blue, _ = axes.collections[0].get_cmap()(1.0)  # the colour of the highest value
    assert (blue > red) == (metric != "flicker")


@pytest.mark.parametrize("labels", [1, 24])
def test_without_labels_that_items_share_there_is_no_map(labels: int) -> None:
    made = data_of(drawn_systems(labels=labels).report(), SAY)
    assert made == Omission(figure="heat_map", reason=SAY("heat_omitted"))


def test_a_column_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Column 'sharpnes' is not known"):
        data_of(drawn_systems().report(), SAY, "sharpnes")


def test_a_page_has_room_for_so_many_labels_and_the_figure_says_so() -> None:
    made = heat_map(items=150, labels=70)
    assert len(made.labels) == MOST_LABELS
    assert {label.label for label in made.labels} >= {f"label-{at}" for at in range(10)}  # those of three items
    assert f"The {MOST_LABELS} of 70 labels that have most items are shown." in made.note


def test_cells_are_drawn_in_place_with_their_numbers() -> None:
    made = heat_map()
    with figure_style():
        figure = draw(made)
    axes = figure.axes[0]
    values = axes.collections[0].get_array()
    assert values.tolist() == [[cell.value * 100 for cell in label.cells] for label in made.labels]
    numbers = [text.get_text().replace("−", "-") for text in axes.texts]
    assert numbers == [f"{100 * cell.value:+.1f}" for label in made.labels for cell in label.cells]
    assert [text.get_text() for text in axes.get_yticklabels()] == [label.label for label in made.labels]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["alpha", "beta", "gamma"]


def test_a_cell_without_a_score_is_empty() -> None:
    some = {item: 0.5 for item in LABELS if LABELS[item] != "label-3"}
    with figure_style():
        axes = draw(heat_map(changed={("alpha", "sharpness"): some})).axes[0]
    assert np.argwhere(np.ma.getmaskarray(axes.collections[0].get_array())).tolist() == [[3, 0]]
    assert len(axes.texts) == 8 * 3 - 1


def test_numbers_without_room_are_left_out() -> None:
    means = {f"m{at:02}": 0.4 + 0.01 * at for at in range(20)} | {TRUTH: 0.5}
    wide = tuple(column.model_copy(update={"scale": 1e6}) for column in COLUMNS)
    with figure_style():
        axes = draw(heat_map(means=means, columns=wide)).axes[0]
    assert len(axes.texts) == 0
