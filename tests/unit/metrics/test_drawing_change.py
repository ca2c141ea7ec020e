"""That drawings are compared at one size, whatever the clip's."""

import numpy as np
import pytest
from metric_clips import noise, texture

from anisora.harness.protocols import Batch
from anisora.harness.types import Frames, StreamInfo
from anisora.metrics.core.held_frame_ratio import largest_cell_difference
from anisora.metrics.extractors.dis_flow import luma_of
from anisora.metrics.extractors.drawing_change import DrawingChange


def change_of(first: Frames, second: Frames) -> float:
    height, width, _ = first.shape
    stream = StreamInfo(fps=24.0, num_frames=2, height=height, width=width, codec="memory", pixel_format="rgb24")
    batch = Batch(frames=np.stack([first, second])[None], indices=np.array([[0, 1]]), stream=stream)
    return float(DrawingChange().extract(batch)["largest_cell"][0])


@pytest.mark.parametrize(("height", "width"), [(144, 256), (144, 144), (90, 333), (5, 4), (1, 1)])
def test_small_frames_are_compared_as_they_are(height: int, width: int) -> None:
    first, second = noise(num_frames=2, height=height, width=width).frames
    assert change_of(first, second) == largest_cell_difference(luma_of(first), luma_of(second))


@pytest.mark.parametrize("factor", [2, 5])
def test_large_frames_are_averaged_down_to_a_short_side_of_144(factor: int) -> None:
    small = texture(144, 180), texture(144, 180, seed=1)
    large = [frame.repeat(factor, axis=0).repeat(factor, axis=1) for frame in small]
    assert change_of(*large) == change_of(*small) > 0


def test_portrait_frames_have_their_cells_turned() -> None:
    first, second = noise(num_frames=2, height=300, width=200).frames
    turned = [np.ascontiguousarray(frame.transpose(1, 0, 2)) for frame in (first, second)]
    assert change_of(first, second) == pytest.approx(change_of(*turned), abs=1e-9)


def test_a_mouth_that_moves_in_a_still_picture_is_seen_though_the_mean_is_small() -> None:
    first = np.full((720, 1280, 3), 200, np.uint8)
    second = first.copy()
    second[400:420, 600:630] = 90
    assert np.abs(first.astype(int) - second).mean() < 0.1
    assert change_of(first, second) > 12
