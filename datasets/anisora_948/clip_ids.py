"""The ids of the benchmark's clips, ``[style_]pinyin_action_index``: pure functions of names."""

import re
from dataclasses import dataclass
from typing import Final

from anisora.datasets.anisora_948.actions import NO_STYLE, known_actions, label_key
from anisora.harness.errors import nearest
from anisora.harness.inputs.paths import shortened

__all__ = ["ClipId", "UnknownStyleError", "WrongIdError", "read_clip_id"]

_ID: Final = re.compile(r"([a-z]+(?:_[a-z]+)*)_(0|[1-9][0-9]{0,3})")
_MOST_CHARACTERS: Final = 100
_SYLLABLE: Final = re.compile(
    r"(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])"
    r"(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|an|ao|ei|en|ia|ie|in|iu|ou|ua|ue|ui|un|uo|a|e|i|u)"
    r"|[bpmfwy]o|[nl]ve?|ang|eng|ai|an|ao|ei|en|er|ou|a|e|o"
)
"""Without the tone; looser than the table of syllables, which has no use here."""
_LONGEST_SYLLABLE: Final = 6


class WrongIdError(ValueError):
    """A name is no id; the message says what was expected."""


class UnknownStyleError(WrongIdError):
    """An id begins with a style that is none of the benchmark's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipId:
    """An id, taken apart."""

    style: str
    """The prefix, or ``none``."""
    raw_label: str
    """The action as the id has it."""
    index: int
    action: str | None
    """What the label is counted under; None for a label that is not on the list."""

    @property
    def label(self) -> str:
        """The action, or the raw label where it stands for itself."""
        return self.action or self.raw_label


def read_clip_id(name: str) -> ClipId:
    """Take an id apart.

    Words that are no pinyin, and stand before a known label or before pinyin, are taken for a style.

    Raises:
        WrongIdError: It is no id; ``UnknownStyleError`` where only the style is wrong.

    Example:
        >>> read_clip_id("cartoon_films_da_dou_1").action
        'fight'
    """
    found = _ID.fullmatch(name) if len(name) <= _MOST_CHARACTERS else None
    if found is None:
        raise WrongIdError(f"{shortened(name)} is no id; expected [style_]pinyin_action_index, such as shuo_hua_26")
    body, index = found[1], int(found[2])
    known = known_actions()
    style, label = NO_STYLE, body
    for candidate in known.styles:
        if body == candidate:
            raise WrongIdError(f"{shortened(name)} has a style and no action; expected {candidate}_pinyin_action_index")
        if body.startswith(f"{candidate}_"):
            style, label = candidate, body.removeprefix(f"{candidate}_")
    action = known.by_key.get(label_key(label))
    if action is None:
        _check_unknown_label(name, body if style == NO_STYLE else label, known.styles)
    return ClipId(style=style, raw_label=label, index=index, action=action.name if action else None)


def _check_unknown_label(name: str, label: str, styles: tuple[str, ...]) -> None:
    words = label.split("_")
    for place in range(1, len(words)):
        rest = label_key("_".join(words[place:]))
        if rest in known_actions().by_key and not all(_syllables(word) == 1 for word in words[:place]):
            raise _unknown_style(name, "_".join(words[:place]), styles)
    foreign = [place for place, word in enumerate(words) if not _syllables(word)]
    if foreign and foreign[-1] < len(words) - 1:
        raise _unknown_style(name, "_".join(words[: foreign[-1] + 1]), styles)
    if foreign:
        raise WrongIdError(f"{shortened(name)} has the action {shortened(label)}; expected pinyin without tones")


def _unknown_style(name: str, style: str, styles: tuple[str, ...]) -> UnknownStyleError:
    guess = nearest(style, styles)
    hint = f"did you mean {guess!r}?" if guess else f"expected {', '.join(styles)} or none."
    return UnknownStyleError(f"{shortened(name)} has the style {style!r}; {hint}")


def _syllables(word: str) -> int:
    """Return the smallest number of syllables of pinyin that a word is made of; 0 where it is made of none."""
    fewest: list[int | None] = [0, *[None] * len(word)]
    for end in range(1, len(word) + 1):
        counts = [
            before + 1
            for start in range(max(0, end - _LONGEST_SYLLABLE), end)
            if (before := fewest[start]) is not None and _SYLLABLE.fullmatch(word, start, end)
        ]
        fewest[end] = min(counts, default=None)
    return fewest[-1] or 0
