"""A scene drawn again with a change of clothes."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings, RecordedGenerator, SelectiveGenerator
from anisora.harness.registry import registry
from anisora.harness.render import RENDER_VERSION, Scene, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Frames, Sample
from anisora.models.outfit_swap import OutfitSwap, first_swapped

NO_SETTINGS = GenerationSettings()
SCENE = Scene(action="wave", seed=1, width=96, height=54, num_frames=8, fps=16.0, hold=1)
TRUTH = render(SCENE)
OTHER = render(replace(SCENE, outfit=1))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


def write(frames: Frames, path: Path, pool: DecoderPool, fps: float = 16.0) -> Clip:
    pool.encode(frames, fps=fps, path=path)
    return Clip(path=path, digest=sha256_of_file(path))


@pytest.fixture(scope="module")
def truth(pool: DecoderPool, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return write(TRUTH, tmp_path_factory.mktemp("truth") / "wave.mkv", pool)


def scene_sample(truth: Clip | None = None, **changes: Any) -> Sample:
    return Sample(id="wave", ground_truth=truth, metadata={"scene": {**asdict(SCENE), **changes}})


def generate(sample: Sample, pool: DecoderPool, severity: float = 1.0, seed: int = 0) -> tuple[Frames, float]:
    made = OutfitSwap(severity=severity).generate(sample, seed=seed, settings=NO_SETTINGS, reader=pool)
    return made.frames, made.fps


@pytest.mark.parametrize(("severity", "swapped"), [(1.0, 4), (0.5, 2), (0.25, 1), (0.0, 0)])
def test_the_end_of_the_clip_wears_the_other_outfit_and_the_rest_is_the_ground_truth(
    severity: float, swapped: int, pool: DecoderPool, truth: Clip
) -> None:
    frames, fps = generate(scene_sample(truth), pool, severity)
    begin = 8 - swapped
    assert fps == 16.0
    assert frames[:begin].tobytes() == TRUTH[:begin].tobytes()
    assert frames[begin:].tobytes() == OTHER[begin:].tobytes()
    assert all((frames[index] != TRUTH[index]).any() for index in range(begin, 8))


def test_a_jacket_becomes_a_uniform(pool: DecoderPool) -> None:
    frames, _ = generate(scene_sample(outfit=1), pool)
    assert np.array_equal(frames, np.concatenate([OTHER[:4], TRUTH[4:]]))


def test_without_a_ground_truth_the_scene_is_enough(pool: DecoderPool, truth: Clip) -> None:
    drawn, fps = generate(scene_sample(), pool)
    assert (drawn.tobytes(), fps) == (generate(scene_sample(truth), pool)[0].tobytes(), SCENE.fps)


def test_every_seed_has_the_same_clip(pool: DecoderPool, truth: Clip) -> None:
    clips = {generate(scene_sample(truth), pool, seed=seed)[0].tobytes() for seed in (0, 1)}
    assert len(clips) == 1


@pytest.mark.parametrize(("num_frames", "first"), [(1, 0), (2, 1), (7, 3), (24, 12), (25, 12)])
def test_the_worst_swap_is_from_the_middle_frame_on(num_frames: int, first: int) -> None:
    assert first_swapped(num_frames, 1.0) == first


def test_it_is_made_from_its_registered_name() -> None:
    model = registry("models").create("damage/outfit-swap:severity=0.5")
    assert model.info.name == "damage/outfit-swap:severity=0.5"
    assert model.info.revision == f"render-{RENDER_VERSION}"
    assert isinstance(model, SelectiveGenerator)
    assert not isinstance(model, RecordedGenerator)
    assert registry("models").create("damage/outfit-swap:severity=1").info.name == "damage/outfit-swap"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, r"is no rendered scene \(its metadata has no `scene`\), and only those"),
        (
            {"scene": "wave"},
            r"has a `scene` that cannot be drawn; expected the fields of harness.render.Scene: ",
        ),
        ({"scene": {"action": "wave", "seed": 1, "hat": 2}}, r"cannot be drawn; .*'hat'"),
        ({"scene": {"seed": 1}}, r"cannot be drawn; .*'action'"),
        ({"scene": {"action": "wvae", "seed": 1}}, r"Action 'wvae' is not known\. Did you mean 'wave'\?"),
        ({"scene": {"action": "wave", "seed": -1}}, r"`Scene\.seed` got -1; expected 0 or more"),
        ({"scene": {"action": "wave", "seed": "1"}}, r"cannot be drawn; .*'str'"),
    ],
)
def test_a_sample_that_is_no_scene_is_refused_with_the_reason(
    metadata: dict[str, Any], message: str, pool: DecoderPool, truth: Clip
) -> None:
    sample = Sample(id="wave", ground_truth=truth, metadata=metadata)
    reason = OutfitSwap().refuses(sample, settings=NO_SETTINGS)
    assert reason is not None
    with pytest.raises(DataError, match=message) as caught:
        generate(sample, pool)
    assert str(caught.value) == f"Sample `wave` {reason}."


def test_a_scene_is_not_refused(truth: Clip) -> None:
    assert OutfitSwap().refuses(scene_sample(truth), settings=NO_SETTINGS) is None
    assert OutfitSwap().refuses(scene_sample(), settings=NO_SETTINGS) is None


def test_a_ground_truth_that_is_another_clip_is_an_error(pool: DecoderPool, tmp_path: Path) -> None:
    changed = TRUTH.copy()
    changed[0, 20, 30, 1] ^= 1
    truth = write(changed, tmp_path / "changed.mkv", pool)
    with pytest.raises(DataError, match=r"Sample `wave` has a ground truth that is not its `scene`: frame 0 differs"):
        generate(scene_sample(truth), pool)


def test_a_later_frame_that_differs_is_found_too(pool: DecoderPool, truth: Clip) -> None:
    on_twos = scene_sample(truth, hold=2)
    with pytest.raises(DataError, match=r"frame 1 differs; expected the clip that this version draws \(render-\d+\)"):
        generate(on_twos, pool)


@pytest.mark.parametrize("changes", [{"num_frames": 9}, {"width": 100_000, "height": 100_000}])
def test_a_scene_of_another_shape_is_an_error_before_it_is_drawn(
    changes: dict[str, int], pool: DecoderPool, truth: Clip
) -> None:
    with pytest.raises(DataError, match=r"has a ground truth of shape \(8, 54, 96, 3\) and a `scene` of shape"):
        generate(scene_sample(truth, **changes), pool)


@pytest.mark.parametrize("severity", ["severity=2", "severity=-1", "severity=high", "severity"])
def test_a_severity_that_cannot_be_is_refused(severity: str) -> None:
    with pytest.raises(ConfigError, match=r"`severity` of model 'damage/outfit-swap' got .*; expected a number from 0"):
        registry("models").create(f"damage/outfit-swap:{severity}")
