"""Images and folders of frames."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media_files import clip, drawn
from PIL import Image

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.decoder import DecodeLimits, DecodeOptions, DecoderPool
from anisora.harness.media.folders import frame_paths


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


def folder_of(path: Path, names: list[str], **options: int) -> tuple[Path, np.ndarray]:
    path.mkdir()
    frames = drawn(len(names), 20, 30)
    for name, frame in zip(names, frames, strict=True):
        Image.fromarray(frame).save(path / name, **options)
    return path, frames


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp"])
def test_a_folder_of_frames_is_a_clip_in_natural_order(suffix: str, pool: DecoderPool, tmp_path: Path) -> None:
    names = [f"frame{number}{suffix}" for number in range(12)]  # frame10 sorts before frame2 as text
    path, frames = folder_of(tmp_path / "clip", names)
    (path / "notes.txt").write_text("no frame")
    (path / ".hidden.png").write_bytes(b"no frame")
    seen, info = pool.read_frames(clip(path, fps=8.0))
    assert np.array_equal(seen, frames)
    assert (info.fps, info.num_frames, info.height, info.width) == (8.0, 12, 20, 30)
    assert info.codec == suffix.lower()[1:]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_a_folder_of_compressed_frames_is_read_as_pillow_does(suffix: str, pool: DecoderPool, tmp_path: Path) -> None:
    path, _ = folder_of(tmp_path / "clip", [f"{number}{suffix}" for number in range(3)])
    seen, _ = pool.read_frames(clip(path, fps=8.0))
    for name, frame in zip(frame_paths(path), seen, strict=True):
        with Image.open(name) as image:
            assert np.array_equal(frame, np.asarray(image.convert("RGB")))


def reason_for(pool: DecoderPool, path: Path, fps: float | None = 8.0) -> str:
    with pytest.raises(VideoUnreadable, match="cannot be read") as caught:
        pool.read_frames(clip(path, fps))
    return caught.value.reason


def test_a_folder_needs_a_frame_rate(pool: DecoderPool, tmp_path: Path) -> None:
    path, _ = folder_of(tmp_path / "clip", ["0.png"])
    assert reason_for(pool, path, fps=None) == "no-frame-rate"


def test_an_empty_folder_is_named(pool: DecoderPool, tmp_path: Path) -> None:
    assert reason_for(pool, tmp_path) == "no-frames"


def test_frames_of_different_sizes_are_named(pool: DecoderPool, tmp_path: Path) -> None:
    path, _ = folder_of(tmp_path / "clip", ["0.png", "1.png"])
    Image.new("RGB", (31, 20)).save(path / "2.png")
    with pytest.raises(VideoUnreadable, match=r"2\.png.*it is 31x20, the first frame of the folder is 30x20"):
        pool.read_frames(clip(path, 8.0))


def test_a_broken_frame_is_named_even_where_it_was_not_wanted(pool: DecoderPool, tmp_path: Path) -> None:
    path, _ = folder_of(tmp_path / "clip", ["0.png", "1.png", "2.png"])
    data = (path / "2.png").read_bytes()
    (path / "2.png").write_bytes(data[: len(data) // 2])
    with (
        pytest.raises(VideoUnreadable, match=r"2\.png") as caught,
        pool.open(clip(path, 8.0), lambda _: [0]) as stream,
    ):
        list(stream)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_an_image_with_several_pictures_is_unsupported(name: str, pool: DecoderPool, tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in drawn(3, 20, 30)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    with pytest.raises(VideoUnreadable, match="it holds 3 pictures") as caught:
        pool.read_image(tmp_path / name)
    assert caught.value.reason == "unsupported"


def test_an_image_of_16_bits_is_unsupported(pool: DecoderPool, tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(VideoUnreadable, match="at most 8 bits a channel"):
        pool.read_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_an_image_is_read_as_rgb(mode: str, pool: DecoderPool, tmp_path: Path) -> None:
    image = Image.fromarray(drawn(1, 21, 33)[0]).convert(mode)
    image.save(tmp_path / "a.png")
    assert np.array_equal(pool.read_image(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


def test_what_is_no_image_is_named(pool: DecoderPool, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("P6 1 1 255")
    with pytest.raises(VideoUnreadable, match="no picture read here") as caught:
        pool.read_image(tmp_path / "a.png")
    assert caught.value.reason == "not-a-video"


def test_a_large_image_is_named_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("L", (300, 200)).save(tmp_path / "a.png")
    options = DecodeOptions(limits=DecodeLimits(max_pixels=50_000))
    with (
        DecoderPool(options=options) as pool,
        pytest.raises(VideoUnreadable, match="its header says 300x200 = 60000 pixels"),
    ):
        pool.read_image(tmp_path / "a.png")


def test_an_image_can_be_read_while_a_clip_is(pool: DecoderPool, tmp_path: Path) -> None:
    path, frames = folder_of(tmp_path / "clip", ["0.png", "1.png"])
    with pool.open(clip(path, 8.0)) as stream:
        for _, window in stream:
            assert np.array_equal(pool.read_image(path / "1.png"), window[1])
    assert np.array_equal(pool.read_image(path / "0.png"), frames[0])
