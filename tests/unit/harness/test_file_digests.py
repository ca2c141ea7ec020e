import os
from pathlib import Path

import pytest

from anisora.harness import file_digests
from anisora.harness.file_digests import remembered_digests
from anisora.harness.runfolder import sha256_of_file


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are hashed."""
    names: list[str] = []

    def counted(path: Path) -> str:
        names.append(path.name)
        return sha256_of_file(path)

    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_digests, "sha256_of_file", counted)
    return names


def test_a_file_is_hashed_once_and_again_when_it_changes(tmp_path: Path, read: list[str]) -> None:
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    expected = {path: sha256_of_file(path) for path in (first, second)}
    assert remembered_digests([first, second]) == expected
    assert remembered_digests([first, second]) == expected
    assert read == ["a.bin", "b.bin"]
    second.write_bytes(b"3")
    os.utime(second, ns=(1, 1))
    assert remembered_digests([first, second])[second] == sha256_of_file(second) != expected[second]
    assert read == ["a.bin", "b.bin", "b.bin"]


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_damaged_store_is_written_anew(tmp_path: Path, read: list[str], content: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"1")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file-digests.json").write_text(content, encoding="latin-1")
    for _ in range(2):
        assert remembered_digests([path]) == {path: sha256_of_file(path)}
    assert read == ["a.bin"]
