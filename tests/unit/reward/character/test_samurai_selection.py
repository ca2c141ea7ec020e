"""Choice among candidates and among memories: each rule alone, with boxes and numbers written by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, MetricError
from anisora.reward.character.samurai_selection import (
    SamuraiSelector,
    SamuraiSettings,
    Tracked,
    candidate_boxes,
    memory_frames,
    pointer_frames,
)

HERE, THERE, NOWHERE = [10, 10, 30, 50], [60, 60, 80, 95], [0, 0, 0, 0]
GOOD = Tracked(best_iou=0.9, object_logit=3.0, motion_score=0.8)


def settled(**settings: float) -> SamuraiSelector:
    selector = SamuraiSelector(SamuraiSettings(stable_frames_threshold=3, **settings))  # type: ignore[arg-type]
    for _ in range(3):
        selector.choose([HERE, THERE], [0.9, 0.2])
    return selector


def test_the_first_frame_starts_the_filter_whatever_its_score() -> None:
    choice = SamuraiSelector().choose([HERE, THERE], [0.05, 0.1])
    assert (choice.candidate, choice.stable_frames, choice.motion_ious, choice.motion_score) == (1, 1, None, None)
    assert choice.best_iou == pytest.approx(0.1)
    assert choice.state.mean.tolist() == [70, 77.5, 20 / 35, 35, 0, 0, 0, 0]


def test_motion_counts_after_enough_good_frames_only() -> None:
    selector = SamuraiSelector(SamuraiSettings(stable_frames_threshold=3))
    counts = []
    for _ in range(5):
        choice = selector.choose([HERE, THERE], [0.9, 0.2])
        counts.append((choice.stable_frames, choice.motion_ious is not None))
    assert counts == [(1, False), (2, False), (3, False), (3, True), (3, True)]
    assert selector.choose([HERE, THERE], [0.70, 0.75]).candidate == 0
    assert SamuraiSelector().choose([HERE, THERE], [0.70, 0.75]).candidate == 1


def test_motion_may_be_outvoted() -> None:
    choice = settled().choose([HERE, THERE], [0.3, 0.8])
    assert choice.candidate == 1
    assert choice.motion_ious is not None
    assert choice.motion_ious[0] > 0.9
    assert choice.motion_score == choice.motion_ious[1] == 0
    assert settled(kf_score_weight=0.9).choose([HERE, THERE], [0.3, 0.8]).candidate == 0


def test_a_bad_frame_leaves_the_prediction_and_the_next_one_starts_anew() -> None:
    selector = settled()
    before = selector.state
    assert before is not None
    bad = selector.choose([HERE, THERE], [0.2, 0.1])
    assert (bad.candidate, bad.stable_frames) == (0, 0)
    np.testing.assert_array_equal(bad.state.mean, selector.box_filter.predict(before).mean)
    anew = selector.choose([HERE, THERE], [0.1, 0.2])
    assert anew.stable_frames == 1
    assert anew.state.mean.tolist() == [70, 77.5, 20 / 35, 35, 0, 0, 0, 0]


def test_at_the_threshold_a_settled_filter_is_content_and_a_settling_one_is_not() -> None:
    score = float(np.float32(0.3))
    settling = SamuraiSelector()
    settling.choose([HERE], [0.9])
    assert settling.choose([HERE], [score]).stable_frames == 0
    assert settled().choose([HERE], [score]).stable_frames == 3


def test_an_empty_mask_is_measured_as_a_box_one_pixel_high_at_the_corner() -> None:
    choice = SamuraiSelector().choose([NOWHERE], [0.9])
    assert choice.state.mean.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


def test_one_of_several_equal_candidates_is_the_first() -> None:
    assert SamuraiSelector().choose([HERE, THERE, HERE], [0.5, 0.5, 0.5]).candidate == 0


def test_two_selectors_share_nothing() -> None:
    settled()
    assert SamuraiSelector().stable_frames == 0
    assert SamuraiSelector().state is None


def test_candidates_that_do_not_fit_are_errors() -> None:
    with pytest.raises(MetricError, match=r"`boxes` has shape \(2, 4\) and `ious` \(3,\)"):
        SamuraiSelector().choose([HERE, THERE], [0.1, 0.2, 0.3])
    with pytest.raises(MetricError, match="Use one selector for each object"):
        SamuraiSelector().choose([[HERE], [THERE]], [[0.1], [0.2]])
    with pytest.raises(MetricError, match=r"`boxes` has shape \(0, 4\)"):
        SamuraiSelector().choose(np.zeros((0, 4)), [])
    with pytest.raises(MetricError, match=r"`ious` is .*nan.*; expected finite numbers"):
        SamuraiSelector().choose([HERE, THERE], [0.1, float("nan")])


@given(seed=st.integers(0, 2**32), side=st.integers(1, 12), size=st.integers(1, 40))
def test_boxes_are_those_of_masks_that_torch_enlarges(seed: int, side: int, size: int) -> None:
    torch = pytest.importorskip("torch")
    logits = np.random.default_rng(seed).standard_normal((2, side, side)).astype(np.float32) - 0.5
    large = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None], size=(size, size), mode="bilinear", align_corners=False
    )[0].numpy()
    if np.abs(large).min() < 1e-5:
        return  # a rounding error decides whether such a pixel is inside
    boxes = candidate_boxes(logits, 1.0, image_size=size)
    for box, mask in zip(boxes.tolist(), large > 0, strict=True):
        points = np.argwhere(mask)
        expected = [*points.min(axis=0)[::-1], *points.max(axis=0)[::-1]] if len(points) else NOWHERE
        assert box == [int(value) for value in expected]


def test_an_absent_object_has_no_boxes() -> None:
    logits = np.ones((3, 4, 4), np.float32)
    assert candidate_boxes(logits, -0.99, image_size=8).tolist() == [[0, 0, 7, 7]] * 3
    assert candidate_boxes(logits, -1.0, image_size=8).tolist() == [NOWHERE] * 3
    assert candidate_boxes(logits, 0.0, image_size=8, min_obj_score_logits=0.0).tolist() == [NOWHERE] * 3
    with pytest.raises(MetricError, match=r"shape \(4, 4\) and `image_size` is 8"):
        candidate_boxes(logits[0], 1.0, image_size=8)
    with pytest.raises(MetricError, match="`image_size` is 0"):
        candidate_boxes(logits, 1.0, image_size=0)


def test_the_last_convincing_frames_are_remembered_and_frame_1_only_by_the_next() -> None:
    assert memory_frames(1, []) == [(0, 6)]
    assert memory_frames(2, [GOOD]) == [(0, 6), (1, 0)]
    assert memory_frames(3, [GOOD] * 2) == [(0, 6), (2, 0)]
    assert memory_frames(9, [GOOD] * 8) == [(0, 6), (3, 5), (4, 4), (5, 3), (6, 2), (7, 1), (8, 0)]
    assert memory_frames(9, [GOOD] * 8, settings=SamuraiSettings(num_maskmem=3)) == [(0, 2), (7, 1), (8, 0)]


@pytest.mark.parametrize("weak", [Tracked(0.5, 3.0), Tracked(0.9, 0.0)])
def test_frames_at_a_threshold_are_not_remembered_but_the_one_before_always_is(weak: Tracked) -> None:
    tracked = [GOOD, GOOD, weak, GOOD, weak]
    assert memory_frames(6, tracked) == [(0, 6), (2, 2), (4, 1), (5, 0)]
    assert memory_frames(5, tracked) == [(0, 6), (2, 1), (4, 0)]


def test_the_walk_back_stops_after_enough_convincing_frames() -> None:
    settings = SamuraiSettings(max_obj_ptrs=3)
    assert memory_frames(9, [GOOD] * 8, settings=settings) == [(0, 6), (7, 1), (8, 0)]


def test_the_corrected_mode_asks_for_motion_where_it_was_predicted() -> None:
    tracked = [GOOD, Tracked(0.9, 3.0, 0.0), Tracked(0.9, 3.0), GOOD]
    assert memory_frames(5, tracked) == [(0, 6), (2, 2), (3, 1), (4, 0)]
    assert memory_frames(5, tracked, mode="corrected") == [(0, 6), (3, 1), (4, 0)]
    with pytest.raises(ConfigError, match="`mode` got 'other'"):
        memory_frames(1, [], mode="other")  # type: ignore[arg-type]


@given(
    tracked=st.lists(st.builds(Tracked, st.floats(0, 1), st.floats(-2, 2)), max_size=40),
    num_maskmem=st.integers(2, 9),
)
def test_rows_are_distinct_and_count_down_to_the_frame_before(tracked: list[Tracked], num_maskmem: int) -> None:
    frame = len(tracked) + 1
    found = memory_frames(frame, tracked, settings=SamuraiSettings(num_maskmem=num_maskmem))
    assert found[0] == (0, num_maskmem - 1)
    assert [row for _, row in found[1:]] == list(range(len(found) - 2, -1, -1))
    assert len(found) <= num_maskmem
    frames = [index for index, _ in found]
    assert frames == sorted(set(frames))
    if frame > 1:
        assert frames[-1] == frame - 1


def test_pointers_are_of_the_prompted_frame_and_those_before() -> None:
    assert pointer_frames(1) == [0]
    assert pointer_frames(4) == [0, 3, 2, 1]
    assert pointer_frames(40) == [0, *range(39, 24, -1)]
    assert pointer_frames(16) == [0, *range(15, 0, -1)]
    assert pointer_frames(9, max_obj_ptrs=1) == [0]


def test_frames_that_cannot_be_are_errors() -> None:
    with pytest.raises(MetricError, match="`frame` is 0 with 0 tracked"):
        memory_frames(0, [])
    with pytest.raises(MetricError, match="expected 1 or more, and all of frames 1 to 4"):
        memory_frames(5, [GOOD] * 3)
    with pytest.raises(MetricError, match="`max_obj_ptrs` 0"):
        pointer_frames(3, max_obj_ptrs=0)
