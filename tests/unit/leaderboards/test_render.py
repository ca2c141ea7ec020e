import csv
import io
import json

import pytest
from records import make_record, make_result, make_run

from anisora.harness.errors import ConfigError
from anisora.leaderboards.cell_text import Intervals
from anisora.leaderboards.compare import compare
from anisora.leaderboards.render import STYLES, render, render_comparison
from anisora.leaderboards.table import LeaderboardTable, TableColumn, build_table
from anisora.leaderboards.typeset import csv_text, display_width, latex, markdown, plain, prose_latex, text_grid


@pytest.fixture
def table() -> LeaderboardTable:
    bare = {"low": None, "high": None, "interval": "", "interval_note": "3 clusters; an interval needs 6"}
    records = [
        make_record("动画-2", [make_result("sharpness", 0.61), make_result("flicker", 0.02, **bare)]),
        make_record(
            "alpha_1",
            [make_result("sharpness", 0.5, scored=18, unscored=2), make_result("flicker", None)],
            fields={"encoder": "h264"},
        ),
        make_record("beta", [make_result("sharpness", 0.4), make_result("flicker", 0.03)], fields={"encoder": "h264"}),
        make_record("ground-truth", [make_result("sharpness", 0.6), make_result("flicker", 0.01)], reference=True),
    ]
    columns = [
        TableColumn(metric="sharpness", header="Sharpness", direction=None, scale=100, decimals=1),
        TableColumn(metric="flicker", header="Flicker", direction=None),
    ]
    return build_table(records, columns, title="Smoke", allow_diff=["encoder"])


def test_text_is_aligned_and_complete(table: LeaderboardTable) -> None:
    lines = render(table, "text").splitlines()
    body = lines[2:9]
    rule = next(line for line in body if line.startswith("---"))
    assert lines[0] == "Smoke"
    assert all(display_width(line) == len(rule) for line in body)
    assert body[1] == body[5] == rule
    assert body[6].startswith("ground-truth ")
    assert "*61.0★ [60.0, 62.0]" in body[4]
    assert body[4].startswith("动画-2† ")
    assert body[4].split()[-3:] == ["*0.020", "20/20", "10"]
    assert body[2].split() == ["alpha_1", "50.0", "[49.0,", "51.0]", "-", "18/20", "10"]
    assert lines[10:] == [
        "* best in its column.",
        "In brackets: 95 % interval (clustered t).",
        "No interval for Flicker of 动画-2: 3 clusters; an interval needs 6.",
        "Sharpness of alpha_1: 2 unscored, of 20 items.",
        "Flicker of alpha_1: 20 unscored, of 20 items.",
        "★ better than the ground truth: look at the clips before trusting it.",
        "† `encoder` differs: 'ffv1/bgr0' for 动画-2; 'h264' for the others.",
        "Ground truth has `encoder` 'ffv1/bgr0', the others 'h264'.",
    ]


def test_markdown_escapes_names_and_sets_ground_truth_apart(table: LeaderboardTable) -> None:
    lines = render(table, "markdown").splitlines()
    assert lines[:4] == [
        "### Smoke",
        "",
        "| Model | Sharpness ↑ | Flicker ↓ | Items | Clusters |",
        "| :-- | --: | --: | --: | --: |",
    ]
    assert lines[4] == r"| alpha\_1 | 50.0 <sub>\[49.0, 51.0\]</sub> | - | 18/20 | 10 |"
    assert lines[6] == r"| 动画-2† | **61.0★** <sub>\[60.0, 62.0\]</sub> | **0.020** | 20/20 | 10 |"
    assert lines[7] == "|  |  |  |  |  |"
    assert lines[8].startswith("| *ground-truth* | 60.0 ")


def test_latex_is_a_balanced_booktabs_table(table: LeaderboardTable) -> None:
    text = render(table, "latex")
    assert r"\toprule" in text
    assert text.count(r"\midrule") == 2
    assert text.count("{") == text.count("}")
    rows = [line for line in text.splitlines() if " & " in line]
    assert all(line.count(" & ") == 4 for line in rows)
    assert rows[0] == r"Model & Sharpness $\uparrow$ & Flicker $\downarrow$ & Items & Clusters \\"
    assert rows[1] == r"alpha\_1 & \underline{50.0} & -- & 18/20 & 10 \\[-1pt]"
    assert rows[2] == r" & {\scriptsize {[}49.0, 51.0{]}} &  &  &  \\[2pt]"
    assert rows[5] == r"动画-2\dag{} & \textbf{61.0}\rlap{$^{\star}$} & \textbf{0.020} & 20/20 & 10 \\[-1pt]"
    assert rows[7].startswith("ground-truth & 60.0 & 0.010 & ")
    assert r"95 \% interval" in text
    assert "Bold: best of its column.\nUnderlined: second best.\n" in text


