import json
import shutil
from pathlib import Path

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.parity import run_cases

KIND = "c06_frame_sampling"

pytestmark = pytest.mark.parity


def write_case(folder: Path, expected: dict[str, object], rules: tuple[str, ...] = ()) -> Path:
    folder.mkdir()
    (folder / "case.json").write_text(json.dumps({"kind": KIND, "rules": dict.fromkeys(rules or expected, "")}))
    (folder / "expected.json").write_text(json.dumps(expected))
    return folder


def test_tables_worked_out_by_hand_pass(tmp_path: Path) -> None:
    expected = {
        "clip_24_of_144": {"3": [0, 1, 2], "48": list(range(0, 48, 2)), "300": list(range(0, 144, 6))},
        "linspace_8": {"8": list(range(8)), "15": list(range(0, 15, 2))},
        "step16": {"10": list(range(10)), "32": list(range(0, 32, 2))},
        "crop_8": {"7": None, "16": list(range(0, 16, 2))},
        "fps_interval": [
            {"fps": 24.0, "total": 7, "requested_fps": 8, "indices": [0, 3, 6]},
            {"fps": 24.0, "total": 6, "requested_fps": 8, "indices": [0, 3, 5]},
            {"fps": 8.0, "total": 20, "requested_fps": 30, "indices": "ZeroDivisionError"},
        ],
    }
    (result,) = run_cases(write_case(tmp_path / "case", expected))
    assert result.status == "passed", result.line()
    assert len(result.comparisons) == 5


def test_one_wrong_index_fails_and_is_shown(tmp_path: Path) -> None:
    expected = {"step16": {"4": [0, 1, 2, 3], "32": list(range(1, 32, 2))}}
    (result,) = run_cases(write_case(tmp_path / "case", expected))
    assert result.status == "failed"
    assert "largest error 1 (tolerance 0, rows of step16)" in result.line()
    assert "row 32: ours [0, 2," in result.line()


@pytest.mark.parametrize("expected", [{"step16": {}}, {"other_rule": {"3": [0]}}])
def test_an_empty_or_unknown_table_fails(tmp_path: Path, expected: dict[str, object]) -> None:
    (result,) = run_cases(write_case(tmp_path / "case", expected))
    assert result.status == "failed"


def test_a_rule_without_a_table_fails(tmp_path: Path) -> None:
    (result,) = run_cases(write_case(tmp_path / "case", {"step16": {"1": [0]}}, rules=("step16", "crop_8")))
    assert "no rows for the rule 'crop_8'" in result.message


@needs_shared
def test_the_reference_tables_pass_and_not_because_nothing_is_compared(tmp_path: Path) -> None:
    (result,) = run_cases(GOLDEN, [KIND])
    assert result.status == "passed", result.line()
    copy = tmp_path / "copy"
    shutil.copytree(GOLDEN / KIND, copy, copy_function=shutil.copyfile)
    copy.chmod(0o755)
    expected = json.loads((copy / "expected.json").read_text())
    for rule in expected:
        changed = json.loads(json.dumps(expected))
        if isinstance(changed[rule], list):
            changed[rule][-1]["indices"][-1] += 1
        else:
            changed[rule]["24"][-1] += 1
        (copy / "expected.json").write_text(json.dumps(changed))
        (broken,) = run_cases(copy)
        assert broken.status == "failed", rule
