"""How the parent and a decoder process talk: JSON messages with a length in front, over two pipes.

JSON and never pickle: a decoder that a crafted file has taken over must not be able to run code in the
parent.
"""

import json
import os
import select
import struct
import time
from typing import Any, Final

__all__ = ["Channel", "ChannelClosedError", "ChannelGarbledError", "Message"]

Message = dict[str, Any]

_LENGTH: Final = struct.Struct(">I")
_LARGEST_MESSAGE: Final = 4 << 20  # a selection of 20 000 indices needs 0.15 MB
_PIECE: Final = 1 << 16


class ChannelClosedError(Exception):
    """The other side has gone."""


class ChannelGarbledError(Exception):
    """The other side sent something that is not a message."""


class Channel:
    """Sends and receives messages over a pair of file descriptors, with deadlines."""

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        """Take over two open pipe ends; they become non-blocking."""
        self._read, self._write = read_descriptor, write_descriptor
        self._received = bytearray()
        for descriptor in (read_descriptor, write_descriptor):
            os.set_blocking(descriptor, False)

    def send(self, message: Message, timeout_s: float | None = None) -> None:
        """Send one message.

        Raises:
            ChannelClosedError: The other side has gone.
            TimeoutError: It did not read within ``timeout_s``.
        """
        text = json.dumps(message, separators=(",", ":")).encode()
        rest = memoryview(_LENGTH.pack(len(text)) + text)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while rest:
            _wait(self._write, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._write, rest[:_PIECE]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelClosedError("the other side has gone") from error

    def receive(self, timeout_s: float | None = None) -> Message:
        """Return the next message.

        Raises:
            ChannelClosedError: The other side has gone.
            ChannelGarbledError: What came is not a message.
            TimeoutError: Nothing whole came within ``timeout_s``.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (message := self._next_message()) is None:
            _wait(self._read, select.POLLIN, deadline)
            try:
                piece = os.read(self._read, _PIECE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelClosedError("the other side has gone") from error
            if not piece:
                raise ChannelClosedError("the other side has gone")
            self._received += piece
        return message

    def pending(self) -> bool:
        """Tell, without waiting, whether ``receive`` has something to look at."""
        if len(self._received) >= _LENGTH.size:
            return True
        poller = select.poll()
        poller.register(self._read, select.POLLIN)
        return bool(poller.poll(0))

    def _next_message(self) -> Message | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > _LARGEST_MESSAGE:
            raise ChannelGarbledError(f"a message of {length} bytes")
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        text = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ChannelGarbledError(f"a message that is not JSON: {error}") from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ChannelGarbledError("a message without a type")
        return message


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    poller = select.poll()
    poller.register(descriptor, event)
    left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    if not poller.poll(left_ms):
        raise TimeoutError("the other side does not answer in time")
