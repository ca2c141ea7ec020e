"""The recipe of CONTRIBUTING.md, carried out to the letter."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shared_data import REPOSITORY
from source_tree import copy_source_tree

BLOCK = re.compile(r"^```(?P<language>python|diff) (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

SCORE_A_CLIP = """
import json, sys
from pathlib import Path
import numpy as np
import anisora
from anisora.harness.registry import registry
import anisora.metrics.catalog as catalog
frames = np.zeros((1, 3, 3, 16, 16), np.uint8)
frames[0, 1] = 51
with anisora.reward("metric_reward:largest_jump") as judge:
    batch = judge(frames, [""], fps=24.0)
print(json.dumps({
    "listed": "largest_jump" in registry("metrics").names(),
    "value": batch.scores[0]["largest_jump"].value,
    "total": float(batch.total[0]),
    "from": str(Path(catalog.__file__).resolve()),
}))
"""


def blocks() -> dict[str, tuple[str, str]]:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return {match["path"]: (match["language"], match["text"]) for match in BLOCK.finditer(text)}


def apply_block(root: Path, path: str, language: str, text: str) -> None:
    target = root / path
    if language == "python":
        assert not target.exists(), f"{path} exists already; the recipe must be about something new"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return
    before = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] in " -")
    after = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] in " +")
    content = target.read_text(encoding="utf-8")
    assert content.count(before) == 1, f"the lines around the addition to {path} are not those of the file"
    target.write_text(content.replace(before, after), encoding="utf-8")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def extended_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_source_tree(tmp_path_factory.mktemp("recipe"))
    for path, (language, text) in blocks().items():
        apply_block(root, path, language, text)
    return root


def test_the_recipe_is_one_file_one_line_and_one_test() -> None:
    found = blocks()
    assert list(found) == [
        "metrics/core/largest_jump.py",
        "metrics/catalog.py",
        "tests/unit/metrics/test_largest_jump.py",
    ]
    added = [line for line in found["metrics/catalog.py"][1].splitlines() if line.startswith("+")]
    assert len(added) == 1


@pytest.mark.slow
def test_the_test_of_the_recipe_passes_and_would_fail_without_the_file(extended_tree: Path) -> None:
    test = "tests/unit/metrics/test_largest_jump.py"
    done = run(extended_tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", test)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    file = extended_tree / "metrics" / "core" / "largest_jump.py"
    source = file.read_text(encoding="utf-8")
    try:
        file.write_text(source.replace(".max()", ".mean()"), encoding="utf-8")
        broken = run(extended_tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", test)
    finally:
        file.write_text(source, encoding="utf-8")
    assert broken.returncode == 1, broken.stdout


@pytest.mark.slow
def test_the_tests_that_look_at_every_metric_pass_with_the_one_of_the_recipe(extended_tree: Path) -> None:
    done = run(extended_tree, "docs/generate.py")
    assert (done.returncode, "docs/metrics/largest_jump.md is rewritten" in done.stdout) == (0, True), done.stderr
    paths = ("tests/docs", "tests/unit/metrics/test_catalog.py", "tests/architecture/test_source.py")
    done = run(extended_tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.slow
def test_the_metric_of_the_recipe_is_listed_and_scores_a_clip(extended_tree: Path) -> None:
    done = run(extended_tree, "-c", SCORE_A_CLIP)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["from"] == str((extended_tree / "metrics" / "catalog.py").resolve())
    assert result["listed"]
    assert result["value"] == pytest.approx(0.2)
    assert result["total"] == pytest.approx(-0.2)  # lower is better, so it counts against the reward


@pytest.mark.slow
def test_the_code_of_the_recipe_keeps_the_rules(extended_tree: Path) -> None:
    pytest.importorskip("ruff")
    paths = [path for path, (language, _) in blocks().items() if language == "python"]
    for command in (["check", *paths], ["format", "--check", *paths]):
        done = run(extended_tree, "-m", "ruff", *command)
        assert done.returncode == 0, done.stdout
