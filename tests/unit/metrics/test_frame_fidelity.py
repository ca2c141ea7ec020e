import numpy as np
import pytest
from fidelity_cases import FIDELITY_CASES
from metric_tester import Case, MetricTester

from anisora.harness.errors import MetricError
from anisora.harness.protocols import Batch
from anisora.harness.types import StreamInfo
from anisora.metrics.core.psnr import Psnr
from anisora.metrics.core.ssim import Ssim
from anisora.metrics.extractors.frame_fidelity import FrameFidelity, mean_squared_error

BY_NAME = {case.name: case for case in FIDELITY_CASES}


@pytest.mark.parametrize("metric", [Psnr(), Ssim()], ids=["psnr", "ssim"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other size", ("30x24", "64x48")),
        ("other frame rate", ("24 frames a second", "12")),
        ("no ground truth", ("ground truth", "manifest")),
    ],
)
def test_what_cannot_be_compared_is_left_unscored_with_the_reason(
    metric: Psnr | Ssim, name: str, words: tuple[str, ...]
) -> None:
    found = MetricTester().score(metric, BY_NAME[name])
    assert found.value is None
    assert all(word in found.note for word in words), found.note


@pytest.mark.parametrize("metric", [Psnr(), Ssim()], ids=["psnr", "ssim"])
@pytest.mark.parametrize(
    ("name", "note", "count"),
    [("ground truth shorter", "5 of 9 frames", 5), ("clip shorter", "4 of 9 frames", 4), ("equal", "", 9)],
)
def test_different_lengths_are_compared_as_far_as_both_go(
    metric: Psnr | Ssim, name: str, note: str, count: int
) -> None:
    found = MetricTester().score(metric, BY_NAME[name])
    assert found.note.startswith(note)
    assert bool(found.note) == bool(note)
    assert len(found.parts["frames"]) == count


def test_both_metrics_share_one_extractor() -> None:
    assert Psnr().info.requests == Ssim().info.requests


def test_the_squared_error_of_a_large_frame_is_exact() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    second = 255 - first
    total = int(np.square(first.astype(np.int64) - second.astype(np.int64)).sum())
    assert mean_squared_error(first, second) == total / first.size
    assert mean_squared_error(np.zeros_like(first), np.full_like(first, 255)) == 255.0**2


def test_a_batch_without_ground_truth_is_refused() -> None:
    stream = StreamInfo(fps=24.0, num_frames=1, height=16, width=16, codec="memory", pixel_format="rgb24")
    batch = Batch(frames=np.zeros((1, 1, 16, 16, 3), np.uint8), indices=np.zeros((1, 1), np.int64), stream=stream)
    with pytest.raises(MetricError, match="without ground truth"):
        FrameFidelity().extract(batch)


def test_equal_tiny_frames_still_have_no_ssim() -> None:
    case: Case = BY_NAME["equal"]
    tiny = type(case.clip)(frames=case.clip.frames[:, :10], fps=24.0)
    found = MetricTester().score(Ssim(), Case(name="tiny", clip=tiny, ground_truth=tiny))
    assert found.value is None
