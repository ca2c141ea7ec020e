import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError, RecordError, UnknownNameError
from anisora.harness.runfolder import RunFolder
from anisora.harness.statistics.proportion import clustered_proportion
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.submission import Submission
from anisora.leaderboards.submissions.add import add_bundle, withdraw_run
from anisora.leaderboards.submissions.bundle import read_bundle, write_bundle

Row = dict[str, Any]
RUN = "small-alpha-0123456789"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "board.duckdb"


@pytest.fixture
def board(db: Path) -> Leaderboard:
    return Leaderboard.open(db)


def refused(board: Leaderboard, db: Path, path: Path, message: str, kind: type[AnisoraError] = RecordError) -> None:
    """The bundle is refused in one line, before the board is even made."""
    with pytest.raises(kind, match=message) as raised:
        add_bundle(board, path)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 800
    assert not db.exists()


# -- what is taken in


def test_a_bundle_stands_on_the_board_as_reported(board: Leaderboard, bundle: Path) -> None:
    found, outcome = add_bundle(board, bundle)
    assert outcome == "added"
    assert board.get(RUN) == found.record
    assert board.scores(RUN) == sorted(found.scores, key=lambda row: row.key)
    assert board.folder(RUN) == ""
    known = board.submissions()[RUN]
    assert (known.status, known.note, known.sha256, known.withdrawn) == ("reported", "", found.sha256, None)
    assert known.date.endswith("+00:00")
    assert [row.model for row in board.build_table("small").rows] == ["alpha"]


def test_the_same_bundle_again_changes_nothing_and_says_so(board: Leaderboard, bundle: Path, db: Path) -> None:
    add_bundle(board, bundle)
    before = board.submissions()
    assert add_bundle(board, bundle)[1] == "same"
    assert board.submissions() == before


def test_a_status_can_be_raised_by_adding_the_bundle_again(board: Leaderboard, bundle: Path) -> None:
    sha256 = add_bundle(board, bundle)[0].sha256
    assert add_bundle(board, bundle, status="verified", note="made again by A. Example")[1] == "restated"
    known = board.submissions()[RUN]
    assert (known.status, known.note, known.sha256) == ("verified", "made again by A. Example", sha256)
    assert add_bundle(board, bundle)[1] == "same"
    assert board.submissions()[RUN].status == "verified"


@pytest.mark.parametrize("status", ["verified", "re-scored"])
def test_a_claim_needs_a_note(board: Leaderboard, db: Path, bundle: Path, status: Any) -> None:
    with pytest.raises(ConfigError, match=rf"`--status {status}` needs a `--note`, which is empty; say who checked"):
        add_bundle(board, bundle, status=status, note=" ")
    assert not db.exists()
    add_bundle(board, bundle, status=status, note="by A. Example")
    assert board.submissions()[RUN].status == status


