"""The prompts of a benchmark folder by the id of their image, out of all lists below it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anisora.harness.inputs.prompt_lists import PromptLine, PromptList, parse_prompt_line, read_prompt_list
from anisora.harness.inputs.video_names import same_spelling

__all__ = ["ListedPrompt", "ListedPrompts", "WrongLine", "read_listed_prompts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPrompt:
    """A line of a list and where it stands."""

    prompt: str
    """Without the suffix; empty where the line has none."""
    suffix: str
    images: tuple[str, ...]
    """As written."""
    positions: tuple[float, ...]
    where: str
    """How a message names the line: the file and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongLine:
    """A line that names no item, and why."""

    kind: Literal["wrong-line", "unreadable-text"]
    message: str


@dataclass(frozen=True, slots=True)
class ListedPrompts:
    """What all lists say."""

    by_id: dict[str, list[ListedPrompt]] = field(default_factory=dict)
    problems: list[WrongLine] = field(default_factory=list)
    lists: dict[Path, str] = field(default_factory=dict)
    """{file: encoding}; a text without a single ``@@`` is no list."""


def read_listed_prompts(texts: Sequence[Path], root: Path) -> ListedPrompts:
    """Read the lists among texts. A line belongs to the id that its first image is named after, in whatever folder.

    Args:
        texts: The files.
        root: Messages name files relative to it.

    Raises:
        DataError: A file cannot be read, or is too large.
    """
    found = ListedPrompts()
    for path in texts:
        listed = read_prompt_list(path)
        if listed.undecodable or any("@@" in line for _, line in listed.lines):
            found.lists[path] = listed.encoding
            _read_lines(found, listed, f"`{path.relative_to(root)}`")
    return found


def _read_lines(found: ListedPrompts, listed: PromptList, shown: str) -> None:
    whole = len(listed.undecodable) > len(listed.lines)
    for number in listed.undecodable[: 1 if whole else None]:
        place = shown if whole else f"{shown} line {number}"
        message = f"{place} is no text in {listed.encoding.upper()}; expected UTF-8 or GBK; save the file as UTF-8"
        found.problems.append(WrongLine(kind="unreadable-text", message=message))
    for number, text in listed.lines:
        where = f"{shown} line {number}"
        try:
            line = parse_prompt_line(text)
        except ValueError as error:
            found.problems.append(WrongLine(kind="wrong-line", message=f"{where} {error}"))
            continue
        name = same_spelling(_stem(line))
        found.by_id.setdefault(name, []).append(
            ListedPrompt(
                prompt=line.prompt, suffix=line.suffix, images=line.images, positions=line.positions, where=where
            )
        )


def _stem(line: PromptLine) -> str:
    """Return the name of the first image without its suffix; lists may come from another system."""
    name = line.images[0].replace("\\", "/").rpartition("/")[2]
    return name.rpartition(".")[0] or name
