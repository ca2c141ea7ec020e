"""Links lead somewhere, pictures are there and small."""

from pathlib import Path

import pytest
from documentation import Link, anchors, blocks, links, pages
from shared_data import REPOSITORY

PICTURE_BYTES = 100_000


def problem_of(link: Link) -> str | None:
    if link.target.startswith(("https://", "http://")):
        return None
    path, _, anchor = link.target.partition("#")
    target = (link.page.parent / path).resolve() if path else link.page
    if not target.is_relative_to(REPOSITORY.resolve()):
        return "leads out of the repository"
    if not target.exists():
        return "leads nowhere"
    if anchor and anchor not in anchors(target):
        return f"{target.name} has no heading #{anchor}"
    return None


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_of_the_page_resolves(page: Path) -> None:
    wrong = [f"line {link.line}: {link.target} {problem}" for link in links(page) if (problem := problem_of(link))]
    assert wrong == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = REPOSITORY / "README.md"
    assert problem_of(Link(page=page, line=1, target="docs/nowhere.md")) == "leads nowhere"
    assert problem_of(Link(page=page, line=1, target="docs/index.md#nothing")) == "index.md has no heading #nothing"
    assert problem_of(Link(page=page, line=1, target="../elsewhere.md")) == "leads out of the repository"
    assert problem_of(Link(page=page, line=1, target="docs/index.md#metrics")) is None


def test_the_reader_of_links_sees_links_and_not_code(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](b.md) `[c](d.md)` [`e`](f.md)\n```text\n[g](h.md)\n```\n![i](j.png)\n", encoding="utf-8")
    assert [(link.line, link.target) for link in links(page)] == [(1, "b.md"), (1, "f.md"), (5, "j.png")]
    assert [(block.language, block.line) for block in blocks(page)] == [("text", 2)]


def test_every_page_below_docs_is_linked_from_another() -> None:
    linked = {
        (link.page.parent / link.target.partition("#")[0]).resolve()
        for page in pages()
        for link in links(page)
        if not link.target.startswith(("https://", "#"))
    }
    below = set((REPOSITORY / "docs").resolve().rglob("*.md")) - {(REPOSITORY / "docs" / "index.md").resolve()}
    assert sorted(below - linked) == []


def test_every_picture_is_shown_and_small() -> None:
    pictures = sorted((REPOSITORY / "docs" / "images").iterdir())
    shown = {(link.page.parent / link.target).resolve() for page in pages() for link in links(page)}
    assert pictures != []
    assert [path.name for path in pictures if path.resolve() not in shown] == []
    assert [path.name for path in pictures if path.stat().st_size > PICTURE_BYTES] == []
    kinds = {".png": b"\x89PNG", ".jpg": b"\xff\xd8\xff"}
    assert [path.name for path in pictures if not path.read_bytes().startswith(kinds[path.suffix])] == []
