import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from anisora.harness import parity
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.parity import (
    Comparison,
    compare_close,
    compare_exact,
    compare_expected,
    main,
    run_cases,
    walk,
)
from anisora.harness.registry import Registry


def double(folder: Path, case: dict[str, Any]) -> Sequence[Comparison]:
    """A handler as a kind would have it: twice the input, against the expected numbers."""
    inputs = json.loads((folder / "inputs.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())
    return [compare_close("twice", np.array(inputs) * 2, expected, absolute=case["tolerance"])]


def compares_nothing(folder: Path, case: dict[str, Any]) -> Sequence[Comparison]:
    return []


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = Registry("parity", {"double": double, "empty": compares_nothing})
    monkeypatch.setattr(parity, "registry", lambda _: registered)


@pytest.fixture
def golden(tmp_path: Path, kinds: None) -> Path:
    folder = tmp_path / "golden"
    write_case(folder / "double", "double", inputs=[1.0, 2.0], expected=[2.0, 4.001])
    write_case(folder / "other_set" / "double_off", "double", inputs=[1.0, 2.0], expected=[2.0, 5.0])
    write_case(folder / "later", "later", inputs=[], expected=[])
    (folder / "keys").mkdir()
    (folder / "keys" / "net.json").write_text("{}")
    return folder


def write_case(folder: Path, kind: str, *, inputs: object, expected: object) -> None:
    folder.mkdir(parents=True)
    (folder / "case.json").write_text(json.dumps({"kind": kind, "name": "label", "tolerance": 0.01}))
    (folder / "inputs.json").write_text(json.dumps(inputs))
    (folder / "expected.json").write_text(json.dumps(expected))


def invoke(*arguments: object, **environment: str) -> tuple[int, list[str], str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)
    return done.exit_code, done.stdout.splitlines(), done.stderr


def test_cases_are_found_at_any_depth_and_only_by_their_case_json(golden: Path) -> None:
    assert [path.relative_to(golden).as_posix() for path in walk(golden)] == [
        "double",
        "later",
        "other_set/double_off",
    ]


def test_every_case_has_a_line_and_the_last_one_counts(golden: Path) -> None:
    code, lines, _ = invoke(golden)
    assert code == 1
    assert len(lines) == 4
    assert lines[-1] == "parity: 3 cases, 1 passed, 1 failed, 1 not supported"
    passed = next(line for line in lines if line.startswith("passed"))
    assert "largest error 0.001 (tolerance 0.01, twice)" in passed
    failed = next(line for line in lines if line.startswith("failed"))
    assert "(double_off)" in failed
    assert "largest error 1 (" in failed


def test_kinds_that_are_not_asked_for_are_not_counted(golden: Path) -> None:
    (golden / "other_set" / "double_off" / "expected.json").write_text("[2.0, 4.0]")
    assert invoke(golden, "--kinds", "double")[:2][0] == 0
    assert invoke(golden, KINDS="double")[1][-1] == "parity: 2 cases, 2 passed, 0 failed, 0 not supported"
    code, lines, _ = invoke(golden, KINDS="double,later")
    assert (code, lines[-1]) == (1, "parity: 3 cases, 2 passed, 0 failed, 1 not supported")


def test_a_misspelt_kind_is_not_a_pass(golden: Path) -> None:
    with pytest.raises(ConfigError, match=r"`KINDS` got 'doubel', .* Did you mean 'double'"):
        list(run_cases(golden, ["doubel"]))
    code, lines, message = invoke(golden, "--kinds", "doubel")
    assert (code, lines) == (2, [])
    assert "Did you mean 'double'?" in message


def test_a_folder_without_cases_is_an_error(tmp_path: Path, kinds: None) -> None:
    with pytest.raises(DataError, match=r"holds no case.json"):
        list(walk(tmp_path))
    code, _, message = invoke(tmp_path / "absent")
    assert code == 2
    assert "is not a folder" in message
    assert invoke()[0] == 2


def test_a_case_that_breaks_its_handler_fails_and_the_others_run(golden: Path) -> None:
    (golden / "double" / "inputs.json").unlink()
    (golden / "later" / "case.json").write_text("{")
    write_case(golden / "empty", "empty", inputs=[], expected=[])
    (golden / "nameless").mkdir()
    (golden / "nameless" / "case.json").write_text("[]")
    results = {result.path.name: result for result in run_cases(golden)}
    assert {result.status for result in results.values()} == {"failed"}
    assert "FileNotFoundError" in results["double"].message
    assert "cannot be read" in results["later"].message
    assert results["empty"].message == "the handler compared nothing"
    assert "no `kind`" in results["nameless"].message
    assert "largest error 1 " in results["double_off"].line()


def test_the_registered_kinds_can_be_listed(kinds: None) -> None:
    assert invoke("--registered")[:2] == (0, ["double,empty"])


@pytest.mark.parametrize(
    ("ours", "reference", "passes", "error"),
    [
        ([1.0, 2.0], [1.0, 2.1], True, 0.1),
        ([1.0, 2.0], [1.0, 2.3], False, 0.3),
        ([np.nan, 1.0], [np.nan, 1.0], True, 0.0),
        ([np.nan, 1.0], [0.0, 1.0], False, np.inf),
        ([np.inf], [np.inf], True, 0.0),
        ([np.inf], [-np.inf], False, np.inf),
        ([1.0], [1.0, 1.0], False, np.inf),
        ([], [], True, 0.0),
        (np.float32(1.0), 1.0, True, 0.0),
    ],
)
def test_numbers_are_compared_within_a_tolerance(ours: object, reference: object, passes: bool, error: float) -> None:
    comparison = compare_close("x", ours, reference, absolute=0.2)
    assert comparison.passed is passes
    assert comparison.error == pytest.approx(error)


def test_the_tolerance_grows_with_the_reference() -> None:
    comparison = compare_close("x", [100.5, 0.0], [100.0, 0.001], absolute=0.01, relative=0.01)
    assert comparison.passed
    assert not compare_close("x", [102.0], [100.0], absolute=0.01, relative=0.01).passed


@pytest.mark.parametrize(
    ("ours", "reference", "passes"),
    [
        ([1, 2], [1, 2], True),
        ([1, 2], [1, 3], False),
        ({"a": [1]}, {"a": [1]}, True),
        (np.array([1, 2]), [1, 2], True),
        (np.array([1, 2]), [1, 3], False),
        (np.array([1.0]), np.array([1.0, 1.0]), False),
        (np.array(["a"]), np.array(["b"]), False),
        (None, [0], False),
    ],
)
def test_exact_comparison_allows_nothing(ours: object, reference: object, passes: bool) -> None:
    comparison = compare_exact("x", ours, reference)
    assert comparison.passed is passes
    assert comparison.tolerance == 0.0
    assert (comparison.error == 0.0) is passes


@pytest.mark.parametrize(
    ("tolerance", "passed"),
    [
        (0.02, True),
        (0.005, False),
        ({"a": 0.02}, True),
        ({"a_atol": 0.02}, True),
        ({"a_rtol": 0.02}, True),
        ({"a_rtol": 0.001}, False),
        ({"a": "exact"}, False),
        ({"default_atol": 0.02}, True),
        ({"b": 1.0}, False),
        ({"atol": 0.02}, True),
        ({"atol": 0.02, "a_atol": 0.005}, False),
        ({"atol": 0.02, "a_rtol": 0.001}, False),
        ({"rtol": 0.02}, True),
        ({"atol": 0.005, "rtol": 0.006}, True),
        ({"atol": 0.02, "exact": True}, True),
    ],
)
def test_tolerances_are_read_in_every_form(tolerance: Any, passed: bool) -> None:
    (comparison,) = compare_expected({"a": [1.0, 1.01]}, {"a": [1.0, 1.0]}, tolerance)
    assert comparison.passed is passed


def test_whole_numbers_and_texts_have_no_tolerance() -> None:
    expected = {"count": 3, "names": ["a", "b"]}
    assert [each.passed for each in compare_expected({"count": 3, "names": ["a", "b"]}, expected, 9.0)] == [True, True]
    assert [each.passed for each in compare_expected({"count": 4, "names": ["b", "a"]}, expected, 9.0)] == [False] * 2
