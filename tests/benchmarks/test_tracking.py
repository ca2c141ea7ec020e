"""How long it takes to log runs to MLflow: 100 runs of 14 aggregates, each with its files, into one SQLite store."""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from records import make_run, write_run

from anisora.harness.record import RunRecord
from anisora.leaderboards.tracking import MlflowLogger

# MLflow 3.17 asks SQLAlchemy 2.1 for a way of loading that it deprecates; nothing of ours is meant.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

METRICS = tuple(f"metric-{at:02}" for at in range(14))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[RunRecord, Path]]:
    folder = tmp_path_factory.mktemp("runs")
    found = []
    for at in range(100):
        record, scores = make_run(f"model-{at:03}", seed=at, items=24, metrics=METRICS)
        found.append((write_run(folder / record.run_id, record, scores), folder / record.run_id))
    return found


def log(runs: list[tuple[RunRecord, Path]], store: Path) -> int:
    for record, folder in runs:
        MlflowLogger(f"sqlite:///{store}").on_end(record, folder)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(runs[0][0].suite_key)
    assert experiment is not None
    return len(client.search_runs([experiment.experiment_id], max_results=1000))


def test_the_very_first_run_imports_mlflow_and_makes_the_template(
    benchmark: BenchmarkFixture, runs: list[tuple[RunRecord, Path]], tmp_path: Path
) -> None:
    assert benchmark.pedantic(log, args=(runs[:1], tmp_path / "mlflow.db"), rounds=1) == 1


def test_logging_100_runs(benchmark: BenchmarkFixture, runs: list[tuple[RunRecord, Path]], tmp_path: Path) -> None:
    assert benchmark.pedantic(log, args=(runs, tmp_path / "mlflow.db"), rounds=1) == 100


def test_logging_100_runs_again(
    benchmark: BenchmarkFixture, runs: list[tuple[RunRecord, Path]], tmp_path: Path
) -> None:
    log(runs, tmp_path / "mlflow.db")
    assert benchmark.pedantic(log, args=(runs, tmp_path / "mlflow.db"), rounds=1) == 100
