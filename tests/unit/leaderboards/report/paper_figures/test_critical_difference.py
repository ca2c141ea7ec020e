"""The critical-difference diagram: ranks recomputed from the scores, whom it ranks, and what it draws."""

from itertools import pairwise

import numpy as np
import pytest
from drawn_systems import COLUMNS, drawn_systems, labels_of_items, values_by_system
from scipy import stats
from scored_systems import TRUTH

from anisora.harness.suite import Column
from anisora.leaderboards.report.figure_style import figure_style
from anisora.leaderboards.report.paper_figures.critical_difference import CriticalDifference, data_of, draw
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.table import build_table

SAY = FigureWords("en")
NAMES = ("alpha", "beta", "gamma")
MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}


def diagram(**fields) -> CriticalDifference:
    made = data_of(drawn_systems(**fields).report(), SAY)
    assert isinstance(made, CriticalDifference), made
    return made


def ranks_by_name(made: CriticalDifference, place: int) -> dict[str, float]:
    return {made.systems[ranked.system].label: ranked.rank for ranked in made.panels[place].ranks}


def test_mean_ranks_are_those_of_the_scores_and_distances_where_closest_is_best() -> None:
    made = diagram()
    items = list(labels_of_items(24, 8))
    scores = values_by_system(MEANS, ["sharpness", "flicker", "flow"], items)
    badness = {
        "sharpness": [[-scores[name]["sharpness"][item] for item in items] for name in NAMES],
        "flicker": [[scores[name]["flicker"][item] for item in items] for name in NAMES],
        "flow": [[abs(scores[name]["flow"][item] - scores[TRUTH]["flow"][item]) for item in items] for name in NAMES],
    }
    assert [panel.axis.metric for panel in made.panels] == list(badness)
    for place, values in enumerate(badness.values()):
        wanted = stats.rankdata(values, axis=0).mean(axis=1)
        assert ranks_by_name(made, place) == pytest.approx(dict(zip(NAMES, wanted, strict=True)))
        assert [ranked.rank for ranked in made.panels[place].ranks] == sorted(wanted)
        assert (made.panels[place].items, made.panels[place].clusters, made.panels[place].left_out) == (24, 8, 0)


def test_systems_that_cannot_be_told_apart_are_joined() -> None:
    items = labels_of_items(24, 8)
    twin = dict(zip(items, np.random.default_rng(5).normal(0.45, 0.05, 24).tolist(), strict=True))
    made = diagram(columns=COLUMNS[:1], changed={(name, "sharpness"): twin for name in ("alpha", "beta")})
    (panel,) = made.panels
    assert ranks_by_name(made, 0) == {"gamma": 1.0, "alpha": 2.5, "beta": 2.5}
    assert panel.groups == ((1, 2),)
    assert (made.level, made.seed, made.method) == (0.95, None, "exact over 256 sign flips of clusters")
    assert "all 256 sign flips of clusters, on differences of ranks" in made.note


def test_above_fourteen_clusters_flips_are_drawn_and_the_figure_says_so() -> None:
    made = diagram(columns=COLUMNS[:1], items=32, labels=16)
    assert made.seed == 0
    assert "10000 random sign flips of clusters" in made.note


def test_ground_truth_and_baselines_are_not_ranked() -> None:
    scored = drawn_systems()
    table = build_table(list(scored.records.values()), COLUMNS, baselines=["smoke-beta"])
    made = data_of(scored.report(table=table), SAY)
    assert isinstance(made, CriticalDifference)
    assert [system.label for system in made.systems] == ["alpha", "gamma"]


def test_a_column_of_few_clusters_or_one_system_has_no_panel() -> None:
    few = {item: 0.5 for item, label in labels_of_items(24, 8).items() if label < "label-5"}
    made = diagram(changed={("alpha", "flicker"): few, ("alpha", "flow"): {}, ("beta", "flow"): {}})
    assert [panel.axis.metric for panel in made.panels] == ["sharpness"]
    omitted = data_of(drawn_systems(labels=5).report(), SAY)
    assert omitted == Omission(figure="critical_difference", reason=SAY("ranks_omitted", clusters=6))


