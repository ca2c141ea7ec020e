"""Temporal flickering against VBench's own code, on decoded files.

VBench reads the clips with OpenCV and compares BGR frames. On clips without colour tags, such as these, the
pixels are bit-identical to those of PyAV and decord, and the mean over all channels does not see their order.
"""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.stages.score import score_one
from anisora.harness.types import Generation, Sample
from anisora.metrics.core.temporal_flickering import TemporalFlickering

CASE = GOLDEN / "vbench"

pytestmark = [pytest.mark.parity, needs_shared]


@pytest.fixture(scope="module")
def store() -> Iterator[FeatureStore]:
    with FeatureStore(pool=DecoderPool(), requests=TemporalFlickering.info.requests) as opened:
        yield opened


def test_temporal_flickering_equals_that_of_vbench(store: FeatureStore) -> None:
    tolerance = json.loads((CASE / "case.json").read_text())["tolerance"]["temporal_flickering"]
    expected = json.loads((CASE / "expected.json").read_text())["dims"]["temporal_flickering"]
    values = []
    for video in expected["videos"]:
        clip = clip_at(CASE / "clips" / "video" / video["name"], None)
        item = Generation(sample=Sample(id=video["name"]), clip=clip, model="golden")
        found = score_one(TemporalFlickering(), item, store)
        assert found.value == pytest.approx(video["score"], abs=tolerance), video["name"]
        values.append(found.value)
    assert len(values) == 5
    assert np.mean(values) == pytest.approx(expected["aggregate"], abs=tolerance)
