"""``anisora models search-steps`` as people call it: killed and gone on, used, refused."""

import json
from pathlib import Path

import pytest
import yaml
from small_suite import anisora, build_suite, only_run

from anisora.harness.cli import _run
from anisora.harness.runfolder import RunFolder

SEARCH = ["models", "search-steps", "anisora-v2:tiny", "--suite", "suite.yaml", "--teacher-steps", "12", "--steps", "4"]
UNFAILING = {"seconds": 0.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    build_suite(tmp_path, items=2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found_in(path: Path) -> dict[str, object]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {**content, "use": "", "runs": [{**run, **UNFAILING} for run in content["runs"]]}


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_and_its_list_makes_clips(folder: Path) -> None:
    whole = anisora([*SEARCH, "--runs", "3", "--out", "whole.yaml"], cwd=folder, check=True)
    assert "3 runs of 4 steps out of 12 (shift 3): at most 60 velocities a run" in whole.stderr
    assert "360 evaluations of the network in all" in whole.stderr
    assert "UNTRAINED" in whole.stdout
    halves = [*SEARCH, "--runs", "3", "--out", "halves.yaml"]
    killed = anisora(halves, cwd=folder, ANISORA_FAILPOINT="journal.mid_write:kill:3")  # the line of the second run
    assert killed.returncode == -9
    lines = (folder / "halves.runs.jsonl").read_bytes().splitlines(keepends=True)
    assert [line.endswith(b"\n") for line in lines] == [True, True, False]
    assert not (folder / "halves.yaml").exists()
    anisora(halves, cwd=folder, check=True)
    after = (folder / "halves.runs.jsonl").read_bytes().splitlines(keepends=True)
    assert after[:2] == lines[:2]
    assert found_in(folder / "halves.yaml") == found_in(folder / "whole.yaml")
    found = found_in(folder / "whole.yaml")
    assert found["untrained"] is True
    assert (found["model"], found["shift"], found["teacher_steps"]) == ("anisora-v2:tiny", 3.0, 12)

    command = whole.stdout.splitlines()[-1].removeprefix("Use it with: anisora ").replace("SUITE", "suite.yaml")
    assert command == "generate suite.yaml --model anisora-v2:tiny,steps_file=whole.yaml"
    anisora([*command.split(), "--limit", "1"], cwd=folder, check=True)
    run = RunFolder(only_run(folder / "runs"))
    details = json.loads((run.media / "item00-0.json").read_text())
    assert (details["step_list"], details["solver"], details["shift"]) == (found["steps"], "euler", 3.0)


@pytest.mark.slow
def test_a_failed_item_is_told_and_the_others_have_their_median(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "item01.png").write_bytes(b"no picture")
    assert _run([*SEARCH, "--runs", "2", "--out", "some/steps.json"], debug=False) == 3
    told = capsys.readouterr().out
    assert "item01, seed 0: VideoUnreadable" in told
    content = json.loads((folder / "some" / "steps.json").read_text())
    assert content["steps"] == content["runs"][0]["steps"]
    assert [run["in_median"] for run in content["runs"]] == [True, False]


def test_a_dry_run_states_the_cost_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    assert _run([*SEARCH, "--dry-run", "--runs", "5"], debug=False) == 0
    assert "5 runs of 4 steps out of 12 (shift 3): at most 60 velocities a run" in capsys.readouterr().out
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["anisora-v1:tiny"], "`anisora-v1` has no levels of noise as Wan has them; expected one of anisora-anymask"),
        (["damage/blur"], "`damage/blur` has no levels of noise"),
        (["anisora-v4"], "Model 'anisora-v4' is not known. Did you mean"),
        (["anisora-v2:tiny,steps=4"], "says `steps`, which is what is searched"),
        (["anisora-v2:tiny", "--steps", "12", "--teacher-steps", "12"], "`--steps` got 12 of 12 of the teacher"),
        (["anisora-v2:tiny", "--frames", "9", "--teacher-steps", "40"], "`--frames` got 9; expected 1 to 3"),
        (["anisora-v2:tiny", "--channels", "17"], "`--channels` got 17; expected 1 to 16"),
        (["anisora-v2:tiny", "--frames", "some"], "got 'some'; expected a whole number above 0, or all"),
        (
            ["anisora-v2:tiny", "--suite", "suite.yaml", "--seeds", "0", "--runs", "3"],
            "`--runs` got 3 for 2 items and 1",
        ),
        (["anisora-v2:tiny", "--suite", "custom"], "Suite 'custom' is not known"),
        (["anisora-v2", "--suite", "suite.yaml"], "Running it in float32 takes"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert _run(["models", "search-steps", *arguments], debug=False) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.count("\n") == 1
    assert not (folder / "steps.yaml").exists()
