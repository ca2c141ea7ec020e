"""HTML as a tree of elements, read by the standard library's parser, for tests of what a page holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Element", "parsed"]

_VOID = frozenset({"area", "base", "br", "circle", "col", "hr", "img", "input", "line", "link", "meta", "source"})


@dataclass
class Element:
    """A tag with its attributes and, in order, its texts and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: "list[Element | str]" = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> "list[Element]":
        """Every element below of a tag, with these attributes; ``class_`` is one of the classes."""
        return [one for one in self._below() if tag in ("", one.tag) and one._has(attributes)]

    def one(self, tag: str = "", **attributes: str) -> "Element":
        """The only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} elements {tag} {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        """All text below, with single spaces."""
        whole = "".join(part if isinstance(part, str) else f" {part.text} " for part in self.content)
        return " ".join(whole.split())

    def _below(self) -> "Iterator[Element]":
        for part in self.content:
            if isinstance(part, Element):
                yield part
                yield from part._below()

    def _has(self, attributes: dict[str, str]) -> bool:
        wanted = dict(attributes)
        class_ = wanted.pop("class_", None)
        return (class_ is None or class_ in self.attributes.get("class", "").split()) and all(
            self.attributes.get(name) == value for name, value in wanted.items()
        )


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].content.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _VOID, tag
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def parsed(html: str) -> Element:
    """Read a page whose every element is closed; what is not well-formed is an error."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.open == [builder.root], f"not closed: {[element.tag for element in builder.open[1:]]}"
    return builder.root
