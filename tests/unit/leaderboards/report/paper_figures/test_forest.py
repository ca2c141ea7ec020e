"""The forest plot: differences recomputed from the scores, the reference, and what it draws."""

import numpy as np
import pytest
from drawn_systems import COLUMNS, drawn_systems, labels_of_items, values_by_system
from scored_systems import TRUTH

from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.suite import Column
from anisora.leaderboards.report.figure_style import figure_style
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.forest import Forest, data_of, draw

SAY = FigureWords("en")
MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}
METRICS = ["sharpness", "flicker", "flow"]
LABELS = labels_of_items(24, 8)


def forest(**fields) -> Forest:
    made = data_of(drawn_systems(**fields).report(), SAY)
    assert isinstance(made, Forest), made
    return made


@pytest.mark.parametrize("reference", [TRUTH, "alpha"])
def test_differences_are_those_of_the_scores_with_their_interval(reference: str) -> None:
    means = {name: mean for name, mean in MEANS.items() if reference == TRUTH or name != TRUTH}
    made = forest(means=means)
    assert made.reference.label == reference
    names = [name for name in means if name not in (reference, TRUTH)]
    assert [system.label for system in made.systems] == names
    scores = values_by_system(means, METRICS, list(LABELS))
    for panel in made.panels:
        for name, found in zip(names, panel.differences, strict=True):
            mine, theirs = scores[name][panel.axis.metric], scores[reference][panel.axis.metric]
            wanted = [mine[item] - theirs[item] for item in LABELS]
            estimate = clustered_mean(wanted, list(LABELS.values()))
            assert found is not None
            assert found.value == pytest.approx(np.mean(wanted))
            assert (found.low, found.high) == (pytest.approx(estimate.low), pytest.approx(estimate.high))
            assert found.items == 24


def test_verdicts_follow_the_direction_and_the_interval() -> None:
    made = forest(means={"far above": 0.9, "near": 0.5, TRUTH: 0.5})
    verdicts = {panel.axis.metric: [each.verdict for each in panel.differences] for panel in made.panels}
    assert verdicts == {
        "sharpness": ["better", "alike"],
        "flicker": ["worse", "alike"],
        "flow": ["worse", "alike"],
    }
    assert list(made.verdicts) == ["better", "worse", "alike"]
    assert "to differ from it is to be worse" in made.note


def test_without_ground_truth_nothing_is_better_by_a_metric_that_needs_it() -> None:
    made = forest(means={"alpha": 0.1, "beta": 0.9})
    assert {panel.axis.metric: panel.differences[0].verdict for panel in made.panels} == {
        "sharpness": "better",
        "flicker": "worse",
        "flow": "unknown",
    }


def test_without_six_clusters_there_is_a_difference_and_no_interval() -> None:
    made = forest(labels=5)
    for panel in made.panels:
        for effect in panel.differences:
            assert (effect.low, effect.high, effect.verdict) == (None, None, "unknown")
    with figure_style():
        figure = draw(made)
    assert [text.get_text() for text in figure.legends[0].texts] == ["no interval, or no direction"]


def test_what_a_system_lacks_is_empty_and_a_column_without_any_is_no_panel() -> None:
    nobody = {(model, "flicker"): {} for model in ("alpha", "beta", "gamma")}
    made = forest(changed={**nobody, ("beta", "flow"): {}})
    assert [panel.axis.metric for panel in made.panels] == ["sharpness", "flow"]
    assert [effect is None for effect in made.panels[1].differences] == [False, True, False]


def test_a_table_of_one_system_has_no_forest() -> None:
    made = data_of(drawn_systems(means={"alpha": 0.5}).report(), SAY)
    assert made == Omission(figure="forest", reason=SAY("forest_omitted"))


def test_a_page_has_room_for_so_many_columns_and_systems_and_the_figure_says_so() -> None:
    columns = tuple(Column(metric=f"m{at:02}", header=f"M{at}") for at in range(18))
    means = {f"s{at:02}": 0.01 * at for at in range(22)} | {TRUTH: 0.5}
    made = forest(means=means, columns=columns, items=8)
    assert [panel.axis.label for panel in made.panels] == [f"M{at} ↑" for at in range(16)]
    assert len(made.systems) == 12
    assert "The best 12 of 22 systems are shown" in made.note
    assert "The first 16 of 18 columns are shown." in made.note


def test_the_fewer_columns_the_more_systems_and_all_fit_a_page() -> None:
    means = {f"s{at:02}": 0.01 * at for at in range(22)} | {TRUTH: 0.5}
    for count, systems in ((4, 20), (12, 17), (16, 12)):
        columns = tuple(Column(metric=f"m{at:02}", header=f"M{at}") for at in range(count))
        made = forest(means=means, columns=columns, items=8)
        assert len(made.systems) == systems
        with figure_style():
            assert draw(made).get_size_inches()[1] < 9.5


def test_points_and_intervals_stand_where_the_numbers_are() -> None:
    made = forest()
    with figure_style():
        figure = draw(made)
    assert [panel.get_title() for panel in figure.axes] == ["Sharp ↑", "Flicker ↓", "Flow →"]
    for axes, panel in zip(figure.axes, made.panels, strict=True):
        scale = panel.axis.scale
        points = [line for line in axes.lines if line.get_marker() in ("^", "v", "o", "x")]
        for place, (point, effect) in enumerate(zip(points, panel.differences, strict=True)):
            assert (list(point.get_xdata()), list(point.get_ydata())) == ([effect.value * scale], [place])
        ends = [[effect.low * scale, effect.high * scale] for effect in panel.differences]
        assert [list(line.get_xdata()) for line in axes.lines if list(line.get_xdata()) in ends] == ends
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["alpha", "beta", "gamma"]
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == [""] * 3


def test_many_columns_are_shared_out_over_even_lines() -> None:
    columns = tuple(Column(metric=f"m{at}", header=f"M{at}") for at in range(5))
    with figure_style():
        figure = draw(forest(columns=columns, items=8))
    heights = [axes.get_position().y0 for axes in figure.axes]
    assert [heights.count(height) for height in dict.fromkeys(heights)] == [3, 2]


def test_columns_of_the_data_are_those_of_the_table() -> None:
    made = forest()
    for panel, column in zip(made.panels, COLUMNS, strict=True):
        assert (panel.axis.metric, panel.axis.scale, panel.axis.decimals) == (
            column.metric,
            column.scale,
            column.decimals,
        )