@pytest.mark.parametrize(
    ("intervals", "cell", "note"),
    [
        ("brackets", "61.0★ [60.0, 62.0]", "In brackets: 95 % interval (clustered t)."),
        ("half-width", "61.0★ ±1.0", "Below each value: 95 % interval (clustered t), as ± half its width"),
        ("none", "61.0★", "No interval for Flicker"),
    ],
)
def test_intervals_are_printed_as_asked_and_the_notes_say_how(
    table: LeaderboardTable, intervals: Intervals, cell: str, note: str
) -> None:
    lines = render(table, "text", intervals=intervals).splitlines()
    assert f"*{cell} " in lines[6]
    assert ("±" in lines[6], "[" in lines[6]) == ("±" in cell, "[" in cell)
    assert lines[11].startswith(note)
    latex_text = render(table, "latex", intervals=intervals)
    assert (r"$\pm$1.0" in latex_text, "{[}60.0, 62.0{]}" in latex_text) == ("±" in cell, "[" in cell)
    assert ("interval (clustered t)" in latex_text) == (intervals != "none")


def test_markdown_underlines_the_second_best_where_that_is_asked_for(table: LeaderboardTable) -> None:
    assert "<ins>" not in render(table, "markdown")
    text = render(table, "markdown", underline_second=True, intervals="none")
    assert text.splitlines()[4] == r"| alpha\_1 | <ins>50.0</ins> | - | 18/20 | 10 |"
    assert "- Underlined: second best.\n" in text


def test_heads_and_notes_are_in_the_language_of_the_table() -> None:
    records = [make_record(model, {"sharpness": value}) for model, value in (("a", 0.1), ("b", 0.2), ("c", 0.3))]
    table = build_table(records, language="zh")
    for style in ("markdown", "latex"):
        text = render(table, style, language="zh", intervals="half-width", underline_second=True)
        assert "系统" in text
        assert "样本" in text
        assert "下划线：该列次佳。" in text
        assert "数值下方：95" in text
        assert "方括号" not in text


def test_csv_has_a_line_per_run_and_metric_in_natural_units(table: LeaderboardTable) -> None:
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert len(rows) == 8
    first = rows[0]
    assert (first["model"], first["metric"], first["value"], first["low"]) == (
        "alpha_1",
        "sharpness",
        "0.5",
        "0.49",
    )
    assert (first["scored"], first["items"], first["best"]) == ("18", "20", "false")
    assert rows[1]["value"] == ""
    assert (rows[4]["best"], rows[4]["above_reference"], rows[4]["differs_in"]) == ("true", "true", "encoder")
    assert rows[6]["reference"] == "true"


def test_json_holds_everything(table: LeaderboardTable) -> None:
    content = json.loads(render(table, "json"))
    assert (content["title"], content["suite"]) == ("Smoke", "smoke@1")
    assert content["columns"][0] == {
        "metric": "sharpness",
        "header": "Sharpness",
        "direction": "higher",
        "scale": 100,
        "decimals": 1,
    }
    best = content["rows"][2]
    assert best["protocol_digest"] == table.rows[2].protocol_digest
    assert best["cells"][0]["value"] == 0.61
    assert (best["cells"][0]["printed"], best["cells"][0]["best"], best["marks"]) == ("61.0", True, "†")
    assert content["rows"][0]["cells"][1]["printed"] == "-"
    assert content["rows"][0]["cells"][1]["value"] is None
    assert content["footnotes"] == list(table.footnotes)
    assert content["daggers"] == [{"field": "encoder", "mark": "†"}]


@pytest.mark.parametrize("style", STYLES)
def test_rendering_the_same_table_gives_the_same_text(table: LeaderboardTable, style) -> None:
    assert render(table, style) == render(table, style)
    assert render(table, style).endswith("\n")


def test_a_cell_with_a_coverage_of_its_own_tells_it() -> None:
    results = [make_result("a", 0.5), make_result("b", 0.5), make_result("c", 0.5, scored=7, errors=13, clusters=4)]
    text = render(build_table([make_record("alpha", results)]), "text")
    assert text.count("(7/20 in 4)") == 1
    assert "(a/b in c): a of b items scored, in c clusters, where that is not as in the row." in text
    assert "c of alpha: 13 failed, of 20 items." in text
    assert text.splitlines()[4].split()[-2:] == ["20/20", "10"]


def test_untrained_runs_are_marked_in_every_style() -> None:
    record = make_record("tiny", {"sharpness": 0.5}, untrained="untrained:normal:0")
    table = build_table([record], show_untrained=True)
    for style in ("text", "markdown", "latex"):
        assert "UNTRAINED" in render(table, style)
    for style in ("csv", "json"):
        assert "untrained:normal:0" in render(table, style)


