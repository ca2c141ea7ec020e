"""What is logged to MLflow is what MLflow's own client reads back."""

import json
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from records import make_record, make_result, make_run, write_run
from small_suite import anisora, build_suite, environment

from anisora.harness.errors import ConfigError, RecordError
from anisora.harness.record import RunRecord, canonical_json
from anisora.harness.registry import registry
from anisora.harness.runfolder import ScoreRow
from anisora.leaderboards import tracking_store
from anisora.leaderboards.tracking import ARTIFACTS, MlflowLogger

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

# MLflow 3.17 asks SQLAlchemy 2.1 for a way of loading that it deprecates; nothing of ours is meant.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

LOGGED = [("flicker", 0.1 + 0.2), ("flow", None), ("sharpness", -1e-17), ("speed", 123456.789)]


@pytest.fixture(scope="module", autouse=True)
def _shared_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """All test processes take the template of a store from one cache; making it takes seconds."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANISORA_CACHE", str(shared / "mlflow-cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A leaderboard that the store lies beside."""
    return tmp_path / "leaderboard.duckdb"


def client_of(store: Path) -> "MlflowClient":
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{store}")


def runs_in(store: Path, experiment: str = "smoke@1") -> "list[Run]":
    client = client_of(store)
    found = client.get_experiment_by_name(experiment)
    assert found is not None, [known.name for known in client.search_experiments()]
    return list(client.search_runs([found.experiment_id]))


def written(folder: Path, record: RunRecord | None = None, scores: list[ScoreRow] | None = None) -> RunRecord:
    """Write a run folder for a record, by default one with four aggregates."""
    record = record or make_record("alpha", dict(LOGGED))
    return write_run(folder / record.run_id, record, scores or [])


def log(board: Path, folder: Path, record: RunRecord | None = None) -> "Run":
    """Log a run beside a leaderboard and return it as MLflow has it, the only one of its suite."""
    record = written(folder, record)
    MlflowLogger(beside=board).on_end(record, folder / record.run_id)
    (run,) = runs_in(board.with_name("mlflow.db"), record.suite_key)
    return run


def test_every_aggregate_is_read_back_bit_for_bit_with_its_interval_and_coverage(board: Path, tmp_path: Path) -> None:
    record, scores = make_run("alpha", seed=3, items=20, metrics=("flicker", "sharpness"))
    unknown = make_result("flow", None)
    record = record.model_copy(update={"results": [*record.results, unknown, make_result("speed", 0.1 + 0.2)]})
    write_run(tmp_path / "run", record, scores)
    MlflowLogger(beside=board).on_end(record, tmp_path / "run")
    (run,) = runs_in(board.with_name("mlflow.db"))
    expected: dict[str, float] = {}
    for result in record.results:
        expected[f"{result.metric}_scored"] = result.scored
        if result.value is not None and result.low is not None and result.high is not None:
            expected[result.metric] = result.value
            expected[f"{result.metric}_ci_lo"] = result.low
            expected[f"{result.metric}_ci_hi"] = result.high
    assert run.data.metrics == expected
    assert len(expected) == 3 * 4 + 1
    history = client_of(board.with_name("mlflow.db")).get_metric_history(run.info.run_id, "sharpness")
    assert [(point.step, point.value) for point in history] == [(0, expected["sharpness"])]


def test_a_run_logged_twice_is_one_run(board: Path, tmp_path: Path) -> None:
    first = log(board, tmp_path)
    record = make_record("alpha", dict(LOGGED), finished="2026-02-02T00:00:00+00:00", status="partial")
    shutil.rmtree(tmp_path / record.run_id)
    again = log(board, tmp_path, record)
    assert again.info.run_id == first.info.run_id
    assert again.data.metrics == first.data.metrics
    assert (first.data.tags["anisora.status"], again.data.tags["anisora.status"]) == ("ok", "partial")
    assert (first.info.end_time, again.info.end_time) == (1_767_323_045_000, 1_769_990_400_000)
    history = client_of(board.with_name("mlflow.db")).get_metric_history(again.info.run_id, "flicker")
    assert len(history) == 1


def test_a_run_with_new_numbers_replaces_the_old_one(board: Path, tmp_path: Path) -> None:
    first = log(board, tmp_path)
    shutil.rmtree(tmp_path / "smoke-alpha")
    again = log(board, tmp_path, make_record("alpha", {"flicker": 0.25, "psnr": 30.0}))
    assert again.data.metrics["flicker"] == 0.25
    assert json.loads(again.data.params["metrics"]) == ["flicker", "psnr"]
    old = client_of(board.with_name("mlflow.db")).get_run(first.info.run_id)
    assert old.info.lifecycle_stage == "deleted"


