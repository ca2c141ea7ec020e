import json
from pathlib import Path

import numpy as np
import pytest

from anisora.harness.cli import main
from anisora.harness.errors import AnisoraError, ConfigError, DataError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import RunFolder, sha256_of_file
from anisora.harness.stages.run import RunOptions, evaluate
from anisora.reward.constants import Constants, measure_constants, read_constants, write_constants
from anisora.reward.metric_reward import MetricReward, reward
from anisora.reward.normalised_reward import NormalisedReward

METRICS = ["sharpness", "temporal_flickering", "psnr"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over four clips, one of them a single frame, which has no flicker."""
    folder = tmp_path_factory.mktemp("constants")
    (folder / "clips").mkdir()
    with DecoderPool() as pool:
        for seed in range(4):
            scene = Scene(action="walk", seed=seed, width=64, height=48, num_frames=5)
            frames = render(scene)[: 1 if seed == 3 else None]
            pool.encode(frames, fps=24.0, path=folder / "clips" / f"{seed}.mkv")
    options = RunOptions(out=folder / "runs", db=None, mlflow=None, cache=None)
    record = evaluate("custom", videos=folder / "clips", metrics=METRICS[:2], options=options)
    return options.out / record.run_id


@pytest.fixture(scope="module")
def measured(run: Path) -> Constants:
    return measure_constants([run], name="tiny")


def test_constants_are_the_mean_and_deviation_of_the_scores_that_are_there(run: Path, measured: Constants) -> None:
    assert set(measured.dimensions) == set(METRICS[:2])
    for metric, each in measured.dimensions.items():
        rows = [row for row in RunFolder(run).read_scores() if row.metric == metric]
        values = [row.value for row in rows if row.value is not None]
        assert (each.count, each.left_out) == (len(values), len(rows) - len(values))
        assert each.mean == pytest.approx(np.mean(values), rel=1e-12)
        assert each.std == pytest.approx(np.std(values), rel=1e-12)
    assert measured.dimensions["temporal_flickering"].left_out == 1
    assert measured.runs[0].scores_sha256 == sha256_of_file(RunFolder(run).scores_path)


def test_a_file_of_constants_is_read_as_it_was_written_or_not_at_all(measured: Constants, tmp_path: Path) -> None:
    path = tmp_path / "constants.json"
    write_constants(measured, path)
    assert read_constants(path) == measured
    with pytest.raises(ConfigError, match="is there already"):
        write_constants(measured, path)
    data = json.loads(path.read_text())
    data["dimensions"]["sharpness"]["mean"] += 1
    path.write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"constants\.json` says digest .* measure the constants again"):
        read_constants(path)
    for text in ("[]", "{}", "no json", json.dumps(data | {"format": 2})):
        path.write_text(text)
        with pytest.raises(DataError, match=r"constants\.json` holds no constants"):
            read_constants(path)
    with pytest.raises(DataError, match="absent"):
        read_constants(tmp_path / "absent.json")


def test_raw_and_normalised_are_both_in_a_batch_and_the_total_is_of_the_normalised(measured: Constants) -> None:
    frames = render(Scene(action="walk", seed=7, width=64, height=48, num_frames=5)).transpose(0, 3, 1, 2)[None]
    weights = {"sharpness": 2.0, "temporal_flickering": -1.0}
    with NormalisedReward(MetricReward(weights), measured) as judge, MetricReward(weights) as plain:
        batch, raw = judge(frames, [""], fps=24), plain(frames, [""], fps=24)
        assert judge.info.constants == f"tiny@{measured.digest}"
        assert judge.info.fingerprint != plain.info.fingerprint
        renamed = measured.model_copy(update={"name": "other"})
        assert NormalisedReward(plain, renamed).info.fingerprint == judge.info.fingerprint
    expected = 0.0
    for name, weight in weights.items():
        known = measured.dimensions[name]
        assert batch.dimensions[name] == raw.dimensions[name]
        z = (float(raw.dimensions[name][0]) - known.mean) / known.std
        assert batch.normalised[name][0] == np.float32(z)
        expected += weight * z / 3
    assert float(batch.total[0]) == pytest.approx(expected, rel=1e-6)
    assert raw.normalised == {}


def test_constants_serve_only_the_dimensions_they_were_measured_for(measured: Constants) -> None:
    with pytest.raises(ConfigError, match="Constants 'tiny' have no `psnr`, which is weighed"):
        NormalisedReward(MetricReward({"psnr": 1.0}), measured)
    NormalisedReward(MetricReward({"sharpness": 1.0}, reported=["psnr"]), measured)
    other = measured.dimensions["sharpness"].model_copy(update={"protocol": "0" * 64})
    changed = measured.model_copy(update={"dimensions": {"sharpness": other}})
    with pytest.raises(ConfigError, match="of `sharpness` were measured where its numbers were made in another way"):
        NormalisedReward(MetricReward({"sharpness": 1.0}), changed)


def test_the_command_writes_what_a_reward_takes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "anime.json"
    with pytest.raises(SystemExit) as caught:
        main(["reward", "constants", str(run), "--metrics", "sharpness", "--out", str(out)])
    assert not caught.value.code
    shown = capsys.readouterr().out
    with reward("metric_reward:sharpness=1", constants=out) as judge:  # type: ignore[attr-defined]
        label = judge.info.constants
    assert label.startswith("anime@")
    assert label.removeprefix("anime@")[:16] in shown
    assert set(read_constants(out).dimensions) == {"sharpness"}


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        (["sharpnes"], UnknownNameError, "Did you mean 'sharpness'"),
        (["psnr"], UnknownNameError, "The runs have sharpness, temporal_flickering"),
    ],
)
def test_a_metric_that_no_run_has_is_refused(
    run: Path, metrics: list[str], error: type[AnisoraError], message: str
) -> None:
    with pytest.raises(error, match=message):
        measure_constants([run], name="x", metrics=metrics)


def test_equal_values_have_no_deviation(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = RunFolder(run).read_scores()
    monkeypatch.setattr(RunFolder, "read_scores", lambda _: rows[:1])
    assert rows[0].value is not None
    with pytest.raises(DataError, match="`sharpness` has 1 different values over 1 clips; expected 2 or more"):
        measure_constants([run], name="x")
    with pytest.raises(ConfigError, match="`runs` got 0"):
        measure_constants([], name="x")
