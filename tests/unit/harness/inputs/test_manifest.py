import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.manifest import clip_at, read_manifest, sample_of, samples_of, write_manifest
from anisora.harness.inputs.manifest_rows import MAX_ID_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a video, two images, a frame folder, and files that are none of these."""
    for name in ("a.mp4", "b.WEBM", "first.png", "last.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").write_bytes(b"0")
    (tmp_path / "empty").mkdir()
    return tmp_path


def jsonl(folder: Path, *records: object, name: str = "items.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


WRONG_RECORDS = {
    "no id": ({"video": "a.mp4"}, r"line 1: `id` got None; expected the name of the item; add it"),
    "id with slash": ({"id": "x/y"}, r"line 1: `id` got 'x/y'; expected a name without path separators"),
    "id with backslash": ({"id": "x\\y"}, r"expected a name without path separators"),
    "id that hides": ({"id": ".."}, r"without a dot at its start"),
    "id with newline": ({"id": "x\ny"}, r"`id` got 'x\\ny'; expected text without control characters"),
    "id with surrogate": ({"id": "\ud800"}, r"text without control characters"),
    "id that turns around": ({"id": "a\u202eb"}, r"`id` got 'a\\u202eb'; expected text without control"),
    "label that shows nothing": (
        {"id": "a", "label": "\u200b"},
        r"`label` got '\\u200b'; expected text without",
    ),
    "id of spaces": ({"id": "  "}, r"text without spaces at its ends"),
    "id too long": ({"id": "é" * 101}, rf"`id` got 'é+\.\.\.é+'; expected at most {MAX_ID_BYTES} bytes"),
    "id true": ({"id": True}, r"`id` got True; expected text"),
    "video absent": (
        {"id": "a", "video": "a.mp5"},
        r"`video` got 'a\.mp5', which does not exist; .*did you mean",
    ),
    "video is a list": (
        {"id": "a", "video": ["a.mp4"]},
        r"`video` got \['a\.mp4'\]; expected the path of a file",
    ),
    "video is a URL": (
        {"id": "a", "video": "https://x.org/a.mp4"},
        r"path of a local file; download it first",
    ),
    "video is text": (
        {"id": "a", "video": "notes.txt"},
        r"`video` got 'notes\.txt'; expected a file that ends in .*\.mp4",
    ),
    "video is an empty folder": (
        {"id": "a", "video": "empty"},
        r"`video` got 'empty'; expected .* holds frames",
    ),
    "video with zero byte": (
        {"id": "a", "video": "a\0.mp4"},
        r"`video` got 'a\\x00\.mp4'; expected the path",
    ),
    "video name too long": (
        {"id": "a", "video": "x" * 300 + ".mp4"},
        r"(cannot be read: File name too long|does not exist)",
    ),
    "image absent": (
        {"id": "a", "image": "frist.png"},
        r"`image` got 'frist\.png', which does not exist; .*first\.png",
    ),
    "image is a video": (
        {"id": "a", "image": "a.mp4"},
        r"`image` got 'a\.mp4'; expected an image that ends in",
    ),
    "ground truth absent": (
        {"id": "a", "ground_truth": "z.mp4"},
        r"`ground_truth` got 'z\.mp4', which does not exist",
    ),
    "mask absent": ({"id": "a", "region_mask": "z.png"}, r"`region_mask` got 'z\.png', which does not exist"),
    "seed of letters": ({"id": "a", "seed": "one"}, r"`seed` got 'one'; expected a whole number from 0"),
    "seed negative": ({"id": "a", "seed": -1}, r"`seed` got -1; expected a whole number from 0"),
    "seed fractional": ({"id": "a", "seed": 1.5}, r"`seed` got 1\.5; expected a whole number"),
    "seed true": ({"id": "a", "seed": True}, r"`seed` got True; expected a whole number"),
    "seed too large": (
        {"id": "a", "seed": 2**63},
        r"`seed` got 9223372036854775808; expected a whole number",
    ),
    "fps zero": ({"id": "a", "fps": 0}, r"`fps` got 0; expected frames per second, above 0"),
    "fps negative": ({"id": "a", "fps": -24.0}, r"`fps` got -24\.0; expected frames per second, above 0"),
    "fps of letters": ({"id": "a", "fps": "fast"}, r"`fps` got 'fast'; expected frames per second"),
    "fps nan as text": ({"id": "a", "fps": "nan"}, r"`fps` got 'nan'; expected frames per second"),
    "fps huge": ({"id": "a", "fps": 10**400}, r"`fps` got 1000.*; expected frames per second"),
    "prompt is a number": ({"id": "a", "prompt": 7}, r"`prompt` got 7; expected text"),
    "position above 1": (
        {"id": "a", "keyframes": [{"position": 1.5, "image": "first.png"}]},
        r"`keyframes` got 1\.5; expected a position from 0",
    ),
    "position below 0": (
        {"id": "a", "keyframes": "-0.1=first.png"},
        r"`keyframes` got '-0\.1'; expected a position",
    ),
    "position twice": (
        {"id": "a", "keyframes": "0=first.png;0.0=last.jpg"},
        r"got '0\.0'; expected one image per position",
    ),
    "image and position 0": (
        {"id": "a", "image": "first.png", "keyframes": "0=last.jpg"},
        r"one image per position \(`image` is position 0\)",
    ),
    "keyframe without image": (
        {"id": "a", "keyframes": "0.5="},
        r"`keyframes` got ''; expected the path of the image at position 0\.5",
    ),
    "keyframes without position": (
        {"id": "a", "keyframes": "first.png"},
        r"`keyframes` got 'first\.png'; expected a list",
    ),
    "keyframes as a number": ({"id": "a", "keyframes": 3}, r"`keyframes` got 3; expected a list"),
    "keyframe with other keys": ({"id": "a", "keyframes": [{"at": 0}]}, r"got \{'at': 0\}; expected a list"),
    "keyframe image absent": (
        {"id": "a", "keyframes": "1=lost.jpg"},
        r"`keyframes` got 'lost\.jpg', which does not exist; .*last\.jpg",
    ),
    "misspelt column": ({"id": "a", "promt": "x"}, r"column 'promt' is not known; did you mean 'prompt'\?"),
    "misspelt id": ({"ID": "a"}, r"column 'ID' is not known; did you mean 'id'\?"),
    "column of control characters": (
        {"id": "a", "x\n": 1},
        r"`column` got 'x\\n'; expected a printable column name",
    ),
}


@pytest.mark.parametrize(("record", "message"), WRONG_RECORDS.values(), ids=WRONG_RECORDS)
def test_a_wrong_record_is_named_with_file_line_value_and_what_was_expected(folder, record, message):
    path = jsonl(folder, record)
    with pytest.raises(DataError, match=message) as caught:
        read_manifest(path)
    assert "items.jsonl" in str(caught.value) or "x" * 300 in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1500


WRONG_FILES = {
    "empty": ("m.jsonl", b"", r"`.*m\.jsonl` is empty; expected one record per item"),
    "blank lines": ("m.jsonl", b"\n \n", r"is empty"),
    "not JSON": (
        "m.jsonl",
        b'{"id": "a"}\n{"id": \n',
        r"m\.jsonl` line 2: got '\{\"id\":'; expected one JSON object",
    ),
    "not an object": ("m.jsonl", b'["a"]\n', r"line 1: got \['a'\]; expected one JSON object"),
    "NaN": ("m.jsonl", b'{"id": "a", "fps": NaN}\n', r"line 1: got NaN, which JSON does not have"),
    "key twice": ("m.jsonl", b'{"id": "a", "id": "b"}\n', r"line 1: `id` is given twice"),
    "nested deeply": ("m.jsonl", b"[" * 200_000 + b"\n", r"line 1: (is nested too deeply|got '\[+\.\.\.)"),
    "endless number": (
        "m.jsonl",
        b'{"id": "a", "seed": ' + b"9" * 5000 + b"}\n",
        r"line 1: .*expected one JSON object",
    ),
    "UTF-16": ("m.jsonl", '{"id": "a"}\n'.encode("utf-16"), r"line 1: got the byte b'\\xff'; expected UTF-8"),
    "Latin-1": (
        "m.jsonl",
        b'{"id": "a"}\n{"id": "caf\xe9"}\n',
        r"line 2: got the byte b'\\xe9'; expected UTF-8",
    ),
    "duplicate": (
        "m.jsonl",
        b'{"id": "a", "seed": 1}\n\n{"id": "a", "seed": "1"}\n',
        r"line 3: id 'a' with seed 1 is on line 1 already",
    ),
    "duplicate without seed": (
        "m.jsonl",
        b'{"id": "a"}\n{"id": "a"}\n',
        r"line 2: id 'a' with no seed is on line 1",
    ),
    "duplicate in two spellings": (
        "m.jsonl",
        '{"id": "é"}\n{"id": "e\u0301"}\n'.encode(),
        r"line 2: id 'é' with no seed is on line 1",
    ),
    "CSV empty": ("m.csv", b"", r"is empty"),
    "CSV header alone": ("m.csv", b"id,video\n", r"is empty"),
    "CSV without header": (
        "m.csv",
        b"a,a.mp4\n",
        r"line 1: got the header 'a,a\.mp4'; expected a header with the column `id`",
    ),
    "CSV with semicolons": (
        "m.csv",
        b"id;video\na;a.mp4\n",
        r"line 1: got the header 'id;video'; expected columns separated by commas",
    ),
    "CSV column twice": ("m.csv", b"id,seed,seed\na,1,2\n", r"the header has the column 'seed' 2 time"),
    "CSV column without name": ("m.csv", b"id,\na,1\n", r"the header has the column ''"),
    "CSV short row": ("m.csv", b"id,video\na\n", r"line 2: got 1 cells; expected 2"),
    "CSV long row": (
        "m.csv",
        b"id,prompt\na,one, two\n",
        r"line 2: got 3 cells; expected 2, as in the header; put text with commas in quotes",
    ),
    "CSV open quote": ("m.csv", b'id,prompt\na,"one\n', r"line 2: is not CSV"),
    "CSV bad seed": ("m.csv", b"id,seed\na,1\nb,x\n", r"line 3: `seed` got 'x'; expected a whole number"),
    "CSV misspelt column": (
        "m.csv",
        b"id,vidoe\na,a.mp4\n",
        r"line 2: column 'vidoe' is not known; did you mean 'video'",
    ),
    "Parquet that is none": ("m.parquet", b"PAR1 not", r"m\.parquet` is not a readable Parquet file"),
    "JSON": (
        "m.json",
        b"[]",
        r"got the suffix '\.json'; expected .*\.jsonl, \.csv, \.parquet\. Write one JSON object per line",
    ),
    "YAML": ("m.yaml", b"id: a", r"got the suffix '\.yaml'; expected"),
}


@pytest.mark.parametrize(("name", "content", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_named_in_one_line(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_manifest(folder / name)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_is_answered_with_the_nearest_file(folder):
    path = jsonl(folder, {"id": "a"})
    with pytest.raises(DataError, match=r"itmes\.jsonl` does not exist; .*did you mean `.*/items\.jsonl`\?"):
        read_manifest(path.with_name("itmes.jsonl"))


def test_a_folder_is_no_manifest(folder):
    (folder / "x.csv").mkdir()
    with pytest.raises(DataError, match=r"expected a manifest, a file that ends in"):
        read_manifest(folder / "x.csv")


def test_a_file_beyond_the_size_limit_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("anisora.harness.inputs.tabular.MAX_BYTES", 10)
    with pytest.raises(DataError, match=r"has 12 bytes; expected a manifest of at most 10; split it"):
        read_manifest(jsonl(folder, {"id": "a"}))


RECORD = {
    "id": "a",
    "video": "a.mp4",
    "prompt": 'a girl, "smiling"',
    "image": "first.png",
    "label": "smile",
    "seed": 3,
    "fps": 12.5,
    "ground_truth": "b.WEBM",
    "region_mask": "last.jpg",
    "source": "film 3",
}


@pytest.mark.parametrize("name", ["m.jsonl", "M.JSONL", "m.csv", "m.CSV", "m.parquet", "m.PARQUET"])
def test_every_format_gives_the_same_row(folder, name):
    path = folder / name
    if name.lower().endswith("jsonl"):
        path.write_text("\ufeff" + json.dumps(RECORD) + "\r\n", encoding="utf-8")
    elif name.lower().endswith("csv"):
        cells = ['"' + str(value).replace('"', '""') + '"' for value in RECORD.values()]
        path.write_text("\ufeff" + ",".join(RECORD) + "\r\n" + ",".join(cells) + "\r\n", encoding="utf-8", newline="")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([RECORD]), path)
    (row,) = read_manifest(path)
    assert (row.id, row.prompt, row.label, row.seed, row.fps) == ("a", 'a girl, "smiling"', "smile", 3, 12.5)
    assert (row.video, row.ground_truth) == (folder / "a.mp4", folder / "b.WEBM")
    assert row.keyframes == ((0.0, folder / "first.png"),)
    assert row.region_mask == folder / "last.jpg"
    assert row.metadata == {"source": "film 3"}


def test_keyframes_are_read_from_a_list_and_from_a_text_and_sorted(folder):
    listed = [{"position": 1, "image": "last.jpg"}, {"position": 0, "image": "first.png"}]
    (left,) = read_manifest(jsonl(folder, {"id": "a", "keyframes": listed}))
    (folder / "m.csv").write_text("id,keyframes\na,1=last.jpg; 0=first.png\n")
    (right,) = read_manifest(folder / "m.csv")
    assert left.keyframes == right.keyframes == ((0.0, folder / "first.png"), (1.0, folder / "last.jpg"))


def test_parquet_from_pandas_with_empty_cells_is_read(folder):
    import pandas as pd

    frame = pd.DataFrame({"id": [7, 8], "seed": [1.0, None], "prompt": ["x", None]})
    frame.to_parquet(folder / "m.parquet")
    first, second = read_manifest(folder / "m.parquet")
    assert (first.id, first.seed, first.prompt) == ("7", 1, "x")
    assert (second.id, second.seed, second.prompt) == ("8", None, None)


def test_a_parquet_error_names_the_row(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a", "b"], "fps": [24.0, -1.0]}), folder / "m.parquet")
    with pytest.raises(DataError, match=r"m\.parquet` row 2: `fps` got -1\.0; expected frames per second"):
        read_manifest(folder / "m.parquet")


def test_a_parquet_column_of_bytes_is_refused(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a"], "blob": [b"\x80"]}), folder / "m.parquet")
    with pytest.raises(DataError, match=r"row 1: `blob` got b'\\x80'; expected text, a number"):
        read_manifest(folder / "m.parquet")


def test_a_line_separator_inside_a_prompt_does_not_end_the_record(folder):
    path = folder / "m.jsonl"
    path.write_text('{"id": "a", "prompt": "one\u2028two"}\n', encoding="utf-8")
    assert read_manifest(path)[0].prompt == "one\u2028two"


def test_a_column_close_to_one_that_is_given_is_metadata(folder):
    (row,) = read_manifest(jsonl(folder, {"id": "a", "image": "first.png", "images": 3}))
    assert row.metadata == {"images": 3}


def test_an_absent_video_is_kept_only_where_asked_for(folder):
    path = jsonl(folder, {"id": "a", "video": "lost.mp4"})
    assert read_manifest(path, allow_missing=True)[0].video == folder / "lost.mp4"
    with pytest.raises(DataError, match=r"`video` got 'lost\.mp4', which does not exist"):
        read_manifest(path)


def test_the_digest_of_a_file_is_its_sha256_and_of_a_folder_follows_names_and_contents(folder):
    assert clip_at(folder / "a.mp4", None).digest == hashlib.sha256(b"a.mp4").hexdigest()
    before = clip_at(folder / "frames", 24.0)
    assert before.fps == 24.0
    (folder / "frames" / ".hidden.png").write_bytes(b"x")
    (folder / "frames" / "notes.txt").write_bytes(b"x")
    assert clip_at(folder / "frames", 24.0).digest == before.digest
    (folder / "frames" / "0.png").rename(folder / "frames" / "1.png")
    renamed = clip_at(folder / "frames", 24.0).digest
    (folder / "frames" / "1.png").write_bytes(b"1")
    assert len({before.digest, renamed, clip_at(folder / "frames", 24.0).digest}) == 3


def test_a_folder_of_frames_without_a_frame_rate_is_refused(folder):
    with pytest.raises(
        DataError, match=r"Folder of frames `.*frames` has no frame rate; .*column `fps`, or with --fps"
    ):
        clip_at(folder / "frames", None)
    with pytest.raises(DataError, match=r"Folder `.*empty` holds no image"):
        clip_at(folder / "empty", 24.0)


def test_a_sample_carries_the_digests_of_its_inputs(folder):
    (row,) = read_manifest(jsonl(folder, RECORD))
    sample = sample_of(row)
    assert sample.id == "a"
    assert sample.condition.positions == (0.0,)
    assert sample.condition.keyframes[0][1].digest == hashlib.sha256(b"first.png").hexdigest()
    assert sample.ground_truth is not None
    assert sample.ground_truth.digest == hashlib.sha256(b"b.WEBM").hexdigest()
    assert sample.ground_truth.fps is None  # 12.5 is the rate of the row's own video


def test_rows_that_differ_in_the_seed_are_one_item(folder):
    path = jsonl(folder, {"id": "b"}, {"id": "a", "seed": 0, "n": 1, "k": 2}, {"id": "a", "seed": 1, "n": 2, "k": 2})
    samples = samples_of(read_manifest(path))
    assert [(sample.id, dict(sample.metadata)) for sample in samples] == [("b", {}), ("a", {"k": 2})]


def test_rows_of_one_item_must_agree_about_its_inputs(folder):
    path = jsonl(folder, {"id": "a", "seed": 0, "prompt": "x"}, {"id": "a", "seed": 1, "prompt": "y"})
    with pytest.raises(DataError, match=r"line 2: `prompt` of id 'a' got 'y'; expected the same as on line 1"):
        samples_of(read_manifest(path))


def test_a_written_manifest_reads_back_the_same(folder):
    rows = read_manifest(jsonl(folder, RECORD, {"id": "b", "keyframes": "0=first.png;1=last.jpg"}))
    write_manifest(rows, folder / "copy.jsonl")
    again = read_manifest(folder / "copy.jsonl")

    def plain(row):
        return (
            row.id,
            row.video,
            row.prompt,
            row.keyframes,
            row.label,
            row.seed,
            row.fps,
            row.ground_truth,
            row.metadata,
        )

    assert [plain(row) for row in again] == [plain(row) for row in rows]
    assert '"video": "a.mp4"' in (folder / "copy.jsonl").read_text()


def test_a_manifest_is_never_overwritten(folder):
    path = jsonl(folder, {"id": "a"})
    with pytest.raises(ConfigError, match=r"items\.jsonl` is there already; expected a new file"):
        write_manifest(read_manifest(path), path)
    with pytest.raises(ConfigError, match=r"got the suffix '\.csv'; expected \.jsonl"):
        write_manifest(read_manifest(path), folder / "x.csv")
    assert path.read_text() == '{"id": "a"}\n'


@given(
    seed=st.integers(0, 2**63 - 1),
    fps=st.floats(0.001, 1000),
    prompt=st.text(st.characters(exclude_categories=("C",)), min_size=1),
)
def test_numbers_and_text_survive_json(tmp_path_factory, seed, fps, prompt):
    path = tmp_path_factory.mktemp("m") / "m.jsonl"
    path.write_text(json.dumps({"id": "a", "seed": seed, "fps": fps, "prompt": prompt}), encoding="utf-8")
    (row,) = read_manifest(path)
    assert (row.seed, row.fps, row.prompt) == (seed, fps, prompt)
