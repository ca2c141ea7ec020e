"""Runs golden folders: does our code compute what a reference computed?

A case is a folder with a ``case.json``; its ``kind`` names the handler, found in the registry ``parity``. A
handler rebuilds what the case says through our own code and returns comparisons; nothing of a case is known
to this module.

    python -m anisora.harness.parity DIR [--kinds a,b]
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import click
import numpy as np

from anisora.harness.errors import AnisoraError, ConfigError, DataError, nearest
from anisora.harness.registry import registry

__all__ = [
    "CaseResult",
    "Comparison",
    "Handler",
    "compare_close",
    "compare_exact",
    "compare_expected",
    "main",
    "run_cases",
    "walk",
]

_DEFAULT: Final = 1e-5
"""The absolute tolerance of what a case names none for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One quantity of a case, ours against the reference's."""

    name: str
    error: float
    """Largest absolute error; infinite where shapes or kinds differ."""
    tolerance: float
    """What was allowed where the error is largest relative to it."""
    passed: bool
    note: str = ""


Handler = Callable[[Path, dict[str, Any]], Sequence[Comparison]]
"""(folder of the case, its case.json) -> comparisons."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case."""

    path: Path
    kind: str
    status: Literal["passed", "failed", "not supported"]
    comparisons: tuple[Comparison, ...] = field(default=())
    message: str = ""

    def line(self) -> str:
        """One line for people: the status, the largest error and its tolerance, and what failed."""
        parts = [f"{self.status:13} {self.kind}"]
        if self.path.name != self.kind:
            parts.append(f"({self.path.name})")
        if self.comparisons:
            worst = max(self.comparisons, key=lambda each: (not each.passed, _excess(each)))
            parts.append(
                f"{len(self.comparisons)} compared, largest error {worst.error:.3g} "
                f"(tolerance {worst.tolerance:.3g}, {worst.name})"
            )
            if not worst.passed and worst.note:
                parts.append(worst.note)
        if self.message:
            parts.append(self.message)
        return "  ".join(parts)


def _excess(comparison: Comparison) -> float:
    if comparison.error == 0:
        return 0.0
    return comparison.error / comparison.tolerance if comparison.tolerance > 0 else float("inf")


def compare_exact(name: str, ours: object, reference: object) -> Comparison:
    """Compare for equality; arrays element by element, all else with ``==``."""
    if isinstance(ours, np.ndarray) or isinstance(reference, np.ndarray):
        mine, theirs = np.asarray(ours), np.asarray(reference)
        if mine.shape == theirs.shape and np.issubdtype(mine.dtype, np.number):
            close = compare_close(name, mine, theirs, absolute=0.0)
            return Comparison(name, close.error, 0.0, bool(np.array_equal(mine, theirs)))
        is_equal = bool(np.array_equal(mine, theirs))
    else:
        is_equal = ours == reference
    if is_equal:
        return Comparison(name, 0.0, 0.0, passed=True)
    note = f"ours {_shortened(ours)}, reference {_shortened(reference)}"
    return Comparison(name, float("inf"), 0.0, passed=False, note=note)


def compare_close(name: str, ours: object, reference: object, *, absolute: float, relative: float = 0.0) -> Comparison:
    """Compare numbers: every |ours - reference| must be at most ``absolute + relative * |reference|``.

    NaN equals NaN and nothing else. Shapes must be equal.
    """
    mine, theirs = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    if mine.shape != theirs.shape:
        note = f"shape {mine.shape}, reference {theirs.shape}"
        return Comparison(name, float("inf"), absolute, passed=False, note=note)
    if mine.size == 0:
        return Comparison(name, 0.0, absolute, passed=True)
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(mine - theirs))
    error[np.isnan(error)] = np.inf
    allowed = absolute + relative * np.abs(np.where(np.isfinite(theirs), theirs, 0.0))
    worst = np.unravel_index(np.argmax(error - allowed), error.shape)
    return Comparison(name, float(error[worst]), float(allowed[worst]), passed=bool(np.all(error <= allowed)))


def compare_expected(
    ours: Mapping[str, Any],
    expected: Mapping[str, Any],
    tolerance: float | Mapping[str, float | str],
    label: str = "",
) -> Iterator[Comparison]:
    """Compare everything that a case expects; whole numbers and texts exactly, all else under its tolerance.

    Args:
        ours: {quantity: number, list, tensor}.
        expected: The same of the reference.
        tolerance: One absolute tolerance, or {``name``, ``name_atol`` or ``name_rtol``: number or ``exact``}; what it
            does not name has its ``atol`` (or ``default_atol``) and ``rtol``, else 1e-5.
        label: Put before the names.

    Raises:
        DataError: The case expects something that is not computed here.
    """
    for name, reference in expected.items():
        if name not in ours:
            raise DataError(f"The case expects {label}{name}, which is not computed here; it has {', '.join(ours)}.")
        absolute, relative = _allowed(name, tolerance)
        theirs = np.asarray(reference)
        if absolute is None or not np.issubdtype(theirs.dtype, np.floating):
            yield compare_exact(label + name, np.asarray(ours[name]), theirs)
        else:
            yield compare_close(label + name, np.asarray(ours[name]), theirs, absolute=absolute, relative=relative)


