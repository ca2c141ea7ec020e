import io
import os
import zlib

import numpy as np
import pytest
from media_files import drawn, write_video
from PIL import Image

from anisora.harness.media.headers import clip_problem, image_problem, image_size


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_a_whole_image_has_no_problem(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path)
    assert image_problem(path) is None
    assert image_size(path) == (6, 4)


def test_what_is_wrong_with_an_image_is_said(tmp_path):
    path = tmp_path / "a.png"
    assert image_problem(path) == "No such file or directory; expected a readable file."
    path.write_bytes(b"")
    assert image_problem(path) == "the file is empty."
    path.write_bytes(b"<html>")
    assert image_problem(path) == "it has no header of PNG, JPEG, WebP or BMP."
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue()[:20])
    assert image_problem(path) is not None
    huge = bytearray(buffer.getvalue())
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    path.write_bytes(huge)
    assert image_problem(path) == "its header asks for too many pixels."
    os.mkfifo(tmp_path / "fifo.png")
    assert image_problem(tmp_path / "fifo.png") == "it is no regular file."


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "gif"])
def test_a_clip_that_is_cut_is_told_from_a_whole_one(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    codec, form = ("gif", "rgb8") if suffix == "gif" else ("libx264", "yuv420p")
    write_video(path, drawn(3), codec, form)
    assert clip_problem(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 10])
    assert "too early" in str(clip_problem(path))


def test_what_is_no_clip_is_said(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"")
    assert clip_problem(path) == "the file is empty."
    path.write_bytes(b"version https://git-lfs")
    assert clip_problem(path) == "it does not begin like MP4, MOV, Matroska, WebM, AVI or GIF."
    assert clip_problem(tmp_path / "none.mp4") == "No such file or directory; expected a readable file."
