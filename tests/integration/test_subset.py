"""A subset drawn by label estimates the whole suite, is marked, and is not ranked against full runs."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_suite import anisora, build_suite

from anisora.harness.errors import ConfigError, RecordError
from anisora.harness.runfolder import RunFolder
from anisora.harness.stages.run import rerun, run
from anisora.harness.stages.session import RunOptions
from anisora.harness.verify import verify
from anisora.leaderboards.render import render
from anisora.leaderboards.store import Leaderboard

METRICS = ["temporal_flickering", "flow_magnitude"]
BLUR = "damage/blur:severity=0.5"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of 24 items in thirteen labels, with a full run and one over a subset of 16."""
    folder = tmp_path_factory.mktemp("subset")
    path = build_suite(folder / "suite", items=24)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**content, "cluster": "label"}), encoding="utf-8")
    options = RunOptions(
        out=folder / "runs", db=folder / "board.duckdb", mlflow=None, cache=folder / "cache", workers=2
    )
    run(str(path), BLUR, metrics=METRICS, subset=16, subset_seed=3, options=options)
    return folder


def options_of(made: Path) -> RunOptions:
    return RunOptions(out=made / "runs", db=made / "board.duckdb", mlflow=None, cache=made / "cache", workers=2)


def test_the_estimate_is_post_stratified_and_is_said_to_be_one(made: Path) -> None:
    (record,) = (found for found in Leaderboard.open(made / "board.duckdb").runs() if found.population is not None)
    rows = Leaderboard.open(made / "board.duckdb").scores(record.run_id, ["flow_magnitude"])
    assert (record.items, sum(record.population.values()), record.spec.subset_seed) == (16, 24, 3)
    drawn = Counter(row.cluster for row in rows)
    assert set(drawn) == set(record.population)
    assert all(drawn[label] <= count for label, count in record.population.items())
    by_label = {label: [row.value for row in rows if row.cluster == label] for label in drawn}
    expected = sum(record.population[label] * np.mean(values) for label, values in by_label.items()) / 24
    result = record.result("flow_magnitude")
    assert result.value == pytest.approx(expected, rel=1e-12)
    assert result.value != pytest.approx(np.mean([row.value for row in rows]), rel=1e-6)
    assert result.interval.startswith("stratified t, finite population (")
    assert "labels joined with others" in result.interval
    assert result.low < result.value < result.high


def test_a_subset_is_marked_and_leaves_the_table_when_a_full_run_is_there(made: Path) -> None:
    board = Leaderboard.open(made / "board.duckdb")
    text = render(board.build_table("small", METRICS))
    assert f"{BLUR} [SUBSET 16 of 24]" in text
    assert "never ranked against runs over all items" in text
    run(str(made / "suite" / "suite.yaml"), "damage/jitter", metrics=METRICS, options=options_of(made))
    text = render(Leaderboard.open(made / "board.duckdb").build_table("small", METRICS))
    assert "SUBSET" not in text
    assert "damage/jitter" in text
    with pytest.raises(RecordError, match=r"differ in `items`"):
        board.build_table("small", METRICS, models=[BLUR, "damage/jitter"])


def test_the_run_is_verified_and_repeated_from_its_record(made: Path) -> None:
    folder = next(
        path for path in (made / "runs").iterdir() if "blur" in path.name and not path.name.endswith(".rerun")
    )
    assert verify(folder) == []
    again = rerun(folder, options=options_of(made))
    assert again.results == RunFolder(folder).read_record().results


def test_another_seed_draws_other_items(made: Path) -> None:
    suite = str(made / "suite" / "suite.yaml")
    options = RunOptions(out=made / "others", db=None, mlflow=None, cache=made / "cache")
    records = [run(suite, BLUR, metrics=METRICS[:1], subset=16, subset_seed=seed, options=options) for seed in (4, 5)]
    assert records[0].run_id != records[1].run_id
    items = [{row.item_id for row in RunFolder(made / "others" / record.run_id).read_scores()} for record in records]
    assert len(items[0]) == len(items[1]) == 16
    assert items[0] != items[1]


@pytest.mark.parametrize("more", [{"limit": 3}, {"labels": ["walk"]}])
def test_a_draw_stands_for_the_whole_suite(made: Path, more: dict) -> None:
    with pytest.raises(ConfigError, match=r"`--subset` got 5 beside `--(limit|labels)`; .* leave one of the two out"):
        run(str(made / "suite" / "suite.yaml"), BLUR, subset=5, options=options_of(made), **more)


def test_more_than_there_are_cannot_be_drawn(made: Path) -> None:
    with pytest.raises(ConfigError, match=r"`--subset` got 25; suite 'small' has 24 items; draw 1 to that many"):
        run(str(made / "suite" / "suite.yaml"), BLUR, subset=25, options=options_of(made))


def test_the_command_takes_it_and_prints_the_record(made: Path) -> None:
    arguments = [
        "run",
        "suite/suite.yaml",
        "--model",
        "damage/noise",
        "--subset",
        "14",
        "--metrics",
        METRICS[0],
        "--json",
    ]
    done = anisora([*arguments, "--db", "off", "--out", "printed"], cwd=made, check=True)
    assert json.loads(done.stdout)["spec"]["subset"] == 14
    custom = anisora(["evaluate", "custom", "--videos", "suite", "--subset", "3"], cwd=made)
    assert custom.returncode == 2
    assert "`--subset` got 3, but `custom` scores every clip" in custom.stderr
