from typing import Any

import pytest
from records import make_record, make_result
from scored_systems import TRUTH, Scored

from anisora.harness.record import RunRecord
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.paper.checklist import Check, checklist
from anisora.leaderboards.table import build_table
from anisora.leaderboards.words import Words

SHA = "0123456789abcdef" * 4
ITEMS = [f"item-{at}" for at in range(8)]
FULL: dict[str, Any] = {
    "weights": {"efficientnet-lite0": SHA},
    "environment": {
        "python": "3.11.7",
        "platform": "Linux",
        "machine": "x86_64",
        "cpus": 2,
        "versions": {"numpy": "2.4.6", "av": "18.1.0"},
        "device": "auto",
        "devices": {"cpu": "x86_64"},
        "metric_device": "cpu",
        "dtype": "float32",
        "decoder": "av",
    },
    "files": {"clips.parquet": SHA, "scores.parquet": SHA},
    "git": {"commit": "ab" * 20, "dirty": False},
    "timings": {"generate": 2.2, "score": 14.1},
}
FIELDS: dict[str, Any] = {
    "items": {"count": 8, "sha256": SHA},
    "samples_per_item": 1,
    "frame_rate": "native",
    "length": "native",
    "resize": "native",
    "prompt_rewriting": "none",
    "aggregation": "mean over items",
}
ASKED = {
    "Suite and version": "smoke@1",
    "Clusters": "8",
    "Seeds": "0",
    "Samples per item": "1",
    "Aggregation": "mean over items",
    "Versions of the metrics": "ssim 1",
    "Decoder": "av 18.1.0",
    "Colour mode of decoding": "reference",
    "Encoder of generated clips": "ffv1/bgr0",
    "Frame rate, length and size at scoring": "frame_rate native, length native, resize native",
    "Prompt rewriting": "none",
    "Versions of the software": "python 3.11.7, numpy 2.4.6, av 18.1.0",
    "Hardware": "Linux, x86_64, 2, cpu x86_64",
    "Device and number format of the metrics": "cpu, float32",
    "Time of the last sessions": "49 s in all",
}
"""{question that has a value: the value of a full record}"""
ANSWERED = {
    "Items identified by a digest": "count 8",
    "All items of the suite": "",
    "Every item scored in every cell": "3 of 3 cells",
    "Ground truth scored, too": TRUTH,
    "An interval for every value": "95 % clustered t, 3 of 3 cells",
    "Weights identified by SHA-256": "efficientnet-lite0 0123456789ab…",
    "Trained weights only": "",
    "One protocol for all rows": "",
    "Code at a recorded, unchanged revision": "abababababab",
    "Clips and rows identified by SHA-256": "3 of 3 runs",
    "All runs finished without failures": "0 failures, 0 clips missing",
}
"""{question that is answered by yes or no: what a full record's yes tells}"""


def report(*changes: dict[str, Any], fields: dict[str, Any] | None = None, **of_report: Any) -> ReportData:
    """Three runs, full records unless changed; changes go to the runs in turn."""
    values = {"ssim": {item: at / 10 for at, item in enumerate(ITEMS)}}
    scored = Scored({model: values for model in ("one", "two", TRUTH)})
    plain = scored.report()
    made: dict[str, RunRecord] = {}
    for at, (run, record) in enumerate(plain.records.items()):
        protocol = record.protocol.model_copy(update={"fields": {**record.protocol.fields, **FIELDS, **(fields or {})}})
        update = {**FULL, "protocol": protocol, **(changes[at] if at < len(changes) else {})}
        made[run] = record.model_copy(update=update)
    return scored.report(records=made, **of_report)


def answers(data: ReportData, language: str = "en") -> dict[str, Check]:
    return {check.question: check for check in checklist(data, Words(language))}


def test_a_full_record_answers_every_question() -> None:
    told = answers(report())
    assert {question: told[question].detail for question in ASKED} == ASKED
    assert all(told[question].answer is None for question in ASKED)
    assert all(told[question].answer is True for question in ANSWERED)
    for question, detail in ANSWERED.items():
        if question not in ("Items identified by a digest", "One protocol for all rows"):
            assert told[question].detail == detail, question
    assert told["Items identified by a digest"].detail == "8, SHA-256 0123456789ab…"
    assert (
        told["Licences"].detail
        == "Apache-2.0: ssim, efficientnet-lite0; as stated by whoever made the clips: one, two, ground-truth"
    )
    rest = set(told) - set(ASKED) - set(ANSWERED)
    assert rest == {"Licences", "Tests corrected for multiple comparisons"}


