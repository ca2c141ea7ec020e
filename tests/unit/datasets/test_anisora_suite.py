"""The suite anisora-7: the six automatic columns of the table in Index-anisora's README, for one's own clips."""

from pathlib import Path

import pytest
import yaml
from shared_data import REPOSITORY, SHARED, needs_shared

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.stages.run import custom_jobs_of, takes_any_clips
from anisora.harness.stages.session import RunOptions, preview
from anisora.harness.suite import load_suite, validate_suite
from anisora.reward.anime_reward import DIMENSIONS

NAME = "anisora-7"
PEOPLE = "human_evaluation"


def published() -> dict[str, list[dict[str, object]]]:
    path = REPOSITORY / "leaderboards" / "published" / f"{NAME}.yaml"
    content: dict[str, list[dict[str, object]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def automatic_columns() -> list[dict[str, object]]:
    """Return the published columns that metrics can fill."""
    return [column for column in published()["columns"] if column["metric"] in registry("metrics").names()]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """One short clip in a folder, and beside it a manifest that gives it a prompt and an image."""
    from PIL import Image

    folder = tmp_path / "clips"
    folder.mkdir()
    scene = Scene(action="walk", seed=0, width=64, height=48, num_frames=4)
    frames = render(scene)
    with DecoderPool() as pool:
        pool.encode(frames, fps=scene.fps, path=folder / "walk.mkv")
    Image.fromarray(frames[0]).save(tmp_path / "walk.png")
    lines = ["id,video,prompt,image,label", "walk,clips/walk.mkv,a girl walks,walk.png,walk"]
    (tmp_path / "items.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_the_suite_is_valid_and_its_values_are_printed_times_a_hundred() -> None:
    suite = load_suite(NAME)
    validate_suite(suite)
    assert {(column.scale, column.decimals) for column in suite.columns} == {(100, 2)}
    assert (suite.dataset, suite.reference, suite.systems, suite.track) == (None, None, (), "i2v")
    assert takes_any_clips(NAME)


@pytest.mark.parametrize(("language", "header"), [("en", "header"), ("zh", "header_zh")])
def test_the_columns_are_those_of_the_published_table_in_its_order(language: str, header: str) -> None:
    assert [
        (column.metric, column.in_language(language).header, column.decimals) for column in load_suite(NAME).columns
    ] == [(column["metric"], column[header], column["decimals"]) for column in automatic_columns()]


@needs_shared
def test_the_chinese_heads_are_those_of_the_readme() -> None:
    text = (SHARED / "seed" / "README_CN.md").read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if "视觉平滑" in line).replace("\N{NO-BREAK SPACE}", " ")
    heads = [cell.strip().strip("*") for cell in head.strip().strip("|").split("|")][2:]
    assert heads[: len(automatic_columns())] == [column.header_zh for column in load_suite(NAME).columns]


def test_the_columns_are_the_dimensions_of_the_reward_as_released() -> None:
    suite = load_suite(NAME)
    assert suite.metrics == tuple(name for name in DIMENSIONS if name in registry("metrics").names())
    infos = {metric: registry("metrics").create(metric).info for metric in suite.metrics}
    assert {info.mode for info in infos.values()} == {"reference"}
    assert {info.group for info in infos.values()} == {"reward"}
    assert [metric for metric, info in infos.items() if info.direction != "higher"] == ["visual_motion"]


def test_people_are_no_metric() -> None:
    assert published()["columns"][0]["metric"] == PEOPLE
    assert PEOPLE not in registry("metrics").names()


def test_the_published_numbers_are_plausible_at_the_scale_of_the_suite() -> None:
    suite = load_suite(NAME)
    for row in published()["rows"]:
        cells = row["cells"]
        assert isinstance(cells, list)
        assert len(cells) == 1 + len(DIMENSIONS)
        for column, cell in zip(suite.columns, cells[1 : 1 + len(suite.columns)], strict=True):
            low, high = registry("metrics").create(column.metric).info.value_range
            assert max(low, 0) <= float(cell.strip("*")) / column.scale <= min(high, 1)


def test_a_folder_has_neither_prompts_nor_images_and_keeps_motion_alone(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "1")
    (bare,) = custom_jobs_of([clips], suite=NAME)
    told = preview(bare, RunOptions(out=clips.parent / "runs"))
    left_out = sorted(metric for metric in load_suite(NAME).metrics if metric != "visual_motion")
    assert f"left out: {', '.join(left_out)};" in told
    assert "visual_motion" in told


def test_a_manifest_brings_them(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "1")
    (whole,) = custom_jobs_of([clips.parent / "items.csv"], suite=NAME, model="mine")
    told = preview(whole, RunOptions(out=clips.parent / "runs"))
    assert "left out" not in told
    assert all(metric in told for metric in load_suite(NAME).metrics)
    assert whole.run_id.startswith(f"{NAME}-mine-")
    assert whole.clusters == {"walk": "walk"}
