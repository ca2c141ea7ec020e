"""A pretraining of a second: it repeats, goes on, and what it writes is a model as any other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.harness.errors import ConfigError  # noqa: E402
from anisora.harness.inputs.manifest import read_manifest  # noqa: E402
from anisora.harness.media.decoder import DecoderPool  # noqa: E402
from anisora.harness.protocols import GenerationSettings  # noqa: E402
from anisora.harness.registry import registry  # noqa: E402
from anisora.harness.runfolder import sha256_of_file  # noqa: E402
from anisora.harness.suite import load_samples, load_suite  # noqa: E402
from anisora.training.config import SupervisedConfig, read_config  # noqa: E402
from anisora.training.learn.page import write_page  # noqa: E402
from anisora.training.learn.pretraining import VAE_LOG, WORLD, Pretraining, pretrain  # noqa: E402
from anisora.training.learn.small_vae import VaeStage  # noqa: E402
from anisora.training.learn.summary import summarise, summary_text, write_summary  # noqa: E402
from anisora.training.learn.trials import finished_trials  # noqa: E402
from anisora.training.learn.tuning import (  # noqa: E402
    HELD_OUT,
    METHODS,
    MOTION,
    REWARD,
    TUNED,
    Tuned,
    draw_groups,
    read_tuned,
    tune,
)
from anisora.training.learn.world import FPS, FRAMES, PROMPTS, SIZE, TRAINING_CLIPS, World  # noqa: E402
from anisora.training.run_log import read_log  # noqa: E402
from anisora.training.running import run_training  # noqa: E402
from anisora.training.supervised_run import make_supervised  # noqa: E402

SHORT = Pretraining(
    world=World(actions=("wave",), figures=2, scene_frames=13),
    vae=(
        VaeStage(steps=4, frames=1, crop=16, batch_size=2),
        VaeStage(steps=2, frames=5, crop=16, batch_size=1, learning_rate=1e-3),
    ),
    steps=8,
    batch_size=2,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pretraining."""
    out = tmp_path_factory.mktemp("learn") / "out"
    assert pretrain(SHORT, out) == out / "model"
    return out


def tensors(folder: Path) -> dict[Path, bytes]:
    found = {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}
    assert {path.parent.name for path in found} == {"transformer", "vae", "text_encoder", "image_encoder"}
    return found


def test_it_repeats_bit_for_bit(made: Path, tmp_path: Path) -> None:
    again = pretrain(SHORT, tmp_path / "out")
    assert tensors(again) == tensors(made / "model")
    assert (tmp_path / "out" / VAE_LOG).read_bytes() == (made / VAE_LOG).read_bytes()


def test_both_losses_fall(made: Path) -> None:
    lines = [json.loads(line) for line in (made / VAE_LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert lines[3]["absolute"] < lines[0]["absolute"]
    errors = [line["squared_error"] for line in read_log(made / "training" / "log.jsonl")]
    assert sum(errors[-3:]) < 0.97 * sum(errors[:3])


def test_what_is_done_is_taken_as_it_is(made: Path) -> None:
    before, log = tensors(made / "model"), (made / "training" / "log.jsonl").read_bytes()
    touched = [(made / path).stat().st_mtime_ns for path in ("networks", VAE_LOG)]
    assert pretrain(SHORT, made) == made / "model"
    shutil.rmtree(made / "model")
    assert tensors(pretrain(SHORT, made)) == before
    assert (made / "training" / "log.jsonl").read_bytes() == log
    assert [(made / path).stat().st_mtime_ns for path in ("networks", VAE_LOG)] == touched


def test_another_plan_and_another_folder_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"was begun with `steps` 8, and now it is 9; .* Choose another --out"):
        pretrain(replace(SHORT, steps=9), made)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"where something else is already"):
        pretrain(SHORT, tmp_path)


def test_a_share_of_the_steps_has_one_of_each_part_or_more() -> None:
    assert SHORT.scaled(1.0) == SHORT
    short = SHORT.scaled(0.25)
    assert ([stage.steps for stage in short.vae], short.steps) == ([1, 1], 2)


def test_the_world_has_clips_to_train_on_and_prompts_with_first_images(made: Path) -> None:
    clips = read_manifest(made / WORLD / TRAINING_CLIPS)
    samples = load_samples(load_suite(str(made / WORLD / PROMPTS)))
    assert [row.id for row in clips] == ["wave-0-00", "wave-0-04", "wave-1-00", "wave-1-04"]
    assert [sample.id for sample in samples] == ["wave-0", "wave-1"]
    with DecoderPool() as pool:
        for sample in samples:
            assert sample.ground_truth is not None
            frames, info = pool.read_frames(sample.ground_truth)
            (_, image), *_ = sample.condition.keyframes
            assert (pool.read_image(image.path) == frames[0]).all()
            assert (frames.shape, info.fps) == ((FRAMES, SIZE, SIZE, 3), FPS)


