"""From ratings to a head to scores, as a user goes: by the command line."""

import json
from pathlib import Path

import pytest
from documentation import rated_clips
from small_suite import anisora, only_run

from anisora.harness.runfolder import RunFolder


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rated")
    rated_clips().write_rated_clips(folder / "rated", 12, width=96, height=64, num_frames=4)
    return folder


FIT = ["reward", "fit", "--ratings", "rated/ratings.csv", "--videos", "rated/clips.csv", "--frames", "4"]


def test_a_head_is_fitted_scored_and_compared_by_the_command_line(rated: Path) -> None:
    pixels = ["--features", "frame_statistics,temporal_difference"]
    shown = anisora([*FIT, *pixels, "--out", "head"], cwd=rated, check=True).stdout
    assert "| test | 10 | 2 |" in shown
    assert "fitted_head:path=head" in shown
    arguments = ["evaluate", "custom", "--videos", "rated/clips.csv", "--metrics", "fitted_head:path=head,sharpness"]
    anisora([*arguments, "--out", "runs", "--db", "board.duckdb"], cwd=rated, check=True)
    run = RunFolder(only_run(rated / "runs"))
    rows = [row for row in run.read_scores() if row.metric == "fitted_head:path=head"]
    assert len(rows) == 60
    assert {row.status for row in rows} == {"ok"}
    for source in (["--run", str(run.path)], ["--run", run.path.name, "--db", "board.duckdb"]):
        done = anisora(["reward", "agree", "rated/ratings.csv", *source, "--json"], cwd=rated, check=True)
        found = {row["metric"]: row for row in json.loads(done.stdout)}
        assert found["fitted_head:path=head"]["items"] == 60
        assert found["fitted_head:path=head"]["spearman"]["value"] > 0.2
        assert found["sharpness"]["direction"] == "reference"
    anisora(["verify", run.path], cwd=rated, check=True)
    (rated / "head" / "head.safetensors").write_bytes(b"other")
    changed = anisora(["verify", run.path], cwd=rated)
    assert changed.returncode == 1
    assert "was altered" in changed.stdout
    refused = anisora([*arguments, "--out", "again", "--db", "off"], cwd=rated)
    assert refused.returncode == 2
    assert "was altered" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reward", "agree"], "`RATINGS` is missing"),
        (["reward", "agree", "rated/ratings.csv"], "`--run` and `--scores`: expected one of the two"),
        (["reward", "agree", "rated/ratings.csv", "--published"], "leave one of the two out"),
        (["reward", "agree", "rated/ratings.csv", "--run", "no-such-run"], "does not exist"),
        (["reward", "fit", "--ratings", "rated/ratings.csv", "--out", "h"], "`--videos` and `--run`: expected one"),
        ([*FIT, "--out", "h", "--dimension", "appeal"], "`--dimension` got 'appeal'; the file has overall"),
        ([*FIT, "--out", "h", "--features", "efficientnet"], "did you mean 'efficientnet_lite0'"),
        ([*FIT, "--out", "h", "--scale", "1-4"], "line 2: column `rating` got '5'; expected a number from 1 to 4"),
        (["reward", "fti"], "Did you mean 'fit'?"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, rated: Path) -> None:
    done = anisora(arguments, cwd=rated)
    assert done.returncode == 2, done.stderr
    assert message.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.long
def test_frozen_features_of_a_network_tell_the_severity_on_scenes_that_were_never_seen(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    rated_clips().write_rated_clips(tmp_path / "rated", 50, num_frames=4)
    for table, extra in (("ratings.csv", []), ("pairs.csv", [])):
        arguments = ["reward", "fit", "--ratings", f"rated/{table}", "--videos", "rated/clips.csv", "--frames", "2"]
        done = anisora([*arguments, *extra, "--out", "head", "--json"], cwd=tmp_path, check=True, timeout=900)
        found = json.loads(done.stdout)["quality"]["test"]["pairs_of_one_first_frame"]["accuracy"]
        assert found["clusters"] == 10
        assert found["low"] > 0.5
        assert found["value"] > 0.8
    manifest = tmp_path / "rated" / "few.csv"
    manifest.write_text("\n".join((tmp_path / "rated" / "clips.csv").read_text().splitlines()[:11]) + "\n")
    scored = ["evaluate", "custom", "--videos", manifest, "--metrics", "fitted_head:path=head", "--db", "off"]
    anisora([*scored, "--out", "runs"], cwd=tmp_path, check=True, timeout=300)
    rows = RunFolder(only_run(tmp_path / "runs")).read_scores()
    assert [row.status for row in rows] == ["ok"] * 10
