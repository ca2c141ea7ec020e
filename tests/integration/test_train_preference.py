"""Preference training of tiny models: what the loss does, where pairs come from, what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_suite import build_suite, only_run
from training_clips import SMALL, write_clips

from anisora.harness.errors import AnisoraError
from anisora.harness.stages.run import run as generate
from anisora.harness.stages.session import RunOptions

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.harness.weights import load_state_dict  # noqa: E402
from anisora.training.config import PreferenceConfig, read_config  # noqa: E402
from anisora.training.preference_pairs import read_pairs  # noqa: E402
from anisora.training.preference_run import make_preference  # noqa: E402
from anisora.training.run_log import LOG, read_log  # noqa: E402
from anisora.training.running import run_training  # noqa: E402

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
NO_DROPS: dict[str, Any] = {"text_dropout": 0.0, "condition_dropout": 0.0}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of files; encoded clips are kept beside them."""
    folder = tmp_path_factory.mktemp("pairs")
    write_clips(folder)
    rows = [("walk", "run", 90, 40), ("jump", "walk", 70, 20)]
    return written(folder / "pairs.jsonl", rows)


def written(path: Path, rows: list[tuple[str, str, float, float]]) -> Path:
    lines = [
        {
            "prompt": f"{better}.",
            "winner": f"{better}.mp4",
            "loser": f"{worse}.mp4",
            "winner_reward": high,
            "loser_reward": low,
        }
        for better, worse, high, low in rows
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def train(pairs: Path, out: Path, model: str = "anisora-v1", **said: Any) -> list[dict[str, Any]]:
    """Train and return the lines of the log without what a clock says."""
    given = {**SMALL, "model": f"{model}:tiny", "pairs": str(pairs), "out": str(out), **NO_DROPS, **said}
    run_training(read_config(PreferenceConfig, None, given), make_preference, cache=pairs.parent / "cache")
    return [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(out / LOG)]


@pytest.mark.parametrize("model", ["anisora-v1", "anisora-v3"])
@pytest.mark.parametrize("lora", [None, LORA])
def test_before_the_first_update_the_network_is_its_reference(
    pairs: Path, tmp_path: Path, model: str, lora: dict[str, Any] | None
) -> None:
    first, second = train(pairs, tmp_path, model, lora=lora, loss="dpo", learning_rate=0.01)
    assert first["inside"] == 0
    assert first["loss"] == pytest.approx(np.log(2), rel=1e-6)
    assert first["implicit_accuracy"] == 0
    assert second["inside"] != 0


def test_the_gap_of_the_scores_is_a_factor_of_gapo(pairs: Path, tmp_path: Path) -> None:
    both = train(pairs, tmp_path / "both", lora=LORA, steps=1, batch_size=2)
    gaps = [2**0.9 - 2**0.4, 2**0.7 - 2**0.2]
    assert both[0]["loss"] == pytest.approx(np.log(2) * np.mean(gaps), rel=1e-6)


@pytest.mark.parametrize(("model", "lora"), [("anisora-v1", LORA), ("anisora-v3", None)])
def test_training_tells_winners_from_losers(
    pairs: Path, tmp_path: Path, model: str, lora: dict[str, Any] | None
) -> None:
    lines = train(
        pairs,
        tmp_path,
        model,
        lora=lora,
        loss="dpo",
        beta=200,
        steps=25,
        learning_rate=5e-3,
        gradient_clip=1.0,
        batch_size=2,
    )
    assert np.mean([line["loss"] for line in lines[-5:]]) < 0.9 * np.log(2)
    assert np.mean([line["implicit_accuracy"] for line in lines[-5:]]) > 0.7


@pytest.mark.parametrize("lora", [None, LORA])
def test_the_reference_is_what_it_was_where_a_training_goes_on(
    pairs: Path, tmp_path: Path, lora: dict[str, Any] | None
) -> None:
    said: dict[str, Any] = {"lora": lora, "save_every": 2, "learning_rate": 0.01, "gradient_clip": 1.0}
    straight = train(pairs, tmp_path / "straight", **said, steps=4)
    train(pairs, tmp_path / "stopped", **said, steps=2)
    assert train(pairs, tmp_path / "stopped", **said, steps=4) == straight
    file = "checkpoints/step-00000004/trained.safetensors"
    assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "straight" / file).read_bytes()


