"""A small suite with damages, groups and Chinese heads, scored into a leaderboard that a report can be made of."""

import csv
from pathlib import Path

import yaml
from small_suite import build_suite

from anisora.harness.stages.run import run
from anisora.harness.stages.session import RunOptions
from anisora.leaderboards.report.data import ReportData, gather
from anisora.leaderboards.store import Leaderboard

__all__ = ["SYSTEMS", "gathered", "score_suite"]

SYSTEMS = ("damage/freeze:severity=1", "damage/blur:severity=0.5")

_HEADS = {"sharpness": "锐度", "temporal_flickering": "闪烁", "ssim": None}


def score_suite(folder: Path, *, items: int = 8, num_frames: int = 6, width: int = 96, height: int = 64) -> Path:
    """Score ground truth and SYSTEMS; return the suite, which has ``leaderboard.duckdb`` and ``runs`` beside it.

    The items have ``items - 2`` labels, which are the clusters.
    """
    suite = build_suite(folder, items=items, num_frames=num_frames, width=width, height=height)
    _share_labels(folder / "items.csv", items - 2)
    content = yaml.safe_load(suite.read_text(encoding="utf-8"))
    content |= {
        "cluster": "label",
        "title": "Small & damaged",
        "columns": [{"metric": metric, "header": metric, "header_zh": head} for metric, head in _HEADS.items()],
        "systems": list(SYSTEMS),
        "expected": [{"system": SYSTEMS[0], "worse": ["ssim"]}, {"system": SYSTEMS[1], "worse": ["sharpness"]}],
    }
    suite.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    options = RunOptions(
        out=folder / "runs", db=folder / "leaderboard.duckdb", mlflow=None, cache=folder / "cache", workers=2
    )
    for model in ("ground-truth", *SYSTEMS):
        record = run(str(suite), model, options=options)
        assert record.status == "ok", record
    return suite


def _share_labels(manifest: Path, labels: int) -> None:
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, row in enumerate(rows):
        row["label"] = rows[place % labels]["label"]
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def gathered(suite: Path, *, examples: int = 1, language: str = "en") -> ReportData:
    """Gather the report of a suite that ``score_suite`` scored."""
    with Leaderboard.open(suite.parent / "leaderboard.duckdb") as board:
        return gather(board, "small", examples=examples, language=language)
