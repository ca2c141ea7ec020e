"""A finished run as one file that may be sent to whoever keeps a board: no media, no paths of this machine."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from anisora.harness.errors import ConfigError, DataError, RecordError
from anisora.harness.inputs.runs import find_run
from anisora.harness.record import RunRecord, RunSpec
from anisora.harness.runfolder import RunFolder, ScoreRow, sha256_of_file, write_atomically
from anisora.leaderboards.publishable import publishable, without_paths
from anisora.leaderboards.submissions.archive import MOST_BYTES, MOST_MEMBER_BYTES, read_archive
from anisora.leaderboards.submissions.check import check_run
from anisora.leaderboards.submissions.rows import BundledClip, clips_bytes, read_clips, read_scores

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["FORMAT_VERSION", "MEMBERS", "SUFFIX", "Bundle", "read_bundle", "write_bundle"]

FORMAT_VERSION: Final = 1
"""Of bundle.json; goes up when a program of today could not read the file."""
SUFFIX: Final = ".anisora.zip"
MEMBERS: Final = frozenset({"bundle.json", "clips.parquet", "record.json", "scores.parquet", "spec.yaml"})

_LISTED: Final = MEMBERS - {"bundle.json"}
_MOST_RECORD_BYTES: Final = 8 << 20
_MOST_SPEC_BYTES: Final = 1 << 20
_TIMESTAMP: Final = (1980, 1, 1, 0, 0, 0)
"""The first that a zip file can hold: the same run gives the same bytes on any day."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Member(_Strict):
    sha256: str
    size: int


