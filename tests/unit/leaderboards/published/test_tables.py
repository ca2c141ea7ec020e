from pathlib import Path

import numpy as np
import pytest
from shared_data import SHARED

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.leaderboards.published.tables import (
    PublishedTable,
    parse_published,
    published_suites,
    published_table,
    published_tables,
)

SEED = SHARED / "seed" / "README_CN.md"

SMALL = """
suite: small-2
title: Small
title_zh: 小
metrics_of: Somebody
status: reported, not reproduced
source: {title: A page, url: "https://example.org/page", date: 2026-01-02}
columns:
  - {metric: sharpness, header: Sharpness, header_zh: 清晰度, direction: higher, decimals: 1}
  - {metric: flicker, header: Flicker, header_zh: 闪烁, direction: lower, decimals: 0}
rows:
  - {model: alpha, printed: Alpha, cells: ["**1.5**", "**30**"]}
  - {model: beta, printed: Beta, times_printed: 3, cells: ["-", "10"]}
  - {model: gamma, printed: Gamma, cells: ["1.5", "20"]}
  - {model: ground-truth, printed: GT, reference: true, cells: ["9.0", "15"]}
"""


def seed_tables() -> list[list[list[str]]]:
    """The cells of the two tables of the seed as they stand: rows below the header, and the header first."""
    if not SEED.is_file():
        pytest.skip("the document that the project starts from, ../shared/seed/README_CN.md, is not there")
    results = SEED.read_text(encoding="utf-8").partition("## 📑 评测结果")[2].partition("\n## ")[0]
    tables: list[list[list[str]]] = []
    is_inside = False
    for line in results.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            is_inside = False
        elif not is_inside:
            is_inside = True
            tables.append([cells])
        elif not cells[0].startswith("--"):
            tables[-1].append(cells)
    return tables


def as_printed(table: PublishedTable) -> list[list[str]]:
    header = ["方法", *(column.header_zh for column in table.columns)]
    rows = [[row.printed, *row.cells] for row in table.rows for _ in range(row.times_printed)]
    return [header, *rows]


