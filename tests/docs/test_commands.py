"""Every command and every line of Python in the documentation runs, as written, where the pages say it does."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from documentation import SHELL, blocks, commands_in, doc_pages, generator, links
from prepared_folder import (
    DATA_SETS,
    NAMED_RUN,
    add_named_run,
    prepare_benchmark,
    prepare_inputs,
    prepare_models,
    prepare_pairs,
    prepare_rated_clips,
    prepare_showcase,
    prepare_vbench_i2v,
    prepare_weights,
)
from shared_data import REPOSITORY
from small_suite import environment

NOT_RUN_HERE = (
    "source .venv/bin/activate",
    "pip install -c constraints.txt -e .",
    'pip install -c constraints.txt -e ".[models]"',
    'pip install -c constraints.txt -e ".[local]"',
)
"""Lines that would change this environment: what they name is checked here, and test_installation.py runs them."""

READMES = ("README.md", "README.zh.md")
SECONDS = 900
"""Only a line that hangs takes so long, even where two run on one slow core."""


def empty(folder: Path) -> None:
    folder.mkdir()


def page_named(name: str) -> Path:
    return REPOSITORY / name


def pages_with_commands() -> list[str]:
    return [str(page.relative_to(REPOSITORY)) for page in doc_pages() if commands_in(page)]


def is_run(command: str) -> bool:
    return command.split()[0] == "anisora"


def make_target(command: str) -> str | None:
    """Return the target of ``[VARIABLE=value ...] make TARGET``, or None for another command."""
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    return words[1] if words[0] == "make" else None


def help_examples() -> list[str]:
    """Return the examples in the help texts of all commands, each once, but for those that a page runs too."""
    found = []
    of_pages = {command for page in doc_pages() for command in commands_in(page)}
    for words, command, _ in generator().commands():
        lines = [line.strip() for line in (command.help or "").splitlines()]
        found += [line for line in lines if words and line.startswith("anisora ")]
    return [line for line in dict.fromkeys(found) if line not in of_pages]


# -- fast: what stands there


def test_every_line_is_run_or_known() -> None:
    wrong = [
        f"{page.name}: {command}"
        for page in doc_pages()
        for command in commands_in(page)
        if not (is_run(command) or make_target(command) or command in NOT_RUN_HERE)
    ]
    assert wrong == []


def test_every_make_target_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {target for page in doc_pages() for command in commands_in(page) if (target := make_target(command))}
    assert {"demo", "test", "install"} <= named <= targets


def test_every_extra_and_file_of_a_pip_line_exists() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = [command for page in doc_pages() for command in commands_in(page) if command.startswith("pip")]
    assert lines
    for line in lines:
        assert set(re.findall(r"\[([a-z,]+)\]", line)) <= set(extras)
        assert (REPOSITORY / shlex.split(line)[shlex.split(line).index("-c") + 1]).is_file()


def test_no_command_hides_in_a_block_that_is_not_run() -> None:
    hidden = [
        f"{page.name}:{block.line}"
        for page in doc_pages()
        for block in blocks(page)
        if block.language not in SHELL and re.search(r"^(\$ )?anisora ", block.text, re.MULTILINE)
    ]
    assert hidden == []


def test_both_readmes_have_the_same_commands_code_and_links_in_the_same_order() -> None:
    english, chinese = (page_named(name) for name in READMES)
    assert commands_in(english) == commands_in(chinese)
    assert len(commands_in(english)) > 15
    code = [[block.text for block in blocks(page) if block.language == "python"] for page in (english, chinese)]
    assert code[0] == code[1]
    assert len(code[0]) == 2
    own = {"docs/images/report-chinese.png": "docs/images/report-desktop.png"}  # each shows the report in its language
    targets = [
        [own.get(link.target, link.target) for link in links(page) if link.target not in READMES]
        for page in (english, chinese)
    ]
    assert sorted(targets[0]) == sorted(targets[1])
    levels = [re.findall(r"^#+ ", page.read_text(encoding="utf-8"), re.MULTILINE) for page in (english, chinese)]
    assert levels[0] == levels[1]


def test_every_page_with_python_is_run() -> None:
    found = [
        str(page.relative_to(REPOSITORY))
        for page in doc_pages()
        if any(block.language == "python" for block in blocks(page))
    ]
    assert found == [
        "README.md",
        "README.zh.md",
        "docs/figures.md",
        "docs/models.md",
        "docs/python.md",
        "docs/reward.md",
    ]


def test_the_help_of_every_command_has_an_example() -> None:
    lacking = [
        words
        for words, command, _ in generator().commands()
        if words and not re.search(rf"^ *anisora {words}( |$)", command.help or "", re.MULTILINE)
    ]
    assert lacking == []


def test_every_page_with_commands_says_where_it_is_run() -> None:
    assert sorted([*PREPARATIONS, "README.zh.md"]) == sorted(pages_with_commands())


# -- slow: it runs


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the prepared folder."""
    copy = tmp_path / "here"
    shutil.copytree(prepared, copy, ignore=shutil.ignore_patterns("made"))
    yield copy
    shutil.rmtree(copy)


