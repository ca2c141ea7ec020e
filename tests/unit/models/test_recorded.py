"""Recorded clips and ground truth are found by item and seed."""

from pathlib import Path

from anisora.harness.protocols import RecordedGenerator
from anisora.harness.registry import registry
from anisora.harness.types import Clip, Sample
from anisora.models.recorded import GroundTruth, Recorded

CLIP = Clip(path=Path("walk-0.mp4"), digest="a" * 64)


def test_a_recorded_model_finds_clips_by_item_and_seed() -> None:
    model = Recorded("vidu-1.5", {("walk", 0): CLIP})
    assert isinstance(model, RecordedGenerator)
    assert model.info.name == "vidu-1.5"
    assert model.locate(Sample(id="walk"), seed=0) is CLIP
    assert model.locate(Sample(id="walk"), seed=1) is None
    assert model.locate(Sample(id="run"), seed=0) is None


def test_the_registered_recorded_model_has_no_clips_of_its_own() -> None:
    model = registry("models").create("recorded")
    assert model.info.name == "recorded"
    assert model.locate(Sample(id="walk"), seed=0) is None


def test_ground_truth_is_the_samples_own_clip_for_every_seed() -> None:
    model = registry("models").create("ground-truth")
    assert isinstance(model, GroundTruth)
    assert isinstance(model, RecordedGenerator)
    sample = Sample(id="walk", ground_truth=CLIP)
    assert [model.locate(sample, seed=seed) for seed in (0, 7)] == [CLIP, CLIP]
    assert model.locate(Sample(id="walk"), seed=0) is None