def test_items_that_a_system_lacks_are_counted() -> None:
    items = list(labels_of_items(24, 8))
    made = diagram(columns=COLUMNS[:1], changed={("alpha", "sharpness"): dict.fromkeys(items[2:], 0.5)})
    assert (made.panels[0].items, made.panels[0].left_out) == (22, 2)


def test_short_names_stand_beside_their_lines_and_long_ones_in_a_key() -> None:
    long = {f"a system with a name that is long, number {at}": 0.1 * at for at in range(3)}
    for means, numbered in ((MEANS, False), ({**long, TRUTH: 0.5}, True)):
        made = diagram(means=means)
        with figure_style():
            figure = draw(made)
        beside = {text.get_text() for axes in figure.axes for text in axes.texts}
        below = {text.get_text() for text in figure.texts}
        names = {system.label for system in made.systems}
        assert names <= (below if numbered else beside)
        assert ({"1", "2", "3"} <= below) == numbered


def test_lines_and_bars_stand_at_the_ranks() -> None:
    made = diagram(means={f"m{at}": 0.5 + 0.005 * at for at in range(5)}, columns=COLUMNS[:1])
    (panel,) = made.panels
    assert panel.groups
    with figure_style():
        axes = draw(made).axes[0]
    axis = axes.lines[0].get_xdata()
    ranks = [ranked.rank for ranked in panel.ranks]
    across = [axis[0] + (rank - 1) / 4 * (axis[1] - axis[0]) for rank in ranks]
    dots = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert dots == [pytest.approx([across[member] for member in group]) for group in panel.groups]
    arms = [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 3]
    assert arms == pytest.approx(across)


def test_bars_of_one_height_do_not_touch() -> None:
    made = diagram(means={f"m{at:02}": 0.5 + 0.02 * at for at in range(12)}, columns=COLUMNS[:1])
    with figure_style():
        axes = draw(made).axes[0]
    bars: dict[float, list[tuple[float, float]]] = {}
    for line in axes.lines:
        if line.get_marker() == "o":
            bars.setdefault(line.get_ydata()[0], []).append((min(line.get_xdata()), max(line.get_xdata())))
    assert len(made.panels[0].groups) > len(bars) > 1  # some share a height
    for spans in bars.values():
        ordered = sorted(spans)
        assert all(end < start for (_, end), (start, _) in pairwise(ordered))


def test_the_fewer_columns_the_more_systems_and_the_figure_says_what_it_shows() -> None:
    means = {f"s{at:02}": 0.02 * at for at in range(22)}
    for count, systems in ((2, 20), (14, 12)):
        columns = tuple(Column(metric=f"m{at:02}", header=f"M{at}") for at in range(count))
        made = diagram(means=means, columns=columns)
        assert (len(made.systems), len(made.panels)) == (systems, min(count, 12))
        assert f"The best {systems} of 22 systems are shown" in made.note
        assert ("The first 12 of 14 columns are shown." in made.note) == (count == 14)


@pytest.mark.parametrize("systems", [2, 9, 20])
def test_ranks_on_the_axis_have_room(systems: int) -> None:
    made = diagram(means={f"a long name {at:02}": 0.02 * at for at in range(systems)}, columns=COLUMNS[:1])
    with figure_style():
        axes = draw(made).axes[0]
        baseline = axes.texts[1].get_position()[1]
        ticks = [text for text in axes.texts[1:] if text.get_position()[1] == baseline]
        spans = [text.get_window_extent() for text in ticks]
    assert (ticks[0].get_text(), ticks[-1].get_text()) == ("1", str(systems))
    assert all(left.x1 < right.x0 for left, right in pairwise(spans))