def test_what_a_killed_process_left_is_cleared_up(board: Path, tmp_path: Path) -> None:
    first = log(board, tmp_path)
    client = client_of(board.with_name("mlflow.db"))
    client.delete_run(first.info.run_id)
    torn = client.create_run(first.info.experiment_id, tags=dict(first.data.tags))
    shutil.rmtree(tmp_path / "smoke-alpha")
    whole = log(board, tmp_path)
    assert whole.info.run_id != torn.info.run_id
    assert (whole.info.status, whole.data.metrics) == ("FINISHED", first.data.metrics)


def test_suites_versions_and_tracks_are_experiments(board: Path, tmp_path: Path) -> None:
    for at, (suite, version, track) in enumerate([("a", 1, None), ("a", 2, None), ("a", 2, "i2v"), ("b", 1, None)]):
        log(board, tmp_path, make_record("alpha", suite=suite, version=version, track=track, run_id=f"run-{at}"))
    names = {found.name for found in client_of(board.with_name("mlflow.db")).search_experiments()}
    assert names == {"Default", "a@1", "a@2", "a@2:i2v", "b@1"}


def test_models_and_protocols_of_a_suite_are_runs_of_one_experiment(board: Path, tmp_path: Path) -> None:
    records = [
        written(tmp_path, make_record(model, {"flow": 0.5}, run_id=f"run-{at}", fields={"encoder": encoder}))
        for at, (model, encoder) in enumerate([("alpha", "ffv1"), ("alpha", "h264"), ("beta", "ffv1")])
    ]
    for record in records:
        MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)
    found = {(run.info.run_name, run.data.tags["anisora.protocol"]) for run in runs_in(board.with_name("mlflow.db"))}
    assert found == {(record.spec.model, record.protocol.digest) for record in records}
    assert len(found) == 3


def test_files_are_attached_byte_for_byte_beside_the_store(board: Path, tmp_path: Path) -> None:
    record, scores = make_run("alpha", seed=1)
    folder = tmp_path / "run"
    record = write_run(folder, record, scores)
    (folder / "report.html").write_text("<p>report</p>")
    (folder / "clips").mkdir()
    (folder / "clips" / "large.mkv").write_bytes(b"x")
    MlflowLogger(beside=board).on_end(record, folder)
    (run,) = runs_in(board.with_name("mlflow.db"))
    client = client_of(board.with_name("mlflow.db"))
    assert sorted(found.path for found in client.list_artifacts(run.info.run_id)) == sorted(ARTIFACTS)
    copied = Path(client.download_artifacts(run.info.run_id, ""))
    assert copied.is_relative_to(tmp_path / "mlartifacts")
    assert {name: (copied / name).read_bytes() for name in ARTIFACTS} == {
        name: (folder / name).read_bytes() for name in ARTIFACTS
    }
    default = client.get_experiment("0").artifact_location
    assert default == (tmp_path / "mlartifacts" / "default").as_uri()


def test_tags_name_the_run_its_protocol_and_its_code(board: Path, tmp_path: Path) -> None:
    record = make_record("real", {"flow": 0.5}, reference=True, track="i2v").model_copy(
        update={"git": {"commit": "0" * 40, "dirty": True}, "environment": {"device": "npu:0"}}
    )
    run = log(board, tmp_path, record)
    tags = {name: value for name, value in run.data.tags.items() if name.startswith(("anisora.", "mlflow.source"))}
    assert tags.pop("anisora.content")
    assert tags == {
        "anisora.run_id": record.run_id,
        "anisora.protocol": record.protocol.digest,
        "anisora.suite": "smoke@1:i2v",
        "anisora.status": "ok",
        "anisora.reference": "true",
        "anisora.untrained": "false",
        "anisora.device": "npu:0",
        "anisora.git_dirty": "true",
        "anisora.folder": str(tmp_path / record.run_id),
        "mlflow.source.name": "anisora",
        "mlflow.source.git.commit": "0" * 40,
    }
    assert run.info.run_name == "real"
    assert run.info.end_time - run.info.start_time == 245_000


