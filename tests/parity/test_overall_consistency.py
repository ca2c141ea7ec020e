"""overall_consistency against VBench's own code with the same seeded weights."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shared_data import REPOSITORY

from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.metrics.extractors.viclip import RECIPE
from anisora.metrics.golden.overall_consistency import viclip_state
from anisora.metrics.networks.viclip import ViClip

CASE = REPOSITORY / "tests" / "data" / "vbench"
BALL = "A red ball rolls over a checkerboard-0.mp4"

pytestmark = [pytest.mark.parity, pytest.mark.slow]

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")


@pytest.mark.long
def test_pixels_that_are_not_rounded_move_the_features_beyond_the_tolerance() -> None:
    tolerance = json.loads((CASE / "case.json").read_text())["tolerance"]["overall_consistency"]
    videos = json.loads((CASE / "expected.json").read_text())["dims"]["overall_consistency"]["videos"]
    expected = next(video["raw"]["vid_head4"] for video in videos if video["name"] == BALL)
    network = ViClip(viclip_state(0))
    with DecoderPool() as pool:
        frames, _ = pool.read_frames(clip_at(CASE / "clips" / "video" / BALL, None))

    def error(recipe: Any) -> float:
        video = network(recipe(frames[:16:2])[None]).numpy()
        return float(np.abs((video / np.linalg.norm(video))[:, :4] - expected).max())

    assert error(RECIPE) <= tolerance
    assert error(replace(RECIPE, rounded=False)) > 2 * tolerance