def surroundings(folder: Path, cache: Path) -> dict[str, str]:
    """Return the environment of a shell in which ``anisora`` is this checkout's."""
    programs = folder.parent / "bin"
    programs.mkdir(exist_ok=True)
    script = programs / "anisora"
    code = "from anisora.harness.cli import main; main()"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{code}" "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return environment(PATH=path, PYTHONPATH=str(REPOSITORY / "src"), ANISORA_CACHE=str(cache))


def run_line(command: str, folder: Path, cache: Path) -> str:
    """Run a line by the shell, and return what it printed."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=surroundings(folder, cache),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, f"{command}\n{done.stderr}"
    return done.stdout


PREPARATIONS: dict[str, Callable[[Path], object] | None] = {
    "README.md": None,  # the prepared folder
    "docs/audit.md": None,
    "docs/datasets/anisora-948.md": prepare_benchmark,
    "docs/datasets/showcase-13.md": prepare_showcase,
    "docs/datasets/vbench-i2v.md": prepare_vbench_i2v,
    "docs/figures.md": None,
    "docs/inputs.md": prepare_inputs,
    "docs/claims.md": None,
    "docs/damages.md": empty,
    "docs/models.md": prepare_models,
    "docs/published.md": empty,
    "docs/report.md": None,
    "docs/reward-heads.md": prepare_rated_clips,
    "docs/reward.md": empty,
    "docs/submissions.md": None,
    "docs/suites/demo.md": empty,
    "docs/tracks.md": empty,
    "docs/training.md": prepare_pairs,
    "docs/weights.md": prepare_weights,
}
"""Where the commands of each page run; those of README.zh.md are those of README.md."""


@pytest.mark.slow
@pytest.mark.parametrize("name", PREPARATIONS)
def test_the_commands_of_the_page_run_in_order(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, cache: Path
) -> None:
    make = PREPARATIONS[name]
    where = request.getfixturevalue("folder") if make is None else tmp_path / "here"
    if make is not None:
        make(where)
    ran = [command for command in commands_in(page_named(name)) if is_run(command)]
    assert ran
    for command in ran:
        assert run_line(command, where, cache).strip() != "", f"{command} printed nothing"


@pytest.mark.slow
@pytest.mark.parametrize("example", help_examples())
def test_the_example_in_the_help_runs(example: str, folder: Path, prepared: Path, cache: Path) -> None:
    shutil.copytree(prepared / "made", folder / "made")
    add_named_run(folder)
    for name, write in DATA_SETS.items():
        if f"--root {name}/" in example:
            write(folder / name)
    assert (folder / "runs" / NAMED_RUN / "record.json").is_file()
    assert run_line(example, folder, cache).strip() != ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/figures.md", "docs/models.md", "docs/python.md", "docs/reward.md"])
def test_the_python_of_the_page_runs(name: str, folder: Path, cache: Path) -> None:
    for block in blocks(page_named(name)):
        if block.language == "python":
            done = subprocess.run(
                [sys.executable, "-c", block.text],
                cwd=folder,
                env=surroundings(folder, cache),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"{block.text}\n{done.stderr}"
            assert done.stdout.strip() != ""


@pytest.mark.slow
def test_the_numbers_of_the_readme_are_those_of_a_run(prepared: Path, folder: Path, cache: Path) -> None:
    made = generator().demo_table(prepared / "runs" / "demo")
    command = next(line for line in commands_in(page_named("README.md")) if "runs/demo/leaderboard.duckdb" in line)
    assert run_line(command, folder, cache).endswith(f"\n\n{made}")
    for name in READMES:
        shown = page_named(name).read_text(encoding="utf-8")
        again = generator().regenerated(shown, demo=made)
        assert again == shown, "run: anisora demo && python docs/generate.py --demo runs/demo"
