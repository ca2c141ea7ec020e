import base64
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_files import drawn

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Frames, Image
from anisora.leaderboards.report.media import (
    LONGEST_SIDE,
    STRIP_FRAMES,
    Moving,
    jpeg_uri,
    poster_of,
    small_clip,
    small_clips,
    small_image,
    thumbnails,
)

LONGEST = 161
"""Frames of a clip that a page shows."""


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as made:
        yield made


def written(pool: DecoderPool, path: Path, frames: Frames, *, fps: float = 24.0) -> Clip:
    pool.encode(frames, fps=fps, path=path)
    return Clip(path=path, digest=sha256_of_file(path))


def broken(path: Path) -> Clip:
    path.write_bytes(b"no video at all")
    return Clip(path=path, digest=sha256_of_file(path))


def content_of(uri: str, kind: str) -> bytes:
    head, _, packed = uri.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(packed, validate=True)


def picture_of(uri: str) -> Frames:
    return cv2.imdecode(np.frombuffer(content_of(uri, "image/jpeg"), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def video_of(moving: Moving) -> tuple[Frames, float, str]:
    """Decode the video as somebody else would: (frames, rate, codec and pixel format)."""
    with av.open(io.BytesIO(content_of(moving.video, "video/mp4"))) as container:
        stream = container.streams.video[0]
        assert stream.average_rate is not None
        told = float(stream.average_rate), f"{stream.codec_context.name} {stream.codec_context.pix_fmt}"
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]), *told


