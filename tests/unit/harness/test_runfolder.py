"""Run folders: atomic writes, stable bytes, a journal that survives a torn line, one writer at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from anisora.harness.errors import RecordError
from anisora.harness.runfolder import ClipRow, RunFolder, ScoreRow, commit_media, write_atomically


def score_row(item: str, metric: str = "psnr", seed: int = 0, value: float | None = 0.1) -> ScoreRow:
    return ScoreRow(
        item_id=item,
        seed=seed,
        cluster="walk",
        metric=metric,
        metric_version=1,
        value=value,
        weight=1.0,
        status="ok" if value is not None else "unscored",
        note="" if value is not None else "why",
        parts={"frames": [0.1, 1 / 3]},
    )


def test_scores_are_sorted_and_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [score_row(item, metric, seed) for item in "cab" for metric in ("ssim", "psnr") for seed in (1, 0)]
    first, second = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    first.write_scores(rows)
    second.write_scores(rows[::-1])
    assert first.scores_path.read_bytes() == second.scores_path.read_bytes()
    read = first.read_scores()
    assert [row.key for row in read] == sorted(row.key for row in rows)
    assert read[0] == score_row("a")


def test_values_survive_the_file_bit_for_bit(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, None]
    folder.write_scores([score_row(str(place), value=value) for place, value in enumerate(values)])
    read = [row.value for row in folder.read_scores()]
    assert [repr(value) for value in read] == [repr(value) for value in values]


def test_clips_come_back_as_they_were(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    rows = [
        ClipRow(
            item_id="b",
            seed=0,
            path="clips/b.mkv",
            sha256="0",
            fps=24.0,
            frames=4,
            height=2,
            width=6,
            codec="ffv1",
            pixel_format="bgr0",
        ),
        ClipRow(
            item_id="a",
            seed=1,
            path="/x/a.mp4",
            sha256="1",
            fps=None,
            frames=None,
            height=None,
            width=None,
            codec="",
            pixel_format="",
        ),
    ]
    folder.write_clips(rows)
    assert folder.read_clips() == rows[::-1]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), write_atomically(path, "record") as file:
        file.write(b"new")
        raise RuntimeError("half-way")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


def test_media_take_their_name_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "clips" / "a-0.mkv"
    with commit_media(path, "clip") as temporary:
        temporary.write_bytes(b"frames")
        assert not path.exists()
    assert path.read_bytes() == b"frames"
    assert [entry.name for entry in path.parent.iterdir()] == ["a-0.mkv"]


@pytest.mark.parametrize("torn", [b'{"item_id": "c"', b'{"item_id": "c"}', b"\xff\xfe\n", b"{\n"])
def test_a_torn_last_line_of_the_journal_is_dropped_and_cut_off(tmp_path: Path, torn: bytes) -> None:
    folder = RunFolder(tmp_path)
    with folder.journal() as journal:
        journal.append({"item_id": "a"})
        journal.append({"item_id": "b"})
    with folder.journal_path.open("ab") as file:
        file.write(torn)
    assert folder.read_journal() == [{"item_id": "a"}, {"item_id": "b"}]
    with folder.journal() as journal:
        journal.append({"item_id": "d"})
    assert [entry["item_id"] for entry in folder.read_journal()] == ["a", "b", "d"]


def test_a_second_writer_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from anisora.harness.runfolder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock():\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RecordError, match=f"is being written by process {holder.pid}"), RunFolder(tmp_path).lock():
            pass
        holder.stdin.close()
        holder.wait(10)
    with RunFolder(tmp_path).lock():
        pass


def test_leftovers_of_a_killed_writer_are_removed_by_the_next(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.media.mkdir()
    leftovers = [tmp_path / ".record.json.1-1.tmp", folder.media / ".a-0.mkv.1-1.tmp"]
    for leftover in leftovers:
        leftover.write_bytes(b"x")
    with folder.lock():
        assert not any(leftover.exists() for leftover in leftovers)


def test_a_folder_without_a_record_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"has no record\.json; expected a finished run folder"):
        RunFolder(tmp_path).read_record()


def test_a_damaged_scores_file_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.scores_path.write_bytes(b"not parquet")
    with pytest.raises(RecordError, match=r"scores\.parquet` is damaged"):
        folder.read_scores()


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.record_path.write_text('{"run_id": 1}')
    with pytest.raises(RecordError, match=r"record\.json` is damaged"):
        folder.read_record()
