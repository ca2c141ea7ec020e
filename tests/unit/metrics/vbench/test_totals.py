import pytest

from anisora.metrics.vbench.totals import total_scores

QUALITY = {
    "subject_consistency": 0.95,
    "background_consistency": 0.96,
    "temporal_flickering": 0.98,
    "motion_smoothness": 0.98,
    "aesthetic_quality": 0.55,
    "imaging_quality": 0.65,
    "dynamic_degree": 0.4,
}
SEMANTIC = dict.fromkeys(("object_class", "multiple_objects", "human_action", "color", "spatial_relationship"), 0.5) | {
    "scene": 0.4111,
    "appearance_style": 0.1432,
    "temporal_style": 0.182,
    "overall_consistency": 0.182,
}
I2V = {"camera_motion": 0.3, "i2v_subject": 0.97, "i2v_background": 0.95}


def found(values: dict[str, float]) -> dict[str, float | None]:
    return {total.name: total.value for total in total_scores(values)}


def test_the_totals_are_those_worked_out_by_hand() -> None:
    made = found(QUALITY | SEMANTIC | I2V)
    scaled = [
        (0.95 - 0.1462) / 0.8538,
        (0.96 - 0.2615) / 0.7385,
        (0.98 - 0.6293) / 0.3707,
        (0.98 - 0.706) / 0.2915,
        0.55,
        0.65,
        0.5 * 0.4,
    ]
    assert made["quality"] == pytest.approx(sum(scaled) / 6.5)
    assert made["semantic"] == pytest.approx(0.5)
    assert made["total"] == pytest.approx((4 * sum(scaled) / 6.5 + 0.5) / 5)
    i2v = (0.1 * 0.3 + (0.97 - 0.1462) / 0.8538 + (0.95 - 0.2615) / 0.7385) / 2.1
    assert made["i2v"] == pytest.approx(i2v)
    without_flickering = (sum(scaled) - scaled[2]) / 5.5
    assert made["i2v_quality"] == pytest.approx(without_flickering)
    assert made["i2v_total"] == pytest.approx((without_flickering + i2v) / 2)


def test_a_missing_dimension_is_named_and_never_zero() -> None:
    totals = {total.name: total for total in total_scores({**QUALITY, "unknown": 3.0})}
    assert totals["quality"].value is not None
    assert totals["total"].value is None
    assert "object_class" in totals["total"].missing
    assert len(totals["total"].missing) == 9
    assert totals["i2v_total"].missing == ("camera_motion", "i2v_subject", "i2v_background")


def test_values_beyond_the_published_range_are_not_cut() -> None:
    beyond = found({**QUALITY, "motion_smoothness": 1.0})
    at_the_end = found({**QUALITY, "motion_smoothness": 0.9975})
    assert beyond["quality"] > at_the_end["quality"]