def test_the_model_makes_clips_and_trains_on_wherever_it_is_moved(made: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(made / "model", moved, symlinks=True)
    name = f"wan-2.1:weights={moved}"
    model = registry("models").create(f"{name},guidance=1.0")
    assert model.info.untrained
    settings = GenerationSettings(height=SIZE, width=SIZE, num_frames=FRAMES, steps=2)
    sample = load_samples(load_suite(str(made / WORLD / PROMPTS)))[0]
    with DecoderPool() as pool:
        made_clips = [model.generate(sample, seed=seed, settings=settings, reader=pool) for seed in (0, 0, 1)]
    assert made_clips[0].frames.shape == (FRAMES, SIZE, SIZE, 3)
    assert made_clips[0].details["untrained"] is True
    assert (made_clips[0].frames == made_clips[1].frames).all()
    assert (made_clips[0].frames != made_clips[2].frames).any()
    given = {
        "model": name,
        "data": str(made / WORLD / TRAINING_CLIPS),
        "out": str(tmp_path / "run"),
        "steps": 1,
        "lora": {"rank": 2},
        "buckets": [[SIZE, SIZE, FRAMES]],
        "skip_frames": 0,
    }
    trained = run_training(read_config(SupervisedConfig, None, given), make_supervised, cache=tmp_path / "cache")
    assert json.loads((trained / "training.json").read_text())["untrained"] is True


SIX = replace(SHORT, world=World(actions=("wave", "bow"), figures=3, scene_frames=13))
"""As many prompts as an audit needs."""
SHARE = 0.01


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pretraining from which one short seed of each method was tuned."""
    out = tmp_path_factory.mktemp("tuned") / "out"
    pretrain(SIX, out)
    for method in METHODS:
        if method == "gapo":
            draw_groups(out, share=SHARE)
        tune(out, method, 0, share=SHARE)
    return out


@pytest.mark.slow
def test_a_short_seed_repeats_bit_for_bit(tuned: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(tuned, again, symlinks=True, ignore=shutil.ignore_patterns("tuned", "cache"))
    first, second = read_tuned(tuned / TUNED / "grpo-0"), tune(again, "grpo", 0, share=SHARE)
    assert (second.before, second.after, second.clips) == (first.before, first.after, first.clips)
    weights, repeated = ((out / TUNED / "grpo-0" / "model" / "lora").glob("**/*.safetensors") for out in (tuned, again))
    digests = [sha256_of_file(path) for path in sorted(weights)]
    assert digests
    assert [sha256_of_file(path) for path in sorted(repeated)] == digests


@pytest.mark.slow
def test_a_result_of_another_share_is_refused_and_pairs_have_noise_of_their_own(tuned: Path) -> None:
    with pytest.raises(ConfigError, match=r"with 0\.01 of all steps, and now it is 0\.5; .* Choose another folder"):
        tune(tuned, "grpo", 0, share=0.5)
    measured = {seed for _, seed in read_tuned(tuned / TUNED / "gapo-0").clips}
    pairs = [json.loads(line) for line in (tuned / "pairs.jsonl").read_text().splitlines()]
    compared = {pair[side] for pair in pairs for side in ("winner", "loser")}
    assert measured == {0, 1}
    assert compared == {1000, 1001}


@pytest.mark.slow
def test_tuning_changes_clips_and_leaves_the_first_ones_alike(tuned: Path) -> None:
    gapo, grpo = (read_tuned(tuned / TUNED / f"{method}-0") for method in METHODS)
    for each in (gapo, grpo):
        assert set(each.before) == set(each.after) >= {REWARD, HELD_OUT, MOTION}
        assert len(each.clips) == len(each.before[REWARD]) == 2 * len({item for item, _ in each.clips})
        assert each.before[REWARD] != each.after[REWARD]


@pytest.mark.slow
def test_the_page_and_the_summary_tell_what_came_of_it(tuned: Path) -> None:
    found = finished_trials(tuned)
    assert [(each.method, each.seed) for each in found] == [("gapo", 0), ("grpo", 0)]
    summary = summarise(found)
    page = write_page(summary, found, tuned).read_text()
    assert page.count("<video") == 6
    assert page.count("<polyline") == 4
    assert 'href="tuned/grpo-0/audit.html"' in page
    assert (tuned / TUNED / "grpo-0" / "audit.html").is_file()
    said = json.loads(write_summary(summary, tuned).read_text())
    assert said["untrained"] is True
    assert "reward (optimised)" in summary_text(summary)
    change = next(each for each in summary.changes if (each.method, each.metric) == ("grpo", REWARD))
    assert change.p_value is None  # one seed tells nothing
    assert change.change == pytest.approx(change.after - change.before)


def test_eight_seeds_that_rise_are_beyond_chance_and_seven_are_not() -> None:
    def trial(seed: int, gain: float) -> Tuned:
        base = tuple(float(item) for item in range(6))
        metrics = dict.fromkeys((REWARD, HELD_OUT, MOTION), base)
        after = {name: tuple(value + gain for value in values) for name, values in metrics.items()}
        clips = tuple((str(item), 0) for item in range(6))
        return Tuned(
            method="grpo", seed=seed, share=1.0, seconds=1.0, alarms=(), before=metrics, after=after, clips=clips
        )

    gains = [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.2, 0.4]
    rising = summarise([trial(seed, gain) for seed, gain in enumerate(gains)])
    assert {each.p_value for each in rising.changes} == {2 / 2**8}
    assert {each.risen for each in rising.changes} == {8}
    mixed = summarise([trial(seed, gain if seed else -0.1) for seed, gain in enumerate(gains)])
    assert all(each.p_value is not None and each.p_value > 0.01 for each in mixed.changes)
    assert rising.motion[0].holds is True
    still = summarise([trial(seed, -10.0) for seed in range(8)])
    assert still.motion[0].holds is False
