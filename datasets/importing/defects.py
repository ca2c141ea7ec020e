"""What is wrong with a data set's folder, one line each, and how it is counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anisora.harness.media.headers import image_problem

__all__ = ["Defect", "counted", "counts_of", "identical_files", "in_order", "report_of", "unreadable_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One thing that is wrong."""

    kind: str
    """A word of the data set's page."""
    message: str
    """One line, without the kind: what, the value seen, what was expected."""
    id: str | None = None
    """What is left out for it."""

    def __str__(self) -> str:
        """The line that is printed."""
        return f"{self.kind}: {self.message}"


def in_order(defects: Iterable[Defect], kinds: Sequence[str]) -> list[Defect]:
    """Sort defects by their kinds; within a kind they stay as they were found."""
    return sorted(defects, key=lambda defect: kinds.index(defect.kind))


def report_of(defects: Sequence[Defect], left_out: Sequence[str]) -> dict[str, Any]:
    """Return what the report of an import holds about defects, as plain data."""
    return {
        "left_out": list(left_out),
        "defect_counts": dict(Counter(defect.kind for defect in defects)),
        "defects": [{"kind": defect.kind, "id": defect.id, "message": defect.message} for defect in defects],
    }


def counts_of(defects: Sequence[Defect], left_out: Sequence[str]) -> tuple[str, ...]:
    """Return the line that counts defects by kind; none where there is no defect."""
    if not defects:
        return ()
    kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(defect.kind for defect in defects).items())
    return (f"{len(left_out)} left out; {len(defects)} defects: {kinds}",)


def unreadable_image(path: Path, shown: str, item: str) -> Defect | None:
    """Return the defect ``unreadable-image`` of an image that cannot be one.

    Args:
        path: The image.
        shown: How the message names it.
        item: What is left out for it.
    """
    problem = image_problem(path)
    if problem is None:
        return None
    return Defect(kind="unreadable-image", message=f"{shown}: {problem.rstrip('.')}; expected an image", id=item)


def identical_files(digests: Iterable[tuple[str, str]], what: str) -> list[Defect]:
    """Return a defect ``identical-files`` for every name whose file is that of an earlier one.

    Args:
        digests: (name, sha256 of its file); one name is given once.
        what: What the files are: clip or image.
    """
    first: dict[str, str] = {}
    found = []
    for name, digest in digests:
        earlier = first.setdefault(digest, name)
        if earlier != name:
            message = (
                f"{name!r} has the {what} of {earlier!r} (sha256 {digest[:12]}…); expected another; {earlier!r} is kept"
            )
            found.append(Defect(kind="identical-files", message=message, id=name))
    return found


def counted(count: int, thing: str) -> str:
    """Return a number and what it counts, in the plural where that is due.

    Example:
        >>> counted(2, "clip")
        '2 clips'
    """
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
