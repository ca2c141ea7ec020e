"""Supervised training of tiny models: what changes, what goes on, what several processes make of it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_suite import environment
from tiny_models import posed
from training_clips import SMALL, write_clips
from training_processes import start_two, train_command

from anisora.harness.errors import AnisoraError, ConfigError, RecordError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.harness.weights import load_state_dict  # noqa: E402
from anisora.training.config import SupervisedConfig, read_config  # noqa: E402
from anisora.training.run_log import LOG, read_log  # noqa: E402
from anisora.training.running import run_training  # noqa: E402
from anisora.training.supervised_run import make_supervised  # noqa: E402

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest; encoded clips are kept beside it."""
    return write_clips(tmp_path_factory.mktemp("clips"))


def train(clips: Path, out: Path, model: str = "anisora-v3", *, fresh: bool = False, **said: Any) -> Path:
    given = {**SMALL, "model": f"{model}:tiny", "data": str(clips), "out": str(out), **said}
    config = read_config(SupervisedConfig, None, given)
    return run_training(config, make_supervised, cache=clips.parent / "cache", fresh=fresh)


def losses(out: Path) -> list[dict[str, Any]]:
    """Return the lines of a log without what a clock says."""
    return [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(out / LOG)]


def begun(model: str) -> dict[str, Any]:
    """Return the weights that a tiny model begins with."""
    from model_folders import tiny_parts

    found: dict[str, Any] = tiny_parts(model)["transformer"].state_dict()
    return found


def changed(model: str, folder: Path) -> set[str]:
    before, after = begun(model), load_state_dict(folder / WEIGHTS)
    assert before.keys() == after.keys()
    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("model", ["anisora-v1", "anisora-v3"])
def test_one_step_changes_all_weights_and_nothing_else(clips: Path, tmp_path: Path, model: str) -> None:
    folder = train(clips, tmp_path / "run", model, steps=1, condition_dropout=0.0, text_dropout=0.0)
    assert changed(model, folder) == set(begun(model))
    from model_folders import tiny_parts

    for part, file in (("vae", "diffusion_pytorch_model"), ("text_encoder", "model")):
        kept = load_state_dict(folder / part / f"{file}.safetensors")
        own = tiny_parts(model)[part].state_dict()
        assert all(torch.equal(tensor, own[name]) for name, tensor in kept.items())


@pytest.mark.parametrize("model", ["anisora-v1", "anisora-v3"])
def test_adapters_change_the_layers_they_are_for_and_nothing_else(clips: Path, tmp_path: Path, model: str) -> None:
    folder = train(clips, tmp_path / "run", model, lora=LORA, condition_dropout=0.0, text_dropout=0.0)
    layers = {name for name in begun(model) if name.endswith((".to_q.weight", ".to_v.weight"))}
    assert changed(model, folder) == layers
    stored = load_state_dict(folder / "lora" / "pytorch_lora_weights.safetensors")
    assert len(stored) == 2 * len(layers)
    name = sorted(layers)[0].removesuffix(".weight")
    update = stored[f"transformer.{name}.lora_B.weight"] @ stored[f"transformer.{name}.lora_A.weight"]
    merged = begun(model)[f"{name}.weight"] + update
    torch.testing.assert_close(load_state_dict(folder / WEIGHTS)[f"{name}.weight"], merged)
    assert update.abs().max() > 0


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("anisora-v1", {"lora": LORA, "ema_decay": 0.9}),
        ("anisora-v2", {"batch_size": 4, "gradient_accumulation_steps": 2, "warmup_steps": 3}),
        ("anisora-v3.2", {"expert": "low", "guides": "random", "ema_decay": 0.5}),
    ],
)
def test_a_training_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(
    clips: Path, tmp_path: Path, model: str, said: dict[str, Any]
) -> None:
    straight = train(clips, tmp_path / "straight", model, **said, steps=4, save_every=2)
    train(clips, tmp_path / "stopped", model, **said, steps=3, save_every=2)
    shutil.rmtree(tmp_path / "stopped" / "checkpoints" / "step-00000003")  # what a kill in step 4 leaves
    resumed = train(clips, tmp_path / "stopped", model, **said, steps=4, save_every=2)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "straight")
    assert [line["step"] for line in losses(tmp_path / "stopped")] == [1, 2, 3, 4]
    files = [path.relative_to(straight.parent) for path in straight.parent.rglob("*.safetensors")]
    assert len(files) > 6
    for file in files:
        assert (resumed.parent / file).read_bytes() == (straight.parent / file).read_bytes(), file


