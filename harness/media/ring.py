"""The memory that frames travel through: an anonymous file mapped by the parent and by one decoder process.

It has no name anywhere, so nothing is left over when either side is killed. It is cut into slots of equal
size; the messages say whose turn each slot is.
"""

import fcntl
import mmap
import os
import tempfile
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameRing", "window_length"]

SLOTS: Final = 3
"""One is read by the parent, one is ready, one is being filled."""
_SLOT_BYTES: Final = 32 << 20
_LONGEST_WINDOW: Final = 32


def window_length(frame_bytes: int) -> int:
    """Return how many frames go into one slot: at most 32 MB and 32 frames, at least one frame."""
    return max(1, min(_SLOT_BYTES // frame_bytes, _LONGEST_WINDOW))


class FrameRing:
    """One side's view of the shared memory."""

    def __init__(self, descriptor: int | None = None, *, writable: bool) -> None:
        """Make the memory, or attach to memory that was inherited.

        Args:
            descriptor: The inherited file descriptor; None makes a new anonymous file.
            writable: Whether this side writes frames.
        """
        self.descriptor = _anonymous_file() if descriptor is None else descriptor
        self.size = 0
        self._writable = writable
        self._memory: mmap.mmap | None = None

    def grow(self, size: int) -> None:
        """Make the file at least ``size`` bytes long; it never shrinks, so that no view loses its ground."""
        if size > os.fstat(self.descriptor).st_size:
            os.ftruncate(self.descriptor, size)
        self.map(size)

    def map(self, size: int) -> None:
        """Map the first ``size`` bytes, where they are not mapped yet."""
        if size <= self.size:
            return
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if self._writable else 0)
        self._memory = None  # lets go of the old mapping, unless someone still looks at a frame in it
        self._memory = mmap.mmap(self.descriptor, size, flags=mmap.MAP_SHARED, prot=protection)
        self.size = size

    def frames(self, slot: int, slot_bytes: int, count: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return the first ``count`` frames of a slot as (count, height, width, 3), without a copy."""
        assert self._memory is not None
        flat = np.frombuffer(self._memory, np.uint8, count * height * width * 3, slot * slot_bytes)
        return flat.reshape(count, height, width, 3)

    def close(self) -> None:
        """Let go of the memory; views that someone still holds stay valid."""
        self._memory = None
        os.close(self.descriptor)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):  # Linux
        descriptor = os.memfd_create("anisora-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        # A decoder that shrank the file under the parent's feet would kill the parent by SIGBUS.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        return descriptor
    with tempfile.TemporaryFile() as file:  # macOS: a file without a name
        return os.dup(file.fileno())
