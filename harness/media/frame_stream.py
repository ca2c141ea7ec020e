"""One clip on its way from a decoder process to its reader, and the checks on what the process says of it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError, VideoUnreadable
from anisora.harness.media.messages import Message
from anisora.harness.media.process import Task
from anisora.harness.media.ring import SLOTS
from anisora.harness.types import Frames, StreamInfo

__all__ = ["FrameStream", "checked_selection", "stream_info"]

_LARGEST: Final = 1 << 31


class FrameStream:
    """The frames of one clip while it is decoded; iterate once."""

    def __init__(self, task: Task, expected: StreamInfo, wanted: list[int] | None) -> None:
        """Take an opened clip and the frames wanted of it, None for all."""
        self.expected = expected
        """What the container promises."""
        self._task, self._wanted = task, wanted
        self._info: StreamInfo | None = None
        self._started = self._ended = False
        self._last = -1

    @property
    def info(self) -> StreamInfo:
        """What the clip turned out to be; known when the iteration has ended."""
        if self._info is None:
            raise MetricError("`FrameStream.info` is known after the last window; iterate to the end first.")
        return self._info

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], Frames]]:
        """Yield (indices (n,), frames (n, H, W, 3)); frames are read-only and valid until the next step.

        Raises:
            VideoUnreadable: The clip is damaged further on, or breaks a limit.
        """
        if self._started:
            raise MetricError("`FrameStream` can be iterated once; open the clip again.")
        self._started = True
        try:
            yield from self._windows()
        except VideoUnreadable:
            self._ended = True
            raise

    def _windows(self) -> Iterator[tuple[NDArray[np.int64], Frames]]:
        task = self._task
        room = task.reserve(self.expected.height, self.expected.width)
        task.send("start", wanted=self._wanted, **room)
        while (message := task.receive("window", "end"))["type"] == "window":
            slot, indices = self._checked(message)
            yield (
                indices,
                task.process.ring.frames(
                    slot, task.slot_bytes, len(indices), self.expected.height, self.expected.width
                ),
            )
            task.send("free", slot=slot)
        self._info = stream_info(task, message)
        self._ended = True

    def finish(self) -> None:
        """Stop a clip that was not read to its end, so that the process can take the next one."""
        if self._ended or not self._task.process.alive:
            return
        self._task.send("stop")
        while self._task.receive("window", "end", "stopped")["type"] == "window":
            pass

    def _checked(self, message: Message) -> tuple[int, NDArray[np.int64]]:
        """Believe nothing that a process says without looking."""
        slot, indices = message.get("slot"), message.get("indices")
        if (
            type(slot) is not int
            or slot not in range(SLOTS)
            or not isinstance(indices, list)
            or not 0 < len(indices) <= self._task.window
        ):
            raise self._task.nonsense("a window that does not fit its slot")
        if not all(type(index) is int and 0 <= index < 2**31 for index in indices):
            raise self._task.nonsense("indices that are no frame numbers")
        array = np.asarray(indices, dtype=np.int64)
        if array[0] <= self._last or (np.diff(array) <= 0).any():
            raise self._task.nonsense("frames out of order")
        self._last = int(array[-1])
        return slot, array


def checked_selection(indices: Sequence[int] | NDArray[np.int64] | None) -> list[int] | None:
    """Return the frames a reader wants as plain numbers, None for all.

    Raises:
        MetricError: They are not sorted, unique frame numbers.
    """
    if indices is None:
        return None
    array = np.asarray(indices, dtype=np.int64)
    if array.ndim != 1 or (array < 0).any() or (np.diff(array) <= 0).any():
        raise MetricError(f"`select` got frame indices {array.tolist()[:20]!r}; expected sorted, unique numbers.")
    return [int(index) for index in array]


def stream_info(task: Task, message: Message) -> StreamInfo:
    """Check what a process says of a clip, field by field."""
    info: Any = message.get("info")
    limits = task.process.limits
    try:
        found = StreamInfo(
            fps=info["fps"],
            num_frames=info["num_frames"],
            height=info["height"],
            width=info["width"],
            codec=info["codec"],
            pixel_format=info["pixel_format"],
        )
    except (KeyError, TypeError) as error:
        raise task.nonsense("no stream information") from error
    integers = (found.num_frames, found.height, found.width)
    if not all(type(value) is int and 0 <= value < _LARGEST for value in integers):
        raise task.nonsense("a size that is no size")
    if not 0 < found.height * found.width <= limits.max_pixels or found.num_frames > limits.max_frames:
        raise task.nonsense("a size beyond the limits")
    if type(found.fps) not in (int, float) or not 0 < found.fps < _LARGEST:
        raise task.nonsense("a frame rate that is none")
    if not isinstance(found.codec, str) or not isinstance(found.pixel_format, str):
        raise task.nonsense("a codec without a name")
    return found
