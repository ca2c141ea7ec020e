"""Builds the suite ``showcase-13``: the examples of Index-anisora's READMEs, with the images of a folder."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from anisora.datasets.importing.defects import counts_of, report_of
from anisora.datasets.importing.writing import Findings, checked_folder, new_report_path, write_import
from anisora.datasets.showcase_13.inspection import Inspection, Item, inspect
from anisora.datasets.showcase_13.items import LANGUAGES, MASK, POSITIONS, known_examples
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.importer import Imported, NamedImporter
from anisora.harness.inputs.manifest import ManifestRow

__all__ = ["ACCESS", "showcase_13"]

_NAME: Final = "showcase-13"

ACCESS: Final = (
    "the images are not part of this program and are never downloaded: clone bilibili/Index-anisora, and give "
    "--root Index-anisora/assets; see docs/datasets/showcase-13.md."
)
"""How the images are come by."""


def showcase_13(language: str = "en") -> NamedImporter:
    """Return the importer with prompts in a language.

    Args:
        language: ``en`` or ``zh``, of the column ``prompt``; the other one is kept as ``prompt_zh`` or ``prompt_en``.

    Raises:
        ConfigError: The examples have no such language.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"`language` got {language!r}; expected {' or '.join(LANGUAGES)}; correct it.")
    return partial(_import, language)


def _import(
    language: str,
    root: Path | None,
    out: Path,
    *,
    name: str | None = None,
    metrics: Sequence[str] | None = None,
    template: str | None = None,
    strict: bool = False,
) -> Imported:
    folder = checked_folder(root, _NAME, ACCESS)
    told_apart = (None if language == LANGUAGES[0] else language, template)
    suite_name = name or "-".join([_NAME, *(word for word in told_apart if word)])
    report_path = new_report_path(out, suite_name)
    inspection = inspect(folder)
    if not inspection.found:
        raise DataError(f"`{folder}` has no image of an example; {ACCESS}")
    expected = len(known_examples().items)
    findings = Findings(
        rows=[_row(item, language) for item in inspection.items],
        defects=inspection.defects,
        facts=_facts(len(inspection.items), expected),
        report=_report(inspection, expected, language),
        summary=_summary(inspection, expected, language),
        expected=f"{expected} examples with their images",
    )
    return write_import(findings, folder, suite_name, report_path, metrics=metrics, template=template, strict=strict)


def _facts(count: int, expected: int) -> dict[str, Any]:
    return {
        "title": f"AniSora showcase, {count} of {expected} examples",
        "title_zh": f"AniSora 案例展示，{expected} 例中的 {count} 例",
        "summary": f"{count} of the {expected} examples of Index-anisora's READMEs: prompts, images, region masks.",
        "summary_zh": f"Index-anisora README 的 {expected} 个示例中的 {count} 个：提示词、条件图与区域掩码。",
        "cluster": "item",
        "reference": None,
    }


def _row(item: Item, language: str) -> ManifestRow:
    example = item.example
    others = {f"prompt_{other}": text for other, text in example.prompts.items() if other != language}
    return ManifestRow(
        id=example.id,
        prompt=example.prompts[language],
        keyframes=tuple((POSITIONS[place], path) for place, path in item.paths.items() if place != MASK),
        label=example.control,
        region_mask=item.paths.get(MASK),
        metadata=MappingProxyType({"number": example.number, **others}),
    )


def _controls(inspection: Inspection) -> dict[str, int]:
    return dict(Counter(item.example.control for item in inspection.items))


def _report(inspection: Inspection, expected: int, language: str) -> dict[str, Any]:
    return {
        "dataset": _NAME,
        "language": language,
        "expected": expected,
        "found": len(inspection.found),
        "items": len(inspection.items),
        "controls": _controls(inspection),
        **report_of(inspection.defects, inspection.left_out),
        "source": dict(known_examples().source),
        "prompts_sha256": known_examples().sha256,
        "sha256": inspection.sha256,
    }


def _summary(inspection: Inspection, expected: int, language: str) -> tuple[str, ...]:
    return (
        f"{len(inspection.items)} of {expected} examples; prompts in {'English' if language == 'en' else 'Chinese'}",
        *(f"{count:6d}  {name}" for name, count in _controls(inspection).items()),
        *counts_of(inspection.defects, inspection.left_out),
    )
