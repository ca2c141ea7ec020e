"""Broken and hostile files: each ends well or as a named error, reads no other file, and does not hang.

``ANISORA_FUZZ_FILES`` sets how many (``make fuzz N=500``).
"""

import ctypes
import importlib.util
import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from media_files import clip, drawn, write_video

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.decoder import REASONS, DecodeLimits, DecodeOptions, DecoderPool

FILES = int(os.environ.get("ANISORA_FUZZ_FILES", "40"))
LIMITS = DecodeLimits(memory_bytes=600_000_000, cpu_s=10.0, wall_s=30.0, max_frames=500, max_pixels=1 << 22)


def _mutate() -> ModuleType:
    """The module beside this file; tests are no package."""
    spec = importlib.util.spec_from_file_location("mutate", Path(__file__).with_name("mutate.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


mutate = _mutate()


class Tripwire:
    """Tells how often the files of a folder have been opened, by any process (Linux: inotify)."""

    OPENED = 0x20

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK)
        watch = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self.OPENED)
        assert self._descriptor >= 0
        assert watch >= 0

    def openings(self) -> list[str]:
        """Names opened since the last call."""
        names = []
        try:
            data = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return []
        while data:
            _, _, _, length = struct.unpack_from("iIII", data)
            names.append(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
        return names

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    kinds = {
        ".mp4": ("libx264", "yuv420p"),
        ".mov": ("mpeg4", "yuv420p"),
        ".webm": ("libvpx-vp9", "yuv420p"),
        ".mkv": ("ffv1", "bgr0"),
        ".gif": ("gif", "rgb8"),
        ".avi": ("mpeg4", "yuv420p"),
    }
    return {
        suffix: write_video(folder / f"a{suffix}", drawn(8), codec, pixels).read_bytes()
        for suffix, (codec, pixels) in kinds.items()
    }


@pytest.fixture
def other(tmp_path: Path, originals: dict[str, bytes]) -> Path:
    path = tmp_path / "elsewhere" / "canary.mp4"
    path.parent.mkdir()
    path.write_bytes(originals[".mp4"])
    return path


@pytest.fixture
def tripwire(other: Path) -> Iterator[Tripwire]:
    if sys.platform != "linux":
        pytest.skip("inotify is Linux")
    wire = Tripwire(other.parent)
    yield wire
    wire.close()


def outcome(pool: DecoderPool, path: Path) -> tuple[str, int]:
    """("ok", a checksum of the frames) or (the reason, 0)."""
    problem: VideoUnreadable | None = None
    try:
        frames, info = pool.read_frames(clip(path))
    except VideoUnreadable as error:
        problem = error
    if problem is not None:
        assert problem.reason in REASONS - {"decoder-died", "missing"}, problem
        assert "\n" not in str(problem)
        return problem.reason, 0
    assert frames.shape == (info.num_frames, info.height, info.width, 3)
    assert info.num_frames > 0
    return "ok", int(np.frombuffer(frames.tobytes(), np.uint8).sum(dtype=np.int64))


@pytest.mark.slow
@pytest.mark.long
def test_every_mutated_file_ends_well_or_as_a_named_error(
    tmp_path: Path, originals: dict[str, bytes], other: Path, tripwire: Tripwire
) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    with DecoderPool(options=DecodeOptions(limits=LIMITS)) as pool:
        for number in range(FILES):
            file = mutate.mutated(number, originals, other)
            path = tmp_path / file.name
            path.write_bytes(file.data)
            started = time.monotonic()
            first = outcome(pool, path)
            slowest = max(slowest, time.monotonic() - started)
            if number % 5 == 0:
                assert outcome(pool, path) == first, file.name
            assert tripwire.openings() == [], file.name
            outcomes[file.mutation, first[0]] += 1
            path.unlink()
    for (mutation, reason), count in sorted(outcomes.items()):
        print(f"{mutation:20s} {reason:16s} {count}")  # noqa: T201 - shown with -s, the point of a fuzz run
    assert slowest < LIMITS.wall_s
    assert sum(outcomes.values()) == FILES
    assert ("playlist", "ok") not in outcomes
    assert any(reason == "ok" for _, reason in outcomes)


def test_a_few_of_each_mutation_end_well_or_as_a_named_error(
    tmp_path: Path, originals: dict[str, bytes], other: Path
) -> None:
    with DecoderPool(options=DecodeOptions(limits=LIMITS)) as pool:
        for number in range(10_000, 10_000 + 2 * len(mutate.MUTATIONS)):
            file = mutate.mutated(number, originals, other)
            path = tmp_path / file.name
            path.write_bytes(file.data)
            assert outcome(pool, path) == outcome(pool, path), file.name


def test_the_tripwire_catches_a_playlist_that_is_followed(tmp_path: Path, other: Path, tripwire: Tripwire) -> None:
    """FFmpeg as it is out of the box does follow it: the test above can fail."""
    path = tmp_path / "list.ffconcat"
    path.write_text(f"ffconcat version 1.0\nfile '{other}'\n")
    assert tripwire.openings() == []
    with av.open(str(path), options={"safe": "0"}) as container:
        assert len(list(container.decode(video=0))) == 8
    assert "canary.mp4" in tripwire.openings()
    with DecoderPool() as pool, pytest.raises(VideoUnreadable, match="not-a-video"):
        pool.read_frames(clip(path))
    assert tripwire.openings() == []


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_samples_in_another_file_are_not_fetched(
    suffix: str, tmp_path: Path, other: Path, tripwire: Tripwire, originals: dict[str, bytes]
) -> None:
    path = tmp_path / f"reference{suffix}"
    path.write_bytes(mutate.with_external_reference(originals[suffix], other))
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as container:
        list(container.demux(video=0))
    assert "canary.mp4" in tripwire.openings()  # the reference is a real one
    with DecoderPool() as pool:
        outcome(pool, path)
    assert tripwire.openings() == []
