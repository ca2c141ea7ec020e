import pytest

from anisora.harness.errors import DataError
from anisora.leaderboards.claims.csv_reader import read_csv
from anisora.leaderboards.claims.document import Document, ReadTable, transposed
from anisora.leaderboards.claims.latex_reader import read_latex
from anisora.leaderboards.claims.latex_text import marked_latex
from anisora.leaderboards.claims.markdown_reader import read_markdown


def only(document: Document) -> ReadTable:
    (table,) = document.tables
    return table


def texts(table: ReadTable) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def bold(table: ReadTable) -> set[tuple[int, int]]:
    return {(row, at) for row, it in enumerate(table.rows) for at, cell in enumerate(it.cells) if cell.bold}


# -- Markdown


def test_a_pipe_table_with_marks_escapes_and_short_rows() -> None:
    page = (
        "Above.\n\n| Model | A \\| B | `C_d` |\n|:--|--:|:-:|\n| **x\\_1** | **1.5** <sub>\\[1, 2\\]</sub> | __2__ |\n"
        "| [y](z.md) | 3&nbsp;\n| $\\mathbf{z}$ | <b>4</b> | $\\mathbf{5}$ | lost |\n\nBelow.\n"
    )
    table = only(read_markdown(page))
    assert table.header == (("Model",), ("A | B",), ("C_d",))
    assert texts(table) == [["x_1", "1.5 [1, 2]", "2"], ["y", "3", ""], ["z", "4", "5"]]
    assert bold(table) == {(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)}
    assert (table.line, [row.line for row in table.rows]) == (3, [5, 6, 7])
    assert table.caption == "Above.\nBelow."


def test_code_comments_and_lines_that_only_look_like_a_table_are_none() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    page = f"```\n{table}```\n<!--\n{table}-->\na | b\n--\n| a |\n| b |\n"
    assert read_markdown(page).tables == ()


def test_an_html_table_with_spans_in_a_page_of_pipe_tables() -> None:
    page = (
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n<table>\n<caption>Of <b>two</b></caption>\n"
        '<tr><th rowspan="2">Model</th><th colspan=2>Score</th></tr>\n<tr><th>A</th><th>B</th></tr>\n'
        "<tr><td rowspan=2>x</td><td><strong>1</strong></td><td>2 &plusmn; 1</td></tr>\n"
        "<tr><td>3</td><td>**4**</td></tr>\n"
        "</table>\n"
    )
    first, second = read_markdown(page).tables
    assert (first.number, second.number) == (1, 2)
    assert second.header == (("Model",), ("Score A", "A", "Score"), ("Score B", "B", "Score"))
    assert texts(second) == [["x", "1", "2 ± 1"], ["x", "3", "4"]]
    assert bold(second) == {(0, 1), (1, 2)}
    assert (second.line, [row.line for row in second.rows]) == (5, [9, 10])
    assert second.caption.startswith("Of two")


def test_sentences_have_no_markup_and_the_line_they_begin_in() -> None:
    page = (
        '# The **best**\n\nOne is\n*two*. Three is\nfour. <img src="x" width="60%"/>\n\n- five % of [six](http://x/90%)\n'
        "- seven。八！\n\n| a | b |\n|---|---|\n| 90 % | 2 |\n"
    )
    found = [(sentence.text, sentence.line) for sentence in read_markdown(page).sentences]
    assert found == [
        ("The best", 1),
        ("One is two.", 3),
        ("Three is four.", 4),
        ("five % of six", 7),
        ("seven。", 8),
        ("八！", 8),
    ]


# -- LaTeX


def test_a_booktabs_table_with_two_lines_of_header() -> None:
    paper = r"""
\documentclass{article} % 90 % of it
\begin{document}
We are the best by 50\,\% here.
\begin{table}[t]
\caption[short]{Results, \textbf{sorted} by A~\cite{x}.}
\begin{tabular}{@{}l *{3}{c}@{}}
\toprule
& \multicolumn{2}{c}{Score} & \multirow{2}{*}{C\_d $\downarrow$} \\
\cmidrule(lr){2-3}
Model & A & B \\
\midrule
x\_1~\cite{a,b} & \textbf{1.5} {\tiny {[}1, 2{]}} & {\bfseries 2}\,3 & $\mathbf{4}_{\pm 0.1}$ \\[2pt] % & 9
\rowcolor[gray]{.9} \underline{y} & -- & \cellcolor{red!10}5 & \makecell{6\\7} \\
\bottomrule
\end{tabular}
\end{table}
\end{document}
"""
    document = read_latex(paper)
    table = only(document)
    assert table.header == (("Model",), ("Score A", "A", "Score"), ("Score B", "B", "Score"), ("C_d ↓",))
    assert texts(table) == [["x_1", "1.5 [1, 2]", "2 3", "4 ±0.1"], ["y", "–", "5", "6 7"]]
    assert bold(table) == {(0, 1), (0, 2), (0, 3)}
    assert table.caption.startswith("Results, sorted by A .")
    assert [row.line for row in table.rows] == [13, 14]
    assert (document.sentences[0].text, document.sentences[0].line) == (
        "We are the best by 50 % here.",
        4,
    )


