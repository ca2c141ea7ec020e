"""Reads the documentation as its readers do: blocks, commands, links and headings of Markdown files."""

import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from shared_data import REPOSITORY

__all__ = [
    "Block",
    "Link",
    "anchors",
    "blocks",
    "commands_in",
    "doc_pages",
    "generator",
    "links",
    "pages",
    "rated_clips",
]

_FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_INLINE_CODE = re.compile(r"`[^`\n]*`")
SHELL = ("bash", "console", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Link:
    """A link and where it stands."""

    page: Path
    line: int
    target: str


def pages() -> list[Path]:
    """Return every Markdown page of the repository."""
    return [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]


def doc_pages() -> list[Path]:
    """Return the pages whose commands are run: the READMEs and everything below docs/."""
    return [path for path in pages() if path.name.startswith("README") or "docs" in path.relative_to(REPOSITORY).parts]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(language=match["language"].strip(), text=match["text"], line=text.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(text)
    ]


def commands_in(page: Path) -> list[str]:
    """Return the command lines of a page's shell blocks, continued lines joined, comments left out."""
    found = []
    for block in blocks(page):
        if block.language in SHELL:
            for line in block.text.replace("\\\n", " ").splitlines():
                command = line.strip().removeprefix("$ ")
                if command and not command.startswith("#"):
                    found.append(command)
    return found


def links(page: Path) -> list[Link]:
    """Return the links and pictures of a page, without those in code."""
    text = page.read_text(encoding="utf-8")
    prose = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
    found = []
    for number, line in enumerate(prose.splitlines(), start=1):
        # Code between the brackets of a link is its text; code elsewhere may look like a link and is none.
        bare = _INLINE_CODE.sub(lambda match: "x" * len(match[0]), line)
        found += [Link(page=page, line=number, target=match["target"]) for match in _LINK.finditer(bare)]
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#{1,6} +(.+?) *$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@cache
def generator() -> ModuleType:
    """Return the script docs/generate.py as a module."""
    return _script("generate")


@cache
def rated_clips() -> ModuleType:
    """Return the script docs/rated_clips.py as a module."""
    return _script("rated_clips")


def _script(name: str) -> ModuleType:
    path = REPOSITORY / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"docs_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
