"""Decoding and encoding, isolated: a pool of limited processes that alone open video files.

The parent never loads FFmpeg. A file that is damaged, hostile or too large costs one process and one named
error; the next clip is decoded by a fresh one.
"""

import importlib.util
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import AnisoraError, ConfigError, DataError, MissingExtra, VideoUnreadable
from anisora.harness.media.encoding import DEFAULT_ENCODER, encoder_suffix, encoding_of, rate_of
from anisora.harness.media.folders import IMAGE_SUFFIXES, VIDEO_SUFFIXES, frame_paths
from anisora.harness.media.frame_stream import FrameStream, checked_selection, stream_info
from anisora.harness.media.process import REASONS, DecodeLimits, DecoderProcess, Task
from anisora.harness.media.ring import SLOTS
from anisora.harness.types import Clip, Frames, StreamInfo

__all__ = [
    "IMAGE_SUFFIXES",
    "REASONS",
    "VIDEO_SUFFIXES",
    "DecodeLimits",
    "DecodeOptions",
    "DecoderPool",
    "FrameStream",
    "encoder_suffix",
    "frame_paths",
]

Colour = Literal["reference", "tagged"]
Backend = Literal["av", "decord"]
_HIGHEST_RATE: Final = 1_000_000
Select = Callable[[StreamInfo], Sequence[int] | NDArray[np.int64] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeOptions:
    """How files become pixels."""

    colour: Colour = "reference"
    """``reference``: as decord, the stream's own matrix and range (BT.601 and limited where it names none), and
    no rotation. ``tagged``: the quarter turns of the display matrix as well, as players show it."""
    backend: Backend = "av"
    """``av``: PyAV, reads everything. ``decord``: frames by decord, which reads neither AV1 nor GIF."""
    limits: DecodeLimits = field(default_factory=DecodeLimits)

    def __post_init__(self) -> None:
        """Refuse names that do not exist and what decord cannot do."""
        for name, value, known in (
            ("colour", self.colour, get_args(Colour)),
            ("backend", self.backend, get_args(Backend)),
        ):
            if value not in known:
                raise ConfigError(f"`DecodeOptions.{name}` got {value!r}; expected one of {known}.")
        if self.backend == "decord" and self.colour == "tagged":
            raise ConfigError(
                "`DecodeOptions` got colour='tagged' with backend='decord', which turns frames wrongly; "
                "use backend='av'."
            )


class DecoderPool:
    """Long-lived, limited processes that decode, read images and encode. Satisfies ``VideoReader``.

    Thread-safe. Processes start when they are first needed. A thread waits until one of ``processes`` is
    free; a thread that holds one already (a clip beside its ground truth, an image while a clip is read) gets
    a further one at once.
    """

    def __init__(self, *, processes: int = 1, options: DecodeOptions | None = None) -> None:
        """Take the number of processes and how they decode.

        Raises:
            MissingExtra: The backend is not installed.
        """
        if processes < 1:
            raise ConfigError(f"`processes` got {processes!r}; expected at least 1.")
        self.options = options if options is not None else DecodeOptions()
        if self.options.backend == "decord" and importlib.util.find_spec("decord") is None:
            raise MissingExtra("The decord backend", "decord")
        self.decodes = 0
        self._limit = processes
        self._changed = threading.Condition()
        self._idle: list[DecoderProcess] = []
        self._held: Counter[int] = Counter()  # by thread
        self._parent = os.getpid()
        self._closed = False
        self._finalizer = weakref.finalize(self, _close_all, self._idle)

    def __enter__(self) -> Self:
        """Use as a context manager; leaving ends the processes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        self.close()

    def close(self) -> None:
        """End the idle processes; those in use end when they are given back."""
        with self._changed:
            self._closed = True
            idle = self._idle[:]
            self._idle.clear()
        _close_all(idle)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that wait for work, for monitoring."""
        with self._changed:
            return tuple(process.pid for process in self._idle)

    @contextmanager
    def _open(self, clip: Clip, select: Select | None, num_frames: int | None) -> Iterator[FrameStream]:
        if clip.fps is not None and not 0 < clip.fps < _HIGHEST_RATE:
            raise ConfigError(f"`Clip.fps` of `{clip.path}` got {clip.fps!r}; expected frames per second, above 0.")
        with self._task("decode", clip.path) as task:
            task.send("open", path=task.absolute, fps=clip.fps, num_frames=num_frames)
            expected = stream_info(task, task.receive("opened"))
            try:
                wanted = None if select is None else checked_selection(select(expected))
            except BaseException:
                _stop(task)
                raise
            with self._changed:
                self.decodes += 1
            stream = FrameStream(task, expected, wanted)
            try:
                yield stream
            finally:
                stream.finish()

    def open(
        self, clip: Clip, select: Select | None = None, *, num_frames: int | None = None
    ) -> AbstractContextManager[FrameStream]:
        """Open a clip and choose its frames.

        Args:
            clip: A file or a folder of frames.
            select: From the expected stream to the sorted indices of the frames wanted; None, or no function,
                means all. Only these are converted and shipped, but the clip is always decoded to its end.
            num_frames: The true length, where it is known; else the packets are counted.

        Raises:
            VideoUnreadable: On entering, or while the frames are read; the reason is named.
        """
        return self._open(clip, select, num_frames)

    def read_frames(self, clip: Clip) -> tuple[Frames, StreamInfo]:
        """Return all frames of a clip, (T, H, W, 3), and what it is.

        Raises:
            VideoUnreadable: With the reason.
        """
        with self.open(clip) as stream:
            clip_frames = _room_for(clip.path, stream.expected, stream.expected.num_frames)
            count = 0
            for indices, window in stream:
                if count + len(indices) > len(clip_frames):  # the container promised too few
                    longer = _room_for(clip.path, stream.expected, 2 * count + len(indices))
                    longer[:count] = clip_frames[:count]
                    clip_frames = longer
                clip_frames[count : count + len(indices)] = window
                count += len(indices)
            return clip_frames[:count], stream.info

    def read_image(self, path: Path) -> Frames:
        """Return a PNG, JPEG, WebP or BMP image as RGB, (H, W, 3).

        Alpha is dropped and EXIF orientation is not applied.

        Raises:
            VideoUnreadable: With the reason.
        """
        with self._task("decode", path) as task:
            task.send("image", path=task.absolute)
            info = stream_info(task, task.receive("opened"))
            task.send("start", **task.reserve(info.height, info.width))
            task.receive("window")
            pixels: Frames = task.process.ring.frames(0, task.slot_bytes, 1, info.height, info.width)[0].copy()
            task.receive("end")
            return pixels

    def encode(self, frames: Frames, *, fps: float, path: Path, encoder: str = DEFAULT_ENCODER) -> None:
        """Write frames to a file; equal frames, rate and encoder give equal bytes.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            fps: Frames per second; stored as a fraction with a denominator of at most 1001.
            path: The file; the container is the encoder's, whatever the suffix says.
            encoder: ``ffv1``: lossless RGB in Matroska, with checksums. ``h264rgb``: the same in a codec that is
                read six times as fast. ``h264:crf=10[,preset=medium]``: yuv420p in MP4, for even sizes only.

        Raises:
            ConfigError: The encoder, frame rate or size cannot be.
            DataError: ``frames`` has another layout.
            OSError: The file cannot be written.
        """
        encoding, rate = encoding_of(encoder), rate_of(fps)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
            raise DataError(f"`frames` got {frames.dtype} of shape {frames.shape}; expected uint8 (T, H, W, 3) RGB.")
        _, height, width, _ = frames.shape
        if encoding.pixel_format == "yuv420p" and (height % 2 or width % 2):
            raise ConfigError(
                f"`encoder` {encoder!r} got frames of {width}x{height}; expected even sizes. Crop them, or use 'ffv1'."
            )
        try:
            with self._task("encode", path) as task:
                room = task.reserve(height, width)
                task.send(
                    "encode",
                    path=task.absolute,
                    encoder=encoder,
                    rate=[rate.numerator, rate.denominator],
                    height=height,
                    width=width,
                    **room,
                )
                _send_frames(task, frames)
                task.send("finish")
                while task.receive("free", "end")["type"] != "end":
                    pass
        except VideoUnreadable as error:
            _remove(path)
            raise AnisoraError(f"Video `{path}` cannot be written ({error.reason}): {error.detail}") from error
        except OSError:
            _remove(path)
            raise

    def versions(self) -> dict[str, str]:
        """Return the versions of PyAV, FFmpeg's libraries and decord, as a process reports them."""
        with self._lease("decode") as process:
            return dict(process.versions)

    @contextmanager
    def _task(self, role: Literal["decode", "encode"], path: Path) -> Iterator[Task]:
        with self._lease(role) as process:
            yield Task(process, path)

    @contextmanager
    def _lease(self, role: Literal["decode", "encode"]) -> Iterator[DecoderProcess]:
        thread = threading.get_ident()
        process = self._take(role, thread)
        healthy = False
        try:
            if process is None:
                process = DecoderProcess(
                    role, self.options.limits, colour=self.options.colour, backend=self.options.backend
                )
            yield process
            healthy = True
        except VideoUnreadable:
            healthy = True  # the process has said so and waits for the next file, or it is dead
            raise
        finally:
            self._give_back(process, thread, keep=healthy)

    def _take(self, role: str, thread: int) -> DecoderProcess | None:
        """Wait for a turn; return an idle process, or None if one is to be started."""
        with self._changed:
            self._forget_after_fork()
            while not self._held[thread] and sum(count > 0 for count in self._held.values()) >= self._limit:
                self._changed.wait()
            if self._closed:
                raise AnisoraError("`DecoderPool` is closed; open a new one.")
            self._held[thread] += 1
            for process in [process for process in self._idle if not process.alive]:
                self._idle.remove(process)
                process.kill()
            found = next((process for process in self._idle if process.role == role), None)
            if found is not None:
                self._idle.remove(found)
            return found

    def _give_back(self, process: DecoderProcess | None, thread: int, *, keep: bool) -> None:
        retire: DecoderProcess | None = None
        with self._changed:
            self._held[thread] -= 1
            if not self._held[thread]:
                del self._held[thread]
            if process is not None and process.alive:
                fresh = process.files < self.options.limits.files_per_process
                if keep and fresh and not self._closed:
                    self._idle.append(process)
                else:
                    retire = process
            self._changed.notify_all()
        if retire is not None:
            retire.close() if keep else retire.kill()

    def _forget_after_fork(self) -> None:
        """The processes of a forked parent answer the parent, not us."""
        if os.getpid() != self._parent:
            self._parent = os.getpid()
            for process in self._idle:
                process.abandon()
            self._idle.clear()
            self._held.clear()


def _room_for(path: Path, info: StreamInfo, num_frames: int) -> Frames:
    shape = (num_frames, info.height, info.width, 3)
    try:
        return np.empty(shape, np.uint8)
    except MemoryError as error:
        raise VideoUnreadable(
            path,
            "memory-limit",
            f"all its frames together, {shape}, do not fit into memory; read it in windows.",
        ) from error


def _remove(path: Path) -> None:
    """Leave no half-written file; what went wrong in the first place matters more than this."""
    with suppress(OSError):
        path.unlink()


def _close_all(processes: list[DecoderProcess]) -> None:
    while processes:
        processes.pop().close()


def _stop(task: Task) -> None:
    task.send("stop")
    task.receive("stopped")


def _send_frames(task: Task, frames: Frames) -> None:
    free = list(range(SLOTS))
    _, height, width, _ = frames.shape
    for start in range(0, len(frames), task.window):
        while not free:
            slot = task.receive("free").get("slot")
            if type(slot) is not int or slot not in range(SLOTS):
                raise task.nonsense("a slot that does not exist")
            free.append(slot)
        part = frames[start : start + task.window]
        slot = free.pop()
        np.copyto(task.process.ring.frames(slot, task.slot_bytes, len(part), height, width), part)
        task.send("window", slot=slot, count=len(part))
