"""The table of styles: means recomputed from the scores, in three forms, with hostile names."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from drawn_systems import drawn_systems, labels_of_items, values_by_system
from scored_systems import TRUTH

from anisora.leaderboards.report.breakdown import break_down
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.style_table import (
    StyleTable,
    data_of,
    save,
    write_csv,
    write_latex,
    write_markdown,
)

SAY = FigureWords("en")
MEANS = {"alpha": 0.45, "beta": 0.55, "gamma": 0.7, TRUTH: 0.5}
ITEMS = list(labels_of_items(24, 8))


def style_table(styles: tuple[str, str] = ("cel", "3d film"), **fields) -> StyleTable:
    scored = drawn_systems(**fields)
    style_of = {item: styles[at % 4 == 0] for at, item in enumerate(ITEMS)}
    found = break_down("style", style_of, scored.table, scored.scores)
    made = data_of(scored.report(breakdowns=(found,)), SAY)
    assert isinstance(made, StyleTable)
    return made


def test_means_are_those_of_the_scores() -> None:
    made = style_table(changed={("alpha", "flow"): dict.fromkeys(ITEMS[1:], 0.25), ("beta", "flow"): {}})
    scores = values_by_system(MEANS, ["sharpness", "flicker", "flow"], ITEMS)
    scores["alpha"]["flow"] = dict.fromkeys(ITEMS[1:], 0.25)
    scores["beta"]["flow"] = {}
    assert [(group.style, group.items) for group in made.groups] == [("3d film", 6), ("cel", 18)]
    for group in made.groups:
        items = [item for at, item in enumerate(ITEMS) if (at % 4 == 0) == (group.style == "3d film")]
        for system, cells in zip(made.systems, group.cells, strict=True):
            for column, cell in zip(made.columns, cells, strict=True):
                mine = [
                    scores[system.label][column.metric][i] for i in items if i in scores[system.label][column.metric]
                ]
                assert cell.items == len(mine)
                assert cell.value == (pytest.approx(np.mean(mine)) if mine else None)


def test_a_report_without_styles_has_no_table() -> None:
    assert data_of(drawn_systems().report(), SAY) == Omission(figure="styles", reason=SAY("styles_omitted"))


def test_markdown_has_a_line_for_each_style_and_system() -> None:
    made = style_table(changed={("alpha", "flow"): dict.fromkeys(ITEMS[1:], 0.25), ("beta", "flow"): {}})
    lines = write_markdown(made).splitlines()
    assert lines[2] == "| System | Sharp ↑ | Flicker ↓ | Flow → |"
    assert lines[4].startswith("| **3d film (6 items)** |")
    alpha = made.groups[0].cells[0]
    assert lines[5] == f"| alpha | {100 * alpha[0].value:.1f} | {alpha[1].value:.3f} | 2.50 (5) |"
    assert lines[6].endswith(" | - |")
    assert lines[9].startswith("| **cel (18 items)** |")
    assert len(lines) == 16


def test_latex_has_headings_that_span_and_rules_between_styles() -> None:
    text = write_latex(style_table())
    assert text.count(r"\multicolumn{4}{@{}l@{}}{\emph{") == 2
    assert text.count(r"\midrule") == 2
    assert r"\begin{tabular}{@{}lrrr@{}}" in text
    assert r"System & Sharp $\uparrow$ & Flicker $\downarrow$ & Flow $\rightarrow$ \\" in text
    assert text.count("&") == 3 * (1 + 8)


def test_csv_is_the_data_in_natural_units() -> None:
    made = style_table()
    rows = list(csv.DictReader(io.StringIO(write_csv(made))))
    assert len(rows) == 2 * 4 * 3
    values = {(row["style"], row["system"], row["metric"]): float(row["value"]) for row in rows}
    assert values == {
        (group.style, system.label, column.metric): cell.value
        for group in made.groups
        for system, cells in zip(made.systems, group.cells, strict=True)
        for column, cell in zip(made.columns, cells, strict=True)
    }


def test_names_are_escaped_everywhere() -> None:
    made = style_table(
        styles=("<b>|cel", r"\input{x}_$"), means={"=cmd|' /C calc'!A0": 0.4, "a|b_$x$\n": 0.5, TRUTH: 0.5}
    )
    markdown, latex, sheet = write_markdown(made), write_latex(made), write_csv(made)
    assert r"a\|b\_\$x\$\\x0a" in markdown
    assert r"**\<b\>\|cel (18 items)**" in markdown
    assert r"\emph{\textbackslash{}input\{x\}\_\$ (6 items)}" in latex
    assert r"a\textbar{}b\_\$x\$\textbackslash{}x0a" in latex
    assert "'=cmd|' /C calc'!A0" in sheet
    assert all(line.count("|") - line.count(r"\|") == 5 for line in markdown.splitlines() if line.startswith("|"))


def test_three_files_are_written(tmp_path: Path) -> None:
    made = style_table()
    paths = save(made, tmp_path, "styles")
    assert [path.name for path in paths] == ["styles.md", "styles.tex", "styles.csv"]
    assert [path.read_text(encoding="utf-8") for path in paths] == [
        write_markdown(made),
        write_latex(made),
        write_csv(made),
    ]
