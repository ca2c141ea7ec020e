"""How long a leaderboard takes at the size of the benchmark: 948 clips, 14 metrics."""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from records import make_run

from anisora.leaderboards.store import Leaderboard

METRICS = tuple(f"metric-{at:02}" for at in range(14))


def test_adding_a_run_of_948_clips_and_14_metrics(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    record, scores = make_run("alpha", seed=1, items=948, metrics=METRICS)
    board = Leaderboard.open(tmp_path / "leaderboard.duckdb")
    benchmark(lambda: board.add(record, scores))
    assert len(board.scores(record.run_id)) == 948 * 14


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    board = Leaderboard.open(tmp_path / "leaderboard.duckdb")
    for at in range(20):
        board.add(*make_run(f"model-{at:02}", seed=at, items=948, metrics=METRICS))
    return board


def test_the_table_of_20_runs(benchmark: BenchmarkFixture, board: Leaderboard) -> None:
    table = benchmark(lambda: board.build_table("smoke"))
    assert (len(table.rows), len(table.columns)) == (20, 14)


def test_comparing_two_runs(benchmark: BenchmarkFixture, board: Leaderboard) -> None:
    found = benchmark(lambda: board.compare("smoke", "model-00", "model-01"))
    assert [metric.difference.items for metric in found.metrics] == [948] * 14
