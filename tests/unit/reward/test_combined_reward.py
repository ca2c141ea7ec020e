from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import anisora
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.reward.combined_reward import CombinedReward
from anisora.reward.metric_reward import MetricReward, as_scores

SPECS = {"calm": "metric_reward:temporal_flickering=1,warping_error=-1", "sharp": "metric_reward:sharpness=0.001"}


@pytest.fixture(scope="module")
def videos() -> np.ndarray:
    scenes = [Scene(action="walk", seed=seed, width=64, height=48, num_frames=4) for seed in (0, 1)]
    return np.stack([render(scene).transpose(0, 3, 1, 2) for scene in scenes])


@pytest.fixture(scope="module")
def judge() -> Iterator[CombinedReward]:
    with CombinedReward(SPECS, {"sharp": -3.0}) as made:
        yield made


def test_the_total_is_the_weighted_mean_of_the_rewards_which_are_told_beside_it(
    judge: CombinedReward, videos: np.ndarray
) -> None:
    batch = judge(videos, ["", ""], fps=24)
    for name, spec in SPECS.items():
        with anisora.reward(spec) as alone:
            single = alone(videos, ["", ""], fps=24)
        assert np.array_equal(batch.dimensions[name], single.total)
        for dimension, values in single.dimensions.items():
            assert np.array_equal(batch.dimensions[f"{name}/{dimension}"], values)
            assert batch.scores[1][f"{name}/{dimension}"] == single.scores[1][dimension]
    expected = (batch.dimensions["calm"].astype(float) - 3 * batch.dimensions["sharp"].astype(float)) / 4
    np.testing.assert_array_equal(batch.total, expected.astype(np.float32))
    assert dict(zip(judge.info.dimensions, judge.info.weights, strict=True)) == {
        "calm": 1.0,
        "calm/temporal_flickering": 0.0,
        "calm/warping_error": 0.0,
        "sharp": -3.0,
        "sharp/sharpness": 0.0,
    }
    rows = as_scores(batch, sample_ids=["a", "b"])
    assert rows["calm"][0].value == float(batch.dimensions["calm"][0])


def test_frames_and_their_lossless_files_have_one_score_bit_for_bit(
    judge: CombinedReward, videos: np.ndarray, tmp_path: Path
) -> None:
    paths = [tmp_path / "0.mkv", tmp_path / "1.mkv"]
    with DecoderPool() as pool:
        for path, video in zip(paths, videos, strict=True):
            pool.encode(np.ascontiguousarray(video.transpose(0, 2, 3, 1)), fps=24.0, path=path)
    of_files, of_frames = judge(paths, ["", ""], fps=24), judge(videos, ["", ""], fps=24)
    assert of_files.scores == of_frames.scores
    assert of_files.total.tobytes() == of_frames.total.tobytes()
    assert all(of_files.dimensions[name].tobytes() == each.tobytes() for name, each in of_frames.dimensions.items())


def test_a_video_is_invalid_where_one_reward_has_no_total(videos: np.ndarray) -> None:
    with CombinedReward({"sharp": SPECS["sharp"], "truth": "metric_reward:psnr"}) as judge:
        batch = judge(videos, ["", ""], fps=24)
    assert np.isfinite(batch.dimensions["sharp"]).all()
    assert np.isnan(batch.total).all()
    assert not batch.valid.any()
    assert batch.scores[0]["truth"].value is None
    assert "ground truth" in batch.scores[0]["truth/psnr"].note


def test_a_reward_that_was_given_stays_open(videos: np.ndarray) -> None:
    with MetricReward({"sharpness": 1.0}) as own:
        with CombinedReward({"own": own}) as judge:
            judge(videos, ["", ""], fps=24)
            store = own._features
        assert own._features is store is not None


def test_the_fingerprint_follows_rewards_and_weights(judge: CombinedReward) -> None:
    assert judge.info.fingerprint == CombinedReward(SPECS, {"sharp": -3.0, "calm": 1}, name="x").info.fingerprint
    assert judge.info.fingerprint != CombinedReward(SPECS).info.fingerprint
    made = anisora.reward("combined", rewards=SPECS, weights={"sharp": -3.0})
    assert made.info == judge.info
    assert judge.info.protocols["sharp/sharpness"] == MetricReward({"sharpness": 1.0}).info.protocols["sharpness"]


@pytest.mark.parametrize(
    ("rewards", "weights", "error", "message"),
    [
        ({}, {}, ConfigError, r"`rewards` got \[\]"),
        ({"a/b": SPECS["calm"]}, {}, ConfigError, "names that hold no slash"),
        ({"a": SPECS["calm"]}, {"b": 1.0}, ConfigError, "`weights` got 'b'; expected some of a"),
        ({"a": SPECS["calm"]}, {"a": 0.0}, ConfigError, "Weight of 'a' got 0.0"),
        ({"a": "metric_rewards:psnr"}, {}, UnknownNameError, "Did you mean 'metric_reward'"),
    ],
)
def test_what_cannot_be_is_refused(
    rewards: dict[str, str], weights: dict[str, float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        CombinedReward(rewards, weights)