class _Manifest(_Strict):
    format_version: int
    run_id: str
    suite: str
    """The suite key: suite@version, with :track if any."""
    protocol: str
    """The fingerprint."""
    files: dict[str, _Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was read and checked."""

    record: RunRecord
    scores: tuple[ScoreRow, ...]
    """Without their parts."""
    clips: tuple[BundledClip, ...]
    sha256: str
    """Of the file."""


def write_bundle(run: Path, out: Path | None = None) -> Path:
    """Write the bundle of a finished run and return its path; the same run gives the same bytes.

    What ``read_bundle`` would refuse is refused here.

    Args:
        run: The run folder.
        out: The file; ``<run_id>.anisora.zip`` in the working directory when left out. An earlier bundle is replaced.

    Raises:
        ConfigError: Something else is at ``out``.
        DataError: The folder holds no run, or the bundle would be too large.
        RecordError: The run is not finished, failed, or is damaged.
    """
    folder = find_run(run)
    record = folder.read_record()
    _check_files(folder, record)
    shared = publishable(record)
    contents = {
        "clips.parquet": clips_bytes(folder.read_clips()),
        "scores.parquet": _scores_bytes(folder),
        "spec.yaml": _spec_bytes(shared.spec),
    }
    files = {name: sha256(contents[name]).hexdigest() for name in ("clips.parquet", "scores.parquet")}
    shared = shared.model_copy(update={"files": files})
    contents["record.json"] = shared.model_dump_json(indent=1).encode() + b"\n"
    _check_sizes(contents)
    manifest = _Manifest(
        format_version=FORMAT_VERSION,
        run_id=shared.run_id,
        suite=shared.suite_key,
        protocol=shared.protocol.digest,
        files={
            name: _Member(sha256=sha256(content).hexdigest(), size=len(content))
            for name, content in sorted(contents.items())
        },
    )
    contents["bundle.json"] = manifest.model_dump_json(indent=1).encode() + b"\n"
    _checked(contents, str(folder.path))
    path = _target(out, shared.run_id)
    with write_atomically(path, "bundle") as file:
        file.write(_zipped(contents))
    return path


def _check_files(folder: RunFolder, record: RunRecord) -> None:
    if record.status == "failed":
        raise RecordError(f"Run `{folder.path}` failed; expected one that was scored; finish it, then bundle it.")
    for name, expected in sorted(record.files.items()):
        path = folder.path / name
        found = sha256_of_file(path) if path.is_file() else "none (the file is gone)"
        if found != expected:
            raise RecordError(
                f"`{path}` has sha256 {found[:24]}, the record says {expected[:24]}; expected the file of the run; see "
                f"what changed with: anisora verify {folder.path}"
            )
    for path in (folder.scores_path, folder.clips_path):
        if path.name not in record.files:
            raise RecordError(
                f"Run `{folder.path}` does not name {path.name} with its sha256 in record.json; expected a run of this "
                "program; score the clips again."
            )


def _scores_bytes(folder: RunFolder) -> bytes:
    """Return scores.parquet as it is, or written anew where a note holds a path."""
    rows = folder.read_scores()
    shared = [replace(row, note=without_paths(row.note)) for row in rows]
    if shared == rows:
        return folder.scores_path.read_bytes()
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        copy = RunFolder(Path(place))
        copy.write_scores(shared)
        return copy.scores_path.read_bytes()


def _spec_bytes(spec: RunSpec) -> bytes:
    return yaml.safe_dump(
        spec.model_dump(mode="json", exclude_unset=True), sort_keys=False, allow_unicode=True
    ).encode()


def _check_sizes(contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        if len(content) > MOST_MEMBER_BYTES:
            raise DataError(
                f"`{name}` has {len(content):,} bytes; a bundle holds at most {MOST_MEMBER_BYTES:,} a file; score "
                "fewer metrics in one run."
            )
    total = sum(map(len, contents.values()))
    if total > MOST_BYTES:
        raise DataError(f"The bundle would have {total:,} bytes; expected at most {MOST_BYTES:,}; score fewer metrics.")


def _target(out: Path | None, run_id: str) -> Path:
    path = Path(f"{run_id}{SUFFIX}") if out is None else out
    if path.is_dir():
        raise ConfigError(f"`--out` got `{path}`, which is a folder; expected a file such as {run_id}{SUFFIX}.")
    if path.is_file():
        with path.open("rb") as file:
            if file.read(2) not in (b"PK", b""):
                raise ConfigError(f"`--out` got `{path}`, which is there and no bundle; choose another file.")
    return path


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    # Stored, not deflated: compressors differ between machines, and Parquet is compressed already.
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(contents.items()):
            info = zipfile.ZipInfo(name, _TIMESTAMP)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return file.getvalue()


def read_bundle(path: Path) -> Bundle:
    """Read a bundle that anybody may have made, and check all of it; nothing is written.

    Checked are, in this order: the zip file, the members and their sizes, format version, sha256 of each member, the
    record and its specification, columns and types of the rows, and what ``check_run`` looks at.

    Raises:
        DataError: The file is no bundle, or a damaged or hostile one.
        RecordError: The record and the rows contradict one another.
    """
    contents = read_archive(path, MEMBERS)
    record, scores, clips = _checked(contents, f"Bundle `{path}`")
    return Bundle(record=record, scores=tuple(scores), clips=tuple(clips), sha256=sha256_of_file(path))


def _checked(contents: Mapping[str, bytes], where: str) -> tuple[RunRecord, Sequence[ScoreRow], Sequence[BundledClip]]:
    manifest = _manifest(contents["bundle.json"], where)
    for name in sorted(_LISTED):
        told, content = manifest.files[name], contents[name]
        found = sha256(content).hexdigest()
        if (told.sha256, told.size) != (found, len(content)):
            raise DataError(
                f"{where}: member `{name}` has sha256 {found[:12]} and {len(content):,} bytes, bundle.json says "
                f"{told.sha256[:12]!a} and {told.size:,}; it was changed; ask for the bundle again."
            )
    record = _record(contents["record.json"], where)
    _check_manifest(manifest, record, where)
    _check_spec(contents["spec.yaml"], record, where)
    scores = read_scores(contents["scores.parquet"], f"{where}: member `scores.parquet`")
    clips = read_clips(contents["clips.parquet"], f"{where}: member `clips.parquet`")
    for name in ("clips.parquet", "scores.parquet"):
        if record.files.get(name) != manifest.files[name].sha256:
            raise DataError(
                f"{where}: record.json names {name} with sha256 {record.files.get(name, 'none')[:12]!a}, the member "
                f"has {manifest.files[name].sha256[:12]}; ask for the bundle again."
            )
    check_run(record, scores, clips)
    return record, scores, clips


def _manifest(content: "ReadableBuffer", where: str) -> _Manifest:
    data = bytes(content)
    try:
        manifest = _Manifest.model_validate_json(data)
    except ValidationError as error:
        version = re.search(rb'"format_version"\s*:\s*(\d{1,9})', data[:1000])
        if version is not None and int(version[1]) > FORMAT_VERSION:
            raise _newer(where, int(version[1])) from error
        raise DataError(f"{where}: bundle.json {_first(error)}; ask for the bundle again.") from error
    if manifest.format_version > FORMAT_VERSION:
        raise _newer(where, manifest.format_version)
    if manifest.format_version != FORMAT_VERSION:
        raise DataError(
            f"{where} has the format version {manifest.format_version}; expected {FORMAT_VERSION}; ask for it again."
        )
    if set(manifest.files) != _LISTED:
        odd = sorted(set(manifest.files) ^ _LISTED)[0]
        raise DataError(
            f"{where}: bundle.json lists {odd[:80]!a} or lacks it; expected {', '.join(sorted(_LISTED))}; ask for the "
            "bundle again."
        )
    return manifest


def _newer(where: str, version: int) -> DataError:
    return DataError(f"{where} has the format version {version}; this program reads {FORMAT_VERSION}; upgrade it.")


def _record(content: bytes, where: str) -> RunRecord:
    if len(content) > _MOST_RECORD_BYTES:
        raise DataError(
            f"{where}: record.json has {len(content):,} bytes; expected at most {_MOST_RECORD_BYTES:,}; score fewer "
            "metrics in one run."
        )
    try:
        # Strictly: a version of "1" or true is not 1.
        record = RunRecord.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise DataError(f"{where}: record.json {_first(error)}; ask for the bundle again.") from error
    if record.schema_version != 1:
        raise DataError(f"{where}: record.json has schema version {record.schema_version}; expected 1; upgrade.")
    return record


def _check_manifest(manifest: _Manifest, record: RunRecord, where: str) -> None:
    try:
        found = {"run_id": record.run_id, "suite": record.suite_key, "protocol": record.protocol.digest}
    except ValueError as error:
        raise DataError(f"{where}: the protocol in record.json holds a number that is not finite.") from error
    for field, value in found.items():
        told = getattr(manifest, field)
        if told != value:
            raise DataError(
                f"{where}: bundle.json has the {field} {told[:80]!a}, by record.json it is {value[:80]!a}; ask for the "
                "bundle again."
            )


def _check_spec(content: bytes, record: RunRecord, where: str) -> None:
    # Read by writing: a YAML file of a stranger is not parsed, since aliases in a small one can stand for gigabytes.
    if len(content) > _MOST_SPEC_BYTES or content != _spec_bytes(record.spec):
        raise DataError(
            f"{where}: spec.yaml is not the specification in record.json ({len(content):,} bytes); expected what a "
            "bundle is written with; ask for the bundle again."
        )


def _first(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))[:120]
    return f"does not fit: {place or 'all of it'!a}: {str(first['msg'])[:160]}"
