"""What the parent accepts from a decoder process: messages of known form, and nothing else."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.frame_stream import FrameStream, stream_info
from anisora.harness.media.messages import Channel, ChannelClosedError, ChannelGarbledError
from anisora.harness.media.process import DecodeLimits, DecoderProcess, Task
from anisora.harness.types import StreamInfo

INFO = {"fps": 24.0, "num_frames": 8, "height": 16, "width": 16, "codec": "h264", "pixel_format": "yuv420p"}


@pytest.fixture
def ends() -> Iterator[tuple[Channel, int, int]]:
    """A channel, the descriptor that feeds it and the one that it feeds."""
    read, feed = os.pipe()
    drain, write = os.pipe()
    yield Channel(read, write), feed, drain
    for descriptor in (read, drain, write):
        os.close(descriptor)
    try:
        os.close(feed)
    except OSError:  # a test has closed it
        return


def test_a_message_comes_out_as_it_went_in(ends: tuple[Channel, int, int]) -> None:
    channel, feed, drain = ends
    channel.send({"type": "open", "path": "/\udcff.mp4", "wanted": [1, 2]})
    os.write(feed, os.read(drain, 1 << 16))
    assert channel.receive(1.0) == {"type": "open", "path": "/\udcff.mp4", "wanted": [1, 2]}


@pytest.mark.parametrize("text", [b"{", b"[1]", b"{}", b'{"type": 3}', b"\x80\x04N.", b"[" * 100_000])
def test_what_is_no_message_is_garbled(text: bytes, ends: tuple[Channel, int, int]) -> None:
    channel, feed, _ = ends
    data = struct.pack(">I", len(text)) + text
    os.set_blocking(feed, False)
    with pytest.raises(ChannelGarbledError, match="a message"):
        while True:
            if data:
                data = data[os.write(feed, data[:60_000]) :]
            try:
                channel.receive(0.0 if data else 1.0)
            except TimeoutError:
                continue


def test_an_endless_message_is_garbled(ends: tuple[Channel, int, int]) -> None:
    channel, feed, _ = ends
    os.write(feed, struct.pack(">I", 1 << 31))
    with pytest.raises(ChannelGarbledError, match="a message of 2147483648 bytes"):
        channel.receive(1.0)


def test_waiting_ends_at_the_deadline(ends: tuple[Channel, int, int]) -> None:
    channel, feed, _ = ends
    os.write(feed, struct.pack(">I", 100) + b"{")
    with pytest.raises(TimeoutError, match="does not answer in time"):
        channel.receive(0.05)


def test_sending_to_one_that_does_not_read_ends_at_the_deadline(ends: tuple[Channel, int, int]) -> None:
    with pytest.raises(TimeoutError, match="does not answer in time"):
        ends[0].send({"type": "open", "path": "x" * (1 << 20)}, 0.05)


def test_the_end_of_the_other_side_is_told(ends: tuple[Channel, int, int]) -> None:
    channel, feed, _ = ends
    os.close(feed)
    with pytest.raises(ChannelClosedError, match="has gone"):
        channel.receive(1.0)


@pytest.fixture
def task() -> Iterator[Task]:
    process = DecoderProcess("decode", DecodeLimits(), colour="reference", backend="av")
    yield Task(process, Path("a.mp4"))
    if process.alive:
        process.close()


@pytest.mark.parametrize(
    "lie",
    [
        {"height": 0},
        {"height": -1},
        {"width": 1 << 40},
        {"width": 8192 * 4320},
        {"num_frames": 1.5},
        {"num_frames": 10**6},
        {"num_frames": True},
        {"fps": 0},
        {"fps": float("nan")},
        {"fps": "24"},
        {"codec": None},
    ],
    ids=str,
)
def test_a_process_that_lies_about_a_clip_is_killed(lie: dict[str, object], task: Task) -> None:
    with pytest.raises(VideoUnreadable, match="the decoder process sent") as caught:
        stream_info(task, {"type": "opened", "info": INFO | lie})
    assert caught.value.reason == "decoder-died"
    assert not task.process.alive


def test_a_process_that_says_nothing_of_a_clip_is_killed(task: Task) -> None:
    with pytest.raises(VideoUnreadable, match="no stream information"):
        stream_info(task, {"type": "opened", "info": None})
    assert not task.process.alive


@pytest.mark.parametrize(
    "window",
    [
        {"slot": 3, "indices": [0]},
        {"slot": -1, "indices": [0]},
        {"slot": True, "indices": [0]},
        {"slot": 0},
        {"slot": 0, "indices": []},
        {"slot": 0, "indices": [0] * 33},
        {"slot": 0, "indices": [1, 1]},
        {"slot": 0, "indices": [2, 1]},
        {"slot": 0, "indices": [-1]},
        {"slot": 0, "indices": ["0"]},
        {"slot": 0, "indices": [1 << 70]},
    ],
    ids=str,
)
def test_a_window_that_cannot_be_is_not_looked_at(window: dict[str, object], task: Task) -> None:
    stream = FrameStream(task, StreamInfo(**INFO), None)  # type: ignore[arg-type]
    task.reserve(16, 16)
    with pytest.raises(VideoUnreadable, match="the decoder process sent"):
        stream._checked({"type": "window", **window})
    assert not task.process.alive