def test_an_unknown_style_is_refused(table: LeaderboardTable) -> None:
    with pytest.raises(ConfigError, match="`--format` got 'html'; expected one of text, markdown, latex, csv, json"):
        render(table, "html")  # type: ignore[arg-type]
    comparison = compare(make_run("alpha", seed=1), make_run("beta", seed=2))
    with pytest.raises(ConfigError, match="`--format` got 'latex'; expected one of text, markdown, json, csv"):
        render_comparison(comparison, "latex")


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-A1", "@SUM(A1)", " =1+1", "\t=1", "\r=1"])
def test_formulas_in_names_do_not_run_in_a_spreadsheet(name: str) -> None:
    text = render(build_table([make_record(name, {"sharpness": -0.5})]), "csv")
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert row["model"] == (f"'{name}" if name.isprintable() else plain(name))
    assert not row["model"].lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    assert row["value"] == "-0.5"


def test_numbers_written_as_text_are_no_formulas() -> None:
    assert csv_text([{"a": "-0.5", "b": "+3", "c": None, "d": True, "e": "x,y"}]) == (
        'a,b,c,d,e\n-0.5,+3,,true,"x,y"\n'
    )


def test_control_characters_do_not_reach_the_terminal() -> None:
    record = make_record("evil\x1b[31m\nname", {"sharpness": 0.5}, run_id="r")
    for style in ("text", "markdown", "latex"):
        text = render(build_table([record]), style)
        assert "\x1b" not in text
    assert plain("a\x1b\n动") == r"a\x1b\x0a动"


def test_wide_characters_take_two_columns() -> None:
    assert [display_width(text) for text in ("ab", "动画", "e\u0301", "★", "ア")] == [2, 4, 1, 1, 2]
    lines = text_grid(["M", "x"], [[["动画", "1"], ["abc", "22"]]])
    assert lines == ["M      x", "----  --", "动画   1", "abc   22"]


def test_a_cell_with_a_coverage_of_its_own_is_told_below_a_table_of_latex() -> None:
    results = [make_result("a", 0.5), make_result("b", 0.5), make_result("c", 0.5, scored=7, errors=13, clusters=4)]
    text = render(build_table([make_record("alpha", results), make_record("beta", results)]), "latex")
    assert "c of alpha, beta: 7 of 20 items, 4 clusters." in text
    assert "(7/20 in 4)" not in text


def test_special_characters_are_escaped() -> None:
    assert markdown("a|b*c_d<e>`f`") == r"a\|b\*c\_d\<e\>\`f\`"
    assert latex("50% & $x_1 {#} ~^\\") == (
        r"50\% \& \$x\_1 \{\#\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert latex("a--b ''c'' ,,d *e") == "a-{}-b '{}'c'{}' ,{},d {*}e"
    assert latex("±0.1 − 2 × 3 ‑") == r"$\pm$0.1 $-$ 2 $\times$ 3 \mbox{-}"


def test_long_words_of_a_paragraph_may_break_and_short_ones_do_not() -> None:
    assert prose_latex("a_b/c is short") == r"a\_b/c is short"
    assert prose_latex("https://a.org/b_c/d.md") == (
        r"https://\allowbreak{}a.\allowbreak{}org/\allowbreak{}b\_\allowbreak{}c/\allowbreak{}d.\allowbreak{}md"
    )
    digest = prose_latex("0123456789abcdef" * 4)
    assert digest.replace(r"\allowbreak{}", "") == "0123456789abcdef" * 4
    assert max(map(len, digest.split(r"\allowbreak{}"))) == 8


def test_a_comparison_is_written_in_every_style() -> None:
    left, right = make_run("alpha", seed=1), make_run("beta", seed=2, fields={"encoder": "h264"})
    comparison = compare(left, right)
    text = render_comparison(comparison)
    assert text.splitlines()[0] == "smoke@1: alpha against beta"
    assert "The protocols differ in `encoder`: 'ffv1/bgr0' on the left, 'h264' on the right." in text
    assert "p is corrected for 2." in text
    assert "not distinguishable" in text
    found = json.loads(render_comparison(comparison, "json"))
    assert found["protocol"] == [{"field": "encoder", "left": "ffv1/bgr0", "right": "h264"}]
    assert found["metrics"][0]["difference"] == comparison.metrics[0].difference.estimate.value
    assert found["metrics"][0]["corrected_p"] == comparison.metrics[0].corrected_p
    rows = list(csv.DictReader(io.StringIO(render_comparison(comparison, "csv"))))
    assert [row["verdict"] for row in rows] == [metric.verdict for metric in comparison.metrics]
    markdown_text = render_comparison(comparison, "markdown")
    assert markdown_text.startswith("### smoke@1: alpha against beta\n\n| Metric | alpha | beta |")
    same = render_comparison(compare(left, left))
    assert "The protocols are the same." in same
