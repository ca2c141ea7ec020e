"""The command ``replot`` as users meet it: what it writes, what it prints, and how it refuses."""

from pathlib import Path

import pytest
from drawn_systems import drawn_systems

from anisora.harness.cli import _run
from anisora.leaderboards.report.paper_figures.figure_file import write_figure
from anisora.leaderboards.report.paper_figures.save import paper_figures


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the data of two figures."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name, drawing in paper_figures(drawn_systems().report()).drawings:
        if name in ("forest", "radar"):
            write_figure(tmp_path / "data" / f"{name}.json", drawing)
    return tmp_path


def test_pictures_take_the_names_of_the_files_and_are_listed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["replot", "data/forest.json", "data/radar.json", "--out", "a/b"], debug=False) == 0
    told = capsys.readouterr()
    names = [f"a/b/{name}.{kind}" for name in ("forest", "radar") for kind in ("png", "svg", "pdf")]
    assert told.out.splitlines() == names
    assert told.err == ""
    assert all(Path(name).stat().st_size > 1000 for name in names)
    assert sorted(path.name for path in (here / "data").iterdir()) == ["forest.json", "radar.json"]


def test_quiet_prints_nothing_and_the_folder_has_a_default(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["replot", "data/forest.json", "--quiet"], debug=False) == 0
    assert capsys.readouterr() == ("", "")
    assert (here / "figures" / "forest.pdf").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument 'FILE...'"),
        (["data/forst.json"], "`data/forst.json` does not exist; expected the data of a figure; did you mean"),
        (["data"], "`data` is a folder; expected the data of a figure"),
        (["data/forest.json", "data/forest.json"], "`FILE` got two files of the name 'forest'"),
        (["text.json"], "`text.json` is not the data of a figure: `the file` got 'no\\nJSON': Invalid JSON"),
        (["data/forest.json", "--out", "text.json/in"], "The figures cannot be written to `text.json/in`"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (here / "text.json").write_text("no\nJSON", encoding="utf-8")
    assert _run(["replot", *words], debug=False) == 2
    told = capsys.readouterr()
    assert message in told.err.replace("b'no", "'no")
    assert told.err.startswith("anisora: ")
    assert len(told.err.splitlines()) == 1
    assert not (here / "figures").exists()
