from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import anisora
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import RewardModel
from anisora.harness.registry import Spec, registry
from anisora.harness.render import Scene, render
from anisora.harness.stages.score import score_one
from anisora.harness.types import Frames, Generation, Sample
from anisora.reward.metric_reward import MetricReward, as_scores, reward

METRICS = {"temporal_flickering": 2.0, "warping_error": -1.0, "sharpness": 0.5}


@pytest.fixture(scope="module")
def clips() -> list[Frames]:
    scenes = [Scene(action="walk", seed=seed, width=96, height=64, num_frames=5) for seed in (0, 1)]
    return [render(scene) for scene in scenes]


@pytest.fixture(scope="module")
def videos(clips: list[Frames]) -> np.ndarray:
    return np.stack([frames.transpose(0, 3, 1, 2) for frames in clips])  # (B, T, 3, H, W)


@pytest.fixture(scope="module")
def judge() -> Iterator[MetricReward]:
    with MetricReward(METRICS) as made:
        yield made


def test_the_reward_of_a_tensor_is_the_score_of_a_lossless_file_bit_for_bit(
    judge: MetricReward, clips: list[Frames], videos: np.ndarray, tmp_path: Path
) -> None:
    batch = judge(videos, ["", ""], fps=24.0)
    with FeatureStore(pool=DecoderPool()) as store:
        for index, frames in enumerate(clips):
            path = tmp_path / f"{index}.mkv"
            store.pool.encode(frames, fps=24.0, path=path)
            item = Generation(sample=Sample(id=str(index), prompt=""), clip=clip_at(path, None), model="file")
            for name in METRICS:
                score = score_one(registry("metrics").create(name), item, store)
                assert score.value is not None
                assert batch.scores[index][name] == score  # value, weight, parts and note
                assert batch.dimensions[name][index] == np.float32(score.value)


def test_paths_and_tensors_have_the_same_reward(
    judge: MetricReward, clips: list[Frames], videos: np.ndarray, tmp_path: Path
) -> None:
    with DecoderPool() as pool:
        paths = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
        for path, frames in zip(paths, clips, strict=True):
            pool.encode(frames, fps=24.0, path=path)
    from_paths = judge(paths, ["", ""], fps=24.0)
    from_array = judge(videos, ["", ""], fps=24.0)
    assert np.array_equal(from_paths.total, from_array.total)
    assert from_paths.scores == from_array.scores
    with pytest.raises(DataError, match=r"`fps` got 16, but video `.*a\.mkv` has 24\.000"):
        judge(paths, ["", ""], fps=16)


def test_the_total_is_the_weighted_mean_of_the_dimensions(judge: MetricReward, videos: np.ndarray) -> None:
    batch = judge(videos, ["", ""], fps=24.0)
    values = [[row[name].value for name in METRICS] for row in batch.scores]
    expected = np.array(values) @ np.array([2.0, -1.0, 0.5]) / 3.5
    assert batch.total.dtype == np.float32
    np.testing.assert_allclose(batch.total, expected, rtol=1e-6)
    assert batch.valid.all()
    assert batch.seconds > 0


def test_a_reported_metric_is_told_and_does_not_enter_the_total(videos: np.ndarray) -> None:
    with MetricReward({"temporal_flickering": 1.0}, reported=["sharpness", "psnr"]) as judge:
        batch = judge(videos, ["", ""], fps=24.0)
        assert dict(zip(judge.info.dimensions, judge.info.weights, strict=True)) == {
            "temporal_flickering": 1.0,
            "sharpness": 0.0,
            "psnr": 0.0,
        }
    assert np.array_equal(batch.total, batch.dimensions["temporal_flickering"])
    assert np.isfinite(batch.dimensions["sharpness"]).all()
    assert np.isnan(batch.dimensions["psnr"]).all()  # there is no ground truth, and the total stays valid
    assert batch.valid.all()


def test_a_metric_is_weighted_or_reported() -> None:
    with pytest.raises(ConfigError, match="`reported` got sharpness, which `metrics` weighs"):
        MetricReward({"sharpness": 1.0}, reported=["sharpness"])


