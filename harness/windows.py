"""From decoded frames to an extractor's windows.

A FrameFeed gives the frames of a file or of memory in pieces; a WindowQueue cuts an extractor's windows out of them,
computes equal windows once, and calls the extractor in batches.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.decoder import DecoderPool, FrameStream
from anisora.harness.media.sampling import sample_indices
from anisora.harness.protocols import Batch, ExtractorInfo, FeatureRequest, Features
from anisora.harness.types import FrameArray, Frames, StreamInfo, VideoSource

__all__ = ["FrameFeed", "WindowQueue"]

Choose = Callable[[StreamInfo], NDArray[np.int64] | None]


class FrameFeed:
    """Frames of a clip in pieces: (indices, frames), each piece valid until the next one is asked for."""

    def __init__(self, pool: DecoderPool, source: VideoSource, choose: Choose, num_frames: int | None) -> None:
        """Take the source and the function that chooses frames once the length is known.

        Args:
            pool: Decodes files; memory needs none.
            source: A clip on disk or frames in memory.
            choose: From the expected stream to the indices wanted, None for all.
            num_frames: The true length, where the container's is known to be wrong.
        """
        self._pool, self._source, self._choose, self._num_frames = pool, source, choose, num_frames
        self._stack = ExitStack()
        self._stream: FrameStream | None = None
        self._pieces: Iterator[tuple[NDArray[np.int64], Frames]] = iter(())
        self._single: Iterator[tuple[int, Frames]] | None = None
        self.expected: StreamInfo

    def __enter__(self) -> Self:
        """Open the source.

        Raises:
            VideoUnreadable: It cannot be opened, or has no frames.
        """
        if isinstance(self._source, FrameArray):
            self.expected = _stream_in_memory(self._source)
            self._pieces = self._from_memory(self._source)
        else:
            opened = self._pool.open(self._source, self._choose, num_frames=self._num_frames)
            self._stream = self._stack.enter_context(opened)
            self.expected = self._stream.expected
            self._pieces = iter(self._stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the decoder back."""
        self._stack.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], Frames]]:
        """Yield the pieces."""
        return self._pieces

    def singly(self) -> Iterator[tuple[int, Frames]]:
        """Yield the frames one by one, going on where the last caller stopped."""
        if self._single is None:
            self._single = (
                (int(index), frame)
                for indices, frames in self._pieces
                for index, frame in zip(indices, frames, strict=True)
            )
        return self._single

    @property
    def info(self) -> StreamInfo:
        """What the whole stream turned out to be; known when the last piece has been given."""
        return self.expected if self._stream is None else self._stream.info

    def _from_memory(self, source: FrameArray) -> Iterator[tuple[NDArray[np.int64], Frames]]:
        chosen = self._choose(self.expected)
        if chosen is None:
            yield np.arange(len(source.frames)), source.frames
        elif len(chosen):
            yield chosen, source.frames[chosen]


def _stream_in_memory(source: FrameArray) -> StreamInfo:
    length, height, width, _ = source.frames.shape
    if 0 in (length, height, width):
        raise VideoUnreadable(
            "frames in memory",
            "no-frames",
            f"their shape is {source.frames.shape}; expected at least one frame of one pixel.",
        )
    return StreamInfo(
        fps=source.fps, num_frames=length, height=height, width=width, codec="memory", pixel_format="rgb24"
    )


