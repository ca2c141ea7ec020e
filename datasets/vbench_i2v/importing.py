"""Builds the suite ``vbench-i2v`` from the folder ``vbench2_beta_i2v`` of VBench, images included."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from anisora.datasets.importing.defects import counts_of, report_of
from anisora.datasets.importing.writing import Findings, checked_folder, new_report_path, write_import
from anisora.datasets.vbench_i2v.dimensions import (
    CAMERA_MOTION,
    DEFAULT_RATIO,
    DIMENSIONS,
    EXPECTED_IMAGES,
    SAMPLES_PER_PROMPT,
)
from anisora.datasets.vbench_i2v.inspection import RATIO, Inspection, Item, inspect
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.inputs.importer import Imported, NamedImporter
from anisora.harness.inputs.manifest import ManifestRow

__all__ = ["ACCESS", "vbench_i2v"]

_NAME: Final = "vbench-i2v"

ACCESS: Final = (
    "nothing is downloaded: clone Vchitect/VBench, get its image suite by vbench2_beta_i2v/download_data.sh, and give "
    "--root vbench2_beta_i2v; see docs/datasets/vbench-i2v.md."
)
"""How the images are come by."""


def vbench_i2v(ratio: str = DEFAULT_RATIO, dimension: str | None = None) -> NamedImporter:
    """Return the importer of one crop of the images.

    Args:
        ratio: Width and height, as the folder of the crop is named: ``1-1``, ``8-5``, ``7-4``, ``16-9``, or another
            that VBench's script was asked for.
        dimension: Only the entries that VBench evaluates for this dimension; by default all but those of camera motion.

    Raises:
        ConfigError: The ratio is none.
        UnknownNameError: VBench-I2V has no such dimension.
    """
    if not isinstance(ratio, str) or not re.fullmatch(RATIO, ratio):
        raise ConfigError(f"`ratio` got {ratio!r}; expected width-height, such as 16-9; correct it.")
    if dimension is not None and dimension not in DIMENSIONS:
        raise UnknownNameError("dimension", str(dimension), DIMENSIONS, f"VBench-I2V's: {', '.join(DIMENSIONS)}.")
    return partial(_import, ratio, dimension)


def _import(
    ratio: str,
    dimension: str | None,
    root: Path | None,
    out: Path,
    *,
    name: str | None = None,
    metrics: Sequence[str] | None = None,
    template: str | None = None,
    strict: bool = False,
) -> Imported:
    folder = checked_folder(root, _NAME, ACCESS)
    told_apart = (None if ratio == DEFAULT_RATIO else ratio, dimension and dimension.replace("_", "-"), template)
    suite_name = name or "-".join([_NAME, *(word for word in told_apart if word)])
    report_path = new_report_path(out, suite_name)
    inspection = inspect(folder, ratio, dimension, ACCESS)
    expected = EXPECTED_IMAGES if dimension is None else DIMENSIONS[dimension]
    findings = Findings(
        rows=[_row(item, ratio, dimension) for item in inspection.items],
        defects=inspection.defects,
        facts=_facts(len(inspection.items), expected, ratio, dimension),
        report=_report(inspection, expected, ratio, dimension),
        summary=_summary(inspection, expected, ratio),
        expected=f"{expected} prompts with an image in a folder {ratio}",
        seeds=range(SAMPLES_PER_PROMPT),
    )
    return write_import(findings, folder, suite_name, report_path, metrics=metrics, template=template, strict=strict)


def _facts(count: int, expected: int, ratio: str, dimension: str | None) -> dict[str, Any]:
    shape = ratio.replace("-", ":")
    of_it, of_it_zh = (f" for {dimension}", f"（{dimension}）") if dimension else ("", "")
    return {
        "title": f"VBench-I2V, {count} of {expected} items{of_it} at {shape}",
        "title_zh": f"VBench-I2V{of_it_zh}，{expected} 项中的 {count} 项，画幅 {shape}",
        "summary": f"{count} of {expected} items of VBench-I2V{of_it}: prompt and image at {shape}, five clips each.",
        "summary_zh": f"VBench-I2V{of_it_zh} {expected} 项中的 {count} 项：提示词与 {shape} 图像，每项五段。",
        "track": "i2v",
        # Images are independent of each other; only the camera's seven prompts share one.
        "cluster": "label" if dimension == CAMERA_MOTION else "item",
        "reference": None,
    }


def _row(item: Item, ratio: str, dimension: str | None) -> ManifestRow:
    entry = item.entry
    metadata: dict[str, Any] = {
        "dimensions": list(entry.dimensions),
        "image_type": entry.type,
        "ratio": ratio,
        "url": item.facts.url if item.facts else None,
    }
    return ManifestRow(
        id=entry.prompt,
        prompt=entry.prompt,
        keyframes=((0.0, item.image),),
        label=Path(entry.image).stem if dimension == CAMERA_MOTION else entry.type,
        metadata=MappingProxyType({key: value for key, value in metadata.items() if value is not None}),
    )


def _types(inspection: Inspection) -> dict[str, int]:
    return dict(Counter(item.entry.type for item in inspection.items).most_common())


def _dimensions(inspection: Inspection) -> dict[str, int]:
    counts = Counter(word for item in inspection.items for word in set(item.entry.dimensions))
    return {name: counts[name] for name in dict.fromkeys((*DIMENSIONS, *sorted(counts))) if counts[name]}


def _report(inspection: Inspection, expected: int, ratio: str, dimension: str | None) -> dict[str, Any]:
    return {
        "dataset": _NAME,
        "ratio": ratio,
        "dimension": dimension,
        "expected": expected,
        "found": len(inspection.wanted),
        "items": len(inspection.items),
        "samples_per_prompt": SAMPLES_PER_PROMPT,
        "types": _types(inspection),
        "dimensions": _dimensions(inspection),
        **report_of(inspection.defects, inspection.left_out),
        "lists": inspection.lists,
        "sha256": inspection.sha256,
    }


def _summary(inspection: Inspection, expected: int, ratio: str) -> tuple[str, ...]:
    types, dimensions = _types(inspection), _dimensions(inspection)
    return (
        f"{len(inspection.items)} of {expected} items at {ratio.replace('-', ':')} in {len(types)} types; "
        f"{SAMPLES_PER_PROMPT} clips each, seeds 0 to {SAMPLES_PER_PROMPT - 1}",
        *(f"{count:6d}  {name}" for name, count in types.items()),
        "items that VBench evaluates for: " + ", ".join(f"{name} {count}" for name, count in dimensions.items()),
        *counts_of(inspection.defects, inspection.left_out),
    )
