"""That the flow depends on nothing but the two frames."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from flow_oracle import flow_of
from metric_clips import noise, texture, translating

from anisora.harness.protocols import Batch
from anisora.harness.types import FrameArray, StreamInfo
from anisora.metrics.extractors.dis_flow import DisFlow, dense_flow, luma_of, working_frame


def batch_of(clip: FrameArray, starts: list[int]) -> Batch:
    indices = np.array([[start, start + 1] for start in starts])
    length, height, width, _ = clip.frames.shape
    stream = StreamInfo(
        fps=clip.fps, num_frames=length, height=height, width=width, codec="memory", pixel_format="rgb24"
    )
    return Batch(frames=clip.frames[indices], indices=indices, stream=stream)


@pytest.mark.parametrize("seed", range(5))
def test_equal_frames_get_from_dis_the_zero_flow_that_is_assumed_for_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(32, 200, 2))
    for frame in (
        texture(height, width, seed=seed),
        noise(num_frames=1, height=height, width=width, seed=seed).frames[0],
        np.full((height, width, 3), seed * 60, np.uint8),
        np.where(np.arange(width)[None, :, None] % 16 < 8, 255, 0).astype(np.uint8).repeat(height, 0).repeat(3, 2),
    ):
        assert not flow_of(frame, frame.copy()).any()


def test_equal_frames_get_the_numbers_of_the_long_way() -> None:
    from anisora.metrics.core.flow_magnitude import mean_displacement
    from anisora.metrics.core.warping_error import Correspondence, pair_warping_error

    frame = texture(48, 64)
    flow = flow_of(frame, frame)
    rows = DisFlow().extract(batch_of(FrameArray(frames=np.stack([frame] * 2), fps=24.0), [0]))
    found = [float(rows[name][0]) for name in ("displacement", "warping_error", "visible")]
    assert (
        found
        == [mean_displacement(flow), *pair_warping_error(frame, frame, Correspondence(flow, flow))]
        == [0.0, 0.0, 1.0]
    )


def test_frames_that_differ_in_colour_but_not_in_luma_are_still_compared() -> None:
    red, green = np.zeros((2, 40, 40, 3), np.uint8)
    red[..., 0], green[..., 1] = 111, 57
    assert np.unique(luma_of(red)).tolist() == np.unique(luma_of(green)).tolist()
    rows = DisFlow().extract(batch_of(FrameArray(frames=np.stack([red, green]), fps=24.0), [0]))
    assert rows["displacement"][0] == 0.0
    assert rows["warping_error"][0] == pytest.approx((111**2 + 57**2) / 3 / 255**2, rel=1e-12)


def test_flow_does_not_depend_on_the_number_of_threads() -> None:
    clip = translating(shift=(5, 3), num_frames=2, height=120, width=200, smoothness=3.0)
    planes = [luma_of(np.ascontiguousarray(frame)) for frame in clip.frames]
    before = cv2.getNumThreads()
    flows = []
    try:
        for threads in (1, 2, 3):
            cv2.setNumThreads(threads)
            flows.append(dense_flow(*planes))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(flows[0], flows[1])
    np.testing.assert_array_equal(flows[0], flows[2])
    assert np.abs(flows[0]).mean() > 1.0


def test_flow_does_not_depend_on_what_was_computed_before() -> None:
    clip = translating(shift=(4, 1), num_frames=2, height=64, width=96)
    fresh = DisFlow().extract(batch_of(clip, [0]))
    used = DisFlow()
    used.extract(batch_of(noise(height=150, width=40), [0, 1, 2]))
    used.extract(batch_of(noise(height=32, width=32), [0]))
    again = used.extract(batch_of(clip, [0]))
    for name, values in fresh.items():
        np.testing.assert_array_equal(again[name], values)


def test_one_extractor_serves_several_threads_at_once() -> None:
    clip = translating(shift=(3, 2), num_frames=9, height=64, width=80)
    extractor = DisFlow()
    alone = extractor.extract(batch_of(clip, list(range(8))))
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda start: extractor.extract(batch_of(clip, [start])), [*range(8)] * 4))
    for name, values in alone.items():
        np.testing.assert_array_equal([rows[name][0] for rows in together], [*values] * 4)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1080, 2002), (256, 475)),
        ((480, 720), (256, 384)),
        ((720, 480), (384, 256)),
        ((257, 257), (256, 256)),
        ((256, 999), (256, 999)),
        ((40, 50), (40, 50)),
    ],
)
def test_large_frames_are_shrunk_to_a_short_side_of_256(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_frame(np.zeros((*size, 3), np.uint8)).shape == (*expected, 3)


def test_small_frames_are_not_touched() -> None:
    frame = texture(64, 64)
    assert working_frame(frame) is frame


def test_tiny_wide_frames_never_reach_dis() -> None:
    rows = DisFlow().extract(batch_of(noise(height=24, width=240), [0, 1]))
    assert all(np.isnan(values).all() and len(values) == 2 for values in rows.values())


def test_the_smallest_and_longest_frames_survive() -> None:
    for height, width in ((32, 32), (32, 640), (640, 32), (33, 331)):
        rows = DisFlow().extract(batch_of(noise(num_frames=2, height=height, width=width), [0]))
        assert np.isfinite(rows["displacement"]).all()


def test_shrinking_averages_the_area_that_a_pixel_covers() -> None:
    frame = noise(num_frames=1, height=512, width=1024).frames[0]
    means = frame.reshape(256, 2, 512, 2, 3).mean(axis=(1, 3))
    assert np.abs(working_frame(frame) - means).max() <= 0.5
