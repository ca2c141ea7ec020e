"""From what a look through a data set's folder found to the suite, its manifest and the report of the import."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anisora.datasets.importing.defects import Defect
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.importer import Imported, write_suite
from anisora.harness.inputs.manifest import ManifestRow
from anisora.harness.inputs.paths import missing_path, write_new

__all__ = ["Findings", "checked_folder", "new_report_path", "write_import"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a folder holds."""

    rows: Sequence[ManifestRow]
    """The whole items."""
    defects: Sequence[Defect]
    facts: Mapping[str, Any]
    """Keys of the suite, as ``write_suite``."""
    report: Mapping[str, Any]
    """All of it as plain data; ``found`` counts the items, whole or not."""
    summary: tuple[str, ...]
    """Lines to print."""
    expected: str
    """What a whole folder has, for the error of one without a single whole item."""
    seeds: Sequence[int] = (0,)
    """Of the suite."""


def checked_folder(root: Path | None, dataset: str, access: str) -> Path:
    """Return the folder that was given.

    Args:
        root: The folder, or None.
        dataset: The name of the data set.
        access: How the data set is come by, with the next step.

    Raises:
        ConfigError: No folder was given.
        DataError: It does not exist.
    """
    if root is None:
        raise ConfigError(f"`--root` is missing; expected the folder of {dataset}; {access}")
    if not root.is_dir():
        raise missing_path(root, f"the folder of {dataset}")
    return root


def new_report_path(out: Path, suite_name: str) -> Path:
    """Return where the report of an import goes.

    Raises:
        ConfigError: It is there already.
    """
    path = out / f"{suite_name}.import.json"
    if path.exists():
        raise ConfigError(f"`{path}` is there already; expected a new file; remove it or choose another name.")
    return path


def write_import(
    findings: Findings,
    root: Path,
    suite_name: str,
    report_path: Path,
    *,
    metrics: Sequence[str] | None,
    template: str | None,
    strict: bool,
) -> Imported:
    """Write ``{suite_name}.yaml``, its manifest and the report.

    Args:
        findings: What the folder holds.
        root: The folder.
        suite_name: The name of the suite.
        report_path: Of the report; the other files are written beside it.
        metrics: As ``write_suite``.
        template: As ``write_suite``.
        strict: Write nothing if there is a defect.

    Raises:
        ConfigError: As ``write_suite``.
        DataError: Not one item is whole.
    """
    defects = tuple(map(str, findings.defects))
    if strict and defects:
        return Imported(summary=findings.summary, defects=defects, report=findings.report)
    if not findings.rows:
        raise DataError(
            f"`{root}` has not one whole item among {findings.report['found']}; the first of {len(defects)} defects is "
            f"{defects[0]}; expected {findings.expected}; --strict lists all defects."
        )
    paths = write_suite(
        findings.rows,
        suite_name,
        report_path.parent,
        facts=findings.facts,
        seeds=findings.seeds,
        metrics=metrics,
        template=template,
    )
    write_new(report_path, json.dumps(findings.report, indent=1, ensure_ascii=False) + "\n")
    return Imported(files=(*paths, report_path), summary=findings.summary, defects=defects, report=findings.report)
