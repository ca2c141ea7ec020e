"""The suite anisora-7: the six automatic columns of the table in Index-anisora's README, for one's own clips."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from shared_data import REPOSITORY, SHARED, needs_shared

from anisora.harness.errors import ConfigError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.stages.run import custom_jobs_of, takes_any_clips
from anisora.harness.stages.session import RunOptions, preview
from anisora.harness.suite import load_suite, validate_suite
from anisora.harness.weights import digests_of
from anisora.reward.anime_reward import DIMENSIONS
from anisora.reward.character.gallery import PREPROCESS, Crop, Gallery, save_gallery
from anisora.reward.character_consistency import VARIABLE
from anisora.reward.networks.identity_embedder import WEIGHTS

NAME = "anisora-7"
PEOPLE = "human_evaluation"


def published() -> dict[str, list[dict[str, object]]]:
    path = REPOSITORY / "leaderboards" / "published" / f"{NAME}.yaml"
    content: dict[str, list[dict[str, object]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def automatic_columns() -> list[dict[str, object]]:
    """Return the published columns without that of people."""
    return [column for column in published()["columns"] if column["metric"] != PEOPLE]


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


@pytest.fixture
def _gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks with drawn weights, and a gallery that was made by such."""
    monkeypatch.setenv("ANISORA_UNTRAINED", "1")
    crops = tuple(Crop(path=f"{name}/0.png", name=name, sha256="0" * 64) for name in ("aoi", "ren"))
    drawn = np.random.default_rng(0).standard_normal((len(crops), 256)).astype(np.float32)
    made = Gallery(crops=crops, embeddings=drawn, weights=digests_of([WEIGHTS])[WEIGHTS], preprocess=PREPROCESS)
    save_gallery(made, tmp_path / "gallery.safetensors")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gallery.safetensors"))


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
    assert heads == [column.header_zh for column in load_suite(NAME).columns]


def test_the_columns_are_the_dimensions_of_the_reward_as_released() -> None:
    suite = load_suite(NAME)
    assert suite.metrics == DIMENSIONS
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
        assert len(cells) == 1 + len(suite.columns)
        for column, cell in zip(suite.columns, cells[1:], strict=True):
            low, high = registry("metrics").create(column.metric).info.value_range
            assert max(low, 0) <= float(cell.strip("*")) / column.scale <= min(high, 1)


@pytest.mark.usefixtures("_gallery")
def test_a_folder_has_neither_prompts_nor_images_and_keeps_motion_alone(clips: Path) -> None:
    pytest.importorskip("transformers")
    (bare,) = custom_jobs_of([clips], suite=NAME)
    told = preview(bare, RunOptions(out=clips.parent / "runs"))
    left_out = sorted(metric for metric in load_suite(NAME).metrics if metric != "visual_motion")
    assert f"left out: {', '.join(left_out)};" in told
    assert "visual_motion" in told


@pytest.mark.usefixtures("_gallery")
def test_a_manifest_brings_them(clips: Path) -> None:
    pytest.importorskip("transformers")
    (whole,) = custom_jobs_of([clips.parent / "items.csv"], suite=NAME, model="mine")
    told = preview(whole, RunOptions(out=clips.parent / "runs"))
    assert "left out" not in told
    assert all(metric in told for metric in load_suite(NAME).metrics)
    assert whole.run_id.startswith(f"{NAME}-mine-")
    assert whole.clusters == {"walk": "walk"}


@pytest.mark.usefixtures("_gallery")
def test_without_a_gallery_the_run_is_refused_and_the_others_can_be_named(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.delenv(VARIABLE)
    manifest, options = clips.parent / "items.csv", RunOptions(out=clips.parent / "runs")
    with pytest.raises(ConfigError, match="`character_consistency` needs a gallery of known characters: build one"):
        preview(custom_jobs_of([manifest], suite=NAME)[0], options)
    others = [metric for metric in load_suite(NAME).metrics if metric != "character_consistency"]
    (job,) = custom_jobs_of([manifest], suite=NAME, metrics=others)
    told = preview(job, options)
    assert all(metric in told for metric in others)
    assert "character_consistency" not in told
