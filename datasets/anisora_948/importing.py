"""Builds the suite ``anisora-948`` from the folder that the authors of the benchmark send after a signed form."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from anisora.datasets.anisora_948.actions import NO_STYLE, known_actions
from anisora.datasets.anisora_948.inspection import EXPECTED_ITEMS, Inspection, Item, inspect
from anisora.datasets.importing.defects import counts_of, report_of
from anisora.datasets.importing.writing import Findings, checked_folder, new_report_path, write_import
from anisora.harness.errors import DataError
from anisora.harness.inputs.importer import Imported, NamedImporter
from anisora.harness.inputs.manifest import ManifestRow

__all__ = ["ACCESS", "anisora_948", "import_anisora_948"]

_NAME: Final = "anisora-948"

TRACKS: Final[dict[str, Any]] = {
    "i2v": {"keyframes": {0.0: "image"}},
    "last": {"keyframes": {1.0: "ground_truth"}},
    "mid": {"keyframes": {0.5: "ground_truth"}},
    "keyframe": {"keyframes": {0.0: "image", 1.0: "ground_truth"}},
    "region": {"keyframes": {0.0: "image"}, "region_mask": True},
}
"""What systems are given on each track. The authors name key frames, the last frame and the middle one, and no places;
these are this project's."""

ACCESS: Final = (
    "the benchmark is not public and is never downloaded: fill in assets/anisora_benchmark_agreement_form.doc of "
    "bilibili/Index-anisora, mail it to the authors whom its README names, unpack what they send, and give "
    "--root DIR; see docs/datasets/anisora-948.md."
)
"""How the clips are come by; the only way there is."""


def anisora_948() -> NamedImporter:
    """Return the importer, as it is registered; it takes no arguments."""
    return import_anisora_948


def import_anisora_948(
    root: Path | None,
    out: Path,
    *,
    name: str | None = None,
    metrics: Sequence[str] | None = None,
    template: str | None = None,
    strict: bool = False,
) -> Imported:
    """Write ``anisora-948.yaml``, its manifest and ``anisora-948.import.json``, the report.

    Args:
        root: The folder; what lies where below it does not matter.
        out: The folder to write to.
        name: The name of the suite; by default ``anisora-948``, with ``-{template}`` after it where there is one.
        metrics: As ``write_suite``.
        template: As ``write_suite``.
        strict: Write nothing if there is a defect.

    Raises:
        ConfigError: No folder was given, or as ``write_suite``.
        DataError: The folder does not exist, holds no file of the benchmark or not one whole item.
    """
    folder = checked_folder(root, _NAME, ACCESS)
    suite_name = name or (f"{_NAME}-{template}" if template else _NAME)
    report_path = new_report_path(out, suite_name)
    inspection = inspect(folder)
    if not inspection.sha256:
        raise DataError(f"`{folder}` has no clip, no image and no list of prompts; {ACCESS}")
    findings = Findings(
        rows=[_row(item) for item in inspection.items],
        defects=inspection.defects,
        facts=_facts(len(inspection.items)),
        report=_report(inspection),
        summary=_summary(inspection),
        expected=f"{EXPECTED_ITEMS} clips with image and prompt",
    )
    return write_import(findings, folder, suite_name, report_path, metrics=metrics, template=template, strict=strict)


def _facts(count: int) -> dict[str, Any]:
    return {
        "title": f"AniSora benchmark, {count} of {EXPECTED_ITEMS} clips",
        "title_zh": f"AniSora 基准，{EXPECTED_ITEMS} 段中的 {count} 段",
        "summary": f"{count} of {EXPECTED_ITEMS} clips of the AniSora benchmark with prompt, first image and label.",
        "summary_zh": f"AniSora 基准 {EXPECTED_ITEMS} 段片段中的 {count} 段，附提示词、初始图像和动作标签。",
        "track": "i2v",
        "tracks": TRACKS,
        "derived": {"interp-avg": {"mean_of": ["keyframe", "last", "mid"]}},
        "cluster": "label",
        "reference": "ground-truth",
    }


def _row(item: Item) -> ManifestRow:
    metadata: dict[str, Any] = {
        "style": item.id.style,
        "raw_label": item.id.raw_label,
        "unmapped": True if item.id.action is None else None,
        "index": item.id.index,
        "prompt_suffix": item.listed.suffix or None,
        # Other tracks are given more than the first image; this one is not.
        "listed_positions": list(item.listed.positions) or None,
        "listed_images": list(item.listed.images) if len(item.listed.images) > 1 else None,
    }
    return ManifestRow(
        id=item.name,
        prompt=item.listed.prompt,
        keyframes=((0.0, item.image),),
        label=item.id.label,
        ground_truth=item.clip,
        region_mask=item.mask,
        metadata=MappingProxyType({key: value for key, value in metadata.items() if value is not None}),
    )


def _styles(inspection: Inspection) -> dict[str, int]:
    counts = Counter(item.id.style for item in inspection.items)
    return {style: counts[style] for style in (*known_actions().styles, NO_STYLE)}


def _report(inspection: Inspection) -> dict[str, Any]:
    labels = inspection.labels()
    return {
        "dataset": _NAME,
        "expected": EXPECTED_ITEMS,
        "found": len(inspection.found),
        "items": len(inspection.items),
        "labels": {label: counts.total() for label, counts in labels.items()},
        "labels_by_style": {label: dict(counts) for label, counts in labels.items()},
        "styles": _styles(inspection),
        "unmapped": inspection.unmapped(),
        **report_of(inspection.defects, inspection.left_out),
        "lists": inspection.lists,
        "actions_sha256": known_actions().sha256,
        "sha256": inspection.sha256,
    }


def _summary(inspection: Inspection) -> tuple[str, ...]:
    styles = ", ".join(f"{style} {count}" for style, count in _styles(inspection).items())
    glosses = {action.name: action.zh for action in known_actions().by_key.values()}
    return (
        f"{len(inspection.items)} of {EXPECTED_ITEMS} items in {len(inspection.labels())} labels; styles: {styles}",
        *(
            f"{counts.total():6d}  {label} {glosses.get(label, '(unmapped)')}"
            for label, counts in inspection.labels().items()
        ),
        *counts_of(inspection.defects, inspection.left_out),
    )