@pytest.mark.parametrize("begin", [r"{tabular*}{\textwidth}{lc}", r"{tabularx}{5cm}{lX}", r"{longtable}{lc}"])
def test_kin_of_tabular_and_a_header_without_rules(begin: str) -> None:
    name = begin[1 : begin.index("}")]
    table = only(read_latex(rf"\begin{begin} Model & A \\ x & 1 \\ y & 2 \end{{{name}}}"))
    assert table.header == (("Model",), ("A",))
    assert texts(table) == [["x", "1"], ["y", "2"]]


def test_a_line_of_intervals_belongs_to_the_row_above() -> None:
    table = only(
        read_latex(
            r"""\begin{tabular}{lrrr}
\rotatebox{90}{Model} & \shortstack[r]{One\vphantom{gl}\\two} & B & C \\
\midrule
x: & \textbf{1.5}\rlap{$^{\star}$} & 2 & -- \\[-1pt]
{\tiny y=1} & {\tiny $\pm$0.1} & {\tiny $-$0.1 +0.3} & \\
\parbox[t]{12em}{\raggedright z} & 3 & 4 & 5 \\
 & {[}2, 4{]} & & (4, 6) \\
\end{tabular}"""
        )
    )
    assert table.header == (("Model",), ("One two",), ("B",), ("C",))
    assert texts(table) == [
        ["x: y=1", "1.5 ★ ±0.1", "2 -0.1 +0.3", "–"],
        ["z", "3", "4", "5"],
        ["", "[2, 4]", "", "(4, 6)"],  # round brackets may be anything
    ]
    assert bold(table) == {(0, 1)}


def test_damaged_latex_ends() -> None:
    for text in (
        r"\begin{tabular}{l",
        r"\begin{tabular}{ll} a & b \\ {{{ & 1 \\",
        "\\",
        r"\textbf{",
        "{" * 5000,
        r"\cite[",
    ):
        read_latex(text)
    assert marked_latex(r"a}b\\c") == "ab c"


# -- CSV


def test_csv_with_bold_a_caption_and_lines_of_a_file() -> None:
    table = only(read_csv('# By us,\n# sorted by A\nModel,A,"B, C"\nx,**1.5**,2\n\n"y\nz",<b>3</b>\n', "x.csv"))
    assert table.caption == "By us, sorted by A"
    assert table.header == (("Model",), ("A",), ("B, C",))
    assert texts(table) == [["x", "1.5", "2"], ["y z", "3", ""]]
    assert bold(table) == {(0, 1), (1, 1)}
    assert [row.line for row in table.rows] == [4, 6]


def test_tidy_csv_becomes_one_table_a_suite() -> None:
    text = "suite,model,metric,value,best,tied\n" + "".join(
        f"{suite},{model},{metric},{value},{best},{tied}\n"
        for suite, model, metric, value, best, tied in (
            ("s", "x", "a", "0.5", "true", "false"),
            ("s", "x", "b", "", "false", "false"),
            ("s", "y", "a", "0.25", "false", "true"),
            ("t", "x", "a", "0.75", "false", "false"),
            ("t", "x", "a", "0.75", "false", "false"),
        )
    )
    first, second = read_csv(text, "x.csv").tables
    assert texts(first) == [["x", "0.5", "-"], ["y", "0.25≈", "-"]]
    assert bold(first) == {(0, 1)}
    assert texts(second) == [["x", "0.75"], ["x", "0.75"]]
    assert first.natural


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 rows"),
        ("Model,A\n", "1 rows"),
        ("Model\nx\n", "at least two cells"),
        ("Model,A\nx,1,2\n", "3 cells in line 2; expected 2"),
        (f"Model,A\nx,{'1' * 200_000}\n", "is no CSV"),
    ],
)
def test_what_is_no_table_is_named(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_csv(text, "x.csv")
    assert str(caught.value).startswith("`x.csv`")


def test_a_table_turned_has_its_columns_as_rows() -> None:
    turned = transposed(only(read_csv("Metric,x,y\nA,1,**2**\n", "x.csv")))
    assert turned.header == (("Metric",), ("A",))
    assert texts(turned) == [["x", "1"], ["y", "2"]]
    assert bold(turned) == {(1, 1)}
