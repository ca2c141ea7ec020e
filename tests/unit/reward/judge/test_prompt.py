"""The judge's question: read from a script that is never run, checked, and filled with captions of any kind."""

import hashlib
from pathlib import Path

import pytest
from shared_data import GOLDEN, REPOSITORY, needs_shared
from source_tree import source_files

from anisora.harness.errors import ConfigError, MetricError, WeightsMissing
from anisora.harness.weights import entry_of
from anisora.reward.judge import prompt
from anisora.reward.judge.prompt import TEMPLATE_SHA256, checked_template, judge_prompt, read_template

TEXTS = sorted(GOLDEN.glob("c01*/judge_prompt.txt"))
TEMPLATE = 'Judge "{text_prompt}":\n'


def question() -> str:
    return TEXTS[0].read_bytes().decode()


def script(folder: Path, text: str) -> Path:
    """A script that would fail if it were run."""
    path = folder / "reward_infer.py"
    path.write_text(f"import no_such_package\nraise SystemExit\nREGRESSION_QUERY_PROMPT = {text!r}\nMODEL = load()\n")
    return path


@needs_shared
def test_the_question_is_read_from_the_script_byte_for_byte(tmp_path: Path) -> None:
    assert read_template(script(tmp_path, question())) == question()
    assert hashlib.sha256(question().encode()).hexdigest() == TEMPLATE_SHA256


@needs_shared
def test_the_question_stands_nowhere_in_the_repository() -> None:
    lines = [line.strip() for line in question().splitlines() if len(line) > 40]
    assert len(lines) > 3
    for path in source_files():
        full = REPOSITORY / path
        if full.is_file() and full.suffix in (".py", ".md", ".yaml", ".txt", ".json", ".toml"):
            text = full.read_text(encoding="utf-8")
            assert [line for line in lines if line in text] == [], path


@needs_shared
def test_a_question_that_differs_in_one_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has the sha256 [0-9a-f]{12}…; expected 70c787b31179…"):
        read_template(script(tmp_path, question().replace("100", "10", 1)))


def test_an_own_question_is_refused_by_its_source() -> None:
    with pytest.raises(ConfigError, match="Judge prompt of `mine` has the sha256"):
        checked_template(TEMPLATE, source="mine")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("PROMPT = 'a'\n", "0 times"),
        ("REGRESSION_QUERY_PROMPT = 'a' + 'b'\n", "0 times"),
        ("REGRESSION_QUERY_PROMPT = 3\n", "0 times"),
        ("def f():\n    REGRESSION_QUERY_PROMPT = 'a'\n", "0 times"),
        ("REGRESSION_QUERY_PROMPT = 'a'\nREGRESSION_QUERY_PROMPT = 'b'\n", "2 times"),
        ("REGRESSION_QUERY_PROMPT = (\n", "is no Python text"),
        ("REGRESSION_QUERY_PROMPT = 'a\0'\n", "is no Python text"),
        ("# \xff", "is no Python text"),
    ],
)
def test_a_script_without_the_question_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "some.py"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=message) as caught:
        read_template(path)
    assert str(path) in str(caught.value)


def test_a_script_that_is_not_there_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"gone.py` does not exist; run: anisora weights fetch judge-prompt"):
        read_template(tmp_path / "gone.py")
    (file,) = entry_of(prompt.WEIGHTS).files
    assert (file.path, file.bytes) == ("reward/reward_infer.py", 11246)
    assert file.sha256 is not None


def test_a_marker_follows_for_each_picture() -> None:
    assert judge_prompt(TEMPLATE, "a cat", 0) == 'Judge "a cat":\n'
    assert judge_prompt(TEMPLATE, "a cat", 2) == 'Judge "a cat":\n<image> <image> '


@pytest.mark.parametrize("caption", ["{text_prompt}", "{", "}", "{0!r:>9}", "{{}}", "", "%s", 'say "no"\n'])
def test_braces_and_quotes_of_a_caption_are_text(caption: str) -> None:
    assert judge_prompt(TEMPLATE, caption, 1) == f'Judge "{caption}":\n<image> '


def test_a_marker_inside_a_caption_takes_the_place_of_one_at_the_end() -> None:
    assert judge_prompt(TEMPLATE, "an <image> of", 3) == 'Judge "an <image> of":\n<image> <image> '
    assert judge_prompt(TEMPLATE, "<image>", 1) == 'Judge "<image>":\n'
    with pytest.raises(MetricError, match=r"holds 2 times '<image>', .* expected at most 1"):
        judge_prompt(TEMPLATE, "<image><image>", 1)
