"""A folder appears whole or not at all."""

import fcntl
import os
from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError
from anisora.models.conversion.new_folder import check_new, new_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "made") as part:
        (part / "x").write_text("x")
        assert names(tmp_path / "deep") == [".made.part"]
    assert names(tmp_path / "deep") == ["made"]
    assert (tmp_path / "deep" / "made" / "x").read_text() == "x"


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "made") as part:
            (part / "below").mkdir()
            (part / "below" / "x").write_text("x")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_first(tmp_path: Path) -> None:
    (tmp_path / ".made.part" / "below").mkdir(parents=True)
    (tmp_path / ".made.part" / "old").write_text("old")
    with new_folder(tmp_path / "made") as part:
        assert names(part) == []
    assert names(tmp_path) == ["made"]


def test_a_second_process_is_told(tmp_path: Path) -> None:
    (tmp_path / ".made.part").mkdir()
    (tmp_path / ".made.part" / "x").write_text("of the first")
    descriptor = os.open(tmp_path / ".made.part", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(ConfigError, match="is being written by another process"), new_folder(tmp_path / "made"):
        pass
    os.close(descriptor)
    assert (tmp_path / ".made.part" / "x").read_text() == "of the first"


def test_something_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("file", "full"):
        with pytest.raises(ConfigError, match=rf"{name}`, where something is already"):
            check_new(tmp_path / name)
    with pytest.raises(ConfigError, match=r"file` is a file; expected a folder"):
        check_new(tmp_path / "file" / "below")
    with new_folder(tmp_path / "empty") as part:
        (part / "x").write_text("x")
    assert names(tmp_path / "empty") == ["x"]
