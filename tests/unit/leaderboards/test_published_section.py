import pytest

from anisora.leaderboards.demo_report import published_section
from anisora.leaderboards.published.agreement import HUMAN, agreement_with_people, finding
from anisora.leaderboards.published.tables import published_tables
from anisora.leaderboards.words import LANGUAGES, Words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_section_has_the_agreement_and_then_every_published_table(language: str) -> None:
    words = Words(language)
    section = published_section(words)
    assert (section.id, section.title) == ("published", words("published"))
    assert section.paragraphs == (words("published_note"), finding(agreement_with_people()))
    assert len(section.tables) == 1 + len(published_tables())
    for shown, table in zip(section.tables[1:], published_tables(), strict=True):
        heads = [column.header_zh if language == "zh" else column.header for column in table.columns]
        assert shown.header == (words("model"), *heads)
        assert shown.rows == tuple(
            (row.model, *(row.text(at) for at in range(len(table.columns)))) for row in table.rows
        )
        assert all(len(row) == len(shown.header) for row in shown.rows)
        assert shown.caption == f"{table.title_zh if language == 'zh' else table.title} ({table.suite})"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_agreement_has_a_row_for_each_column_but_that_of_people(language: str) -> None:
    agreed = published_section(Words(language)).tables[0]
    agreement = agreement_with_people()
    columns = sum(column.metric != HUMAN for table in published_tables() for column in table.columns)
    assert len(agreed.rows) == columns + len(published_tables())
    for row, column in zip(agreed.rows, (*agreement.columns, *agreement.means), strict=True):
        assert row[0] == f"{column.header} ({column.suite})"
        assert float(row[1]) == pytest.approx(column.spearman.value, abs=0.005)
        assert float(row[2]) == pytest.approx(column.kendall.value, abs=0.005)
        assert float(row[3]) == pytest.approx(column.spearman.p_value, abs=0.005)
    assert f"{len(agreement.systems)}" in agreed.caption
    assert f"{agreement.smallest_p:.3f}" in agreed.caption


def test_a_missing_number_stays_missing() -> None:
    table = next(table for table in published_tables() if table.suite == "anisora-7")
    shown = next(shown for shown in published_section(Words("en")).tables if table.suite in shown.caption)
    (truth,) = [row for row in shown.rows if row[0] == "ground-truth"]
    assert truth[1] == "-"
