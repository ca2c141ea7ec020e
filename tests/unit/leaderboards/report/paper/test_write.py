import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records import make_record, make_result
from scored_systems import TRUTH, Scored

from anisora.harness.errors import ConfigError, DataError
from anisora.leaderboards.cell_text import Intervals
from anisora.leaderboards.claims.check import check_claims
from anisora.leaderboards.claims.latex_reader import read_latex
from anisora.leaderboards.claims.sources import expected_of_leaderboard
from anisora.leaderboards.published.tables import published_table
from anisora.leaderboards.report.paper.document import PaperFigure
from anisora.leaderboards.report.paper.write import PAPER, write_paper
from anisora.leaderboards.table import LeaderboardTable, build_table

FILES = {
    PAPER,
    *("paper.bbl", "references.bib", "table.tex", "table_notes.tex", "table.md", "table.csv"),
    *("protocol.tex", "protocol.md", "checklist.tex", "checklist.md"),
}
ITEMS = [f"item-{at}" for at in range(8)]
SPREAD = (-3, -2, -1, 0, 0, 1, 2, 3)


def around(mean: float) -> dict[str, float]:
    return {item: mean + 0.001 * by for item, by in zip(ITEMS, SPREAD, strict=True)}


def scored(language: str = "en") -> Scored:
    """Three systems, one without a value, and the ground truth, which one of them beats."""
    means = {"one": (0.5, 0.2), "two": (0.7, 0.1), "three": (0.9, 0.3), TRUTH: (0.8, 0.05)}
    values = {model: {"ssim": around(left), "flicker": around(right)} for model, (left, right) in means.items()}
    del values["one"]["flicker"]
    return Scored(values, title="A title", language=language)


def files_below(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("paper") / "new" / "folder"
    assert write_paper(scored().report(), folder) == folder / PAPER
    return files_below(folder)


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if " & " in line]


def test_a_pack_is_a_document_and_what_it_reads(written: dict[str, str]) -> None:
    assert set(written) == FILES
    assert all(written.values())
    reads = set(re.findall(r"\\input\{(\w+)\}", written[PAPER]))
    assert {f"{name}.tex" for name in reads} == {name for name in FILES if name.endswith(".tex")} - {PAPER}
    for name in ("table.tex", "table_notes.tex", "protocol.tex", "checklist.tex", "paper.bbl"):
        assert written[name].count("{") == written[name].count("}"), name
        assert "documentclass" not in written[name]
    assert "\\begin{table}" not in written["table.tex"]  # bare: the float is the document's


def test_the_rules_of_the_table(written: dict[str, str]) -> None:
    head, *rows = rows_of(written["table.tex"])
    assert head == r"Model & ssim $\uparrow$ & flicker $\downarrow$ & Items & Clusters \\"
    numbers = rows[::2]
    assert numbers == [
        r"one & 0.5000 & -- & 8/8 & 8 \\[-1pt]",
        r"three & \textbf{0.9000}\rlap{$^{\star}$} & 0.3000 & 8/8 & 8 \\[-1pt]",
        r"two & \underline{0.7000} & \textbf{0.1000} & 8/8 & 8 \\[-1pt]",
        r"ground-truth & 0.8000 & 0.0500 & 8/8 & 8 \\[-1pt]",
    ]
    assert all(re.search(r"\$\\pm\$0\.0", line) for line in rows[1::2])
    lines = written["table.tex"].splitlines()
    assert lines[lines.index(numbers[-1]) - 1] == r"\midrule"
    notes = written["table_notes.tex"]
    for told in ("Bold: best", "Underlined: second best.", r"$\star$ better than the ground truth", r"$\pm$ half"):
        assert told in notes


