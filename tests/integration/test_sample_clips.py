"""Clips that are drawn on the way of a training: they are the model's own, and the same however it is trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_clips import SMALL, write_clips

from anisora.harness.errors import ConfigError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Condition, Image, Sample

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.training.config import PreferenceConfig, SupervisedConfig, read_config  # noqa: E402
from anisora.training.preference_run import make_preference  # noqa: E402
from anisora.training.running import run_training  # noqa: E402
from anisora.training.supervised_run import make_supervised  # noqa: E402

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
SAMPLES: dict[str, Any] = {"every": 2, "items": 2, "seeds": 2, "steps": 3}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


def train(clips: Path, out: Path, model: str, **said: Any) -> list[dict[str, Any]]:
    """Train on clips; return the index of what was drawn."""
    given = {**SMALL, "model": f"{model}:tiny", "data": str(clips), "out": str(out), "samples": SAMPLES, **said}
    config = read_config(SupervisedConfig, None, {"lora": LORA, **given})
    run_training(config, make_supervised, cache=clips.parent / "cache")
    return index(out)


def index(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "samples" / "samples.jsonl").read_text().splitlines()]


def frames_of(path: Path) -> np.ndarray:
    with DecoderPool() as pool:
        return pool.read_frames(Clip(path=path, digest=""))[0]


def test_clips_are_drawn_first_on_the_way_and_last(clips: Path, tmp_path: Path) -> None:
    found = train(clips, tmp_path, "anisora-v3", steps=5)
    assert [each["step"] for each in found] == [step for step in (0, 2, 4, 5) for _ in range(4)]
    assert [(each["item"], each["seed"]) for each in found[:4]] == [("walk", 0), ("walk", 1), ("run", 0), ("run", 1)]
    prompts = {row["id"]: row["prompt"] for row in map(json.loads, clips.read_text().splitlines())}
    for each in found:
        assert each["path"] == f"samples/step-{each['step']:08d}/{each['item']}-{each['seed']}.mkv"
        assert each["sha256"] == sha256_of_file(tmp_path / each["path"])
        assert each["prompt"] == prompts[each["item"]]
        assert each["image"] == f"first_frames/{each['item']}.png"
        assert each["fps"] == 16
    assert len({each["sha256"] for each in found}) == len(found)
    assert frames_of(tmp_path / found[0]["path"]).shape == (9, 32, 48, 3)
    assert (tmp_path / "samples/step-00000000/walk-0.preview.mp4").is_file()


@pytest.mark.parametrize(
    ("model", "expert"), [("anisora-v1", None), ("wan-2.1", None), ("anisora-v3.2", "high"), ("anisora-v3.2", "low")]
)
def test_before_the_first_step_they_are_the_clips_of_the_model_itself(
    clips: Path, tmp_path: Path, model: str, expert: str | None
) -> None:
    samples = {"items": 1, "steps": 3}
    first, _ = train(clips, tmp_path, model, expert=expert, steps=1, samples=samples, gradient_checkpointing=True)
    adapter = registry("models").create(f"{model}:tiny,suffix=none")
    image = Image(path=tmp_path / first["image"], digest="")
    sample = Sample(id="walk", prompt=first["prompt"], condition=Condition(keyframes=((0.0, image),)))
    settings = GenerationSettings(height=32, width=48, num_frames=9, steps=3)
    with DecoderPool() as pool:
        wanted = adapter.generate(sample, seed=0, settings=settings, reader=pool).frames
    found = frames_of(tmp_path / first["path"])
    # The condition is encoded, kept and sampled in another order of the same sums.
    assert np.abs(found.astype(int) - wanted).max() <= 1


def test_looking_changes_nothing(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path / "shown", "anisora-v1")
    given = {**SMALL, "model": "anisora-v1:tiny", "data": str(clips), "out": str(tmp_path / "blind"), "lora": LORA}
    run_training(read_config(SupervisedConfig, None, given), make_supervised, cache=clips.parent / "cache")
    assert not (tmp_path / "blind" / "samples").exists()
    file = "checkpoints/step-00000002/trained.safetensors"
    assert (tmp_path / "shown" / file).read_bytes() == (tmp_path / "blind" / file).read_bytes()


def test_preference_training_shows_what_its_winners_show(clips: Path, tmp_path: Path) -> None:
    row = {"prompt": "A girl.", "winner": "walk.mp4", "loser": "run.mp4", "winner_reward": 9, "loser_reward": 1}
    pairs = clips.with_name("pairs.jsonl")
    pairs.write_text(json.dumps(row))
    given = {**SMALL, "model": "anisora-v1:tiny", "pairs": str(pairs), "out": str(tmp_path), "lora": LORA}
    config = read_config(PreferenceConfig, None, {**given, "samples": {"steps": 2}})
    run_training(config, make_preference, cache=clips.parent / "cache")
    assert [(each["step"], each["item"], each["prompt"]) for each in index(tmp_path)] == [
        (0, "pair-0", "A girl."),
        (2, "pair-0", "A girl."),
    ]


def test_pairs_of_latents_have_nothing_to_show(tmp_path: Path) -> None:
    for name in ("win", "lose"):
        torch.save(torch.randn(16, 3, 4, 6), tmp_path / f"{name}.pt")
    entry = {"vae_path": "win.pt,lose.pt", "caption": "A girl waves.", "w_score": 80, "l_score": 30}
    (tmp_path / "pairs.json").write_text(json.dumps([entry]))
    given = {**SMALL, "model": "anisora-v1:tiny", "pairs": str(tmp_path / "pairs.json"), "out": str(tmp_path / "out")}
    config = read_config(PreferenceConfig, None, {**given, "lora": LORA, "samples": {}})
    with pytest.raises(ConfigError, match="no item has a first frame"):
        run_training(config, make_preference, cache=tmp_path / "cache")