def test_a_run_of_random_weights_says_so_in_its_name(board: Path, tmp_path: Path) -> None:
    run = log(board, tmp_path, make_record("alpha", {"flow": 0.5}, untrained="untrained:named-normal-1:7"))
    assert run.info.run_name == "alpha (UNTRAINED)"
    assert run.data.tags["anisora.untrained"] == "untrained:named-normal-1:7"


@pytest.mark.parametrize(("status", "told"), [("ok", "FINISHED"), ("partial", "FINISHED"), ("failed", "FAILED")])
def test_a_failed_run_is_failed_in_mlflow(status: Any, told: str, board: Path, tmp_path: Path) -> None:
    assert log(board, tmp_path, make_record("alpha", {"flow": 0.5}, status=status)).info.status == told


def test_parameters_are_the_specification_and_the_long_ones_are_split_and_not_cut(board: Path, tmp_path: Path) -> None:
    record = make_record("alpha", {"flow": 0.5})
    videos = [f"/clips/{at:04}/旅" for at in range(2000)]
    settings = {"steps": 30, "shift": 1.5, **{f"option-{at:03}": at for at in range(150)}}
    spec = record.spec.model_copy(update={"videos": videos, "settings": settings, "allow_missing": True})
    params = log(board, tmp_path, record.model_copy(update={"spec": spec})).data.params
    parts = [name for name in params if re.fullmatch(r"videos(\.\d+)?", name)]
    parts.sort(key=lambda name: int(name.partition(".")[2] or 1))
    assert len(parts) > 2
    assert max(len(params[name]) for name in parts) == 6000
    assert json.loads("".join(params.pop(name) for name in parts)) == videos
    assert {name: params.pop(f"settings.{name}") for name in settings} == {
        name: canonical_json(value) for name, value in settings.items()
    }
    assert (params["model"], params["suite_version"], params["allow_missing"], params["seeds"]) == (
        *("alpha", "1", "true"),
        "[0]",
    )
    assert "track" not in params  # not given


def test_more_metrics_than_one_call_takes_are_all_logged(board: Path, tmp_path: Path) -> None:
    wanted = {f"metric-{at:03}": at / 7 for at in range(300)}
    run = log(board, tmp_path, make_record("alpha", wanted))
    assert {name: run.data.metrics[name] for name in wanted} == wanted
    assert len(run.data.metrics) == 1200


def test_folders_and_runs_may_have_any_name(tmp_path: Path) -> None:
    board = tmp_path / "100% of it's #1 旅" / "leaderboard.duckdb"
    board.parent.mkdir()
    for _ in range(2):
        run = log(board, tmp_path, make_record("alpha", {"flow": 0.5}, run_id="it's a 旅"))
        shutil.rmtree(tmp_path / "it's a 旅")
    client = client_of(board.with_name("mlflow.db"))
    assert Path(client.download_artifacts(run.info.run_id, "")).is_relative_to(board.with_name("mlartifacts"))


def test_a_folder_that_no_uri_can_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`/really\?/mlflow\.db` cannot hold an MLflow store.*--no-mlflow"):
        MlflowLogger(beside=Path("/really?/leaderboard.duckdb"))


# -- where


def test_the_store_is_what_was_asked_for_then_the_environments_then_beside_the_leaderboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = tmp_path / "leaderboard.duckdb"
    assert MlflowLogger(beside=board).uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert MlflowLogger().uri == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    assert MlflowLogger(beside=board).uri == MlflowLogger().uri == f"sqlite:///{tmp_path}/other.db"
    assert MlflowLogger("http://host:5000", beside=board).uri == "http://host:5000"
    record = written(tmp_path)
    MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)
    assert [run.info.run_name for run in runs_in(tmp_path / "other.db")] == ["alpha"]
    assert not (tmp_path / "mlflow.db").exists()


def test_without_a_place_nothing_is_logged(tmp_path: Path) -> None:
    record = written(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    MlflowLogger().on_end(record, tmp_path / record.run_id)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("uri", ["mlflow.db", "./mlruns", "127.0.0.1:5000"])
def test_what_is_no_uri_is_refused_at_once(uri: str) -> None:
    with pytest.raises(ConfigError, match=rf"`--mlflow` got '{re.escape(uri)}'; expected a tracking URI such as"):
        MlflowLogger(uri)


def test_without_mlflow_a_run_is_finished_and_says_so_unless_it_was_asked_for(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "alembic", None)  # as if it were not installed
    record = written(tmp_path)
    with caplog.at_level(logging.WARNING):
        MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)
    assert caplog.messages == ["this run is not logged to MLflow: alembic is not installed"]
    assert not board.with_name("mlflow.db").exists()
    with pytest.raises(ConfigError, match=r"`--mlflow` needs alembic, which this installation lacks\. Run: pip"):
        MlflowLogger("sqlite:///mlflow.db")


