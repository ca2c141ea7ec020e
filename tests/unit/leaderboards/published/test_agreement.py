import re

import pytest

from anisora.harness.errors import DataError
from anisora.leaderboards.published.agreement import agreement_with_people, finding
from anisora.leaderboards.published.tables import parse_published, published_table

# rho, tau, share of pairs and exact p of every published column, as printed where they were first computed by hand.
PRINTED = {
    "visual_smoothness": ("1.00", "1.00", "1.00", ".003"),
    "visual_motion": ("-.60", "-.47", ".27", ".24"),
    "visual_appeal": (".94", ".87", ".93", ".017"),
    "text_video_consistency": (".89", ".73", ".87", ".033"),
    "image_video_consistency": ("1.00", "1.00", "1.00", ".003"),
    "character_consistency": (".94", ".87", ".93", ".017"),
    "motion_smoothness": (".54", ".47", ".73", ".30"),
    "motion_score": ("-.60", "-.47", ".27", ".24"),
    "aesthetic_quality": (".37", ".20", ".60", ".50"),
    "imaging_quality": (".77", ".60", ".80", ".10"),
    "i2v_subject": (".54", ".47", ".73", ".30"),
    "i2v_background": (".77", ".60", ".80", ".10"),
    "overall_consistency": ("-.60", "-.47", ".27", ".24"),
    "subject_consistency": (".83", ".73", ".87", ".058"),
}

SMALL = """
suite: small-2
title: Small
title_zh: 小
metrics_of: Somebody
status: reported, not reproduced
source: {title: A page, url: "https://example.org/page", date: 2026-01-02}
columns:
  - {metric: human_evaluation, header: Human, header_zh: 人工, direction: higher, decimals: 0}
  - {metric: flicker, header: Flicker, header_zh: 闪烁, direction: lower, decimals: 0}
rows:
  - {model: alpha, printed: Alpha, cells: ["1", "30"]}
  - {model: beta, printed: Beta, cells: ["2", "20"]}
  - {model: gamma, printed: Gamma, cells: ["3", "10"]}
  - {model: delta, printed: Delta, cells: ["-", "5"]}
"""


def with_digits_of(value: float | None, printed: str) -> str:
    """Write a value with as many decimals as another was printed with, and like it without a leading zero."""
    assert value is not None
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.{len(printed.partition('.')[2])}f}")


def test_every_column_agrees_with_people_as_far_as_printed() -> None:
    agreement = agreement_with_people()
    made = {
        column.metric: tuple(
            with_digits_of(value, printed)
            for value, printed in zip(
                (
                    column.spearman.value,
                    column.kendall.value,
                    column.accuracy.without_ties,
                    column.spearman.p_value,
                ),
                PRINTED[column.metric or ""],
                strict=True,
            )
        )
        for column in agreement.columns
    }
    assert made == PRINTED
    assert list(made) == list(PRINTED)


def test_the_means_of_both_tables_agree_with_people_as_far_as_printed() -> None:
    agreement = agreement_with_people()
    assert with_digits_of(agreement.mean_of("anisora-7").spearman.value, ".94") == ".94"
    assert with_digits_of(agreement.mean_of("vbench-i2v-8").spearman.value, "-.14") == "-.14"
    assert [mean.header for mean in agreement.means] == ["mean of 6 columns", "mean of 8 columns"]


def test_two_columns_survive_the_correction_for_fourteen() -> None:
    agreement = agreement_with_people()
    assert len(agreement.columns) == 14
    survivors = {column.header: p for column in agreement.columns if (p := column.corrected_p) is not None and p < 0.05}
    assert survivors == pytest.approx({"Visual Smooth": 14 * 2 / 720, "Image-Video Consistency": 14 * 2 / 720})
    assert round(agreement.smallest_p, 4) == 0.0028
    assert [mean.corrected_p for mean in agreement.means] == [None, None]


def test_the_systems_are_the_six_with_a_human_score() -> None:
    agreement = agreement_with_people()
    people = published_table("anisora-7")
    assert {model: people.row(model).text(0) for model in agreement.systems} == {
        "vidu-1.5": "60.98",
        "opensora-v1.2": "41.10",
        "opensora-plan-v1.3": "46.14",
        "cogvideox-5b": "53.29",
        "minimax-i2v01": "69.63",
        "anisora-v1": "70.13",
    }
    assert {column.spearman.method for column in agreement.columns} == {"exact over all 720 orders"}
    assert {column.accuracy.pairs for column in agreement.columns} == {15}


def test_the_mean_of_the_eight_columns_is_mostly_one_column() -> None:
    agreement = agreement_with_people()
    moved = agreement.most_changed_without("vbench-i2v-8")
    assert moved is not None
    assert (moved.metric, moved.header) == ("motion_score", "mean without Motion Score")
    assert with_digits_of(moved.spearman.value, ".49") == ".49"
    assert len(agreement.means_without) == 14
    assert finding(agreement) == (
        "The mean of VBench's 8 columns has rank correlation -0.14 with people over 6 systems (Spearman; p 0.80, exact "
        "over all 720 orders); without Motion Score it is 0.49."
    )
    assert finding(agreement, "anisora-7").startswith("The mean of AnimeReward's 6 columns has rank correlation 0.94 ")


def test_less_is_more_where_the_column_says_so() -> None:
    agreement = agreement_with_people([parse_published(SMALL, "small.yaml")])
    assert agreement.systems == ("alpha", "beta", "gamma")
    (column,), (mean,) = agreement.columns, agreement.means
    assert (column.spearman.value, column.accuracy.without_ties, mean.spearman.value) == (1.0, 1.0, 1.0)
    assert agreement.means_without == ()


def test_tables_that_cannot_be_compared_with_people_are_refused_by_name() -> None:
    vbench, anisora, small = published_table("vbench-i2v-8"), published_table("anisora-7"), parse_published(SMALL, "s")
    with pytest.raises(DataError, match=r"`human_evaluation` is in 0 published tables \(none\); expected exactly one"):
        agreement_with_people([vbench])
    with pytest.raises(DataError, match=r"in 2 published tables \(anisora-7, small-2\)"):
        agreement_with_people([anisora, small])
    with pytest.raises(DataError, match="Only 0 systems of `small-2` have a human score and are in all tables"):
        agreement_with_people([small, vbench])
    with pytest.raises(DataError, match="Suite 'demo' is in no table that was compared with people; expected one of"):
        agreement_with_people().mean_of("demo")
    lacking = parse_published(SMALL.replace('["2", "20"]', '["2", "-"]'), "s")
    with pytest.raises(DataError, match="`flicker` of 'beta' in the published table `small-2` has no number"):
        agreement_with_people([lacking])


def test_a_mean_that_is_the_same_everywhere_has_no_correlation_to_tell() -> None:
    level = SMALL.replace('"30"', '"20"').replace('"10"', '"20"')
    agreement = agreement_with_people([parse_published(level, "level.yaml")])
    assert agreement.means[0].spearman.value is None
    assert agreement.columns[0].corrected_p is None
    assert agreement.most_changed_without("small-2") is None
    says = (
        "The mean of Somebody's 1 columns has no rank correlation with people: all values of the right side are equal."
    )
    assert finding(agreement, "small-2") == says


def test_a_single_column_has_no_other_to_leave_out() -> None:
    agreement = agreement_with_people([parse_published(SMALL, "small.yaml")])
    assert agreement.most_changed_without("small-2") is None
    assert finding(agreement, "small-2").endswith("(Spearman; p 0.33, exact over all 6 orders).")
