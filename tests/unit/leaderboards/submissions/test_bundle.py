import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anisora.harness.errors import ConfigError, DataError, RecordError
from anisora.harness.record import Protocol
from anisora.harness.runfolder import RunFolder, sha256_of_file
from anisora.leaderboards.publishable import content_digest, publishable, without_paths
from anisora.leaderboards.submissions.bundle import FORMAT_VERSION, MEMBERS, read_bundle, write_bundle

MakeRun = Callable[..., RunFolder]


def test_a_bundle_holds_its_members_and_tells_their_hashes(bundle: Path, run: RunFolder) -> None:
    with zipfile.ZipFile(bundle) as archive:
        assert archive.namelist() == sorted(MEMBERS)
        contents = {name: archive.read(name) for name in archive.namelist()}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    manifest = json.loads(contents.pop("bundle.json"))
    record = run.read_record()
    assert manifest.pop("files") == {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in contents.items()
    }
    assert manifest == {
        "format_version": FORMAT_VERSION,
        "run_id": "small-alpha-0123456789",
        "suite": "small@1",
        "protocol": record.protocol.digest,
    }
    assert contents["scores.parquet"] == run.scores_path.read_bytes()


def test_a_bundle_read_back_is_the_run(bundle: Path, run: RunFolder) -> None:
    found = read_bundle(bundle)
    record = run.read_record()
    assert found.record.results == record.results
    assert found.record.protocol == record.protocol
    assert content_digest(found.record) == content_digest(record)
    assert list(found.scores) == [replace(row, parts={}) for row in run.read_scores()]
    assert [(clip.item_id, clip.sha256, clip.fps, clip.width) for clip in found.clips] == [
        (clip.item_id, clip.sha256, clip.fps, clip.width) for clip in run.read_clips()
    ]
    assert found.sha256 == sha256_of_file(bundle)


def test_the_same_run_gives_the_same_bytes_wherever_it_lies(make_run_folder: MakeRun, tmp_path: Path) -> None:
    run = make_run_folder("small-alpha-0123456789")
    first = write_bundle(run.path, tmp_path / "first.zip").read_bytes()
    moved = run.path.rename(tmp_path / "elsewhere")
    assert write_bundle(moved, tmp_path / "second.zip").read_bytes() == first


def test_no_path_of_this_machine_is_in_a_bundle(make_run_folder: MakeRun, tmp_path: Path) -> None:
    run = make_run_folder("paths", excluded={"psnr": f"no ground truth in {tmp_path}/truth/a.mp4"})
    rows = [replace(row, note=f"see `{tmp_path}/notes/a.txt`") for row in run.read_scores()]
    run.write_scores(rows)
    files = {**run.read_record().files, "scores.parquet": sha256_of_file(run.scores_path)}
    run.write_record(run.read_record().model_copy(update={"files": files}))
    path = write_bundle(run.path, tmp_path / "paths.zip")
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert [name for name, content in contents.items() if str(tmp_path).encode() in content] == []
    found = read_bundle(path)
    assert found.record.spec.videos == []
    assert found.record.spec.suite_source == "small"
    assert found.record.excluded == {"psnr": "no ground truth in a.mp4"}
    assert {row.note for row in found.scores} == {"see `a.txt`"}
    assert "secret-clips" not in str(contents)


def test_a_path_in_the_protocol_is_refused_by_field(make_run_folder: MakeRun) -> None:
    run = make_run_folder("p", protocol=Protocol(fields={"mask": "/home/me/masks/a.png"}))
    with pytest.raises(RecordError, match=r"has the path '/home/me/masks/a.png' in the protocol field `mask`"):
        write_bundle(run.path)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/a.mp4 is gone", "a.mp4 is gone"),
        ("in `~/clips/x y`", "in `x y`"),
        (r"C:\Users\me\a.mp4", "a.mp4"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("ffv1/bgr0 and damage/freeze:severity=1", "ffv1/bgr0 and damage/freeze:severity=1"),
        ("my:weights=/srv/w/model.safetensors", "my:weights=model.safetensors"),
    ],
)
def test_paths_are_shortened_and_nothing_else(text: str, left: str) -> None:
    assert without_paths(text) == left


def test_a_record_without_paths_stays_what_it_is(run: RunFolder) -> None:
    once = publishable(run.read_record())
    assert publishable(once) == once


# -- what is not bundled


def test_the_name_is_that_of_the_run_and_an_old_bundle_is_replaced(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_bundle(run.path) == write_bundle(run.path) == Path("small-alpha-0123456789.anisora.zip")


def test_something_else_is_not_overwritten(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"thesis.txt`, which is there and no bundle"):
        write_bundle(run.path, tmp_path / "thesis.txt")
    with pytest.raises(ConfigError, match=r"which is a folder; expected a file such as small-alpha"):
        write_bundle(run.path, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_unfinished_run_is_refused(run: RunFolder) -> None:
    run.record_path.unlink()
    with pytest.raises(RecordError, match=r"has no record.json; expected a finished run folder"):
        write_bundle(run.path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist"):
        write_bundle(tmp_path / "nothing")


def test_a_failed_run_is_refused(make_run_folder: MakeRun) -> None:
    with pytest.raises(RecordError, match=r"failed; expected one that was scored"):
        write_bundle(make_run_folder("failed", status="failed").path)


@pytest.mark.parametrize("name", ["scores.parquet", "clips.parquet", "errors.jsonl"])
def test_a_file_that_changed_is_refused_by_name(run: RunFolder, name: str) -> None:
    path = run.path / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RecordError, match=rf"{name}` has sha256 .*, the record says .*anisora verify"):
        write_bundle(run.path)
    path.unlink()
    with pytest.raises(RecordError, match=rf"{name}` has sha256 none"):
        write_bundle(run.path)


def test_an_aggregate_that_changed_is_refused_by_metric(run: RunFolder, tmp_path: Path) -> None:
    record = run.read_record()
    results = [record.results[0].model_copy(update={"value": 0.9}), *record.results[1:]]
    run.write_record(record.model_copy(update={"results": results}))
    with pytest.raises(RecordError, match=r"`value` of `sharpness` is 0.9 in the record, 0.67\d+ by its rows"):
        write_bundle(run.path, tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_a_run_whose_record_names_no_rows_is_refused(make_run_folder: MakeRun) -> None:
    fields: dict[str, Any] = {"files": {}}
    with pytest.raises(RecordError, match=r"does not name scores.parquet with its sha256"):
        write_bundle(make_run_folder("bare", **fields).path)