@pytest.mark.parametrize(("status", "note", "told"), [("local", "", "got 'local'"), ("reported", "a\nb", "one line")])
def test_other_words_are_refused(board: Leaderboard, bundle: Path, status: Any, note: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        add_bundle(board, bundle, status=status, note=note)


def test_a_run_of_the_same_id_with_other_content_is_refused(
    board: Leaderboard, bundle: Path, tamper: Any, make_run_folder: Callable[..., RunFolder], tmp_path: Path
) -> None:
    add_bundle(board, bundle)
    before = (board.get(RUN), board.scores(RUN))
    other = tamper.record(lambda record: record["spec"].update(model="somebody else"))
    with pytest.raises(RecordError, match=rf"`{RUN}` is on the board with other content \(finished 2026-01-02"):
        add_bundle(board, other)
    assert (board.get(RUN), board.scores(RUN)) == before


def test_a_run_made_here_stays_what_it_is(board: Leaderboard, run: RunFolder, bundle: Path) -> None:
    board.add(run.read_record(), run.read_scores(), run.path)
    assert add_bundle(board, bundle)[1] == "same"
    assert board.submissions() == {RUN: Submission(run_id=RUN)}
    assert board.folder(RUN) == str(run.path)


def test_a_name_of_markup_is_taken_as_it_is(board: Leaderboard, tamper: Any) -> None:
    name = "<script>alert(1)</script>"
    add_bundle(board, tamper.record(lambda record: record["spec"].update(model=name)))
    assert board.get(RUN).spec.model == name


def test_a_run_with_errors_and_missing_clips_is_taken(
    board: Leaderboard, make_run_folder: Callable[..., RunFolder], run: RunFolder, tmp_path: Path
) -> None:
    rows = [
        replace(row, value=None, status="error", note="no-frames: the file is empty")
        if row.item_id == "item-5"
        else row
        for row in run.read_scores()
        if row.item_id != "item-6"
    ]
    partial = make_run_folder("partial", rows=rows, status="partial", errors=1, missing=["item-6-0"])
    found, outcome = add_bundle(board, write_bundle(partial.path, tmp_path / "partial.zip"))
    assert outcome == "added"
    assert [(result.scored, result.errors) for result in found.record.results] == [(5, 1), (6, 1)]


def give_a_metric_of_their_own(tamper: Any, rows: Callable[[list[Row]], object] = len, **result: Any) -> Path:
    """Make ``sharpness`` a metric that is not installed, with other rows and another result."""

    def rename(name: str) -> str:
        return "their_metric" if name == "sharpness" else name

    def change(record: Row) -> None:
        record["results"][0].update(result, metric=rename(record["results"][0]["metric"]))
        record["spec"]["metrics"] = [rename(name) for name in record["spec"]["metrics"]]
        record["protocol"]["metrics"] = {rename(name): each for name, each in record["protocol"]["metrics"].items()}

    def renamed(found: list[Row]) -> None:
        rows(found)
        for row in found:
            row.update(metric=rename(row["metric"]))

    tamper.rows(renamed)
    tamper.members = tamper.members_of(tamper.path)
    return tamper.record(change)


def test_a_metric_that_is_not_installed_is_taken_by_its_own_word(board: Leaderboard, tamper: Any) -> None:
    found, _ = add_bundle(board, give_a_metric_of_their_own(tamper))
    assert {result.metric for result in found.record.results} == {"their_metric", "temporal_flickering"}


def test_a_share_of_their_own_metric_is_recomputed_as_one(board: Leaderboard, tamper: Any) -> None:
    shares = [float(at != 5) for at in range(8) if at != 3]
    labels = [f"label-{at}" for at in range(8) if at != 3]
    expected = clustered_proportion(shares, labels)
    told = {name: getattr(expected, name) for name in ("value", "low", "high", "standard_error")}
    told["unweighted"] = expected.value

    def give(rows: list[Row]) -> None:
        values = iter(shares)
        for row in rows:
            if row["metric"] == "sharpness" and row["status"] == "ok":
                row["value"] = next(values)

    def spoil(rows: list[Row]) -> None:
        give(rows)
        next(row for row in rows if row["metric"] == "sharpness").update(value=1.5)

    members = tamper.members
    path = give_a_metric_of_their_own(tamper, spoil, **told, interval="clustered Wilson")
    with pytest.raises(RecordError, match=r"has the value 1\.5; the metric's range is 0 to 1"):
        add_bundle(board, path)
    tamper.members = members
    found, _ = add_bundle(board, give_a_metric_of_their_own(tamper, give, **told, interval="clustered Wilson"))
    assert found.record.results[0].high == expected.high
    assert found.record.results[0].high < 1


# -- rows that do not fit


def first_of(metric: str, /, **changes: Any) -> Callable[[list[Row]], object]:
    def change(rows: list[Row]) -> None:
        next(row for row in rows if row["metric"] == metric).update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (first_of("sharpness", value=0.9), r"`value` of `sharpness` is 0.67\S+ in the record, 0.73\S+ by its rows"),
        (first_of("sharpness", value=math.nan), r"item `item-0`, seed 0 has the value nan; expected a finite number"),
        (first_of("sharpness", value=math.inf), r"has the value inf; expected a finite number"),
        (first_of("temporal_flickering", value=1.5), r"has the value 1.5; the metric's range is 0 to 1"),
        (first_of("sharpness", weight=-1.0), r"has the weight -1.0; expected a finite number that is not negative"),
        (first_of("sharpness", weight=math.nan), r"has the weight nan"),
        (first_of("sharpness", weight=2.0), r"of `sharpness` is .* in the record, .* by its rows"),
        (first_of("sharpness", status="fine"), r"has the status `fine`; expected ok, unscored or error"),
        (first_of("sharpness", status="unscored"), r"the status unscored and the value 0.5; only ok has a value"),
        (first_of("sharpness", value=None), r"has the status ok and the value None"),
        (first_of("sharpness", status="error", value=None), r"`errors` is 0, but 1 rows have the status error"),
        (first_of("sharpness", metric_version=2), r"is of version 2, the record has 1"),
        (first_of("sharpness", metric="other"), r"is of a metric that the record has no result of"),
        (first_of("sharpness", seed=7), r"is of a seed that was not asked for; expected one of \[0\]"),
        (first_of("sharpness", cluster="elsewhere"), r"is in the cluster `label-0`, another row of the item is not"),
        (first_of("sharpness", item_id="item-99"), r"item-99`, seed 0 has a value, and clips.parquet no clip of it"),
        (lambda rows: rows.append(rows[0]), r"item `item-0`, seed 0 is there twice"),
        (lambda rows: rows.pop(0), r"metric `sharpness` has rows of 7 items, others of 8"),
        (lambda rows: [rows.remove(row) for row in list(rows) if row["item_id"] == "item-7"],
         r"`items` is 8, but there are rows of 7 items and 0 others are told missing"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_refused(
    board: Leaderboard, db: Path, tamper: Any, change: Callable[[list[Row]], object], told: str
) -> None:
    refused(board, db, tamper.rows(change), told)


def test_an_altered_row_of_a_careless_forger_is_refused_by_its_hash(board: Leaderboard, db: Path, tamper: Any) -> None:
    original = dict(tamper.members)
    tamper.rows(first_of("sharpness", value=0.9))
    changed = {**original, "scores.parquet": tamper.members_of(tamper.path)["scores.parquet"]}
    path = tamper.write(tamper.zipped(changed))
    refused(board, db, path, r"member `scores.parquet` has sha256 \w+ and [\d,]+ bytes, bundle.json says", DataError)


@pytest.mark.parametrize("name", ["record.json", "spec.yaml", "clips.parquet"])
def test_a_wrong_hash_is_refused_by_name(board: Leaderboard, db: Path, tamper: Any, name: str) -> None:
    manifest = json.loads(tamper.members["bundle.json"])
    manifest["files"][name]["sha256"] = "0" * 64
    path = tamper.write(tamper.zipped({**tamper.members, "bundle.json": json.dumps(manifest).encode()}))
    refused(board, db, path, rf"member `{name}` has sha256 \w+ and .* bundle.json says '000000000000'", DataError)


def test_the_record_must_name_the_rows_of_the_bundle(board: Leaderboard, db: Path, tamper: Any) -> None:
    record = json.loads(tamper.members["record.json"])
    record["files"]["scores.parquet"] = "1" * 64
    made = {**tamper.members, "record.json": json.dumps(record).encode()}
    manifest = json.loads(tamper.sealed(made)["bundle.json"])
    import hashlib

    manifest["files"]["scores.parquet"] = json.loads(tamper.members["bundle.json"])["files"]["scores.parquet"]
    manifest["files"]["record.json"] = {
        "sha256": hashlib.sha256(made["record.json"]).hexdigest(),
        "size": len(made["record.json"]),
    }
    path = tamper.write(tamper.zipped({**made, "bundle.json": json.dumps(manifest).encode()}))
    refused(board, db, path, r"record.json names scores.parquet with sha256 '111111111111'", DataError)


# -- a record that does not fit


@pytest.mark.parametrize(
    ("change", "told", "kind"),
    [
        (lambda r: r["results"][1].update(value=0.99), r"`value` of `temporal_flickering` is 0.99 in the", RecordError),
        (lambda r: r["results"][1].update(low=0.1), r"`low` of `temporal_flickering` is 0.1 in the", RecordError),
        (lambda r: r["results"][1].update(high=None), r"`high` of `temporal_flickering` is None in", RecordError),
        (lambda r: r["results"][0].update(scored=8), r"`scored` of `sharpness` is 8 in the record, 7", RecordError),
        (lambda r: r["results"][0].update(clusters=70), r"`clusters` of `sharpness` is 70 in the record", RecordError),
        (lambda r: r["results"][1].update(direction="lower"), r"`direction` of .* is 'lower' in the", RecordError),
        (lambda r: r["results"][0].update(interval="z" * 500), r"`interval` of `sharpness` is 'zzz", RecordError),
        (lambda r: r["results"].append(r["results"][0]), r"metric `sharpness` has two results", RecordError),
        (lambda r: r["results"].clear(), r"it has no results", RecordError),
        (lambda r: r["results"][0].update(version="1"), r"record.json does not fit: 'results.0.version'", DataError),
        (lambda r: r["results"][0].update(version=1.5), r"record.json does not fit: 'results.0.version'", DataError),
        (lambda r: r["results"][0].update(version=True), r"record.json does not fit: 'results.0.version'", DataError),
        (lambda r: r["protocol"]["metrics"]["sharpness"].update(version="1"), r"its protocol says '1'", RecordError),
        (lambda r: r["results"][0].update(value=math.nan), r"record.json holds a number that is not fin", RecordError),
        (lambda r: r.update(timings={"score": math.inf}), r"record.json holds a number that is not fin", RecordError),
        (lambda r: r.update(status="failed", errors=3), r"it failed", RecordError),
        (lambda r: r.update(errors=1), r"`status` is 'ok' with 1 errors", RecordError),
        (lambda r: r.update(items=9), r"`items` is 9, but there are rows of 8 items", RecordError),
        (lambda r: r.update(reference=True), r"`reference` is True for the model `recorded`", RecordError),
        (lambda r: r.update(weights={"net": "untrained:he:0"}), r"the weights `net` are random", RecordError),
        (lambda r: r.update(run_id="../../evil"), r"its id is no name of a run folder", RecordError),
        (lambda r: r["spec"].update(model="x" * 1_000_000), r"`model` is `x{80}\.\.\.` \(1,000,000 char", RecordError),
        (lambda r: r["spec"].update(model="a\x1b[31mb"), r"`model` is `a\\x1b\[31mb`", RecordError),
        (lambda r: r["spec"].update(model=""), r"`model` is `` \(0 characters\)", RecordError),
        (lambda r: r["spec"].update(model_spec="::="), r"`model_spec` is `::=`", RecordError),
        (lambda r: r.update(items=0), r"`items` is 0; expected 1 to 2147483647", RecordError),
        (lambda r: r["spec"].update(suite_version=2**70), r"`suite_version` is 1180591620717411303424", RecordError),
        (lambda r: r["results"][0].update(version=-1), r"`version of `sharpness`` is -1; expected 0 to", RecordError),
        (lambda r: r.update(finished="9999-01-01T00:00:00+00:00"), r"and not to come", RecordError),
        (lambda r: r.update(finished="2026-01-02T03:04:05"), r"expected two times with zone", RecordError),
        (lambda r: r.update(finished="yesterday"), r"finished 'yesterday'; expected two times with zone", RecordError),
        (lambda r: r.update(started="2026-05-01T00:00:00+00:00"), r"in this order", RecordError),
        (lambda r: r.update(environment={"x": "y" * (9 << 20)}), r"record.json has 9,\d+,\d+ bytes; exp", DataError),
        (lambda r: r["spec"].update(model="\ud800"), r"record.json does not fit", DataError),
        (lambda r: r.update(surprise=1), r"record.json does not fit: 'surprise'", DataError),
        (lambda r: r.pop("results"), r"record.json does not fit: 'results': Field required", DataError),
        (lambda r: r.update(schema_version=2), r"record.json has schema version 2; expected 1", DataError),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_refused(
    board: Leaderboard,
    db: Path,
    tamper: Any,
    change: Callable[[Row], object],
    told: str,
    kind: type[AnisoraError],
) -> None:
    refused(board, db, tamper.record(change), told, kind)


def test_an_aggregate_may_differ_by_the_order_of_a_sum(board: Leaderboard, tamper: Any) -> None:
    def nudge(record: Row) -> None:
        record["results"][1]["value"] += 1e-15

    assert add_bundle(board, tamper.record(nudge))[1] == "added"


def test_a_protocol_that_is_not_that_of_the_fingerprint_is_refused(board: Leaderboard, db: Path, tamper: Any) -> None:
    record = json.loads(tamper.members["record.json"])
    record["protocol"]["fields"]["encoder"] = "ffv1/bgr0"
    path = tamper.write(tamper.zipped(tamper.sealed({**tamper.members, "record.json": json.dumps(record).encode()})))
    refused(board, db, path, r"bundle.json has the protocol '\w{64}', by record.json it is '\w{64}'", DataError)


def test_another_specification_is_refused(board: Leaderboard, db: Path, tamper: Any) -> None:
    # Aliases that stand for a billion words are compared, not expanded.
    aliases = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for text in ("suite: other\n", aliases):
        path = tamper.write(tamper.zipped(tamper.sealed({**tamper.members, "spec.yaml": text.encode()})))
        refused(board, db, path, r"spec.yaml is not the specification in record.json", DataError)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format_version": 2}, r"has the format version 2; this program reads 1; upgrade it"),
        ({"format_version": 2, "news": 1}, r"has the format version 2; this program reads 1; upgrade it"),
        ({"format_version": 0}, r"has the format version 0; expected 1"),
        ({"format_version": "1"}, r"bundle.json does not fit: 'format_version'"),
        ({"run_id": "other"}, r"bundle.json has the run_id 'other', by record.json it is 'small-alpha"),
        ({"suite": "other@1"}, r"bundle.json has the suite 'other@1', by record.json it is 'small@1'"),
        ({"files": {}}, r"bundle.json lists 'clips.parquet' or lacks it"),
        ({"news": 1}, r"bundle.json does not fit: 'news'"),
    ],
)
def test_a_bundle_json_that_does_not_fit_is_refused(
    board: Leaderboard, db: Path, tamper: Any, change: Row, told: str
) -> None:
    manifest = json.loads(tamper.members["bundle.json"]) | change
    path = tamper.write(tamper.zipped({**tamper.members, "bundle.json": json.dumps(manifest).encode()}))
    refused(board, db, path, told, DataError)


@pytest.mark.parametrize("name", ["bundle.json", "record.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b'{"format_version": 1', b"null"])
def test_what_is_no_json_is_refused(board: Leaderboard, db: Path, tamper: Any, name: str, content: bytes) -> None:
    made = {**tamper.members, name: content}
    if name != "bundle.json":
        import hashlib

        manifest = json.loads(made["bundle.json"])
        manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        made["bundle.json"] = json.dumps(manifest).encode()
    refused(board, db, tamper.write(tamper.zipped(made)), rf"{name} does not fit", DataError)


# -- files of rows that are none


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def table_of(members: dict[str, bytes], name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(members[name]))


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.drop_columns(["note"]), r"has the columns 'item_id, seed, .*'; expected"),
        (lambda t: t.append_column("extra", t["seed"]), r"has the columns '.*extra'; expected"),
        (lambda t: with_column(t, "value", t["value"].cast(pa.float32())), r"has float in the column `value`; exp"),
        (lambda t: with_column(t, "metric_version", t["metric_version"].cast(pa.string())), r"has string in the col"),
        (lambda t: with_column(t, "weight", pa.nulls(len(t), pa.float64())), r"has 16 cells without a value in .*`wei"),
        (lambda t: with_column(t, "note", pa.array(["x" * 20_000] * len(t))), r"a text of 20,000 characters in .*note"),
        (lambda t: with_column(t, "parts", pa.nulls(len(t), pa.string())), r"has string in the column `parts`"),
    ],
)
def test_other_columns_are_refused(
    board: Leaderboard, db: Path, tamper: Any, change: Callable[[pa.Table], pa.Table], told: str
) -> None:
    changed = parquet(change(table_of(tamper.members, "scores.parquet")))
    path = tamper.write(tamper.zipped(tamper.sealed({**tamper.members, "scores.parquet": changed})))
    refused(board, db, path, told, DataError)


def test_texts_that_are_small_only_on_disk_are_refused(board: Leaderboard, db: Path, tamper: Any) -> None:
    rows = 1_000_000
    empty = table_of(tamper.members, "scores.parquet").schema.empty_table()
    first = table_of(tamper.members, "scores.parquet").slice(0, 1)
    long = with_column(first, "note", pa.array(["x" * 9_000]))
    indices = pa.array([0]).take(pa.array([0] * rows))
    huge = pa.table({name: long[name].combine_chunks().dictionary_encode().take(indices) if name in ("note",)
                     else long[name].take(indices) for name in empty.schema.names})  # fmt: skip
    content = parquet(huge)
    assert len(content) < 1_000_000
    path = tamper.write(tamper.zipped(tamper.sealed({**tamper.members, "scores.parquet": content})))
    refused(board, db, path, r"has texts of 9,0\d\d,\d\d\d,\d\d\d characters in all", DataError)


def test_too_many_rows_are_refused_by_what_they_declare(board: Leaderboard, db: Path, tamper: Any) -> None:
    first = table_of(tamper.members, "scores.parquet").slice(0, 1)
    content = parquet(first.take(pa.array([0]).take(pa.array([0] * 2_000_001))))
    path = tamper.write(tamper.zipped(tamper.sealed({**tamper.members, "scores.parquet": content})))
    refused(board, db, path, r"declares 2,000,001 rows", DataError)


@pytest.mark.parametrize("name", ["scores.parquet", "clips.parquet"])
@pytest.mark.parametrize("damage", [lambda _: b"", lambda content: content[:-9], lambda content: content[:50]])
def test_a_damaged_parquet_file_is_refused(
    board: Leaderboard, db: Path, tamper: Any, name: str, damage: Callable[[bytes], bytes]
) -> None:
    made = tamper.sealed({**tamper.members, name: damage(tamper.members[name])})
    refused(board, db, tamper.write(tamper.zipped(made)), rf"`{name}` is no Parquet file that can be read", DataError)


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("fps", pa.array([math.nan] * 8), r"clips.parquet has item `item-0` at nan frames a second"),
        ("fps", pa.array([0.0] * 8), r"at 0.0 frames a second; expected more than 0"),
        ("width", pa.array([-1] * 8), r"clips.parquet has item `item-0` with a negative size"),
        ("item_id", pa.array(["item-0"] * 8), r"clips.parquet has item `item-0`, seed 0 twice"),
    ],
)
def test_clips_that_do_not_fit_are_refused(
    board: Leaderboard, db: Path, tamper: Any, column: str, values: pa.Array, told: str
) -> None:
    changed = parquet(with_column(table_of(tamper.members, "clips.parquet"), column, values))
    made = tamper.sealed({**tamper.members, "clips.parquet": changed})
    refused(board, db, tamper.write(tamper.zipped(made)), told)