@pytest.mark.parametrize("intervals", ["half-width", "brackets", "none"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_written_is_read_back_and_nothing_in_it_is_flagged(
    tmp_path: Path, intervals: Intervals, language: str
) -> None:
    report = scored(language).report()
    write_paper(report, tmp_path, intervals=intervals, language=language)
    known = [expected_of_leaderboard(report.table)]
    for name in ("table.tex", "table.md", "table.csv"):
        told = check_claims(tmp_path / name, known)
        assert told.flagged == (), name
        assert [table.cells for table in told.tables] == [8]
        assert [(it.kind, it.row) for it in told.unchecked if it.kind != "claim"] == [("missing", "one")]


def test_markdown_and_csv_have_the_same_numbers(written: dict[str, str]) -> None:
    assert "| three | **0.9000★** <sub>±" in written["table.md"]
    assert "| two | <ins>0.7000</ins> <sub>±" in written["table.md"]
    lines = list(csv.DictReader(io.StringIO(written["table.csv"])))
    assert [line["model"] for line in lines if line["second"] == "true"] == ["two"]
    assert [line["value"] for line in lines if line["model"] == "one"][1] == ""


def test_the_protocol_cites_its_sources_and_the_bibliography_has_them_all(written: dict[str, str]) -> None:
    cited = set(",".join(re.findall(r"\\cite\{([^}]+)\}", written["protocol.tex"])).split(","))
    assert cited == set(re.findall(r"\\bibitem\{([^}]+)\}", written["paper.bbl"]))
    assert cited == set(re.findall(r"^@\w+\{([^,]+),", written["references.bib"], re.MULTILINE))
    assert r"ssim~\cite{wang2004image}" in written["protocol.tex"]
    assert re.search(r"ssim \[(\d)\]", written["protocol.md"])
    assert "1. anisora-harness contributors" in written["protocol.md"]


def test_the_checklist_has_one_line_a_question_in_both_formats(written: dict[str, str]) -> None:
    assert len(rows_of(written["checklist.tex"])) == len(written["checklist.md"].splitlines()) - 3
    assert "| Seeds | 0 | spec.seeds |" in written["checklist.md"]
    assert r"Seeds & 0 & spec.seeds \\" in written["checklist.tex"]


def test_the_same_report_gives_the_same_files_in_place_of_an_earlier_one(
    tmp_path: Path, written: dict[str, str]
) -> None:
    (tmp_path / PAPER).write_text("old", encoding="utf-8")
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    write_paper(scored().report(), tmp_path)
    assert files_below(tmp_path) == {**written, "mine.txt": "kept"}


def test_figures_stand_behind_the_table_with_their_captions(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    figures = [PaperFigure(path=tmp_path / "figures" / f"{name}.pdf", caption=f"50 % {name}") for name in ("a", "b")]
    text = write_paper(scored().report(), tmp_path, figures=figures).read_text(encoding="utf-8")
    shown = re.findall(r"\\includegraphics\[[^]]*\]\{([^}]+)\}\n\\caption\{([^}]+)\}", text)
    assert shown == [("figures/a.pdf", r"50 \% a"), ("figures/b.pdf", r"50 \% b")]
    assert text.index(r"\input{table}") < text.index("figures/a.pdf") < text.index("figures/b.pdf")


def test_reported_rows_are_a_table_of_their_own_that_says_so(tmp_path: Path) -> None:
    write_paper(scored().report(), tmp_path, published=published_table("vbench-i2v-8"))
    found = files_below(tmp_path)
    assert set(found) == {*FILES, "published.tex"}
    assert "vbench-i2v-8; reported, not reproduced" in found["published.tex"]
    assert r"\input{published}" in found[PAPER]
    assert r"vbench-i2v-8~\cite{source-vbench-i2v-8}" in found["protocol.tex"]
    assert "cogvideox-5b" not in found["table.tex"] + found["table.csv"]


def test_a_chinese_pack_is_chinese_and_asks_for_a_font_where_it_is_compiled(tmp_path: Path) -> None:
    write_paper(scored("zh").report(), tmp_path, language="zh")
    found = files_below(tmp_path)
    assert r"\section{可复现性清单}" in found[PAPER]
    assert r"\IfFontExistsTF{Noto Serif CJK SC}{\setmainfont{Noto Serif CJK SC}}" in found[PAPER]
    assert "apt install fonts-noto-cjk" in found[PAPER]
    assert "系统 & " in found["table.tex"]
    assert "随机种子 & 0 & spec.seeds" in found["checklist.tex"]


def test_a_language_that_is_not_known_and_a_folder_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`--lang` got 'fr'"):
        write_paper(scored().report(), tmp_path, language="fr")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"The report cannot be written to .*; choose another folder with --out\."):
        write_paper(scored().report(), tmp_path / "file" / "paper")


def hostile_table(names: list[str]) -> LeaderboardTable:
    records = [
        make_record(name, [make_result("sharpness", 0.5 + at / 100), make_result("flow", 0.2)], run_id=f"run-{at}")
        for at, name in enumerate(names)
    ]
    truth = make_record(TRUTH, {"sharpness": 0.9, "flow": 0.1}, reference=True)
    return build_table([*records, truth], models=[*(record.run_id for record in records), TRUTH])


NAMES = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
        st.text("\\%$&#_{}~^<>|`'\"[]*-=+@/:., a动★\n\x1b", min_size=1, max_size=60),
    ).filter(lambda name: name != TRUTH),
    min_size=2,
    max_size=4,
    unique=True,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
def test_whatever_a_model_is_called_it_stays_text(names: list[str], tmp_path: Path) -> None:
    table = hostile_table(names)
    records = {row.run_id: make_record(row.model, {"flow": 0.1}, run_id=row.run_id) for row in table.rows}
    write_paper(scored().report(table=table, records=records, matrix=None), tmp_path)
    found = {name: (tmp_path / name).read_text(encoding="utf-8") for name in FILES}
    (read,) = read_latex(found["table.tex"]).tables
    assert len(read.rows) == len(table.rows)
    assert {len(row.cells) for row in read.rows} == {5}
    for name in ("table.tex", "table_notes.tex", "protocol.tex", "checklist.tex"):
        without = re.sub(r"\\[{}]", "", found[name])
        assert without.count("{") == without.count("}"), name
        assert not re.search(r"(?<!\\)[#~]", re.sub(r"\\\\|~\\cite|\\noalign", "", found[name])), name
    for name in ("table.md", "checklist.md", "protocol.md"):
        assert not re.search(r"(?<!\\)<(?!/?(?:sub|ins)>)", found[name]), name
    for line in csv.DictReader(io.StringIO(found["table.csv"], newline="")):
        assert not line["model"].lstrip().startswith(("=", "+", "-", "@")) or _is_number(line["model"])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
