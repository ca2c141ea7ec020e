"""What is written for papers, compiled by a real TeX: it fits the page, and the numbers are on it."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from report_suite import gathered, score_suite
from scored_systems import TRUTH, Scored
from tex import ENGINES, NEEDS_TEX, Compiled, compiled, has_chinese_font

from anisora.harness.suite import Column
from anisora.leaderboards.cell_text import INTERVALS
from anisora.leaderboards.published.rendering import render_published
from anisora.leaderboards.published.tables import PublishedTable, published_tables
from anisora.leaderboards.render import render
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figures import save_figures
from anisora.leaderboards.report.paper.document import FONTS, PaperFigure
from anisora.leaderboards.report.paper.write import write_paper
from anisora.leaderboards.table import LeaderboardTable

pytestmark = NEEDS_TEX

OVERFULL = 5.0
"""Points by which a line may be too long."""
CASES = [("en", "pdflatex"), ("en", "xelatex"), ("zh", "xelatex")]
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\ifdefined\XeTeXversion\else\usepackage[T1]{fontenc}\fi
\begin{document}
%s
\end{document}
"""
HOSTILE = (
    *("a_b%c$d&e#f{g}h~i^j\\k", r"\input{/etc/passwd}", "<script>alert(1)</script>", "=cmd|'/C calc'!A0", "*starred"),
    *("[x]bracket", "--dash--''q''``b``,,c", "%comment", r"\end{tabular}", "^^5cinput", "a\x1b[31m\n\\par", "$$x$$"),
    *("n" * 150, "动画模型·二号", "emoji 😀 é ő я α", "e\u0301"),
)


def skip_without_font(language: str) -> None:
    if language == "zh" and not has_chinese_font():
        pytest.skip("no font for Chinese is installed (fonts-noto-cjk)")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return score_suite(tmp_path_factory.mktemp("scored"), num_frames=4, width=48, height=32)


def numbers_of(table: LeaderboardTable) -> list[str]:
    return [
        column.format(cell.value)
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.value is not None
    ]


def ascii_text(told: Compiled) -> str:
    """The text, with dashes and quotes of print as those of ASCII; fonts share their shapes."""
    dashes = dict.fromkeys("\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}", "-")
    return told.text.translate(str.maketrans({**dashes, "\N{RIGHT SINGLE QUOTATION MARK}": "'"}))


def wide(language: str) -> ReportData:
    """Twelve columns of twelve systems with names that are long."""
    metrics = ["sharpness", "flicker", "flow", *(f"metric_{at}" for at in range(9))]
    items = [f"item-{at}" for at in range(8)]
    values = {
        f"{'family/of-' if at else TRUTH}{f'systems-{at}:setting={at / 10}' if at else ''}": {
            metric: {item: (7 * at + 3 * place + 5 * number) % 11 / 11 for place, item in enumerate(items)}
            for number, metric in enumerate(metrics)
        }
        for at in range(13)
    }
    columns = [Column(metric=metric, header=f"{metric} of twelve", scale=100, decimals=2) for metric in metrics]
    return Scored(values, columns, title="Wide", language=language).report()


@pytest.mark.parametrize(("language", "engine"), CASES)
def test_a_pack_of_a_real_suite_fits_the_page_with_every_number(
    suite: Path, tmp_path: Path, language: str, engine: str
) -> None:
    skip_without_font(language)
    data = gathered(suite, language=language)
    drawn = save_figures(tmp_path / "figures", data.table, data.matrix)
    figures = [PaperFigure(path=path, caption=path.stem) for path in drawn if path.suffix == ".pdf"]
    paper = write_paper(data, tmp_path, language=language, figures=figures)
    told = compiled(paper, engine)
    assert told.overfull <= OVERFULL
    assert "Missing character" not in told.log
    assert "undefined" not in told.log
    for number in numbers_of(data.table):
        assert number in ascii_text(told)
    for row in data.table.rows:
        assert row.model.partition(":")[0] in ascii_text(told)
    said = {
        "en": ("Reproducibility checklist", "References", "Small & damaged"),
        "zh": ("可复现性清单", "参考文献", "表 1"),
    }
    assert all(text in told.text for text in said[language])
    assert "[?]" not in told.text


