"""Generated parts are what the program says now."""

from pathlib import Path

import pytest
from documentation import doc_pages, generator
from shared_data import REPOSITORY


@pytest.mark.parametrize("page", doc_pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_generated_parts_of_the_page_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert generator().regenerated(text) == text, "run: python docs/generate.py"


def test_every_marker_has_its_end() -> None:
    for page in doc_pages():
        text = page.read_text(encoding="utf-8")
        assert text.count("<!-- generated: ") == text.count("<!-- end: "), page


def test_a_part_that_is_out_of_date_is_made_anew() -> None:
    text = "before\n<!-- generated: suites -->\nstale\n<!-- end: suites -->\nafter\n"
    made = generator().regenerated(text)
    assert made.startswith("before\n<!-- generated: suites -->\n| suite |")
    assert "stale" not in made
    assert made.endswith("<!-- end: suites -->\nafter\n")
    assert generator().regenerated(made) == made


def test_a_part_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        generator().regenerated("<!-- generated: nonsense -->\n<!-- end: nonsense -->")
    with pytest.raises(KeyError, match="anisora dance"):
        generator().regenerated("<!-- generated: help dance -->\n<!-- end: help dance -->")


def test_the_demo_table_is_left_alone_without_a_run() -> None:
    text = "<!-- generated: demo table -->\n| 1 |\n<!-- end: demo table -->"
    assert generator().regenerated(text) == text
    assert "| 2 |" in generator().regenerated(text, demo="| 2 |\n")


def test_both_readmes_show_one_demo_table() -> None:
    parts = []
    for name in ("README.md", "README.zh.md"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        parts.append(text.partition("<!-- generated: demo table -->")[2].partition("<!-- end: demo table -->")[0])
    assert parts[0] == parts[1]
    assert "| *ground-truth* |" in parts[0]


def test_no_help_text_shows_a_mark_of_click() -> None:
    """Click's mark for lines that are not to be wrapped is a control character, not two letters."""
    shown = [words for words, command, context in generator().commands() if "\\b" in command.get_help(context)]
    assert shown == []
