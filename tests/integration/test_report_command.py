"""The command ``report`` as users meet it: what it writes, what it prints, and how it refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from html_tree import Element, parsed
from report_suite import SYSTEMS, score_suite

from anisora.harness.cli import _run


@dataclass(frozen=True)
class Finished:
    """What one command left behind."""

    code: int
    out: str
    err: str


Report = Callable[..., Finished]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return score_suite(tmp_path_factory.mktemp("scored"), num_frames=4, width=48, height=32)


@pytest.fixture
def report(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Report:
    """Runs ``anisora report`` with the scored leaderboard, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANISORA_DB", str(suite.parent / "leaderboard.duckdb"))

    def run_command(*words: str | Path) -> Finished:
        code = _run(["report", *map(str, words)], debug=False)
        told = capsys.readouterr()
        return Finished(code, told.out, told.err)

    return run_command


def page_of(folder: Path) -> Element:
    return parsed((folder / "report.html").read_text(encoding="utf-8"))


def test_a_report_is_a_page_and_files_for_a_paper(report: Report) -> None:
    told = report("small")
    assert told == Finished(
        0, "The report is report/report.html. Beside it are tables, figures and the protocol.\n", told.err
    )
    found = {path.relative_to("report").as_posix() for path in Path("report").rglob("*") if path.is_file()}
    assert found == {
        "report.html",
        "protocol.md",
        *(f"tables/leaderboard.{suffix}" for suffix in ("md", "tex", "csv", "json")),
        *(f"figures/{name}.{kind}" for name in ("intervals", "matrix") for kind in ("png", "svg", "pdf")),
    }
    read = page_of(Path("report"))
    assert read.one("html").attributes["lang"] == "en"
    assert read.one("h1").text == "Small & damaged"
    assert len(read.all("article")) == 6
    assert len(read.all("video")) == 18


def test_language_examples_systems_and_columns_can_be_chosen(report: Report) -> None:
    chosen = ("--models", f"{SYSTEMS[1]},ground-truth", "--metrics", "ssim", "--sort-by", "ssim")
    told = report("small@1", "--out", "deep/er", "--lang", "zh", "--examples", "1", *chosen, "--quiet")
    assert told == Finished(0, "", "")
    read = page_of(Path("deep/er"))
    assert read.one("html").attributes["lang"] == "zh-CN"
    assert [head.text for head in read.one(id="leaderboard").all("th", scope="col")] == [
        "系统",
        "ssim ↑",
        "样本",
        "聚类",
    ]
    rows = read.one(id="leaderboard").all("th", scope="row")
    assert [row.attributes["data-key"] for row in rows] == [SYSTEMS[1], "ground-truth"]
    assert len(read.all("article")) == 3


def test_no_examples_are_no_clips(report: Report) -> None:
    assert report("small", "--examples", "0", "--quiet").code == 0
    assert page_of(Path("report")).all("video") == []


def test_a_paper_is_latex_with_what_it_reads_and_no_page(report: Report) -> None:
    told = report("small", "--out", "paper", "--style", "paper")
    assert told == Finished(
        0, "The paper is paper/paper.tex. Beside it are its table, figures, protocol, checklist and references.\n", ""
    )
    assert {path.name for path in Path("paper").iterdir()} == {
        *("paper.tex", "paper.bbl", "references.bib", "table.tex", "table_notes.tex", "table.md", "table.csv"),
        *("protocol.tex", "protocol.md", "checklist.tex", "checklist.md", "figures"),
    }
    document = Path("paper/paper.tex").read_text(encoding="utf-8")
    drawn = sorted(path.relative_to("paper").as_posix() for path in Path("paper/figures").glob("*.pdf"))
    assert len(drawn) >= 5
    assert [path for path in drawn if f"{{{path}}}" not in document] == []
    assert all(Path("paper", path).with_suffix(".json").is_file() for path in drawn)
    checks = Path("paper/checklist.md").read_text(encoding="utf-8")
    assert "| Suite and version | small@1 |" in checks
    assert "| Tests corrected for multiple comparisons | Yes: max-T" in checks
    assert "| Trained weights only | Yes | untrained |" in checks
    assert "westfall1993resampling" in Path("paper/references.bib").read_text(encoding="utf-8")
    notes = Path("paper/table_notes.tex").read_text(encoding="utf-8")
    assert "Below each value: 95" in notes


