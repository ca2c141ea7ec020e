"""Systems that are not run here: listed, refused with the way to their clips, scored with what is known of them."""

import json
from pathlib import Path

import pytest
from small_suite import build_suite, only_run

from anisora.harness.cli import _run
from anisora.harness.degrade import degrade
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import RunFolder
from anisora.leaderboards.published.systems import published_name
from anisora.leaderboards.published.tables import published_table
from anisora.models.recorded_systems import recorded_systems

SYSTEMS = sorted(recorded_systems())
OPTIONS = ["--db", "board.duckdb", "--no-mlflow"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_clips(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    with DecoderPool() as pool:
        for at, name in enumerate(names):
            frames = degrade(
                "noise", render(Scene(action="walk", seed=at, width=96, height=64, num_frames=6)), severity=0.1
            )
            pool.encode(frames, fps=16.0, path=folder / f"{name}.mkv")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_of_a_system_says_how_its_clips_are_had_and_scored(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    suite = build_suite(folder / "small", items=1)
    obtain = recorded_systems()[name].system.obtain
    for given, told in (
        (str(suite), "has no clip for any of the 1 items of suite 'small'"),
        ("anisora-7", "makes no clips here"),
    ):
        for command in ("run", "generate"):
            assert _run([command, given, "--model", f"recorded/{name}", *OPTIONS], debug=False) == 2
            shown = capsys.readouterr().err
            way = f"to have its clips, {obtain}; then: anisora evaluate {given} --videos DIR --model recorded/{name}"
            assert shown == f"anisora: Model `recorded/{name}` {told}; {way}\n"
    assert not (folder / "runs").exists()


def test_clips_of_other_systems_are_pointed_to_as_before(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = build_suite(folder / "small", items=1)
    assert _run(["run", str(suite), "--model", "recorded", *OPTIONS], debug=False) == 2
    assert "; clips that exist are scored with: anisora evaluate " in capsys.readouterr().err


def test_what_is_known_of_a_system_joins_the_record_of_its_clips(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = build_suite(folder / "small", items=2)
    write_clips(folder / "clips", ["item00", "item01"])
    argv = ["evaluate", str(suite), "--videos", "clips", "--metrics", "sharpness", *OPTIONS]
    assert _run([*argv, "--model", "recorded/vidu-1.5"], debug=True) == 0
    assert "published row" not in capsys.readouterr().out, "the table is of another suite"
    record = RunFolder(only_run(folder / "runs")).read_record()
    entry = recorded_systems()["vidu-1.5"]
    assert record.made_by == {
        "base": entry.base,
        "revision": entry.revision,
        "licence": entry.licence,
        "title": "Vidu 1.5",
        "organisation": "Shengshu Technology",
        "version": "1.5",
        "access": "api",
        "published": "vidu-1.5",
    }
    assert published_name(record) == "vidu-1.5"
    assert (record.untrained, record.weights, record.spec.model) == (None, {}, "recorded/vidu-1.5")
    assert _run([*argv, "--model", "somebody/else", "--out", "others"], debug=True) == 0
    other = RunFolder(only_run(folder / "others")).read_record()
    assert other.made_by == {}
    assert record.protocol == other.protocol, "who made the clips is no part of how they are measured"


def test_a_scored_system_has_its_published_row_beside_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clips(folder / "clips", ["a", "b"])
    argv = ["evaluate", "vbench-i2v-8", "--videos", "clips", "--metrics", "temporal_flickering", *OPTIONS]
    assert _run([*argv, "--model", "recorded/open-sora-1.2"], debug=True) == 0
    told = capsys.readouterr().out
    table = published_table("vbench-i2v-8")
    cells = (f"{metric} {table.row('opensora-v1.2').text(at)}" for at, metric in enumerate(table.metrics))
    assert f"published row of opensora-v1.2 (reported, not reproduced): {', '.join(cells)}\n" in told
    assert _run([*argv, "--model", "my-model"], debug=True) == 0
    assert "published row" not in capsys.readouterr().out


def test_systems_are_listed_with_all_that_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["list", "models", "--json"], debug=True) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    listed = {name.removeprefix("recorded/"): row for name, row in rows.items() if name.startswith("recorded/")}
    assert sorted(listed) == SYSTEMS
    for name, row in listed.items():
        entry = recorded_systems()[name]
        assert row["system"]["obtain"] == entry.system.obtain
        assert row["system"]["sources"]
        assert (row["licence"], row["revision"], row["fps"]) == (entry.licence, entry.revision, entry.system.fps)
    assert rows["anisora-v2"]["system"] is None
    assert _run(["list", "models"], debug=True) == 0
    table = capsys.readouterr().out
    assert "recorded/vidu-1.5" in table
    assert "POST" not in table