# -- trouble


def damage(store: Path) -> None:
    store.write_bytes(b"no database " * 1000)


def cut_off(store: Path) -> None:
    with store.open("r+b") as file:
        file.truncate(store.stat().st_size // 2)
        file.seek(4096)
        file.write(b"\xff" * 20_000)


def make_foreign(store: Path) -> None:
    store.unlink(missing_ok=True)
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE mine (value)")
    connection.close()


def make_old(store: Path) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damage, r"MLflow store `.*mlflow\.db` is damaged: file is not a database.*move the file away"),
        (cut_off, r"MLflow (store )?`.*mlflow\.db` .*(malformed|damaged)"),
        (make_foreign, r"`.*mlflow\.db` is a SQLite file but no MLflow store: it has no table alembic_version"),
        (make_old, r"MLflow `.*mlflow\.db` did not take the run: Detected out-of-date database schema.*db upgrade"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_in_one_line(
    spoil: Any, says: str, board: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record = written(tmp_path)
    store = board.with_name("mlflow.db")
    tracking_store.prepare_store(store, lock_wait_s=1)
    spoil(store)
    with pytest.raises(RecordError, match=says) as caught:
        MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_locked_store_is_waited_for_and_then_told(board: Path, tmp_path: Path) -> None:
    record = written(tmp_path)
    store = board.with_name("mlflow.db")
    tracking_store.prepare_store(store, lock_wait_s=1)
    holder = sqlite3.connect(store, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RecordError, match=r"MLflow store `.*` is in use by another process; waited 0\.2 s"):
        MlflowLogger(beside=board, lock_wait_s=0.2).on_end(record, tmp_path / record.run_id)
    holder.close()
    MlflowLogger(beside=board, lock_wait_s=0.2).on_end(record, tmp_path / record.run_id)
    assert len(runs_in(store)) == 1


def test_a_server_that_is_down_is_told_in_one_line_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    record = written(tmp_path)
    with pytest.raises(RecordError, match=r"MLflow `http://127.0.0.1:9` did not take the run: .*refused") as caught:
        MlflowLogger("http://me:secret@127.0.0.1:9").on_end(record, tmp_path / record.run_id)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_copied_are_told_and_the_next_time_logs_the_run(board: Path, tmp_path: Path) -> None:
    record = written(tmp_path)
    board.with_name("mlartifacts").write_text("in the way")
    with pytest.raises(RecordError, match=r"MLflow `.*` did not take the run: .*mlartifacts"):
        MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)
    board.with_name("mlartifacts").unlink()
    MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)
    assert [run.info.status for run in runs_in(board.with_name("mlflow.db"))] == ["FINISHED"]


def test_an_experiment_that_was_deleted_is_not_written_to(board: Path, tmp_path: Path) -> None:
    experiment = log(board, tmp_path).info.experiment_id
    client_of(board.with_name("mlflow.db")).delete_experiment(experiment)
    record = written(tmp_path, make_record("beta", {"flow": 0.5}))
    with pytest.raises(RecordError, match=rf"`smoke@1` .* was deleted; .*restore --experiment-id {experiment};"):
        MlflowLogger(beside=board).on_end(record, tmp_path / record.run_id)


def test_a_store_that_was_deleted_between_two_runs_is_made_anew(board: Path, tmp_path: Path) -> None:
    log(board, tmp_path)
    board.with_name("mlflow.db").unlink()
    assert log(board, tmp_path, make_record("beta", {"flow": 0.5})).info.run_name == "beta"


# -- the template


