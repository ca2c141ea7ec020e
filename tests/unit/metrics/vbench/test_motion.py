"""motion_smoothness and dynamic_degree as formulas over features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from trial_metrics import make_item

from anisora.harness.stages.score import score_one
from anisora.harness.types import FrameSampling, Generation, StreamInfo
from anisora.metrics.vbench.dynamic_degree import DynamicDegree, motion_threshold, pairs_needed
from anisora.metrics.vbench.motion_smoothness import MotionSmoothness


class Known:
    """Gives one extractor's features of a clip of some size."""

    def __init__(self, features: Mapping[str, Any], height: int = 256, width: int = 320, num_frames: int = 20) -> None:
        self._features = features
        self._info = StreamInfo(
            fps=16.0, num_frames=num_frames, height=height, width=width, codec="x", pixel_format="y"
        )

    def stream(self, item: Generation) -> StreamInfo:
        return self._info

    def get(self, item: Generation, extractor: str, sampling: FrameSampling) -> Mapping[str, Any]:
        assert (extractor, sampling.id) in (("amt_s", "all"), ("raft_things", "interval-8.0"))
        return self._features


def test_smoothness_is_one_less_the_mean_error_of_the_drawn_frames() -> None:
    score = score_one(MotionSmoothness(), make_item(), Known({"mean_absolute": np.array([0.0, 51.0])}))
    assert score.value == pytest.approx(0.9)
    assert score.parts["frames"] == pytest.approx([1.0, 0.8])


@pytest.mark.parametrize(("height", "is_scored"), [(112, False), (113, True), (128, True)])
def test_frames_too_small_for_the_network_are_unscored(height: int, is_scored: bool) -> None:
    score = score_one(MotionSmoothness(), make_item(), Known({"mean_absolute": np.array([1.0])}, height=height))
    assert (score.value is not None) == is_scored
    if not is_scored:
        assert "frames are 320x112; AMT needs sides of 128 pixels or more" in score.note


def test_the_threshold_is_6_pixels_at_a_short_side_of_256() -> None:
    assert motion_threshold(256, 999) == 6
    assert motion_threshold(720, 480) == 11.25


def test_a_quarter_of_the_sampled_frames_must_move_halves_to_the_even_neighbour() -> None:
    assert {frames: pairs_needed(frames) for frames in (2, 3, 5, 6, 10, 14, 16, 25)} == {
        2: 0, 3: 1, 5: 1, 6: 2, 10: 2, 14: 4, 16: 4, 25: 6,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("motion", "value"),
    [
        ([7, 7, 0, 0, 0], 1.0),  # six frames: two pairs
        ([0, 0, 7, 0, 7], 1.0),
        ([7, 0, 0, 0, 0], 0.0),
        ([6, 6, 6, 6, 6], 0.0),  # above the threshold, not at it
        ([7, 0], 1.0),
    ],
)
def test_a_clip_moves_if_enough_of_its_pairs_do(motion: list[float], value: float) -> None:
    score = score_one(DynamicDegree(), make_item(), Known({"largest_motion": np.array(motion, float)}))
    assert score.value == value
    assert score.parts["pairs"] == motion


@pytest.mark.parametrize("features", [{}, {"largest_motion": np.array([99.0])}])
def test_two_sampled_frames_say_nothing(features: Mapping[str, Any]) -> None:
    score = score_one(DynamicDegree(), make_item(), Known(features))
    assert score.value is None
    assert "at least 3 needed" in score.note


def test_it_is_a_metric_of_yes_and_no() -> None:
    assert DynamicDegree.info.binary
