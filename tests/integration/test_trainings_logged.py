"""Trainings of tiny models in MLflow and in the leaderboard file: what is read back is what the run folder has."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from small_suite import COMMAND, environment
from training_clips import SMALL, write_clips

from anisora.harness.cli import _run
from anisora.harness.errors import DataError, RecordError, TrainingStopped
from anisora.harness.loggers import made_loggers
from anisora.harness.training_folder import TrainingFolder
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.training_store import TrainingStore

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")
pytest.importorskip("mlflow")

from anisora.training.config import SupervisedConfig, read_config  # noqa: E402
from anisora.training.live_logging import live_logging  # noqa: E402
from anisora.training.running import run_training  # noqa: E402
from anisora.training.supervised_run import make_supervised  # noqa: E402

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

# MLflow 3.17 asks SQLAlchemy 2.1 for a way of loading that it deprecates; nothing of ours is meant.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
EXPERIMENT = "train-supervised"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A manifest; encoded clips and the template of MLflow's store are kept beside it."""
    folder = tmp_path_factory.mktemp("clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANISORA_CACHE", str(folder / "cache"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("ANISORA_NO_MLFLOW", raising=False)
        yield write_clips(folder, count=2)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return tmp_path / "board.duckdb"


def train(clips: Path, out: Path, board: Path | None, *, fresh: bool = False, **said: Any) -> TrainingFolder:
    """Train, told to both loggers beside a leaderboard."""
    given = {**SMALL, "model": "anisora-v3:tiny", "data": str(clips), "out": str(out), "lora": LORA, **said}
    loggers = made_loggers("training_loggers", db=board, mlflow=None if board is None else "default")
    config = read_config(SupervisedConfig, None, given)
    run_training(config, make_supervised, cache=clips.parent / "cache", fresh=fresh, loggers=loggers)
    return TrainingFolder(out)


def client_of(board: Path) -> "MlflowClient":
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{board.with_name('mlflow.db')}")


def runs_in(board: Path) -> "list[Run]":
    client = client_of(board)
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None
    return list(client.search_runs([found.experiment_id]))


def steps_in(board: Path, run: "Run") -> dict[str, list[tuple[int, float]]]:
    """Return {metric: (step, value) in order} as MLflow's client reads them."""
    client = client_of(board)
    return {
        name: sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }


def steps_of(training: TrainingFolder) -> dict[str, list[tuple[int, float]]]:
    """Return the same of a log."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in training.read_log():
        for name, value in line.items():
            found.setdefault(name, []).append((line["step"], value))
    return found


def test_every_number_of_every_step_is_read_back(clips: Path, tmp_path: Path, board: Path) -> None:
    training = train(clips, tmp_path / "out", board, steps=3)
    expected = steps_of(training)
    assert [step for step, _ in expected["loss"]] == [1, 2, 3]
    (run,) = runs_in(board)
    assert steps_in(board, run) == expected
    record = training.read_record()
    store = TrainingStore(board)
    assert store.records() == {record.run_id: record}
    del expected["step"]
    assert store.steps(record.run_id) == expected
    assert run.info.status == "FINISHED"


def test_a_run_says_what_was_trained_from_what_and_how(clips: Path, tmp_path: Path, board: Path) -> None:
    training = train(clips, tmp_path / "out", board, seed=7)
    (run,) = runs_in(board)
    record = training.read_record()
    assert run.info.run_name == "anisora-v3 (UNTRAINED)"
    tags = run.data.tags
    assert tags["anisora.run_id"] == record.run_id
    assert tags["anisora.untrained"] == "untrained:anisora-v3"
    assert tags["anisora.device"] == "cpu"
    assert tags["mlflow.source.git.commit"] == record.git["commit"]
    params = run.data.params
    assert (params["model"], params["seed"], params["lora.rank"]) == ("anisora-v3:tiny", "7", "2")
    assert params["inputs.data"] == record.inputs["data"]
    assert "steps" not in params
    named = {entry.path for entry in client_of(board).list_artifacts(run.info.run_id)}
    assert named == {"run.json", "config.yaml", "model"}
    assert [entry.path for entry in client_of(board).list_artifacts(run.info.run_id, "model")] == [
        "model/training.json"
    ]


def test_a_repetition_has_the_name_of_the_first_and_another_seed_has_another(clips: Path, tmp_path: Path) -> None:
    ids = [
        train(clips, tmp_path / name, None, **said).read_record().run_id
        for name, said in {"a": {}, "b": {"steps": 3, "save_every": 1}, "c": {"seed": 1}}.items()
    ]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("train-supervised-anisora-v3-")
    copy = clips.with_name("copy.jsonl")
    copy.write_bytes(clips.read_bytes())
    assert train(copy, tmp_path / "d", None).read_record().run_id == ids[0]
    copy.write_bytes(clips.read_bytes().splitlines(keepends=True)[0])
    assert train(copy, tmp_path / "e", None).read_record().run_id != ids[0]


def test_a_training_that_goes_on_goes_on_in_its_run(clips: Path, tmp_path: Path, board: Path) -> None:
    train(clips, tmp_path / "out", board, steps=2)
    (first,) = runs_in(board)
    training = train(clips, tmp_path / "out", board, steps=4)
    (run,) = runs_in(board)
    assert run.info.run_id == first.info.run_id
    assert steps_in(board, run) == steps_of(training)
    assert len(steps_of(training)["loss"]) == 4
    assert run.data.tags["anisora.steps"] == "4"
    assert len(TrainingStore(board).steps(training.read_record().run_id)["loss"]) == 4


def test_one_that_begins_again_takes_the_place_of_the_first(clips: Path, tmp_path: Path, board: Path) -> None:
    train(clips, tmp_path / "out", board, steps=3)
    (first,) = runs_in(board)
    training = train(clips, tmp_path / "out", board, steps=2, fresh=True)
    (run,) = runs_in(board)
    assert run.info.run_id != first.info.run_id
    assert steps_in(board, run) == steps_of(training)
    assert len(TrainingStore(board).steps(training.read_record().run_id)["loss"]) == 2


def test_adding_a_training_twice_is_adding_it_once(
    clips: Path, tmp_path: Path, board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = train(clips, tmp_path / "out", None)
    assert not board.exists()
    add = ["leaderboard", "add-training", str(training.path), "--db", str(board)]
    assert _run(add, debug=True) == 0
    record = training.read_record()
    assert capsys.readouterr().out == f"Added {record.run_id}: 2 steps, finished, UNTRAINED\n"
    before = TrainingStore(board).steps(record.run_id), [run.info.run_id for run in runs_in(board)]
    assert _run([*add, "--quiet"], debug=True) == 0
    assert (TrainingStore(board).steps(record.run_id), [run.info.run_id for run in runs_in(board)]) == before
    (run,) = runs_in(board)
    assert steps_in(board, run) == steps_of(training)


def test_what_is_no_training_is_named(tmp_path: Path, board: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(DataError, match=r"is no training: it has no run\.json with a config\.yaml"):
        _run(["leaderboard", "add-training", str(tmp_path / "runs"), "--db", str(board)], debug=True)
    with pytest.raises(DataError, match="does not exist; expected the run folder of a training"):
        _run(["leaderboard", "add-training", str(tmp_path / "run"), "--db", str(board)], debug=True)


def test_a_killed_training_leaves_what_it_had_and_goes_on(clips: Path, tmp_path: Path, board: Path) -> None:
    config = tmp_path / "config.yaml"
    said = {**SMALL, "model": "anisora-v3:tiny", "data": str(clips), "lora": LORA, "steps": 4, "save_every": 1}
    config.write_text(json.dumps(said))
    command = [*COMMAND, "train", "supervised", "--config", str(config), "--out", "out", "--db", str(board)]
    cache = str(clips.parent / "cache")
    surroundings = environment(ANISORA_CACHE=cache, PYTHONPATH=os.pathsep.join(sys.path))
    del surroundings["ANISORA_NO_MLFLOW"]
    killed = {**surroundings, "ANISORA_FAILPOINT": "journal.mid_write:kill:3"}
    assert subprocess.run(command, env=killed, cwd=tmp_path, capture_output=True, check=False).returncode == -9
    training = TrainingFolder(tmp_path / "out")
    run_id = training.read_record().run_id
    assert len(training.read_log()) == 2
    (run,) = runs_in(board)
    assert run.info.status == "RUNNING"
    first = steps_of(training)["loss"][:1]
    assert steps_in(board, run)["loss"] == first
    assert TrainingStore(board).steps(run_id)["loss"] == first
    assert _run(["leaderboard", "add-training", str(training.path), "--db", str(board)], debug=True) == 0
    (run,) = runs_in(board)
    assert run.info.status == "KILLED"
    assert steps_in(board, run) == steps_of(training)
    done = subprocess.run(command, env=surroundings, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    (again,) = runs_in(board)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert steps_in(board, again) == steps_of(training)
    assert [step for step, _ in steps_in(board, again)["loss"]] == [1, 2, 3, 4]


def test_what_stops_a_training_is_told_and_the_steps_are_kept(clips: Path, tmp_path: Path, board: Path) -> None:
    training = train(clips, tmp_path / "out", None)
    loggers = made_loggers("training_loggers", db=board, mlflow="default")
    with pytest.raises(KeyboardInterrupt), live_logging(training.path, loggers):
        raise KeyboardInterrupt
    (run,) = runs_in(board)
    assert run.info.status == "KILLED"
    assert steps_in(board, run) == steps_of(training)


def test_trouble_with_a_logger_does_not_stop_the_steps_and_is_told_at_the_end(
    clips: Path, tmp_path: Path, board: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board.with_name("mlflow.db").write_bytes(b"no database at all" * 9)
    with pytest.raises(RecordError, match=r"MLflow store `.*` is damaged"):
        train(clips, tmp_path / "out", board, steps=3)
    assert caplog.text.count("the training goes on, and will be logged later") == 1
    training = TrainingFolder(tmp_path / "out")
    assert training.status() == "finished"
    assert len(TrainingStore(board).steps(training.read_record().run_id)["loss"]) == 3
    board.with_name("mlflow.db").unlink()
    assert _run(["leaderboard", "add-training", str(training.path), "--db", str(board)], debug=True) == 0
    assert steps_in(board, runs_in(board)[0]) == steps_of(training)


def test_trainings_enter_no_number_of_a_leaderboard(clips: Path, tmp_path: Path, board: Path) -> None:
    from records import make_run, write_run

    record, scores = make_run("alpha", seed=1)
    write_run(tmp_path / "runs" / "alpha", record, scores)
    leaderboard = Leaderboard.open(board)
    leaderboard.add(record, scores, tmp_path / "runs" / "alpha")
    before = leaderboard.build_table("smoke")
    training = train(clips, tmp_path / "runs" / "trained", board)
    assert leaderboard.runs() == [record]
    assert leaderboard.suites() == ["smoke@1"]
    assert leaderboard.build_table("smoke") == before
    report = leaderboard.rebuild(tmp_path / "runs")
    assert report.added == (record.run_id,)
    assert report.trainings == (training.read_record().run_id,)
    assert TrainingStore(board).records()[training.read_record().run_id].untrained is True
    assert leaderboard.build_table("smoke") == before


def test_small_sample_clips_of_the_first_and_the_last_step_are_attached(
    clips: Path, tmp_path: Path, board: Path
) -> None:
    training = train(clips, tmp_path / "out", None)
    lines = []
    for step in (0, 1, 2):
        path = training.path / "samples" / f"step-{step:08d}" / "walk-0.mp4"
        path.parent.mkdir(parents=True)
        path.write_bytes(clips.with_name("walk.mp4").read_bytes())
        lines.append({"step": step, "item": "walk", "seed": 0, "path": str(path.relative_to(training.path))})
    outside = tmp_path / "secret.mp4"
    outside.write_bytes(b"0")
    lines.append({"step": 2, "item": "run", "seed": 0, "path": "../secret.mp4"})
    large = training.path / "samples" / "large.mp4"
    large.write_bytes(bytes(3 * 2**20))
    lines.append({"step": 2, "item": "jump", "seed": 0, "path": "samples/large.mp4"})
    (training.path / "samples" / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert _run(["leaderboard", "add-training", str(training.path), "--db", str(board)], debug=True) == 0
    (run,) = runs_in(board)
    client = client_of(board)
    folders = [entry.path for entry in client.list_artifacts(run.info.run_id, "samples")]
    assert folders == ["samples/step-00000000", "samples/step-00000002"]
    files = [entry.path for place in folders for entry in client.list_artifacts(run.info.run_id, place)]
    assert files == [f"{place}/walk-0.mp4" for place in folders]


@pytest.mark.slow
def test_what_an_audit_found_is_logged_where_it_stopped_the_training(tmp_path: Path, board: Path) -> None:
    six = write_clips(tmp_path / "clips", count=6)
    said = {"samples": {"every": 1, "items": 6, "seeds": 1, "steps": 2}, "buckets": [[32, 48, 5]], "steps": 6}
    said |= {"model": "wan-2.1:tiny", "lora": None, "learning_rate": 0.1, "gradient_clip": 10.0}
    with pytest.raises(TrainingStopped):
        train(six, tmp_path / "out", board, **said, audit={"held_out": ["warping_error"], "stop": True, "patience": 1})
    training = TrainingFolder(tmp_path / "out")
    (run,) = runs_in(board)
    assert run.info.status == "KILLED"
    assert steps_in(board, run)["audit/alarms"] == steps_of(training)["audit/alarms"]
    assert (
        TrainingStore(board).steps(training.read_record().run_id)["audit/alarms"] == steps_of(training)["audit/alarms"]
    )
    files = {entry.path for entry in client_of(board).list_artifacts(run.info.run_id)}
    assert {"audit.json", "audit.html"} <= files


def test_with_neither_nothing_is_written(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({**SMALL, "model": "anisora-v3:tiny", "data": str(clips), "lora": LORA, "steps": 1}))
    argv = ["train", "supervised", "--config", str(config), "--out", "out", "--quiet", "--no-mlflow", "--db", "off"]
    assert _run(argv, debug=True) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "out"]
