"""Rewards in loops of others: Flow-GRPO's and DanceGRPO's calls, and the group helpers after them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.types import Frames
from anisora.reward.combined_reward import CombinedReward
from anisora.reward.constants import Constants, DimensionConstants
from anisora.reward.dancegrpo import as_dancegrpo
from anisora.reward.flow_grpo import as_flow_grpo
from anisora.reward.metric_reward import MetricReward
from anisora.reward.normalised_reward import NormalisedReward
from anisora.reward.trainer_reward import TrainerReward

torch = pytest.importorskip("torch")
from anisora.training.grpo.advantages import (  # noqa: E402
    DANCE_GRPO,
    FLOW_GRPO,
    advantages,
    clamped,
    group_spread,
    mixed_advantages,
)

WEIGHTS = {"sharpness": 0.001, "temporal_flickering": 1.0}
PROMPTS = ["a girl walks", "a girl walks", "rain", "rain"]


@pytest.fixture(scope="module")
def clips() -> list[Frames]:
    return [render(Scene(action="walk", seed=seed, width=64, height=48, num_frames=4)) for seed in range(4)]


@pytest.fixture(scope="module")
def judge() -> Iterator[MetricReward]:
    with MetricReward(WEIGHTS) as made:
        yield made


@pytest.fixture(scope="module")
def constants(judge: MetricReward) -> Constants:
    protocols = judge.info.protocols
    dimensions = {
        name: DimensionConstants(mean=mean, std=std, count=9, left_out=0, protocol=protocols[name])
        for name, mean, std in (("sharpness", 1500.0, 300.0), ("temporal_flickering", 0.97, 0.01))
    }
    return Constants(name="tiny", dimensions=dimensions, runs=())


def floats_of(clips: list[Frames]) -> "torch.Tensor":
    return torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3).float() / 255


def test_five_lines_of_flow_grpo(judge: MetricReward, clips: list[Frames]) -> None:
    videos, metadata = floats_of(clips), [{}] * 4
    videos[3] = torch.nan  # a sample that diverged

    reward_fn, executor = as_flow_grpo(judge, fps=24), ThreadPoolExecutor(8)
    rewards, _ = executor.submit(reward_fn, videos, PROMPTS, metadata, only_strict=True).result()
    rewards = {name: torch.as_tensor(values) for name, values in rewards.items()}
    found = clamped(advantages(rewards["avg"], PROMPTS, FLOW_GRPO, valid=rewards["valid"]), 5.0)
    kept = group_spread(rewards["avg"], PROMPTS, valid=rewards["valid"]).is_spread

    executor.shutdown()
    plain = judge(np.stack(clips[:3]).transpose(0, 1, 4, 2, 3), PROMPTS[:3], fps=24)
    assert rewards["avg"][:3].numpy().tobytes() == plain.total.tobytes()
    assert rewards["sharpness"][:3].numpy().tobytes() == plain.dimensions["sharpness"].tobytes()
    assert rewards["valid"].tolist() == [1, 1, 1, 0]
    assert kept.tolist() == [True, True, False, False]  # one valid clip is no group
    assert found[0] == -found[1] != 0
    assert found[2:].tolist() == [0, 0]
    assert set(rewards) == {"sharpness", "temporal_flickering", "avg", "valid"}


def test_flow_grpo_hands_over_images_of_both_layouts(clips: list[Frames]) -> None:
    with MetricReward({"sharpness": 1.0}) as sharp:
        reward_fn = as_flow_grpo(sharp, fps=1)
        images = np.stack([clip[0] for clip in clips])
        of_bytes, _ = reward_fn(images, PROMPTS, [{}] * 4)
        of_floats, info = reward_fn(torch.from_numpy(images).permute(0, 3, 1, 2) / 255, PROMPTS, None)
    assert info == {}
    assert of_bytes["avg"].tobytes() == of_floats["avg"].tobytes()
    assert of_bytes["avg"].dtype == np.float32
    assert len(set(of_bytes["avg"].tolist())) == 4
    assert reward_fn.summary().videos == 8


def test_the_image_that_a_video_was_made_from_is_read_from_the_metadata(clips: list[Frames], tmp_path: Path) -> None:
    Picture.fromarray(clips[0][0]).save(tmp_path / "first.png")
    with MetricReward({"condition_fidelity": 1.0}) as fidelity:
        reward_fn = as_flow_grpo(fidelity, fps=24)
        scores, _ = reward_fn(floats_of(clips[:2]), PROMPTS[:2], [{"image": str(tmp_path / "first.png")}, {}])
    assert scores["avg"][0] > 0.99
    assert np.isnan(scores["avg"][1])


def test_a_constant_fills_what_enters_the_total_and_is_marked(judge: MetricReward, clips: list[Frames]) -> None:
    videos = floats_of(clips)
    videos[0] = torch.inf
    with MetricReward({"sharpness": 1.0}, reported=["temporal_flickering"]) as partly:
        scores, _ = as_flow_grpo(partly, fps=24, invalid=-1.0)(videos, PROMPTS, None)
    assert (scores["avg"][0], scores["sharpness"][0], scores["valid"][0]) == (-1, -1, 0)
    assert np.isnan(scores["temporal_flickering"][0])
    with pytest.raises(DataError, match="video 0: `sharpness`: frames hold numbers that are not finite"):
        as_flow_grpo(TrainerReward(judge, invalid="stop"), fps=24)(videos, PROMPTS, None)


def test_flow_grpo_gets_raw_and_normalised_numbers(
    judge: MetricReward, clips: list[Frames], constants: Constants
) -> None:
    scores, _ = as_flow_grpo(NormalisedReward(judge, constants), fps=24)(floats_of(clips), PROMPTS, None)
    np.testing.assert_allclose(scores["sharpness_normalised"], (scores["sharpness"] - 1500) / 300, rtol=1e-5)
    assert not np.array_equal(scores["avg"], judge(np.stack(clips).transpose(0, 1, 4, 2, 3), PROMPTS, fps=24).total)


def test_five_lines_of_dancegrpo(judge: MetricReward, clips: list[Frames], tmp_path: Path) -> None:
    paths = [tmp_path / f"{place}.mkv" for place in range(4)]
    with DecoderPool() as pool:
        for path, frames in zip(paths[:3], clips, strict=False):
            pool.encode(frames, fps=8.0, path=path)
    paths[3].write_bytes(b"not a video" * 9)

    inferencer = as_dancegrpo(judge, fps=8)
    rewards = [inferencer.reward([path], [prompt])[0] for path, prompt in zip(paths, PROMPTS, strict=True)]
    valid = torch.tensor([each["valid"] for each in rewards])
    each_dimension = {name: torch.tensor([row[name] for row in rewards]) for name in WEIGHTS}
    found = clamped(
        mixed_advantages(each_dimension, PROMPTS, {name: 1.0 for name in WEIGHTS}, DANCE_GRPO, valid=valid), 5
    )

    plain = judge(paths[:3], PROMPTS[:3], fps=8)
    assert [row["Overall"] for row in rewards[:3]] == plain.total.tolist()
    assert valid.tolist() == [True, True, True, False]
    assert np.isnan(rewards[3]["sharpness"])
    alone = {name: advantages(values[:2], PROMPTS[:2], DANCE_GRPO) for name, values in each_dimension.items()}
    torch.testing.assert_close(found[:2], sum(alone.values()))
    assert found[2:].tolist() == [0, 0]


def test_an_exception_is_minus_one_only_where_that_is_asked_for(judge: MetricReward, tmp_path: Path) -> None:
    absent = [tmp_path / "absent.mp4"]
    assert np.isnan(as_dancegrpo(judge, fps=8).reward(absent, [""])[0]["Overall"])
    asked = as_dancegrpo(judge, fps=8, invalid=-1.0)
    assert asked.reward(absent, [""]) == [
        {"sharpness": -1.0, "temporal_flickering": -1.0, "Overall": -1.0, "valid": False}
    ]
    assert asked.summary().invalid_ratio == 1
    with pytest.raises(DataError, match=r"video 0: `sharpness`: `.*absent\.mp4` does not exist"):
        as_dancegrpo(judge, fps=8, invalid="stop").reward(absent, [""])


def test_use_norm_is_by_stored_constants(judge: MetricReward, clips: list[Frames], constants: Constants) -> None:
    normalised = as_dancegrpo(NormalisedReward(judge, constants), fps=24)
    frames = np.stack(clips[:1])
    (by_default,), (by_norm,) = normalised.reward(frames, [""]), normalised.reward(frames, [""], use_norm=True)
    (raw,) = normalised.reward(frames, [""], use_norm=False)
    (plain,) = as_dancegrpo(judge, fps=24).reward(frames, [""])
    assert by_default == by_norm
    assert raw["sharpness"] == plain["sharpness"]
    assert raw["Overall"] == pytest.approx(plain["Overall"])
    assert by_norm["sharpness"] == pytest.approx((raw["sharpness"] - 1500) / 300)
    with pytest.raises(ConfigError, match="`use_norm` is True, but reward 'metric_reward' has no constants"):
        as_dancegrpo(judge, fps=24).reward(frames, [""], use_norm=True)


def test_names_that_the_loops_read_are_not_taken_by_dimensions(judge: MetricReward) -> None:
    with pytest.raises(ConfigError, match="has a dimension 'avg'"):
        as_flow_grpo(CombinedReward({"avg": judge}), fps=24)
    with pytest.raises(ConfigError, match="has a dimension 'Overall'"):
        as_dancegrpo(CombinedReward({"Overall": judge}), fps=24)