def test_the_tables_are_those_of_the_seed_cell_for_cell() -> None:
    seed = seed_tables()
    assert [len(table) for table in seed] == [10, 13]
    # A space that does not break is a matter of typesetting; all else is as it stands, bold included.
    seed = [[[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table] for table in seed]
    assert as_printed(published_table("vbench-i2v-8")) == seed[0]
    assert as_printed(published_table("anisora-7")) == seed[1]


def test_the_tables_are_those_that_were_copied() -> None:
    vbench, anisora = published_table("vbench-i2v-8"), published_table("anisora-7")
    assert (len(vbench.rows), len(vbench.columns)) == (9, 8)
    assert (len(anisora.rows), len(anisora.columns)) == (11, 7)
    vidu = ("97.71", "**77.51**", "53.68", "69.23", "92.25", "93.06", "20.87", "88.27")
    assert vbench.row("vidu-1.5").cells == vidu
    assert vbench.row("opensora-v1.2").text(2) == "54.30"
    assert vbench.rows[-1].cells == ("98.72", "56.05", "52.70", "70.50", "96.02", "95.03", "21.29", "94.37")
    assert anisora.row("wan-2.1").cells == ("-", "81.70", "61.88", "82.05", "87.80", "88.50", "90.65")
    assert anisora.row("anisora-v1").value(0) == 70.13
    assert anisora.row("anisora-v2").value(0) is None
    assert {row.model: row.times_printed for row in anisora.rows if row.times_printed > 1} == {"anisora-v1-keyframe": 2}
    assert [row.model for row in anisora.rows if row.reference] == ["ground-truth"]


def test_one_system_has_one_name_in_both_tables() -> None:
    pairs = {row.model: row.printed for row in published_table("vbench-i2v-8").rows}
    others = {row.model: row.printed for row in published_table("anisora-7").rows}
    assert set(pairs) == set(others) - {"wan-2.1", "anisora-v2"}
    assert {model: (pairs[model], others[model]) for model in ("vidu-1.5", "cogvideox-5b", "minimax-i2v01")} == {
        "vidu-1.5": ("Vidu", "Vidu‑1.5"),
        "cogvideox-5b": ("CogVideo(5B‑V1)", "CogVideoX‑5B‑V1"),
        "minimax-i2v01": ("MiniMax", "MiniMax-I2V01"),
    }


def test_the_two_motion_columns_are_almost_one() -> None:
    vbench, anisora = published_table("vbench-i2v-8"), published_table("anisora-7")
    left = [row.value(vbench.metrics.index("motion_score")) for row in vbench.rows]
    right = [anisora.row(row.model).value(anisora.metrics.index("visual_motion")) for row in vbench.rows]
    assert round(float(np.corrcoef(np.array(left, float), np.array(right, float))[0, 1]), 2) == 0.99
    assert any("the two correlate at 0.99" in note for note in vbench.notes)


def test_bold_is_computed_and_differs_from_the_source_in_one_cell() -> None:
    assert [(table.suite, *cell) for table in published_tables() for cell in table.bold_differences()] == [
        ("vbench-i2v-8", "opensora-v1.2", "overall_consistency")
    ]
    row = published_table("vbench-i2v-8").row("opensora-v1.2")
    assert (row.text(6), row.is_bold(6)) == ("22.68", False)


def test_rows_above_the_ground_truth_are_counted_by_column() -> None:
    assert published_table("vbench-i2v-8").above_reference() == {
        "motion_smoothness": 6,
        "motion_score": 6,
        "aesthetic_quality": 8,
        "imaging_quality": 2,
        "i2v_subject": 1,
        "i2v_background": 2,
        "overall_consistency": 4,
        "subject_consistency": 3,
    }
    above = published_table("anisora-7").above_reference()
    assert above.pop("visual_motion") == 6
    assert set(above.values()) == {0}


def test_every_table_names_its_source_and_its_status() -> None:
    assert published_suites() == ["anisora-7", "vbench-i2v-8"]
    for table in published_tables():
        assert table.status == "reported, not reproduced"
        assert table.source.commit is not None
        assert table.source.commit in table.source.url
        assert table.source.date.isoformat() == "2025-11-01"
        assert (sum(row.reference for row in table.rows), table.rows[-1].reference) == (1, True)


def test_best_and_above_follow_the_direction_of_a_column() -> None:
    table = parse_published(SMALL, "small.yaml")
    best = {
        (row.model, metric) for row in table.rows for at, metric in enumerate(table.metrics) if table.is_best(row, at)
    }
    assert best == {("alpha", "sharpness"), ("gamma", "sharpness"), ("beta", "flicker")}
    assert table.bold_differences() == (("alpha", "flicker"), ("beta", "flicker"), ("gamma", "sharpness"))
    assert table.above_reference() == {"sharpness": 0, "flicker": 1}
    assert table.row("beta").value(0) is None
    assert table.reference is not None
    assert not table.is_above_reference(table.reference, 0)


def test_a_table_without_a_ground_truth_has_nothing_above_it() -> None:
    table = parse_published(SMALL.replace(", reference: true", ""), "small.yaml")
    assert table.reference is None
    assert table.above_reference() == {"sharpness": 0, "flicker": 0}
    assert table.is_best(table.row("ground-truth"), 0)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('["-", "10"]', '["-"]', r"row 'beta' has 1 cells; expected one for each of 2 columns"),
        ('"10"', '"10.5"', r"`flicker` of row 'beta' got '10\.5'; expected a number with 0 decimals, or '-'"),
        (
            '["1.5", "20"]',
            '["1.50", "20"]',
            r"`sharpness` of row 'gamma' got '1\.50'; expected a number with 1 decimals",
        ),
        ('["-", "10"]', "[1.5, 10]", r"`rows\.1\.cells\.0` got 1\.5; input should be a valid string"),
        ('["-", "10"]', '["**-**", "10"]', r"`sharpness` of row 'beta' is bold and has no number"),
        ("model: beta", "model: alpha", r"`rows\.model` has 'alpha' twice; expected each once"),
        ("metric: flicker", "metric: sharpness", r"`columns\.metric` has 'sharpness' twice"),
        ("header: Flicker", "header: Sharpness", r"`columns\.header` has 'Sharpness' twice"),
        ("printed: Beta", "printed: Beta, reference: true", r"two rows are the `reference`; expected at most one"),
        (
            "direction: lower",
            "direction: smaller",
            r"`columns\.1\.direction` got 'smaller'; input should be 'higher' or",
        ),
        ("reported, not reproduced", "reproduced", r"`status` got 'reproduced'; input should be 'reported, not repro"),
        ("title: Small\n", "titel: Small\n", r"`title` got .*; field required"),
        ("times_printed: 3", "times_printed: 0", r"`rows\.1\.times_printed` got 0; input should be greater"),
        ("https://", "http://", r"`source\.url` got 'http://example\.org/page'; string should match pattern"),
        ("rows:", "rows: [", r"is not YAML of a published table \("),
        (SMALL, "[]", r"input should be a valid dictionary or instance of PublishedTable"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_place_and_value(before: str, after: str, says: str) -> None:
    assert before in SMALL
    with pytest.raises(ConfigError, match=r"^`small\.yaml`: .*" + says) as caught:
        parse_published(SMALL.replace(before, after), "small.yaml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("correct the file.")


def test_unknown_names_are_told_with_those_that_exist() -> None:
    says = (
        r"Published table 'anisora-8' is not known\. Did you mean 'anisora-7'\? Published rows exist for: anisora-7, "
    )
    with pytest.raises(UnknownNameError, match=says):
        published_table("anisora-8")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'vidu-1\.5'"):
        published_table("anisora-7").row("vidu-1")


def test_the_tables_lie_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    published_table.cache_clear()
    assert [table.suite for table in published_tables()] == published_suites()
