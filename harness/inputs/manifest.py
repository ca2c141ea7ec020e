"""Manifests: which items there are, their inputs, and which video stands for each.

A manifest is a JSONL, CSV or Parquet file with the columns ``id``, ``video``, ``prompt``, ``image``,
``keyframes``, ``label``, ``seed``, ``fps``, ``ground_truth`` and ``region_mask``, all but ``id`` optional.
Relative paths are relative to the manifest. Other columns are kept as metadata, unless their name is so close
to a missing one that it is a typing error. A manifest is data: nothing in it is executed, and nothing is
downloaded.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.manifest_rows import ManifestRow, row_of
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path, write_new
from anisora.harness.inputs.tabular import read_records
from anisora.harness.media.folders import frame_paths
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Condition, Image, Sample

__all__ = [
    "ManifestRow",
    "clip_at",
    "read_manifest",
    "sample_of",
    "samples_of",
    "write_manifest",
]


def read_manifest(path: Path, *, allow_missing: bool = False) -> list[ManifestRow]:
    """Read and check a manifest.

    Args:
        path: A .jsonl, .csv or .parquet file, the suffix in any case.
        allow_missing: Keep rows whose ``video`` does not exist; other files must.

    Raises:
        DataError: Anything that is wrong with the file, in one line with the file, the line, the value and
            what was expected.
    """
    rows = [row_of(record, path.parent, allow_missing=allow_missing) for record in read_records(path)]
    first: dict[tuple[str, int | None], ManifestRow] = {}
    for row in rows:
        earlier = first.setdefault((row.id, row.seed), row)
        if earlier is not row:
            seed = "no seed" if row.seed is None else f"seed {row.seed}"
            raise DataError(
                f"{row.where}: id {shortened(row.id)} with {seed} is on line {earlier.line} already; "
                "expected each id and seed once; give the rows different seeds, or remove one."
            )
    return rows


def clip_at(path: Path, fps: float | None) -> Clip:
    """Return the clip of a file or folder of frames, with its digest.

    Args:
        path: A video file, or a folder of images.
        fps: Frame rate that overrides the container's; required for a folder.

    Raises:
        DataError: There is nothing to read, or a folder comes without a frame rate.
    """
    if not path_exists(path):
        raise missing_path(path, "a video or a folder of frames")
    try:
        if not path.is_dir():
            return Clip(path=path, digest=sha256_of_file(path), fps=fps)
        frames = frame_paths(path)
        if not frames:
            raise DataError(f"Folder `{path}` holds no image; expected the frames of a video; correct the path.")
        if fps is None:
            raise DataError(
                f"Folder of frames `{path}` has no frame rate; expected one; give it in the manifest's "
                "column `fps`, or with --fps."
            )
        hasher = hashlib.sha256()
        for frame in sorted(frames, key=lambda frame: frame.name):
            hasher.update(f"{frame.name}\0{sha256_of_file(frame)}\n".encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise unreadable_path(path, error) from error
    return Clip(path=path, digest=hasher.hexdigest(), fps=fps)


def sample_of(row: ManifestRow) -> Sample:
    """Return the item that a row describes, with the digests of its images and ground truth.

    Raises:
        DataError: A file cannot be read, or a folder of frames has no frame rate.
    """
    try:
        keyframes = tuple((position, Image(path=path, digest=sha256_of_file(path))) for position, path in row.keyframes)
    except OSError as error:
        raise unreadable_path(Path(error.filename or row.where), error) from error
    truth = row.ground_truth
    return Sample(
        id=row.id,
        prompt=row.prompt,
        condition=Condition(keyframes=keyframes, region_mask=row.region_mask),
        label=row.label,
        # The row's rate is that of its video; the ground truth has its own, unless it is a folder and has
        # none.
        ground_truth=None if truth is None else clip_at(truth, row.fps if truth.is_dir() else None),
        metadata=row.metadata,
    )


def samples_of(rows: Sequence[ManifestRow]) -> list[Sample]:
    """Return the items of a manifest in its order; rows that differ in the seed alone are one item.

    Raises:
        DataError: Two rows of one id disagree about its inputs.
    """
    first: dict[str, ManifestRow] = {}
    metadata: dict[str, dict[str, Any]] = {}
    for row in rows:
        earlier = first.setdefault(row.id, row)
        for name in ("prompt", "label", "keyframes", "ground_truth", "region_mask"):
            if getattr(row, name) != getattr(earlier, name):
                raise DataError(
                    f"{row.where}: `{name}` of id {shortened(row.id)} got "
                    f"{shortened(getattr(row, name))}; expected the same as on line {earlier.line}; make "
                    "them equal."
                )
        common = metadata.setdefault(row.id, dict(row.metadata))
        metadata[row.id] = {key: value for key, value in common.items() if row.metadata.get(key) == value}
    samples = {name: sample_of(row) for name, row in first.items()}
    return [replace(sample, metadata=MappingProxyType(metadata[name])) for name, sample in samples.items()]


def write_manifest(rows: Sequence[ManifestRow], path: Path) -> None:
    """Write rows as JSONL; files below the manifest's folder are named relative to it, others absolutely.

    Raises:
        ConfigError: The file is there already, or its name does not end in .jsonl.
    """
    if path.suffix.lower() != ".jsonl":
        raise ConfigError(f"`{path}` got the suffix {path.suffix!r}; expected .jsonl; rename it.")
    lines = [json.dumps(_plain_row(row, path.parent), ensure_ascii=False, allow_nan=False) for row in rows]
    write_new(path, "".join(line + "\n" for line in lines))


def _plain_row(row: ManifestRow, folder: Path) -> dict[str, Any]:
    keyframes: list[dict[str, Any]] | None = None
    image: str | None = None
    if len(row.keyframes) == 1 and row.keyframes[0][0] == 0:
        image = _relative(row.keyframes[0][1], folder)
    elif row.keyframes:
        keyframes = [{"position": position, "image": _relative(path, folder)} for position, path in row.keyframes]
    plain = {
        "id": row.id,
        "video": _relative(row.video, folder),
        "prompt": row.prompt,
        "image": image,
        "keyframes": keyframes,
        "label": row.label,
        "seed": row.seed,
        "fps": row.fps,
        "ground_truth": _relative(row.ground_truth, folder),
        "region_mask": _relative(row.region_mask, folder),
        **row.metadata,
    }
    return {name: value for name, value in plain.items() if value is not None}


def _relative(path: Path | None, folder: Path) -> str | None:
    if path is None:
        return None
    whole, base = path.absolute(), folder.absolute()
    return str(whole.relative_to(base) if whole.is_relative_to(base) else whole)