@pytest.mark.parametrize(
    ("size", "shown"),
    [((48, 64), (48, 64)), ((47, 65), (46, 64)), ((200, 641), (100, 320)), ((700, 90), (320, 40))],
    ids=["small", "odd", "wide", "tall"],
)
def test_a_clip_is_made_small_and_even_and_keeps_its_frames_and_rate(
    pool: DecoderPool, tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    made = small_clip(pool, written(pool, tmp_path / "clip.mkv", drawn(7, *size), fps=12.0))
    frames, rate, form = video_of(made)
    assert (made.height, made.width) == frames.shape[1:3]
    assert (made.height, made.width) == pytest.approx(shown, abs=2)
    assert made.height % 2 == made.width % 2 == 0
    assert max(made.height, made.width) <= LONGEST_SIDE
    assert (made.frames, len(frames), made.fps, rate) == (7, 7, 12.0, 12.0)
    assert form == "h264 yuv420p"  # what every browser plays


def test_a_small_clip_shows_what_the_clip_shows(pool: DecoderPool, tmp_path: Path) -> None:
    levels = np.array([20, 90, 160, 230], np.uint8)
    frames = np.full((4, 48, 64, 3), 1, np.uint8) * levels[:, None, None, None]
    made = small_clip(pool, written(pool, tmp_path / "clip.mkv", frames))
    decoded, _, _ = video_of(made)
    assert decoded.mean(axis=(1, 2, 3)) == pytest.approx(levels.astype(float), abs=4)
    assert picture_of(made.poster).mean() == pytest.approx(20, abs=4)
    assert picture_of(made.poster).shape == (48, 64, 3)


@pytest.mark.parametrize("num_frames", [1, 4, 24])
def test_a_filmstrip_has_its_number_of_frames_from_first_to_last(
    pool: DecoderPool, tmp_path: Path, num_frames: int
) -> None:
    levels = np.linspace(10, 240, num_frames).round().astype(np.uint8)
    frames = np.full((num_frames, 32, 48, 3), 1, np.uint8) * levels[:, None, None, None]
    made = small_clip(pool, written(pool, tmp_path / "clip.mkv", frames))
    strip = picture_of(made.strip)
    assert strip.shape == (32, 48 * STRIP_FRAMES, 3)
    shown = strip.reshape(32, STRIP_FRAMES, 48, 3).mean(axis=(0, 2, 3))
    places = np.linspace(0, num_frames - 1, STRIP_FRAMES).round().astype(int)
    assert shown == pytest.approx(levels[places].astype(float), abs=4)
    assert (places[0], places[-1]) == (0, num_frames - 1)


@pytest.mark.parametrize("num_frames", [LONGEST - 1, LONGEST, LONGEST + 40])
def test_a_long_clip_is_shown_from_its_beginning(pool: DecoderPool, tmp_path: Path, num_frames: int) -> None:
    levels = np.linspace(0, 250, num_frames).round().astype(np.uint8)
    frames = np.full((num_frames, 16, 16, 3), 1, np.uint8) * levels[:, None, None, None]
    made = small_clip(pool, written(pool, tmp_path / "clip.mkv", frames))
    decoded, _, _ = video_of(made)
    shown = min(num_frames, LONGEST)
    assert (made.frames, len(decoded)) == (shown, shown)
    assert decoded[[0, -1]].mean(axis=(1, 2, 3)) == pytest.approx(levels[[0, shown - 1]].astype(float), abs=5)
    strip = picture_of(made.strip)
    assert strip[:, -16:].mean() == pytest.approx(float(levels[shown - 1]), abs=5)


def test_the_same_clip_gives_the_same_bytes(pool: DecoderPool, tmp_path: Path) -> None:
    clip = written(pool, tmp_path / "clip.mkv", drawn(6))
    assert small_clip(pool, clip) == small_clip(pool, clip)


def test_a_clip_that_cannot_be_read_is_an_error_and_in_a_page_is_left_out(
    pool: DecoderPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = {
        ("alpha", "good"): written(pool, tmp_path / "good.mkv", drawn(4)),
        ("alpha", "bad"): broken(tmp_path / "bad.mkv"),
        ("beta", "gone"): Clip(path=tmp_path / "gone.mkv", digest="gone"),
    }
    with pytest.raises(VideoUnreadable, match=r"bad\.mkv"):
        small_clip(pool, clips["alpha", "bad"])
    steps: list[int] = []
    with caplog.at_level(logging.WARNING):
        made = small_clips(pool, clips, advance=lambda: steps.append(1))
    assert set(made) == {("alpha", "good")}
    assert len(steps) == 3
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all(message.startswith("left out of the report: ") for message in told)
    assert {name for name in ("bad.mkv", "gone.mkv") for message in told if name in message} == {"bad.mkv", "gone.mkv"}


def test_clips_of_equal_bytes_are_made_once(pool: DecoderPool, tmp_path: Path) -> None:
    clip = written(pool, tmp_path / "clip.mkv", drawn(4))
    steps: list[int] = []
    made = small_clips(pool, {("alpha", "x"): clip, ("beta", "x"): clip}, workers=2, advance=lambda: steps.append(1))
    assert made["alpha", "x"] is made["beta", "x"]
    assert len(steps) == 1


def test_a_thumbnail_is_the_middle_frame(pool: DecoderPool, tmp_path: Path) -> None:
    levels = np.array([0, 50, 100, 150, 200], np.uint8)
    frames = np.full((5, 90, 400, 3), 1, np.uint8) * levels[:, None, None, None]
    picture = picture_of(poster_of(pool, written(pool, tmp_path / "clip.mkv", frames)))
    assert picture.shape == (36, 160, 3)
    assert picture.mean() == pytest.approx(100, abs=4)


def test_thumbnails_keep_their_order_and_leave_out_what_cannot_be_read(
    pool: DecoderPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = [(name, written(pool, tmp_path / f"{name}.mkv", drawn(2, seed=at))) for at, name in enumerate("cab")]
    wanted.insert(1, ("bad", broken(tmp_path / "bad.mkv")))
    with caplog.at_level(logging.WARNING):
        made = thumbnails(pool, wanted, workers=2)
    assert list(made) == ["c", "a", "b"]
    (record,) = caplog.records
    assert record.getMessage().startswith("left out of the contact sheet: ")


def test_a_conditioning_image_is_made_small(pool: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "first.png"
    cv2.imwrite(str(path), drawn(1, 180, 960)[0])
    picture = picture_of(small_image(pool, Image(path=path, digest="")))
    assert picture.shape == (60, LONGEST_SIDE, 3)


def test_colours_of_a_picture_are_not_swapped() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert picture_of(jpeg_uri(red)).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=4)
