import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anisora.harness.cli import main
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.types import FrameArray, Generation, Sample
from anisora.reward.encoder_shift import ShiftClip, encoder_shift
from anisora.reward.encoder_shift_text import shift_text
from anisora.reward.metric_reward import MetricReward


def clip(seed: int, *, width: int = 64) -> ShiftClip:
    frames = render(Scene(action="walk", seed=seed, width=width, height=48, num_frames=4))
    item = Generation(sample=Sample(id=str(seed)), clip=FrameArray(frames=frames, fps=24.0), model="before")
    return ShiftClip(name=f"clip{seed}", cluster=f"clip{seed}", item=item)


@pytest.fixture(scope="module")
def clips() -> list[ShiftClip]:
    return [clip(seed) for seed in range(6)]


def test_a_lossless_encoder_changes_no_bit_and_a_lossy_one_softens(clips: list[ShiftClip]) -> None:
    report = encoder_shift(clips, ["sharpness"], ["ffv1", "h264:crf=40"])
    lossless, lossy = report.shifts
    assert (lossless.difference.estimate.value, lossless.largest, lossless.rank_correlation) == (0.0, 0.0, 1.0)
    assert lossless.difference.ties == lossless.difference.items == 6
    assert lossless.before == lossy.before
    assert lossy.difference.losses == 6
    estimate = lossy.difference.estimate
    assert estimate.high is not None
    assert estimate.high < 0
    assert lossy.corrected_p is not None
    assert lossy.corrected_p < 0.05
    text = shift_text(report)
    assert "less" in next(line for line in text.splitlines() if "crf=40" in line)


def test_the_differences_are_those_of_the_scores_of_the_files(clips: list[ShiftClip], tmp_path: Path) -> None:
    (shift,) = encoder_shift(clips[:3], ["temporal_flickering"], ["h264:crf=30"]).shifts
    before, after = [], []
    with MetricReward(["temporal_flickering"]) as judge, DecoderPool() as pool:
        for each in clips[:3]:
            assert isinstance(each.item.clip, FrameArray)
            pool.encode(each.item.clip.frames, fps=24.0, path=tmp_path / each.name, encoder="h264:crf=30")
            (tmp_path / each.name).rename(tmp_path / f"{each.name}.mp4")
            files = judge([tmp_path / f"{each.name}.mp4"], [""], fps=24)
            after.append(files.scores[0]["temporal_flickering"].value)
            before.append(judge.score_items([each.item]).scores[0]["temporal_flickering"].value)
    gaps = np.array(after, float) - np.array(before, float)
    assert shift.difference.estimate.value == pytest.approx(gaps.mean(), rel=1e-12)
    assert shift.largest == pytest.approx(np.abs(gaps).max(), rel=1e-12)
    assert shift.standardised == pytest.approx(gaps.mean() / np.std(np.array(before, float)), rel=1e-9)
    assert shift.difference.estimate.note == "3 clusters; an interval needs 6"


def test_a_clip_that_an_encoder_refuses_is_told_and_left_out(clips: list[ShiftClip]) -> None:
    report = encoder_shift([*clips[:2], clip(9, width=63)], ["sharpness", "psnr"], ["h264:crf=18"])
    (problem,) = report.problems
    assert problem.startswith("clip9: `encoder` 'h264:crf=18' got frames of 63x48")
    assert report.excluded == {"psnr": "no item has a ground truth"}
    text = shift_text(report)
    assert "sharpness under h264:crf=18: 1 clips without a score after, left out." in text
    assert "Left out: psnr: no item has a ground truth." in text
    assert "Not encoded: clip9" in text


@pytest.mark.parametrize(
    ("metrics", "encoders", "error", "message"),
    [
        (["sharpness"], [], ConfigError, r"`encoder` got \[\]"),
        (["sharpness"], ["ffv1", "ffv1"], ConfigError, "each once"),
        (["sharpness"], ["h265"], UnknownNameError, "h265"),
        (["sharpnes"], ["ffv1"], UnknownNameError, "Did you mean 'sharpness'"),
        (["psnr"], ["ffv1"], ConfigError, "No metric is left to compute"),
    ],
)
def test_what_cannot_be_is_refused(
    clips: list[ShiftClip], metrics: list[str], encoders: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        encoder_shift(clips[:1], metrics, encoders)


def data_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    with pytest.raises(SystemExit) as caught:
        main(["reward", "shift", *arguments, "--json"])
    assert int(caught.value.code or 0) == code
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    return data


def test_the_command_takes_folders_of_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DecoderPool() as pool:
        for seed, width in ((0, 64), (1, 63)):
            frames = render(Scene(action="walk", seed=seed, width=width, height=48, num_frames=3))
            pool.encode(frames, fps=24.0, path=tmp_path / f"{seed}.mkv")
    data = data_of(capsys, str(tmp_path), "--limit", "1", "--metrics", "sharpness", "--encoder", "h264:crf=30")
    assert data["clips"] == 1
    (row,) = data["shifts"]
    assert row["before"] > row["after"]
    assert row["encoder"] == "h264:crf=30"
    partly = data_of(capsys, str(tmp_path), "--metrics", "sharpness", "--encoder", "h264", code=3)
    assert len(partly["problems"]) == 1


def test_the_command_takes_videos_or_a_suite(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["clips", "--suite", "demo"]):
        with pytest.raises(SystemExit) as caught:
            main(["reward", "shift", *arguments])
        assert caught.value.code == 2
        assert "expected one of the two" in capsys.readouterr().err
