from collections.abc import Mapping
from pathlib import Path

import pytest
from scored_systems import TRUTH, Scored

from anisora.harness.suite import Column, Suite
from anisora.leaderboards.cell_text import interval_text
from anisora.leaderboards.demo import DemoResult
from anisora.leaderboards.demo_screen import (
    FROZEN,
    demo_screen,
    frozen_sentence,
    matrix_text,
    table_text,
)
from anisora.leaderboards.published.tables import published_suites
from anisora.leaderboards.table import Cell, TableColumn

ITEMS = [f"item-{at}" for at in range(8)]
SPREAD = (-3, -2, -1, 0, 0, 1, 2, 3)


def around(mean: float, step: float = 0.001) -> dict[str, float]:
    return {item: mean + step * by for item, by in zip(ITEMS, SPREAD, strict=True)}


def column(**fields) -> TableColumn:
    return TableColumn(**{"metric": "ssim", "header": "SSIM", "direction": "higher", "decimals": 2, **fields})


def cell(value: float | None, low: float | None, high: float | None) -> Cell:
    return Cell(metric="ssim", value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.4, 0.6, "±0.10"),
        (0.4, 0.601, "±0.10"),
        (0.4, 0.7, "-0.10 +0.20"),
        (0.5, 0.6, "-0.00 +0.10"),
        (0.5, 0.5, "±0.00"),
        (None, None, ""),
        (None, 0.6, ""),
        (0.4, None, ""),
    ],
)
def test_an_interval_is_one_number_where_its_ends_are_as_far_away(
    low: float | None, high: float | None, text: str
) -> None:
    assert interval_text(column(), cell(0.5, low, high)) == text


def test_an_interval_is_in_the_units_of_print() -> None:
    assert interval_text(column(scale=100, decimals=1), cell(0.5, 0.487, 0.513)) == "±1.3"
    assert interval_text(column(), cell(None, 0.4, 0.6)) == ""


def frozen_against_truth(**metrics: float) -> str:
    """The sentence of a frozen clip that differs from the ground truth by so much in each metric."""
    true = {metric: around(0.5) for metric in metrics}
    frozen = {metric: around(0.5 + by, 0.002) for metric, by in metrics.items()}
    return frozen_sentence(Scored({FROZEN: frozen, TRUTH: true}).matrix(), FROZEN)


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (
            {"sharpness": -0.1, "flicker": 0.1, "flow": 0.1},
            "0 of 3 columns prefer the frozen clip to the real one.",
        ),
        (
            {"sharpness": 0.0, "flicker": -0.1, "flow": -0.5},
            "1 of 3 columns prefer the frozen clip to the real one (flicker).",
        ),
        (
            {"sharpness": 0.1, "flicker": -0.1, "ssim": -0.1, "psnr": 0.2},
            "3 of 4 columns prefer the frozen clip to the real one (sharpness, flicker, psnr).",
        ),
    ],
)
def test_the_sentence_counts_the_columns_that_prefer_a_frozen_clip(metrics: Mapping[str, float], sentence: str) -> None:
    assert frozen_against_truth(**metrics) == sentence


def test_columns_that_did_not_score_both_are_not_counted() -> None:
    systems = {
        FROZEN: {"sharpness": around(0.9)},
        "other": {"sharpness": around(0.1), "flicker": around(0.1)},
        TRUTH: {"sharpness": around(0.5), "flicker": around(0.5)},
    }
    sentence = frozen_sentence(Scored(systems).matrix(), FROZEN)
    assert sentence == "1 of 1 columns prefer the frozen clip to the real one (sharpness)."


def test_without_a_frozen_clip_nothing_is_claimed_of_it() -> None:
    matrix = Scored({"other": {"sharpness": around(0.1)}, TRUTH: {"sharpness": around(0.5)}}).matrix()
    assert frozen_sentence(matrix, FROZEN) == "No system that freezes the clip was scored."


def mixed() -> Scored:
    """Three systems, each better, worse, no different or not scored by some metric."""
    true = dict.fromkeys(("sharpness", "flicker", "flow"), around(0.5))
    systems = {
        "damage/blur:severity=1": {"sharpness": around(0.2), "flicker": around(0.2), "flow": around(0.5, 0.002)},
        "noise": {"sharpness": around(0.8), "flicker": around(0.8)},
        "still": {"sharpness": around(0.5), "flow": around(0.1)},
    }
    return Scored({**systems, TRUTH: true}, title="Three systems")


EXPECTED = {"damage/blur:severity=1": ["sharpness", "flow"], "noise": ["sharpness", "flow"], "still": ["flow"]}


