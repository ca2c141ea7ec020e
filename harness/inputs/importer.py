"""Builds a manifest and a suite from a folder of videos, on request.

Files beside a video with its name are its inputs: ``{id}.png`` (or another image) the first frame,
``{id}.txt`` the prompt. Scoring never guesses so; an import writes down what it found, for the user to read
and correct.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import yaml

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.manifest import ManifestRow, write_manifest
from anisora.harness.inputs.manifest_rows import check_id
from anisora.harness.inputs.paths import missing_path, shortened, unreadable_path, write_new
from anisora.harness.inputs.video_names import same_spelling
from anisora.harness.inputs.video_sources import find_videos
from anisora.harness.media.folders import IMAGE_SUFFIXES
from anisora.harness.protocols import Metric, MetricInfo
from anisora.harness.registry import registry
from anisora.harness.suite import Suite, load_suite

__all__ = ["Imported", "NamedImporter", "build_manifest", "import_suite", "write_suite"]

_MAX_PROMPT_BYTES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of the import of a data set that is known by name."""

    files: tuple[Path, ...] = ()
    """What was written, the suite first; nothing where an import was strict and something was wrong."""
    summary: tuple[str, ...] = ()
    """Lines to print: what is there, by label and by style."""
    defects: tuple[str, ...] = ()
    """Everything that is wrong, a line each."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """All of it as plain data."""


class NamedImporter(Protocol):
    """Builds the suite of a data set that is known by name, from a folder that holds it.

    What is registered is a function that takes the arguments of a specification, such as ``vbench-i2v:ratio=1-1``, and
    returns the importer.
    """

    def __call__(
        self,
        root: Path | None,
        out: Path,
        *,
        name: str | None = None,
        metrics: Sequence[str] | None = None,
        template: str | None = None,
        strict: bool = False,
    ) -> Imported:
        """Read the folder and write the suite.

        Args:
            root: The folder; None if none was given, for an error that says where the data set comes from.
            out: The folder to write to.
            name: The name of the suite; by default that of the data set.
            metrics: As ``write_suite``.
            template: As ``write_suite``.
            strict: Write nothing if anything is wrong.
        """
        ...


def build_manifest(
    folder: Path, *, role: Literal["ground_truth", "video"] = "ground_truth", fps: float | None = None
) -> list[ManifestRow]:
    """Make one row of every video in a folder, with the image and prompt beside it.

    Args:
        folder: Holds ``{id}.mp4`` and, beside it, ``{id}.png`` and ``{id}.txt`` where there are any.
        role: ``ground_truth`` if the videos are what systems are compared with, ``video`` if a system made
            them.
        fps: Frame rate of folders of frames.

    Raises:
        DataError: The folder holds no video, two files of one name, or a prompt that is not UTF-8.
    """
    if not folder.is_dir():
        raise missing_path(folder, "a folder of videos")
    rows: dict[str, ManifestRow] = {}
    videos = find_videos(folder)
    has_files = any(video.path.is_file() for video in videos)
    for video in videos:
        if has_files and video.path.is_dir():
            continue
        name = same_spelling(video.stem)
        wrong = check_id(name)
        if wrong:
            raise DataError(f"`{video.path}` cannot be the name of an item; expected {wrong}; rename the file.")
        if name in rows:
            raise DataError(
                f"`{folder}` has two videos for item {shortened(name)}; expected one; remove or rename one."
            )
        image = _image_beside(folder, video.stem)
        rows[name] = ManifestRow(
            id=name,
            video=video.path if role == "video" else None,
            ground_truth=video.path if role == "ground_truth" else None,
            prompt=_prompt_beside(folder / f"{video.stem}.txt"),
            keyframes=((0.0, image),) if image else (),
            fps=fps if video.path.is_dir() else None,
            line=len(rows) + 1,
            where=f"`{video.path}`",
        )
    return list(rows.values())


def _image_beside(folder: Path, stem: str) -> Path | None:
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.stem == stem and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ]
    if len(found) > 1:
        raise DataError(
            f"`{folder}` has two images for item {shortened(stem)}: {found[0].name!r} and "
            f"{found[1].name!r}; expected one; remove or rename one."
        )
    return found[0] if found else None


def _prompt_beside(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable_path(path, error) from error
    if len(content) > _MAX_PROMPT_BYTES:
        raise DataError(
            f"`{path}` has {len(content)} bytes; expected a prompt of at most {_MAX_PROMPT_BYTES}; shorten it."
        )
    try:
        return content.decode("utf-8-sig").strip() or None
    except UnicodeDecodeError:
        raise DataError(f"`{path}` is not text in UTF-8; expected a prompt; save the file as UTF-8.") from None


def import_suite(
    folder: Path,
    name: str,
    out: Path,
    *,
    role: Literal["ground_truth", "video"] = "ground_truth",
    metrics: Sequence[str] | None = None,
    template: str | None = None,
    fps: float | None = None,
) -> tuple[Path, Path]:
    """Write ``{name}.jsonl`` and ``{name}.yaml`` for a folder of videos.

    Args:
        folder: As ``build_manifest`` takes it.
        name: The name of the suite.
        out: The folder to write to.
        role: As ``build_manifest`` takes it.
        metrics: As ``write_suite``.
        template: As ``write_suite``.
        fps: Frame rate of folders of frames.

    Returns:
        The paths of the suite and of its manifest.

    Raises:
        ConfigError: As ``write_suite``.
        DataError: As ``build_manifest``.
    """
    rows = build_manifest(folder, role=role, fps=fps)
    facts: dict[str, Any] = {
        "title": name,
        "summary": f"{len(rows)} items imported from {folder.absolute().name}.",
        "cluster": "item",
        "reference": "ground-truth" if role == "ground_truth" else None,
    }
    return write_suite(rows, name, out, facts=facts, metrics=metrics, template=template)


def write_suite(
    rows: Sequence[ManifestRow],
    name: str,
    out: Path,
    *,
    facts: Mapping[str, Any],
    seeds: Sequence[int] = (0,),
    metrics: Sequence[str] | None = None,
    template: str | None = None,
) -> tuple[Path, Path]:
    """Write ``{name}.jsonl`` and ``{name}.yaml`` of rows.

    Args:
        rows: The items.
        name: The name of the suite.
        out: The folder to write to.
        facts: Keys of the suite besides name, version, dataset, seeds and columns.
        seeds: Of the suite: as many clips does a system bring for each item.
        metrics: The columns; by default every core metric whose needs all items meet.
        template: A suite whose columns it gets, heads and scales included, in place of ``metrics``.

    Returns:
        The paths of the suite and of its manifest.

    Raises:
        ConfigError: A file is there already, the name is no word, a metric or the template is not known, or both
            are given.
    """
    suite_path, manifest_path = out / f"{name}.yaml", out / f"{name}.jsonl"
    for path in (suite_path, manifest_path):
        if path.exists():
            raise ConfigError(f"`{path}` is there already; expected a new file; remove it or choose another name.")
    content: dict[str, Any] = {
        "name": name,
        "version": 1,
        **facts,
        "dataset": f"manifest:path={manifest_path.name}",
        "seeds": list(seeds),
        "columns": _columns(rows, metrics, template),
    }
    try:
        Suite.model_validate(content)
    except ValueError:
        raise ConfigError(
            f"`--name` got {name!r}; expected small letters, digits and hyphens, and no command's name."
        ) from None
    write_manifest(rows, manifest_path)
    write_new(suite_path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))
    return suite_path, manifest_path


def _columns(rows: Sequence[ManifestRow], metrics: Sequence[str] | None, template: str | None) -> list[dict[str, Any]]:
    if template is None:
        chosen = _metrics_for(rows) if metrics is None else metrics
        return [{"metric": metric, "header": _info(metric).title} for metric in chosen]
    if metrics is not None:
        raise ConfigError(f"`--suite` got {template!r}, and `--metrics` was given; leave one of them out.")
    columns = load_suite(template).columns
    # Which of its own systems a suite scores by a column is of no use to other items.
    return [column.model_dump(exclude={"systems"}, exclude_defaults=True) for column in columns]


def _info(metric: str) -> MetricInfo:
    created: Metric = registry("metrics").create(metric)
    return created.info


def _metrics_for(rows: Sequence[ManifestRow]) -> list[str]:
    columns = ("prompt", "keyframes", "ground_truth", "region_mask")
    met = {column for column in columns if all(getattr(row, column) for row in rows)}
    infos = {name: _info(name) for name in registry("metrics").names()}
    return [name for name, info in infos.items() if info.group == "core" and set(info.needs) <= met]
