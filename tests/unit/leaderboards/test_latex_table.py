import re

import pytest

from anisora.leaderboards.claims.latex_reader import read_latex
from anisora.leaderboards.latex_table import (
    MISSING_CELL,
    TexCell,
    TexRow,
    latex_float,
    latex_notes,
    latex_number,
    latex_tabular,
    number_cell,
)


def written(heads: list[str], *rows: TexRow) -> str:
    return "\n".join(latex_tabular(heads, [rows]))


def row(name: str, *numbers: str, beneath: str = "") -> TexRow:
    return TexRow(name, tuple(number_cell(number, beneath=beneath) for number in numbers))


def read_back(text: str) -> list[list[str]]:
    (table,) = read_latex(text).tables
    return [[names[0] for names in table.header], *([cell.text for cell in it.cells] for it in table.rows)]


def test_the_best_is_bold_the_second_underlined_and_marks_take_no_width() -> None:
    assert number_cell("61.0").tex == "61.0"
    assert number_cell("61.0", best=True).tex == r"\textbf{61.0}"
    assert number_cell("61.0", second=True, marks="≈★").tex == r"\underline{61.0}\rlap{$^{\approx\star}$}"
    assert number_cell("61.0", marks="★", beneath="±1.0") == TexCell(r"61.0\rlap{$^{\star}$}", 4, r"$\pm$1.0", 4)
    assert MISSING_CELL.tex == "--"


def test_a_minus_is_one() -> None:
    assert latex_number("-6.14") == "$-$6.14"
    assert latex_number("[-6.14, 64.90]") == "{[}$-$6.14, 64.90{]}"
    assert read_back(written(["M", "x"], row("a", "-6.14", beneath="[-7.00, -5.00]")))[1] == [
        "a",
        "-6.14 [-7.00, -5.00]",
    ]


def size_of(text: str) -> str:
    found = re.match(r"\{\\(\w+)\\setlength", text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("columns", "head", "size", "form"),
    [
        (3, "SSIM ↑", "normalsize", "SSIM $"),
        (8, "Short one ↑", "small", r"\shortstack[r]{Short\vphantom{gl}\\one $\uparrow$\vphantom{gl}}"),
        (8, "Longer-than Headings ↑", "footnotesize", r"\shortstack[r]{Longer-than"),
        (9, "Longer-than Headings ↑", "scriptsize", r"\shortstack[r]{Longer-than"),
        (10, "Longer-than-that Headings ↑", "footnotesize", r"\rotatebox{90}{Longer-than-that Headings"),
        (40, "SSIM ↑", "scriptsize", r"\rotatebox{90}{SSIM"),
    ],
)
def test_print_becomes_smaller_and_heads_are_stacked_or_turned_until_the_table_fits(
    columns: int, head: str, size: str, form: str
) -> None:
    text = written(["Model", *[head] * columns], row("a-model", *["98.76"] * columns))
    assert size_of(text) == size
    assert form in text
    assert r"\resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{%" in text  # in narrower documents, too
    assert text.count("{") == text.count("}")
    assert read_back(text) == [["Model", *[head] * columns], ["a-model", *["98.76"] * columns]]


def test_a_table_that_is_higher_than_a_page_is_scaled_down() -> None:
    few, many = ([row(f"model-{at}", "1.0") for at in range(count)] for count in (36, 37))
    assert r"\totalheight" not in "\n".join(latex_tabular(["M", "x"], [few]))
    text = "\n".join(latex_tabular(["M", "x"], [many]))
    assert r"\resizebox*{!}{\ifdim\totalheight>.85\textheight" in text
    assert text.count("{") == text.count("}")
    assert len(read_back(text)) == 38


def test_a_rule_precedes_each_group_and_empty_groups_have_none() -> None:
    text = "\n".join(latex_tabular(["M", "x"], [[row("a", "1")], [], [row("gt", "2")]]))
    assert text.count(r"\midrule") == 2


def test_a_long_name_goes_on_below_its_intervals_and_all_names_of_the_table_with_it() -> None:
    rows = [row("damage/colour-drift:severity=0.5", "1.00", beneath="±0.10"), row("a:b", "2.00", beneath="±0.20")]
    text = written(["Model", "x"], *rows)
    assert r"damage/colour-drift: & 1.00 \\[-1pt]" in text
    assert r"{\scriptsize severity=0.5} & {\scriptsize $\pm$0.10} \\[2pt]" in text
    assert r"a: & 2.00" in text
    assert read_back(text)[1:] == [["damage/colour-drift: severity=0.5", "1.00 ±0.10"], ["a: b", "2.00 ±0.20"]]


@pytest.mark.parametrize("name", ["n" * 150, "a-b/" * 30, "动画" * 20])
def test_a_name_without_end_is_several_lines_of_one_cell(name: str) -> None:
    for beneath in ("", "±0.10"):
        text = written(["Model", "x"], row(name, "1.00", beneath=beneath))
        assert r"\parbox[t]{12em}{\raggedright " in text
        assert read_back(text)[1][0].replace(" ", "") == name


@pytest.mark.parametrize(
    "name", ["a_b%c$d&e#f{g}h^i", r"\input{x}", r"\end{tabular}", "*a", "[x]", "50 % & more", "<script>"]
)
def test_a_name_is_text_whatever_it_is_made_of(name: str) -> None:
    text = written(["Model", "x"], row(name, "1.00"), row("b", "2.00"))
    assert read_back(text)[1:] == [[name, "1.00"], ["b", "2.00"]]


def test_a_float_has_its_caption_above_and_its_notes_below() -> None:
    lines = latex_float("50 % & more", latex_tabular(["M", "x"], [[row("a", "1")]]), ["One.", "Two_2."])
    assert lines[:4] == [r"% needs \usepackage{booktabs,graphicx}", r"\begin{table}[htbp]", r"\centering", lines[3]]
    assert lines[3] == r"\caption{50 \% \& more}"
    assert lines[-4:] == ["One.", r"Two\_2.", r"\end{minipage}", r"\end{table}"]
    assert latex_notes([]) == []
