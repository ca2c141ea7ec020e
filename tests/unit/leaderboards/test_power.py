"""What a suite's items can show, from the differences of the systems on the board."""

import numpy as np
import pytest
from scored_systems import TRUTH, Scored

from anisora.harness.errors import RecordError
from anisora.harness.statistics.power import items_needed, minimum_detectable_effect
from anisora.leaderboards.power import power_of_columns, power_text

ITEMS = [f"item-{at:02}" for at in range(30)]


def drawn(seed: int, mean: float, spread: float) -> dict[str, float]:
    return dict(zip(ITEMS, np.random.default_rng(seed).normal(mean, spread, len(ITEMS)).tolist(), strict=True))


def scored() -> Scored:
    return Scored(
        {
            "one": {"sharpness": drawn(1, 0.5, 0.1), "ssim": dict.fromkeys(ITEMS, 0.5)},
            "two": {"sharpness": drawn(2, 0.6, 0.1), "ssim": dict.fromkeys(ITEMS, 0.6)},
            TRUTH: {"sharpness": drawn(3, 0.9, 0.1), "ssim": dict.fromkeys(ITEMS, 0.9)},
        }
    )


def test_the_figures_are_those_of_the_formula_with_the_spread_of_the_pair() -> None:
    made = scored()
    sharpness, ssim = power_of_columns(made.table, made.scores)
    left, right = (made.scores[f"smoke-{name}"] for name in ("one", "two"))
    differences = np.array([a.value - b.value for a, b in zip(left, right, strict=True) if a.metric == "sharpness"])
    deviation = differences.std(ddof=1)
    assert sharpness.pairs == 1
    assert (sharpness.items, sharpness.clusters) == (30, 30)
    assert sharpness.standard_deviation == pytest.approx(deviation, rel=1e-12)
    assert sharpness.minimum_detectable_effect == pytest.approx(minimum_detectable_effect(deviation, 30, 30), rel=1e-9)
    assert sharpness.items_for_half == items_needed(sharpness.minimum_detectable_effect / 2, deviation)
    assert 90 < sharpness.items_for_half < 130
    assert sharpness.largest_gap == pytest.approx(abs(differences.mean()), rel=1e-9)
    assert (ssim.minimum_detectable_effect, ssim.note) == (None, "all differences are equal")
    text = power_text(made.table.suite_key, (sharpness, ssim), power=0.8, level=0.95)
    assert "No figure for ssim: all differences are equal." in text
    assert "at 5 % finds with probability 0.8" in text


def test_more_power_asks_for_a_larger_gap() -> None:
    made = scored()
    least = [power_of_columns(made.table, made.scores, power=power)[0] for power in (0.5, 0.8, 0.95)]
    gaps = [column.minimum_detectable_effect for column in least]
    assert gaps == sorted(gaps)
    assert len(set(gaps)) == 3


def test_one_system_tells_nothing_of_differences() -> None:
    alone = Scored({"one": {"ssim": drawn(1, 0.5, 0.1)}, TRUTH: {"ssim": drawn(2, 0.5, 0.1)}})
    with pytest.raises(RecordError, match=r"has 1 system in the leaderboard; expected two or more"):
        power_of_columns(alone.table, alone.scores)
