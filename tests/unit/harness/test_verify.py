from dataclasses import replace
from pathlib import Path

import pytest

from anisora.harness.errors import DataError, RecordError
from anisora.harness.protocols import Metric
from anisora.harness.record import Protocol, RunRecord, RunSpec
from anisora.harness.registry import registry
from anisora.harness.runfolder import ClipRow, RunFolder, ScoreRow, sha256_of_file
from anisora.harness.stages.aggregate import aggregate
from anisora.harness.verify import Change, verify


def row(item: str, value: float) -> ScoreRow:
    return ScoreRow(
        item_id=item,
        seed=0,
        cluster=item,
        metric="sharpness",
        metric_version=1,
        value=value,
        weight=1.0,
        status="ok",
        note="",
        parts={},
    )


ROWS = [row("a", 1.0), row("b", 3.0)]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run of two clips; its files are what its record says."""
    folder = RunFolder(tmp_path / "run")
    clips = []
    for item in ("a", "b"):
        path = tmp_path / f"{item}.mp4"
        path.write_bytes(item.encode())
        clips.append(
            ClipRow(
                item_id=item,
                seed=0,
                path=str(path),
                sha256=sha256_of_file(path),
                fps=24.0,
                frames=2,
                height=8,
                width=8,
                codec="h264",
                pixel_format="yuv420p",
            )
        )
    metric: Metric = registry("metrics").create("sharpness")
    spec = RunSpec(suite="custom", suite_version=1, model="x", model_spec="recorded", seeds=[0], metrics=["sharpness"])
    folder.write_spec(spec)
    folder.write_clips(clips)
    folder.write_scores(ROWS)
    folder.write_errors([])
    folder.write_record(
        RunRecord(
            run_id="run",
            status="ok",
            started="",
            finished="",
            spec=spec,
            results=aggregate(ROWS, {"sharpness": metric.info}),
            protocol=Protocol(fields={}),
            environment={},
            items=2,
            files={
                path.name: sha256_of_file(path) for path in (folder.clips_path, folder.scores_path, folder.errors_path)
            },
        )
    )
    return folder


def change_record(run: RunFolder, **fields: object) -> None:
    run.write_record(run.read_record().model_copy(update=fields))


def test_a_run_that_is_as_it_was_has_no_change(run: RunFolder) -> None:
    assert verify(run.path) == []


def test_a_clip_that_changed_is_named(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"another")
    (change,) = verify(run.path)
    assert (change.what, change.name) == ("clip", "b")
    assert sha256_of_file(tmp_path / "b.mp4")[:12] in change.detail


def test_a_clip_that_is_gone_is_named(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").unlink()
    assert verify(run.path) == [
        Change(what="clip", name="a", detail=f"`{tmp_path / 'a.mp4'}` is gone or cannot be read")
    ]


def test_a_file_that_changed_is_named_once_and_its_content_is_not_trusted(run: RunFolder) -> None:
    run.write_scores([replace(ROWS[0], value=9.0), ROWS[1]])
    (change,) = verify(run.path)
    assert (change.what, change.name) == ("file", "scores.parquet")


def test_a_file_that_is_gone_is_named(run: RunFolder) -> None:
    run.errors_path.unlink()
    assert verify(run.path) == [Change(what="file", name="errors.jsonl", detail="is gone")]


def test_an_aggregate_that_does_not_follow_from_the_rows_is_named_with_its_field(run: RunFolder) -> None:
    (result,) = run.read_record().results
    change_record(run, results=[result.model_copy(update={"scored": 7})])
    assert verify(run.path) == [
        Change(
            what="metric",
            name="sharpness",
            detail="`scored` is 7 in the record, 2 by its rows and the installed code",
        )
    ]


def test_rows_and_record_that_were_changed_together_are_found_out(run: RunFolder) -> None:
    run.write_scores([replace(ROWS[0], value=9.0), ROWS[1]])
    files = {**run.read_record().files, "scores.parquet": sha256_of_file(run.scores_path)}
    change_record(run, files=files)
    (change,) = verify(run.path)
    assert (change.what, change.name) == ("metric", "sharpness")
    assert change.detail.startswith("`value` is 2.0 in the record, 6.0 by its rows")


def test_a_metric_that_is_not_installed_is_named(run: RunFolder) -> None:
    (result,) = run.read_record().results
    change_record(run, results=[result, result.model_copy(update={"metric": "gone"})])
    assert verify(run.path) == [Change(what="metric", name="gone", detail="is not registered any more")]


def test_weights_that_the_ledger_does_not_know_are_named(run: RunFolder) -> None:
    change_record(run, weights={"no-such-network": "sha256:0"})
    (change,) = verify(run.path)
    assert (change.what, change.name) == ("weight", "no-such-network")


def test_rows_that_cannot_be_read_are_a_change(run: RunFolder) -> None:
    run.scores_path.write_bytes(b"no parquet")
    change_record(run, files={})
    (change,) = verify(run.path)
    assert (change.what, change.name) == ("row", "scores.parquet")
    assert "damaged" in change.detail


def test_a_table_of_clips_that_cannot_be_read_is_a_change(run: RunFolder) -> None:
    run.clips_path.write_bytes(b"no parquet")
    change_record(run, files={})
    (change,) = verify(run.path)
    assert (change.what, change.name) == ("row", "clips.parquet")


def test_what_is_no_run_is_refused(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no spec\.yaml; .*did you mean `.*run`"):
        verify(tmp_path)
    run.record_path.unlink()
    with pytest.raises(RecordError, match=r"has no record\.json"):
        verify(run.path)
