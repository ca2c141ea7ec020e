"""The bridge to pyiqa: what is served and refused anywhere, and its numbers where pyiqa is installed."""

import math
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from metric_clips import noise, translating
from PIL import Image

from anisora.harness.errors import ConfigError, MissingExtra
from anisora.harness.extras import missing_distributions
from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.stages.plan import metric_names, plan_metrics
from anisora.harness.stages.score import score_one
from anisora.harness.types import Clip, FrameArray, Generation, Sample, Score
from anisora.metrics.extractors.pyiqa import Pyiqa as PyiqaExtractor
from anisora.metrics.iqa.measures import DEFAULT, DISTRIBUTIONS, MEASURES, value_range
from anisora.metrics.iqa.pyiqa import Pyiqa

IS_ABSENT = bool(missing_distributions(DISTRIBUTIONS))
needs_pyiqa = pytest.mark.skipif(IS_ABSENT, reason="pyiqa is not installed (extra iqa)")
without_pyiqa = pytest.mark.skipif(not IS_ABSENT, reason="pyiqa is installed here")
LARGE = ("ms_ssim",)
"""Halves the picture four times and needs what is left to be 11 pixels wide."""


# -- anywhere


def test_a_measure_is_named_by_a_bare_word_and_is_another_metric_each() -> None:
    named = registry("metrics").create("pyiqa:vif")
    assert named.info.name == "pyiqa:vif"
    assert [request.extractor for request in named.info.requests] == ["pyiqa:vif", "frame_fidelity"]
    assert named.info.needs == {"ground_truth"}
    plain = registry("metrics").create("pyiqa")
    assert (plain.info.name, plain.info.title) == ("pyiqa", f"pyiqa {DEFAULT}")
    assert [request.extractor for request in plain.info.requests] == ["pyiqa"]
    measures = [
        registry("extractors").create(name).info.preprocess for name in ("pyiqa", f"pyiqa:{DEFAULT}", "pyiqa:vif")
    ]
    assert measures[0] == measures[1] != measures[2]
    assert plain.info.needs == frozenset()
    assert registry("extractors").create("pyiqa:vif").info.name == "pyiqa"
    assert "pyiqa:vif" in registry("metrics")


def test_metrics_with_arguments_can_be_asked_for_and_groups_leave_the_bridge_out() -> None:
    asked = ["psnr", "pyiqa:vif", "pyiqa:piqe", "i2v_subject:resize=legacy", "i2v_subject:resize=tv017"]
    assert metric_names(asked) == ["i2v_subject", "i2v_subject:resize=legacy", "psnr", "pyiqa:piqe", "pyiqa:vif"]
    assert metric_names(["bridge"]) == ["pyiqa"]
    assert "pyiqa" not in metric_names(["all"])
    with pytest.raises(
        ConfigError, match=r"'pyiqa' got 'vif,vsi'; expected the name of one measure, such as pyiqa:piqe"
    ):
        metric_names(["pyiqa:vif,vsi"])


@pytest.mark.parametrize("name", MEASURES)
def test_direction_and_range_are_those_of_the_measure(name: str) -> None:
    info = Pyiqa(**{name: True}).info
    assert info.direction == ("lower" if MEASURES[name].lower_better else "higher")
    assert info.value_range == value_range(MEASURES[name].score_range)
    assert (info.licence, info.commercial_use) == ("PolyForm-Noncommercial-1.0.0", False)
    assert PyiqaExtractor(**{name: True}).info.preprocess.endswith(f";{name}")


