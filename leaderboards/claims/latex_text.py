"""Text of LaTeX as it is read on paper: commands and braces gone, bold marked."""

import re
from typing import Final

from anisora.leaderboards.claims.document import BOLD_OFF, BOLD_ON

__all__ = ["argument_at", "marked_latex", "without_comments"]

_SYMBOLS: Final = {
    "pm": "±",
    "uparrow": "↑",
    "downarrow": "↓",
    "rightarrow": "→",
    "star": "★",
    "approx": "≈",
    "dag": "†",
    "dagger": "†",
    "ddag": "‡",
    "S": "§",
    "P": "¶",
    "parallel": "‖",
    "ldots": "…",
    "times": "×",
    "cdot": "·",
    "leq": "≤",
    "geq": "≥",
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textasciigrave": "`",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textendash": "–",
    "textemdash": "—",
    "quad": " ",
    "qquad": " ",
    "par": " ",
    "item": " ",
    "newline": " ",
}
_BOLD_COMMANDS: Final = frozenset({"textbf", "mathbf", "bm", "boldsymbol", "pmb"})
_BOLD_FROM_HERE: Final = frozenset({"bf", "bfseries", "boldmath"})
_UNSEEN: Final = {
    **dict.fromkeys(("cite", "citep", "citet", "ref", "label", "footnote", "footnotemark", "includegraphics"), 1),
    **dict.fromkeys(
        ("cellcolor", "rowcolor", "color", "hspace", "vspace", "textcolor", "usepackage", "begin", "end"), 1
    ),
    **dict.fromkeys(("rotatebox", "scalebox", "raisebox", "parbox", "phantom", "hphantom", "vphantom"), 1),
    **dict.fromkeys(("fontsize", "multirow", "multicolumn", "setlength", "cmidrule", "resizebox"), 2),
}
"""{command: how many of its arguments are not text}."""
_WITH_OPTION: Final = frozenset({"shortstack", "makecell", "thead"})
"""Commands whose argument is text behind an option that is not."""
_COMMAND: Final = re.compile(r"\\([a-zA-Z]+)\*?\s*")
_COMMENT: Final = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_DEEPEST: Final = 100


def without_comments(text: str) -> str:
    """Return LaTeX without comments; lines keep their numbers."""
    return _COMMENT.sub(r"\1", text)


def argument_at(text: str, at: int) -> tuple[str, int] | None:
    """Return (argument, where it ends) of the braces, or brackets, that open at a place; None where none do."""
    while at < len(text) and text[at].isspace():
        at += 1
    closing = {"{": "}", "[": "]"}.get(text[at : at + 1])
    if closing is None:
        return None
    depth, place = 0, at
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == closing and depth == (1 if closing == "}" else 0):
            return text[at + 1 : place], place + 1
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        place += 1
    return None


def marked_latex(text: str) -> str:
    """Return LaTeX as plain text with marks around what is bold; line ends stay.

    Args:
        text: Without comments.
    """
    pieces: list[tuple[str, bool]] = []
    _read(re.sub(r"[\ue000-\uf8ff]", "", text), pieces, bold=False, depth=0)
    made, is_bold = [], False
    for piece, wanted in pieces:
        if wanted != is_bold:
            made.append(BOLD_ON if wanted else BOLD_OFF)
            is_bold = wanted
        made.append(piece)
    return "".join(made).replace("``", "“").replace("''", "”").replace("---", "—").replace("--", "–")


def _read(text: str, pieces: list[tuple[str, bool]], *, bold: bool, depth: int) -> None:
    at, is_closed = 0, True
    while at < len(text):
        char = text[at]
        if char == "{":
            # Behind a brace that nothing closes, braces group nothing.
            found = argument_at(text, at) if is_closed else None
            is_closed = found is not None
            inner, at = found if found is not None else ("", at + 1)
            if depth < _DEEPEST:
                _read(inner, pieces, bold=bold, depth=depth + 1)
        elif char == "\\":
            bold, at = _command(text, at, pieces, bold=bold, depth=depth)
        else:
            if char in "~^_":
                pieces.append((" ", bold))
            elif char not in "$}":
                pieces.append((char, bold))
            at += 1


def _command(text: str, at: int, pieces: list[tuple[str, bool]], *, bold: bool, depth: int) -> tuple[bool, int]:
    """Read a command; return whether what follows in its group is bold, and where that begins."""
    found = _COMMAND.match(text, at)
    if found is None:
        char = text[at + 1 : at + 2]
        pieces.append((" " if char in ("\\", ",", ";", ":", "!", " ", "\n") else char.strip("()[]"), bold))
        return bold, at + 2
    name, after = found[1], found.end()
    pieces.append(("\n" * found[0].count("\n"), bold))
    if name in _SYMBOLS:
        pieces.append((_SYMBOLS[name], bold))
    for _ in range(_UNSEEN.get(name, 0)):
        while (option := _option_at(text, after)) is not None:
            after = option
        hidden = argument_at(text, after)
        if hidden is None:
            break
        after = hidden[1]
    if name in _WITH_OPTION and (option := _option_at(text, after)) is not None:
        after = option
    if name in _BOLD_COMMANDS:
        given = argument_at(text, after)
        if given is not None and depth < _DEEPEST:
            _read(given[0], pieces, bold=True, depth=depth + 1)
            after = given[1]
    return bold or name in _BOLD_FROM_HERE, after


def _option_at(text: str, at: int) -> int | None:
    """Return where the brackets that open at a place end; None where none do."""
    if text[at : at + 1] != "[":
        return None
    found = argument_at(text, at)
    return None if found is None else found[1]
