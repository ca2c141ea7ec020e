from typing import Any

import cv2
import numpy as np
import pytest

from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import FrameArray, FrameSampling, Generation, Sample


class WholeClip:
    """Wants all frames at once, small."""

    info = ExtractorInfo(name="whole_clip", version=1, window=0, frame_size=(9, 16))

    def __init__(self) -> None:
        self.seen = np.empty(0, np.uint8)
        self.stream_size = (0, 0)

    def extract(self, batch: Batch) -> dict[str, Any]:
        self.seen = batch.frames.copy()
        self.stream_size = (batch.stream.height, batch.stream.width)
        return {"frames": np.array([batch.frames.shape[1]])}


@pytest.mark.parametrize("size", [(36, 64), (9, 16), (6, 8)])
def test_an_extractor_of_whole_clips_is_given_frames_of_its_size(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, *size, 3), np.uint8)
    extractor = WholeClip()
    item = Generation(sample=Sample(id="a"), clip=FrameArray(frames=frames, fps=24.0), model="test")
    with FeatureStore(pool=DecoderPool(), extractors={"whole_clip": extractor}) as store:
        assert store.get(item, "whole_clip", FrameSampling())["frames"].tolist() == [5]
    expected = [cv2.resize(frame, (16, 9), interpolation=cv2.INTER_AREA) for frame in frames]
    np.testing.assert_array_equal(extractor.seen, np.stack(expected)[None])
    assert extractor.stream_size == size
