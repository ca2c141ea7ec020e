"""Tie groups and rank intervals of a table, by paired tests over all pairs and columns."""

import numpy as np
from scored_systems import TRUTH, Scored

from anisora.leaderboards.ties import rankings_of, rivals_of, with_ties

ITEMS = [f"item-{at:02}" for at in range(16)]


def near(mean: float, seed: int, spread: float = 0.02) -> dict[str, float]:
    values = np.random.default_rng(seed).normal(mean, spread, len(ITEMS))
    return dict(zip(ITEMS, values.tolist(), strict=True))


def test_what_is_not_surely_worse_than_the_best_is_tied_with_it() -> None:
    base = near(0.8, 1)
    scored = Scored(
        {
            "best": {"sharpness": {item: value + 0.001 for item, value in base.items()}, "ssim": base},
            "alike": {"sharpness": near(0.8, 2), "ssim": near(0.8, 3)},
            "worse": {"sharpness": near(0.5, 4), "ssim": near(0.5, 5)},
            TRUTH: {"sharpness": near(0.8, 6), "ssim": near(0.99, 7)},
        }
    )
    table = with_ties(scored.table, scored.scores)
    at = [column.metric for column in table.columns].index("ssim")
    cells = {row.model: row.cells[at] for row in table.rows}
    first, second = ("best", "alike") if cells["best"].best else ("alike", "best")
    assert (cells[first].best, cells[first].tied) == (True, False)
    assert (cells[second].best, cells[second].tied) == (False, True)
    assert (cells["worse"].tied, cells["worse"].rank_low, cells["worse"].rank_high) == (False, 3, 3)
    assert (cells[first].rank_low, cells[first].rank_high) == (1, 2)
    assert (cells[TRUTH].tied, cells[TRUTH].rank_low) == (False, None)


def test_a_reference_column_ranks_distances_to_the_ground_truth() -> None:
    truth = near(0.5, 1)
    scored = Scored(
        {
            "far above": {"flow": {item: value + 0.3 for item, value in truth.items()}},
            "near": {"flow": {item: value - 0.01 for item, value in truth.items()}},
            TRUTH: {"flow": truth},
        }
    )
    (ranking,) = rankings_of(scored.table, scored.scores).values()
    assert [system.name for system in ranking.systems] == ["smoke-near", "smoke-far above"]
    assert not ranking.systems[1].is_tied_with_best


def test_rivals_are_the_systems_without_ground_truth_item_by_item() -> None:
    truth, mine, theirs = near(0.5, 1), near(0.6, 2), near(0.7, 3)
    scored = Scored(
        {
            "one": {"ssim": mine, "flow": mine, "flicker": mine},
            "two": {"ssim": theirs, "flow": theirs},
            TRUTH: {"ssim": truth, "flow": truth, "flicker": truth},
        }
    )
    rivals = rivals_of(scored.table, scored.scores)
    assert set(rivals.columns) == {"ssim", "flow"}  # flicker has one system
    assert rivals.columns["ssim"] == {"smoke-one": mine, "smoke-two": theirs}
    assert rivals.columns["flow"]["smoke-two"] == {item: abs(theirs[item] - truth[item]) for item in ITEMS}
    assert rivals.lower_is_better == {"flow"}
    assert rivals.clusters == {item: item for item in ITEMS}


def test_one_system_alone_or_without_a_shared_item_has_no_rank() -> None:
    alone = Scored({"only": {"ssim": near(0.5, 1)}, TRUTH: {"ssim": near(0.9, 2)}})
    assert rankings_of(alone.table, alone.scores) == {}
    halves = [dict(list(near(0.5, seed).items())[part]) for seed, part in ((1, slice(8)), (2, slice(8, 16)))]
    apart = Scored({"one": {"ssim": halves[0]}, "two": {"ssim": halves[1]}, TRUTH: {"ssim": near(0.9, 3)}})
    assert rankings_of(apart.table, apart.scores) == {}
    assert with_ties(apart.table, apart.scores) == apart.table


def test_the_order_of_rows_does_not_change_a_rank() -> None:
    systems = {name: {"ssim": near(0.7 + at / 50, at)} for at, name in enumerate(("a", "b", "c"))}
    scored = Scored(systems)
    turned = {run_id: list(reversed(rows)) for run_id, rows in scored.scores.items()}
    assert rankings_of(scored.table, turned) == rankings_of(scored.table, scored.scores)