def test_an_estimate_is_no_bound() -> None:
    assert value_range("0, 1") == (0, 1)
    assert value_range("0, ~1") == (0, math.inf)
    assert value_range("~0, ~40") == (-math.inf, math.inf)
    assert value_range("0, ~") == (0, math.inf)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            "pyiqa:viff",
            r"^Metric 'pyiqa:viff' is not served by the bridge; did you mean 'pyiqa:vif'\? it serves cw_ssim, ",
        ),
        ("pyiqa:zzz", r"^Metric 'pyiqa:zzz' is not served by the bridge; it serves cw_ssim, .*, vsi\.$"),
        ("pyiqa:vif=2", r"^Metric 'pyiqa' got 'vif=2'; expected the name of one measure"),
        ("pyiqa:vif=false", r"^Metric 'pyiqa' got 'vif=False'; expected"),
        ("pyiqa:niqe", r"'pyiqa:niqe' needs weights.* use `technical_quality_niqe`, its counterpart here; it serves"),
        (
            "pyiqa:musiq-spaq",
            r"'pyiqa:musiq_spaq' needs weights.* use `imaging_quality`, its counterpart here; it serves",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_not_served_is_refused_by_name(asked: str, told: str) -> None:
    for kind in ("metrics", "extractors"):
        with pytest.raises(ConfigError, match=told) as caught:
            registry(kind).create(asked)
        assert "\n" not in str(caught.value)


@without_pyiqa
def test_without_pyiqa_a_plan_names_the_extra() -> None:
    told = r"^Metric `pyiqa:vif` needs the extra 'iqa', which is not installed\. Run: .*anisora-harness\[iqa\]"
    with pytest.raises(MissingExtra, match=told):
        plan_metrics(["psnr", "pyiqa:vif"], [], leave_out=False)


def test_commercial_use_is_refused_before_anything_else() -> None:
    with pytest.raises(ConfigError, match=r"`--commercial-ok` forbids pyiqa:piqe: their licences allow no commercial"):
        plan_metrics(["psnr", "pyiqa:piqe"], [], leave_out=False, commercial_only=True)


# -- where pyiqa is installed


@pytest.fixture(scope="module")
def library() -> Any:
    """Pyiqa, whose import leaves a file open."""
    return pytest.importorskip("pyiqa")


@pytest.fixture
def store() -> Iterator[FeatureStore]:
    with FeatureStore(pool=DecoderPool()) as opened:
        yield opened


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something wants to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def blurred(clip: FrameArray) -> FrameArray:
    import cv2

    return FrameArray(frames=np.stack([cv2.GaussianBlur(frame, (5, 5), 1.2) for frame in clip.frames]), fps=clip.fps)


def written(clip: FrameArray, path: Path, pool: DecoderPool) -> Clip:
    pool.encode(clip.frames, fps=clip.fps, path=path, encoder="ffv1")
    return clip_at(path, None)


def compared(clip: FrameArray, truth: FrameArray, folder: Path, store: FeatureStore) -> Generation:
    on_disk = written(truth, folder / "truth.mkv", store.pool)
    return Generation(sample=Sample(id="a", ground_truth=on_disk), clip=clip, model="m")


def measured(name: str, item: Generation, store: FeatureStore) -> Score:
    return score_one(Pyiqa(**{name: True}), item, store)


pytest_unraisable = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@needs_pyiqa
@pytest_unraisable
def test_what_is_listed_here_is_what_pyiqa_says(library: Any) -> None:
    from importlib import import_module

    configs = import_module("pyiqa.default_model_configs").DEFAULT_CONFIGS
    for name, measure in MEASURES.items():
        config = configs[name]
        assert measure.compares == (config["metric_mode"] == "FR"), name
        assert measure.lower_better == config.get("lower_better", False), name
        assert measure.score_range == config["score_range"], name


@needs_pyiqa
@pytest_unraisable
@pytest.mark.parametrize("name", [name for name in MEASURES if name not in LARGE])
def test_a_clip_scores_the_mean_of_what_pyiqa_says_of_its_frames(
    name: str, library: Any, store: FeatureStore, tmp_path: Path, no_network: None
) -> None:
    truth = translating(shift=(3, 1), num_frames=2, height=64, width=96)
    clip = blurred(truth)
    score = measured(name, compared(clip, truth, tmp_path, store), store)
    expected = []
    for place, (frame, reference) in enumerate(zip(clip.frames, truth.frames, strict=True)):
        paths = [tmp_path / f"{place}-{side}.png" for side in ("clip", "truth")]
        for path, picture in zip(paths, (frame, reference), strict=True):
            Image.fromarray(picture).save(path)
        model = library.create_metric(name, device="cpu")
        given = paths if MEASURES[name].compares else paths[:1]
        expected.append(float(model(*map(str, given))))
    assert expected[0] != 0 or name == "mad"
    assert score.parts["frames"] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert score.value == pytest.approx(np.mean(expected), rel=1e-6, abs=1e-9)


@needs_pyiqa
@pytest_unraisable
def test_a_measure_that_needs_larger_pictures_fails_by_name(library: Any, store: FeatureStore, tmp_path: Path) -> None:
    from anisora.harness.errors import MetricError

    small = noise(num_frames=1)
    with pytest.raises(MetricError, match=r"Extractor `pyiqa` failed on item 'a': RuntimeError: .*Kernel size"):
        measured("ms_ssim", compared(blurred(small), small, tmp_path, store), store)


@needs_pyiqa
@pytest_unraisable
def test_ms_ssim_sees_pictures_of_176_pixels(library: Any, store: FeatureStore, tmp_path: Path) -> None:
    truth = noise(num_frames=1, height=176, width=176)
    same = measured("ms_ssim", compared(truth, truth, tmp_path, store), store)
    assert same.value == pytest.approx(1, abs=1e-6)
    worse = measured("ms_ssim", compared(blurred(truth), truth, tmp_path, store), store)
    assert worse.value is not None
    assert worse.value < 0.9


@needs_pyiqa
@pytest_unraisable
def test_psnr_is_that_of_its_formula(library: Any, store: FeatureStore, tmp_path: Path) -> None:
    truth = noise(num_frames=2)
    clip = blurred(truth)
    errors = ((clip.frames.astype(float) - truth.frames) / 255) ** 2
    expected = [10 * math.log10(1 / (error.mean() + 1e-8)) for error in errors]
    score = measured("psnr", compared(clip, truth, tmp_path, store), store)
    assert score.parts["frames"] == pytest.approx(expected, rel=1e-5)


@needs_pyiqa
@pytest_unraisable
def test_another_size_leaves_a_clip_unscored_and_a_shorter_truth_is_noted(
    library: Any, store: FeatureStore, tmp_path: Path
) -> None:
    clip = noise(num_frames=3)
    item = compared(clip, noise(num_frames=3, width=80), tmp_path, store)
    score = measured("psnr", item, store)
    assert score.value is None
    assert "the clip is 64x48 and the ground truth 80x48" in score.note
    shorter = compared(clip, noise(num_frames=2), tmp_path, store)
    assert measured("psnr", shorter, store).note == "2 of 3 frames compared: the ground truth ends there"


@needs_pyiqa
@pytest_unraisable
@pytest.mark.parametrize(
    ("asked", "file"),
    [
        ("pyiqa:musiq-spaq", "musiq_spaq_ckpt-358bb6af.pth"),
        ("pyiqa:niqe", "niqe_modelparameters.mat"),
        ("pyiqa:maniqa", "ckpt_koniq10k.pt"),
    ],
)
def test_the_file_that_pyiqa_would_fetch_is_named(asked: str, file: str, library: Any, no_network: None) -> None:
    with pytest.raises(
        ConfigError, match=rf"needs weights \({file}\) that pyiqa downloads by itself and reads as pick"
    ):
        registry("metrics").create(asked)