def _allowed(name: str, tolerance: float | Mapping[str, float | str]) -> tuple[float | None, float]:
    """Return the absolute tolerance, None where nothing but equality passes, and the relative one."""
    if not isinstance(tolerance, Mapping):
        return float(tolerance), 0.0
    default: float | str
    if f"{name}_rtol" in tolerance:
        default, relative = 0.0, float(tolerance[f"{name}_rtol"])
    else:
        relative = float(tolerance.get("rtol", 0.0))
        default = tolerance.get("default_atol", tolerance.get("atol", 0.0 if relative else _DEFAULT))
    found = tolerance.get(name, tolerance.get(f"{name}_atol", default))
    return (None, 0.0) if found == "exact" else (float(found), relative)


def _shortened(value: object, length: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"


def walk(folder: Path) -> Iterator[Path]:
    """Yield the folders that hold a case.json, sorted by path.

    Raises:
        DataError: The folder does not exist or holds no case.
    """
    if not folder.is_dir():
        raise DataError(f"`{folder}` is not a folder; expected golden cases, each a folder with a case.json.")
    cases = sorted(path.parent for path in folder.rglob("case.json"))
    if not cases:
        raise DataError(f"`{folder}` holds no case.json; expected golden cases, each a folder with one.")
    yield from cases


def run_cases(folder: Path, kinds: Sequence[str] = ()) -> Iterator[CaseResult]:
    """Run the cases of a folder.

    Args:
        folder: Searched for case.json, at any depth.
        kinds: Restrict to these; others are not counted at all. Empty: all.

    Raises:
        DataError: There are no cases.
        ConfigError: A kind is asked for that neither the registry nor the folder knows.
    """
    read = [(path, *_read_case(path)) for path in walk(folder)]
    known = {kind for _, kind, _ in read} | set(registry("parity").names())
    for kind in kinds:
        if kind not in known:
            close = nearest(kind, known)
            guess = f" Did you mean {close!r}?" if close else ""
            raise ConfigError(f"`KINDS` got {kind!r}, which no case in `{folder}` and no handler has.{guess}")
    for path, kind, case in read:
        if not kinds or kind in kinds:
            yield _run_case(path, kind, case)


def _read_case(path: Path) -> tuple[str, dict[str, Any] | str]:
    try:
        case = json.loads((path / "case.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return path.name, f"case.json cannot be read: {error}"
    if not isinstance(case, dict) or not isinstance(case.get("kind"), str):
        return path.name, "case.json has no `kind`; expected the name of a handler"
    return case["kind"], case


def _run_case(path: Path, kind: str, case: dict[str, Any] | str) -> CaseResult:
    if isinstance(case, str):
        return CaseResult(path, kind, "failed", message=case)
    if kind not in registry("parity"):
        return CaseResult(path, kind, "not supported")
    handler: Handler = registry("parity").get(kind)
    try:
        comparisons = tuple(handler(path, case))
    except Exception as error:
        message = str(error) if isinstance(error, AnisoraError) else f"{type(error).__name__}: {error}"
        return CaseResult(path, kind, "failed", message=message)
    if not comparisons:
        return CaseResult(path, kind, "failed", message="the handler compared nothing")
    passed = all(comparison.passed for comparison in comparisons)
    return CaseResult(path, kind, "passed" if passed else "failed", comparisons)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--kinds", envvar="KINDS", default="", help="Comma-separated kinds; others are not counted.")
@click.option("--registered", is_flag=True, help="Print the kinds that have a handler, and stop.")
def main(folder: Path | None, kinds: str, registered: bool) -> None:
    """Run the golden cases of FOLDER; exit 1 unless all of them pass.

    Example: python -m anisora.harness.parity ../golden --kinds c06_frame_sampling
    """
    if registered:
        click.echo(",".join(registry("parity").names()))
        return
    if folder is None:
        raise click.UsageError("name the folder of golden cases")
    counts = dict.fromkeys(("passed", "failed", "not supported"), 0)
    try:
        for result in run_cases(folder, [kind.strip() for kind in kinds.split(",") if kind.strip()]):
            counts[result.status] += 1
            click.echo(result.line())
    except AnisoraError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    click.echo(
        f"parity: {sum(counts.values())} cases, {counts['passed']} passed, {counts['failed']} failed, "
        f"{counts['not supported']} not supported"
    )
    sys.exit(1 if counts["failed"] or counts["not supported"] else 0)


if __name__ == "__main__":
    main()
