"""The figures of a paper of the demo: every one is drawn, says what the rows say, and is drawn again alike."""

from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from anisora.leaderboards.report.data import ReportData, gather
from anisora.leaderboards.report.paper_figures.critical_difference import CriticalDifference
from anisora.leaderboards.report.paper_figures.figure_file import read_figure
from anisora.leaderboards.report.paper_figures.filmstrip import Filmstrip
from anisora.leaderboards.report.paper_figures.forest import Forest
from anisora.leaderboards.report.paper_figures.heat_map import HeatMap
from anisora.leaderboards.report.paper_figures.pareto import Pareto
from anisora.leaderboards.report.paper_figures.radar import Radar
from anisora.leaderboards.report.paper_figures.save import CAPTIONS, replot, save_paper_figures
from anisora.leaderboards.report.paper_figures.style_table import StyleTable
from anisora.leaderboards.store import Leaderboard

pytestmark = pytest.mark.slow

NAMES = ("radar", "forest", "critical-difference", "pareto", "heat-map")
FILMS = ("filmstrip-best", "filmstrip-worst", "filmstrip-disputed")

Values = dict[tuple[str, str], dict[str, float]]


@pytest.fixture(scope="module")
def data(prepared: Path, cache: Path) -> ReportData:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANISORA_CACHE", str(cache))
        with Leaderboard.open(prepared / "runs" / "demo" / "leaderboard.duckdb") as board:
            return gather(board, "demo")


@pytest.fixture(scope="module")
def folder(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("figures")
    save_paper_figures(made, data, workers=2)
    return made


@pytest.fixture(scope="module")
def values(data: ReportData) -> Values:
    """{(run id, metric): {item: its score}}, from the rows alone; the demo has one seed."""
    found: Values = defaultdict(dict)
    for run_id, rows in data.scores.items():
        for row in rows:
            if row.status == "ok":
                found[run_id, row.metric][row.item_id] = row.value
    return found


def test_every_figure_is_drawn(folder: Path) -> None:
    pictures = {f"{name}.{kind}" for name in (*NAMES, *FILMS) for kind in ("pdf", "svg", "png", "json")}
    tables = {f"styles.{kind}" for kind in ("md", "tex", "csv", "json")}
    assert {path.name for path in folder.iterdir()} == pictures | tables | {CAPTIONS}
    assert "Left out" not in (folder / CAPTIONS).read_text(encoding="utf-8").replace("Left out, since", "")


@pytest.mark.parametrize("name", [*NAMES, *FILMS, "styles"])
def test_a_figure_is_drawn_again_to_the_same_bytes(name: str, folder: Path, tmp_path: Path) -> None:
    again = replot([folder / f"{name}.json"], tmp_path)
    assert len(again) == 3
    assert [path.name for path in again if path.read_bytes() != (folder / path.name).read_bytes()] == []


def test_the_numbers_of_the_figures_are_those_of_the_rows(folder: Path, data: ReportData, values: Values) -> None:
    truth = next(row.run_id for row in data.table.rows if row.reference)
    mean = {key: fmean(scores.values()) for key, scores in values.items() if scores}
    radar, forest, heat, pareto = (
        read_figure(folder / f"{name}.json") for name in ("radar", "forest", "heat-map", "pareto")
    )
    assert isinstance(radar, Radar)
    for line in radar.lines:
        for spoke, value in zip(radar.spokes, line.values, strict=True):
            wanted = mean[line.system.run_id, spoke.axis.metric]
            if spoke.is_distance:
                wanted = abs(wanted - mean[truth, spoke.axis.metric])
            assert value == pytest.approx(wanted)
    assert isinstance(forest, Forest)
    compared = 0
    for panel in forest.panels:
        for system, effect in zip(forest.systems, panel.differences, strict=True):
            mine, true = values[system.run_id, panel.axis.metric], values[truth, panel.axis.metric]
            both = mine.keys() & true.keys()
            assert (effect is None) == (not both)
            if effect is not None:
                assert effect.value == pytest.approx(fmean(mine[item] - true[item] for item in both), abs=1e-12)
                compared += 1
    assert compared > 80
    assert isinstance(heat, HeatMap)
    cluster = {row.item_id: row.cluster for rows in data.scores.values() for row in rows}
    for label in heat.labels:
        for system, cell in zip(heat.systems, label.cells, strict=True):
            mine, true = values[system.run_id, heat.axis.metric], values[truth, heat.axis.metric]
            both = [item for item in mine.keys() & true.keys() if cluster[item] == label.label]
            wanted = fmean(mine[item] - true[item] for item in both) if both else None
            assert (cell and cell.value) == (pytest.approx(wanted, abs=1e-12) if both else None)
    assert isinstance(pareto, Pareto)
    for point in pareto.points:
        assert point.across.value == pytest.approx(mean[point.system.run_id, pareto.across.metric])
        assert point.up.value == pytest.approx(mean[point.system.run_id, pareto.up.metric])


def test_mean_ranks_and_styles_are_those_of_the_rows(folder: Path, data: ReportData, values: Values) -> None:
    truth = next(row.run_id for row in data.table.rows if row.reference)
    ranks, styles = (read_figure(folder / f"{name}.json") for name in ("critical-difference", "styles"))
    assert isinstance(ranks, CriticalDifference)
    for panel in ranks.panels:
        metric = panel.axis.metric
        runs = [ranks.systems[ranked.system].run_id for ranked in panel.ranks]
        items = set.intersection(*(set(values[run, metric]) for run in runs))
        items &= set(values[truth, metric]) if panel.axis.direction == "reference" else items
        assert len(items) == panel.items

        def badness(run: str, item: str, metric: str = metric, direction: str | None = panel.axis.direction) -> float:
            value = values[run, metric][item]
            if direction == "reference":
                return abs(value - values[truth, metric][item])
            return -value if direction == "higher" else value

        for run, ranked in zip(runs, panel.ranks, strict=True):
            places = []
            for item in items:
                mine, others = badness(run, item), [badness(other, item) for other in runs]
                places.append(sum(other < mine for other in others) + (sum(other == mine for other in others) + 1) / 2)
            assert ranked.rank == pytest.approx(fmean(places))
    assert isinstance(styles, StyleTable)
    style_of = {item: sample.metadata["style"] for item, sample in data.samples.items()}
    for group in styles.groups:
        for system, cells in zip(styles.systems, group.cells, strict=True):
            for column, cell in zip(styles.columns, cells, strict=True):
                mine = values.get((system.run_id, column.metric), {})
                scored = [value for item, value in mine.items() if style_of[item] == group.style]
                assert (cell.items, cell.value) == (len(scored), pytest.approx(fmean(scored)) if scored else None)


def test_filmstrips_name_the_clips_that_they_show(folder: Path, data: ReportData) -> None:
    for name in FILMS:
        film = read_figure(folder / f"{name}.json")
        assert isinstance(film, Filmstrip)
        shown = {row.system.run_id: row.clip_sha256 for row in film.rows}
        assert shown == {
            run: clip.digest for (run, item), clip in data.clips.items() if item == film.item and run in shown
        }
        assert len(shown) >= 9
