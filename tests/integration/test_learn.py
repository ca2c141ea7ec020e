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
from anisora.harness.suite import load_samples, load_suite  # noqa: E402
from anisora.training.config import SupervisedConfig, read_config  # noqa: E402
from anisora.training.learn.pretraining import VAE_LOG, WORLD, Pretraining, pretrain  # noqa: E402
from anisora.training.learn.small_vae import VaeStage  # noqa: E402
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
