import csv
import io
import json
from pathlib import Path

import pytest
from shared_data import REPOSITORY

from anisora.harness.cli import main
from anisora.harness.errors import ConfigError
from anisora.leaderboards.published.agreement import agreement_with_people
from anisora.leaderboards.published.rendering import published_float, render_agreement, render_published
from anisora.leaderboards.published.tables import published_suites, published_table
from anisora.leaderboards.render import STYLES
from anisora.leaderboards.typeset import display_width
from anisora.leaderboards.words import Words

SUITES = published_suites()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Run ``anisora leaderboard`` and return (exit code, output, errors)."""
    with pytest.raises(SystemExit) as ended:
        main(["leaderboard", *arguments])
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


@pytest.mark.parametrize("suite", SUITES)
def test_text_has_the_cells_of_the_source_in_its_order(suite: str) -> None:
    table = published_table(suite)
    lines = render_published(table, "text").splitlines()
    rules = [at for at, line in enumerate(lines) if line.startswith("---")]
    assert len(rules) == 2
    body = [line.split() for line in (*lines[rules[0] + 1 : rules[1]], lines[rules[1] + 1])]
    assert [[cells[0], *(cell.strip("*★") for cell in cells[1:])] for cells in body] == [
        [row.model, *(row.text(at) for at in range(len(table.columns)))] for row in table.rows
    ]
    assert body[-1][0] == "ground-truth"
    assert not any("*" in cell or "★" in cell for cell in body[-1])
    assert lines[0].endswith(f"({suite}; reported, not reproduced)")
    assert lines[-1].startswith(
        "Source: README of Index-anisora, 2025-11-01, https://github.com/bilibili/Index-anisora/"
    )
    assert len({display_width(line) for line in lines[3 : rules[1] + 2]}) == 1


def test_text_has_headers_on_two_lines_and_marks_before_numbers() -> None:
    lines = render_published(published_table("vbench-i2v-8")).splitlines()
    assert lines[2].split()[:3] == ["Motion", "Motion", "Aesthetic"]
    assert lines[3].startswith("Model ")
    assert lines[3].split("  ")[-1] == "Consistency ↑"
    assert " ".join(lines[6].split()) == "opensora-v1.2 98.78★ 73.62★ 54.30★ 68.44 93.15 91.09 *22.68★ 87.71"
    assert max(map(display_width, lines[:15])) <= 126


def test_footnotes_tell_where_the_source_differs() -> None:
    anisora = render_published(published_table("anisora-7")).splitlines()
    assert "'-': the source has no number." in anisora
    assert "The source prints the row of anisora-v1-keyframe twice; it stands here once." in anisora
    assert "★ better than the ground truth. Of 10 rows: Visual Motion 6." in anisora
    vbench = render_published(published_table("vbench-i2v-8")).splitlines()
    assert (
        "★ better than the ground truth. Of 8 rows: Aesthetic Quality 8, Motion Smoothness 6, Motion Score 6, Overall "
        "Consistency 4, Subject Consistency 3, Imaging Quality 2, I2V Background 2, I2V Subject 1." in vbench
    )
    assert (
        "The source does not print Overall Consistency of opensora-v1.2 (22.68) in bold; bold here is computed."
        in vbench
    )
    assert not any("twice" in line or line.startswith("'-'") for line in vbench)


def test_markdown_has_computed_bold_the_ground_truth_apart_and_a_link() -> None:
    lines = render_published(published_table("anisora-7"), "markdown").splitlines()
    assert lines[4] == "| vidu-1.5 | 60.98 | 55.37 | **78.95★** | 50.68 | 60.71 | 66.85 | 82.57 |"
    assert lines[11] == "| anisora-v2 | - | **86.98** | 50.34 | **85.91** | **90.98** | **91.96** | 92.75 |"
    assert lines[14] == "|  |  |  |  |  |  |  |  |"
    assert lines[15] == "| *ground-truth* | - | 92.20 | 58.27 | 89.72 | 92.51 | 94.69 | 95.08 |"
    assert lines[-1] == f"- Source: [README of Index-anisora]({published_table('anisora-7').source.url}), 2025-11-01"


def test_latex_is_a_balanced_booktabs_table() -> None:
    text = render_published(published_table("anisora-7"), "latex")
    assert text.count("{") == text.count("}")
    assert (text.count(r"\toprule"), text.count(r"\midrule"), text.count(r"\bottomrule")) == (1, 2, 1)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert [line.count(" & ") for line in rows] == [7] * 12
    assert rows[8] == (
        r"anisora-v2 & -- & \textbf{86.98} & 50.34 & \textbf{85.91} & \textbf{90.98} & \textbf{91.96} "
        r"& \underline{92.75} \\"
    )
    assert rows[-1] == r"ground-truth & -- & 92.20 & 58.27 & 89.72 & 92.51 & 94.69 & 95.08 \\"
    assert "↑" not in text
    assert "★" not in text


@pytest.mark.parametrize("suite", SUITES)
def test_the_second_best_of_each_column_is_underlined_and_never_the_ground_truth(suite: str) -> None:
    table = published_table(suite)
    for at in range(len(table.columns)):
        merits = sorted((it for row in table.generated if (it := table.merit(row, at)) is not None), reverse=True)
        assert merits[0] > merits[1] > merits[-1]
        assert [row.model for row in table.rows if table.is_second(row, at)] == [
            row.model for row in table.generated if table.merit(row, at) == merits[1]
        ]
    assert render_published(table, "latex").count(r"\underline{") == len(table.columns)


def test_a_float_in_chinese_has_chinese_heads_and_says_that_nothing_was_reproduced() -> None:
    text = "\n".join(published_float(published_table("anisora-7"), Words("zh")))
    assert r"\caption{AniSora 基准：人工评分与 AnimeReward 六个维度 (anisora-7; 作者报告，未经复现)}" in text
    assert "系统 & " in text
    assert "视觉吸引力" in text
    assert "下划线：该列次佳。" in text


@pytest.mark.parametrize("suite", SUITES)
def test_csv_has_a_line_per_row_and_column_with_the_number_as_printed(suite: str) -> None:
    table = published_table(suite)
    lines = list(csv.DictReader(io.StringIO(render_published(table, "csv"))))
    assert len(lines) == len(table.rows) * len(table.columns)
    cells = [(row.model, metric, row.text(at)) for row in table.rows for at, metric in enumerate(table.metrics)]
    assert [(line["model"], line["metric"], line["printed"] or "-") for line in lines] == cells
    assert {line["status"] for line in lines} == {"reported, not reproduced"}
    assert {line["best"] for line in lines if line["reference"] == "true"} == {"false"}


def test_json_holds_the_table_its_source_and_what_was_computed() -> None:
    content = json.loads(render_published(published_table("vbench-i2v-8"), "json"))
    assert content["status"] == "reported, not reproduced"
    assert content["source"]["commit"] == "171fe63409792bf7f0bd9d825f83c20fe8ec5477"
    assert content["columns"][0]["header_zh"] == "运动平滑度"
    assert content["above_reference"]["aesthetic_quality"] == 8
    row = content["rows"][1]
    assert (row["model"], row["printed"], row["reference"]) == ("opensora-v1.2", "Opensora(V1.2)", False)
    assert row["cells"][2] == {
        "metric": "aesthetic_quality",
        "header": "Aesthetic Quality",
        "direction": "higher",
        "printed": "54.30",
        "value": 54.3,
        "best": False,
        "second": False,
        "above_reference": True,
        "bold_in_source": False,
    }
    assert [cell["best"] != cell["bold_in_source"] for cell in row["cells"]] == [False] * 6 + [True, False]


def test_a_style_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="`--format` got 'html'; expected one of text, markdown, latex, csv, json"):
        render_published(published_table("anisora-7"), "html")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="`style` got 'csv'; expected 'text' or 'markdown'"):
        render_agreement(agreement_with_people(), "csv")  # type: ignore[arg-type]


def test_the_agreement_is_told_column_by_column_and_in_a_sentence() -> None:
    lines = render_agreement(agreement_with_people()).splitlines()
    assert lines[2].split() == ["Column", "Table", "rho", "p", "p", "(Holm)", "tau", "Pairs"]
    assert "Image-Video Consistency     anisora-7   1.00  0.0028    0.0389   1.00   1.00" in lines
    assert "mean of 8 columns        vbench-i2v-8  -0.14  0.8028         -  -0.07   0.47" in lines
    assert sum(line.startswith("---") for line in lines) == 3
    assert any(
        line.startswith("The mean of VBench's 8 columns has rank correlation -0.14 with people") for line in lines
    )


def test_the_documentation_has_the_agreement_as_it_is_computed() -> None:
    page = (REPOSITORY / "docs" / "published.md").read_text(encoding="utf-8")
    assert render_agreement(agreement_with_people(), "markdown").partition("\n\n")[2] in page


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("suite", SUITES)
def test_the_command_prints_published_rows_without_a_leaderboard(
    suite: str, style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = shown(capsys, suite, "--published", "--format", style)
    assert (code, err) == (0, "")
    assert out == render_published(published_table(suite), style)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_which_suites_have_published_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = shown(capsys, "show", "demo", "--published")
    assert (code, out) == (2, "")
    assert err == ("anisora: Published table 'demo' is not known. Published rows exist for: anisora-7, vbench-i2v-8.\n")
    for suite in ("anisora-7", "anisora-7@1"):
        code, out, err = shown(capsys, suite)
        assert (code, out) == (2, "")
        assert err.endswith("(rows that others report: anisora leaderboard anisora-7 --published)\n")
        assert len(err.splitlines()) == 1
    assert "--published" not in shown(capsys, "demo")[2]


@pytest.mark.parametrize(
    "more",
    [("--sort-by", "psnr"), ("--metrics", "psnr"), ("--models", "a"), ("--allow-diff", "x"), ("--show-untrained",)],
)
def test_the_command_shows_published_rows_whole(more: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = shown(capsys, "anisora-7", "--published", *more)
    assert (code, out) == (2, "")
    assert err.startswith(f"anisora: `--published` got `{more[0]}` too; the rows of others are shown as printed;")
