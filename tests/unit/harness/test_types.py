import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.types import Clip, Condition, FrameArray, FrameSampling, Image, Sample, Score


@pytest.mark.parametrize(
    ("sampling", "identity"),
    [
        (FrameSampling(), "all"),
        (FrameSampling(mode="uniform", count=8), "uniform-8"),
        (FrameSampling(mode="middle", count=3), "middle-3"),
        (FrameSampling(mode="stride", stride=2), "stride-2"),
        (FrameSampling(mode="fps", fps=2.0), "fps-2.0"),
        (FrameSampling(mode="interval", fps=8.0), "interval-8.0"),
        (FrameSampling(mode="keyframes"), "keyframes"),
    ],
)
def test_a_sampling_has_a_stable_id(sampling: FrameSampling, identity: str) -> None:
    assert sampling.id == identity


@pytest.mark.parametrize(
    "arguments",
    [
        {"mode": "uniform"},
        {"mode": "all", "count": 3},
        {"mode": "uniform", "count": 0},
        {"mode": "fps", "fps": -1.0},
        {"mode": "stride", "stride": 2, "count": 2},
        {"mode": "random"},
    ],
)
def test_a_sampling_without_its_number_or_with_anothers_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="FrameSampling"):
        FrameSampling(**arguments)


def test_frames_in_memory_have_the_digest_of_their_shape_and_bytes() -> None:
    frames = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    clip = FrameArray(frames=frames, fps=24.0)
    expected = hashlib.sha256(repr(frames.shape).encode() + frames.tobytes()).hexdigest()
    assert clip.digest == f"frames:{expected}"
    strided = np.repeat(frames, 2, axis=0)[::2]
    assert FrameArray(frames=strided, fps=24.0).digest == clip.digest
    assert FrameArray(frames=frames.reshape(2, 4, 3, 3), fps=24.0).digest != clip.digest


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        (np.zeros((2, 3, 4, 3), np.float32), 24.0, "got float32 of shape"),
        (np.zeros((3, 4, 3), np.uint8), 24.0, r"expected uint8 \(T, H, W, 3\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), 24.0, r"expected uint8 \(T, H, W, 3\)"),
        (np.zeros((2, 3, 4, 3), np.uint8), 0.0, "`fps` got 0.0"),
        (np.zeros((2, 3, 4, 3), np.uint8), float("nan"), "`fps` got nan"),
    ],
)
def test_frames_of_another_layout_are_refused(frames: np.ndarray, fps: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FrameArray(frames=frames, fps=fps)


def test_values_cannot_be_changed() -> None:
    score = Score(sample_id="a", seed=0, value=1.0)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        score.value = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError, match="item assignment"):
        score.parts["x"] = [1.0]  # type: ignore[index]


def test_a_condition_tells_the_positions_of_its_images() -> None:
    image = Image(path=Path("a.png"), digest="0")
    assert Condition(keyframes=((0.0, image), (1.0, image))).positions == (0.0, 1.0)
    assert Sample(id="a").condition.positions == ()
    assert Clip(path=Path("a.mp4"), digest="0").fps is None
