"""What a file is by its bytes, and whether all of it is there."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_files import drawn, write_video

from anisora.harness.media.containers import announced_size, missing_bytes, sniff

CODECS = {"mp4": "libx264", "mov": "libx264", "webm": "libvpx-vp9", "mkv": "ffv1", "gif": "gif", "avi": "mpeg4"}
PIXELS = {"gif": "rgb8", "mkv": "bgr0"}


def written(folder: Path, kind: str) -> bytes:
    path = write_video(folder / f"a.{kind}", drawn(4), CODECS[kind], PIXELS.get(kind, "yuv420p"))
    return path.read_bytes()


@pytest.mark.parametrize(
    ("kind", "container"),
    [("mp4", "mov"), ("mov", "mov"), ("webm", "matroska"), ("mkv", "matroska"), ("gif", "gif"), ("avi", "avi")],
)
def test_a_whole_file_is_recognised_and_announces_its_own_size(kind: str, container: str, tmp_path: Path) -> None:
    data = written(tmp_path, kind)
    file = io.BytesIO(data)
    assert sniff(file) == container
    assert announced_size(file, container, len(data)) == len(data)


@pytest.mark.parametrize("kind", sorted(CODECS))
@pytest.mark.parametrize("part", [0.3, 0.7, 0.999])
def test_a_file_that_ends_too_early_misses_bytes(kind: str, part: float, tmp_path: Path) -> None:
    data = written(tmp_path, kind)
    file = io.BytesIO(data[: int(len(data) * part)])
    container = sniff(file)
    assert container is not None
    assert missing_bytes(file, container) > 0


@pytest.mark.parametrize("kind", sorted(CODECS))
def test_bytes_after_the_end_are_not_missing_bytes(kind: str, tmp_path: Path) -> None:
    file = io.BytesIO(written(tmp_path, kind) + b"\xff" * 40)
    container = sniff(file)
    assert container is not None
    assert missing_bytes(file, container) == 0


@pytest.mark.parametrize(
    "text", [b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", b"ffconcat version 1.0\nfile other.mp4\n", b"<?xml?><MPD/>", b""]
)
def test_a_playlist_is_no_video(text: bytes) -> None:
    assert sniff(io.BytesIO(text)) is None


@given(st.binary(max_size=200), st.sampled_from(["mov", "matroska", "gif", "avi"]))
def test_any_bytes_have_an_announced_size(data: bytes, container: str) -> None:
    assert announced_size(io.BytesIO(data), container, len(data)) >= 0