@pytest.mark.parametrize(("language", "engine"), CASES)
@pytest.mark.parametrize("published", published_tables(), ids=lambda table: table.suite)
def test_published_tables_fit_beside_a_table_of_twelve_columns(
    tmp_path: Path, published: PublishedTable, language: str, engine: str
) -> None:
    skip_without_font(language)
    data = wide(language)
    paper = write_paper(data, tmp_path, language=language, published=published)
    told = compiled(paper, engine)
    assert told.overfull <= OVERFULL
    assert "Missing character" not in told.log
    text = ascii_text(told)
    for number in numbers_of(data.table):
        assert number in text
    for row in published.rows:
        lines = [line for line in text.splitlines() if re.match(rf"\s*{re.escape(row.model)}\s", line)]
        found = [re.findall(r"\d+\.\d+", line.replace(row.model, "", 1)) for line in lines]
        assert [row.text(at) for at in range(len(row.cells)) if row.text(at) != "-"] in found
    assert {"en": "reported, not reproduced", "zh": "未经复现"}[language] in text


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_leaderboard_prints_compiles_in_a_plain_document(tmp_path: Path, engine: str) -> None:
    data = wide("en")
    floats = [render(data.table, "latex", intervals=intervals) for intervals in INTERVALS]  # type: ignore[arg-type]
    floats += [render_published(table, "latex") for table in published_tables()]
    document = tmp_path / "plain.tex"
    document.write_text(DOCUMENT % "\n".join(floats), encoding="utf-8")
    told = compiled(document, engine, times=1)
    assert told.overfull <= OVERFULL
    assert "Missing character" not in told.log
    for table in published_tables():
        for row in table.rows:
            for at in range(len(row.cells)):
                assert row.text(at) == "-" or row.text(at) in told.text


def hostile(language: str) -> ReportData:
    values = {
        name: {"sharpness": {f"i{place}": at / 20 + place / 1000 for place in range(8)}}
        for at, name in enumerate([*HOSTILE, TRUTH])
    }
    columns = [Column(metric="sharpness", header="S_h%arp & $x$ \\foo", decimals=3)]
    return Scored(values, columns, title="Ti_tle % \\bad & 动", language=language).report()


@pytest.mark.parametrize(("language", "engine"), CASES)
def test_hostile_names_are_text_on_the_page(tmp_path: Path, language: str, engine: str) -> None:
    skip_without_font(language)
    paper = write_paper(hostile(language), tmp_path, language=language)
    told = compiled(paper, engine)
    assert told.overfull <= OVERFULL
    assert "Missing character" not in told.log
    text = ascii_text(told)
    for name in (
        "a_b%c$d&e#f{g}h~i^j\\k",
        r"\input{/etc/passwd}",
        "*starred",
        "[x]bracket",
        "%comment",
        r"\end{tabular}",
    ):
        assert name in text, name
    assert r"a\x1b[31m\x0a\par" in text
    assert "--dash--''q''" in text
    assert "root:" not in text
    if engine == "pdflatex":
        assert "[U+52A8][U+753B]" in text
    elif has_chinese_font():
        assert "动画模型" in text


def test_bibtex_takes_the_references_and_the_paper_theirs(tmp_path: Path) -> None:
    if shutil.which("bibtex") is None:
        pytest.skip("bibtex is not on the PATH")
    paper = write_paper(wide("en"), tmp_path)
    compiled(paper, "pdflatex", times=1)
    done = subprocess.run(["bibtex", "paper"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "arning" in done.stdout) == (0, False), done.stdout
    told = compiled(paper, "pdflatex")
    assert "Robert M. Bell and Daniel F. McCaffrey" in told.text
    assert told.overfull <= OVERFULL


def test_a_missing_chinese_font_is_one_line_that_names_the_package(tmp_path: Path) -> None:
    data = wide("zh")
    paper = write_paper(data, tmp_path, language="zh")
    text = paper.read_text(encoding="utf-8")
    for font in FONTS:
        assert text.count(font) == 2
        text = text.replace(font, "No Such Font")
    paper.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError) as refused:
        compiled(paper, "xelatex", times=1)
    assert "There is no Chinese font; install one: apt install fonts-noto-cjk" in str(refused.value)


def test_chinese_by_another_engine_is_one_line_that_names_the_right_one(tmp_path: Path) -> None:
    paper = write_paper(wide("zh"), tmp_path, language="zh")
    with pytest.raises(AssertionError, match=r"Chinese text needs XeTeX; run xelatex paper\.tex"):
        compiled(paper, "pdflatex", times=1)


def test_a_table_of_eighty_systems_stays_on_its_page(tmp_path: Path) -> None:
    values = {
        f"system-{at:02}": {"sharpness": {f"i{place}": at / 100 + place / 1000 for place in range(8)}}
        for at in range(80)
    }
    data = Scored(values).report(matrix=None)
    told = compiled(write_paper(data, tmp_path), "pdflatex")
    assert told.overfull <= OVERFULL
    assert "Float too large" not in told.log
    assert all(f"system-{at:02}" in told.text for at in range(80))


def test_the_numbers_are_those_of_the_table_and_not_of_another(suite: Path, tmp_path: Path) -> None:
    data = gathered(suite)
    rows = tuple(
        replace(row, cells=tuple(replace(cell, value=None, low=None, high=None) for cell in row.cells))
        for row in data.table.rows
    )
    told = compiled(write_paper(replace(data, table=replace(data.table, rows=rows)), tmp_path), "pdflatex")
    assert not any(number in told.text for number in numbers_of(data.table) if len(number) > 4)
