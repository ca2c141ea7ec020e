"""Damages as models: ground truth in, a worse clip out."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest

from anisora.harness.degrade import DAMAGES, degrade
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings, RecordedGenerator, SelectiveGenerator
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Condition, Image, Sample
from anisora.models.catalog import CATALOG
from anisora.models.damage import Damage

NO_SETTINGS = GenerationSettings()
FRAMES = render(Scene(action="wave", seed=1, width=96, height=54, num_frames=8, hold=1))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


@pytest.fixture(scope="module")
def truth(pool: DecoderPool, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("truth") / "walk.mkv"
    pool.encode(FRAMES, fps=16.0, path=path)
    return Clip(path=path, digest=sha256_of_file(path))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    path = tmp_path_factory.mktemp("image") / "first.png"
    PIL.Image.fromarray(FRAMES[0]).save(path)
    return Image(path=path, digest=sha256_of_file(path))


def test_the_catalog_lists_every_damage_and_the_one_that_needs_the_renderer() -> None:
    listed = [name.removeprefix("damage/") for name in CATALOG["models"] if name.startswith("damage/")]
    assert listed == sorted([*DAMAGES, "outfit-swap"])


def test_loading_the_catalog_imports_neither_numpy_nor_cv2() -> None:
    code = "import sys, anisora.models.catalog; print([n for n in ('numpy', 'cv2') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_made_from_its_registered_name(name: str) -> None:
    model = registry("models").create(f"damage/{name}:severity=0.5")
    assert model.info.name == f"damage/{name}:severity=0.5"
    assert model.info.revision == "degrade-1"
    assert not model.info.untrained
    assert not isinstance(model, RecordedGenerator)


def test_full_severity_is_the_default_and_not_in_the_name() -> None:
    names = {registry("models").create(spec).info.name for spec in ("damage/freeze", "damage/freeze:severity=1")}
    assert names == {"damage/freeze"}


def test_a_damage_returns_the_degraded_ground_truth_and_its_frame_rate(pool: DecoderPool, truth: Clip) -> None:
    sample = Sample(id="walk", ground_truth=truth)
    made = Damage("damage/freeze", 1.0).generate(sample, seed=0, settings=NO_SETTINGS, reader=pool)
    frames, fps = made.frames, made.fps
    assert fps == 16.0
    assert np.array_equal(frames, degrade("freeze", FRAMES, severity=1.0))


def test_severity_zero_returns_the_ground_truth(pool: DecoderPool, truth: Clip) -> None:
    sample = Sample(id="walk", ground_truth=truth)
    frames = Damage("damage/noise", 0).generate(sample, seed=0, settings=NO_SETTINGS, reader=pool).frames
    assert np.array_equal(frames, FRAMES)


def test_items_and_seeds_shake_differently_and_repeatably(pool: DecoderPool, truth: Clip) -> None:
    model = Damage("damage/jitter", 0.5)

    def shaken(name: str, seed: int) -> bytes:
        sample = Sample(id=name, ground_truth=truth)
        return model.generate(sample, seed=seed, settings=NO_SETTINGS, reader=pool).frames.tobytes()

    assert shaken("walk", 0) == shaken("walk", 0)
    assert len({shaken("walk", 0), shaken("walk", 1), shaken("run", 0)}) == 3


@pytest.mark.parametrize("name", ["freeze", "slow-pan"])
def test_a_degenerate_clip_can_be_made_from_the_first_image(name: str, pool: DecoderPool, image: Image) -> None:
    sample = Sample(id="walk", condition=Condition(keyframes=((0.0, image),)))
    settings = GenerationSettings(num_frames=5, fps=8.0)
    made = Damage(f"damage/{name}").generate(sample, seed=0, settings=settings, reader=pool)
    frames, fps = made.frames, made.fps
    assert (frames.shape, fps) == ((5, 54, 96, 3), 8.0)
    assert np.array_equal(frames[0], FRAMES[0])
    assert (frames == FRAMES[0]).all() == (name == "freeze")


@pytest.mark.parametrize(
    ("spec", "position", "settings", "message"),
    [
        ("damage/blur", 0.0, NO_SETTINGS, "Sample `walk` has no ground truth, which model 'damage/blur'"),
        ("damage/freeze:severity=0.5", 0.0, NO_SETTINGS, "Sample `walk` has no ground truth, which"),
        ("damage/freeze", None, NO_SETTINGS, "Sample `walk` has neither a ground truth nor an image"),
        ("damage/freeze", 1.0, NO_SETTINGS, "Sample `walk` has neither a ground truth nor an image"),
        ("damage/slow-pan", 0.0, NO_SETTINGS, r"Sample `walk` .* got num_frames=None and fps=None"),
    ],
)
def test_a_sample_that_lacks_what_is_needed_is_named(
    spec: str,
    position: float | None,
    settings: GenerationSettings,
    message: str,
    pool: DecoderPool,
    image: Image,
) -> None:
    keyframes = () if position is None else ((position, image),)
    sample = Sample(id="walk", condition=Condition(keyframes=keyframes))
    model = registry("models").create(spec)
    assert isinstance(model, SelectiveGenerator)
    reason = model.refuses(sample, settings=settings)
    assert reason is not None
    with pytest.raises(DataError, match=message) as caught:
        model.generate(sample, seed=0, settings=settings, reader=pool)
    assert str(caught.value) == f"Sample `walk` {reason}."


def test_a_sample_that_has_what_is_needed_is_not_refused(truth: Clip, image: Image) -> None:
    with_truth = Sample(id="walk", ground_truth=truth)
    assert [Damage(f"damage/{name}", 0.5).refuses(with_truth, settings=NO_SETTINGS) for name in DAMAGES] == [
        None for _ in DAMAGES
    ]
    with_image = Sample(id="walk", condition=Condition(keyframes=((0.0, image),)))
    settings = GenerationSettings(num_frames=5, fps=8.0)
    served = [name for name in DAMAGES if Damage(f"damage/{name}").refuses(with_image, settings=settings) is None]
    assert served == ["first-frame-copy", "freeze", "slow-pan"]


def test_an_unknown_damage_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Damage 'blurr' is not known\. Did you mean 'blur'\?"):
        Damage("damage/blurr")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'damage/jitter'\?"):
        registry("models").create("damage/jiter")


@pytest.mark.parametrize("severity", ["severity=2", "severity=-1", "severity=high", "severity"])
def test_a_severity_that_cannot_be_is_refused(severity: str) -> None:
    with pytest.raises(ConfigError, match=r"`severity` of model 'damage/blur' got .*; expected a number from 0 to 1"):
        registry("models").create(f"damage/blur:{severity}")
