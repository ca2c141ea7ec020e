"""The lines of the READMEs that install or call make run too, in a copy of the repository of their own."""

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from documentation import commands_in
from shared_data import REPOSITORY
from small_suite import environment
from source_tree import copy_source_tree

pytestmark = pytest.mark.slow

SECONDS = 1500
QUICK = "-k test_every_make_target_exists"
"""What ``make test`` runs here: one of its tests. All of them run where it is called for itself."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's files, without an environment and without runs."""
    return copy_source_tree(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="module", autouse=True)
def _index(tmp_path_factory: pytest.TempPathFactory) -> None:
    where = tmp_path_factory.mktemp("wheel")
    asked = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "-d", str(where), "idna"]
    if subprocess.run(asked, capture_output=True, check=False, timeout=300).returncode != 0:
        pytest.skip("no package index can be reached")


def readme_lines(*beginnings: str) -> list[str]:
    lines = [line for line in commands_in(REPOSITORY / "README.md") if re.match("|".join(beginnings), line)]
    return list(dict.fromkeys(lines))


def on_a_terminal(lines: list[str], folder: Path, **variables: str) -> str:
    """Run lines one after the other by one shell on a terminal, and return what it showed.

    Each must succeed.
    """
    python = Path(sys.executable).resolve()
    path = os.pathsep.join([str(folder / "programs"), "/usr/local/bin", "/usr/bin", "/bin"])
    (folder / "programs").mkdir(exist_ok=True)
    for name in ("python3", "python"):
        link = folder / "programs" / name
        link.unlink(missing_ok=True)
        link.symlink_to(python)
    kept = {
        name: value
        for name, value in environment(PATH=path, TERM="xterm", COLUMNS="120", **variables).items()
        if not name.startswith(("PYTEST_", "VIRTUAL_ENV")) or name in variables
    }
    ours, theirs = pty.openpty()
    script = "\n".join(["set -e", *lines])
    shell = subprocess.Popen(["bash", "-c", script], cwd=folder, env=kept, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    timer = threading.Timer(SECONDS, shell.kill)
    timer.start()
    shown = b"".join(_read(ours))
    code = shell.wait()
    timer.cancel()
    os.close(ours)
    text = shown.decode(errors="replace")
    assert code == 0, f"{script}\nexit {code}\n{text[-4000:]}"
    return text


def _read(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # a terminal whose other end is closed says so by an error
        while piece := os.read(terminal, 1 << 16):
            yield piece


def test_the_make_lines_run_and_the_demo_shows_how_far_it_is(clone: Path, cache: Path) -> None:
    lines = readme_lines("make ", "source ", "[A-Z_]+=")
    assert {"make demo", "make test", "source .venv/bin/activate", "TORCH_BACKEND=auto make install"} == set(lines)
    # Each line of make meets an environment that is not complete.
    unmade = [f"rm -f .venv/.stamp-dev\n{line}" if "install" in line else line for line in lines]
    shown = on_a_terminal([*unmade, "anisora --version"], clone, ANISORA_CACHE=str(cache), PYTEST_ADDOPTS=QUICK)
    assert re.search(r"score ground-truth.*24/24", shown)
    assert re.search(r"\d+ of \d+ columns prefer the frozen clip to the real one", shown)
    assert "1 passed" in shown
    assert (clone / "runs" / "demo" / "report.html").is_file()
    assert "anisora" in shown.splitlines()[-1]


def test_the_pip_lines_run_in_an_environment_of_their_own(tmp_path: Path) -> None:
    copy = copy_source_tree(tmp_path / "copy")
    lines = readme_lines("pip ")
    assert len(lines) == 3
    shown = on_a_terminal(
        [
            "python3 -m venv own",
            "source own/bin/activate",
            *lines,
            "anisora --version",
            'python -c "import torch, cv2, anisora; print(torch.__version__, anisora.__file__)"',
        ],
        copy,
    )
    assert str(copy) in shown.splitlines()[-1]
