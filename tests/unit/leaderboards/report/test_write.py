import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from html_tree import Element, parsed
from report_suite import SYSTEMS, gathered, score_suite
from scored_systems import scored_system

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.leaderboards.report.choice import KINDS
from anisora.leaderboards.report.data import ReportData, gather
from anisora.leaderboards.report.page import Media, html_page
from anisora.leaderboards.report.provenance import protocol_paragraph
from anisora.leaderboards.report.write import PAGE, draw_media, pictures_of, write_report
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.words import Words

FILES = {
    PAGE,
    "protocol.md",
    *(f"tables/leaderboard.{suffix}" for suffix in ("md", "tex", "csv", "json")),
    *(f"figures/{name}.{kind}" for name in ("intervals", "matrix") for kind in ("png", "svg", "pdf")),
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return score_suite(tmp_path_factory.mktemp("scored"), num_frames=4, width=48, height=32)


@pytest.fixture(scope="module")
def data(suite: Path) -> ReportData:
    return gathered(suite)


@pytest.fixture(scope="module")
def written(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a report."""
    return write_report(data, tmp_path_factory.mktemp("out") / "new" / "report").parent


def files_below(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def page_of(folder: Path) -> Element:
    return parsed((folder / PAGE).read_text(encoding="utf-8"))


def drawn_page(data: ReportData) -> Element:
    """The page without files and figures, which take most of the time."""
    return parsed(html_page(data, draw_media(data), Words("en")))


def test_gathering_finds_the_suite_its_items_and_the_clips_of_every_run(data: ReportData) -> None:
    assert data.suite is not None
    assert data.suite.title == data.table.title == "Small & damaged"
    assert [row.model for row in data.table.rows] == [*sorted(SYSTEMS), "ground-truth"]
    assert list(data.records) == [row.run_id for row in data.table.rows]
    items = [f"item{at:02}" for at in range(8)]
    assert list(data.samples) == list(data.items) == items
    assert set(data.clips) == {(run, item) for run in data.records for item in items}
    assert all(clip.path.is_file() for clip in data.clips.values())
    assert [breakdown.name for breakdown in data.breakdowns] == ["label"]
    assert sorted(data.breakdowns[0].sizes) == [1, 1, 1, 1, 2, 2]
    assert [choice.kind for choice in data.choices] == list(KINDS)
    assert data.matrix is not None
    assert {model for model, _ in data.matrix.expected} == set(SYSTEMS)


def test_the_columns_of_a_report_are_those_of_its_suite_in_its_language(suite: Path, data: ReportData) -> None:
    assert [column.header for column in data.table.columns] == ["sharpness", "temporal_flickering", "ssim"]
    chinese = gathered(suite, language="zh").table
    assert [column.header for column in chinese.columns] == ["锐度", "闪烁", "ssim"]
    assert chinese.footnotes[0].startswith("方括号内：95% 区间")


def test_a_report_changes_its_language_without_being_gathered_again(suite: Path, data: ReportData) -> None:
    chinese = gathered(suite, language="zh")
    assert data.in_language("zh").table.columns == chinese.table.columns
    assert chinese.in_language("en").table.columns == data.table.columns
    assert chinese.in_language("en").matrix == data.matrix
    assert chinese.in_language("en").breakdowns == data.breakdowns
    assert replace(chinese, suite=None).in_language("en").table == chinese.table
    assert list(data.scores) == list(data.records)


def test_a_report_is_a_page_tables_figures_and_the_protocol(written: Path, data: ReportData) -> None:
    found = files_below(written)
    assert set(found) == FILES
    assert all(found.values())
    assert found["protocol.md"].decode() == protocol_paragraph(data, Words("en")) + "\n"
    assert "Small & damaged" in found["tables/leaderboard.md"].decode().replace(r"\&", "&")
    assert r"\begin{table}" in found["tables/leaderboard.tex"].decode()
    lines = list(csv.DictReader(io.StringIO(found["tables/leaderboard.csv"].decode())))
    values = {(line["model"], line["metric"]): float(line["value"]) for line in lines}
    assert values == {
        (row.model, cell.metric): pytest.approx(cell.value, rel=1e-12) for row in data.table.rows for cell in row.cells
    }
    assert json.loads(found["tables/leaderboard.json"])


def test_the_page_shows_the_clips_of_the_chosen_items_and_all_items_on_a_sheet(written: Path, data: ReportData) -> None:
    read = page_of(written)
    assert len(read.all("article")) == len(data.choices) == 3
    for article, choice in zip(read.all("article"), data.choices, strict=True):
        assert choice.item in article.one("h3").text
        videos = article.all("video")
        assert [video.attributes["aria-label"] for video in videos] == ["ground-truth", *sorted(SYSTEMS)]
        assert all(video.attributes["src"].startswith("data:video/mp4;base64,") for video in videos)
        assert {video.attributes["data-frames"] for video in videos} == {"4"}
        assert len(article.one("div", class_="players").all("img")) == 1  # the first frame, which is the condition
        assert data.samples[choice.item].prompt in article.text
    assert len(read.one(id="sheet").all("img")) == 8
    assert [image.attributes["alt"] for image in read.one(id="figures").all("img")] == ["intervals", "matrix"]
    assert all(
        image.attributes["src"].startswith("data:image/svg+xml;base64,") for image in read.one(id="figures").all("img")
    )


def test_the_same_runs_give_the_same_files_in_place_of_an_earlier_report(
    written: Path, suite: Path, tmp_path: Path
) -> None:
    (tmp_path / PAGE).write_text("old", encoding="utf-8")
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    again = write_report(gathered(suite), tmp_path, workers=2).parent
    assert files_below(again) == {**files_below(written), "mine.txt": b"kept"}


def test_a_report_in_chinese_has_english_figures(written: Path, suite: Path, tmp_path: Path) -> None:
    folder = write_report(gathered(suite, examples=0, language="zh"), tmp_path, language="zh").parent
    read = page_of(folder)
    assert read.one("html").attributes["lang"] == "zh-CN"
    assert [button.text for button in read.one(id="leaderboard").all("button")][1:3] == ["锐度 →", "闪烁 ↑"]
    assert (folder / "protocol.md").read_text(encoding="utf-8").startswith("本报告在测评集 small@1")
    table = (folder / "tables" / "leaderboard.md").read_text(encoding="utf-8")
    assert table.splitlines()[2].startswith("| 系统 | 锐度 →")
    assert (table.count("方括号内"), "In brackets" in table) == (1, False)
    for kind in ("svg", "png", "pdf"):
        for name in ("intervals", "matrix"):
            path = f"figures/{name}.{kind}"
            assert (folder / path).read_bytes() == (written / path).read_bytes(), path


def test_without_examples_no_clip_is_shown(suite: Path) -> None:
    data = gathered(suite, examples=0)
    assert data.choices == ()
    read = drawn_page(data)
    assert read.all("video") == read.all("article") == []
    assert len(read.one(id="sheet").all("img")) == 8


def test_progress_is_one_step_a_picture(data: ReportData) -> None:
    steps: list[int] = []
    media = draw_media(data, advance=lambda: steps.append(1))
    digests = {data.clips[run, item].digest for run in data.records for item in {it.item for it in data.choices}}
    assert len(steps) == pictures_of(data) == len(digests) + 8
    assert media.figures == {}


def copied(suite: Path, folder: Path) -> Path:
    """A copy of the scored suite that a test may damage; its leaderboard knows the copied runs."""
    shutil.copytree(suite.parent, folder)
    (folder / "leaderboard.duckdb").unlink()
    with Leaderboard.open(folder / "leaderboard.duckdb") as board:
        board.rebuild(folder / "runs")
    return folder / "suite.yaml"


def test_clips_that_are_gone_are_left_out_and_the_numbers_stay(suite: Path, data: ReportData, tmp_path: Path) -> None:
    mine = copied(suite, tmp_path / "copy")
    for clip in mine.parent.glob("runs/*/clips/*"):
        clip.unlink()
    found = gathered(mine)
    assert found.table == data.table
    read = drawn_page(found)
    assert {video.attributes["aria-label"] for video in read.all("video")} == {"ground-truth"}


def test_a_clip_that_cannot_be_read_is_left_out(suite: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mine = copied(suite, tmp_path / "copy")
    found = gathered(mine)
    best = found.choices[0].item
    for path in mine.parent.glob(f"runs/*/clips/{best}-0.mkv"):
        path.write_bytes(b"no video at all")
    read = drawn_page(found)
    shown = [[video.attributes["aria-label"] for video in article.all("video")] for article in read.all("article")]
    assert shown == [["ground-truth"], *[["ground-truth", *sorted(SYSTEMS)]] * 2]
    assert (
        sum("left out of the report: " in record.getMessage() for record in caplog.records) == 2
    )  # a clip of each system


def without_suite_file(suite: Path) -> None:
    moved = suite.with_name("elsewhere.yaml")
    suite.rename(moved)


def of_another_version(suite: Path) -> None:
    suite.write_text(suite.read_text(encoding="utf-8").replace("version: 1", "version: 2"), encoding="utf-8")


def that_cannot_be_read(suite: Path) -> None:
    suite.write_text("name: [", encoding="utf-8")


@pytest.mark.parametrize("change", [without_suite_file, of_another_version, that_cannot_be_read])
def test_runs_are_reported_without_their_suite(suite: Path, change: Callable[[Path], None]) -> None:
    original = suite.read_text(encoding="utf-8")
    try:
        change(suite)
        found = gathered(suite)
    finally:
        suite.with_name("elsewhere.yaml").unlink(missing_ok=True)
        suite.write_text(original, encoding="utf-8")
    assert found.suite is None
    assert (found.table.title, dict(found.samples)) == ("small@1", {})
    assert len(found.items) == 8
    read = parsed(html_page(found, Media(), Words("en")))
    assert read.one("h1").text == "small@1"
    assert len(read.one(id="matrix").all("td", class_="expected")) == 0


def test_data_that_are_gone_leave_the_report_without_samples(
    suite: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = suite.with_name("items.csv")
    content = manifest.read_bytes()
    manifest.unlink()
    try:
        found = gathered(suite)
    finally:
        manifest.write_bytes(content)
    assert found.suite is not None
    assert (dict(found.samples), len(found.items)) == ({}, 8)
    assert any("the items of suite `small` are not on this machine" in it.getMessage() for it in caplog.records)


@pytest.mark.parametrize("taken", ["", "figures", "tables"])
def test_a_folder_that_cannot_be_written_is_told(data: ReportData, tmp_path: Path, taken: str) -> None:
    folder = tmp_path / "report"
    if taken:
        folder.mkdir()
    (folder / taken).write_text("a file is in the way", encoding="utf-8")
    with pytest.raises(DataError, match=r"The report cannot be written to `.*report`: .*; choose another folder with"):
        write_report(data, folder)


def test_a_language_that_is_not_known_writes_nothing(data: ReportData, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`--lang` got 'fr'"):
        write_report(data, tmp_path / "report", language="fr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("groups", "names"), [(1, []), (3, ["label"]), (6, [])])
def test_a_group_for_all_items_or_one_for_each_is_not_broken_down(groups: int, names: list[str]) -> None:
    items = {f"item-{at}": f"c{at % groups}" for at in range(6)}
    with Leaderboard.open(":memory:") as board:
        board.add(*scored_system("alpha", {"sharpness": dict.fromkeys(items, 0.5)}, items))
        assert [breakdown.name for breakdown in gather(board, "smoke").breakdowns] == names


def test_a_leaderboard_without_the_suite_is_told() -> None:
    with Leaderboard.open(":memory:") as board, pytest.raises(UnknownNameError, match=r"has: nothing yet\."):
        gather(board, "small")
