import ast
import re
from string import Formatter
from typing import get_args

import pytest
from shared_data import REPOSITORY
from source_tree import python_files

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import Direction
from anisora.leaderboards.effects import Verdict
from anisora.leaderboards.report.choice import KINDS
from anisora.leaderboards.words import LANGUAGES, Words, texts

TEMPLATES = [
    REPOSITORY / "leaderboards" / name for name in ("report/page.html.j2", "report/paper/paper.tex.j2", "cell.html.j2")
]
CHOSEN_WHEN_DRAWN = {
    "effect.verdict": set(get_args(Verdict)),
    "column.direction": set(get_args(Direction)),
    "breakdown.name": {"label", "style"},
    "example.kind + '_item'": {f"{kind}_item" for kind in KINDS},
    "result.direction": {"higher", "lower", "reference"},
    "'kind_' + entry.kind": {f"kind_{kind}" for kind in ("metric", "weights", "model", "items")},
}
"""{expression that gives a key: every key that it can give}"""


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def asks_for_a_text(call: ast.Call) -> bool:
    """Whether a call is ``words(...)`` or ``Words(...)(...)``."""
    if isinstance(call.func, ast.Call):
        return ast.unparse(call.func.func) == "Words"
    return ast.unparse(call.func) == "words"


def literals_of(expression: ast.expr, function: ast.FunctionDef) -> set[str] | None:
    """Return the texts that an argument can be, or None where it takes another value to know."""
    if isinstance(expression, ast.Constant):
        return {expression.value}
    if isinstance(expression, ast.IfExp):
        return (literals_of(expression.body, function) or set()) | (literals_of(expression.orelse, function) or set())
    if isinstance(expression, ast.Name):  # set from texts in the same function
        constants = {node.value for node in ast.walk(function) if isinstance(node, ast.Constant)}
        return {value for value in constants if isinstance(value, str) and value in texts()}
    return None


def keys_of_code() -> tuple[set[str], set[str]]:
    """Return the keys that Python names, and the expressions of those that it computes."""
    keys, computed = set(), set()
    for path in python_files("leaderboards"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if not asks_for_a_text(call):
                    continue
                named = literals_of(call.args[0], function)
                if named is None:
                    computed.add(ast.unparse(call.args[0]))
                else:
                    keys |= named
    return keys, computed


def keys_of_template() -> tuple[set[str], set[str]]:
    """Return the keys that the pages name, and the expressions of those that it computes."""
    keys, computed = set(), set()
    templates = "".join(template.read_text(encoding="utf-8") for template in TEMPLATES)
    for argument in re.findall(r"\bsay\(([^,)]+)", templates):
        literal = re.fullmatch(r"'(\w+)'", argument.strip())
        if literal:
            keys.add(literal.group(1))
        else:
            computed.add(argument.strip())
    return keys, computed


@pytest.mark.parametrize("key", sorted(texts()))
def test_a_text_has_every_language_and_the_same_gaps_in_each(key: str) -> None:
    written = texts()[key]
    assert set(written) == set(LANGUAGES)
    assert all(text == text.strip() or key in ("comma", "separator", "footnote_where") for text in written.values())
    assert all(written.values())
    first, *others = (fields_of(text) for text in written.values())
    assert others == [first] * (len(LANGUAGES) - 1)
    assert all(name.isidentifier() for name in first)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_can_be_filled_in(language: str) -> None:
    words = Words(language)
    for key, written in texts().items():
        filled = words(key, **dict.fromkeys(fields_of(written[language]), 7))
        assert not re.search(r"[{}]", filled), key


def test_every_text_that_the_code_asks_for_is_written_and_no_other() -> None:
    (in_code, computed), (in_template, drawn) = keys_of_code(), keys_of_template()
    assert len(in_code) > 20
    assert len(in_template) > 20
    assert computed | drawn == set(CHOSEN_WHEN_DRAWN)
    asked = set.union(in_code, in_template, *CHOSEN_WHEN_DRAWN.values())
    assert asked - set(texts()) == set()
    assert set(texts()) - asked == set()


def test_a_text_is_filled_in_by_name() -> None:
    assert Words("en")("held", held=3, count=4).startswith("3 of 4 expectations")
    assert Words("zh")("held", held=3, count=4) == "事先写下的 4 项预期中，3 项成立。"
    with pytest.raises(KeyError, match="count"):
        Words("en")("held", held=3)


def test_chinese_texts_are_in_chinese() -> None:
    same = {key for key, written in texts().items() if written["en"] == written["zh"]}
    assert same == set()
    latin = {key for key, written in texts().items() if not re.search(r"[\u3000-\u9fff\uff00-\uffef]", written["zh"])}
    assert latin == {"html_lang"}


@pytest.mark.parametrize("language", ["de", "EN", "", "zh-CN"])
def test_a_language_that_is_not_known_is_refused(language: str) -> None:
    with pytest.raises(ConfigError, match=rf"`--lang` got '{language}'; expected one of en, zh\."):
        Words(language)
