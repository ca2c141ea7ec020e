"""Which kinds of files the two backends decode to the same bits, and which they do not."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from media_files import clip, drawn, write_video
from shared_data import CLIPS, needs_shared

from anisora.harness.errors import ConfigError, VideoUnreadable
from anisora.harness.media.decoder import DecodeOptions, DecoderPool

needs_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")


@dataclass(frozen=True)
class Kind:
    name: str
    suffix: str
    codec: str
    pixel_format: str
    size: tuple[int, int] = (48, 64)
    options: dict[str, str] = field(default_factory=dict)
    context: dict[str, int] = field(default_factory=dict)
    pts: tuple[int, ...] | None = None
    rotation: int | None = None


SAME = (
    Kind("h264 with B-frames", ".mp4", "libx264", "yuv420p", options={"bf": "3"}),
    Kind("h264 in MOV", ".mov", "libx264", "yuv420p"),
    Kind("h264 in Matroska", ".mkv", "libx264", "yuv420p"),
    Kind("h264 with an odd number of chroma columns", ".mp4", "libx264", "yuv420p", size=(46, 62)),
    Kind("h264 4:2:2", ".mp4", "libx264", "yuv422p"),
    Kind("h264 4:4:4 of odd size", ".mp4", "libx264", "yuv444p", size=(47, 63)),
    Kind("h264 grey", ".mp4", "libx264", "gray"),
    *(
        Kind(f"h264 tagged with matrix {matrix}", ".mp4", "libx264", "yuv420p", context={"colorspace": matrix})
        for matrix in (0, 1, 4, 5, 6, 7, 8, 9, 10, 12)
    ),
    Kind("ffv1 tagged full range", ".mkv", "ffv1", "yuv420p", context={"color_range": 2}),
    Kind("h264 full range", ".mp4", "libx264", "yuvj420p"),
    Kind("h264 tagged full range", ".mp4", "libx264", "yuv420p", context={"color_range": 2}),
    Kind("h264 of variable frame rate", ".mp4", "libx264", "yuv420p", pts=(0, 1, 3, 4, 8, 9, 10, 15, 16, 20, 21, 30)),
    Kind("hevc", ".mp4", "libx265", "yuv420p"),
    Kind("vp9", ".webm", "libvpx-vp9", "yuv420p"),
    Kind("vp9 of odd width", ".webm", "libvpx-vp9", "yuv420p", size=(48, 63)),
    Kind("mpeg4", ".mp4", "mpeg4", "yuv420p"),
    Kind("mpeg4 in AVI", ".avi", "mpeg4", "yuv420p"),
    Kind("ffv1 RGB of odd size", ".mkv", "ffv1", "bgr0", size=(47, 63)),
    Kind("ffv1 4:2:2 of odd size", ".mkv", "ffv1", "yuv422p", size=(47, 63)),
    Kind("ffv1 grey", ".mkv", "ffv1", "gray"),
)

DIFFERENT = (
    # swscale's generations round 10 bits differently, and place 4:2:0 chroma differently where the height is odd
    Kind("h264 of 10 bits", ".mp4", "libx264", "yuv420p10le"),
    Kind("vp9 of odd height", ".webm", "libvpx-vp9", "yuv420p", size=(47, 64)),
    Kind("ffv1 4:2:0 of odd height", ".mkv", "ffv1", "yuv420p", size=(47, 64)),
)

AV_ALONE = (
    Kind("av1", ".mp4", "libsvtav1", "yuv420p", size=(64, 64)),
    Kind("gif", ".gif", "gif", "rgb8"),
)


def name_of(kind: Kind) -> str:
    return kind.name.replace(" ", "-")


def written(kind: Kind, folder: Path) -> Path:
    return write_video(
        folder / f"clip{kind.suffix}",
        drawn(12, *kind.size),
        kind.codec,
        kind.pixel_format,
        options=kind.options,
        context=kind.context,
        pts=kind.pts,
        rotation=kind.rotation,
    )


@pytest.fixture(scope="module")
def by_av() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


@pytest.fixture(scope="module")
def by_decord() -> Iterator[DecoderPool]:
    with DecoderPool(options=DecodeOptions(backend="decord")) as pool:
        yield pool


@needs_decord
@pytest.mark.parametrize("kind", SAME, ids=name_of)
def test_av_and_decord_give_the_same_bits(
    kind: Kind, tmp_path: Path, by_av: DecoderPool, by_decord: DecoderPool
) -> None:
    path = written(kind, tmp_path)
    ours, info = by_av.read_frames(clip(path))
    theirs, decord_info = by_decord.read_frames(clip(path))
    assert ours.shape == (12, *kind.size, 3)
    assert info == decord_info
    assert np.array_equal(ours, theirs)


@needs_decord
@pytest.mark.parametrize("kind", DIFFERENT, ids=name_of)
def test_av_and_decord_differ_where_the_table_says_so(
    kind: Kind, tmp_path: Path, by_av: DecoderPool, by_decord: DecoderPool
) -> None:
    path = written(kind, tmp_path)
    ours, _ = by_av.read_frames(clip(path))
    theirs, _ = by_decord.read_frames(clip(path))
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() > 0
    assert difference.mean() < 12


@needs_decord
@pytest.mark.parametrize("kind", AV_ALONE, ids=name_of)
def test_what_decord_cannot_read_is_named_and_read_by_av(
    kind: Kind, tmp_path: Path, by_av: DecoderPool, by_decord: DecoderPool
) -> None:
    path = written(kind, tmp_path)
    assert by_av.read_frames(clip(path))[0].shape == (12, *kind.size, 3)
    with pytest.raises(VideoUnreadable, match="decord cannot decode") as caught:
        by_decord.read_frames(clip(path))
    assert caught.value.reason == "unsupported"


@needs_decord
@needs_shared
@pytest.mark.parametrize("name", ["cartoon_films_shuo_hua_26.mp4", "cartoon_films_tui_la_13.mp4"])
def test_real_clips_are_the_same_with_both_backends(name: str, by_av: DecoderPool, by_decord: DecoderPool) -> None:
    path = CLIPS / "video" / name
    assert np.array_equal(by_av.read_frames(clip(path))[0], by_decord.read_frames(clip(path))[0])


@needs_decord
@needs_shared
@pytest.mark.slow
def test_the_large_tagged_clip_is_the_same_with_both_backends(by_av: DecoderPool, by_decord: DecoderPool) -> None:
    path = CLIPS / "video" / "cartoon_films_da_dou_1.mp4"
    chosen = [0, 1, 66, 130, 131]
    with by_av.open(clip(path), lambda _: chosen) as a, by_decord.open(clip(path), lambda _: chosen) as b:
        ours = np.concatenate([frames.copy() for _, frames in a])
        theirs = np.concatenate([frames.copy() for _, frames in b])
    assert ours.shape == (5, 1080, 2002, 3)
    assert np.array_equal(ours, theirs)


def flat(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((3, 48, 64, 3), (red, green, blue), np.uint8)


def test_the_matrix_of_the_stream_is_followed(tmp_path: Path, by_av: DecoderPool) -> None:
    """H.273 with Kr = 0.2126, Kb = 0.0722, of pixels that were made with BT.601 and called BT.709."""
    path = write_video(tmp_path / "a.mp4", flat(180, 60, 40), context={"colorspace": 1}, options={"crf": "0"})
    luma = 0.299 * 180 + 0.587 * 60 + 0.114 * 40
    blue, red = (40 - luma) / 1.772, (180 - luma) / 1.402
    expected = [luma + 1.5748 * red, luma - 0.18732 * blue - 0.46812 * red, luma + 1.8556 * blue]
    seen, _ = by_av.read_frames(clip(path))
    assert np.abs(seen[1, 24, 32] - np.array(expected)).max() < 3
    assert np.abs(np.array(expected) - (180, 60, 40)).max() > 8


def test_a_stream_without_tags_is_bt601_and_limited(tmp_path: Path, by_av: DecoderPool) -> None:
    path = write_video(tmp_path / "a.mp4", flat(180, 60, 40), options={"crf": "0"})
    assert np.abs(by_av.read_frames(clip(path))[0].astype(int) - flat(180, 60, 40)).max() < 3


def test_the_range_of_the_stream_is_followed(tmp_path: Path, by_av: DecoderPool) -> None:
    """Limited luma, called full, is shown as it is: 16 + 219 / 255 of the grey that it was made of."""
    path = write_video(tmp_path / "a.mkv", flat(200, 200, 200), "ffv1", "yuv420p", context={"color_range": 2})
    assert np.abs(by_av.read_frames(clip(path))[0] - (16 + 200 * 219 / 255)).max() < 2


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_tagged_turns_frames_as_the_display_matrix_says(
    rotation: int, turns: int, tmp_path: Path, by_av: DecoderPool
) -> None:
    path = write_video(tmp_path / "a.mp4", drawn(4), rotation=rotation)
    upright, info = by_av.read_frames(clip(path))
    with DecoderPool(options=DecodeOptions(colour="tagged")) as pool:
        turned, turned_info = pool.read_frames(clip(path))
    assert (info.height, info.width) == (48, 64)
    assert turned.shape[1:3] == (turned_info.height, turned_info.width)
    assert np.array_equal(turned, np.rot90(upright, turns, axes=(1, 2)))


@needs_decord
@pytest.mark.parametrize("rotation", [90, 180])
def test_a_rotated_clip_is_refused_by_decord(rotation: int, tmp_path: Path, by_decord: DecoderPool) -> None:
    """Measured: decord 0.6 gives (64, 48, 4) frames of a 64x48 clip that is to be turned by 90 degrees."""
    path = write_video(tmp_path / "a.mp4", drawn(4), rotation=rotation)
    with pytest.raises(VideoUnreadable, match="use the av backend") as caught:
        by_decord.read_frames(clip(path))
    assert caught.value.reason == "unsupported"


def test_decord_with_tagged_colour_is_refused() -> None:
    with pytest.raises(ConfigError, match="colour='tagged' with backend='decord'"):
        DecodeOptions(backend="decord", colour="tagged")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`DecodeOptions\.backend` got 'opencv'"):
        DecodeOptions(backend="opencv")  # type: ignore[arg-type]
