"""Preference training on pairs that the network draws: which clips they are, what goes on, what is refused."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brightness import Brightness
from training_clips import SMALL, write_clips

from anisora.harness.errors import AnisoraError

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.training.config import PreferenceConfig, read_config  # noqa: E402
from anisora.training.preference_run import make_preference  # noqa: E402
from anisora.training.run_log import LOG, read_log  # noqa: E402
from anisora.training.running import run_training  # noqa: E402

LORA = {"rank": 2, "targets": ["to_q", "to_v"]}
TIMED = ("seconds", "reward/seconds_p50", "reward/seconds_p95")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


def train(
    clips: Path,
    out: Path,
    model: str = "anisora-v1",
    judge: Any = None,
    make: Any = None,
    online: dict[str, Any] | None = None,
    **said: Any,
) -> list[dict[str, Any]]:
    """Train and return the lines of the log without what a clock says."""
    drawn = {"data": str(clips), "reward": "metric_reward:sharpness=1", "group_size": 3, "steps": 2, **(online or {})}
    given = {**SMALL, "model": f"{model}:tiny", "out": str(out), "online": drawn, "lora": LORA, "loss": "dpo", **said}
    chosen = make or partial(make_preference, judge=Brightness() if judge is None else judge)
    run_training(read_config(PreferenceConfig, None, given), chosen, cache=clips.parent / "cache")
    return [{name: value for name, value in line.items() if name not in TIMED} for line in read_log(out / LOG)]


@pytest.mark.parametrize("model", ["anisora-v1", "wan-2.1"])
def test_the_brightest_clip_of_a_group_is_to_be_told_from_the_darkest(clips: Path, tmp_path: Path, model: str) -> None:
    judge, parts = Brightness(), []

    def make(given: Any) -> Any:
        method = make_preference(given, judge=judge)
        asked = method.parts

        def parts_of(step: int, network: Any) -> Any:
            found = asked(step, network)
            parts.extend(found)
            return found

        method.parts = parts_of  # type: ignore[method-assign]
        method.decoded = lambda part: [given.family.decode(each) for each in part.clean]
        shown.append(method)
        return method

    shown: list[Any] = []
    first, second = train(clips, tmp_path, model, make=make, learning_rate=0.01, batch_size=2, online={"every": 2})
    assert len(judge.seen) == 2
    assert first["pairs_ratio"] == 1
    assert first["inside"] == 0
    assert second["inside"] != 0
    assert first["reward/total/mean"] == second["reward/total/mean"]
    assert len(parts) == 2
    for side, (winner, loser) in enumerate(zip(*shown[0].decoded(parts[0]), strict=True)):
        videos = judge.seen[side][0]
        bright = videos.double().mean((1, 2, 3, 4))
        assert torch.equal(winner, videos[bright.argmax()])
        assert torch.equal(loser, videos[bright.argmin()])


def test_the_gap_of_rewards_is_a_factor_of_gapo(clips: Path, tmp_path: Path) -> None:
    judge = Brightness()
    (line,) = train(clips, tmp_path, judge=judge, steps=1, loss="gapo", online={"low": 100, "high": 200})
    bright = judge.seen[0][0].double().mean((1, 2, 3, 4)).numpy()
    scores = (bright - 100) / 100
    assert line["loss"] == pytest.approx(np.log(2) * (2 ** scores.max() - 2 ** scores.min()), rel=1e-4)


def test_groups_that_the_reward_does_not_tell_apart_count_for_nothing(clips: Path, tmp_path: Path) -> None:
    (line,) = train(clips, tmp_path / "few", judge=Brightness(invalid=[0, 2]), steps=1)
    assert (line["loss"], line["grad_norm"], line["pairs_ratio"]) == (0, 0, 0)
    (line,) = train(clips, tmp_path / "flat", steps=1, loss="gapo", online={"low": 300, "high": 400})
    assert (line["loss"], line["pairs_ratio"]) == (0, 0)


def test_a_training_that_was_stopped_ends_bit_for_bit_as_one_that_was_not(clips: Path, tmp_path: Path) -> None:
    said: dict[str, Any] = {"save_every": 2, "online": {"every": 2}, "model": "wan-2.1", "make": make_preference}
    straight = train(clips, tmp_path / "straight", **said, steps=4)
    train(clips, tmp_path / "stopped", **said, steps=2)
    assert train(clips, tmp_path / "stopped", **said, steps=4) == straight
    assert straight[0]["reward/sharpness/mean"] != straight[2]["reward/sharpness/mean"]
    file = "checkpoints/step-00000004/trained.safetensors"
    assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "straight" / file).read_bytes()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"pairs": "pairs.jsonl"}, "`pairs` is missing, or `online`: got both"),
        ({"online": None}, "`pairs` is missing, or `online`: got neither"),
        ({"online": {"every": 4}}, "`steps` got 2 with `online.every` 4"),
        ({"online": {"low": 2.0}}, "`online.low` got 2 and `online.high` 1"),
    ],
)
def test_what_cannot_be_is_named(clips: Path, tmp_path: Path, said: dict[str, Any], message: str) -> None:
    if said.get("online", 0) is None:
        given = {**SMALL, "model": "anisora-v1:tiny", "out": str(tmp_path), "lora": LORA}
        with pytest.raises(AnisoraError, match=message):
            run_training(read_config(PreferenceConfig, None, given), make_preference, cache=clips.parent / "cache")
        return
    with pytest.raises(AnisoraError, match=message):
        train(clips, tmp_path, **said)
