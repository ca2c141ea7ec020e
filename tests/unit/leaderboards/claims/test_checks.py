"""Each kind of finding on small tables: what is flagged, what is only listed, and what is let pass."""

from collections.abc import Mapping

import numpy as np
import pytest
from records import make_record, make_result
from scored_systems import TRUTH, Scored

from anisora.harness.suite import Column
from anisora.leaderboards.claims.check import check_document, parsed
from anisora.leaderboards.claims.expected import ExpectedTable
from anisora.leaderboards.claims.findings import Report
from anisora.leaderboards.claims.sources import expected_of_leaderboard, known_tables
from anisora.leaderboards.published.rendering import render_published
from anisora.leaderboards.published.tables import published_table, published_tables
from anisora.leaderboards.render import render
from anisora.leaderboards.table import LeaderboardTable, build_table
from anisora.leaderboards.ties import with_ties

VALUES: Mapping[str, Mapping[str, float | None]] = {
    "alpha": {"sharpness": 0.91234, "flicker": 0.2, "flow": 0.5},
    "beta-2": {"sharpness": 0.85, "flicker": 0.1, "flow": 0.9},
    "gamma": {"sharpness": 0.8, "flicker": None, "flow": 0.7},
    TRUTH: {"sharpness": 0.99, "flicker": 0.05, "flow": 0.6},
}
COLUMNS = [
    Column(metric="sharpness", header="Sharp", scale=100, decimals=2),
    Column(metric="flicker", header="Flicker", scale=100, decimals=1),
    Column(metric="flow", header="Flow", scale=1, decimals=2),
]


def board() -> LeaderboardTable:
    records = [
        make_record(
            model,
            [make_result(metric, value) for metric, value in values.items()],
            reference=model == TRUTH,
        )
        for model, values in VALUES.items()
    ]
    return build_table(records, COLUMNS)


def known() -> list[ExpectedTable]:
    return [expected_of_leaderboard(board())]


def report(text: str, name: str = "page.md", tables: list[ExpectedTable] | None = None) -> Report:
    return check_document(parsed(text, name), known() if tables is None else tables)


def page(*rows: str, header: str = "Model | Sharp | Flicker | Flow", caption: str = "") -> str:
    rule = "|".join(["---"] * len(header.split("|")))
    return "\n".join([caption, "", f"| {header} |", f"|{rule}|", *(f"| {row} |" for row in rows), ""])


def flagged(text: str) -> list[tuple[str, str, str, str]]:
    return [(it.kind, it.row, it.column, it.expected) for it in report(text).flagged]


RIGHT = ("alpha | 91.23 | 20.0 | 0.50", "beta-2 | 85.00 | 10.0 | 0.90", "gamma | 80.00 | - | 0.70")


def test_right_rows_are_not_flagged_and_a_gap_of_the_source_is_listed() -> None:
    told = report(page(*RIGHT))
    assert told.flagged == ()
    assert [(it.kind, it.row, it.column) for it in told.unchecked] == [("missing", "gamma", "Flicker")]
    assert [(table.suite, table.cells) for table in told.tables] == [("smoke@1", 9)]


@pytest.mark.parametrize("style", ["markdown", "latex", "csv"])
def test_what_this_program_writes_is_not_flagged(style: str) -> None:
    name = {"markdown": "a.md", "latex": "a.tex", "csv": "a.csv"}[style]
    told = report(render(board(), style), name)  # type: ignore[arg-type]
    assert (told.flagged, [table.cells for table in told.tables]) == ((), [12])
    assert {it.kind for it in told.unchecked} <= {"missing", "claim"}
    everything = list(known_tables()[0])
    for table in published_tables():
        text = render_published(table, style)  # type: ignore[arg-type]
        told = report(text, name, everything)
        assert told.flagged == ()
        assert [it.suite for it in told.tables] == [table.suite]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("91.23", None),
        ("91.2", None),
        ("91", None),
        ("91.234", None),
        ("0.9123", None),  # of one cell alone, no other unit is taken for granted
        ("91.24", "91.23"),
        ("91.3", "91.2"),
        ("92", "91"),
        ("91.235", "91.234"),
        ("9.12", "91.23"),
    ],
)
def test_a_number_is_what_the_value_rounds_to_at_its_last_place(printed: str, expected: str | None) -> None:
    others = ("beta-2 | 0.85", "gamma | 0.80") if printed.startswith("0.") else ("beta-2 | 85.00",)
    told = flagged(page(f"alpha | {printed}", *others, header="Model | Sharp"))
    assert told == ([] if expected is None else [("number", "alpha", "Sharp", expected)])


