"""What the judge is asked: the release's own question, read from its script, with a clip's caption put in.

The wording is load-bearing, so it is an asset like a weight file: the ledger has the script, its literal is read
without running or importing anything of it, and its digest is checked. The question is of quality; the release puts the
same one to both of its models, smoothness included.
"""

import ast
import hashlib
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError, MetricError, WeightsMissing
from anisora.reward.judge.tokens import IMAGE

__all__ = ["TEMPLATE_SHA256", "WEIGHTS", "checked_template", "judge_prompt", "read_template"]

WEIGHTS: Final = "judge-prompt"
TEMPLATE_SHA256: Final = "70c787b31179b969f2b4c25d6594f9dc242fa1874e45589ba092b6be66a72e92"
"""Of the text in UTF-8."""
_VARIABLE: Final = "REGRESSION_QUERY_PROMPT"


def read_template(script: Path) -> str:
    """Return the question in a script: the text that it assigns to ``REGRESSION_QUERY_PROMPT``.

    Raises:
        WeightsMissing: The script does not exist.
        ConfigError: It is no Python, assigns no such text, or another one than the release's.
    """
    if not script.is_file():
        raise WeightsMissing(f"Judge prompt `{script}` does not exist; run: anisora weights fetch {WEIGHTS}")
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise ConfigError(f"Judge prompt `{script}` is no Python text ({error}); fetch the file again.") from error
    found = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and any(isinstance(target, ast.Name) and target.id == _VARIABLE for target in node.targets)
    ]
    if len(found) != 1:
        raise ConfigError(
            f"Judge prompt `{script}` assigns a text to {_VARIABLE} {len(found)} times; expected once, as the "
            f"release's reward_infer.py does. Run: anisora weights fetch {WEIGHTS}"
        )
    return checked_template(found[0], source=str(script))


def checked_template(text: str, *, source: str) -> str:
    """Return a question that is the release's, byte for byte.

    Args:
        text: The question, with ``{text_prompt}`` where the caption goes.
        source: What to call its file in a message.

    Raises:
        ConfigError: It is another text.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != TEMPLATE_SHA256:
        raise ConfigError(
            f"Judge prompt of `{source}` has the sha256 {digest[:12]}…; expected {TEMPLATE_SHA256[:12]}…, for another "
            f"wording gives other scores. Run: anisora weights fetch {WEIGHTS}"
        )
    return text


def judge_prompt(template: str, caption: str, pictures: int) -> str:
    """Return the text for a clip: the question with the caption, and a marker and a space for each picture.

    Each ``<image>`` inside the caption counts as a marker, as in the release: it stands for the clip's first picture,
    and one fewer follows at the end. Braces in a caption are text.

    Args:
        template: The question, with ``{text_prompt}``.
        caption: The clip's prompt, as it is.
        pictures: How many there are.

    Raises:
        MetricError: The caption has more markers than there are pictures.
    """
    asked = template.format(text_prompt=caption)
    lacking = pictures - asked.count(IMAGE)
    if lacking < 0:
        raise MetricError(
            f"The prompt holds {asked.count(IMAGE)} times {IMAGE!r}, which stands for a picture; expected at most "
            f"{pictures}, the clip's frames that are seen. Take it out of the prompt."
        )
    return asked + f"{IMAGE} " * lacking