def test_pairs_of_seeds_are_the_clips_of_a_run_with_the_prompts_of_its_suite(tmp_path: Path) -> None:
    suite = build_suite(tmp_path / "suite", items=2, num_frames=12)
    options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=None, generate_only=True)
    generate(str(suite), model="damage/noise", seeds=[0, 1], options=options)
    run = only_run(tmp_path / "runs")
    line = {"sample_id": "item00", "winner": 1, "loser": 0, "winner_reward": 0.9, "loser_reward": 0.2}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(line) + "\n")
    (pair,) = read_pairs(tmp_path / "pairs.jsonl", run, scale=1.0)
    assert [Path(str(getattr(clip, "path", clip))).is_file() for clip in (pair.winner, pair.loser)] == [True, True]
    assert pair.winner != pair.loser
    assert (pair.winner_score, pair.loser_score) == (0.9, 0.2)
    lines = train(tmp_path / "pairs.jsonl", tmp_path / "out", run=str(run), score_scale=1, fps=24, lora=LORA)
    assert lines[0]["loss"] == pytest.approx(np.log(2) * (2**0.9 - 2**0.2), rel=1e-6)
    with pytest.raises(AnisoraError, match=r"line 1 names clips by seeds, and `run` is missing"):
        read_pairs(tmp_path / "pairs.jsonl", None, scale=1.0)
    text = (tmp_path / "pairs.jsonl").read_text().replace("item00", "item07")
    (tmp_path / "pairs.jsonl").write_text(text)
    with pytest.raises(AnisoraError, match=r"item 'item07' with seed 1 is not in run"):
        read_pairs(tmp_path / "pairs.jsonl", run, scale=1.0)


def test_the_list_of_the_authors_names_files_of_latents(tmp_path: Path) -> None:
    for seed, name in enumerate(("win", "lose")):
        generator = torch.Generator().manual_seed(seed)
        torch.save(torch.randn(16, 3, 4, 6, generator=generator), tmp_path / f"{name}.pt")
    entry = {"vae_path": "win.pt,lose.pt", "caption": "A girl waves.", "w_score": 80, "l_score": 30}
    (tmp_path / "pairs.json").write_text(json.dumps([entry]))
    lines = train(tmp_path / "pairs.json", tmp_path / "out", lora=LORA)
    assert lines[0]["loss"] == pytest.approx(np.log(2) * (2**0.8 - 2**0.3), rel=1e-6)
    with pytest.raises(AnisoraError, match="names files of latents, which are read for models on CogVideoX alone"):
        train(tmp_path / "pairs.json", tmp_path / "wan", "anisora-v3")
    torch.save(torch.zeros(16, 3, 4, 4), tmp_path / "lose.pt")
    with pytest.raises(AnisoraError, match=r"latents of shape \(3, 16, 4, 6\) and \(3, 16, 4, 4\); expected one shape"):
        train(tmp_path / "pairs.json", tmp_path / "other", lora=LORA)


@pytest.mark.parametrize(
    ("rows", "said", "message"),
    [
        ([("walk", "run", 40, 90)], {}, r"line 1 has the scores 40 of the winner and 90 of the loser"),
        ([("walk", "run", 190, 90)], {}, r"expected 0 <= loser < winner <= 100, the `score_scale`"),
        ([("walk", "fly", 90, 40)], {}, r"line 1: `.*fly\.mp4` does not exist"),
        ([], {}, r"has no pair; expected one or more"),
        ([("walk", "run", 90, 40)], {"buckets": [[32, 48, 49]]}, r"none of whose 1 pairs is long enough; .* 49 frames"),
        (
            [("walk", "run", 90, 40)],
            {"guide_noise": True, "model": "anisora-v3"},
            r"`guide_noise` got true for 'anisora-v3'",
        ),
    ],
)
def test_what_is_no_pair_is_named(
    pairs: Path, tmp_path: Path, rows: list[tuple[str, str, float, float]], said: dict[str, Any], message: str
) -> None:
    path = written(pairs.with_name("other.jsonl"), rows)
    with pytest.raises(AnisoraError, match=message):
        train(path, tmp_path / "out", lora=LORA, **said)


def test_the_loss_without_scores_takes_pairs_in_any_order(pairs: Path, tmp_path: Path) -> None:
    path = written(pairs.with_name("swapped.jsonl"), [("walk", "run", 40, 90)])
    assert len(train(path, tmp_path, lora=LORA, loss="dpo")) == 2


def test_what_was_trained_is_written_as_a_folder_of_weights(pairs: Path, tmp_path: Path) -> None:
    train(pairs, tmp_path, lora=LORA)
    state = load_state_dict(tmp_path / "model" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert not any("lora" in name or "base_layer" in name for name in state)
