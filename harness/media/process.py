"""One decoder process as the parent sees it: started, asked, watched, and killed when it breaks a limit."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from anisora.harness.errors import AnisoraError, VideoUnreadable
from anisora.harness.media.messages import Channel, ChannelClosedError, ChannelGarbledError, Message
from anisora.harness.media.ring import SLOTS, FrameRing, window_length

__all__ = ["REASONS", "DecodeLimits", "DecoderProcess", "Task"]

Role = Literal["decode", "encode"]

_START_S: Final = 120.0
_END_S: Final = 5.0

_ENVIRONMENT: Final = {
    # The stacks of further threads would count against the memory limit.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # glibc would give the memory of every frame back and fetch it anew: 30 % of the time in page faults, measured.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}

REASONS: Final = frozenset(
    {
        "missing",
        "not-a-video",
        "no-video-stream",
        "no-frames",
        "no-frame-rate",
        "damaged",
        "too-large",
        "too-many-pixels",
        "too-many-frames",
        "memory-limit",
        "cpu-limit",
        "time-limit",
        "decoder-died",
        "unsupported",
    }
)
"""Every reason that VideoUnreadable can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What one decoder process, and one file in it, may use."""

    memory_bytes: int = 1_500_000_000
    """Address space of a process beyond what Python and FFmpeg map at its start (Linux); about 0.1 GB of it
    is the shared memory for frames."""
    cpu_s: float = 45.0
    """CPU seconds for one file; rounded up to a whole second by the kernel."""
    wall_s: float = 300.0
    """Seconds that the parent waits for one file; time in which the process waits for the parent is free."""
    max_file_bytes: int = 4 << 30
    max_pixels: int = 8192 * 4320
    """Of one frame; checked against the header before a frame is decoded."""
    max_frames: int = 20_000
    open_files: int = 64
    files_per_process: int = 200
    """Then the process is replaced by a fresh one."""


class DecoderProcess:
    """A fresh interpreter that decodes or encodes one file after the other."""

    def __init__(self, role: Role, limits: DecodeLimits, *, colour: str, backend: str) -> None:
        """Start the process and wait until it is ready.

        Raises:
            AnisoraError: It cannot be started.
        """
        self.role, self.limits = role, limits
        self.files = 0
        self.ring = FrameRing(writable=role == "encode")
        # -P: a folder named like one of our dependencies must not be imported from the working directory.
        command = [sys.executable, "-P", "-m", "anisora.harness.media.child", str(self.ring.descriptor)]
        environment = {**os.environ, **_ENVIRONMENT}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            pass_fds=(self.ring.descriptor,),
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(self._process.stdout.fileno(), self._process.stdin.fileno())
        self.broken = False
        try:
            settings = {"role": role, "limits": asdict(limits), "colour": colour, "backend": backend}
            self._channel.send({"type": "settings", **settings}, _START_S)
            ready = self._channel.receive(_START_S)
        except (ChannelClosedError, ChannelGarbledError, TimeoutError) as error:
            self.kill()
            raise AnisoraError(
                f"`{' '.join(command[:4])}` does not start: {self._cause()[1]} Run it in a shell to see why."
            ) from error
        self.versions: dict[str, str] = {str(name): str(text) for name, text in dict(ready["versions"]).items()}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs and has broken nothing."""
        return not self.broken and self._process.poll() is None

    def send(self, message: Message, timeout_s: float) -> None:
        """Send a message; see Channel."""
        self._channel.send(message, timeout_s)

    def receive(self, timeout_s: float) -> Message:
        """Wait for a message; see Channel."""
        return self._channel.receive(timeout_s)

    def kill(self) -> None:
        """End the process at once and let go of everything that belongs to it."""
        self.broken = True
        self._process.kill()
        self._release()

    def close(self) -> None:
        """Let an idle process end by itself."""
        self.broken = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._process.kill()
        self._release()

    def abandon(self) -> None:
        """Forget a process that belongs to the parent of this one (after a fork)."""
        self.broken = True
        self._process.returncode = 0  # nothing of ours to wait for
        self._release()

    def breach(self) -> tuple[str, str]:
        """Return (reason, detail) after the process has gone or answered nonsense; it is dead afterwards."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self.kill()
        return self._cause()

    def _cause(self) -> tuple[str, str]:
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return "cpu-limit", f"it took more than {self.limits.cpu_s:g} s of CPU."
        if code is not None and code < 0:
            return "decoder-died", f"the decoder process died of {signal.Signals(-code).name}."
        return "decoder-died", f"the decoder process ended with code {code}."

    def _release(self) -> None:
        if self._process.returncode is None:
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self.ring is not None:
            self.ring.close()


class Task:
    """One file in one process: asks, waits within the file's deadline, and names what goes wrong."""

    def __init__(self, process: DecoderProcess, path: Path) -> None:
        """Start the clock of the file."""
        self.process, self.path = process, path
        self.absolute = str(path.absolute())  # the process keeps the working directory in which it was started
        self._left_s = process.limits.wall_s
        self.slot_bytes = 0
        self.window = 1
        process.files += 1

    def send(self, type_: str, **fields: object) -> None:
        """Send a message to the process."""
        self._exchange({"type": type_, **fields})

    def receive(self, *expected: str) -> Message:
        """Wait for one of the messages expected.

        Raises:
            VideoUnreadable: The process named a reason, broke a limit or died.
            OSError: The process could not write the file.
        """
        message = self._exchange(None)
        if message["type"] in expected:
            return message
        if message["type"] == "error" and message.get("reason") in REASONS:
            if message["reason"] in ("memory-limit", "decoder-died"):
                self.process.kill()
            path, detail = message.get("path"), str(message.get("detail", ""))
            raise VideoUnreadable(self.path if path in (None, self.absolute) else str(path), message["reason"], detail)
        if message["type"] == "os-error" and isinstance(message.get("errno"), int):
            detail = str(message.get("detail", ""))
            if self.process.role == "encode":
                raise OSError(message["errno"], os.strerror(message["errno"]), str(self.path))
            raise VideoUnreadable(self.path, "damaged", f"reading it failed: {detail}.")
        raise self.nonsense(f"a message {message['type']!r}")

    def reserve(self, height: int, width: int) -> Mapping[str, int]:
        """Make room for windows of frames of this size; return what the process must know of it."""
        frame_bytes = height * width * 3
        self.window = window_length(frame_bytes)
        self.slot_bytes = self.window * frame_bytes
        self.process.ring.grow(SLOTS * self.slot_bytes)
        return {"slots": SLOTS, "slot_bytes": self.slot_bytes, "window": self.window}

    def nonsense(self, what: str) -> VideoUnreadable:
        """Kill a process that does not keep to the protocol; return the error to raise."""
        self.process.kill()
        return VideoUnreadable(self.path, "decoder-died", f"the decoder process sent {what[:200]}.")

    def _exchange(self, message: Message | None) -> Message:
        """Send a message, or wait for one, against the clock."""
        started = time.monotonic()
        try:
            if message is not None:
                self.process.send(message, self._left_s)
                return message
            return self.process.receive(self._left_s)
        except TimeoutError as error:
            self.process.kill()
            limit = self.process.limits.wall_s
            raise VideoUnreadable(self.path, "time-limit", f"it took more than {limit:g} s.") from error
        except ChannelClosedError as error:
            raise VideoUnreadable(self.path, *self.process.breach()) from error
        except ChannelGarbledError as error:
            raise self.nonsense(str(error)) from error
        finally:
            self._left_s = max(0.0, self._left_s - (time.monotonic() - started))
