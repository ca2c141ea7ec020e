import math
import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import RewardBatch, RewardInfo
from anisora.harness.render import Scene, render
from anisora.reward.call_cost import measured_call
from anisora.reward.metric_reward import MetricReward
from anisora.reward.running_summary import RunningSummary
from anisora.reward.trainer_frames import TrainerFrames, trainer_frames
from anisora.reward.trainer_reward import TrainerReward

MIXED = {"sharpness": 1.0, "temporal_flickering": 1.0}


@pytest.fixture(scope="module")
def videos() -> np.ndarray:
    scenes = [Scene(action="walk", seed=seed, width=64, height=48, num_frames=4) for seed in (0, 1, 2)]
    return np.stack([render(scene).transpose(0, 3, 1, 2) for scene in scenes])


@pytest.fixture(scope="module")
def metric() -> Iterator[MetricReward]:
    with MetricReward(MIXED) as made:
        yield made


@pytest.fixture
def files(videos: np.ndarray, tmp_path: Path) -> list[Path]:
    """A clip, and a file that is none."""
    from anisora.harness.media.decoder import DecoderPool

    with DecoderPool() as pool:
        pool.encode(np.ascontiguousarray(videos[0].transpose(0, 2, 3, 1)), fps=24.0, path=tmp_path / "good.mkv")
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 20)
    return [tmp_path / "good.mkv", tmp_path / "bad.mp4"]


def test_what_is_valid_is_as_the_reward_says_whatever_the_policy(metric: MetricReward, videos: np.ndarray) -> None:
    plain = metric(videos, [""] * 3, fps=24)
    for policy in ("skip", "stop", -1.0):
        batch = TrainerReward(metric, invalid=policy)(videos, [""] * 3, fps=24)
        assert batch.total.tobytes() == plain.total.tobytes()
        assert batch.scores == plain.scores
        assert batch.valid.all()
        assert batch.seconds > 0
    assert TrainerReward(metric).info == metric.info
    assert TrainerReward(metric, invalid=-1).info.fingerprint != metric.info.fingerprint


def test_skip_leaves_nan_and_says_why(metric: MetricReward, files: list[Path]) -> None:
    batch = TrainerReward(metric)(files, ["", ""], fps=24)
    assert batch.valid.tolist() == [True, False]
    assert np.isfinite(batch.total[0])
    assert np.isnan(batch.total[1])
    assert "bad.mp4" in batch.scores[1]["sharpness"].note


def test_a_constant_takes_the_place_and_stays_marked(metric: MetricReward, files: list[Path]) -> None:
    batch = TrainerReward(metric, invalid=-1.5)(files, ["", ""], fps=24)
    assert batch.total[1] == -1.5
    assert batch.valid.tolist() == [True, False]
    assert np.isnan(batch.dimensions["sharpness"][1])
    assert batch.scores[1]["sharpness"].value is None


def test_stop_names_video_dimension_and_reason(metric: MetricReward, files: list[Path]) -> None:
    with pytest.raises(
        DataError, match=r"'stop', and 1 of 2 videos could not be scored: video 1: `sharpness`: .*bad\.mp4"
    ) as caught:
        TrainerReward(metric, invalid="stop")(files, ["", ""], fps=24)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("policy", ["constant", True, math.nan, None])
def test_no_other_policy_is_known(metric: MetricReward, policy: Any) -> None:
    with pytest.raises(ConfigError, match=r"`invalid` got .*; expected 'skip', 'stop' or a finite number"):
        TrainerReward(metric, invalid=policy)


class Failing:
    """A reward whose network fails on batches of a given size."""

    info = RewardInfo(name="failing", dimensions=("a", "b"), weights=(1.0, 0.0), fingerprint="f")

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, videos: Any, prompts: Any, images: Any = None, *, fps: float) -> RewardBatch:
        if len(videos) == self.size:
            raise RuntimeError("out of memory")
        values = np.arange(len(videos), dtype=np.float32)
        return RewardBatch(
            total=values,
            dimensions={"a": values, "b": values},
            valid=np.ones(len(videos), bool),
            seconds=0,
            scores=({},) * len(videos),
            failed=(frozenset(),) * len(videos),
        )


def test_a_failure_inside_the_reward_is_an_invalid_batch_and_not_a_score(videos: np.ndarray) -> None:
    judge = TrainerReward(Failing(3), invalid=-1.0)
    batch = judge(videos, [""] * 3, fps=24)
    assert batch.total.tolist() == [-1.0] * 3
    assert not batch.valid.any()
    assert batch.scores[2]["a"].note == "RuntimeError: out of memory"
    assert judge(videos[:2], [""] * 2, fps=24).valid.all()
    summary = judge.summary()
    assert (summary.calls, summary.videos, summary.invalid) == (2, 5, 3)
    assert summary.dimensions["total"].mean == 0.5  # of 0 and 1: no constant is averaged
    with pytest.raises(DataError, match="video 0: `a`: RuntimeError: out of memory"):
        TrainerReward(Failing(3), invalid="stop")(videos, [""] * 3, fps=24)


def test_what_the_caller_does_wrong_is_raised_under_every_policy(metric: MetricReward, videos: np.ndarray) -> None:
    judge = TrainerReward(metric, invalid=-1.0)
    with pytest.raises(DataError, match="`prompts` has 1 entries for 3 videos"):
        judge(videos, [""], fps=24)
    with pytest.raises(DataError, match="`fps` got 0"):
        judge(videos, [""] * 3, fps=0)


