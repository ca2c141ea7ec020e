"""How long a leaderboard takes at the size of the benchmark: 948 clips, 14 metrics."""

from pathlib import Path

import duckdb
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


ROWS = 1_000_000
_CLUSTER_SUMS = (
    "SELECT run_id, metric, cluster, sum(weight * value), sum(weight), count(*) FROM score "
    "WHERE status = 'ok' GROUP BY ALL"
)


def test_cluster_sums_over_a_million_score_rows(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    path = tmp_path / "leaderboard.duckdb"
    Leaderboard.open(path).add(*make_run("alpha", seed=1, items=2, metrics=("metric-00",)))
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "INSERT INTO score BY NAME SELECT 'run-' || (i // 13272) AS run_id, 'item-' || (i % 948) AS item_id, "
            "0 AS seed, "
            "'label-' || (i % 948) % 77 AS cluster, 'metric-' || (i // 948) % 14 AS metric, 1 AS metric_version, "
            "0.5 + (i % 1000) / 2000 AS value, 1.0 AS weight, 'ok' AS status, '' AS note FROM range(?) AS rows(i)",
            [ROWS],
        )
        found = benchmark(lambda: connection.execute(_CLUSTER_SUMS).fetchnumpy())
    assert len(found["run_id"]) > 77 * 14 * 75
    assert found["count_star()"].sum() == ROWS + 2
