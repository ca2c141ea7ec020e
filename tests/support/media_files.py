"""Small video and image files, drawn and encoded here, and ways to break them."""

import io
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from anisora.harness.types import Clip, Frames

VIDEO_FORMATS = {"mp4": "mp4", "mov": "mov", "webm": "webm", "mkv": "matroska", "gif": "gif", "avi": "avi"}


def drawn(num_frames: int = 12, height: int = 48, width: int = 64, seed: int = 0) -> Frames:
    """Ramps that drift and a square that moves: every frame differs from its neighbours and from its mirror."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    for t in range(num_frames):
        frames[t] = np.stack([x * 3 + t * 5, y * 2 + t * 9, x + y + t * 13], axis=-1) % 256
        top = (height // 4 + t) % (height // 2)
        frames[t, top : top + 8, 4:20] = rng.integers(0, 256, 3)
    return frames


def write_video(
    path: Path,
    frames: Frames,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    *,
    fps: Fraction | int = 24,
    options: Mapping[str, str] | None = None,
    context: Mapping[str, Any] | None = None,
    muxer: Mapping[str, str] | None = None,
    pts: Sequence[int] | None = None,
    rotation: int | None = None,
) -> Path:
    """Encode frames into the container that the suffix names."""
    settings = {"svtav1-params": "preset=12"} if codec == "libsvtav1" else {}
    settings |= {"x265-params": "log-level=none"} if codec == "libx265" else {}
    form = VIDEO_FORMATS[path.suffix.lower()[1:]]
    with av.open(str(path), "w", format=form, container_options=dict(muxer or {})) as container:
        stream = container.add_stream(codec, rate=fps, options={**settings, **(options or {})})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], pixel_format
        for name, value in (context or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for index, pixels in enumerate(frames):
            picture = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
            if pts is not None:
                picture.pts, picture.time_base = pts[index], Fraction(1, 1) / fps
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no pictures."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def write_repeated(path: Path, *, height: int, width: int, times: int) -> Path:
    """A small file that is a lot of work: one large flat VP9 key frame, repeated."""
    flat = np.full((height, width, 3), 90, np.uint8)
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx-vp9", rate=24, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets = stream.encode(VideoFrame.from_ndarray(flat, format="rgb24")) + stream.encode(None)
        data = bytes(packets[0])
        for index in range(times):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 24)
            packet.pts = packet.dts = index
            packet.is_keyframe = True
            container.mux(packet)
    return path


def write_two_sizes(path: Path) -> Path:
    """A stream whose frames change size half-way: two VP9 key frames of different size in one WebM track."""
    parts = []
    for height, width in ((48, 64), (64, 96)):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format="webm") as container:
            stream = container.add_stream("libvpx-vp9", rate=24)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            picture = VideoFrame.from_ndarray(drawn(1, height, width)[0], format="rgb24")
            parts.append(bytes((stream.encode(picture) + stream.encode(None))[0]))
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx-vp9", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.open()
        for index, data in enumerate(parts):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 24)
            packet.pts = packet.dts = index
            packet.is_keyframe = True
            container.mux(packet)
    return path


def with_gif_canvas(gif: bytes, width: int, height: int) -> bytes:
    """The same GIF with another canvas in its header."""
    return gif[:6] + struct.pack("<HH", width, height) + gif[10:]


def with_mp4_size(mp4: bytes, width: int, height: int) -> bytes:
    """The same MP4 with another picture size in its sample description."""
    at = mp4.index(b"stsd") + 16  # the entry's type
    return mp4[: at + 28] + struct.pack(">HH", width, height) + mp4[at + 32 :]


def clip(path: Path, fps: float | None = None) -> Clip:
    """The file as a clip; nothing here looks at the digest."""
    return Clip(path=path, digest="", fps=fps)