def test_a_new_store_is_a_copy_of_the_template_and_has_no_leftovers(tmp_path: Path) -> None:
    tracking_store.prepare_store(tmp_path / "first.db", lock_wait_s=1)
    (tmp_path / ".second.db.new").write_bytes(b"of a killed process")
    (tmp_path / "second.db-journal").write_bytes(b"of a file that was deleted")
    (tmp_path / "second.db").touch()
    tracking_store.prepare_store(tmp_path / "second.db", lock_wait_s=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.db", "second.db"]
    assert (tmp_path / "first.db").read_bytes() == (tmp_path / "second.db").read_bytes()
    (template,) = (Path(os.environ["ANISORA_CACHE"]) / "mlflow").glob("store-*.db")
    assert template.stat().st_size == (tmp_path / "first.db").stat().st_size


@pytest.mark.slow
def test_a_damaged_template_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking_store.prepare_store(tmp_path / "first.db", lock_wait_s=1)
    (known,) = (Path(os.environ["ANISORA_CACHE"]) / "mlflow").glob("store-*.db")
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    template = tmp_path / "cache" / "mlflow" / known.name
    template.parent.mkdir(parents=True)
    template.write_bytes(known.read_bytes()[:5000])
    assert log(tmp_path / "leaderboard.duckdb", tmp_path).info.status == "FINISHED"
    assert template.stat().st_size == known.stat().st_size


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    run = log(tmp_path / "leaderboard.duckdb", tmp_path)
    assert run.data.metrics["flicker"] == 0.1 + 0.2


LOG_ONE = """
import sys, threading
from pathlib import Path
from anisora.harness.runfolder import RunFolder
from anisora.leaderboards.tracking import MlflowLogger
logger = MlflowLogger(beside=Path(sys.argv[1]))
assert "mlflow" not in sys.modules
for folder in map(Path, sys.argv[2:]):
    logger.on_end(RunFolder(folder).read_record(), folder)
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None
assert threading.active_count() == 1, threading.enumerate()
"""


@pytest.mark.slow
def test_processes_that_make_one_store_at_once_all_log_their_runs(board: Path, tmp_path: Path) -> None:
    shared = written(tmp_path, make_record("shared", {"flow": 0.5}))
    own = [written(tmp_path, make_record(f"model-{at}", {"flow": at / 3})) for at in range(3)]
    clean = {name: value for name, value in environment().items() if not name.startswith(("PYTEST_", "CI"))}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOG_ONE, board, tmp_path / record.run_id, tmp_path / shared.run_id],
            env={**clean, "ANISORA_CACHE": str(tmp_path / "cache")},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for record in own
    ]
    assert [(*process.communicate(timeout=120), process.returncode) for process in processes] == [("", "", 0)] * 3
    names = sorted(run.info.run_name for run in runs_in(board.with_name("mlflow.db")))
    assert names == ["model-0", "model-1", "model-2", "shared"]


# -- as part of the program


def test_the_logger_is_found_by_name() -> None:
    assert registry("loggers").get("mlflow") is MlflowLogger


def test_importing_the_package_or_asking_for_help_imports_no_mlflow() -> None:
    code = (
        "import sys, anisora; anisora.run; anisora.Leaderboard\n"
        "from anisora.leaderboards.tracking import MlflowLogger; MlflowLogger()\n"
        "from anisora.harness.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'mlflow', 'sqlalchemy', 'alembic', 'fastapi'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert "--no-mlflow" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"


def test_asking_for_mlflow_and_against_it_is_refused(tmp_path: Path) -> None:
    arguments = ["run", "demo", "--model", "ground-truth", "--mlflow", "sqlite:///a.db", "--no-mlflow"]
    result = anisora(arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "`--mlflow` got 'sqlite:///a.db', and `--no-mlflow` was given" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_line_logs_beside_the_leaderboard_or_where_it_is_told_or_nowhere(tmp_path: Path) -> None:
    suite = build_suite(tmp_path / "suite", items=2)
    here = {"ANISORA_NO_MLFLOW": "", "ANISORA_CACHE": os.environ["ANISORA_CACHE"]}
    base = ["run", suite, "--model", "ground-truth", "--metrics", "sharpness", "--json"]
    told = [anisora([*base, "--out", "runs"], cwd=tmp_path, check=True, **here)]
    stores = ["mlflow.db"]
    assert anisora([*base, "--out", "b", "--no-mlflow"], cwd=tmp_path, check=True, **here).stderr == ""
    assert anisora([*base, "--out", "c", "--db", "off"], cwd=tmp_path, check=True, **here).stderr == ""
    told.append(
        anisora([*base, "--out", "d", "--db", "off", "--mlflow", "sqlite:///e.db"], cwd=tmp_path, check=True, **here)
    )
    stores.append("e.db")
    assert sorted(path.name for path in tmp_path.glob("*.db")) == sorted(stores)
    for result, store in zip(told, stores, strict=True):
        record = RunRecord.model_validate_json(result.stdout)
        (run,) = runs_in(tmp_path / store, "small@1")
        assert run.data.metrics["sharpness"] == record.results[0].value
        assert result.stderr == ""