def test_shares_are_read_where_percent_is_known_and_a_wrong_one_is_found() -> None:
    rows = ("alpha | 0.9123", "beta-2 | 0.8500", "gamma | 0.8100")
    assert flagged(page(*rows, header="Model | Sharp")) == [("number", "gamma", "Sharp", "80.00")]


def test_missing_cells_invented_cells_and_texts() -> None:
    told = report(page("alpha | - | 20.0 | n/a", "gamma | 80.00 | 15.0 | fast"))
    assert [(it.kind, it.row, it.column, it.expected) for it in told.flagged] == [
        ("missing", "alpha", "Sharp", "91.23"),
        ("missing", "alpha", "Flow", "0.50"),
        ("number", "gamma", "Flicker", "-"),
    ]
    assert [(it.kind, it.row, it.column, it.printed) for it in told.unchecked] == [("cell", "gamma", "Flow", "fast")]


def test_the_ends_of_intervals_are_numbers_too() -> None:
    told = flagged(page("alpha | 91.23 [90.23, 92.23]", "beta-2 | 85.00 [84.00, 86.10]", header="Model | Sharp"))
    assert told == [("number", "beta-2", "Sharp", "86.00")]


def test_bold_is_computed_in_each_direction_without_the_ground_truth() -> None:
    rows = (
        "alpha | **91.23** | **20.0** | **0.50**",
        "beta-2 | 85.00 | 10.0 | 0.90",
        "gamma | 80.00 | - | 0.70",
        "GT | **99.00** | 5.0 | 0.60",
    )
    assert flagged(page(*rows)) == [
        ("bold", "alpha", "Flicker", "not bold"),
        ("bold", "beta-2", "Flicker", "bold"),
        ("bold", "gamma", "Flow", "bold"),  # as near to the ground truth as alpha
        ("bold", "GT", "Sharp", "not bold"),
    ]


def test_the_best_of_the_rows_that_are_printed_is_best() -> None:
    rows = ("beta-2 | **85.00** | **10.0**", "gamma | 80.00 | -")
    assert flagged(page(*rows, header="Model | Sharp | Flicker")) == []


def test_coarser_print_lets_either_of_two_alike_be_bold_but_the_better_must() -> None:
    for bold, wrong in ((("**91**", "91"), []), (("**91**", "**91**"), []), (("91", "**91**"), ["alpha"])):
        alike = {model: {"sharpness": value} for model, value in (("alpha", 0.913), ("delta", 0.911), ("gamma", 0.8))}
        records = [make_record(model, values) for model, values in alike.items()]
        tables = [expected_of_leaderboard(build_table(records, COLUMNS[:1]))]
        text = page(f"alpha | {bold[0]}", f"delta | {bold[1]}", "gamma | 80", header="Model | Sharp")
        found = [it.row for it in report(text, tables=tables).flagged if it.kind == "bold"]
        assert found == wrong


def test_a_system_that_nobody_knows_can_be_best_and_is_listed() -> None:
    told = report(page(*RIGHT, "mine (Ours) | **95.00** | 4.0 | 0.61"))
    assert [(it.kind, it.row, it.column) for it in told.flagged] == [
        ("bold", "mine (Ours)", "Flicker"),
        ("bold", "mine (Ours)", "Flow"),
    ]
    assert ("row", "mine (Ours)") in [(it.kind, it.row) for it in told.unchecked]


def test_a_row_printed_twice_with_the_same_and_with_other_numbers() -> None:
    told = report(page(*RIGHT, RIGHT[0], "**Beta–2** | 85.00 | 10.1 | 0.90"))
    assert [(it.kind, it.row, it.line) for it in told.flagged] == [
        ("doubled-row", "alpha", 8),
        ("doubled-row", "Beta–2", 9),
        ("number", "Beta–2", 9),
    ]
    assert "with the same numbers; it stands in line 5" in told.flagged[0].message
    assert "with other numbers" in told.flagged[1].message


@pytest.mark.parametrize(
    ("caption", "rows", "wrong"),
    [
        ("Sorted by Sharp.", (0, 1, 2), []),
        ("Sorted by Sharp.", (1, 0, 2), ["alpha"]),
        ("Sorted by Flicker (lower is better).", (1, 0), []),
        ("Sorted by Flicker (lower is better).", (0, 1), ["beta-2"]),
        ("Rows are in ascending order; ordered by sharp, ascending.", (2, 1, 0), []),
        ("按 Sharp 从高到低排列", (2, 1, 0), ["beta-2", "alpha"]),
        ("Ranked by how near they are in Flow.", (0, 2, 1), []),
        ("We sorted by hand.", (2, 1, 0), []),
        ("Nothing is said.", (2, 1, 0), []),
    ],
)
def test_rows_said_to_be_in_an_order(caption: str, rows: tuple[int, ...], wrong: list[str]) -> None:
    told = report(page(*(RIGHT[row] for row in rows), caption=caption))
    assert [it.row for it in told.flagged] == wrong
    assert {it.kind for it in told.flagged} <= {"order"}
    assert [it.kind for it in told.unchecked if it.kind == "order"] == (["order"] if "by hand" in caption else [])


