import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from shared_data import REPOSITORY

TARGETS = (
    "install",
    "demo",
    "test",
    "test-slow",
    "parity",
    "parity-mutants",
    "lint",
    "types",
    "bench",
    "fuzz",
    "docs",
    "screenshots",
    "check",
    "format",
    "build",
    "clean",
)

FILES = ("Makefile", "pyproject.toml", "constraints.txt", "overrides.txt")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def planned(folder: Path, target: str, *arguments: str, **environment: str) -> str:
    """Return the commands that make would run in a fresh checkout."""
    for name in FILES:
        shutil.copyfile(REPOSITORY / name, folder / name)
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PIP_FIND_LINKS", "TORCH_BACKEND", "KINDS")
    }
    done = subprocess.run(
        ["make", "--dry-run", target, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "PIP_CONFIG_FILE": os.devnull, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_every_promised_target_exists(target: str, tmp_path: Path) -> None:
    assert planned(tmp_path, target, PIP_FIND_LINKS="/some/wheels")


def test_the_demo_installs_the_local_networks_and_else_the_core_alone(tmp_path: Path) -> None:
    commands = planned(tmp_path, "demo", PIP_FIND_LINKS="/some/wheels")
    assert "-c constraints.txt" in commands
    assert '-e ".[local]"' in commands
    assert re.search(r"-e \.;", commands)
    assert "[dev]" not in commands
    assert ".venv/bin/anisora demo" in commands


def test_the_demo_goes_on_where_the_local_networks_cannot_be_installed(tmp_path: Path) -> None:
    for name in FILES:
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, script in {
        "uv": 'echo "uv $*" >> called; case "$*" in *local*) exit 1;; esac',
        "anisora": 'echo "anisora $*" >> called',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    done = subprocess.run(["make", "demo"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on with the core alone" in done.stderr
    called = (tmp_path / "called").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(" ")[2] for line in called] == [".[local]", ".", "demo"]
    assert not (tmp_path / ".venv" / ".stamp-local").exists()


def test_torch_is_the_cpu_build_unless_asked_otherwise(tmp_path: Path) -> None:
    assert "--torch-backend=cpu" in planned(tmp_path, "test")
    assert "--torch-backend=auto" in planned(tmp_path, "test", TORCH_BACKEND="auto")
    with_links = planned(tmp_path, "test", PIP_FIND_LINKS="/some/wheels")
    assert '--find-links "/some/wheels"' in with_links
    assert "--torch-backend" not in with_links


def test_arguments_reach_the_commands(tmp_path: Path) -> None:
    parity = planned(tmp_path, "parity", "GOLDEN=/data/golden", "KINDS=a,b", PIP_FIND_LINKS="/some/wheels")
    assert 'KINDS="a,b"' in parity
    assert '"/data/golden"' in parity
    assert "ANISORA_FUZZ_FILES=7 " in planned(tmp_path, "fuzz", "N=7", PIP_FIND_LINKS="/some/wheels")


def test_the_continuous_integration_runs_every_check_and_stops_at_the_first_failure() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert "set -euo pipefail" in text
    called = re.findall(r"^\s*make ([a-z-]+)", text, re.MULTILINE)
    assert called == ["test", "lint", "types", "test-slow", "parity"]
    assert set(called) <= set(TARGETS)


def test_pre_commit_checks_what_make_checks() -> None:
    settings = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    hooks = {hook["id"]: hook for repository in settings["repos"] for hook in repository["hooks"]}
    assert {
        "ruff",
        "ruff-format",
        "mypy",
        "check-yaml",
        "detect-private-key",
        "check-added-large-files",
    } <= set(hooks)
    assert hooks["check-added-large-files"]["args"] == ["--maxkb=100"]
