"""What isolation costs: the same clip decoded in a decoder process and in this one, in turns.

``in this process`` runs the decoder process's own reader here and copies each frame once, as any reader must that
keeps more than one frame. The two alternate, so that a machine that slows down slows both down.
"""

import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from media_files import clip, drawn, write_video
from pytest_benchmark.fixture import BenchmarkFixture

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.ring import window_length
from anisora.harness.media.video_reader import FileLimits, VideoFile

ROUNDS = 15


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = drawn(100, 480, 848)
    return write_video(tmp_path_factory.mktemp("clip") / "a.mp4", frames, options={"crf": "18"})


def in_this_process(path: Path) -> int:
    limits = FileLimits(max_file_bytes=1 << 30, max_pixels=1 << 26, max_frames=10_000, memory_bytes=1_500_000_000)
    file = VideoFile(path, limits)
    length = window_length(file.info.height * file.info.width * 3)
    window = np.empty((length, file.info.height, file.info.width, 3), np.uint8)
    checksum = 0
    for index, pixels in enumerate(file.frames(None)):
        assert pixels is not None
        window[index % length] = pixels
        checksum += int(window[index % length, 0, 0, 0])
    file.close()
    return checksum


def isolated(pool: DecoderPool, path: Path) -> int:
    with pool.open(clip(path)) as stream:
        return sum(int(window[:, 0, 0, 0].sum()) for _, window in stream)


def seconds(work: object, *arguments: object) -> float:
    started = time.perf_counter()
    work(*arguments)  # type: ignore[operator]
    return time.perf_counter() - started


def test_what_isolation_costs(path: Path, benchmark: BenchmarkFixture) -> None:
    with DecoderPool() as pool:
        assert isolated(pool, path) == in_this_process(path)
        plain, apart = [], []

        def one_round() -> None:
            plain.append(seconds(in_this_process, path))
            apart.append(seconds(isolated, pool, path))

        benchmark.pedantic(one_round, rounds=ROUNDS, iterations=1)
    ratio = statistics.median(apart) / statistics.median(plain)
    benchmark.extra_info |= {
        "in_this_process_s": statistics.median(plain),
        "isolated_s": statistics.median(apart),
        "ratio": ratio,
        "ratio_of_minima": min(apart) / min(plain),
    }
    print(f"\nisolated / in this process: {ratio:.3f} (medians), {min(apart) / min(plain):.3f} (minima)")  # noqa: T201
