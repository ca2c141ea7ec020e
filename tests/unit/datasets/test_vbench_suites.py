"""The suites whose items are the clips that are given, vbench-i2v-8 and vbench-custom."""

import json
import re
from pathlib import Path

import pytest
import yaml
from shared_data import SHARED, needs_shared
from small_suite import anisora

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.stages.job import job_of
from anisora.harness.stages.run import custom_jobs_of, evaluate, run_spec, takes_any_clips
from anisora.harness.stages.session import RunOptions, preview
from anisora.harness.suite import load_samples, load_suite, samples_by_id, suite_of_run, validate_suite
from anisora.leaderboards.store import Leaderboard
from anisora.metrics.vbench.totals import total_scores

SUITES = ("vbench-custom", "vbench-i2v-8")


@pytest.fixture(autouse=True)
def _random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "1")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two short clips in a folder, and beside it a manifest that gives them prompts and images."""
    from PIL import Image

    folder = tmp_path / "clips"
    folder.mkdir()
    lines = ["id,video,prompt,image,label"]
    with DecoderPool() as pool:
        for place, action in enumerate(("walk", "wave")):
            scene = Scene(action=action, seed=place, width=64, height=48, num_frames=4)
            frames = render(scene)
            pool.encode(frames, fps=scene.fps, path=folder / f"{action}.mkv")
            Image.fromarray(frames[0]).save(tmp_path / f"{action}.png")
            lines.append(f"{action},clips/{action}.mkv,a girl {action}s,{action}.png,{action}")
    (tmp_path / "items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def written(folder: Path, **changes: object) -> str:
    """Write a suite without items of its own, of a metric that needs no network."""
    content = {
        "name": "any-clips",
        "version": 1,
        "title": "Any clips",
        "dataset": None,
        "reference": None,
        "track": "i2v",
        "columns": [
            {"metric": "temporal_flickering", "header": "Flicker", "scale": 100, "decimals": 2},
            {"metric": "condition_fidelity", "header": "First"},
        ],
        **changes,
    }
    path = folder / "any-clips.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value != "absent"}))
    return str(path)


# -- the two suites


@pytest.mark.parametrize("name", SUITES)
def test_the_suite_is_valid_and_its_values_are_printed_times_a_hundred(name: str) -> None:
    suite = load_suite(name)
    validate_suite(suite)
    assert {(column.scale, column.decimals) for column in suite.columns} == {(100, 2)}
    assert {registry("metrics").create(metric).info.direction for metric in suite.metrics} == {"higher"}
    assert (suite.dataset, suite.reference, suite.systems) == (None, None, ())
    assert takes_any_clips(name)
    assert not takes_any_clips("demo")


def published() -> dict[str, object]:
    path = Path(__file__).parents[3] / "leaderboards" / "published" / "vbench-i2v-8.yaml"
    content: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize(("language", "header"), [("en", "header"), ("zh", "header_zh")])
def test_the_eight_columns_are_those_of_the_published_table_in_its_order(language: str, header: str) -> None:
    columns = published()["columns"]
    suite = load_suite("vbench-i2v-8")
    assert [(column.metric, column.in_language(language).header, column.decimals) for column in suite.columns] == [
        (column["metric"], column[header], column["decimals"]) for column in columns
    ]
    assert (suite.title, suite.title_zh, suite.track) == (published()["title"], published()["title_zh"], "i2v")


@needs_shared
def test_the_eight_heads_are_those_of_the_readme() -> None:
    text = (SHARED / "seed" / "README_CN.md").read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if "运动平滑度" in line).replace("\N{NO-BREAK SPACE}", " ")
    heads = [cell.strip() for cell in head.strip("|").split("|")][1:]
    assert heads == [column.header_zh for column in load_suite("vbench-i2v-8").columns]


def test_the_published_numbers_are_plausible_at_the_scale_of_the_suite() -> None:
    rows = published()["rows"]
    suite = load_suite("vbench-i2v-8")
    for place, column in enumerate(suite.columns):
        low, high = registry("metrics").create(column.metric).info.value_range
        for row in rows:
            natural = float(row["cells"][place].strip("*")) / column.scale
            assert max(low, 0) <= natural <= min(high, 1)


def test_the_custom_suite_has_all_that_the_quality_total_needs() -> None:
    values = dict.fromkeys(load_suite("vbench-custom").metrics, 0.9)
    totals = {total.name: total for total in total_scores(values)}
    assert totals["quality"].value is not None
    assert totals["quality"].missing == ()
    assert "camera_motion" in totals["i2v"].missing


def test_the_eight_columns_make_no_total_of_vbench() -> None:
    values = dict.fromkeys(load_suite("vbench-i2v-8").metrics, 0.9)
    assert [total.name for total in total_scores(values) if total.value is not None] == []


def test_a_folder_leaves_out_what_needs_prompts_and_images_and_a_manifest_brings_them(clips: Path) -> None:
    (bare,) = custom_jobs_of([clips], suite="vbench-i2v-8")
    told = preview(bare, RunOptions(out=clips.parent / "runs"))
    assert "2 items, 2 clips, 0 missing" in told
    assert "left out: i2v_background, i2v_subject, overall_consistency;" in told
    (whole,) = custom_jobs_of([clips.parent / "items.csv"], suite="vbench-i2v-8", model="mine")
    told = preview(whole, RunOptions(out=clips.parent / "runs"))
    assert "left out" not in told
    assert all(metric in told for metric in load_suite("vbench-i2v-8").metrics)
    assert whole.run_id.startswith("vbench-i2v-8-mine-")
    assert whole.clusters == {"walk": "walk", "wave": "wave"}
    (custom,) = custom_jobs_of([clips], suite="vbench-custom")
    assert "left out: overall_consistency;" in preview(custom, RunOptions(out=clips.parent / "runs"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", SUITES)
def test_every_column_of_the_suite_is_scored_on_own_clips(name: str, clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("open_clip")
    small = Scene(action="walk", seed=1, width=192, height=128, num_frames=5)
    (clips / "wave.mkv").unlink()
    with DecoderPool() as pool:
        pool.encode(render(small), fps=8, path=clips / "walk.mkv")  # dynamic_degree wants three frames at 8 a second
    lines = (tmp_path / "items.csv").read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join(lines[:2]) + "\n")
    options = RunOptions(out=tmp_path / "runs", db=tmp_path / "board.duckdb", mlflow=None, cache=None)
    record = evaluate(name, videos=tmp_path / "one.csv", model="mine", options=options)
    assert record.status == "ok"
    assert {result.metric: result.scored for result in record.results} == dict.fromkeys(load_suite(name).metrics, 1)
    assert record.untrained is not None
    assert record.counters.decodes == 1


# -- what a suite without items is


def test_runs_of_any_clips_stand_in_one_table_under_the_suites_columns(clips: Path, tmp_path: Path) -> None:
    suite = written(tmp_path)
    board = tmp_path / "board.duckdb"
    options = RunOptions(out=tmp_path / "runs", db=board, mlflow=None, cache=None)
    record = evaluate(suite, videos=tmp_path / "items.csv", model="mine", options=options)
    assert (record.suite_key, record.spec.seeds, record.items) == ("any-clips@1:i2v", [0], 2)
    assert {result.metric for result in record.results} == {"temporal_flickering", "condition_fidelity"}
    loaded = suite_of_run(record.spec)
    assert loaded is not None
    assert samples_by_id(loaded) == {}
    with Leaderboard.open(board) as opened:
        table = opened.build_table("any-clips", loaded.columns)
    assert [column.header for column in table.columns] == ["Flicker", "First"]
    again = job_of(record.spec)
    assert f"{again.run_id}" == record.run_id
    assert again.is_custom


def test_several_folders_are_several_systems(clips: Path, tmp_path: Path) -> None:
    import shutil

    suite = written(tmp_path)
    shutil.copytree(clips, tmp_path / "other")
    jobs = custom_jobs_of([clips, tmp_path / "other"], suite=suite)
    assert [job.spec.model for job in jobs] == ["clips", "other"]
    (tmp_path / "other" / "wave.mkv").unlink()
    with pytest.raises(DataError, match=r"lacks 1 of 2 videos: 'wave' \(seed 0\)"):
        custom_jobs_of([clips, tmp_path / "other"], suite=suite)


def test_there_is_nothing_to_generate_for_and_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`vbench-custom` has no items to generate for; use a suite that has"):
        run_spec("vbench-custom", model="damage/freeze")
    told = (
        r"Suite 'vbench-custom' has no items of its own: .*; run \"anisora evaluate vbench-custom --videos DIR_OR_MAN"
    )
    with pytest.raises(ConfigError, match=told):
        load_samples(load_suite("vbench-custom"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": "absent"}, "`dataset` is missing; expected it as a key of a suite"),
        ({"reference": "ground-truth"}, "`reference` is given and `dataset` is null; expected null or none"),
        ({"systems": ["damage/freeze"]}, "`systems` is given and `dataset` is null; expected null or none"),
    ],
)
def test_a_suite_says_that_it_has_no_items_and_then_has_no_systems(
    changes: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_suite(written(tmp_path, **changes))


def test_a_choice_of_items_is_refused(clips: Path, tmp_path: Path) -> None:
    suite = written(tmp_path)
    with pytest.raises(ConfigError, match=r"`limit` got 1, but `.*any-clips.yaml` scores every clip; leave it out"):
        evaluate(suite, videos=clips, limit=1)


def test_the_command_line_shows_and_validates_such_a_suite(tmp_path: Path, clips: Path) -> None:
    shown = anisora(["suite", "show", "vbench-i2v-8"], cwd=tmp_path, check=True).stdout
    assert "anisora evaluate vbench-i2v-8 --videos DIR_OR_MANIFEST" in shown
    as_json = json.loads(anisora(["suite", "show", "vbench-custom", "--json"], cwd=tmp_path, check=True).stdout)
    assert as_json["counts"] is None
    valid = anisora(["suite", "validate", "vbench-custom"], cwd=tmp_path, check=True).stdout
    assert valid == "Suite 'vbench-custom' version 1 is valid: its items are the clips given, 8 columns.\n"
    refused = anisora(["evaluate", "vbench-custom", "--videos", clips, "--match", "order"], cwd=tmp_path)
    assert refused.returncode == 2
    assert (
        refused.stderr == "anisora: `--match` got 'order', but `vbench-custom` has no order of its own; leave it out.\n"
    )
