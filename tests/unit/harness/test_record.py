import math

import pytest

from anisora.harness.record import (
    Counters,
    MetricResult,
    Protocol,
    RunRecord,
    RunSpec,
    canonical_json,
    digest_of,
    finite_or_none,
    merge_counts,
)


def make_record(**changes: object) -> RunRecord:
    spec = RunSpec(suite="demo-6", suite_version=2, model="m", model_spec="m", seeds=[0], metrics=["psnr"])
    result = MetricResult(
        metric="psnr",
        version=1,
        direction="higher",
        value=0.1 + 0.2,
        scored=3,
        unscored=1,
        errors=0,
        clusters=2,
    )
    fields: dict[str, object] = {
        "run_id": "r",
        "status": "partial",
        "started": "2025-01-01T00:00:00+00:00",
        "finished": "2025-01-01T00:01:00+00:00",
        "spec": spec,
        "results": [result],
        "protocol": Protocol(fields={"seeds": [0]}),
        "environment": {"python": "3.11"},
        "items": 4,
    }
    return RunRecord.model_validate(fields | changes)


def test_a_record_survives_the_file() -> None:
    record = make_record(counters=Counters(decodes=3, forwards={"flow": 5}), untrained="rule:0")
    assert RunRecord.model_validate_json(record.model_dump_json()) == record


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="extra_field"):
        make_record(extra_field=1)


def test_a_record_knows_its_suite_and_its_cells() -> None:
    record = make_record()
    assert record.suite_key == "demo-6@2"
    assert record.result("psnr") is record.results[0]
    assert record.result("ssim") is None
    tracked = record.spec.model_copy(update={"track": "i2v"})
    assert record.model_copy(update={"spec": tracked}).suite_key == "demo-6@2:i2v"


def test_json_is_written_in_one_way_only() -> None:
    assert canonical_json({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(math.nan)


def test_protocols_tell_where_they_differ() -> None:
    mine = Protocol(fields={"seeds": [0], "encoder": "ffv1"}, metrics={"psnr": {"version": 1}, "ssim": {"version": 1}})
    theirs = Protocol(fields={"seeds": [0], "decode": "tagged"}, metrics={"psnr": {"version": 2}})
    assert mine.differences(mine) == {}
    assert mine.differences(theirs) == {
        "decode": (None, "tagged"),
        "encoder": ("ffv1", None),
        "psnr.version": (1, 2),
    }
    assert set(mine.differences(theirs, metrics=["ssim"])) == {"decode", "encoder"}
    assert mine.digest != theirs.digest


def test_numbers_that_json_does_not_have_become_nothing() -> None:
    assert [finite_or_none(value) for value in (1.5, math.inf, math.nan, None)] == [1.5, None, None, None]


def test_counts_are_added_by_name() -> None:
    assert merge_counts({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": 1, "b": 5, "c": 4}
