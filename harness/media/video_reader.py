"""Reading video files: the only module that opens them. It runs in a decoder process, never in the parent."""

import contextlib
import errno
import importlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.containers import Container, gif_canvas, missing_bytes, sniff
from anisora.harness.media.regular_files import open_regular_file
from anisora.harness.types import Frames, StreamInfo

__all__ = ["FileLimits", "VideoFile", "versions"]

av.logging.set_level(av.logging.ERROR)

_BUFFER_BYTES: Final = 1 << 18
_CODEC_OPTIONS: Final = {"err_detect": "crccheck+explode"}
_NOT_SUPPORTED: Final = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, av.error.tag_to_code(b"PAWE")})
_MATRICES: Final = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""By H.273 matrix_coefficients; anything else, unspecified too, is read as BT.601."""


class FileLimits:
    """What one file may ask for."""

    def __init__(self, *, max_file_bytes: int, max_pixels: int, max_frames: int, memory_bytes: int) -> None:
        """Take the caps of DecodeLimits that the process checks itself."""
        self.max_file_bytes, self.max_pixels, self.max_frames = max_file_bytes, max_pixels, max_frames
        self.memory_bytes = memory_bytes

    def check_size(self, path: Path, width: int, height: int) -> None:
        """Refuse a picture that is too large, before it is decoded."""
        if width * height > self.max_pixels:
            raise VideoUnreadable(
                path,
                "too-many-pixels",
                f"its header says {width}x{height} = {width * height} pixels; expected at most {self.max_pixels}.",
            )
        if 3 * width * height > self.memory_bytes:
            raise VideoUnreadable(
                path,
                "memory-limit",
                f"its header says {width}x{height}: one RGB frame takes "
                f"{3 * width * height} bytes; the limit is {self.memory_bytes}.",
            )

    def check_count(self, path: Path, count: int) -> None:
        """Refuse a clip that is too long."""
        if count > self.max_frames:
            raise VideoUnreadable(
                path, "too-many-frames", f"more than {self.max_frames} frames; expected at most that many."
            )


class VideoFile:
    """One open video file: first what it promises, then its frames from first to last."""

    def __init__(
        self,
        path: Path,
        limits: FileLimits,
        *,
        fps: float | None = None,
        num_frames: int | None = None,
        colour: Literal["reference", "tagged"] = "reference",
        backend: Literal["av", "decord"] = "av",
    ) -> None:
        """Open the file, check its structure and decode its first frame.

        Args:
            path: The file.
            limits: What it may ask for.
            fps: Frame rate that overrides the container's.
            num_frames: The number of frames, where it is known; else the packets are counted.
            colour: See DecodeOptions.
            backend: See DecodeOptions.

        Raises:
            VideoUnreadable: For every reason a file can have.
        """
        self.path, self._limits, self._colour, self._backend = path, limits, colour, backend
        self._file = open_regular_file(path, limits.max_file_bytes)
        self._reformatter = VideoReformatter()
        self._container: InputContainer | None = None
        try:
            with self._errors():
                self._kind = self._check_structure()
                count = self._count_frames() if num_frames is None else num_frames
                limits.check_count(path, count)
                stream = self._open()
                rate = fps if fps is not None else self._frame_rate(stream)
                self._decoded = self._decode(stream)
                self._first: VideoFrame | None = next(self._decoded, None)
                if self._first is None:
                    raise VideoUnreadable(path, "no-frames", "not one frame could be decoded.")
                self.info = self._describe(stream, self._first, rate, count)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self._container is not None:
            self._container.close()
        self._file.close()

    def frames(self, wanted: Sequence[int] | None) -> Iterator[Frames | None]:
        """Yield every frame: its pixels, valid until the next step, or None where it is not wanted.

        The file is always read to its end: whether it is damaged, and how long it is, must not depend on what
        was wanted of it.
        """
        chosen = None if wanted is None else frozenset(wanted)
        with self._errors():
            if self._backend == "decord":
                yield from self._frames_by_decord(chosen)
                return
            index, frame = 0, self._first
            self._first = None
            while frame is not None:
                self._limits.check_count(self.path, index + 1)
                self._check_frame(frame, index)
                yield self._to_rgb(frame) if chosen is None or index in chosen else None
                index, frame = index + 1, next(self._decoded, None)

    # -- opening

    def _check_structure(self) -> Container:
        kind = sniff(self._file)
        if kind is None:
            raise VideoUnreadable(
                self.path,
                "not-a-video",
                "its first bytes are of no container read here; expected MP4, MOV, WebM, Matroska, GIF or AVI.",
            )
        if kind == "gif":
            self._limits.check_size(self.path, *gif_canvas(self._file))
        missing = missing_bytes(self._file, kind)
        if missing:
            size = os.fstat(self._file.fileno()).st_size
            raise VideoUnreadable(
                self.path,
                "damaged",
                f"it ends too early: {size} of at least {size + missing} bytes are there.",
            )
        return kind

    def _open(self) -> VideoStream:
        if self._container is not None:
            self._container.close()
        self._file.seek(0)
        container = av.open(
            self._file,
            "r",
            format=self._kind,
            buffer_size=_BUFFER_BYTES,
            io_open=_refuse_other_files,
            metadata_errors="replace",
            options={"protocol_whitelist": "none", "format_whitelist": _DEMUXERS[self._kind]},
        )
        self._container = container
        if not container.streams.video:
            raise VideoUnreadable(self.path, "no-video-stream", "it holds sound or data, but no pictures.")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise VideoUnreadable(self.path, "unsupported", "FFmpeg has no decoder for its codec.")
        self._limits.check_size(self.path, context.width, context.height)
        context.options = {**_CODEC_OPTIONS, "max_pixels": str(min(self._limits.max_pixels, (1 << 31) - 1))}
        context.thread_count = 1  # damaged streams decode in one way only
        return stream

    def _count_frames(self) -> int:
        """Count the packets without decoding them."""
        stream = self._open()
        entries = stream.index_entries
        promised = len(entries)
        if promised and promised == stream.frames:  # MP4, MOV and AVI have a table of all samples
            size = os.fstat(self._file.fileno()).st_size
            whole = sum(entry.pos + entry.size <= size for entry in entries)
            if whole < promised:
                raise VideoUnreadable(
                    self.path,
                    "damaged",
                    f"its index lists {promised} frames, but only {whole} are in the file.",
                )
            return promised
        assert self._container is not None
        count = 0
        for packet in self._container.demux(stream):
            count += packet.size > 0 and not packet.is_discard
            self._limits.check_count(self.path, count)
        return count

    def _frame_rate(self, stream: VideoStream) -> float:
        for rate in (stream.average_rate, stream.guessed_rate):
            if rate is not None and rate > 0 and math.isfinite(float(rate)):
                return float(rate)
        raise VideoUnreadable(self.path, "no-frame-rate", "its container gives none; give the clip's frame rate (fps).")

    def _describe(self, stream: VideoStream, frame: VideoFrame, fps: float, count: int) -> StreamInfo:
        self._limits.check_size(self.path, frame.width, frame.height)
        self._size = (frame.width, frame.height)
        width, height = self._size if self._quarter_turns(frame) % 2 == 0 else self._size[::-1]
        if self._backend == "decord" and frame.rotation:
            raise VideoUnreadable(
                self.path, "unsupported", "it is to be turned for display, which decord gets wrong; use the av backend."
            )
        return StreamInfo(
            fps=fps,
            num_frames=count,
            height=height,
            width=width,
            codec=stream.codec_context.codec.canonical_name,
            pixel_format=frame.format.name,
        )

    # -- decoding

    def _decode(self, stream: VideoStream) -> Iterator[VideoFrame]:
        assert self._container is not None
        # The FFV1 decoder patches slices that fail their checksum in silence: all it does is write to the log.
        watch = stream.codec_context.name == "ffv1"
        for packet in self._container.demux(stream):
            if packet.is_corrupt:
                raise VideoUnreadable(self.path, "damaged", "a packet is cut off or fails its checksum.")
            with av.logging.Capture() if watch else contextlib.nullcontext([]) as complaints:
                frames = packet.decode()
            if complaints:
                raise VideoUnreadable(self.path, "damaged", f"FFmpeg says {complaints[0][2].strip()!r}.")
            yield from frames

    def _check_frame(self, frame: VideoFrame, index: int) -> None:
        if frame.is_corrupt:
            raise VideoUnreadable(self.path, "damaged", f"frame {index} is decoded from damaged data.")
        if (frame.width, frame.height) != self._size:
            raise VideoUnreadable(
                self.path,
                "unsupported",
                f"frame {index} is {frame.width}x{frame.height}, the first is "
                f"{self._size[0]}x{self._size[1]}; expected one size.",
            )

    def _to_rgb(self, frame: VideoFrame) -> Frames:
        # Matrix and range are the stream's own, as decord has them; what swscale does not know is read as BT.601.
        matrix = _MATRICES.get(frame.colorspace, Colorspace.ITU601)
        picture = self._reformatter.reformat(frame, format="rgb24", threads=1, src_colorspace=matrix)
        plane = picture.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        pixels = rows[: frame.height, : frame.width * 3].reshape(frame.height, frame.width, 3)
        return np.rot90(pixels, self._quarter_turns(frame)) if self._colour == "tagged" else pixels

    def _quarter_turns(self, frame: VideoFrame) -> int:
        """Counter-clockwise, by the display matrix; angles between are left alone, as players do."""
        return round(frame.rotation / 90) % 4 if self._colour == "tagged" and frame.rotation % 90 == 0 else 0

    def _frames_by_decord(self, chosen: frozenset[int] | None) -> Iterator[Frames | None]:
        """One frame at a time: decord's batches hold the whole clip in memory."""
        decord = importlib.import_module("decord")
        decord.logging.set_level(decord.logging.QUIET)
        try:
            reader = decord.VideoReader(f"/dev/fd/{self._file.fileno()}", num_threads=1)
            self._limits.check_count(self.path, len(reader))
            for index in range(len(reader)):
                yield reader[index].asnumpy() if chosen is None or index in chosen else None
        except (decord.DECORDError, IndexError) as error:
            reason = "unsupported" if self.info.codec in ("av1", "gif") else "damaged"
            detail = str(error).strip().splitlines()[0]
            raise VideoUnreadable(self.path, reason, f"decord cannot decode it: {detail}") from error

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Name what FFmpeg says."""
        try:
            yield
        except av.error.FFmpegError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError(str(error)) from error
            reason = "unsupported" if error.errno in _NOT_SUPPORTED else "damaged"
            raise VideoUnreadable(self.path, reason, f"FFmpeg says {error.strerror!r}.") from error
        except PermissionError as error:
            raise VideoUnreadable(self.path, "unsupported", "it refers to another file.") from error


_DEMUXERS: Final[dict[Container, str]] = {
    "mov": "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska": "matroska,webm",
    "gif": "gif",
    "avi": "avi",
}


def _refuse_other_files(url: str, _flags: int, _options: dict[str, str]) -> Callable[..., Any]:
    raise PermissionError(errno.EACCES, "another file", url)


def versions(*, with_decord: bool) -> dict[str, str]:
    """Return the versions of all that turns files into pixels here."""
    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    found = {"av": av.__version__, "ffmpeg": str(getattr(av, "ffmpeg_version_info", "")), **libraries}
    if with_decord:
        found["decord"] = str(importlib.import_module("decord").__version__)
    return found
