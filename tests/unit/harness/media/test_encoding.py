"""Writing videos."""

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import clip, drawn

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool, encoder_suffix


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (1, 65), (2, 3), (400, 1), (1, 400), (270, 480)])
@pytest.mark.parametrize(("encoder", "codec"), [("ffv1", "ffv1"), ("h264rgb", "h264")])
def test_a_lossless_encoder_gives_back_every_bit(
    encoder: str, codec: str, size: tuple[int, int], pool: DecoderPool, tmp_path: Path
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, *size, 3), np.uint8)
    pool.encode(frames, fps=23.976, path=tmp_path / "a.mkv", encoder=encoder)
    seen, info = pool.read_frames(clip(tmp_path / "a.mkv"))
    assert np.array_equal(seen, frames)
    assert info.fps == pytest.approx(23.976, abs=1e-9)
    assert (info.codec, info.num_frames) == (codec, 5)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["ffv1", "h264rgb"]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
)
def test_a_lossless_encoder_gives_back_every_bit_of_any_frames(
    pool: DecoderPool,
    tmp_path_factory: pytest.TempPathFactory,
    encoder: str,
    height: int,
    width: int,
    length: int,
    seed: int,
) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (length, height, width, 3), np.uint8)
    path = tmp_path_factory.mktemp("any") / "a.mkv"
    pool.encode(frames, fps=16.0, path=path, encoder=encoder)
    assert np.array_equal(pool.read_frames(clip(path))[0], frames)


@pytest.mark.parametrize("encoder", ["ffv1", "h264rgb", "h264:crf=20"])
def test_equal_frames_give_equal_bytes(encoder: str, pool: DecoderPool, tmp_path: Path) -> None:
    for name in ("a", "b"):
        pool.encode(drawn(6), fps=24.0, path=tmp_path / name, encoder=encoder)
    with DecoderPool() as fresh:
        fresh.encode(drawn(6), fps=24.0, path=tmp_path / "c", encoder=encoder)
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_h264_is_close_and_closer_with_a_lower_crf(pool: DecoderPool, tmp_path: Path) -> None:
    frames = np.repeat(np.repeat(drawn(6, 24, 32), 2, axis=1), 2, axis=2)  # 4:2:0 can hold its colours
    errors = []
    for crf in (10, 40):
        path = tmp_path / f"{crf}.mp4"
        pool.encode(frames, fps=24.0, path=path, encoder=f"h264:crf={crf},preset=veryfast")
        seen, info = pool.read_frames(clip(path))
        assert (info.pixel_format, info.fps) == ("yuv420p", 24.0)
        errors.append(np.abs(seen.astype(int) - frames).mean())
    assert errors[0] < 6 < errors[1]


@pytest.mark.parametrize("fps", [8.0, 16.0, 24000 / 1001, 30000 / 1001, 12.5, 60.0])
@pytest.mark.parametrize("encoder", ["ffv1", "h264rgb", "h264:crf=30"])
def test_the_frame_rate_is_kept(fps: float, encoder: str, pool: DecoderPool, tmp_path: Path) -> None:
    pool.encode(drawn(6, 16, 16), fps=fps, path=tmp_path / "a", encoder=encoder)
    assert pool.read_frames(clip(tmp_path / "a"))[1].fps == pytest.approx(fps, rel=1e-6)


def test_the_container_is_the_encoders(pool: DecoderPool, tmp_path: Path) -> None:
    assert encoder_suffix("ffv1") == encoder_suffix("h264rgb") == ".mkv"
    assert encoder_suffix("h264:crf=10") == ".mp4"
    pool.encode(drawn(2), fps=24.0, path=tmp_path / "a.mp4", encoder="ffv1")
    assert (tmp_path / "a.mp4").read_bytes()[:4] == b"\x1a\x45\xdf\xa3"


def test_an_unknown_encoder_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match=r"'h265' is not known\. Did you mean 'h264'.*'ffv1'"):
        encoder_suffix("h265")


@pytest.mark.parametrize(
    "encoder",
    ["h264:crf=52", "h264:crf=-1", "h264:crf", "h264:quality=3", "h264:preset=warp", "ffv1:level=1", "h264rgb:qp=1"],
)
def test_a_wrong_option_is_refused(encoder: str) -> None:
    with pytest.raises(ConfigError, match="`encoder` got"):
        encoder_suffix(encoder)


def test_odd_sizes_are_refused_for_h264(pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="frames of 63x47; expected even sizes"):
        pool.encode(drawn(2, 47, 63), fps=24.0, path=tmp_path / "a.mp4", encoder="h264:crf=10")
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_wrong_frame_rate_is_refused(fps: float, pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`fps` got"):
        pool.encode(drawn(2), fps=fps, path=tmp_path / "a.mkv")


def test_frames_of_another_layout_are_refused(pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected uint8 \(T, H, W, 3\) RGB"):
        pool.encode(drawn(2).astype(np.float32), fps=24.0, path=tmp_path / "a.mkv")  # type: ignore[arg-type]


def test_a_folder_that_does_not_exist_is_an_os_error(pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere") as caught:
        pool.encode(drawn(2), fps=24.0, path=tmp_path / "nowhere" / "a.mkv")
    assert caught.value.errno == errno.ENOENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("encoder", ["ffv1", "h264rgb", "h264:crf=10"])
def test_a_full_disk_is_an_os_error_and_the_next_clip_is_written(
    encoder: str, pool: DecoderPool, tmp_path: Path
) -> None:
    (tmp_path / "a.mkv").symlink_to("/dev/full")
    frames = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
    with pytest.raises(OSError, match="No space left") as caught:
        pool.encode(frames, fps=24.0, path=tmp_path / "a.mkv", encoder=encoder)
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "a.mkv").is_symlink()
    pool.encode(frames, fps=24.0, path=tmp_path / "b.mkv")
    assert np.array_equal(pool.read_frames(clip(tmp_path / "b.mkv"))[0], frames)