class WindowQueue:
    """One request's windows over one clip."""

    def __init__(
        self,
        request: FeatureRequest,
        info: ExtractorInfo,
        call: Callable[[Batch], dict[str, NDArray[Any]]],
        positions: tuple[float, ...] = (),
    ) -> None:
        """Take the request, who the extractor is, how to call it, and the positions of the conditioning images.

        ``call`` gets up to ``batch_size`` windows and returns as many rows.
        """
        self.request, self.info, self._call, self._positions = request, info, call, positions
        self.stream: StreamInfo
        self.reference_stream: StreamInfo | None = None
        self.failure: Exception | None = None
        self.forwards = 0
        self.shared = 0
        self._known: Features | None = None
        self._wanted: NDArray[np.int64] | None = None
        self._position = 0  # of the next frame in the sampled sequence
        self._carry: list[_Frame] = []
        self._rows: list[dict[str, NDArray[Any]]] = []
        self._order: list[int] = []  # row of each window
        self._seen: dict[bytes, int] = {}
        self._waiting: list[list[_Frame]] = []
        # Frames that look alike stand for each other only where their place in the clip says nothing.
        self._may_share = info.window > 0 and not (info.needs & {"keyframes", "region_mask"})

    def take_known(self, features: Features) -> None:
        """Take features that were computed for another clip; no frame is wanted then. To be called before ``start``."""
        self._known = features

    def start(self, expected: StreamInfo) -> NDArray[np.int64] | None:
        """Fix the frames this request wants, None for all."""
        self.stream = expected
        if self._known is not None:
            self._wanted = np.empty(0, np.int64)
            return self._wanted
        if self.request.sampling.mode != "all":
            self._wanted = sample_indices(
                self.request.sampling, num_frames=expected.num_frames, fps=expected.fps, positions=self._positions
            )
        return self._wanted

    def own_frames(self, indices: NDArray[np.int64], frames: Frames) -> tuple[NDArray[np.int64], Frames]:
        """Return the part of a piece that this request wants."""
        if self._wanted is None:
            return indices, frames
        mine = np.isin(indices, self._wanted)
        return (indices, frames) if mine.all() else (indices[mine], frames[mine])

    def push(
        self, indices: NDArray[np.int64], frames: Frames, reference: Frames | None, digests: dict[int, bytes]
    ) -> None:
        """Take the next frames and compute every window that they complete.

        Args:
            indices: (n,) indices in the clip.
            frames: (n, H, W, 3), gone after the call.
            reference: The ground truth's frames at these indices, or None.
            digests: Digests of this piece's frames, shared between the queues of one pass.
        """
        window, stride = self.info.window, self.info.stride
        if window == 0 and self.info.frame_size is not None:
            frames = _resized(frames, self.info.frame_size)
        piece = [
            _Frame(int(index), frames[row], None if reference is None else reference[row])
            for row, index in enumerate(indices)
        ]
        if self._may_share:
            for frame in piece:
                frame.identify(digests)
        sequence = self._carry + piece
        if window == 0:
            self._carry = self._carry + [frame.kept() for frame in piece]
            return
        first = self._position  # place of sequence[0] in the sampled sequence
        for start in range(-first % stride, len(sequence) - window + 1, stride):
            self._take(sequence[start : start + window])
        self._compute(whole=False)
        done = max(0, len(sequence) - window + 1)
        self._position = first + done
        self._carry = [frame.kept() for frame in sequence[done:]]
        self._waiting = [[frame.kept() for frame in waiting] for waiting in self._waiting]

    def _take(self, window: "list[_Frame]") -> None:
        key = b"".join(frame.digest for frame in window)
        if self._may_share and key in self._seen:
            self._order.append(self._seen[key])
            self.shared += 1
            return
        row = len(self._rows) + len(self._waiting)
        self._order.append(row)
        if self._may_share:
            self._seen[key] = row
        self._waiting.append(window)
        self._compute(whole=False)

    def _compute(self, *, whole: bool) -> None:
        size = self.info.batch_size
        while len(self._waiting) >= size or (whole and self._waiting):
            windows, self._waiting = self._waiting[:size], self._waiting[size:]
            arrays = self._call(self._batch(windows))
            self.forwards += len(windows)
            self._rows.extend(
                {name: np.array(array[row]) for name, array in arrays.items()} for row in range(len(windows))
            )

    def _batch(self, windows: "list[list[_Frame]]") -> Batch:
        compared = windows[0][0].reference is not None
        return Batch(
            frames=np.stack([_joined([frame.pixels for frame in window]) for window in windows])
            if len(windows) > 1
            else _joined([frame.pixels for frame in windows[0]])[None],
            indices=np.array([[frame.index for frame in window] for window in windows], np.int64),
            stream=self.stream,
            reference=np.stack([np.stack([_present(frame) for frame in window]) for window in windows])
            if compared
            else None,
            reference_stream=self.reference_stream,
        )

    def finish(self) -> None:
        """Compute what is left: the last batch, or the one window of an extractor that wants all frames."""
        if self.info.window == 0 and self._carry:
            self._order.append(0)
            self._waiting.append(self._carry)
            self._carry = []
        self._compute(whole=True)

    def features(self) -> Features:
        """Return {name: (windows, ...)}, in time order; empty where the clip was too short for one window."""
        if self._known is not None:
            return self._known
        if not self._rows:
            return {}
        return {name: np.stack([self._rows[row][name] for row in self._order]) for name in self._rows[0]}


class _Frame:
    """A frame in a queue: a view of the piece at hand, or a copy once it must outlive it."""

    __slots__ = ("_own", "digest", "index", "pixels", "reference")

    def __init__(self, index: int, pixels: Frames, reference: Frames | None) -> None:
        self.index, self.pixels, self.reference = index, pixels, reference
        self.digest = b""
        self._own = False

    def identify(self, digests: dict[int, bytes]) -> None:
        """Set the digest of the pixels, computed once per piece for all queues."""
        if self.index not in digests:
            digests[self.index] = hashlib.sha256(np.ascontiguousarray(self.pixels).data).digest()
        self.digest = digests[self.index]
        if self.reference is not None:
            self.digest += hashlib.sha256(np.ascontiguousarray(self.reference).data).digest()

    def kept(self) -> "_Frame":
        """Make the pixels outlive the piece."""
        if not self._own:
            self.pixels = self.pixels.copy()
            if self.reference is not None:
                self.reference = self.reference.copy()
            self._own = True
        return self


def _present(frame: _Frame) -> Frames:
    assert frame.reference is not None
    return frame.reference


def _resized(frames: Frames, size: tuple[int, int]) -> Frames:
    """Resize (n, H, W, 3) frames by area, so that a whole clip fits in memory."""
    import cv2

    height, width = size
    if not len(frames) or frames.shape[1:3] == size:
        return frames
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames])


def _joined(frames: list[Frames]) -> Frames:
    """Stack frames, without a copy where they lie one behind the other in one piece of memory."""
    first = frames[0]
    if len(frames) == 1:
        return first[None]
    step = first.nbytes
    address = first.__array_interface__["data"][0]
    neighbours = all(
        frame.flags.c_contiguous
        and frame.__array_interface__["data"][0] == address + place * step
        and frame.base is first.base
        for place, frame in enumerate(frames)
    )
    if not neighbours or first.base is None:
        return np.stack(frames)
    return np.lib.stride_tricks.as_strided(first, (len(frames), *first.shape), (step, *first.strides), writeable=False)