def test_what_is_not_recorded_is_said_and_never_made_up() -> None:
    bare = {"weights": {}, "environment": {}, "files": {}, "git": {}, "timings": {}}
    told = answers(report(bare, bare, bare, fields=dict.fromkeys((*FIELDS, "encoder", "decode"), None)))
    for question in (
        *("Samples per item", "Aggregation", "Decoder", "Colour mode of decoding", "Encoder of generated clips"),
        *("Frame rate, length and size at scoring", "Prompt rewriting", "Versions of the software", "Hardware"),
        *("Device and number format of the metrics", "Time of the last sessions"),
        *("Items identified by a digest", "Code at a recorded, unchanged revision"),
    ):
        assert (told[question].answer, told[question].detail) == (False, "not recorded"), question
    assert (told["Clips and rows identified by SHA-256"].answer, told["Weights identified by SHA-256"].detail) == (
        False,
        "no weights were used",
    )


@pytest.mark.parametrize(
    ("change", "question", "detail"),
    [
        ({"status": "partial", "errors": 2}, "All runs finished without failures", "2 failures, 0 clips missing"),
        ({"missing": ["a", "b"]}, "All runs finished without failures", "0 failures, 2 clips missing"),
        ({"untrained": "untrained:normal:0"}, "Trained weights only", "untrained:normal:0"),
        ({"weights": {"head": "untrained:normal:0"}}, "Weights identified by SHA-256", "efficientnet-lite0"),
        ({"population": {"walk": 40}}, "All items of the suite", "1 of 3 runs over a part of the items"),
        ({"files": {"clips.parquet": SHA}}, "Clips and rows identified by SHA-256", "2 of 3 runs"),
        ({"git": {"commit": "ab" * 20, "dirty": True}}, "Code at a recorded, unchanged revision", "with changed files"),
        (
            {"git": {}},
            "Code at a recorded, unchanged revision",
            "not recorded (1 of 3 runs); abababababab (2 of 3 runs)",
        ),
    ],
)
def test_one_run_is_enough_for_a_no(change: dict[str, Any], question: str, detail: str) -> None:
    told = answers(report(change))[question]
    assert told.answer is False
    assert detail in told.detail


def test_values_that_differ_are_told_with_the_number_of_their_runs() -> None:
    other = {"environment": {**FULL["environment"], "decoder": "decord"}}
    assert answers(report(other))["Decoder"].detail == "decord (1 of 3 runs); av 18.1.0 (2 of 3 runs)"


def test_gaps_failures_and_missing_intervals_are_counted_by_cell() -> None:
    results = [
        make_result("a", 0.5),
        make_result("b", 0.5, scored=7, errors=13),
        make_result("c", 0.5, low=None, high=None, interval=""),
        make_result("d", None),
    ]
    record = make_record("one", results)
    data = Scored({"one": {"ssim": dict.fromkeys(ITEMS, 0.5)}}).report(
        table=build_table([record]), records={record.run_id: record}, matrix=None
    )
    told = answers(data)
    assert (told["Every item scored in every cell"].answer, told["Every item scored in every cell"].detail) == (
        False,
        "2 of 3 cells",
    )
    assert told["An interval for every value"].answer is False
    assert told["An interval for every value"].detail == "95 % clustered t, 2 of 3 cells"
    assert told["Ground truth scored, too"].answer is False


def test_rows_that_differ_in_their_protocol_are_named_with_their_mark() -> None:
    records = [make_record(name, {"a": 0.5}, fields={"encoder": name}) for name in ("one", "two")]
    table = build_table(records, allow_diff=["encoder"])
    data = Scored({"one": {"ssim": dict.fromkeys(ITEMS, 0.5)}}).report(
        table=table, records={record.run_id: record for record in records}, matrix=None
    )
    told = answers(data)["One protocol for all rows"]
    assert told.answer is False
    assert told.detail.startswith("rows differ in encoder †; fingerprints, ")


def test_no_correction_is_claimed_without_a_test() -> None:
    told = answers(report())["Tests corrected for multiple comparisons"]
    assert (told.answer, told.detail) == (False, "no paired test was made")


def test_the_checklist_is_in_chinese_too() -> None:
    told = answers(report(), "zh")
    assert told["随机种子"].detail == "0"
    assert told["每格都对全部样本计分"].detail == "3 格中的 3 格"
    assert {check.where for check in told.values() if check.where.isascii()} >= {"git", "weights", "spec.seeds"}
