"""The audit in a training: it says of the clips what the command says of them, changes nothing, and stops it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from training_clips import SMALL, write_clips
from training_processes import start_two

from anisora.harness.errors import AnisoraError, TrainingStopped
from anisora.harness.runfolder import sha256_of_file

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.training.audit.audit_data import audit_data  # noqa: E402
from anisora.training.audit.live import LiveAudit  # noqa: E402
from anisora.training.audit.run_audit import audit_run  # noqa: E402
from anisora.training.audit.settings import settings_of_training  # noqa: E402
from anisora.training.config import GrpoConfig, PreferenceConfig, SupervisedConfig, read_config  # noqa: E402
from anisora.training.grpo_run import make_grpo  # noqa: E402
from anisora.training.preference_run import make_preference  # noqa: E402
from anisora.training.run_log import LOG, read_log  # noqa: E402
from anisora.training.running import run_training  # noqa: E402
from anisora.training.supervised_run import make_supervised  # noqa: E402

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
KINDS: dict[str, tuple[Any, Any]] = {
    "supervised": (SupervisedConfig, make_supervised),
    "preference": (PreferenceConfig, make_preference),
    "online": (PreferenceConfig, make_preference),
    "grpo": (GrpoConfig, make_grpo),
}
COMMON: dict[str, Any] = {
    **SMALL,
    "model": "wan-2.1:tiny",
    "buckets": [[32, 48, 5]],
    "learning_rate": 0.02,
    "gradient_clip": 10.0,
    "samples": {"every": 1, "items": 6, "seeds": 1, "steps": 2},
    "audit": {"held_out": ["warping_error"]},
}
DRAWN = {"batch_size": 2, "group_size": 2, "sampling_steps": 2, "guidance": 1.0}
FAST: dict[str, Any] = {"steps": 6, "save_every": 100, "learning_rate": 0.1}
STOPPING = {**COMMON["audit"], "stop": True, "patience": 2}
TIMED = ("seconds", "reward/seconds_p50", "reward/seconds_p95")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of six items, and pairs of them beside it with a record of what drew them."""
    manifest = write_clips(tmp_path_factory.mktemp("clips"), count=6)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    pairs = [
        {"prompt": better["prompt"], "winner": better["video"], "loser": worse["video"]}
        | {"winner_reward": 80, "loser_reward": 20}
        for better, worse in zip(rows, rows[1:] + rows[:1], strict=True)
    ]
    path = manifest.with_name("pairs.jsonl")
    path.write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs))
    record = {"reward": {"weights": {"sharpness": 1.0}}, "scale": {"top": 100.0}}
    told = json.dumps({**record, "pairs_sha256": sha256_of_file(path)})
    path.with_name("pairs.record.json").write_text(told)
    return manifest


def settings(kind: str, clips: Path, out: Path, **said: Any) -> dict[str, Any]:
    reward = "metric_reward:sharpness=1"
    own: dict[str, dict[str, Any]] = {
        "supervised": {"data": str(clips)},
        "preference": {"pairs": str(clips.with_name("pairs.jsonl")), "lora": LORA},
        "online": {"online": {"data": str(clips), "reward": reward, "group_size": 2, "steps": 2}, "lora": LORA},
        "grpo": {"data": str(clips), "reward": reward, **DRAWN},
    }
    return {**COMMON, **own[kind], "out": str(out), **said}


def train(kind: str, clips: Path, out: Path, *, quiet: bool = True, **said: Any) -> list[dict[str, Any]]:
    """Train and return the lines of the log without what a clock says."""
    config, make = KINDS[kind]
    given = read_config(config, None, settings(kind, clips, out, **said))
    run_training(given, make, cache=clips.parent / "cache", quiet=quiet)
    return lines(out)


def lines(out: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in TIMED} for line in read_log(out / LOG)]


