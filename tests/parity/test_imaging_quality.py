"""imaging_quality against VBench's own code with the same seeded weights, frame by frame."""

import json

import numpy as np
import pytest
from shared_data import REPOSITORY

from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.stages.score import score_one
from anisora.harness.types import Generation, Sample
from anisora.metrics.extractors.musiq_spaq import MusiqSpaq
from anisora.metrics.golden.imaging_quality import musiq_state
from anisora.metrics.networks.musiq import Musiq
from anisora.metrics.vbench.imaging_quality import ImagingQuality

CASE = REPOSITORY / "tests" / "data" / "vbench"
BALL = "A red ball rolls over a checkerboard-0.mp4"

pytestmark = [pytest.mark.parity, pytest.mark.slow]

torch = pytest.importorskip("torch")


def test_layer_norms_with_another_epsilon_move_frames_beyond_the_tolerance() -> None:
    tolerance = json.loads((CASE / "case.json").read_text())["tolerance"]["imaging_quality_frame_scores"]
    videos = json.loads((CASE / "expected.json").read_text())["dims"]["imaging_quality"]["videos"]
    expected = next(video["raw"]["frame_score"] for video in videos if video["name"] == BALL)
    network = Musiq(musiq_state(0))
    for layer in network.module.modules():
        if type(layer).__name__ == "LayerNorm":
            layer.eps = 1e-5
    with FeatureStore(
        pool=DecoderPool(),
        requests=ImagingQuality().info.requests,
        extractors={"musiq_spaq": MusiqSpaq(network=network)},
    ) as store:
        item = Generation(sample=Sample(id=BALL), clip=clip_at(CASE / "clips" / "video" / BALL, None), model="golden")
        found = score_one(ImagingQuality(), item, store)
    assert np.abs(np.array(found.parts["frames"]) * 100 - expected).max() > 3 * tolerance
