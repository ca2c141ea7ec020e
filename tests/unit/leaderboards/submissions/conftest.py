"""A finished run of two metrics over eight items, its bundle, and bundles of it that were tampered with."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from anisora.harness.record import Protocol, RunRecord, RunSpec
from anisora.harness.registry import registry
from anisora.harness.runfolder import ClipRow, RunFolder, ScoreRow, sha256_of_file
from anisora.harness.stages.aggregate import aggregate
from anisora.leaderboards.submissions.bundle import write_bundle

METRICS = ("sharpness", "temporal_flickering")
ITEMS = 8


def score_rows() -> list[ScoreRow]:
    return [
        ScoreRow(
            item_id=f"item-{at}",
            seed=0,
            cluster=f"label-{at}",
            metric=metric,
            metric_version=1,
            value=None if (at, metric) == (3, "sharpness") else 0.5 + 0.05 * at,
            weight=1.0,
            status="unscored" if (at, metric) == (3, "sharpness") else "ok",
            note="too few frames" if (at, metric) == (3, "sharpness") else "",
            parts={"frame": [0.5, None, 0.25 * at]},
        )
        for metric in METRICS
        for at in range(ITEMS)
    ]


def clip_rows(folder: Path) -> list[ClipRow]:
    return [
        ClipRow(
            item_id=f"item-{at}",
            seed=0,
            path=str(folder / "secret-clips" / f"item-{at}.mp4"),
            sha256=hashlib.sha256(str(at).encode()).hexdigest(),
            fps=24.0,
            frames=16,
            height=64,
            width=96,
            codec="h264",
            pixel_format="yuv420p",
        )
        for at in range(ITEMS)
    ]


def finish_run(folder: Path, model: str = "alpha", *, rows: list[ScoreRow] | None = None, **fields: Any) -> RunFolder:
    """Write a finished run folder, its record computed from its rows."""
    rows = score_rows() if rows is None else rows
    infos = {name: registry("metrics").create(name).info for name in METRICS}
    spec = RunSpec(
        suite="small",
        suite_version=1,
        suite_source=str(folder.parent / "suite.yaml"),
        model=model,
        model_spec="recorded",
        videos=[str(folder.parent / "secret-clips")],
        seeds=[0],
        metrics=list(METRICS),
    )
    run = RunFolder(folder)
    folder.mkdir(parents=True)
    run.write_spec(spec)
    run.write_clips(clip_rows(folder.parent))
    run.write_scores(rows)
    run.write_errors([])
    given: dict[str, Any] = {
        "run_id": folder.name,
        "status": "ok",
        "started": "2026-01-02T03:00:00+00:00",
        "finished": "2026-01-02T03:04:05+00:00",
        "spec": spec,
        "results": aggregate(rows, infos),
        "protocol": Protocol(
            fields={"items": "a1", "seeds": [0], "encoder": "h264/yuv420p"},
            metrics={name: {"version": 1} for name in METRICS},
        ),
        "environment": {"python": "3.11.7"},
        "items": ITEMS,
        "files": {path.name: sha256_of_file(path) for path in (run.clips_path, run.scores_path, run.errors_path)},
    }
    run.write_record(RunRecord(**{**given, **fields}))
    return run


@pytest.fixture
def make_run_folder(tmp_path: Path) -> Callable[..., RunFolder]:
    """Return ``finish_run`` for folders below ``runs``: takes the run id and what is to be different."""
    return lambda run_id, model="alpha", **fields: finish_run(tmp_path / "runs" / run_id, model, **fields)


@pytest.fixture
def run(make_run_folder: Callable[..., RunFolder]) -> RunFolder:
    return make_run_folder("small-alpha-0123456789")


@pytest.fixture
def bundle(run: RunFolder, tmp_path: Path) -> Path:
    return write_bundle(run.path, tmp_path / "alpha.anisora.zip")


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return file.getvalue()


def sealed(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give members a bundle.json that tells their hashes as they are: what a careful forger does."""
    record = json.loads(members["record.json"])
    for name in ("clips.parquet", "scores.parquet"):
        record["files"][name] = hashlib.sha256(members[name]).hexdigest()
    made = {**members, "record.json": json.dumps(record).encode()}
    manifest = json.loads(members["bundle.json"])
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in made.items()
        if name != "bundle.json"
    }
    return {**made, "bundle.json": json.dumps(manifest).encode()}


def with_rows(members: Mapping[str, bytes], change: Callable[[list[dict[str, Any]]], object]) -> dict[str, bytes]:
    """Change the rows of scores.parquet and seal the bundle again."""
    table = pq.read_table(io.BytesIO(members["scores.parquet"]))
    rows = table.to_pylist()
    change(rows)
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, table.schema), file)
    return sealed({**members, "scores.parquet": file.getvalue()})


def with_record(members: Mapping[str, bytes], change: Callable[[dict[str, Any]], object]) -> dict[str, bytes]:
    """Change record.json, with spec.yaml and bundle.json as they follow from it."""
    content = json.loads(members["record.json"])
    change(content)
    made = {**members, "record.json": json.dumps(content).encode()}
    try:
        record = RunRecord.model_validate(content)
        spec = yaml.safe_dump(record.spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        manifest = json.loads(members["bundle.json"])
        manifest |= {"run_id": record.run_id, "suite": record.suite_key, "protocol": record.protocol.digest}
        made |= {"spec.yaml": spec.encode(), "bundle.json": json.dumps(manifest).encode()}
    except ValueError:
        pass
    return sealed(made)


class Tamper:
    """Writes bundles that differ from an honest one."""

    members_of = staticmethod(members_of)
    zipped = staticmethod(zipped)
    sealed = staticmethod(sealed)

    def __init__(self, bundle: Path) -> None:
        self.members = members_of(bundle)
        self.path = bundle.with_name("tampered.anisora.zip")

    def write(self, content: bytes) -> Path:
        self.path.write_bytes(content)
        return self.path

    def rows(self, change: Callable[[list[dict[str, Any]]], object]) -> Path:
        return self.write(zipped(with_rows(self.members, change)))

    def record(self, change: Callable[[dict[str, Any]], object]) -> Path:
        return self.write(zipped(with_record(self.members, change)))


@pytest.fixture
def tamper(bundle: Path) -> Tamper:
    return Tamper(bundle)
