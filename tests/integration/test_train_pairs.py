"""Preference pairs from a run of a tiny model: drawn, resumed, refused, and trained on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_suite import build_suite, only_run

from anisora.harness.cli import _run
from anisora.harness.errors import AnisoraError, ConfigError, DataError
from anisora.harness.protocols import RewardBatch, RewardInfo
from anisora.harness.runfolder import RunFolder
from anisora.harness.stages.run import run as generate
from anisora.harness.stages.session import RunOptions
from anisora.reward.metric_reward import MetricReward
from anisora.training.pairs.drawing import PairOptions, draw_pairs
from anisora.training.pairs.pairs_file import read_pairs_record

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")

from anisora.training.preference_pairs import read_pairs
from anisora.training.run_log import LOG, read_log

REWARD = "metric_reward:temporal_flickering=1"
SETTINGS = ["--height", "64", "--width", "112", "--num-frames", "9", "--steps", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of two items, by a tiny model."""
    folder = tmp_path_factory.mktemp("drawn")
    suite = build_suite(folder / "suite", items=2, num_frames=9)
    model = ["generate", str(suite), "--model", "anisora-v3:tiny", "--seeds", "0-2", "--out", str(folder / "runs")]
    assert _run([*model, *SETTINGS, "--quiet"], debug=True) == 0
    return only_run(folder / "runs")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two items and three seeds whose clips may be broken."""
    folder = tmp_path_factory.mktemp("noisy")
    suite = build_suite(folder / "suite", items=2, num_frames=6)
    options = RunOptions(out=folder / "runs", db=None, mlflow=None, cache=None, generate_only=True)
    generate(str(suite), model="damage/noise", seeds=[0, 1, 2], options=options)
    return only_run(folder / "runs")


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_groups_of_a_run_become_pairs_that_preference_training_takes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    assert _run(["train", "pairs", str(run), "--reward", REWARD, "--out", str(pairs)], debug=True) == 0
    assert f"Wrote 2 pairs of 2 items and 6 clips to {pairs}" in capsys.readouterr().out
    scores = {(row["item"], row["seed"]): row["total"] for row in lines_of(tmp_path / "pairs.scores.jsonl")}
    with MetricReward({"temporal_flickering": 1.0}) as judge:
        for row in RunFolder(run).read_clips():
            assert scores[row.item_id, row.seed] == float(judge([run / row.path], [""], fps=16).total[0])
    low, high = min(scores.values()), max(scores.values())
    drawn = lines_of(pairs)
    assert [line["sample_id"] for line in drawn] == ["item00", "item01"]
    for line in drawn:
        group = {seed: total for (item, seed), total in scores.items() if item == line["sample_id"]}
        assert line["winner"] == max(group, key=lambda seed: group[seed])
        assert line["loser"] == min(group, key=lambda seed: group[seed])
        for side in ("winner", "loser"):
            expected = 100 * (group[line[side]] - low) / (high - low)
            assert line[f"{side}_reward"] == pytest.approx(expected)
    assert len(read_pairs(pairs, run, scale=100.0)) == 2
    said = ["--model", "anisora-v3:tiny", "--steps", "1", "--out", str(tmp_path / "out"), "--set", "lora.rank=2"]
    more = ["--set", "buckets=[[64, 112, 9]]", "--pairs", str(pairs), "--run", str(run), "--quiet", "--no-mlflow"]
    assert _run(["train", "preference", *said, *more, "--db", "off"], debug=True) == 0
    (line,) = read_log(tmp_path / "out" / LOG)
    first = drawn[0], drawn[1]
    gaps = [2 ** (each["winner_reward"] / 100) - 2 ** (each["loser_reward"] / 100) for each in first]
    assert any(line["loss"] == pytest.approx(np.log(2) * gap, rel=1e-5) for gap in gaps)


def test_the_record_beside_the_pairs_says_how_they_were_made(run: Path, tmp_path: Path) -> None:
    with MetricReward({"temporal_flickering": 1.0}) as judge:
        drawn = draw_pairs(run, judge, tmp_path / "pairs.jsonl", PairOptions(take="all", scale="range", score_scale=10))
        record = read_pairs_record(tmp_path / "pairs.jsonl")
        assert record is not None
        assert record["reward"]["fingerprint"] == judge.info.fingerprint
    assert record["scale"] == {"kind": "range", "top": 10, "low": 0.0, "high": 1.0}
    assert record["run"] == run.name
    assert record["untrained"] is True
    assert record["counts"] == {
        "items": 2,
        "items_without_pair": 0,
        "clips": 6,
        "invalid_clips": 0,
        "pairs": len(drawn.pairs),
    }
    assert len(drawn.pairs) == 6


def test_several_rewards_are_weighted_into_one(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    named = ["--reward", f"calm={REWARD}", "--reward", "sharp=metric_reward:sharpness=1", "--weight", "sharp=-2"]
    assert _run(["train", "pairs", str(run), *named, "--out", str(out), "--quiet"], debug=True) == 0
    for line in lines_of(tmp_path / "pairs.scores.jsonl"):
        parts = line["dimensions"]
        assert line["total"] == pytest.approx((parts["calm"] - 2 * parts["sharp"]) / 3, rel=1e-6)
    record = read_pairs_record(out)
    assert record is not None
    assert {name: record["reward"]["weights"][name] for name in ("calm", "sharp")} == {"calm": 1.0, "sharp": -2.0}


class Counting:
    """A reward that counts the clips it is asked about, and says what it is told to."""

    def __init__(self, totals: list[float]) -> None:
        self.asked: list[Path] = []
        self._totals = totals

    @property
    def info(self) -> RewardInfo:
        return RewardInfo(name="counting", dimensions=("all",), weights=(1.0,), fingerprint="counting-1")

    def __call__(self, videos: Any, prompts: Any, images: Any = None, *, fps: float) -> RewardBatch:
        values = np.array([self._totals[len(self.asked) + place] for place in range(len(videos))], np.float32)
        self.asked += videos
        if len(self.asked) > 4 and self.stop:
            raise KeyboardInterrupt
        return RewardBatch(total=values, dimensions={"all": values}, valid=np.isfinite(values), seconds=0.0)

    stop = False


def test_scoring_goes_on_where_it_was_stopped_and_begins_again_when_asked(noisy: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    judge = Counting([1, 2, 3, 4, 5, 6])
    judge.stop = True
    with pytest.raises(KeyboardInterrupt):
        draw_pairs(noisy, judge, out, PairOptions(batch_size=2))
    assert not out.exists()
    again = Counting([5, 6])
    drawn = draw_pairs(noisy, again, out, PairOptions(batch_size=2))
    assert len(again.asked) == 2
    assert [(pair.winner, pair.loser) for pair in drawn.pairs] == [(2, 0), (2, 0)]
    assert [pair.winner_reward for pair in drawn.pairs] == [40.0, 100.0]
    idle = Counting([])
    draw_pairs(noisy, idle, out, PairOptions(take="all"))
    assert idle.asked == []
    fresh = Counting([6, 5, 4, 3, 2, 1])
    drawn = draw_pairs(noisy, fresh, out, PairOptions(fresh=True))
    assert [(pair.winner, pair.loser) for pair in drawn.pairs] == [(0, 2), (0, 2)]


def test_ties_and_clips_without_a_reward_are_left_out_and_counted(noisy: Path, tmp_path: Path) -> None:
    nan = float("nan")
    drawn = draw_pairs(noisy, Counting([nan, 2, 3, 4, 4, 4]), tmp_path / "pairs.jsonl")
    assert [(pair.item, pair.winner, pair.loser) for pair in drawn.pairs] == [("item00", 2, 1)]
    record = read_pairs_record(tmp_path / "pairs.jsonl")
    assert record is not None
    assert record["counts"]["invalid_clips"] == 1
    assert record["counts"]["items_without_pair"] == 1
    with pytest.raises(DataError, match=r"gives no pair: .* apart by 0 or more of 100; expected some"):
        draw_pairs(noisy, Counting([4] * 6), tmp_path / "alike.jsonl")
    with pytest.raises(DataError, match="6 clips, none of which reward 'counting' could score"):
        draw_pairs(noisy, Counting([nan] * 6), tmp_path / "none.jsonl")


def test_a_clip_that_is_gone_broken_or_changed_is_no_loser(
    noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(noisy, copy)
    rows = {(row.item_id, row.seed): copy / row.path for row in RunFolder(copy).read_clips()}
    rows["item00", 0].unlink()
    rows["item01", 1].write_bytes(b"no clip")
    out = tmp_path / "pairs.jsonl"
    assert _run(["train", "pairs", str(copy), "--reward", REWARD, "--out", str(out), "--take", "all"], debug=True) == 3
    used = {(line["sample_id"], line[side]) for line in lines_of(out) for side in ("winner", "loser")}
    assert used == {("item00", 1), ("item00", 2), ("item01", 0), ("item01", 2)}
    told = capsys.readouterr().err
    assert "2 clips could not be scored and are in no pair: item00 seed 0: `" in told
    assert "is not there." in told
    notes = {(row["item"], row["seed"]): row["note"] for row in lines_of(tmp_path / "pairs.scores.jsonl")}
    assert notes["item01", 1] == f"`{rows['item01', 1]}` was changed after the run."


def test_what_cannot_be_is_refused(noisy: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    with pytest.raises(ConfigError, match=r"expected a file of JSON lines, such as pairs\.jsonl"):
        draw_pairs(noisy, Counting([]), tmp_path / "pairs.json")
    out.write_text("{}\n")
    with pytest.raises(ConfigError, match=r"was not written by this command\. Choose another file"):
        draw_pairs(noisy, Counting([]), out)
    out.unlink()
    draw_pairs(noisy, Counting([1, 2, 3, 4, 5, 6]), out)
    with pytest.raises(AnisoraError, match=r"scores from 0 to 100, and `score_scale` is 5; expected the same"):
        read_pairs(out, noisy, scale=5.0)
    with pytest.raises(AnisoraError, match=r"was drawn from run '.*', and `run` has other clips"):
        read_pairs(out, run, scale=100.0)
    out.write_text(out.read_text().replace('"winner":2', '"winner":1'))
    with pytest.raises(AnisoraError, match=r"is of other pairs than .* holds"):
        read_pairs(out, noisy, scale=100.0)


def test_one_clip_an_item_gives_nothing_to_compare(tmp_path: Path) -> None:
    suite = build_suite(tmp_path / "suite", items=1, num_frames=4)
    options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=None, generate_only=True)
    generate(str(suite), model="damage/noise", seeds=[0], options=options)
    with pytest.raises(ConfigError, match="has one clip an item; expected two or more to compare"):
        draw_pairs(only_run(tmp_path / "runs"), Counting([]), tmp_path / "pairs.jsonl")
