import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest
from html_tree import Element, parsed
from records import make_record, make_result, make_run

from anisora.harness.errors import ConfigError, DataError
from anisora.leaderboards.site.data import gather_site
from anisora.leaderboards.site.page import BOARD, INDEX, file_name
from anisora.leaderboards.site.words import SiteWords
from anisora.leaderboards.site.write import MARKER, write_site
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.submission import Submission
from anisora.leaderboards.words import LANGUAGES, texts

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"
METRICS = ("flicker", "sharpness", "flow")


def add(board: Leaderboard, model: str, seed: int, **fields: Any) -> str:
    record, rows = make_run(model, seed=seed, metrics=METRICS, **fields)
    board.add(record, rows, "/home/somebody/runs/secret")
    return record.run_id


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of own, verified, withdrawn, random, failed and differing runs of two suites, and its site."""
    folder = tmp_path_factory.mktemp("written")
    made = Leaderboard.open(folder / "board.duckdb")
    add(made, "alpha", 1)
    add(made, "beta", 2)
    add(made, HOSTILE, 3, run_id="smoke-hostile", finished="2026-02-03T00:00:00+00:00")
    add(made, "truth", 4, reference=True)
    add(made, "gone", 5)
    add(made, "random", 6, untrained="untrained:he:0")
    add(made, "lossy", 7, fields={"encoder": "h264/yuv420p"})
    made.add(make_record("broken", [], status="failed", items=20))
    add(made, "alpha", 8, suite="other", version=3, track="t2v")
    made.restate(Submission(run_id="smoke-beta", status="verified", note=HOSTILE, date="2026-01-05", sha256="ab" * 32))
    made.withdraw("smoke-gone", reason=f"a mistake {HOSTILE}", date="2026-01-06T00:00:00+00:00")
    write_site(made, folder / "site")
    return folder


@pytest.fixture
def board(written: Path, tmp_path: Path) -> Leaderboard:
    shutil.copy(written / "board.duckdb", tmp_path)
    return Leaderboard.open(tmp_path / "board.duckdb")


@pytest.fixture
def site(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written / "site", tmp_path / "site")
    return tmp_path / "site"


def pages(site: Path) -> dict[str, Element]:
    return {
        path.relative_to(site).as_posix(): parsed(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
    }


def suite_page(site: Path, key: str = "smoke@1") -> Element:
    return pages(site)[f"suites/{file_name(key)}.html"]


def run_page(site: Path, run_id: str) -> Element:
    return pages(site)[f"runs/{file_name(run_id)}.html"]


def bytes_of(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def models(section: Element) -> list[str]:
    return [head.attributes["data-key"] for body in section.all("tbody") for head in body.all("th")]


def test_the_index_counts_what_each_suite_has(site: Path) -> None:
    rows = pages(site)[INDEX].one("section", id="suites").all("tr")[1:]
    assert [[cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in rows] == [
        ["other@3:t2v other@3:t2v", "1", "1", "0", "2026-01-02"],
        ["smoke@1 smoke@1", "7", "8", "1", "2026-02-03"],
    ]


def test_every_run_and_suite_has_a_page_and_every_link_leads_somewhere(site: Path) -> None:
    found = pages(site)
    assert len(found) == 1 + 2 + 9
    reached = {INDEX}
    for name, page in found.items():
        for link in page.all("a"):
            target, _, fragment = link.attributes["href"].partition("#")
            path = Path(os.path.normpath(site / Path(name).parent / unquote(target))) if target else site / name
            assert path.is_relative_to(site)
            assert path.is_file(), f"{name}: {link.attributes['href']}"
            if fragment:
                assert parsed(path.read_text(encoding="utf-8")).all(id=fragment)
            reached.add(path.relative_to(site).as_posix())
    assert reached == set(bytes_of(site)) - {MARKER}


def test_a_cell_has_value_interval_and_coverage(site: Path, board: Leaderboard) -> None:
    first = suite_page(site).one("section", id="table-1")
    row = next(row for row in first.all("tr") if row.all("th", scope="row") and "beta" in row.text)
    result = board.get("smoke-beta").results[0]
    assert result.value is not None
    assert result.low is not None
    cell = row.all("td")[0]
    assert cell.one("span", class_="value").text.removesuffix(" ★") == f"{result.value:.4f}"
    assert cell.one("span", class_="range").text == f"[{result.low:.4f}, {result.high:.4f}]"
    assert cell.one("span", class_="value").attributes["title"].startswith("20 of 20 items, 8 clusters")
    assert [part.text for part in row.all("td")[-3:-1]] == ["20/20", "8"]
    assert float(cell.attributes["data-key"]) == result.value


def test_ground_truth_is_apart_and_never_bold_and_stars_are_above_it(site: Path) -> None:
    first = suite_page(site).one("section", id="table-1")
    systems, truth = first.all("tbody")
    assert [head.attributes["data-key"] for head in truth.all("th")] == ["truth"]
    assert sorted(head.attributes["data-key"] for head in systems.all("th")) == sorted([HOSTILE, "alpha", "beta"])
    assert len(systems.all("td", class_="best")) == len(METRICS)
    assert truth.all("td", class_="best") == []
    assert truth.all("span", class_="star") == []
    assert systems.all("span", class_="star")


def test_every_row_has_its_status(site: Path) -> None:
    chips = {
        row.all("th")[0].attributes["data-key"]: row.one("span", class_="status")
        for row in suite_page(site).all("tr")
        if row.all("th", scope="row") and row.all("span", class_="status")
    }
    assert chips["beta"].text == "verified"
    assert chips["beta"].attributes["title"] == HOSTILE
    assert chips["alpha"].text == chips["lossy"].text == "own run"


def test_withdrawn_runs_are_listed_apart_with_reason_and_date(site: Path) -> None:
    page = suite_page(site)
    assert page.one("section", id="withdrawn").text == f"Withdrawn gone withdrawn 2026-01-06: a mistake {HOSTILE}"
    assert all("gone" not in models(page.one("section", id=f"table-{number}")) for number in (1, 2, 3))
    assert "1 run that was withdrawn not shown." in page.text
    assert run_page(site, "smoke-gone").one("p", class_="banner").text.startswith("Withdrawn 2026-01-06: a mistake")


def test_runs_that_may_not_share_a_table_have_their_own_with_the_field_in_its_heading(site: Path) -> None:
    page = suite_page(site)
    assert page.one("section", id="table-1").one("h2").text == "Table 1: encoder = 'ffv1/bgr0'"
    assert page.one("section", id="table-2").one("h2").text == "Table 2: encoder = 'h264/yuv420p'"
    assert models(page.one("section", id="table-2")) == ["lossy", "truth"]
    assert "under 2 protocols that may not share a table" in page.text


def test_random_weights_stand_under_a_banner_beside_no_other(site: Path) -> None:
    page = suite_page(site)
    section = page.one("section", id="table-3")
    assert models(section) == ["random"]
    assert section.one("p", class_="banner").text.startswith("UNTRAINED: random weights")
    assert "random" not in models(page.one("section", id="table-1"))
    assert run_page(site, "smoke-random").one("p", class_="banner").text.startswith("UNTRAINED")


def test_runs_that_failed_are_told(site: Path) -> None:
    assert suite_page(site).one("section", id="others").text == "Runs that stand in no table broken smoke-broken failed"


def test_a_run_has_its_protocol_environment_results_and_note(site: Path) -> None:
    page = run_page(site, "smoke-beta")
    assert page.one("h1").text == "beta"
    assert "encoder ffv1/bgr0" in page.one("section", id="protocol").text
    assert "python 3.11" in page.one("section", id="environment").text
    facts = page.one("section", id="facts").text
    assert f"2026-01-05 · {HOSTILE}" in facts
    assert "ab" * 32 in facts
    rows = page.one("section", id="results").all("tr")[1:]
    assert [row.one("th").text for row in rows] == list(METRICS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_a_record_is_markup(board: Leaderboard, tmp_path: Path, language: str) -> None:
    write_site(board, tmp_path / "site", language=language)
    for page in pages(tmp_path / "site").values():
        (script,) = page.all("script")
        assert script.text.startswith('"use strict"')
        assert [one.tag for one in page.all() if any(name.startswith("on") for name in one.attributes)] == []
        policy = page.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
        assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
        assert page.one("html").attributes["lang"] == SiteWords(language)("html_lang")
    assert HOSTILE in suite_page(tmp_path / "site").text


def test_no_path_of_this_machine_is_in_a_site(site: Path, tmp_path: Path) -> None:
    for name, content in bytes_of(site).items():
        assert b"/home/somebody" not in content, name
        assert str(tmp_path).encode() not in content, name


def test_the_downloads_hold_the_board(site: Path, board: Leaderboard) -> None:
    with Leaderboard.open(site / BOARD) as copy:
        assert copy.submissions() == board.submissions()
        assert [record.results for record in copy.runs()] == [record.results for record in board.runs()]
        assert copy.scores("smoke-beta") == board.scores("smoke-beta")
    with duckdb.connect(str(site / BOARD), read_only=True) as connection:
        assert connection.execute("SELECT DISTINCT folder FROM run").fetchall() == [("",)]
    table = json.loads((site / f"suites/{file_name('smoke@1')}-1.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in table["rows"]] == [*sorted([HOSTILE, "alpha", "beta"]), "truth"]


def test_the_same_board_gives_the_same_bytes(site: Path, board: Leaderboard, tmp_path: Path) -> None:
    before = bytes_of(site)
    write_site(board, site)
    assert bytes_of(site) == before
    write_site(board, tmp_path / "again")
    again = bytes_of(tmp_path / "again")
    # DuckDB gives each file it makes an identity, which the marker tells.
    assert {name for name in before if before[name] != again[name]} <= {BOARD, MARKER}


def test_a_board_that_changed_is_written_anew(site: Path, board: Leaderboard) -> None:
    board.withdraw("smoke-alpha", reason="a mistake, too", date="2026-01-07T00:00:00+00:00")
    write_site(board, site)
    assert "a mistake, too" in suite_page(site).text
    with Leaderboard.open(site / BOARD) as copy:
        assert copy.submissions()["smoke-alpha"].reason == "a mistake, too"


def test_a_second_ground_truth_is_told_and_not_shown(board: Leaderboard, tmp_path: Path) -> None:
    add(board, "older truth", 9, reference=True, finished="2025-01-01T00:00:00+00:00")
    write_site(board, tmp_path / "site")
    page = suite_page(tmp_path / "site")
    assert "older truth smoke-older truth a second ground truth; a table has one" in page.one(id="others").text
    assert "older truth" not in models(page.one("section", id="table-1"))


def test_another_run_of_a_system_is_told_and_not_shown(board: Leaderboard, tmp_path: Path) -> None:
    add(board, "alpha", 10, run_id="smoke-alpha-older", finished="2025-01-01T00:00:00+00:00")
    write_site(board, tmp_path / "site")
    assert "alpha smoke-alpha-older another run of the system" in suite_page(tmp_path / "site").one(id="others").text


def test_runs_that_disagree_on_a_direction_have_their_own_tables(tmp_path: Path) -> None:
    board = Leaderboard.open(tmp_path / "board.duckdb")
    board.add(make_record("one", [make_result("their_metric", 0.5, direction="higher")]))
    board.add(make_record("two", [make_result("their_metric", 0.5, direction="lower")]))
    (suite,) = gather_site(board).suites
    assert [[row.model for row in group.table.rows] for group in suite.groups] == [["one"], ["two"]]
    write_site(board, tmp_path / "site")
    heads = [section.one("h2").text for section in suite_page(tmp_path / "site").all("section")]
    assert heads == ["Table 1: other metrics or directions", "Table 2: other metrics or directions"]


def test_an_empty_board_has_an_index(tmp_path: Path) -> None:
    board = Leaderboard.open(tmp_path / "board.duckdb")
    add(board, "alpha", 1)
    board.remove("smoke-alpha")
    write_site(board, tmp_path / "site")
    assert "This board has no runs yet." in pages(tmp_path / "site")[INDEX].text


# -- where it is written


def test_something_else_is_never_overwritten(board: Leaderboard, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"thesis`, which is not empty and no site \(it has no anisora-site.json\)"):
        write_site(board, thesis)
    with pytest.raises(ConfigError, match=r"chapter.txt`, which is a file or a link; expected a folder"):
        write_site(board, thesis / "chapter.txt")
    assert [path.name for path in thesis.iterdir()] == ["chapter.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board.duckdb", "thesis"]


def test_what_was_put_into_a_site_is_not_lost(board: Leaderboard, site: Path) -> None:
    before = bytes_of(site)
    (site / "CNAME").write_text("example.org")
    with pytest.raises(ConfigError, match=r"holds `CNAME` that no site wrote and that would be lost; move it away"):
        write_site(board, site)
    assert bytes_of(site) == {**before, "CNAME": b"example.org"}


@pytest.mark.parametrize("marker", ["", "[]", "{}", '{"files": 1}'])
def test_a_marker_that_is_none_makes_no_site(board: Leaderboard, tmp_path: Path, marker: str) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / MARKER).write_text(marker)
    with pytest.raises(ConfigError, match=r"not empty and no site"):
        write_site(board, tmp_path / "site")


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(board: Leaderboard, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert write_site(board, tmp_path / "site") == tmp_path / "site" / INDEX
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board.duckdb", "site"]


def test_a_folder_that_cannot_be_made_is_told(board: Leaderboard, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"The site cannot be written to .*; choose another folder with --out"):
        write_site(board, tmp_path / "file" / "site")


def test_an_unknown_language_is_refused(board: Leaderboard, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`--lang` got 'fr'; expected one of en, zh"):
        write_site(board, tmp_path / "site", language="fr")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("name", ["", "..", "CON", "a/b", "动漫", "x" * 300, "A", "a", "a b", "a\x00b", "\ud800"])
def test_names_of_files_are_safe_and_differ(name: str) -> None:
    made = file_name(name)
    assert made == file_name(name)
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 10 <= len(made) <= 60
    assert made != file_name(f"{name} ")


def test_the_words_are_there_in_both_languages_and_all_are_used() -> None:
    import anisora.leaderboards.site.page as page

    folder = Path(page.__file__).parent
    used = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*") if path.suffix in (".py", ".j2"))
    computed: Callable[[str], bool] = lambda key: key.startswith(("status_", "means_", "other_"))  # noqa: E731
    for key, each in texts("anisora.leaderboards.site").items():
        assert set(each) == set(LANGUAGES), key
        assert computed(key) or f"'{key}'" in used or f'"{key}"' in used, key
    assert set(texts("anisora.leaderboards.site")) & set(texts()) == set()
