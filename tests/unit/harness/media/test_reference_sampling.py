"""The reference implementation's samplers against the recorded tables."""

import json

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import UnknownNameError
from anisora.harness.media.reference_sampling import RULES, clip_24_of_144, compute_table, crop_8, fps_interval


@needs_shared
@pytest.mark.parametrize("rule", RULES)
def test_the_recorded_table_is_reproduced_row_by_row(rule: str) -> None:
    recorded = json.loads((GOLDEN / "c06_frame_sampling" / "expected.json").read_text())[rule]
    assert len(recorded) >= 24
    assert compute_table(rule, recorded) == recorded


def test_the_examples_of_the_reference_hold() -> None:
    assert clip_24_of_144(81)[:7] == [0, 3, 6, 10, 13, 16, 20]
    assert crop_8(49) == [0, 6, 12, 18, 24, 30, 36, 42]
    assert crop_8(7) is None
    assert fps_interval(24.0, 50, 2)[-2:] == [48, 49]


def test_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'crop_8'"):
        compute_table("crop_9", {"8": None})
