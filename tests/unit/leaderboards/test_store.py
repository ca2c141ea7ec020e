import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest
from records import make_record, make_run, make_scores, write_run

from anisora.harness.errors import RecordError, UnknownNameError
from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.runfolder import RunFolder
from anisora.leaderboards.database import SCHEMA_VERSION
from anisora.leaderboards.store import DuckDBLogger, Leaderboard

ADD_RUN = """
import sys
from pathlib import Path
from anisora.harness.runfolder import RunFolder
from anisora.leaderboards.store import DuckDBLogger
print('ready', flush=True)
for folder in sys.argv[2:]:
    DuckDBLogger(path=sys.argv[1]).on_end(RunFolder(Path(folder)).read_record(), Path(folder))
"""


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table, in an order that does not depend on how it was filled."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in ("schema_version", "run", "result", "score")
        }


def add_in_process(db: Path, *folders: Path, failpoint: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, **({"ANISORA_FAILPOINT": failpoint} if failpoint else {})}
    return subprocess.Popen(
        [sys.executable, "-c", ADD_RUN, str(db), *map(str, folders)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "leaderboard.duckdb"


def test_a_run_comes_back_as_it_was_added(db: Path) -> None:
    record, scores = make_run("alpha", seed=1)
    board = Leaderboard.open(db)
    board.add(record, scores, "runs/alpha")
    assert board.get(record.run_id) == record
    assert board.runs() == [record]
    assert board.suites() == ["smoke@1"]
    assert board.folder(record.run_id) == "runs/alpha"
    kept = [(row.key, row.value, row.cluster, row.status, row.parts) for row in board.scores(record.run_id)]
    assert kept == [(row.key, row.value, row.cluster, row.status, {}) for row in scores]
    only = board.scores(record.run_id, ["flicker"])
    assert {row.metric for row in only} == {"flicker"}
    assert len(only) == 20


def test_adding_a_run_again_changes_nothing_and_a_changed_one_replaces_it(db: Path) -> None:
    board = Leaderboard.open(db)
    record, scores = make_run("alpha", seed=1)
    board.add(record, scores)
    before = content(db)
    board.add(record, scores)
    assert content(db) == before
    rescored = make_record("alpha", {"sharpness": 0.9})
    board.add(rescored, make_scores({"item-0": 0.9}))
    assert board.runs() == [rescored]
    assert [row.value for row in board.scores(rescored.run_id)] == [0.9]


def test_scores_without_a_value_stay_without_one(db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(make_record(), make_scores({"a": None, "b": 0.0}))
    assert [(row.value, row.status, row.note) for row in board.scores("smoke-alpha")] == [
        (None, "unscored", "too short"),
        (0.0, "ok", ""),
    ]


def test_a_leaderboard_in_memory_lives_until_it_is_closed() -> None:
    with Leaderboard.open(":memory:") as board:
        record, scores = make_run("alpha", seed=1)
        board.add(record, scores)
        board.add(record, scores)
        assert board.runs("smoke@1") == [record]
        assert len(board.scores(record.run_id)) == 40


def test_a_removed_run_is_gone_and_the_others_stay(db: Path) -> None:
    board = Leaderboard.open(db)
    for model in ("alpha", "beta"):
        board.add(make_record(model), make_scores({"a": 1.0}))
    board.remove("smoke-alpha")
    assert [record.spec.model for record in board.runs()] == ["beta"]
    assert {row[0] for row in content(db)["score"]} == {"smoke-beta"}
    with pytest.raises(UnknownNameError, match=r"Run 'smoke-beto' is not known. Did you mean 'smoke-beta'\?"):
        board.remove("smoke-beto")


def test_reading_a_leaderboard_that_does_not_exist_says_how_to_make_one(db: Path) -> None:
    with pytest.raises(RecordError, match=r"leaderboard.duckdb` does not exist; .*anisora leaderboard rebuild"):
        Leaderboard.open(db).runs()
    assert not db.exists()


def test_a_suite_is_found_by_its_name_at_its_newest_version(db: Path) -> None:
    board = Leaderboard.open(db)
    for version in (2, 10):
        board.add(make_record(version=version, run_id=f"run-{version}"))
    board.add(make_record(suite="tracks", track="i2v", run_id="t1"))
    board.add(make_record(suite="tracks", track="last", run_id="t2"))
    assert board.suites() == ["smoke@10", "smoke@2", "tracks@1:i2v", "tracks@1:last"]
    assert (board.suite_key("smoke"), board.suite_key("smoke@2")) == ("smoke@10", "smoke@2")
    with pytest.raises(RecordError, match=r"several tracks; name one of: tracks@1:i2v, tracks@1:last"):
        board.suite_key("tracks")
    with pytest.raises(UnknownNameError, match=r"Suite 'smok' is not known. Did you mean 'smoke'\?"):
        board.suite_key("smok")


def test_a_run_is_found_by_model_or_id_and_failed_ones_only_by_id(db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(make_record(run_id="old", finished="2026-01-01T00:00:00+00:00"))
    board.add(make_record(run_id="new", finished="2026-01-03T00:00:00+00:00"))
    board.add(make_record(run_id="bad", finished="2026-01-04T00:00:00+00:00", status="failed"))
    assert board.find("smoke@1", "alpha").run_id == "new"
    assert board.find("smoke@1", "old").run_id == "old"
    assert board.find("smoke@1", "bad").run_id == "bad"
    with pytest.raises(UnknownNameError, match=r"'alhpa' is not known. Did you mean 'alpha'"):
        board.find("smoke@1", "alhpa")


def test_the_view_of_latest_runs_has_one_a_model_and_protocol(db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(make_record(run_id="old", results={"sharpness": 0.1}, finished="2026-01-01T00:00:00+00:00"))
    board.add(make_record(run_id="new", results={"sharpness": 0.2}, finished="2026-01-02T00:00:00+00:00"))
    board.add(make_record(run_id="bad", results={"sharpness": 0.3}, status="failed", finished="2027"))
    board.add(make_record(run_id="other", results={"sharpness": 0.4}, fields={"encoder": "h264"}))
    with duckdb.connect(str(db), read_only=True) as connection:
        rows = connection.execute("SELECT run_id, metric, value FROM cell ORDER BY run_id").fetchall()
    assert rows == [("new", "sharpness", 0.2), ("other", "sharpness", 0.4)]


def test_the_view_of_errors_names_item_and_cause(db: Path) -> None:
    row = make_scores({"a": None})[0]
    failed = type(row)(
        **{
            **{name: getattr(row, name) for name in row.__slots__},
            "status": "error",
            "note": "VideoUnreadable",
        }
    )
    Leaderboard.open(db).add(make_record(), [failed])
    with duckdb.connect(str(db), read_only=True) as connection:
        rows = connection.execute("SELECT model, item_id, metric, note FROM error").fetchall()
    assert rows == [("alpha", "a", "sharpness", "VideoUnreadable")]


def test_names_with_quotes_are_values_and_not_sql(db: Path) -> None:
    name = "x'; DROP TABLE run; --"
    board = Leaderboard.open(db)
    board.add(make_record(name, run_id=name), make_scores({name: 1.0}), name)
    assert board.get(name).spec.model == name
    assert board.find("smoke@1", name).run_id == name
    assert [row.item_id for row in board.scores(name)] == [name]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY run TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
    ],
)
def test_no_statement_reaches_outside_the_file(db: Path, statement: str) -> None:
    board = Leaderboard.open(db)
    board.add(make_record())
    with pytest.raises(RecordError, match=r"disabled by configuration|configuration has been locked"):
        board._database.write(lambda connection: connection.execute(statement))


def test_a_rebuilt_leaderboard_equals_the_original(tmp_path: Path, db: Path) -> None:
    logger = DuckDBLogger(path=db)
    for at, model in enumerate(["beta", "alpha", "gamma"]):
        record, scores = make_run(model, seed=at)
        folder = tmp_path / "runs" / "deeper" / model
        logger.on_end(write_run(folder, record, scores), folder)
    before = content(db)
    db.unlink()
    report = Leaderboard.open(db).rebuild(tmp_path / "runs")
    assert report.added == ("smoke-alpha", "smoke-beta", "smoke-gamma")
    assert (report.skipped, report.unfinished) == ((), ())
    assert content(db) == before


def test_a_rebuild_forgets_runs_whose_folders_are_gone(tmp_path: Path, db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(*make_run("gone", seed=1))
    write_run(tmp_path / "runs" / "alpha", *make_run("alpha", seed=2))
    board.rebuild(tmp_path / "runs")
    assert [record.spec.model for record in board.runs()] == ["alpha"]


def test_a_rebuild_names_damaged_and_unfinished_folders_and_takes_the_rest(tmp_path: Path, db: Path) -> None:
    runs = tmp_path / "runs"
    for name in ("a-good", "b-record", "c-rows", "d-changed", "e-no-rows", "f-unfinished"):
        write_run(runs / name, *make_run(name, seed=1))
    write_run(runs / "g-copy", *make_run("a-good", seed=1))  # the same run made twice says the same
    write_run(runs / "h-other", *make_run("a-good", seed=2))
    (runs / "b-record" / "record.json").write_text("{")
    (runs / "c-rows" / "scores.parquet").write_bytes(b"PAR1 but not really")
    RunFolder(runs / "d-changed").write_scores(make_scores({"item-0": 1.0}))
    (runs / "e-no-rows" / "scores.parquet").unlink()
    (runs / "f-unfinished" / "record.json").unlink()
    board = Leaderboard.open(db)
    report = board.rebuild(runs)
    assert report.added == ("smoke-a-good",)
    assert report.unfinished == (runs / "f-unfinished",)
    reasons = {folder.name: reason for folder, reason in report.skipped}
    assert list(reasons) == ["b-record", "c-rows", "d-changed", "e-no-rows", "h-other"]
    assert "record.json` is damaged" in reasons["b-record"]
    assert "scores.parquet` is damaged" in reasons["c-rows"]
    assert "was changed after the run" in reasons["d-changed"]
    assert "has no scores.parquet" in reasons["e-no-rows"]
    assert "`smoke-a-good` is already there with other results" in reasons["h-other"]
    assert len(board.runs()) == 1


@pytest.mark.parametrize("damaged", [False, True])
def test_a_rebuild_that_finds_nothing_leaves_everything_as_it_was(tmp_path: Path, db: Path, damaged: bool) -> None:
    board = Leaderboard.open(db)
    board.add(*make_run("alpha", seed=1))
    before = content(db)
    if damaged:
        write_run(tmp_path / "runs" / "x", *make_run("x", seed=1))
        (tmp_path / "runs" / "x" / "record.json").write_text("{}")
    with pytest.raises(RecordError, match=r"None of the 1 runs" if damaged else "holds no finished run"):
        board.rebuild(tmp_path / "runs")
    assert content(db) == before


def test_a_rebuild_replaces_a_file_that_is_no_database(tmp_path: Path, db: Path) -> None:
    write_run(tmp_path / "runs" / "alpha", *make_run("alpha", seed=2))
    db.write_bytes(b"not a database" * 1000)
    board = Leaderboard.open(db)
    with pytest.raises(RecordError, match=r"cannot be opened: .*anisora leaderboard rebuild"):
        board.runs()
    board.rebuild(tmp_path / "runs")
    assert len(board.runs()) == 1


def test_the_log_of_a_deleted_file_is_not_played_into_a_new_one(db: Path) -> None:
    db.with_name(f"{db.name}.wal").write_bytes(b"left over by a killed process")
    board = Leaderboard.open(db)
    board.add(make_record())
    assert len(board.runs()) == 1


def test_an_empty_file_becomes_a_leaderboard(db: Path) -> None:
    db.touch()
    board = Leaderboard.open(db)
    board.add(make_record())
    assert len(board.runs()) == 1


def test_a_file_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path, db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(make_record())
    with duckdb.connect(str(db)) as connection:
        connection.execute("UPDATE schema_version SET version = version + 1")
    before = content(db)
    message = f"schema version {SCHEMA_VERSION + 1}; this program reads and writes {SCHEMA_VERSION}. Upgrade"
    write_run(tmp_path / "runs" / "alpha", *make_run("alpha", seed=2))
    for operation in (board.runs, lambda: board.add(make_record()), lambda: board.rebuild(tmp_path / "runs")):
        with pytest.raises(RecordError, match=message):
            operation()
    assert content(db) == before


def test_a_foreign_duckdb_file_is_refused(db: Path) -> None:
    with duckdb.connect(str(db)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    with pytest.raises(RecordError, match=r"is a DuckDB file but not a leaderboard"):
        Leaderboard.open(db).add(make_record())


def test_a_record_that_cannot_be_read_is_named(db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(make_record())
    changed = json.dumps({**json.loads(make_record().model_dump_json()), "surprise": 1})
    with duckdb.connect(str(db)) as connection:
        connection.execute("UPDATE run SET record = ?", [changed])
    with pytest.raises(RecordError, match=r"Run `smoke-alpha` in the leaderboard has a record that cannot be read"):
        board.runs()


def test_a_lock_that_stays_names_its_holder(db: Path) -> None:
    Leaderboard.open(db).add(make_record())
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()",
            str(db),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == "held\n"
        board = Leaderboard.open(db, lock_wait_s=0.2)
        begun = time.monotonic()
        for operation in (board.runs, lambda: board.add(make_record())):
            with pytest.raises(RecordError, match=rf"is in use by another process \(PID {holder.pid}\); waited 0.2 s"):
                operation()
        assert time.monotonic() - begun < 5
        threading.Timer(0.3, holder.terminate).start()
        assert len(Leaderboard.open(db, lock_wait_s=20).runs()) == 1


def test_readers_and_writers_of_one_process_wait_for_each_other(db: Path) -> None:
    board = Leaderboard.open(db)
    board.add(make_record("start"))
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for _ in range(3):
                board.add(make_record(name), make_scores({"a": 1.0}))
                assert board.runs()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [record.spec.model for record in board.runs()] == ["one", "start", "two"]
    assert len(content(db)["score"]) == 2


def test_a_full_disk_leaves_the_content_as_it_was(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Leaderboard.open(db)
    board.add(*make_run("alpha", seed=1))
    before = content(db)
    monkeypatch.setenv("ANISORA_FAILPOINT", "ingest.before_commit:enospc")
    with pytest.raises(OSError, match=r"No space left"):
        board.add(*make_run("alpha", seed=2))
    assert content(db) == before


def test_the_logger_is_registered_by_name(tmp_path: Path, db: Path) -> None:
    logger = registry("loggers").get("duckdb")(path=db)
    record = write_run(tmp_path / "alpha", *make_run("alpha", seed=1))
    logger.on_end(record, tmp_path / "alpha")
    board = Leaderboard.open(db)
    assert board.get(record.run_id) == record
    assert board.folder(record.run_id) == str((tmp_path / "alpha").resolve())


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["before_begin", "after_delete", "before_commit", "after_commit"])
@pytest.mark.parametrize("existing", [False, True])
def test_a_run_killed_while_it_is_added_can_be_added_again(
    tmp_path: Path, db: Path, stage: str, existing: bool
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_run(first, *make_run("first", seed=1, items=300))
    write_run(second, *make_run("second", seed=2, items=300))
    expected = tmp_path / "expected.duckdb"
    for target in (expected, db) if existing else (expected,):
        DuckDBLogger(target).on_end(RunFolder(second).read_record(), second)
        DuckDBLogger(target).on_end(RunFolder(first).read_record(), first)
    killed = add_in_process(db, second, first, failpoint=f"ingest.{stage}:kill:2")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    # Reopened, the file holds whole runs only.
    assert {record.run_id for record in Leaderboard.open(db).runs()} >= {"smoke-second"}
    again = add_in_process(db, second, first)
    assert again.communicate(timeout=60)[1] == ""
    assert content(db) == content(expected)


@pytest.mark.slow
def test_a_process_killed_at_any_time_leaves_whole_runs(tmp_path: Path, db: Path) -> None:
    folders = [tmp_path / f"run-{at}" for at in range(4)]
    for at, folder in enumerate(folders):
        write_run(folder, *make_run(f"model-{at}", seed=at, items=1000))
    board = Leaderboard.open(db)
    for delay in (0.5, 0.65, 0.8, 0.95):
        process = add_in_process(db, *folders * 200)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        for record in board.runs() if db.exists() else []:
            assert len(board.scores(record.run_id)) == 2000
    for folder in folders:
        DuckDBLogger(db).on_end(RunFolder(folder).read_record(), folder)
    assert [len(board.scores(f"smoke-model-{at}")) for at in range(4)] == [2000] * 4


@pytest.mark.slow
def test_two_processes_that_add_at_once_both_end_well(tmp_path: Path, db: Path) -> None:
    folders = [tmp_path / f"run-{at}" for at in range(6)]
    for at, folder in enumerate(folders):
        write_run(folder, *make_run(f"model-{at}", seed=at))
    processes = [add_in_process(db, *folders[:4]), add_in_process(db, *folders[2:])]
    for process in processes:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    assert len(Leaderboard.open(db).runs()) == 6
    assert len(content(db)["score"]) == 6 * 40
    records: list[RunRecord] = [RunFolder(folder).read_record() for folder in folders]
    assert Leaderboard.open(db).runs() == records