def test_ranks_are_checked_where_their_column_is_named() -> None:
    rows = ("2 | alpha | 91.23", "1 | beta-2 | 85.00", "3 | gamma | 80.00")
    told = flagged(page(*rows, header="Rank (Sharp) | Model | Sharp"))
    assert told == [("order", "alpha", "Rank (Sharp)", "1"), ("order", "beta-2", "Rank (Sharp)", "2")]
    unsaid = report(page(*rows, header="# | Model | Sharp"))
    assert unsaid.flagged == ()
    assert [(it.kind, it.column) for it in unsaid.unchecked if it.kind == "order"] == [("order", "#")]


def test_a_table_with_systems_as_columns_is_the_same_table() -> None:
    text = page("Sharp ↑ | **91.23** | 85.00", "Flow | **0.50** | 0.91", header="Metric | alpha | beta-2")
    assert flagged(text) == [("number", "beta-2", "Flow", "0.90")]


def test_tables_of_other_things_are_left_alone() -> None:
    text = page("a | 1", "b | 2", header="Setting | Value") + "\n" + page("gt | 3", header="Model | Sharp")
    told = report(text)
    assert (told.flagged, told.tables, told.found) == ((), (), 2)
    assert [it.kind for it in told.unchecked] == ["table", "table"]


def test_columns_that_nobody_knows_are_listed() -> None:
    told = report(page("alpha | 91.23 | 7", "beta-2 | 85.00 | 8", header="Model | Sharp | Beauty"))
    assert told.flagged == ()
    assert [(it.kind, it.column) for it in told.unchecked] == [("column", "Beauty")]


def near(mean: float, seed: int) -> dict[str, float]:
    items = [f"item-{at:02}" for at in range(16)]
    return dict(zip(items, np.random.default_rng(seed).normal(mean, 0.02, len(items)).tolist(), strict=True))


def test_a_lead_inside_the_noise_is_flagged_unless_it_is_marked() -> None:
    scored = Scored(
        {name: {"ssim": near(mean, at)} for at, (name, mean) in enumerate((("one", 0.8), ("two", 0.8), ("far", 0.5)))}
    )
    table = with_ties(scored.table, scored.scores)
    cells = sorted(((row.cells[0].value or 0, row.model) for row in table.rows), reverse=True)
    (best, first), (close, second), (low, last) = cells
    tables = [expected_of_leaderboard(table)]

    def told(mark: str) -> list[tuple[str, str, str]]:
        rows = (f"{first} | **{best:.3f}**", f"{second} | {close:.3f}{mark}", f"{last} | {low:.3f}")
        found = report(page(*rows, header="Model | ssim"), tables=tables).flagged
        return [(it.kind, it.row, it.expected) for it in found]

    assert told("") == [("noise", first, f"tied with {second}")]
    assert told("≈") == []


def test_a_reported_row_may_stand_beside_runs_of_a_leaderboard() -> None:
    published = published_table("anisora-7")
    records = [make_record("mine", {"visual_smoothness": 0.9}, suite="anisora-7")]
    column = Column(metric="visual_smoothness", header="Visual Smooth", scale=100, decimals=2)
    own = expected_of_leaderboard(build_table(records, [column]))
    reported = next(table for table in known_tables()[0] if table.suite == published.suite)
    tables = [own, own.merged(reported), reported]
    text = page("Wan-2.1 | 81.70", "mine | **90.00**", "Vidu‑1.5 | 55.37", header="Model | Visual Smooth")
    assert report(text, tables=tables).flagged == ()
    wrong = page("Wan-2.1 | 81.71", "mine | **90.00**", "Vidu‑1.5 | 55.37", header="Model | Visual Smooth")
    assert [(it.kind, it.row) for it in report(wrong, tables=tables).flagged] == [("number", "Wan-2.1")]


def test_sentences_that_no_table_can_show_are_listed() -> None:
    text = (
        "It covers 80 % of scenarios. It is fast. The best model ever. It outperforms all. "
        "推理提速 3 倍。首先看这里。最后。\n"
        "It is 2.5x faster.\n"
    )
    assert [it.printed for it in report(text).unchecked] == [
        "It covers 80 % of scenarios.",
        "The best model ever.",
        "It outperforms all.",
        "推理提速 3 倍。",
        "It is 2.5x faster.",
    ]
