"""The report of the demo: that of its suite, and what the published tables are worth."""

from pathlib import Path

from anisora.harness.progress import progress
from anisora.harness.stages.session import RunOptions
from anisora.leaderboards.demo import DemoResult
from anisora.leaderboards.published.agreement import agreement_with_people, finding
from anisora.leaderboards.published.tables import PublishedTable, published_tables
from anisora.leaderboards.report.data import gather
from anisora.leaderboards.report.page import Extra, ExtraTable
from anisora.leaderboards.report.write import pictures_of, write_report
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.tracking import attach_file
from anisora.leaderboards.words import Words

__all__ = ["demo_report", "published_section"]


def demo_report(result: DemoResult, out: Path, options: RunOptions, *, language: str = "en") -> Path:
    """Write the report of the demo and return its page.

    Args:
        result: What the demo made.
        out: The folder of its runs and leaderboard, where the page goes, too.
        options: How to work.
        language: Of the page: ``en`` or ``zh``.
    """
    words = Words(language)
    runs = [record.run_id for record in result.records]
    database = out / "leaderboard.duckdb"
    data = gather(Leaderboard.open(database), result.table.suite_key, models=runs, language=language)
    with progress("draw report", pictures_of(data), shown=options.show_progress) as advance:
        page = write_report(
            data,
            out,
            language=language,
            extras=[published_section(words)],
            workers=options.workers,
            advance=advance,
        )
    if options.mlflow is not None:
        uri = "" if options.mlflow == "default" else options.mlflow
        attach_file(page, list(data.records.values()), uri=uri, beside=database)
    return page


def published_section(words: Words) -> Extra:
    """Return the published tables with what their columns have to do with people."""
    agreement = agreement_with_people()
    rows = tuple(
        (
            f"{column.header} ({column.suite})",
            _number(column.spearman.value),
            _number(column.kendall.value),
            _number(column.spearman.p_value),
        )
        for column in (*agreement.columns, *agreement.means)
    )
    header = (words("column"), "ρ", "τ", "p")
    agreed = ExtraTable(
        caption=words("agreement", systems=len(agreement.systems), smallest=_number(agreement.smallest_p)),
        header=header,
        rows=rows,
    )
    return Extra(
        id="published",
        title=words("published"),
        paragraphs=(words("published_note"), finding(agreement)),
        tables=(agreed, *(_published(table, words) for table in published_tables())),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"


def _published(table: PublishedTable, words: Words) -> ExtraTable:
    chinese = words.language == "zh"
    headers = [column.header_zh if chinese else column.header for column in table.columns]
    return ExtraTable(
        caption=f"{table.title_zh if chinese else table.title} ({table.suite})",
        header=(words("model"), *headers),
        rows=tuple((row.model, *(row.text(at) for at in range(len(headers)))) for row in table.rows),
    )
