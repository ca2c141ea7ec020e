import numpy as np
import pytest
from metric_clips import noise, texture
from metric_tester import Case, MemoryFeatures

from anisora.harness.errors import MetricError
from anisora.harness.media.sampling import sample_indices
from anisora.harness.types import FrameSampling
from anisora.metrics.core.condition_fidelity import per_image


@pytest.mark.parametrize("num_frames", [1, 2, 5, 6, 49, 81])
def test_every_image_is_placed_on_exactly_one_of_the_sampled_frames(num_frames: int) -> None:
    positions = (0.0, 0.1, 0.25, 0.3, 0.5, 0.5, 0.7, 1.0)
    case = Case(
        name="many",
        clip=noise(num_frames=num_frames, height=12, width=12),
        images=tuple((position, texture(12, 12, seed=place)) for place, position in enumerate(positions)),
    )
    sampling = FrameSampling(mode="keyframes")
    table = MemoryFeatures(case).get(case.item, "keyframe_fidelity", sampling)["ssim"]
    frames = sample_indices(sampling, num_frames=num_frames, fps=24.0, positions=positions)
    assert table.shape == (len(frames), len(positions))
    placed = ~np.isnan(table)
    assert placed.sum(axis=0).tolist() == [1] * len(positions)
    assert placed.any(axis=1).all()


def test_an_image_on_two_frames_is_an_error() -> None:
    with pytest.raises(MetricError, match="several frames"):
        per_image(np.array([[0.5, np.nan], [0.25, 0.75]]))


def test_an_image_on_no_frame_stays_nan() -> None:
    found = per_image(np.array([[0.0, np.nan], [np.nan, np.nan]]))
    assert found[0] == 0.0
    assert np.isnan(found[1])