@pytest.mark.parametrize("stage", ["before_write", "after_write", "after_flush"])
def test_what_was_saved_before_a_full_disk_is_kept(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from anisora.harness import failpoints

    straight = train(clips, tmp_path / "straight", lora=LORA, steps=2, save_every=1)
    failpoints._passages.clear()
    # The configuration is the first file; a checkpoint has four: the second file of the second checkpoint fails.
    monkeypatch.setenv("ANISORA_FAILPOINT", f"checkpoint.{stage}:enospc:7")
    with pytest.raises(OSError, match="No space left"):
        train(clips, tmp_path / "run", lora=LORA, steps=2, save_every=1)
    monkeypatch.delenv("ANISORA_FAILPOINT")
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000001"]
    again = train(clips, tmp_path / "run", lora=LORA, steps=2, save_every=1)
    assert (again / WEIGHTS).read_bytes() == (straight / WEIGHTS).read_bytes()
    assert losses(tmp_path / "run") == losses(tmp_path / "straight")


def test_a_damaged_checkpoint_is_named(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path, lora=LORA, steps=2, save_every=1)
    file = tmp_path / "checkpoints" / "step-00000002" / "trained.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(RecordError, match=r"step-00000002` is damaged: trained\.safetensors has other bytes"):
        train(clips, tmp_path, lora=LORA, steps=3, save_every=1)
    shutil.rmtree(file.parent)
    train(clips, tmp_path, lora=LORA, steps=3, save_every=1)


def test_the_newest_checkpoints_are_kept(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path, lora=LORA, steps=3, save_every=1, keep=2)
    assert sorted(path.name[-1] for path in (tmp_path / "checkpoints").iterdir()) == ["2", "3"]


@pytest.mark.parametrize("model", ["anisora-v1", "anisora-v3"])
def test_the_loss_falls_where_one_clip_is_learned(tmp_path: Path, model: str) -> None:
    one = write_clips(tmp_path / "one", count=1)
    train(one, tmp_path / "run", model, steps=80, learning_rate=5e-3, gradient_clip=1.0, batch_size=2)
    found = [line["squared_error"] for line in losses(tmp_path / "run")]
    assert np.mean(found[-10:]) < 0.85 * np.mean(found[:10])


@pytest.mark.parametrize("said", [{}, {"lora": LORA}])
def test_the_adapter_takes_what_was_trained_and_says_that_it_began_as_random_numbers(
    clips: Path, tmp_path: Path, said: dict[str, Any]
) -> None:
    folder = train(clips, tmp_path / "run", learning_rate=0.05, gradient_clip=100.0, **said)
    model = registry("models").create(f"anisora-v3:weights={folder}")
    assert model.info.untrained
    settings = GenerationSettings(height=32, width=48, num_frames=9, steps=2)
    sample = posed(tmp_path / "sample", "i2v")
    with DecoderPool() as pool:
        frames = model.generate(sample, seed=0, settings=settings, reader=pool).frames
        before = registry("models").create("anisora-v3:tiny")
        others = before.generate(sample, seed=0, settings=settings, reader=pool).frames
    assert frames.shape == others.shape
    assert not np.array_equal(frames, others)


def test_averages_are_what_is_written(clips: Path, tmp_path: Path) -> None:
    folder = train(clips, tmp_path, ema_decay=0.9)
    averages = load_state_dict(tmp_path / "checkpoints" / "step-00000002" / "averages.safetensors")
    trained = load_state_dict(tmp_path / "checkpoints" / "step-00000002" / "trained.safetensors")
    written = load_state_dict(folder / WEIGHTS)
    assert all(torch.equal(written[name], average) for name, average in averages.items())
    assert any(not torch.equal(trained[name], average) for name, average in averages.items())


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"model": "damage/blur"}, r"`model` got 'damage/blur', which is not trained here; expected one of anisora-v1"),
        ({"model": "anisora-anymask:tiny"}, r"`model` got 'anisora-anymask:tiny', which is not trained here"),
        ({"model": "anisora-v2:tiny,steps=4"}, r"whose `steps` says how clips are sampled"),
        ({"model": "anisora-v3.2:tiny"}, r"`expert` got None for 'anisora-v3.2'; expected high or low"),
        ({"model": "anisora-v3:tiny", "expert": "low"}, r"`expert` got 'low' for 'anisora-v3'; expected none"),
        ({"model": "anisora-v1:tiny", "shift": 3}, r"`shift` got 3 for 'anisora-v1'"),
        ({"batch_size": 3, "gradient_accumulation_steps": 2}, r"`batch_size` got 3 for 1 processes"),
        ({"buckets": [[32, 40, 9]]}, r"`buckets` has \[32, 40, 9\]; expected a height and width that are multiples"),
        ({"buckets": [[32, 48, 10]]}, r"a multiple of 8 plus 1"),
        ({"buckets": [[32, 48, 81]]}, r"none of whose 3 items can be used; the first: Item 'walk' has 12 frames"),
        ({"lora": {"targets": ["to_qq"]}}, r"`lora.targets` has 'to_qq', with which no layer's name ends; .*to_q"),
        ({"data": "no-suite"}, r"no-suite"),
    ],
)
def test_what_does_not_fit_the_model_is_named(clips: Path, tmp_path: Path, said: dict[str, Any], message: str) -> None:
    given = {**SMALL, "model": "anisora-v3:tiny", "data": str(clips), "out": str(tmp_path / "run"), **said}
    with pytest.raises(AnisoraError, match=message):
        run_training(read_config(SupervisedConfig, None, given), make_supervised, cache=clips.parent / "cache")


def test_a_run_folder_goes_on_with_the_configuration_it_began_with(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path / "run", lora=LORA)
    with pytest.raises(ConfigError, match=r"was begun with `seed` 0, and now it is 1; .* --fresh"):
        train(clips, tmp_path / "run", lora=LORA, seed=1)
    train(clips, tmp_path / "run", lora=LORA, seed=1, fresh=True)
    assert json.loads((tmp_path / "run" / "model" / "training.json").read_text())["configuration"]["seed"] == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"has files but no config\.yaml"):
        train(clips, tmp_path / "other", lora=LORA)


def test_the_list_of_the_authors_gives_what_the_manifest_gives(clips: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in clips.read_text().splitlines()]
    entries = [{"hdfs_path": row["video"], "caption": row["prompt"], "total_frames": 12, "fps": 16} for row in rows]
    path = clips.with_name("data.json")
    path.write_text(json.dumps(entries))
    train(clips, tmp_path / "a", lora=LORA)
    train(path, tmp_path / "b", lora=LORA)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


def command_of(clips: Path, out: Path, **said: Any) -> list[str]:
    return train_command("supervised", settings_of_command(clips, out, **said))


def settings_of_command(clips: Path, out: Path, **said: Any) -> dict[str, Any]:
    return {**SMALL, "model": "anisora-v1:tiny", "data": str(clips), "out": str(out), **said}


@pytest.mark.slow
def test_two_processes_train_as_one_does(clips: Path, tmp_path: Path) -> None:
    said = {"batch_size": 4, "gradient_accumulation_steps": 2, "steps": 3, "gradient_clip": 1.0}
    train(clips, tmp_path / "one", "anisora-v1", **said)
    start_two("supervised", settings_of_command(clips, tmp_path / "two", **said), tmp_path / "cache")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(two) == 3
    for ours, theirs in zip(two, one, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)


@pytest.mark.slow
def test_a_training_that_is_killed_while_it_saves_goes_on_from_what_it_saved_before(
    clips: Path, tmp_path: Path
) -> None:
    surroundings = environment(ANISORA_CACHE=str(tmp_path / "cache"), PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    command = command_of(clips, tmp_path / "run", steps=3, save_every=1)
    killed = {**surroundings, "ANISORA_FAILPOINT": "checkpoint.after_write:kill:11"}
    assert subprocess.run(command, env=killed, capture_output=True, check=False).returncode == -9
    whole = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir() if not path.name.startswith(".")]
    assert whole == ["step-00000001", "step-00000002"] or whole == ["step-00000001"]
    subprocess.run(command, env=surroundings, capture_output=True, check=True)
    train(clips, tmp_path / "straight", "anisora-v1", steps=3)
    assert losses(tmp_path / "run") == losses(tmp_path / "straight")


@pytest.mark.parametrize("model", ["anisora-v1", "anisora-v3"])
def test_a_published_folder_is_trained_in_bfloat16_and_its_other_parts_are_linked(
    clips: Path, tmp_path: Path, model: str
) -> None:
    from model_folders import tiny_parts, write_folder

    folder = write_folder(tmp_path / "weights", tiny_parts(model))
    given = {**SMALL, "model": f"{model}:weights={folder}", "data": str(clips), "out": str(tmp_path / "run")}
    given |= {"lora": LORA, "dtype": "bfloat16", "gradient_checkpointing": True, "learning_rate": 0.01}
    config = read_config(SupervisedConfig, None, given)
    out = run_training(config, make_supervised, cache=tmp_path / "cache")
    for part in ("vae", "text_encoder", "tokenizer"):
        assert (out / part).resolve() == (folder / part).resolve()
    adapters = load_state_dict(out / "lora" / "pytorch_lora_weights.safetensors")
    assert {tensor.dtype for tensor in adapters.values()} == {torch.float32}
    name = next(name for name in load_state_dict(out / WEIGHTS) if name.endswith("to_q.weight"))
    assert load_state_dict(out / WEIGHTS)[name].dtype == torch.bfloat16
    trained = registry("models").create(f"{model}:weights={out}")
    assert not trained.info.untrained
    assert "at once" in trained.prepare(settings=GenerationSettings(height=32, width=48, num_frames=9, steps=2))


@pytest.mark.parametrize("model", ["anisora-v1", "anisora-v3"])
def test_activations_that_are_computed_again_give_the_same_gradients(clips: Path, tmp_path: Path, model: str) -> None:
    for name, again in (("kept", False), ("again", True)):
        train(clips, tmp_path / name, model, lora=LORA, gradient_checkpointing=again)
    assert losses(tmp_path / "again") == losses(tmp_path / "kept")