def test_a_paper_can_be_chinese_with_other_intervals_and_claims_nothing_wrong(report: Report, suite: Path) -> None:
    chosen = ("--style", "paper", "--lang", "zh", "--intervals", "brackets", "--models", ",".join(SYSTEMS))
    told = report("small", "--out", "paper", *chosen, "--quiet")
    assert (told.code, told.out) == (0, "")
    assert (told.err == "") is bool(list(Path("paper").glob("figures/*.pdf")))  # without a Chinese font there are none
    table = Path("paper/table.tex").read_text(encoding="utf-8")
    assert "锐度" in table
    assert "{[}" in table
    assert "ground-truth" not in table
    assert _run(["claims", "paper/table.tex", "--db", str(suite.parent / "leaderboard.duckdb")], debug=False) == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("small", "--published"), 2, "`--published` goes with --style paper, and `--style` got 'page'"),
        (("small", "--intervals", "none"), 2, "`--intervals` goes with --style paper, and `--style` got 'page'"),
        (("small", "--style", "poster"), 2, "Invalid value for '--style': 'poster' is not one of 'page', 'paper'."),
        (
            ("small", "--style", "paper", "--published"),
            2,
            "Published table 'small' is not known. Published rows exist for: anisora-7, vbench-i2v-8.",
        ),
        (("smal",), 2, "Suite 'smal' is not known. Did you mean 'small'?"),
        (("small@2",), 2, "Suite 'small@2' is not known."),
        (("small", "--lang", "fr"), 2, "Invalid value for '--lang': 'fr' is not one of 'en', 'zh'."),
        (("small", "--examples", "-1"), 2, "Invalid value for '--examples'"),
        (("small", "--metrics", "sharpnes"), 2, "Metric 'sharpnes' is not known. Did you mean 'sharpness'?"),
        (("small", "--models", "nobody"), 2, "'nobody' is not known."),
        (("small", "--sort-by", "psnr"), 2, "'psnr' is not known."),
        (("small", "--allow-diff", "colour"), 2, "'colour'"),
        (("small", "--db", "absent.duckdb"), 2, "absent.duckdb"),
        ((), 2, "Missing argument 'SUITE'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_reported_is_one_line_and_writes_nothing(
    report: Report, words: tuple[str, ...], code: int, message: str
) -> None:
    told = report(*words)
    assert (told.code, told.out) == (code, "")
    assert message in told.err
    assert told.err.startswith("anisora: ")
    assert len(told.err.splitlines()) == 1
    assert list(Path().iterdir()) == []


def test_a_paper_in_a_folder_that_cannot_be_written_is_one_line(report: Report) -> None:
    Path("paper").write_text("a file is in the way", encoding="utf-8")
    told = report("small", "--out", "paper", "--style", "paper")
    assert (told.code, told.out) == (2, "")
    assert len(told.err.splitlines()) == 1
    assert Path("paper").read_text(encoding="utf-8") == "a file is in the way"


@pytest.mark.parametrize("taken", ["report", "report/tables"])
def test_a_folder_that_cannot_be_written_is_one_line(report: Report, taken: str) -> None:
    Path(taken).parent.mkdir(exist_ok=True)
    Path(taken).write_text("a file is in the way", encoding="utf-8")
    told = report("small", "--examples", "0", "--quiet")
    assert (told.code, told.out) == (2, "")
    assert "report" in told.err
    assert len(told.err.splitlines()) == 1
    assert Path(taken).read_text(encoding="utf-8") == "a file is in the way"


def test_below_a_file_nothing_can_be_written(report: Report) -> None:
    Path("file").write_text("", encoding="utf-8")
    told = report("small", "--out", "file/report", "--quiet")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("anisora: The report cannot be written to `file/report`: ")
    assert told.err.endswith("; choose another folder with --out.\n")
