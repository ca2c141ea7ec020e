from typing import Any

import pytest
from records import make_record, make_result
from scored_systems import TRUTH, Scored

from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.suite import Column
from anisora.harness.types import Sample
from anisora.harness.weights import list_entries
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.provenance import (
    Licence,
    environment_rows,
    licences_of,
    protocol_paragraph,
    protocol_rows,
)
from anisora.leaderboards.table import build_table
from anisora.leaderboards.words import Words

FIELDS = {"aggregation": "mean over seeds", "encoder": "h264", "decode": "reference"}
METRIC = {
    "psnr": {
        "version": 3,
        "params": {"b": 1, "a": "é"},
        "frames": {"sampling": "all"},
        "flow": {"sampling": "uniform-8"},
    }
}


def record(model: str = "alpha", **fields: Any) -> RunRecord:
    results = [make_result("psnr", 0.5, version=3, clusters=10)]
    return make_record(model, results, **{"fields": FIELDS, "metric_fields": METRIC, **fields})


def report(*records: RunRecord, **fields: Any) -> ReportData:
    table = build_table(records, ["psnr"], allow_diff=["decode"])
    given: dict[str, Any] = {
        "suite": None,
        "table": table,
        "matrix": None,
        "breakdowns": (),
        "choices": (),
        "records": {row.run_id: next(one for one in records if one.run_id == row.run_id) for row in table.rows},
        "samples": {},
        "clips": {},
        "scores": {},
    }
    return ReportData(**{**given, **fields})


def changed(made: RunRecord, **fields: Any) -> RunRecord:
    return made.model_copy(update=fields)


def test_the_paragraph_tells_what_a_reader_needs_to_repeat_the_numbers() -> None:
    data = report(record(), record(TRUTH, reference=True, fields={**FIELDS, "encoder": None}))
    made = data.records["smoke-alpha"]
    assert protocol_paragraph(data, Words("en")).startswith(
        "We score 20 items in 10 clusters of the suite smoke@1, with the seeds 0. Generated clips are kept as h264 and "
        "decoded once for all metrics, in the colours of the reference mode. Metrics: psnr (version 3, frames: "
        "all+uniform-8). Aggregation: mean over seeds. "
        f"Protocol fingerprint {made.protocol.digest[:16]}, anisora-harness "
    )


def test_a_column_that_no_run_has_is_not_told() -> None:
    made = record()
    table = build_table([made], [Column(metric="psnr", header="PSNR"), Column(metric="absent", header="Absent")])
    paragraph = protocol_paragraph(report(made, table=table), Words("en"))
    assert "psnr (version 3" in paragraph
    assert "absent" not in paragraph
    assert "None" not in paragraph


def test_the_paragraph_is_about_a_generated_run_and_not_the_ground_truth() -> None:
    truth = record(TRUTH, reference=True, fields={**FIELDS, "encoder": None})
    assert "kept as h264" in protocol_paragraph(report(truth, record("zeta")), Words("en"))
    assert "kept as - and" in protocol_paragraph(report(truth), Words("en"))


def test_the_paragraph_in_chinese_has_no_spaces_between_sentences() -> None:
    paragraph = protocol_paragraph(report(record()), Words("zh"))
    assert paragraph.startswith(
        "本报告在测评集 smoke@1 的 20 个样本（10 个聚类）上评测，随机种子为 0。生成片段以 h264 保存"
    )
    assert "。 " not in paragraph


def test_protocol_rows_are_the_fields_and_those_of_the_metrics_shown() -> None:
    both = record(metric_fields={**METRIC, "ssim": {"version": 1}})
    rows = dict(protocol_rows(report(both)))
    assert rows["seeds"] == "[0]"
    assert rows["aggregation"] == "mean over seeds"
    assert rows["psnr.version"] == "3"
    assert rows["psnr.params"] == '{"a": "é", "b": 1}'
    assert not any(name.startswith("ssim.") for name in rows)
    assert dict(protocol_rows(report(record(fields={**FIELDS, "encoder": None}))))["encoder"] == "-"


def test_what_differs_between_environments_is_told_with_all_values() -> None:
    first = changed(
        record(),
        environment={"python": "3.11", "cpu": "a", "versions": {"numpy": "2.0", "av": "17"}},
        git={"commit": "0123456789abcdef", "dirty": True},
    )
    second = changed(
        record("beta"),
        environment={"python": "3.11", "cpu": None, "versions": {"numpy": "2.1", "av": "17"}},
        git={"commit": "fedcba9876543210"},
    )
    assert dict(environment_rows(report(first, second))) == {
        "python": "3.11",
        "cpu": "a, -",
        "numpy": "2.0, 2.1",
        "av": "17",
        "git": "0123456789ab (changed), fedcba987654",
    }


def test_licences_are_those_of_metrics_weights_systems_and_items() -> None:
    entry = list_entries()[0]
    spec = record().spec.model_copy(update={"model_spec": "damage/blur:severity=0.5"})
    made = changed(record(), weights={entry.name: "0", "unknown": "1"}, spec=spec)
    item = {"licence": "CC-BY-4.0", "attribution": "somebody"}
    samples = {
        "a": Sample(id="a", metadata=item),
        "b": Sample(id="b", metadata=item),
        "c": Sample(id="c", metadata={"licence": "CC0-1.0"}),
        "d": Sample(id="d"),
    }
    found = licences_of(report(made, samples=samples))
    psnr = registry("metrics").create("psnr").info
    blur = registry("models").create("damage/blur").info
    assert found == [
        Licence(kind="metric", name="psnr", licence=psnr.licence, source=psnr.source),
        Licence(kind="weights", name=entry.name, licence=entry.licence, source=entry.purpose),
        Licence(kind="model", name="alpha", licence=blur.licence, source=blur.summary),
        Licence(kind="items", name="smoke@1", licence="CC-BY-4.0", source="somebody"),
        Licence(kind="items", name="smoke@1", licence="CC0-1.0", source="-"),
    ]


@pytest.mark.parametrize("spec", ["a-model-that-is-not-installed", "damage/blur:no_such_setting=1"])
def test_what_is_not_registered_here_is_left_out(spec: str) -> None:
    made = changed(record(), spec=record().spec.model_copy(update={"model_spec": spec}))
    assert [licence.kind for licence in licences_of(report(made))] == ["metric"]
    unknown = Scored({"alpha": {"nobody's metric": {"a": 1.0}}}).report()
    assert [licence for licence in licences_of(unknown) if licence.kind == "metric"] == []
