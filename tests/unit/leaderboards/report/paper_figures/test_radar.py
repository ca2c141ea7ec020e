"""The radar: places recomputed from the scores, which systems and columns it shows, and what it draws."""

import math

import numpy as np
import pytest
from drawn_systems import COLUMNS, drawn_systems, labels_of_items, values_by_system
from scored_systems import TRUTH

from anisora.harness.suite import Column
from anisora.leaderboards.report.figure_style import figure_style
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.radar import MOST, Radar, data_of, draw

SAY = FigureWords("en")
MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}


def radar(**fields) -> Radar:
    made = data_of(drawn_systems(**fields).report(), SAY)
    assert isinstance(made, Radar), made
    return made


def test_places_are_linear_from_the_worst_to_the_best_whatever_the_direction() -> None:
    made = radar()
    scores = values_by_system(MEANS, ["sharpness", "flicker", "flow"], list(labels_of_items(24, 8)))
    means = {
        name: {metric: np.mean(list(mine.values())) for metric, mine in all_.items()} for name, all_ in scores.items()
    }
    goodness = {
        "sharpness": {name: mine["sharpness"] for name, mine in means.items()},
        "flicker": {name: -mine["flicker"] for name, mine in means.items()},
        "flow": {name: -abs(mine["flow"] - means[TRUTH]["flow"]) for name, mine in means.items()},
    }
    assert [spoke.axis.metric for spoke in made.spokes] == ["sharpness", "flicker", "flow"]
    assert [line.system.label for line in made.lines] == ["alpha", "beta", "gamma", TRUTH]
    for at, (metric, values) in enumerate(goodness.items()):
        low, high = min(values.values()), max(values.values())
        for line in made.lines:
            name = line.system.label
            assert line.places[at] == pytest.approx((values[name] - low) / (high - low))
            assert line.values[at] == pytest.approx(abs(values[name]))
        spoke = made.spokes[at]
        assert (spoke.worst, spoke.best) == (pytest.approx(abs(low)), pytest.approx(abs(high)))
        assert spoke.is_distance == (metric == "flow")
    assert made.lines[-1].places[2] == 1.0  # the ground truth is closest to itself


def test_means_over_fewer_items_than_those_of_others_are_told() -> None:
    some = dict.fromkeys(list(labels_of_items(24, 8))[6:], 0.5)
    assert radar(changed={("beta", "flow"): some}).note.endswith("Scored on fewer items than others: beta (18 of 24).")
    assert "fewer items" not in radar().note
    everybody = {(model, "flow"): some for model in MEANS}
    assert "fewer items" not in radar(changed=everybody).note


def test_where_all_are_equal_all_are_at_the_rim() -> None:
    values = dict.fromkeys(labels_of_items(24, 8), 0.25)
    made = radar(changed={(model, "sharpness"): values for model in MEANS})
    assert [line.places[0] for line in made.lines] == [1.0] * 4


def test_a_column_that_somebody_lacks_is_no_spoke_and_is_named() -> None:
    columns = (*COLUMNS, Column(metric="ssim", header="Like <it>"))
    made = radar(columns=columns, changed={("beta", "ssim"): {}})
    assert [spoke.axis.metric for spoke in made.spokes] == ["sharpness", "flicker", "flow"]
    assert "Left out, since not all lines have them: Like <it>." in made.note


def test_without_ground_truth_a_column_that_needs_it_is_no_spoke() -> None:
    columns = (*COLUMNS, Column(metric="ssim", header="SSIM"))
    made = radar(means={"alpha": 0.4, "beta": 0.5}, columns=columns)
    assert [spoke.axis.metric for spoke in made.spokes] == ["sharpness", "flicker", "ssim"]
    assert [line.system.role for line in made.lines] == ["system"] * 2
    assert "Δ" not in made.note


def test_the_best_are_shown_where_there_are_many_and_the_figure_says_so() -> None:
    columns = tuple(Column(metric=metric, header=metric) for metric in ("sharpness", "ssim", "psnr"))
    means = {f"m{at}": 0.1 * at for at in range(9)}
    made = radar(means=means, columns=columns)
    assert [line.system.label for line in made.lines] == [f"m{at}" for at in range(3, 9)]
    assert len(made.lines) == MOST
    assert f"The best {MOST} of 9 systems are shown" in made.note
    assert "systems are shown" not in radar().note


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"columns": COLUMNS[:2]}, "the table gives 2 columns and 4 lines"),
        ({"means": {"alpha": 0.5}, "columns": COLUMNS[:2]}, "the table gives 2 columns and 1 lines"),
        ({"changed": {("beta", "flow"): {}}}, "the table gives 2 columns and 4 lines"),
    ],
)
def test_a_table_without_three_columns_and_two_lines_has_no_radar(fields: dict, said: str) -> None:
    made = data_of(drawn_systems(**fields).report(), SAY)
    assert isinstance(made, Omission)
    assert said in made.reason


def test_lines_are_drawn_where_the_places_are() -> None:
    made = radar()
    with figure_style():
        figure = draw(made)
    drawn = {line.get_label(): line for line in figure.axes[0].lines if not line.get_label().startswith("_")}
    assert list(drawn) == ["alpha", "beta", "gamma", TRUTH]
    for line in made.lines:
        across, up = drawn[line.system.label].get_data()
        radii = [math.hypot(x, y) for x, y in zip(across[:-1], up[:-1], strict=True)]
        assert radii == pytest.approx([0.2 + 0.8 * place for place in line.places])
        assert (across[0], up[0]) == (across[-1], up[-1])
    assert across[0] == pytest.approx(0, abs=1e-9)  # the first spoke points upwards, the next to the right
    assert across[1] > 0
    texts = [text.get_text() for text in figure.axes[0].texts]
    first = made.spokes[0]
    assert texts[0] == f"Sharp ↑\n{100 * first.worst:.1f} … {100 * first.best:.1f}"
    assert texts[2].startswith("Flow →\nΔ ")


def test_twelve_columns_are_spokes_and_the_figure_says_so() -> None:
    columns = [Column(metric=f"m{at}", header=f"M{at}") for at in range(15)]
    made = radar(columns=columns, changed={("alpha", "m3"): {}})
    assert [spoke.axis.metric for spoke in made.spokes] == [f"m{at}" for at in range(13) if at != 3]
    assert "Left out, since not all lines have them: M3. The first 12 of 14 columns are shown." in made.note


@pytest.mark.parametrize("count", [3, 7, 12])
def test_long_names_of_columns_stay_inside(count: int) -> None:
    columns = [Column(metric=f"m{at}", header=f"A rather long name of column {at}") for at in range(count)]
    with figure_style():
        figure = draw(radar(columns=columns))
        width, height = figure.get_size_inches() * figure.dpi
        for text in figure.axes[0].texts:
            box = text.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= width
            assert 0 <= box.y0 < box.y1 <= height