def below(line: str, header: str) -> dict[str, str]:
    """Cut a line of a table at the ends of the heads; a column is at least as wide as its head."""
    ends = [header.index(name) + len(name) for name in ("sharpness", "flicker", "flow")]
    starts = [header.index("sharpness"), *ends]
    return {
        name: line[start : end + 1].strip()  # a mark that is broken stands one character out
        for name, start, end in zip(("sharpness", "flicker", "flow"), starts, ends, strict=False)
    }


def test_the_matrix_marks_what_differs_and_what_was_expected() -> None:
    lines = matrix_text(mixed().matrix(EXPECTED)).splitlines()
    rule = next(at for at, line in enumerate(lines) if line.startswith("---"))
    marks = {line.split()[0]: line.split()[1:] for line in lines[rule + 1 : rule + 4]}
    assert marks == {
        "damage/blur:severity=1": ["[-]", "+", "[.]!"],
        "noise": ["[+]!", "-", "[", "]!"],
        "still": [".", "[-]"],
    }
    assert lines[0].startswith("Against the ground truth, item by item: - worse, + better, . no difference")
    assert lines[rule + 5 :] == [
        "[ ] expected before anything was scored: 2 of 5 hold.",
        "! damage/blur:severity=1 is not worse by flow, as was expected.",
        "! noise is not worse by sharpness, as was expected.",
        "! noise is not worse by flow, as was expected.",
    ]


def test_a_column_that_did_not_score_a_system_has_no_mark() -> None:
    lines = matrix_text(mixed().matrix()).splitlines()
    rule = next(at for at, line in enumerate(lines) if line.startswith("---"))
    marks = {line.split()[0]: below(line, lines[rule - 1]) for line in lines[rule + 1 : rule + 4]}
    assert marks["noise"] == {"sharpness": "+", "flicker": "-", "flow": ""}
    assert marks["still"] == {"sharpness": ".", "flicker": "", "flow": "-"}
    assert lines[-1] == "[ ] expected before anything was scored: 0 of 0 hold."


def test_the_table_has_values_above_intervals_and_the_ground_truth_last() -> None:
    table = mixed().table
    lines = table_text(table).splitlines()
    rules = [at for at, line in enumerate(lines) if line.startswith("---")]
    body = lines[rules[0] + 1 : rules[1]]
    assert lines[0] == "Three systems"
    assert [line.split() for line in body] == [
        ["damage/blur", "0.2000", "0.2000★", "0.5000", "8/8"],
        ["severity=1", "±0.0017", "±0.0017", "±0.0033", "in", "8"],
        ["noise", "0.8000★", "0.8000", "8/8"],
        ["±0.0017", "±0.0017", "in", "8"],
        ["still", "0.5000", "0.1000", "8/8"],
        ["±0.0017", "±0.0017", "in", "8"],
    ]
    truth = lines[rules[1] + 1 : rules[1] + 3]
    assert [line.split() for line in truth] == [
        [TRUTH, "0.5000", "0.5000", "0.5000", "8/8"],
        ["±0.0017", "±0.0017", "±0.0017", "in", "8"],
    ]
    assert lines[rules[1] + 4 :] == list(table.footnotes)


def demo_result(**fields) -> DemoResult:
    scored = mixed()
    suite = Suite(
        name="demo",
        version=1,
        title="Demo",
        dataset="demo",
        columns=tuple(Column(metric=metric, header=metric.title()) for metric in ("sharpness", "ssim")),
    )
    given = {"absent": {}, "notes": (), "matrix": scored.matrix(EXPECTED), "table": scored.table, "suite": suite}
    return DemoResult(records=tuple(scored.records.values()), **{**given, **fields})


def test_the_screen_ends_with_the_command_for_own_clips() -> None:
    result = demo_result()
    shown = demo_screen(result, Path("runs/demo/report.html"))
    parts = [table_text(result.table), matrix_text(result.matrix), "No system that freezes the clip was scored."]
    assert shown.startswith("\n\n".join(parts))
    assert shown.splitlines()[-1] == "Score your own clips: anisora evaluate custom --videos my_clips/"
    assert "0 decodes in this session. The report: runs/demo/report.html. Runs and leaderboard: runs/demo." in shown
    assert "is absent" not in shown
    for suite in published_suites():
        assert suite in shown


def test_the_screen_says_what_could_not_be_computed_and_why() -> None:
    result = demo_result(absent={"ssim": "no module named 'network'"}, notes=("Three clips are not here.",))
    lines = demo_screen(result, Path("report.html")).splitlines()
    at = lines.index("Column Ssim (ssim) is absent: no module named 'network'.")
    assert lines[at + 1].startswith('The group "local" brings them: pip install')
    assert lines[at + 2] == "Three clips are not here."
    assert "Three clips are not here." in demo_screen(demo_result(notes=("Three clips are not here.",)), Path("r.html"))
