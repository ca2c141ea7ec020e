"""The trade-off: values and front recomputed from the scores, which columns it takes, and what it draws."""

import numpy as np
import pytest
from drawn_systems import COLUMNS, drawn_systems, labels_of_items, values_by_system
from scored_systems import TRUTH

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.registry import registry
from anisora.harness.suite import Column
from anisora.leaderboards.report.figure_style import figure_style
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.pareto import CONSISTENCY, MOTION, Pareto, data_of, draw, trade_off_of
from anisora.leaderboards.table import build_table

SAY = FigureWords("en")
MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}
TRADE_OFF = ("flow", "sharpness")


def pareto(metrics: tuple[str, str] | None = TRADE_OFF, **fields) -> Pareto:
    made = data_of(drawn_systems(**fields).report(), SAY, metrics)
    assert isinstance(made, Pareto), made
    return made


def test_values_are_those_of_the_table_and_the_front_is_that_of_brute_force() -> None:
    means = {f"m{at}": mean for at, mean in enumerate(np.random.default_rng(3).uniform(0.2, 0.8, 8))} | {TRUTH: 0.5}
    scored = drawn_systems(means=means)
    made = data_of(scored.report(), SAY, TRADE_OFF)
    assert isinstance(made, Pareto)
    values = values_by_system(means, ["sharpness", "flicker", "flow"], list(labels_of_items(24, 8)))
    mean = {
        name: {metric: np.mean(list(mine.values())) for metric, mine in all_.items()} for name, all_ in values.items()
    }
    good = {name: (-abs(mine["flow"] - mean[TRUTH]["flow"]), mine["sharpness"]) for name, mine in mean.items()}
    names = [point.system.label for point in made.points]
    assert names == list(means)
    for point in made.points:
        name = point.system.label
        assert (point.across.value, point.up.value) == (
            pytest.approx(mean[name]["flow"]),
            pytest.approx(mean[name]["sharpness"]),
        )
        others = [good[other] for other in means if other not in (name, TRUTH)]
        beaten = any(all(a >= b for a, b in zip(other, good[name], strict=True)) for other in others)
        assert point.is_unbeaten == (name != TRUTH and not beaten)
        row = next(row for row in scored.table.rows if row.model == name)
        assert (point.up.low, point.up.high) == (row.cells[0].low, row.cells[0].high)
    assert 0 < sum(point.is_unbeaten for point in made.points) < 8


def test_means_over_fewer_items_than_those_of_others_are_told() -> None:
    some = dict.fromkeys(list(labels_of_items(24, 8))[6:], 0.5)
    changed = {("beta", "sharpness"): some, ("alpha", "flicker"): some}  # flicker is not shown
    assert pareto(changed=changed).note.endswith("Scored on fewer items than others: beta (18 of 24).")


def test_by_default_motion_and_consistency_are_taken_that_most_systems_have() -> None:
    columns = [
        Column(metric=metric, header=metric)
        for metric in ("subject_consistency", "flow_magnitude", "temporal_flickering")
    ]
    means = {"a": 0.1, "b": 0.2, "c": 0.3}
    table = drawn_systems(means=means, columns=columns).table
    assert trade_off_of(table) == ("flow_magnitude", "subject_consistency")
    lacking = drawn_systems(means=means, columns=columns, changed={("a", "subject_consistency"): {}}).table
    assert trade_off_of(lacking) == ("flow_magnitude", "temporal_flickering")
    assert trade_off_of(drawn_systems().table) is None


def test_metrics_of_motion_and_consistency_exist_and_are_no_others() -> None:
    known = set(registry("metrics").names())
    assert set(MOTION) | set(CONSISTENCY) <= known
    assert not set(MOTION) & set(CONSISTENCY)


def test_baselines_and_ground_truth_are_shown_and_take_no_part() -> None:
    scored = drawn_systems()
    table = build_table(list(scored.records.values()), COLUMNS, baselines=["smoke-gamma"])
    made = data_of(scored.report(table=table), SAY, TRADE_OFF)
    assert isinstance(made, Pareto)
    assert {point.system.label: (point.system.role, point.is_unbeaten) for point in made.points} == {
        "alpha": ("system", True),
        "beta": ("system", True),
        "gamma": ("baseline", False),
        TRUTH: ("reference", False),
    }
    assert list(made.marks) == ["unbeaten", "baseline", "reference"]


@pytest.mark.parametrize(
    ("fields", "metrics", "reason"),
    [
        ({}, None, "pareto_omitted"),
        ({"means": {"a": 0.1, "b": 0.2}}, TRADE_OFF, "pareto_without_truth"),
        ({"means": {"a": 0.1, TRUTH: 0.2}}, TRADE_OFF, "pareto_omitted"),
        ({"changed": {("alpha", "flow"): {}, ("beta", "sharpness"): {}}}, TRADE_OFF, "pareto_omitted"),
    ],
)
def test_a_table_without_two_systems_that_have_both_has_no_trade_off(fields: dict, metrics: tuple, reason: str) -> None:
    assert data_of(drawn_systems(**fields).report(), SAY, metrics) == Omission(figure="pareto", reason=SAY(reason))


def test_columns_that_are_not_in_the_table_or_one_and_the_same_are_refused() -> None:
    data = drawn_systems().report()
    with pytest.raises(UnknownNameError, match=r"Column 'flaw' is not known\. Did you mean 'flow'"):
        data_of(data, SAY, ("flaw", "sharpness"))
    with pytest.raises(ConfigError, match="expected at least two columns to trade off"):
        data_of(data, SAY, ("flow", "flow"))


def test_points_stand_where_the_numbers_are_with_a_line_at_the_ground_truth() -> None:
    made = pareto()
    with figure_style():
        figure = draw(made)
    axes = figure.axes[0]
    points = [line for line in axes.lines if line.get_marker() in ("o", "s", "*")]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in points] == [
        (point.across.value * 10, point.up.value * 100) for point in made.points
    ]
    faces = [line.get_markerfacecolor() for line in points]
    assert [face != "#ffffff" for face in faces[:3]] == [point.is_unbeaten for point in made.points[:3]]
    truth = made.points[-1].across.value * 10
    assert [truth, truth] in [list(line.get_xdata()) for line in axes.lines if line.get_linestyle() == "--"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Flow →", "Sharp ↑")
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert [text.get_text() for text in figure.texts][-6:] == ["1", "alpha", "2", "beta", "3", "gamma"]
