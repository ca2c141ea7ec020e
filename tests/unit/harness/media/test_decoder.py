"""The pool of decoder processes: windows, selection, named errors, limits, and what happens around a death."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from media_files import (
    clip,
    drawn,
    with_gif_canvas,
    write_repeated,
    write_sound,
    write_two_sizes,
    write_video,
)
from shared_data import CLIPS, needs_shared

from anisora.harness.errors import AnisoraError, ConfigError, MetricError, VideoUnreadable
from anisora.harness.media.decoder import DecodeLimits, DecodeOptions, DecoderPool
from anisora.harness.types import Frames


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


@pytest.fixture
def lossless(tmp_path: Path) -> tuple[Path, Frames]:
    frames = drawn(40, 16, 24)
    return write_video(tmp_path / "clip.mkv", frames, "ffv1", "bgr0"), frames


def limited(**limits: float) -> DecoderPool:
    return DecoderPool(options=DecodeOptions(limits=DecodeLimits(**limits)))  # type: ignore[arg-type]


def reason_for(pool: DecoderPool, path: Path, fps: float | None = None) -> str:
    with pytest.raises(VideoUnreadable, match="cannot be read") as caught, pool.open(clip(path, fps)) as stream:
        for _ in stream:
            pass
    return caught.value.reason


# -- frames


def test_windows_hold_all_frames_in_order(pool: DecoderPool, lossless: tuple[Path, Frames]) -> None:
    path, frames = lossless
    with pool.open(clip(path)) as stream:
        pieces = [(indices.tolist(), window.copy()) for indices, window in stream]
        assert len(pieces) == 2  # 40 frames do not fit into one window of 32
        assert [index for indices, _ in pieces for index in indices] == list(range(40))
        assert np.array_equal(np.concatenate([window for _, window in pieces]), frames)
        assert stream.info.num_frames == 40


@pytest.mark.parametrize("chosen", [[0], [39], [3, 4, 20, 39], [], list(range(40)), [5, 100]])
def test_only_the_chosen_frames_are_shipped(
    chosen: list[int], pool: DecoderPool, lossless: tuple[Path, Frames]
) -> None:
    path, frames = lossless
    seen: dict[int, Frames] = {}
    with pool.open(clip(path), lambda _: chosen) as stream:
        for indices, window in stream:
            seen |= {int(index): frame.copy() for index, frame in zip(indices, window, strict=True)}
        assert stream.info.num_frames == 40  # the clip is read to its end all the same
    assert list(seen) == [index for index in chosen if index < 40]
    assert all(np.array_equal(frame, frames[index]) for index, frame in seen.items())


def test_the_choice_is_made_from_the_expected_stream(pool: DecoderPool, lossless: tuple[Path, Frames]) -> None:
    path, _ = lossless
    with pool.open(clip(path), lambda info: [info.num_frames - 1]) as stream:
        assert [indices.tolist() for indices, _ in stream] == [[39]]
    with pool.open(clip(path), lambda info: [info.num_frames - 1], num_frames=7) as stream:
        assert stream.expected.num_frames == 7
        assert [indices.tolist() for indices, _ in stream] == [[6]]
        assert stream.info.num_frames == 40


def test_frames_cannot_be_written_to(pool: DecoderPool, lossless: tuple[Path, Frames]) -> None:
    with pool.open(clip(lossless[0])) as stream:
        _, window = next(iter(stream))
        with pytest.raises(ValueError, match="read-only"):
            window[0, 0, 0, 0] = 1


def test_a_clip_left_early_does_not_disturb_the_next(
    pool: DecoderPool, lossless: tuple[Path, Frames], tmp_path: Path
) -> None:
    path, frames = lossless
    long = write_video(tmp_path / "long.mkv", drawn(300, 120, 160), "ffv1", "bgr0")
    with pool.open(clip(long)) as stream:
        next(iter(stream))
        process = stream._task.process.pid
    with pool.open(clip(long)):
        pass  # never iterated
    assert np.array_equal(pool.read_frames(clip(path))[0], frames)
    assert process in pool.process_ids


def test_info_is_known_only_at_the_end(pool: DecoderPool, lossless: tuple[Path, Frames]) -> None:
    with pool.open(clip(lossless[0])) as stream:
        with pytest.raises(MetricError, match="iterate to the end first"):
            _ = stream.info
        list(stream)
        with pytest.raises(MetricError, match="can be iterated once"):
            next(iter(stream))


def test_an_unsorted_choice_is_refused(pool: DecoderPool, lossless: tuple[Path, Frames]) -> None:
    opened = pool.open(clip(lossless[0]), lambda _: [3, 1])
    with pytest.raises(MetricError, match="expected sorted, unique numbers"), opened:
        pass
    assert pool.read_frames(clip(lossless[0]))[1].num_frames == 40


def test_the_frame_rate_of_the_clip_wins(pool: DecoderPool, lossless: tuple[Path, Frames]) -> None:
    assert pool.read_frames(clip(lossless[0]))[1].fps == 24.0
    assert pool.read_frames(clip(lossless[0], fps=12.5))[1].fps == 12.5


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.MP4", "libx264", "yuv420p"),
        ("a.mov", "mpeg4", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.GIF", "gif", "rgb8"),
        ("a.Mkv", "ffv1", "bgr0"),
        ("a.avi", "mpeg4", "yuv420p"),
    ],
)
def test_every_container_is_read_whatever_the_case_of_its_suffix(
    name: str, codec: str, pixels: str, pool: DecoderPool, tmp_path: Path
) -> None:
    frames, info = pool.read_frames(clip(write_video(tmp_path / name, drawn(9), codec, pixels)))
    assert frames.shape == (9, 48, 64, 3)
    assert info.num_frames == 9
    assert info.fps == pytest.approx(25.0 if name == "a.GIF" else 24.0)  # GIF counts in hundredths of a second


def test_a_wrong_suffix_does_not_matter(pool: DecoderPool, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.webm", drawn(5), "libvpx-vp9").rename(tmp_path / "a.mp4")
    assert pool.read_frames(clip(path))[1].codec == "vp9"


def test_a_fragmented_mp4_is_read_whole(pool: DecoderPool, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", drawn(30), muxer={"movflags": "frag_keyframe+empty_moov"})
    with pool.open(clip(path)) as stream:
        assert stream.expected.num_frames == 30
        assert sum(len(indices) for indices, _ in stream) == 30


# -- named errors


def test_a_missing_file_is_named(pool: DecoderPool, tmp_path: Path) -> None:
    assert reason_for(pool, tmp_path / "nothing.mp4") == "missing"


def test_an_empty_file_is_named(pool: DecoderPool, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert reason_for(pool, tmp_path / "a.mp4") == "no-frames"


def test_a_file_with_sound_alone_is_named(pool: DecoderPool, tmp_path: Path) -> None:
    assert reason_for(pool, write_sound(tmp_path / "a.mp4")) == "no-video-stream"


@pytest.mark.parametrize("muxer", [{"movflags": "faststart"}, {}])
@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
def test_a_file_cut_short_is_damaged(part: float, muxer: dict[str, str], pool: DecoderPool, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", drawn(24), muxer=muxer)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    assert reason_for(pool, path) == "damaged"


def test_an_index_that_points_beyond_the_file_is_damaged(pool: DecoderPool, tmp_path: Path) -> None:
    """As above, but the box around the samples has been closed where the file ends."""
    path = write_video(tmp_path / "a.mp4", drawn(24), muxer={"movflags": "faststart"})
    data = bytearray(path.read_bytes()[:-2000])
    start = data.index(b"mdat") - 4
    data[start : start + 4] = (len(data) - start).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(VideoUnreadable, match="its index lists 24 frames, but only"):
        pool.read_frames(clip(path))


def test_flipped_bytes_in_the_picture_data_are_damaged(pool: DecoderPool, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", drawn(6), "ffv1", "bgr0", options={"level": "3", "slicecrc": "1"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(byte ^ 255 for byte in data[middle : middle + 8])
    path.write_bytes(data)
    assert reason_for(pool, path) == "damaged"


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"]
)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".mkv"])
def test_a_playlist_is_no_video_whatever_its_suffix(text: str, suffix: str, pool: DecoderPool, tmp_path: Path) -> None:
    other = write_video(tmp_path / "other.mp4", drawn(3))
    path = tmp_path / f"list{suffix}"
    path.write_text(text.format(other))
    assert reason_for(pool, path) == "not-a-video"


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_regular_file_is_no_video(kind: str, pool: DecoderPool, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert reason_for(pool, path) == "not-a-video"


def test_a_link_to_a_file_is_read(pool: DecoderPool, lossless: tuple[Path, Frames], tmp_path: Path) -> None:
    link = tmp_path / "link.mkv"
    link.symlink_to(lossless[0])
    assert np.array_equal(pool.read_frames(clip(link))[0], lossless[1])


def test_frames_that_change_size_are_unsupported(pool: DecoderPool, tmp_path: Path) -> None:
    path = write_two_sizes(tmp_path / "a.webm")
    with pytest.raises(VideoUnreadable, match="frame 1 is 96x64, the first is 64x48") as caught:
        pool.read_frames(clip(path))
    assert caught.value.reason == "unsupported"


def test_a_container_without_a_frame_rate_needs_the_clips(pool: DecoderPool, tmp_path: Path) -> None:
    """One frame, whose duration is patched to nothing."""
    path = write_video(tmp_path / "a.mp4", drawn(1))
    data = bytearray(path.read_bytes())
    entry = data.index(b"stts") + 12  # sample count, then the duration of each
    data[entry + 4 : entry + 8] = bytes(4)
    path.write_bytes(data)
    assert reason_for(pool, path) == "no-frame-rate"
    assert pool.read_frames(clip(path, fps=8.0))[1].fps == 8.0


def test_caps_on_bytes_and_frames_are_named(lossless: tuple[Path, Frames]) -> None:
    with limited(max_file_bytes=1000) as pool:
        assert reason_for(pool, lossless[0]) == "too-large"
    with limited(max_frames=39) as pool:
        assert reason_for(pool, lossless[0]) == "too-many-frames"


def test_a_header_that_asks_for_ten_gigabytes_is_named_before_a_frame_is_decoded(
    pool: DecoderPool, tmp_path: Path
) -> None:
    gif = write_video(tmp_path / "a.gif", drawn(3), "gif", "rgb8").read_bytes()
    path = tmp_path / "bomb.gif"
    path.write_bytes(with_gif_canvas(gif, 50_000, 50_000))
    assert reason_for(pool, path) == "too-many-pixels"


def test_a_header_of_the_container_that_lies_is_named(pool: DecoderPool, tmp_path: Path) -> None:
    """FFV1 knows its size from the container alone."""
    avi = bytearray(write_video(tmp_path / "a.avi", drawn(3), "ffv1", "bgr0").read_bytes())
    at = avi.index(b"strf") + 12
    avi[at : at + 8] = (16_000).to_bytes(4, "little") * 2
    path = tmp_path / "bomb.avi"
    path.write_bytes(avi)
    assert reason_for(pool, path) == "too-many-pixels"


# -- limits


def test_a_stream_that_needs_more_memory_is_killed_and_named_and_the_next_is_decoded(
    tmp_path: Path, lossless: tuple[Path, Frames]
) -> None:
    gif = write_video(tmp_path / "a.gif", drawn(3), "gif", "rgb8").read_bytes()
    bomb, canvas = tmp_path / "bomb.gif", tmp_path / "canvas.gif"
    bomb.write_bytes(with_gif_canvas(gif, 50_000, 50_000))
    canvas.write_bytes(with_gif_canvas(gif, 9_000, 9_000))  # 324 MB decoded, 243 MB as RGB
    with limited(max_pixels=1 << 40, memory_bytes=400_000_000) as pool:
        assert reason_for(pool, bomb) == "memory-limit"
        assert np.array_equal(pool.read_frames(clip(lossless[0]))[0], lossless[1])
        (before,) = pool.process_ids
        assert reason_for(pool, canvas) == "memory-limit"
        assert np.array_equal(pool.read_frames(clip(lossless[0]))[0], lossless[1])
        assert before not in pool.process_ids


@pytest.mark.parametrize(
    ("limits", "reason"), [({"cpu_s": 1.0}, "cpu-limit"), ({"wall_s": 0.5}, "time-limit")], ids=["cpu", "wall"]
)
@pytest.mark.slow
def test_a_file_that_burns_cpu_is_killed_and_named_and_the_next_is_decoded(
    limits: dict[str, float], reason: str, tmp_path: Path, lossless: tuple[Path, Frames]
) -> None:
    """2500 key frames of 4096x2160 in 9 MB: more than a minute of decoding, which the shipped limit does not allow."""
    assert DecodeLimits().cpu_s < 60
    burner = write_repeated(tmp_path / "burner.webm", height=2160, width=4096, times=2500)
    with limited(**limits) as pool:
        pool.versions()  # the process is up
        started = time.monotonic()
        assert reason_for(pool, burner) == reason
        assert time.monotonic() - started < 20
        assert np.array_equal(pool.read_frames(clip(lossless[0]))[0], lossless[1])


def test_time_in_the_hands_of_the_reader_does_not_count(lossless: tuple[Path, Frames]) -> None:
    with limited(wall_s=2.0) as pool:
        pool.versions()
        with pool.open(clip(lossless[0])) as stream:
            for _ in stream:
                time.sleep(1.2)
            assert stream.info.num_frames == 40


def test_a_process_killed_from_outside_is_named_and_replaced(
    pool: DecoderPool, lossless: tuple[Path, Frames], tmp_path: Path
) -> None:
    long = write_video(tmp_path / "long.mkv", drawn(300, 120, 160), "ffv1", "bgr0")
    with (
        pytest.raises(VideoUnreadable, match="died of SIGKILL") as caught,
        pool.open(clip(long)) as stream,
    ):
        for _ in stream:
            os.kill(stream._task.process.pid, signal.SIGKILL)
    assert caught.value.reason == "decoder-died"
    assert np.array_equal(pool.read_frames(clip(lossless[0]))[0], lossless[1])


def test_an_idle_process_that_died_is_replaced_in_silence(lossless: tuple[Path, Frames]) -> None:
    with DecoderPool() as pool:
        pool.versions()
        process = pool.process_ids[0]
        os.kill(process, signal.SIGKILL)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        assert np.array_equal(pool.read_frames(clip(lossless[0]))[0], lossless[1])


def test_a_process_is_recycled_after_its_share_of_files(lossless: tuple[Path, Frames]) -> None:
    seen: list[tuple[int, ...]] = []
    with limited(files_per_process=2) as pool:
        for _ in range(4):
            pool.read_frames(clip(lossless[0]))
            seen.append(pool.process_ids)
    assert [len(ids) for ids in seen] == [1, 0, 1, 0]
    assert seen[0] != seen[2]


def test_a_process_writes_no_file_and_opens_few(lossless: tuple[Path, Frames]) -> None:
    with limited(open_files=40) as pool:
        pool.read_frames(clip(lossless[0]))
        limits = Path(f"/proc/{pool.process_ids[0]}/limits")
        if not limits.exists():
            pytest.skip("this system has no /proc/PID/limits")
        rows = {line[:25].strip(): line[25:].split()[0] for line in limits.read_text().splitlines()[1:]}
    assert rows["Max file size"] == "0"
    assert rows["Max core file size"] == "0"
    assert rows["Max open files"] == "40"
    assert rows["Max address space"].isdecimal()
    assert rows["Max cpu time"].isdecimal()


@needs_shared
@pytest.mark.slow
def test_memory_stays_bounded_on_a_large_clip() -> None:
    """2002x1080x132 is 856 MB as RGB; neither side may hold it."""
    script = (
        "import pathlib, sys\n"
        "from anisora.harness.media.decoder import DecoderPool\n"
        "from anisora.harness.types import Clip\n"
        "def peak(process):\n"
        "    return int(pathlib.Path(f'/proc/{process}/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "with DecoderPool() as pool:\n"
        "    with pool.open(Clip(path=pathlib.Path(sys.argv[1]), digest='')) as stream:\n"
        "        assert sum(len(indices) for indices, _ in stream) == 132\n"
        "    print(peak(pool.process_ids[0]), peak('self'))\n"
    )
    path = CLIPS / "video" / "cartoon_films_da_dou_1.mp4"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    child_kib, parent_kib = map(int, done.stdout.split())
    assert child_kib < 400_000
    assert parent_kib < 250_000


# -- the pool


def test_the_parent_never_loads_a_decoder(lossless: tuple[Path, Frames]) -> None:
    script = (
        "import pathlib, sys\n"
        "from anisora.harness.media.decoder import DecoderPool\n"
        "from anisora.harness.types import Clip\n"
        "with DecoderPool() as pool:\n"
        "    frames, info = pool.read_frames(Clip(path=pathlib.Path(sys.argv[1]), digest=''))\n"
        "    pool.encode(frames, fps=24.0, path=pathlib.Path(sys.argv[1]).with_suffix('.out'))\n"
        "assert len(frames) == 40\n"
        "print(sorted({'av', 'decord', 'cv2', 'PIL', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(lossless[0])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_the_process_ends_when_its_parent_is_killed(lossless: tuple[Path, Frames]) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from anisora.harness.media.decoder import DecoderPool\n"
        "from anisora.harness.types import Clip\n"
        "pool = DecoderPool()\n"
        "opened = pool.open(Clip(path=pathlib.Path(sys.argv[1]), digest=''))\n"
        "stream = opened.__enter__()\n"
        "windows = iter(stream)\n"
        "next(windows)\n"
        "print(stream._task.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(lossless[0])], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)  # it is there
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(child)


def runs(process: int) -> bool:
    """Whether a process that is not ours still works; one that waits for its parent's attention does not."""
    try:
        return "Z (zombie)" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_two_threads_share_a_pool(lossless: tuple[Path, Frames]) -> None:
    path, frames = lossless
    right: list[bool] = []

    def work(pool: DecoderPool) -> None:
        right.extend(np.array_equal(pool.read_frames(clip(path))[0], frames) for _ in range(6))

    with DecoderPool(processes=1) as pool:
        threads = [threading.Thread(target=work, args=(pool,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(pool.process_ids) == 1
        assert pool.decodes == 12
    assert right == [True] * 12


def test_one_thread_may_read_two_clips_side_by_side(lossless: tuple[Path, Frames]) -> None:
    path, frames = lossless
    with DecoderPool(processes=1) as pool, pool.open(clip(path)) as left, pool.open(clip(path)) as right:
        for (_, a), (_, b) in zip(left, right, strict=True):
            assert np.array_equal(a, b)
        assert left.info.num_frames == right.info.num_frames == len(frames)


def test_an_error_of_the_reader_passes_through_and_the_pool_goes_on(
    pool: DecoderPool, lossless: tuple[Path, Frames]
) -> None:
    with pytest.raises(ZeroDivisionError, match="division"), pool.open(clip(lossless[0])) as stream:
        for _ in stream:
            _ = 1 / 0
    assert np.array_equal(pool.read_frames(clip(lossless[0]))[0], lossless[1])


def test_decodes_count_clips_opened_for_their_pixels(lossless: tuple[Path, Frames], tmp_path: Path) -> None:
    with DecoderPool() as pool:
        pool.versions()
        reason_for(pool, tmp_path / "nothing.mp4")
        assert pool.decodes == 0
        pool.read_frames(clip(lossless[0]))
        assert pool.decodes == 1


def test_versions_name_the_libraries(pool: DecoderPool) -> None:
    versions = pool.versions()
    assert versions["av"].count(".") == 2
    assert "libavcodec" in versions


def test_a_closed_pool_refuses_work(lossless: tuple[Path, Frames]) -> None:
    pool = DecoderPool()
    pool.close()
    with pytest.raises(AnisoraError, match="`DecoderPool` is closed"):
        pool.read_frames(clip(lossless[0]))


def test_a_relative_path_is_seen_from_where_the_caller_stands(
    lossless: tuple[Path, Frames], monkeypatch: pytest.MonkeyPatch
) -> None:
    with DecoderPool() as pool:
        pool.versions()  # the process has started elsewhere
        monkeypatch.chdir(lossless[0].parent)
        assert pool.read_frames(clip(Path(lossless[0].name)))[1].num_frames == 40
        with pytest.raises(VideoUnreadable, match=r"Video `nothing\.mp4` cannot be read \(missing\)"):
            pool.read_frames(clip(Path("nothing.mp4")))


@pytest.mark.parametrize("fps", [0.0, -24.0, float("nan"), float("inf")])
def test_a_declared_frame_rate_that_is_none_is_refused(
    fps: float, pool: DecoderPool, lossless: tuple[Path, Frames]
) -> None:
    with pytest.raises(ConfigError, match="expected frames per second, above 0"):
        pool.read_frames(clip(lossless[0], fps))


def test_a_pool_needs_a_process() -> None:
    with pytest.raises(ConfigError, match="`processes` got 0"):
        DecoderPool(processes=0)


def test_nothing_is_left_open(lossless: tuple[Path, Frames]) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("this system has no /proc/self/fd")
    gc.collect()  # frames that other tests still hold keep their memory open
    before = len(list(descriptors.iterdir()))
    for _ in range(3):
        with DecoderPool() as pool:
            pool.read_frames(clip(lossless[0]))
    gc.collect()
    assert len(list(descriptors.iterdir())) <= before
