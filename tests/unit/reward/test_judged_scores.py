"""visual_smoothness and visual_appeal from frames and prompt to a score: real classes, small seeded networks."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_judge import noise_frames, tiny_judge

from anisora.harness.errors import ConfigError, MetricError, WeightsMissing
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch
from anisora.harness.registry import registry
from anisora.harness.render import Scene, prompt_of, render
from anisora.harness.stages.plan import metric_names, plan_metrics
from anisora.harness.stages.score import score_one
from anisora.harness.types import FrameArray, Frames, Generation, Sample, Score, StreamInfo
from anisora.harness.weights import entry_of
from anisora.reward.extractors.idefics2_appeal import Idefics2Appeal
from anisora.reward.extractors.idefics2_smooth import Idefics2Smooth
from anisora.reward.judge.judged_score import score_of
from anisora.reward.judge.pictures import PictureRecipe
from anisora.reward.judge.remembered_pictures import RememberedPictures

pytest.importorskip("torch")
pytest.importorskip("transformers")

NAMES = ("visual_appeal", "visual_smoothness")
SCENE = Scene(action="run", seed=1, width=96, height=64, num_frames=30)


class Bench:
    """A store with small judges in place of the released ones."""

    def __init__(self, **arguments: Any) -> None:
        self.pictures = RememberedPictures(PictureRecipe(longest=98, shortest=42))
        made = {"idefics2_smooth": Idefics2Smooth, "idefics2_appeal": Idefics2Appeal}
        extractors = {}
        for seed, (name, kind) in enumerate(made.items()):
            judge = tiny_judge(seed, **arguments)
            extractors[name] = kind(judge=judge, pictures=self.pictures)
            extractors[f"{name}:mode=corrected"] = kind(judge=judge, pictures=self.pictures, mode="corrected")
        self.metrics = {name: registry("metrics").create(name) for name in NAMES}
        requests = [request for metric in self.metrics.values() for request in metric.info.requests]
        self.store = FeatureStore(pool=DecoderPool(), requests=requests, extractors=extractors)

    def score(self, name: str, frames: Frames, prompt: str | None) -> Score:
        """Score frames by a metric."""
        metric = self.metrics.get(name) or registry("metrics").create(name)
        sample = Sample(id="a", prompt=prompt)
        clip = FrameArray(frames=frames, fps=24.0)
        return score_one(metric, Generation(sample=sample, clip=clip, model="m"), self.store)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    with made.store:
        yield made


@pytest.fixture(scope="module")
def frames() -> Frames:
    return render(SCENE)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_has_a_finite_score_that_comes_again(name: str, bench: Bench, frames: Frames) -> None:
    score = bench.score(name, frames, prompt_of(SCENE))
    assert score.value is not None
    assert math.isfinite(score.value)
    assert score.value == round(score.parts["logit"][0], 3) / 100
    assert score.note == ""
    other = Bench()
    with other.store:
        assert other.score(name, frames, prompt_of(SCENE)) == score


@pytest.mark.parametrize("name", NAMES)
def test_the_score_depends_on_the_order_of_frames_and_on_the_prompt(name: str, bench: Bench, frames: Frames) -> None:
    (logit,) = bench.score(name, frames, prompt_of(SCENE)).parts["logit"]
    (reversed_logit,) = bench.score(name, frames[::-1].copy(), prompt_of(SCENE)).parts["logit"]
    (other_prompt,) = bench.score(name, frames, "a quiet town").parts["logit"]
    assert abs(reversed_logit - logit) > 1e-5
    assert abs(other_prompt - logit) > 1e-5


def test_the_two_judges_differ_and_share_the_pictures(frames: Frames) -> None:
    made = Bench()
    with made.store:
        scores = {name: made.score(name, frames, "a girl runs").value for name in NAMES}
        assert made.pictures.computed == 1
        assert made.store.counters.forwards == {"idefics2_appeal": 1, "idefics2_smooth": 1}
    assert len(set(scores.values())) == 2


def test_of_a_long_clip_the_last_frames_and_those_beyond_144_are_not_seen(bench: Bench) -> None:
    clip = noise_frames(150)
    logit = bench.score("visual_appeal", clip, "a").parts["logit"]
    clip[139:] = 0
    clip[1:6] = 0
    assert bench.score("visual_appeal", clip, "a").parts["logit"] == logit
    clip[138] = 0
    assert bench.score("visual_appeal", clip, "a").parts["logit"] != logit


def test_a_short_clip_is_seen_whole(bench: Bench) -> None:
    clip = noise_frames(5)
    logit = bench.score("visual_smoothness", clip, "a").parts["logit"]
    clip[4] = 0
    assert bench.score("visual_smoothness", clip, "a").parts["logit"] != logit


def test_no_prompt_and_a_single_frame_leave_unscored_and_an_empty_prompt_does_not(bench: Bench) -> None:
    clip = noise_frames(3)
    for name in NAMES:
        assert bench.score(name, clip, None).value is None
        assert bench.score(name, clip, "").value is not None
    assert bench.score("visual_smoothness", clip[:1], "a").value is None
    assert bench.score("visual_appeal", clip[:1], "a").value is not None


@pytest.mark.parametrize("prompt", ["{", "{text_prompt}", "100% {0}", "<fake_token_around_image>"])
def test_prompts_with_braces_are_texts(prompt: str, bench: Bench) -> None:
    assert bench.score("visual_smoothness", noise_frames(3), prompt).value is not None


def test_a_prompt_with_a_marker_is_scored_as_the_release_does_and_says_so(bench: Bench) -> None:
    score = bench.score("visual_smoothness", noise_frames(3), "an <image> here")
    assert score.value is not None
    assert score.note == "'<image>' stands 1 times in the prompt and was taken for the clip's first frames"


def test_a_prompt_with_too_many_markers_fails_alone(bench: Bench) -> None:
    with pytest.raises(MetricError, match=r"holds 4 times '<image>', .* expected at most 3"):
        bench.score("visual_smoothness", noise_frames(3), "<image>" * 4)
    assert bench.score("visual_smoothness", noise_frames(3), "a").value is not None


def test_the_corrected_head_has_no_steps() -> None:
    released = Bench(dtype="bfloat16")
    with released.store:
        reference = released.score("visual_smoothness", noise_frames(3), "a")
        corrected = released.score("visual_smoothness:mode=corrected", noise_frames(3), "a")
    assert corrected.parts["logit"][0] != reference.parts["logit"][0]
    assert corrected.value == corrected.parts["logit"][0] / 100
    assert corrected.value == pytest.approx(reference.value, abs=1e-3)


def test_scores_are_rounded_in_one_mode_and_cut_in_neither() -> None:
    assert score_of(104.0626, "reference") == pytest.approx(1.04063, abs=1e-12)
    assert score_of(-3.25049, "reference") == -0.0325
    assert score_of(-3.25049, "corrected") == -0.0325049


def test_the_mode_is_part_of_names_protocol_and_cache_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert metric_names(["visual_smoothness:mode=corrected", "visual_smoothness:mode=reference"]) == [
        "visual_smoothness",
        "visual_smoothness:mode=corrected",
    ]
    with pytest.raises(ConfigError, match=r"`mode` got 'corected'; expected one of reference, corrected. Did you mean"):
        registry("metrics").create("visual_appeal:mode=corected")
    monkeypatch.setenv("ANISORA_UNTRAINED", "0")
    monkeypatch.setenv("ANISORA_DEVICE", "cpu")
    plan = plan_metrics(["visual_smoothness", "visual_smoothness:mode=corrected"], [], leave_out=False)
    entries = [plan.protocol[name]["idefics2_smooth"] for name in plan.metrics]
    assert [entry["preprocess"].rpartition("-")[2] for entry in entries] == ["reference", "corrected"]  # type: ignore[index, union-attr, call-overload]
    assert len({plan.fingerprint(name) for name in plan.metrics}) == 2
    assert sorted(plan.weights) == ["idefics2-smooth", "judge-prompt"]


def batch(prompt: str | None) -> Batch:
    stream = StreamInfo(fps=24.0, num_frames=2, height=40, width=60, codec="x", pixel_format="y")
    return Batch(frames=noise_frames(2)[None], indices=np.arange(2)[None], stream=stream, prompt=prompt)


def test_an_extractor_without_prompt_or_files_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MetricError, match="Extractor `idefics2_smooth` got no prompt"):
        Idefics2Smooth().extract(batch(None))
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"judge-prompt: reward/reward_infer\.py"):
        Idefics2Smooth().extract(batch("a"))
    with pytest.raises(
        WeightsMissing, match=r"idefics2-smooth: .*tokenizer.json.*judge-prompt: reward/reward_infer.py"
    ):
        plan_metrics(["visual_smoothness"], [], leave_out=False)


def test_untrained_judges_are_refused_before_eight_billion_numbers_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "3")
    with pytest.raises(ConfigError, match="`judge-prompt` have no untrained form; unset ANISORA_UNTRAINED"):
        Idefics2Appeal().extract(batch("a"))


def test_a_script_with_another_question_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = entry_of("judge-prompt").files
    path = tmp_path / file.path
    path.parent.mkdir()
    path.write_text("REGRESSION_QUERY_PROMPT = 'Is it good?'\n")
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"judge-prompt: reward/reward_infer\.py"):  # by size, before it is read
        Idefics2Appeal().extract(batch("a"))
