"""GRPO of tiny models: what is drawn, what is trained, what goes on, what several processes make of it."""

import json
import shutil
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brightness import Brightness
from small_suite import anisora
from training_clips import SMALL, write_clips
from training_processes import start_two

from anisora.harness.errors import AnisoraError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.harness.weights import load_state_dict  # noqa: E402
from anisora.training.config import GrpoConfig, read_config  # noqa: E402
from anisora.training.grpo_run import make_grpo  # noqa: E402
from anisora.training.run_log import LOG, read_log  # noqa: E402
from anisora.training.running import run_training  # noqa: E402

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
DRAWN: dict[str, Any] = {
    "reward": "metric_reward:sharpness=1",
    "batch_size": 4,
    "group_size": 2,
    "sampling_steps": 2,
    "timestep_fraction": 1.0,
    "samples": None,
}
LENGTH = {"wan-2.1": 5}
"""Frames of a clip; others have no fewer than 9."""
TIMED = ("seconds", "reward/seconds_p50", "reward/seconds_p95")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest; what is encoded is kept beside it."""
    return write_clips(tmp_path_factory.mktemp("clips"))


def train(clips: Path, out: Path, model: str = "wan-2.1", judge: Any = None, **said: Any) -> list[dict[str, Any]]:
    """Train and return the lines of the log without what a clock says."""
    make = make_grpo if judge is None else partial(make_grpo, judge=judge)
    run_training(read_config(GrpoConfig, None, settings(clips, out, model, **said)), make, cache=clips.parent / "cache")
    return lines(out)


def settings(clips: Path, out: Path, model: str = "wan-2.1", **said: Any) -> dict[str, Any]:
    buckets = [[32, 48, LENGTH.get(model, 9)]]
    where = {"model": f"{model}:tiny", "data": str(clips), "out": str(out), "buckets": buckets}
    return {**SMALL, **where, **DRAWN, **said}


def lines(out: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name not in TIMED} for line in read_log(out / LOG)]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("wan-2.1", {"sampler": "flow_grpo"}),
        ("anisora-v3", {"sampler": "dance_grpo", "lora": LORA}),
        ("anisora-v3.2", {"sampler": "flow_grpo", "expert": "low", "lora": LORA}),
    ],
)
def test_the_first_update_is_of_what_was_drawn_and_a_second_one_of_the_same_clips_is_not(
    clips: Path, tmp_path: Path, model: str, said: dict[str, Any]
) -> None:
    first, second = train(clips, tmp_path, model, Brightness(), updates_per_sampling=2, save_every=2, **said)
    assert first["approx_kl"] < 1e-10
    assert first["clip_fraction"] == 0
    assert first["kl"] == 0
    assert second["approx_kl"] > 100 * first["approx_kl"]
    assert second["kl"] > 0
    assert second["reward/total/mean"] == first["reward/total/mean"]


def test_one_step_changes_all_that_is_trained_and_nothing_else(clips: Path, tmp_path: Path) -> None:
    from model_folders import tiny_parts

    train(clips, tmp_path, "anisora-v3", steps=1, weight_decay=0.0)
    before = tiny_parts("anisora-v3")
    after = load_state_dict(tmp_path / "model" / WEIGHTS)
    begun = before["transformer"].state_dict()
    assert {name for name, tensor in after.items() if not torch.equal(tensor, begun[name])} == set(begun)
    for part, file in (("vae", "diffusion_pytorch_model"), ("text_encoder", "model"), ("image_encoder", "model")):
        kept = load_state_dict(tmp_path / "model" / part / f"{file}.safetensors")
        own = before[part].state_dict()
        assert all(torch.equal(tensor, own[name]) for name, tensor in kept.items())


def test_the_expert_that_is_not_trained_stays_and_its_steps_are_left_out(clips: Path, tmp_path: Path) -> None:
    from model_folders import tiny_parts

    train(clips, tmp_path, "anisora-v3.2", expert="low", steps=1)
    kept = load_state_dict(tmp_path / "model" / WEIGHTS)
    begun = tiny_parts("anisora-v3.2")["transformer"].state_dict()
    assert all(torch.equal(tensor, begun[name]) for name, tensor in kept.items())
    trained = load_state_dict(tmp_path / "model" / "transformer_2" / "diffusion_pytorch_model.safetensors")
    begun = tiny_parts("anisora-v3.2")["transformer_2"].state_dict()
    assert any(not torch.equal(tensor, begun[name]) for name, tensor in trained.items())


def test_a_reward_that_likes_bright_clips_makes_them_brighter(clips: Path, tmp_path: Path) -> None:
    one = clips.with_name("one.jsonl")
    one.write_text(clips.read_text().splitlines()[0])
    said = {"batch_size": 8, "group_size": 8, "sampling_steps": 3, "learning_rate": 3e-3, "kl_weight": 0}
    found = train(one, tmp_path, judge=Brightness(), steps=10, guidance=1.0, timestep_fraction=0.99, **said)
    bright = [line["reward/bright/mean"] for line in found]
    assert np.mean(bright[-3:]) > np.mean(bright[:2]) + 2 * found[0]["reward/bright/std"] / np.sqrt(8)
    assert found[-1]["kl"] > 0


def test_a_group_is_scored_while_the_next_one_is_drawn(clips: Path, tmp_path: Path) -> None:
    """The reward of the first group returns only after the network was asked again; else it would wait for ever."""
    asked_again, calls = threading.Event(), []

    def called() -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 1:
            assert asked_again.wait(timeout=120)

    def make(given: Any) -> Any:
        method = make_grpo(given, judge=Brightness(called))
        given.family.network.register_forward_hook(lambda *_: asked_again.set() if calls else None)
        return method

    given = settings(clips, tmp_path, steps=1)
    run_training(read_config(GrpoConfig, None, given), make, cache=clips.parent / "cache")
    assert len(calls) == 2
    assert all(name.startswith("reward") for name in calls)


def test_a_reward_sees_the_prompts_and_first_frames_that_clips_were_drawn_from(clips: Path, tmp_path: Path) -> None:
    judge = Brightness()
    train(clips, tmp_path, judge=judge, steps=1)
    rows = {row["prompt"]: row["id"] for row in map(json.loads, clips.read_text().splitlines())}
    assert len(judge.seen) == 2
    for videos, prompts, images, fps in judge.seen:
        assert (tuple(videos.shape), videos.dtype, fps) == ((2, 5, 3, 32, 48), torch.uint8, 16.0)
        assert prompts[0] == prompts[1]
        assert images is not None
        ((position, image),) = images[0].keyframes
        assert position == 0
        assert image.path == tmp_path / "first_frames" / f"{rows[prompts[0]]}.png"
        with DecoderPool() as pool:
            assert pool.read_image(image.path).shape == (32, 48, 3)


@pytest.mark.parametrize("is_same", [False, True])
def test_clips_of_a_group_may_begin_from_one_noise(clips: Path, tmp_path: Path, is_same: bool) -> None:
    begun: list[torch.Tensor] = []

    def make(given: Any) -> Any:
        method = make_grpo(given, judge=Brightness())
        given.family.network.register_forward_pre_hook(
            lambda _, __, told: begun.append(told["hidden_states"][:, :16].clone()), with_kwargs=True
        )
        return method

    given = settings(clips, tmp_path, "anisora-v3", steps=1, batch_size=2, same_noise=is_same)
    run_training(read_config(GrpoConfig, None, given), make, cache=clips.parent / "cache")
    assert torch.equal(begun[0][0], begun[0][1]) == is_same
    assert not torch.equal(begun[1][0], begun[1][1])


def test_clips_without_a_reward_have_no_advantage(clips: Path, tmp_path: Path) -> None:
    (line,) = train(clips, tmp_path / "one", judge=Brightness(invalid=[0]), steps=1, kl_weight=0)
    assert line["loss"] == 0  # one clip of each group of two is left, which nothing is compared with
    assert line["reward/invalid_ratio"] == 0.5
    with pytest.raises(AnisoraError, match="`invalid` is 'stop', and 1 of 2 videos could not be scored"):
        train(clips, tmp_path / "two", judge=Brightness(invalid=[0]), steps=1, invalid="stop")


@pytest.mark.parametrize(
    "said",
    [
        {"lora": LORA, "ema_decay": 0.9, "sampler": "dance_grpo", "mixing": "dimensions"},
        {"updates_per_sampling": 2, "gradient_accumulation_steps": 2},
    ],
)
def test_a_training_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(
    clips: Path, tmp_path: Path, said: dict[str, Any]
) -> None:
    said |= {"reward": {"sharp": "metric_reward:sharpness=1", "calm": "metric_reward:temporal_flickering=1"}}
    said |= {"weights": {"calm": 0.5}, "save_every": 2, "samples": {"every": 2, "items": 1, "steps": 2}}
    straight = train(clips, tmp_path / "straight", **said, steps=4)
    train(clips, tmp_path / "stopped", **said, steps=2)
    assert train(clips, tmp_path / "stopped", **said, steps=4) == straight
    assert [line["step"] for line in straight] == [1, 2, 3, 4]
    assert {"reward/sharp/mean", "reward/calm/temporal_flickering/mean"} <= set(straight[0])
    files = [path.relative_to(tmp_path / "straight") for path in (tmp_path / "straight").rglob("*.safetensors")]
    files += [Path("samples/samples.jsonl"), Path("samples/step-00000004/walk-0.mkv")]
    assert len(files) > 6
    for file in files:
        assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "straight" / file).read_bytes(), file


def test_what_a_kill_left_of_clips_is_drawn_again(clips: Path, tmp_path: Path) -> None:
    said: dict[str, Any] = {"lora": LORA, "save_every": 1, "samples": {"every": 1, "items": 1, "steps": 2}}
    train(clips, tmp_path, **said, steps=2)
    index = tmp_path / "samples" / "samples.jsonl"
    before = index.read_bytes()
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000002")
    train(clips, tmp_path, **said, steps=2)
    assert index.read_bytes() == before
    assert [json.loads(line)["step"] for line in before.splitlines()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"model": "anisora-v1:tiny"}, r"`model` got 'anisora-v1:tiny', whose network predicts v .* flow matching"),
        ({"group_size": 3}, r"`batch_size` got 4 with `group_size` 3; expected a multiple"),
        ({"updates_per_sampling": 2, "steps": 3}, r"`steps` got 3 with `updates_per_sampling` 2"),
        ({"updates_per_sampling": 2, "save_every": 3}, r"`save_every` got 3 with `updates_per_sampling` 2"),
        ({"text_dropout": 0.1}, r"`text_dropout` got 0.1; expected 0"),
        ({"weights": {"a": 1.0}}, r"`weights` got \{'a': 1.0\} for one reward"),
        ({"reward": "metric_reward:sharpnes=1"}, r"did you mean 'sharpness'\?"),
        ({"model": "anisora-v3.2:tiny", "expert": "low", "shift": 5000}, r"the network `expert` 'low' denoises none"),
        ({"data": "no-suite"}, r"no-suite"),
    ],
)
def test_what_cannot_be_is_named(clips: Path, tmp_path: Path, said: dict[str, Any], message: str) -> None:
    config = read_config(GrpoConfig, None, {**settings(clips, tmp_path), "buckets": [[32, 48, 9]], **said})
    with pytest.raises(AnisoraError, match="(?i)" + message):
        run_training(config, make_grpo, cache=clips.parent / "cache")


@pytest.mark.slow
def test_two_processes_draw_and_train_as_one_does(clips: Path, tmp_path: Path) -> None:
    said = {"batch_size": 4, "group_size": 4, "steps": 3, "gradient_clip": 1.0, "sampler": "dance_grpo"}
    # Frames are whole numbers and AdamW's first steps have one length: a small rate keeps rounding from growing.
    said |= {"samples": {"items": 2, "steps": 2}, "learning_rate": 1e-4, "kl_weight": 1.0}
    one = train(clips, tmp_path / "one", "anisora-v3", **said)
    start_two("grpo", settings(clips, tmp_path / "two", "anisora-v3", **said), tmp_path / "cache")
    two = lines(tmp_path / "two")
    assert len(two) == 3
    assert one[-1]["loss"] > 1e-4
    for ours, theirs in zip(two, one, strict=True):
        # A mean of ratios times advantages of about 1, which cancel: what remains is smaller than their rounding.
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5, abs=1e-5)
        assert ours["reward/total/mean"] == pytest.approx(theirs["reward/total/mean"], rel=1e-4)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-3)
    index = "samples/samples.jsonl"
    first = [json.loads((tmp_path / run / index).read_text().splitlines()[0]) for run in ("one", "two")]
    assert first[0] == first[1]


@pytest.mark.slow
def test_the_command_trains_on_a_suite_and_its_result_makes_clips(tmp_path: Path) -> None:
    words = ["train", "grpo", "--model", "wan-2.1:tiny", "--data", "demo", "--reward", "metric_reward:sharpness=1"]
    words += ["--steps", "2", "--out", str(tmp_path / "run"), "--set", "sampling_steps=3"]
    told = anisora(words, cwd=tmp_path, check=True, timeout=600).stdout
    assert told.startswith(f"Wrote {tmp_path / 'run' / 'model'}. Use it with: --model wan-2.1:weights=")
    for line in read_log(tmp_path / "run" / LOG):
        assert {"kl", "approx_kl", "clip_fraction", "reward/sharpness/mean", "reward/seconds_p95"} <= set(line)
    clip = tmp_path / "run" / "samples" / "step-00000002" / "walk-a-0.mkv"
    with DecoderPool() as pool:
        frames, info = pool.read_frames(Clip(path=clip, digest=""))
    assert (frames.shape, info.fps) == ((9, 64, 112, 3), 16.0)