def test_a_torch_tensor_gets_torch_tensors_back(judge: MetricReward, videos: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    batch = judge(torch.from_numpy(videos), ["", ""], fps=24.0)
    reference = judge(videos, ["", ""], fps=24.0)
    assert batch.total.dtype == torch.float32
    assert batch.valid.dtype == torch.bool
    assert batch.total.device == torch.device("cpu")
    assert np.array_equal(batch.total.numpy(), reference.total)
    strided = torch.from_numpy(videos).permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert torch.equal(judge(strided, ["", ""], fps=24.0).total, batch.total)


def test_a_row_does_not_depend_on_its_neighbours(judge: MetricReward, videos: np.ndarray) -> None:
    both = judge(videos, ["", ""], fps=24.0)
    alone = judge(videos[1:], [""], fps=24.0)
    swapped = judge(videos[::-1], ["", ""], fps=24.0)
    assert alone.total[0] == both.total[1] == swapped.total[0]


def test_what_cannot_be_scored_is_nan_with_a_reason(videos: np.ndarray, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no video at all" * 10)
    with MetricReward(["temporal_flickering", "psnr"]) as judge:
        lacking = judge(videos[:1], [""], fps=24.0)
        broken = judge([damaged], [""], fps=24.0)
    assert not lacking.valid.any()
    assert np.isnan(lacking.total[0])
    assert np.isnan(lacking.dimensions["psnr"][0])
    assert np.isfinite(lacking.dimensions["temporal_flickering"][0])
    assert "no ground truth" in lacking.scores[0]["psnr"].note
    assert np.isnan(broken.dimensions["temporal_flickering"][0])
    assert "damaged.mp4" in broken.scores[0]["temporal_flickering"].note


def test_ground_truth_reaches_the_metrics_that_compare(clips: list[Frames], videos: np.ndarray, tmp_path: Path) -> None:
    with MetricReward(["psnr", "ssim"]) as judge:
        with DecoderPool() as pool:
            pool.encode(clips[0], fps=24.0, path=tmp_path / "truth.mkv")
        truth = clip_at(tmp_path / "truth.mkv", None)
        batch = judge(videos, ["", ""], fps=24.0, ground_truth=[truth, truth])
    assert batch.valid.all()
    assert batch.dimensions["ssim"][0] == pytest.approx(1.0)
    assert batch.dimensions["ssim"][1] < 0.99
    assert batch.dimensions["psnr"][1] < batch.dimensions["psnr"][0]


@pytest.mark.parametrize(
    ("videos", "prompts", "fps", "message"),
    [
        (np.zeros((1, 2, 3, 8, 8), np.float32), [""], 24, r"got float32 .* expected uint8 \(B, T, 3, H, W\)"),
        (np.zeros((1, 2, 8, 8, 3), np.uint8), [""], 24, r"of shape \(1, 2, 8, 8, 3\)"),
        (np.zeros((2, 3, 8, 8), np.uint8), [""], 24, r"of shape \(2, 3, 8, 8\)"),
        (np.zeros((1, 0, 3, 8, 8), np.uint8), [""], 24, "empty shape"),
        (np.zeros((1, 2, 3, 8, 8), np.uint8), ["", ""], 24, "`prompts` has 2 entries for 1 videos"),
        (np.zeros((1, 2, 3, 8, 8), np.uint8), "p", 24, "`prompts` got one text 'p'"),
        (np.zeros((1, 2, 3, 8, 8), np.uint8), [""], 0, "`fps` got 0;"),
        (np.zeros((1, 2, 3, 8, 8), np.uint8), [""], float("nan"), "`fps` got nan;"),
        (np.zeros((1, 2, 3, 8, 8), np.uint8), [""], None, "`fps` got None;"),
        ("clip.mp4", [""], 24, "single path 'clip.mp4'"),
        ([7], [""], 24, "`videos` got int 7; expected paths"),
        ([Path("absent.mp4")], [""], 24, r"`absent\.mp4` does not exist"),
    ],
)
def test_a_wrong_batch_is_refused_in_one_line(
    judge: MetricReward, videos: object, prompts: object, fps: object, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        judge(videos, prompts, fps=fps)
    assert "\n" not in str(caught.value)


def test_weights_follow_from_the_direction_of_a_metric() -> None:
    assert MetricReward(["temporal_flickering", "warping_error"]).info.weights == (1.0, -1.0)
    assert MetricReward({"temporal_flickering": None, "sharpness": 3}).info.weights == (1.0, 3.0)
    with pytest.raises(ConfigError, match="Metric `sharpness` is best where it equals the ground truth"):
        MetricReward(["sharpness"])
    for weight in (0, float("inf"), True, "1"):
        with pytest.raises(ConfigError, match=r"Weight of `psnr` got .*; expected a number other than 0"):
            MetricReward({"psnr": weight})
    with pytest.raises(ConfigError, match=r"`metrics` got \{\}"):
        MetricReward({})


def test_the_fingerprint_changes_with_whatever_changes_a_number() -> None:
    first = MetricReward({"psnr": 1.0}).info
    assert first.fingerprint == MetricReward({"psnr": 1.0}, name="other").info.fingerprint
    assert first.fingerprint != MetricReward({"psnr": 2.0}).info.fingerprint
    assert first.fingerprint != MetricReward({"ssim": 1.0}).info.fingerprint


def test_a_reward_is_created_by_name(videos: np.ndarray) -> None:
    made: RewardModel = anisora.reward("metric_reward:temporal_flickering=1,warping_error=-1", name="calm")
    assert made.info.name == "calm"
    assert made.info.dimensions == ("temporal_flickering", "warping_error")
    bare = reward(Spec.parse("metric_reward:warping_error,temporal_flickering"))
    assert dict(zip(bare.info.dimensions, bare.info.weights, strict=True)) == {
        "temporal_flickering": 1.0,
        "warping_error": -1.0,
    }
    given = reward("metric_reward", metrics={"psnr": 1.0})
    assert given.info.dimensions == ("psnr",)
    with pytest.raises(UnknownNameError, match="Did you mean 'metric_reward'"):
        reward("metric_rewards")
    with pytest.raises(UnknownNameError, match="Did you mean 'temporal_flickering'"):
        reward("metric_reward:temporal_flicker")


def test_a_batch_becomes_the_rows_of_a_run(judge: MetricReward, videos: np.ndarray) -> None:
    batch = judge(videos, ["", ""], fps=24.0)
    rows = as_scores(batch, sample_ids=["a", "b"], seeds=[3, 4])
    assert set(rows) == {*METRICS, "total"}
    assert [(score.sample_id, score.seed) for score in rows["total"]] == [("a", 3), ("b", 4)]
    assert rows["sharpness"][1].value == batch.scores[1]["sharpness"].value
    assert rows["total"][0].value == float(batch.total[0])
    with pytest.raises(DataError, match="`sample_ids` has 1 entries for 2 videos"):
        as_scores(batch, sample_ids=["a"])