def test_videos_that_are_known_to_be_unusable_are_not_scored(metric: MetricReward, videos: np.ndarray) -> None:
    batch = TrainerReward(metric).score(TrainerFrames(videos=videos, unusable={1: "lost"}), [""] * 3, fps=24)
    whole = metric(videos, [""] * 3, fps=24)
    assert batch.valid.tolist() == [True, False, True]
    assert batch.total[[0, 2]].tobytes() == whole.total[[0, 2]].tobytes()
    assert batch.scores[1]["sharpness"].note == "lost"
    assert batch.scores[2]["sharpness"].value == whole.scores[2]["sharpness"].value


def test_threads_wait_for_each_other_and_get_their_own_rows(metric: MetricReward, videos: np.ndarray) -> None:
    judge = TrainerReward(metric)
    with ThreadPoolExecutor(3) as executor:
        found = list(executor.map(lambda at: judge(videos[at : at + 1], [""], fps=24).total[0], range(3)))
    assert found == metric(videos, [""] * 3, fps=24).total.tolist()
    assert judge.summary().calls == 3


def test_the_running_summary_is_that_of_all_values_together() -> None:
    generator = np.random.default_rng(0)
    batches = [generator.normal(3, 2, size).astype(np.float32) for size in (1, 7, 4)]
    batches[1][2] = np.nan
    running = RunningSummary()
    for place, values in enumerate(batches):
        whole = RewardBatch(
            total=values,
            dimensions={"a": values * 2},
            valid=np.isfinite(values),
            seconds=float(place + 1),
            peak_bytes=100 - place,
        )
        running.add(whole)
    summary = running.summary()
    known = np.concatenate(batches)
    known = known[np.isfinite(known)].astype(float)
    total = summary.dimensions["total"]
    assert (summary.videos, summary.invalid, summary.invalid_ratio) == (12, 1, 1 / 12)
    assert (total.count, total.low, total.high) == (11, known.min(), known.max())
    assert total.mean == pytest.approx(known.mean())
    assert total.std == pytest.approx(known.std())
    assert summary.dimensions["a"].mean == pytest.approx(2 * known.mean())
    assert summary.seconds_p50 == 2.0
    assert summary.seconds_p95 == pytest.approx(2.9)
    assert summary.peak_bytes == 100
    numbers = summary.as_numbers()
    assert numbers["reward/total_max"] == known.max()
    assert numbers["reward/invalid_ratio"] == 1 / 12
    empty = RunningSummary().summary()
    assert empty.seconds_p50 is None
    assert empty.as_numbers() == {"reward/invalid_ratio": 0.0}


def test_the_peak_is_that_of_the_call() -> None:
    with measured_call("cpu") as idle:
        pass
    if idle.peak_bytes is None:
        pytest.skip("this system does not let a process count its peak anew")
    # Pages of the system's own: an array of this size may lie in memory that the heap has kept, and stay there.
    with measured_call("cpu") as busy, mmap.mmap(-1, 1 << 25) as pages:
        pages.write(bytes(1 << 25))
    with measured_call("cpu") as after:
        pass
    assert busy.peak_bytes is not None
    assert after.peak_bytes is not None
    assert busy.peak_bytes - after.peak_bytes > 1 << 24
    assert busy.seconds > 0


def test_layouts_of_trainers_are_one_batch(videos: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    channels_last = videos.transpose(0, 1, 3, 4, 2)
    floats = videos.astype(np.float32) / 255
    for layout in (videos, channels_last, floats, torch.from_numpy(floats), torch.from_numpy(channels_last.copy())):
        assert np.array_equal(trainer_frames(layout).videos, videos)
    images = videos[:, 0]
    for layout in (images, images.transpose(0, 2, 3, 1), torch.from_numpy(images / 255)):
        assert np.array_equal(trainer_frames(layout).videos, videos[:, :1])
    halves = torch.from_numpy(floats).bfloat16()
    assert np.array_equal(trainer_frames(halves).videos, (halves.float() * 255).round().byte().numpy())


def test_frames_that_are_no_numbers_and_files_that_are_not_there_are_unusable(
    videos: np.ndarray, files: list[Path]
) -> None:
    floats = videos.astype(np.float32) / 255
    floats[1, 0, 0, 0, 0] = np.nan
    assert trainer_frames(floats).unusable == {1: "frames hold numbers that are not finite"}
    found = trainer_frames([files[0], files[0].with_name("absent.mp4")])
    assert list(found.unusable) == [1]
    assert "absent.mp4` does not exist" in found.unusable[1]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.full((1, 3, 8, 8), -0.5, np.float32), r"`videos\[0\]` has floats from -0\.5 to -0\.5; expected 0 to 1"),
        (np.zeros((1, 8, 8, 3), np.float32), r"got float32 frames of shape \(1, 8, 8, 3\)"),
        (np.zeros((1, 3, 8, 8), np.int64), "got int64 frames"),
        (np.zeros((3, 8, 8), np.uint8), r"got the shape \(3, 8, 8\)"),
        ("clip.mp4", "single path 'clip.mp4'"),
    ],
)
def test_another_layout_is_refused(frames: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        trainer_frames(frames)


def test_the_device_is_that_of_the_networks(metric: MetricReward) -> None:
    assert TrainerReward(metric).device == metric.device == "cpu"
    assert replace(metric.info, name="x").constants == ""
