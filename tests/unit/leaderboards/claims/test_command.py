"""The command: exit codes, text and JSON, with and without a leaderboard."""

import json
from pathlib import Path

import pytest
from records import make_run

from anisora.harness.cli import _run
from anisora.leaderboards.published.rendering import render_published
from anisora.leaderboards.published.tables import published_table
from anisora.leaderboards.store import Leaderboard


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    text = render_published(published_table("vbench-i2v-8"), "markdown")
    Path("right.md").write_text(text, encoding="utf-8")
    Path("wrong.md").write_text(text.replace("53.21", "53.22"), encoding="utf-8")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = _run(["claims", *arguments], debug=False)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_right_file_ends_with_0_and_a_wrong_one_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "right.md")
    assert (code, out.splitlines()[0]) == (0, "right.md: 1 of 1 tables checked, 0 flagged, 1 listed")
    code, out, _ = told(capsys, "wrong.md")
    assert code == 1
    assert "Flagged\n  line 5  number  Aesthetic Quality of opensora-plan-v1.3 is 53.22;" in out


def test_json_has_every_field_of_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "wrong.md", "--json", "--suite", "vbench-i2v-8")
    content = json.loads(out)
    assert (code, content["file"], content["found"]) == (1, "wrong.md", 1)
    assert content["tables"][0]["cells"] == 72
    (found,) = content["flagged"]
    assert found == {
        "kind": "number",
        "table": "table 1 (line 3)",
        "row": "opensora-plan-v1.3",
        "column": "Aesthetic Quality ↑",
        "printed": "53.22★",
        "expected": "53.21",
        "message": "Aesthetic Quality of opensora-plan-v1.3 is 53.22; the published table vbench-i2v-8 has 53.21.",
        "line": 5,
    }


def test_runs_of_a_leaderboard_are_known_too(capsys: pytest.CaptureFixture[str]) -> None:
    board = Leaderboard.open("leaderboard.duckdb")
    for seed, model in enumerate(("alpha", "beta")):
        board.add(*make_run(model, seed=seed))
    values = {model: board.find("smoke@1", model).result("sharpness") for model in ("alpha", "beta")}
    rows = [f"{model},{result.value:.4f}" for model, result in values.items() if result and result.value]
    Path("own.csv").write_text("\n".join(["model,sharpness", *rows]) + "\n", encoding="utf-8")
    assert told(capsys, "own.csv")[0] == 0  # leaderboard.duckdb is found where it is
    Path("leaderboard.duckdb").rename("other.duckdb")
    code, out, _ = told(capsys, "own.csv")
    assert (code, "0 of 1 tables checked" in out) == (0, True)
    code, out, _ = told(capsys, "own.csv", "--db", "other.duckdb", "--suite", "smoke")
    assert (code, "2 cells against the leaderboard's smoke@1" in out) == (0, True)
    Path("own.csv").write_text("model,sharpness\nalpha,0.1\nbeta,0.9\n", encoding="utf-8")
    assert told(capsys, "own.csv", "--db", "other.duckdb")[0] == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.md", None, ("`absent.md` does not exist", "Markdown, LaTeX or CSV")),
        ("table.xlsx", b"x", ("'.xlsx'", ".md, .markdown")),
        ("latin.tex", b"caf\xe9", ("no UTF-8 text (byte 3)",)),
        ("zero.md", b"a\0b", ("zero bytes",)),
        ("empty.csv", b"", ("0 rows",)),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_and_exit_2(
    name: str, content: bytes | None, says: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    code, out, err = told(capsys, name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    for part in says:
        assert part in err


def test_an_unknown_suite_and_an_absent_leaderboard_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, "right.md", "--suite", "vbench-i2v")
    assert (code, "Did you mean 'vbench-i2v-8'?" in err) == (2, True)
    code, _, err = told(capsys, "right.md", "--db", "absent.duckdb")
    assert (code, "`absent.duckdb` does not exist" in err) == (2, True)


def test_what_a_terminal_would_obey_is_written_as_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.md").write_text("The best \x1b[31mred.\n", encoding="utf-8")
    _, out, _ = told(capsys, "odd.md")
    assert "\x1b" not in out
    assert "\\x1b" in out
