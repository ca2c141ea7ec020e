"""Rules of the source that no linter knows."""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_data import REPOSITORY
from source_tree import FOLDERS, python_files

BELOW: dict[str, frozenset[str]] = {
    "harness": frozenset(),
    "metrics": frozenset({"harness"}),
    "models": frozenset({"harness"}),
    "datasets": frozenset({"harness"}),
    "reward": frozenset({"harness", "metrics", "models", "datasets"}),
    "training": frozenset({"harness", "metrics", "models", "datasets", "reward"}),
    "leaderboards": frozenset({"harness", "metrics", "models", "datasets", "reward"}),
}
"""Which folders a folder may import beside itself."""

TORCH_IN_HARNESS = {"harness/device.py", "harness/networks.py", "harness/transforms.py", "harness/weights.py"}
DECODING_PARENT = {"harness/media/decoder.py", "harness/media/sampling.py"}
UNSAFE_CALLS = {
    "torch.load",
    "torch.jit.load",
    "torch.hub.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
}
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader", "_SuiteLoader"}
SMALLEST_DUPLICATE = 8  # lines


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, module) of every import, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def wrong_directions(folder: str, name: str, source: str) -> list[str]:
    """Return ``path:line: harness may not import metrics`` for every import against the direction."""
    found = []
    for line, module in imported_modules(ast.parse(source)):
        if module.startswith("."):
            found.append(f"{name}:{line}: relative import {module}; name the module from anisora on")
        parts = module.split(".")
        target = parts[1] if parts[0] == "anisora" and len(parts) > 1 else None
        if target in BELOW and target != folder and target not in BELOW[folder]:
            found.append(f"{name}:{line}: {folder} may not import {target}")
    return found


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_go_one_way(folder: str) -> None:
    found = []
    for path in python_files(folder):
        found += wrong_directions(folder, relative(path), path.read_text(encoding="utf-8"))
    assert found == []


def test_an_import_against_the_direction_is_named_with_its_line() -> None:
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from anisora.metrics.core.psnr import Psnr
def late():
    import anisora.reward.metric_reward
    from anisora import training
"""
    assert wrong_directions("harness", "harness/x.py", source) == [
        "harness/x.py:4: harness may not import metrics",
        "harness/x.py:6: harness may not import reward",
        "harness/x.py:7: harness may not import training",
    ]
    assert wrong_directions("leaderboards", "x.py", "import anisora.training.best_of_n") == [
        "x.py:1: leaderboards may not import training"
    ]
    assert wrong_directions("reward", "x.py", "from anisora.metrics.core.psnr import Psnr") == []
    assert wrong_directions("metrics", "x.py", "from ..models import damage") == [
        "x.py:1: relative import ..models.damage; name the module from anisora on"
    ]


def test_the_harness_knows_torch_in_the_files_that_are_for_it_only() -> None:
    found = [
        f"{relative(path)}:{line}: {module}"
        for path in python_files("harness")
        for line, module in imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        if module.split(".")[0] in ("torch", "torch_npu", "torchvision") and relative(path) not in TORCH_IN_HARNESS
    ]
    assert found == []


def test_videos_are_opened_in_child_processes_only() -> None:
    found = [
        f"{relative(path)}:{line}: {module}"
        for path in python_files(*FOLDERS)
        for line, module in imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        if module.split(".")[0] in ("av", "decord")
        and (not relative(path).startswith("harness/media/") or relative(path) in DECODING_PARENT)
    ]
    assert found == []


def unsafe_uses(source: str) -> list[tuple[int, str]]:
    """Return (line, what) for everything that can run code out of a file."""
    found = []
    tree = ast.parse(source)
    for line, module in imported_modules(tree):
        if module.split(".")[0] in (
            "pickle",
            "cPickle",
            "dill",
            "joblib",
            "cloudpickle",
            "marshal",
            "shelve",
        ):
            found.append((line, module))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in UNSAFE_CALLS:
            found.append((node.lineno, name))
        if name == "yaml.load" and not SAFE_LOADERS & {
            ast.unparse(value) for value in (*node.args, *keywords.values())
        }:
            found.append((node.lineno, name))
        if "allow_pickle" in keywords and ast.unparse(keywords["allow_pickle"]) != "False":
            found.append((node.lineno, f"{name}(allow_pickle=...)"))
        if "shell" in keywords and ast.unparse(keywords["shell"]) != "False":
            found.append((node.lineno, f"{name}(shell=...)"))
    return found


def test_files_that_can_run_code_are_read_in_one_place() -> None:
    found = {
        relative(path): unsafe_uses(path.read_text(encoding="utf-8"))
        for path in python_files(*FOLDERS, "src")
        if not path.is_relative_to(REPOSITORY / "src" / "anisora") or path.name == "__init__.py"
    }
    uses = found.pop("harness/weights.py")
    assert [what for _, what in uses] == ["pickle", "torch.load"]
    assert {name: uses for name, uses in found.items() if uses} == {}
    source = (REPOSITORY / "harness" / "weights.py").read_text()
    assert source.count("weights_only=True") == source.count("torch.load(")
    assert "weights_only=False" not in source


def test_unsafe_reading_is_recognised() -> None:
    source = "import numpy as np, pickle\nnp.load(p, allow_pickle=True)\ntorch.load(p)\nrun(c, shell=True)\n"
    assert [what for _, what in unsafe_uses(source)] == [
        "pickle",
        "np.load(allow_pickle=...)",
        "torch.load",
        "run(shell=...)",
    ]
    assert unsafe_uses("np.load(p, allow_pickle=False)\nsafetensors.load(p)") == []


def test_only_the_command_line_prints() -> None:
    found = []
    for path in python_files(*FOLDERS):
        name = relative(path)
        if path.name == "cli.py" or "/commands/" in name:
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        found += [
            f"{name}:{call.lineno}" for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"
        ]
    assert found == []


def functions_by_body(paths: list[Path]) -> dict[str, list[str]]:
    """Return {hash of arguments and body: places} of the functions that are long enough to be worth "
    "sharing."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if not body or (body[-1].end_lineno or 0) - body[0].lineno + 1 < SMALLEST_DUPLICATE:
                continue
            text = ast.dump(node.args) + "".join(map(ast.dump, body))
            key = hashlib.sha256(text.encode()).hexdigest()
            places[key].append(f"{path.name}:{node.lineno}: {node.name}")
    return places


def test_no_function_is_written_twice() -> None:
    groups = functions_by_body(python_files(*FOLDERS, "tests"))
    assert len(groups) > 20
    assert [places for places in groups.values() if len(places) > 1] == []


def test_a_function_written_twice_is_found_whatever_its_name_and_docstring(tmp_path: Path) -> None:
    body = "\n".join(f"    x{number} = y + {number}" for number in range(8))
    (tmp_path / "a.py").write_text(f"def first(y):\n    'Say one thing.'\n{body}\n")
    (tmp_path / "b.py").write_text(f"def second(y):\n    'Say another.'\n{body}\n\ndef short(y):\n    return y\n")
    groups = [places for places in functions_by_body(sorted(tmp_path.glob("*.py"))).values() if len(places) > 1]
    assert groups == [["a.py:1: first", "b.py:1: second"]]