def test_a_million_changed_bytes_never_crash(board: Leaderboard, db: Path, bundle: Path) -> None:
    """Bundles with one byte changed, spread over the file: each is refused by name, none is taken in."""
    content = bundle.read_bytes()
    path = bundle.with_name("changed.zip")
    for at in range(0, len(content), max(1, len(content) // 250)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            found = read_bundle(path)
        except AnisoraError:
            continue
        assert found.record == read_bundle(bundle).record  # a byte that says nothing, such as of a date


# -- withdrawn


def test_a_withdrawn_run_is_kept_and_stands_in_no_table(
    board: Leaderboard, bundle: Path, make_run_folder: Callable[..., RunFolder]
) -> None:
    add_bundle(board, bundle)
    other = make_run_folder("small-beta", "beta")
    board.add(other.read_record(), other.read_scores())
    withdraw_run(board, RUN, "the wrong checkpoint")
    known = board.submissions()[RUN]
    assert (known.status, known.reason) == ("reported", "the wrong checkpoint")
    assert known.withdrawn is not None
    assert board.get(RUN).run_id == RUN
    table = board.build_table("small")
    assert [row.model for row in table.rows] == ["beta"]
    assert table.footnotes[-1] == "1 run that was withdrawn not shown."
    assert board.build_table("small", language="zh").footnotes[-1] == "1 次已撤回的运行未显示。"
    with pytest.raises(UnknownNameError, match=r"'alpha' is not known"):
        board.find("small@1", "alpha")
    with pytest.raises(RecordError, match=rf"`{RUN}` was withdrawn on 2\S+ \(the wrong checkpoint\) and stands in no"):
        board.build_table("small", models=[RUN])
    with pytest.raises(RecordError, match=r"was withdrawn on .* there is nothing to do"):
        withdraw_run(board, RUN, "again")
    with pytest.raises(RecordError, match=r"was withdrawn on .* score the clips again under another model name"):
        add_bundle(board, bundle)


def test_a_board_of_withdrawn_runs_says_so(board: Leaderboard, bundle: Path) -> None:
    add_bundle(board, bundle)
    withdraw_run(board, RUN, "a mistake")
    with pytest.raises(RecordError, match=r"was withdrawn on .* \(a mistake\) and stands in no table"):
        board.build_table("small")


def test_a_reason_and_a_run_are_needed(board: Leaderboard, bundle: Path) -> None:
    add_bundle(board, bundle)
    with pytest.raises(ConfigError, match=r"`--reason` is empty"):
        withdraw_run(board, RUN, " ")
    with pytest.raises(UnknownNameError, match=r"Run 'small-alpha' is not known. Did you mean 'small-alpha-0123"):
        withdraw_run(board, "small-alpha", "a mistake")


# -- and the rest of the board


def test_a_rebuild_keeps_bundles_and_withdrawals(
    board: Leaderboard, bundle: Path, run: RunFolder, make_run_folder: Callable[..., RunFolder], tmp_path: Path
) -> None:
    runs = tmp_path / "others"
    other = make_run_folder("small-beta", "beta").path.rename(tmp_path / "beta")
    runs.mkdir()
    other = other.rename(runs / "small-beta")
    record = RunFolder(other).read_record()
    add_bundle(board, bundle)
    board.add(record, RunFolder(other).read_scores())
    withdraw_run(board, "small-beta", "a mistake")
    before = (board.submissions(), board.get(RUN), board.scores(RUN), board.scores("small-beta"))
    report = board.rebuild(runs)
    assert report.added == ("small-beta",)
    assert (board.submissions(), board.get(RUN), board.scores(RUN), board.scores("small-beta")) == before


def test_a_rebuild_from_the_very_run_keeps_its_bundle(board: Leaderboard, bundle: Path, run: RunFolder) -> None:
    add_bundle(board, bundle)
    report = board.rebuild(run.path.parent)
    assert (report.added, report.skipped) == ((), ())
    assert board.submissions()[RUN].status == "reported"


def test_scoring_it_here_makes_it_an_own_run_and_removing_it_forgets_it(
    board: Leaderboard, bundle: Path, run: RunFolder
) -> None:
    add_bundle(board, bundle)
    board.add(run.read_record(), run.read_scores(), run.path)
    assert board.submissions()[RUN] == Submission(run_id=RUN)
    withdraw_run(board, RUN, "a mistake")
    board.add(run.read_record(), run.read_scores(), run.path)
    assert board.submissions()[RUN].reason == "a mistake"
    board.remove(RUN)
    assert board.submissions() == {}
    assert add_bundle(board, bundle)[1] == "added"


def test_two_bundles_share_a_board(
    board: Leaderboard, bundle: Path, make_run_folder: Callable[..., RunFolder], tmp_path: Path
) -> None:
    add_bundle(board, bundle)
    add_bundle(board, write_bundle(make_run_folder("small-beta", "beta").path, tmp_path / "beta.zip"))
    assert [row.model for row in board.build_table("small").rows] == ["alpha", "beta"]
