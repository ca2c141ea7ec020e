"""The decoder process: ``python -m anisora.harness.media.child RING``, started by DecoderPool.

It takes messages from stdin, answers on stdout, and moves frames through the inherited shared memory. It
limits itself before it looks at the first file, and ends when stdin does.
"""

import errno
import os
import signal
import sys
from collections import deque
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.encoding import encoding_of
from anisora.harness.media.image_reader import FrameFolder, read_image
from anisora.harness.media.messages import Channel, ChannelClosedError, Message
from anisora.harness.media.resource_limits import allow_cpu_seconds, limit_this_process
from anisora.harness.media.ring import FrameRing
from anisora.harness.media.video_reader import FileLimits, VideoFile, versions
from anisora.harness.media.video_writer import VideoWriter
from anisora.harness.types import StreamInfo


class _StopRequestedError(Exception):
    """The parent wants no more of this clip."""


class Session:
    """Serves one parent until it goes."""

    def __init__(self, channel: Channel, ring: FrameRing, settings: Message) -> None:
        """Take the pipes, the shared memory and the parent's first message."""
        self._channel, self._ring, self._settings = channel, ring, settings
        limits = settings["limits"]
        self._cpu_s = float(limits["cpu_s"])
        self._limits = FileLimits(
            max_file_bytes=limits["max_file_bytes"],
            max_pixels=limits["max_pixels"],
            max_frames=limits["max_frames"],
            memory_bytes=limits["memory_bytes"],
        )

    def serve(self) -> None:
        """Answer requests, one after the other."""
        tasks = {"open": self._stream_clip, "image": self._read_image, "encode": self._encode}
        while True:
            request = self._channel.receive()
            if request["type"] not in tasks:  # "free" or "stop" that crossed the end of a clip
                continue
            allow_cpu_seconds(self._cpu_s)
            try:
                tasks[request["type"]](request)
            except _StopRequestedError:
                self._channel.send({"type": "stopped"})
            except VideoUnreadable as error:
                self._fail(error.reason, error.detail, error.path)
            except MemoryError:
                self._out_of_memory(request["path"])
                return
            except OSError as error:
                if error.errno == errno.ENOMEM:
                    self._out_of_memory(request["path"])
                    return
                self._channel.send({"type": "os-error", "errno": error.errno or 0, "detail": str(error)})
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
                detail = f"the decoder failed with {type(error).__name__}: {error}."
                self._fail("decoder-died", detail, request["path"])

    def _out_of_memory(self, path: str) -> None:
        """Say so; the process ends after it, since what FFmpeg holds by now is in no known state."""
        self._fail("memory-limit", f"decoding it took more than {self._limits.memory_bytes} bytes.", path)

    def _fail(self, reason: str, detail: str, path: str) -> None:
        self._channel.send({"type": "error", "reason": reason, "detail": detail[:2000], "path": path})

    # -- decoding

    def _open(self, request: Message) -> VideoFile | FrameFolder:
        path = Path(request["path"])
        if path.is_dir():
            return FrameFolder(path, self._limits, fps=request["fps"])
        return VideoFile(
            path,
            self._limits,
            fps=request["fps"],
            num_frames=request["num_frames"],
            colour=self._settings["colour"],
            backend=self._settings["backend"],
        )

    def _stream_clip(self, request: Message) -> None:
        clip = self._open(request)
        try:
            self._channel.send({"type": "opened", "info": asdict(clip.info)})
            start = self._channel.receive()
            if start["type"] == "stop":
                raise _StopRequestedError
            count = self._send_windows(clip, start)
            self._channel.send({"type": "end", "info": asdict(clip.info) | {"num_frames": count}})
        finally:
            clip.close()

    def _send_windows(self, clip: VideoFile | FrameFolder, start: Message) -> int:
        """Fill slot after slot; return how many frames the clip has."""
        length, slot_bytes, info = start["window"], start["slot_bytes"], clip.info
        self._ring.map(start["slots"] * slot_bytes)
        free = deque(range(start["slots"]))
        indices: list[int] = []
        count = 0
        for pixels in clip.frames(start["wanted"]):
            if pixels is not None:
                if not indices:
                    self._wait_for_slot(free)
                    window = self._ring.frames(free[0], slot_bytes, length, info.height, info.width)
                if pixels.shape != window.shape[1:]:
                    raise VideoUnreadable(
                        clip.path,
                        "unsupported",
                        f"frame {count} has the shape {pixels.shape}; expected {window.shape[1:]}.",
                    )
                np.copyto(window[len(indices)], pixels)
                indices.append(count)
                if len(indices) == length:
                    self._channel.send({"type": "window", "slot": free.popleft(), "indices": indices})
                    indices = []
            elif self._channel.pending():
                self._take(free)
            count += 1
        if indices:
            self._channel.send({"type": "window", "slot": free.popleft(), "indices": indices})
        if count == 0:
            raise VideoUnreadable(clip.path, "no-frames", "not one frame could be decoded.")
        return count

    def _wait_for_slot(self, free: deque[int]) -> None:
        while not free or self._channel.pending():
            self._take(free)

    def _take(self, free: deque[int]) -> None:
        message = self._channel.receive()
        if message["type"] == "stop":
            raise _StopRequestedError
        free.append(message["slot"])

    def _read_image(self, request: Message) -> None:
        """One image is one window of one frame; the parent first makes room for it."""
        pixels, codec, mode = read_image(Path(request["path"]), self._limits)
        height, width, _ = pixels.shape
        info = StreamInfo(fps=1.0, num_frames=1, height=height, width=width, codec=codec, pixel_format=mode.lower())
        self._channel.send({"type": "opened", "info": asdict(info)})
        start = self._channel.receive()
        if start["type"] == "stop":
            raise _StopRequestedError
        self._ring.map(start["slots"] * start["slot_bytes"])
        np.copyto(self._ring.frames(0, start["slot_bytes"], 1, height, width)[0], pixels)
        self._channel.send({"type": "window", "slot": 0, "indices": [0]})
        self._channel.send({"type": "end", "info": asdict(info)})

    # -- encoding

    def _encode(self, request: Message) -> None:
        height, width, slot_bytes = request["height"], request["width"], request["slot_bytes"]
        rate = Fraction(*request["rate"])
        writer = VideoWriter(Path(request["path"]), encoding_of(request["encoder"]), rate, height=height, width=width)
        try:
            self._ring.map(request["slots"] * slot_bytes)
            while (message := self._channel.receive())["type"] == "window":
                writer.write(self._ring.frames(message["slot"], slot_bytes, message["count"], height, width))
                self._channel.send({"type": "free", "slot": message["slot"]})
            writer.finish()
        finally:
            writer.abandon()
        self._channel.send({"type": "end"})


def main() -> None:
    """Set the process up, limit it, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    channel = Channel(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # what a library prints must not land between the messages
    try:
        settings = channel.receive()
        decodes = settings["role"] == "decode"
        found = versions(with_decord=settings["backend"] == "decord")
        limits = settings["limits"]
        ring = FrameRing(int(sys.argv[1]), writable=decodes)
        limit_this_process(
            memory_bytes=limits["memory_bytes"], open_files=limits["open_files"], may_write_files=not decodes
        )
        channel.send({"type": "ready", "versions": found})
        Session(channel, ring, settings).serve()
    except ChannelClosedError:
        return


if __name__ == "__main__":
    main()