def weights(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.safetensors")}


def audited(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_trainer_is_audited_as_the_command_audits_it_and_trains_as_without(
    clips: Path, tmp_path: Path, kind: str
) -> None:
    told = train(kind, clips, tmp_path / "audited")
    untold = train(kind, clips, tmp_path / "plain", audit=None)
    found = audited(tmp_path / "audited")
    assert [look["step"] for look in found["looks"]] == [1, 2]
    again = audit_run(tmp_path / "audited", config=settings_of_training(tmp_path / "audited"))
    assert json.loads(json.dumps(audit_data(again))) == found
    assert found["optimised"] == ([] if kind == "supervised" else ["sharpness"])
    assert "<video" in (tmp_path / "audited" / "audit.html").read_text(encoding="utf-8") or not found["alarms"]
    for line, look in zip(told, found["looks"], strict=True):
        assert line["audit/alarms"] == sum(each["is_alarm"] for each in look["findings"].values())
        assert line["audit/motion"] == look["findings"]["motion"]["change"]
    assert [{name: line[name] for name in line if not name.startswith("audit/")} for line in told] == untold
    assert len(weights(tmp_path / "plain")) > 4
    assert weights(tmp_path / "audited") == weights(tmp_path / "plain")


@pytest.mark.slow
def test_a_training_that_was_killed_has_the_alarms_of_one_that_was_not(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, Any] = {"save_every": 2, "audit": {"held_out": ["warping_error"], "kl_limit": 1e-6}}
    straight = train("grpo", clips, tmp_path / "straight", **said, steps=4)
    train("grpo", clips, tmp_path / "killed", **said, steps=3)
    shutil.rmtree(tmp_path / "killed" / "checkpoints" / "step-00000003")  # what a kill in step 4 leaves
    measured: list[int] = []
    look = LiveAudit.look
    monkeypatch.setattr(LiveAudit, "look", lambda *given, **other: measured.append(given[1]) or look(*given, **other))
    assert train("grpo", clips, tmp_path / "killed", **said, steps=4) == straight
    assert measured == [3, 4]
    for name in ("audit.json", "audit.jsonl", "audit.html"):
        text = (tmp_path / "straight" / name).read_text(encoding="utf-8")
        assert (tmp_path / "killed" / name).read_text(encoding="utf-8").replace("killed", "straight") == text, name
    assert {alarm["signal"] for alarm in audited(tmp_path / "straight")["alarms"]} >= {"kl"}
    assert weights(tmp_path / "killed") == weights(tmp_path / "straight")


def test_an_alarm_is_told_once_and_stops_the_training(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    with pytest.raises(TrainingStopped) as stopped:
        train("supervised", clips, out, quiet=False, **FAST, audit=STOPPING)
    told = capsys.readouterr().err
    stop = audited(out)["stop"]
    assert f"Training was stopped after step {stop['step']} by `audit.stop`: ALARM " in str(stopped.value)
    assert "goes on with --set audit.stop=false" in str(stopped.value)
    assert 2 <= stop["step"] < 6
    for alarm in audited(out)["alarms"]:
        assert told.count(f"ALARM {alarm['title']}") == 1
    assert [path.name for path in (out / "checkpoints").iterdir()] == [f"step-{stop['step']:08d}"]
    assert not (out / "model").exists()
    assert lines(out)[-1]["audit/alarms"] >= len(stop["signals"]) > 0


@pytest.mark.slow
def test_a_training_that_was_stopped_stays_so_until_it_is_told_otherwise(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for _ in range(2):
        with pytest.raises(TrainingStopped, match=r"by `audit\.stop`: ALARM"):
            train("supervised", clips, out, **FAST, audit=STOPPING)
        stop = audited(out)["stop"]
        assert len(lines(out)) == stop["step"] < 6
    train("supervised", clips, out, **{**FAST, "steps": stop["step"]}, audit=STOPPING)
    assert (out / "model").is_dir()
    went_on = train("supervised", clips, out, **FAST)
    assert went_on == train("supervised", clips, tmp_path / "straight", **FAST)
    last = "checkpoints/step-00000006/trained.safetensors"
    assert (out / last).read_bytes() == (tmp_path / "straight" / last).read_bytes()
    assert audited(out)["stop"] is None


@pytest.mark.parametrize(
    ("kind", "said", "message"),
    [
        ("supervised", {"samples": {"items": 4}}, "`samples.items` got 4 with `audit`; expected 6 or more"),
        ("grpo", {"samples": None}, "`samples` got null with `audit`"),
        ("supervised", {"data": "few.jsonl"}, "`audit` got 3 items to draw sample clips of; expected 6 or more"),
        ("grpo", {"audit": {"held_out": ["sharpness"]}}, "`held_out` got sharpness, which is optimised"),
        ("supervised", {"audit": {"held_out": ["sharpnes"]}}, "Did you mean 'sharpness'"),
        (
            "grpo",
            {"audit": {"stop": True}, "updates_per_sampling": 2, "save_every": 2},
            "`samples.every` got 1 with `updates_per_sampling` 2; expected a multiple",
        ),
    ],
)
def test_what_cannot_be_audited_is_named(
    clips: Path, tmp_path: Path, kind: str, said: dict[str, Any], message: str
) -> None:
    if said.get("data") == "few.jsonl":
        few = clips.with_name("few.jsonl")
        few.write_text("".join(clips.read_text().splitlines(keepends=True)[:3]))
        said = {"data": str(few)}
    with pytest.raises(AnisoraError, match=message):
        train(kind, clips, tmp_path, **said)


@pytest.mark.slow
def test_a_reward_that_likes_stills_is_caught_while_it_freezes_the_clips(clips: Path, tmp_path: Path) -> None:
    said: dict[str, Any] = {"reward": "metric_reward:temporal_flickering=1", "batch_size": 8, "group_size": 8}
    said |= {"kl_weight": 0, "learning_rate": 0.01, "steps": 40, "sampling_steps": 3, "timestep_fraction": 0.99}
    said |= {"samples": {"every": 4, "items": 6, "seeds": 1, "steps": 3}}
    # Prompts become alike before: of random numbers, whatever they are trained for.
    least = {"prompt_distance": 10.0, "held_out/warping_error": 100.0}
    said |= {"audit": {"held_out": ["warping_error"], "stop": True, "patience": 1, "least": least}}
    with pytest.raises(TrainingStopped, match=r"ALARM Motion fell .*: clips move less than the base's"):
        train("grpo", clips, tmp_path, **said)
    found = audited(tmp_path)
    assert found["stop"]["signals"][0] == "motion"
    assert found["optimised"] == ["temporal_flickering"]
    rewards = [line["reward/total/mean"] for line in lines(tmp_path)]
    assert rewards[-1] > rewards[0]


@pytest.mark.slow
def test_two_processes_stop_together_and_one_says_why(clips: Path, tmp_path: Path) -> None:
    said: dict[str, Any] = {"batch_size": 2, "steps": 6, "learning_rate": 0.1}
    said |= {"audit": {**COMMON["audit"], "stop": True, "patience": 1}}
    told = start_two("supervised", settings("supervised", clips, tmp_path / "run", **said), tmp_path / "cache", code=1)
    stop = audited(tmp_path / "run")["stop"]
    assert stop["step"] < 6
    assert sum("by `audit.stop`: ALARM" in each for each in told) == 1
    assert len(lines(tmp_path / "run")) == stop["step"]
    assert (tmp_path / "run" / "checkpoints" / f"step-{stop['step']:08d}").is_dir()
