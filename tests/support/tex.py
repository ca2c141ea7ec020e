"""A real TeX for tests of what is written for papers: pdflatex, xelatex and the tools of poppler, installed apart."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

__all__ = ["ENGINES", "NEEDS_TEX", "Compiled", "compiled", "has_chinese_font"]

ENGINES: Final = ("pdflatex", "xelatex")
_ABSENT: Final = [name for name in (*ENGINES, "pdftotext") if shutil.which(name) is None]
NEEDS_TEX: Final = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_ABSENT), reason=f"{', '.join(_ABSENT)} is not on the PATH"),
]
"""Marks of a module whose tests compile documents."""

_SECONDS: Final = 180
_OVERFULL: Final = re.compile(r"Overfull \\[hv]box \(([\d.]+)pt too (?:wide|high)\)")


@dataclass(frozen=True)
class Compiled:
    """What compiling a document left behind."""

    text: str
    """Of the PDF, as laid out."""
    overfull: float
    """Points by which the worst line or page is too large."""
    log: str


@cache
def has_chinese_font() -> bool:
    """Return whether fontconfig knows a font for simplified Chinese."""
    if shutil.which("fc-list") is None:
        return False
    listed = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True, check=False)
    return "CJK SC" in listed.stdout


def compiled(document: Path, engine: str, *, times: int = 2, **environment: str) -> Compiled:
    """Compile a document in its folder, without a shell and to the first error; fail with the error.

    Args:
        document: A ``.tex`` file.
        engine: One of ENGINES.
        times: Runs; the second knows the references.
        environment: Variables beside those of this process.
    """
    import os

    for _ in range(times):
        done = subprocess.run(
            [engine, "-halt-on-error", "-no-shell-escape", "-interaction=nonstopmode", document.name],
            cwd=document.parent,
            env={**os.environ, "max_print_line": "10000", **environment},
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        log = document.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
        errors = [line for line in log.splitlines() if line.startswith("!")]
        assert done.returncode == 0, f"{engine} {document.name}: {errors or done.stdout[-2000:]}"
    told = subprocess.run(
        ["pdftotext", "-layout", document.with_suffix(".pdf").name, "-"],
        cwd=document.parent,
        capture_output=True,
        check=True,
        timeout=_SECONDS,
    )
    overfull = max((float(found) for found in _OVERFULL.findall(log)), default=0.0)
    return Compiled(told.stdout.decode("utf-8"), overfull, log)
