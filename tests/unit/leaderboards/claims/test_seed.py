"""The README that the project starts from: what its two tables of results say that does not follow, and no more."""

import pytest
from shared_data import SHARED

from anisora.leaderboards.claims.check import check_claims
from anisora.leaderboards.claims.findings import Report
from anisora.leaderboards.claims.sources import known_tables
from anisora.leaderboards.published.tables import published_tables

SEED = SHARED / "seed" / "README_CN.md"
VBENCH = "VBench 结果"


@pytest.fixture(scope="module")
def report() -> Report:
    if not SEED.is_file():
        pytest.skip("the document that the project starts from, ../shared/seed/README_CN.md, is not there")
    return check_claims(SEED, *known_tables())


def test_its_tables_of_results_are_compared_cell_for_cell(report: Report) -> None:
    assert [(table.suite, table.cells) for table in report.tables] == [("vbench-i2v-8", 9 * 8), ("anisora-7", 12 * 7)]
    assert report.found == 5  # three show clips


def test_the_doubled_row_and_the_cells_of_wrong_bold_are_flagged_and_nothing_else(report: Report) -> None:
    assert [(it.kind, it.row, it.column, it.expected) for it in report.flagged] == [
        ("bold", "Opensora(V1.2)", "整体一致性", "bold"),
        ("doubled-row", "AniSora-V1 (KeyFrame Interp)", "", "once"),
    ]


def test_the_flagged_bold_is_that_in_which_the_published_tables_differ_from_their_source(report: Report) -> None:
    flagged = {(it.row, it.column) for it in report.flagged if it.kind == "bold"}
    headings = {
        (table.row(model).printed, table.columns[table.metrics.index(metric)].header_zh)
        for table in published_tables()
        for model, metric in table.bold_differences()
    }
    spelt_alike = {tuple(text.replace("\N{NON-BREAKING HYPHEN}", "-") for text in pair) for pair in flagged}
    assert spelt_alike == headings


def test_flagged_lines_are_those_of_the_file(report: Report) -> None:
    lines = SEED.read_text(encoding="utf-8").splitlines()
    for found in report.flagged:
        assert found.row in lines[found.line - 1].replace("\N{NO-BREAK SPACE}", " ")


def test_cells_that_the_source_leaves_empty_and_claims_in_sentences_are_listed_and_not_flagged(report: Report) -> None:
    missing = [it for it in report.unchecked if it.kind == "missing"]
    assert {it.column for it in missing} == {"人工评分"}
    assert len(missing) == 6
    claims = [it.printed for it in report.unchecked if it.kind == "claim"]
    assert "覆盖 80 % 应用场景" in claims
    assert any("目前最强大的开源动漫视频生成模型" in claim for claim in claims)
    assert {it.kind for it in report.unchecked} == {"missing", "claim"}
