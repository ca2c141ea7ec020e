"""The texts of figures, in both languages: all there, all used, none twice."""

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from anisora.harness.protocols import Direction
from anisora.leaderboards.effects import Verdict
from anisora.leaderboards.report.choice import KINDS
from anisora.leaderboards.report.paper_figures import figure_data
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords
from anisora.leaderboards.report.paper_figures.pareto import Mark
from anisora.leaderboards.words import LANGUAGES, texts

PACKAGE = FigureWords.packages[0]
COMPUTED = {
    *(f"forest_{verdict}" for verdict in get_args(Verdict)),
    *(f"pareto_{mark}" for mark in get_args(Mark)),
    *(f"heat_bar_{direction}" for direction in get_args(Direction)),
    *(f"film_{kind}" for kind in KINDS),
}


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(texts(PACKAGE)))
def test_a_text_has_every_language_and_the_same_gaps_in_each(key: str) -> None:
    written = texts(PACKAGE)[key]
    assert set(written) == set(LANGUAGES)
    first, *others = (fields_of(text) for text in written.values())
    assert others == [first] * (len(LANGUAGES) - 1)
    assert key == "space" or re.search(r"[\u3000-\u9fff]", written["zh"])


def test_every_text_is_used_and_no_table_or_report_has_it() -> None:
    folder = Path(figure_data.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    named = set(re.findall(r"\bsay\(\s*[\"'](\w+)[\"']", code)) | set(re.findall(r'(?:if|else) "(\w+)"', code))
    assert set(texts(PACKAGE)) - named - COMPUTED == set()
    assert set(texts(PACKAGE)) >= COMPUTED
    assert set(texts(PACKAGE)) & set(texts()) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_can_be_filled_in(language: str) -> None:
    say = FigureWords(language)
    for key, written in texts(PACKAGE).items():
        assert not re.search(r"[{}]", say(key, **dict.fromkeys(fields_of(written[language]), 7))), key
    assert say("comma") == texts()["comma"][language]
    with pytest.raises(KeyError, match="no_such_text"):
        say("no_such_text")
