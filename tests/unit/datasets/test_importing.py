import pytest

from anisora.datasets.importing.defects import (
    Defect,
    counted,
    counts_of,
    identical_files,
    in_order,
    report_of,
    unreadable_image,
)
from anisora.datasets.importing.found_files import digests_below, files_below
from anisora.datasets.importing.writing import Findings, checked_folder, new_report_path, write_import
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.manifest import ManifestRow
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.suite import load_suite


def made(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")


def names_below(folder, *suffixes):
    return [path.relative_to(folder).as_posix() for path in files_below(folder, set(suffixes))]


def test_files_are_listed_in_natural_order_without_hidden_ones_and_through_links(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    made(root, "b10.png", "b2.PNG", "a/c.png", "a/d.txt", ".hidden.png", ".git/e.png", "__MACOSX/f.png")
    made(elsewhere, "g.png")
    (root / "linked").symlink_to(elsewhere)
    (elsewhere / "again").symlink_to(root)
    assert names_below(root, ".png") == ["a/c.png", "b2.PNG", "b10.png", "linked/g.png"]
    assert names_below(root, ".txt") == ["a/d.txt"]


def test_a_name_that_no_manifest_can_hold_is_refused_where_it_matters(tmp_path):
    try:
        (tmp_path / "a\udcff.png").write_bytes(b"")
    except OSError:
        pytest.skip("this disk takes names in UTF-8 only")
    assert names_below(tmp_path, ".txt") == []
    with pytest.raises(DataError, match="is no name in UTF-8"):
        files_below(tmp_path, {".png"})


def test_digests_are_of_the_files_that_can_be_read(tmp_path):
    made(tmp_path, "a/b.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    paths = [tmp_path / "a" / "b.png", tmp_path / "broken.png"]
    assert digests_below(tmp_path, paths) == {"a/b.png": sha256_of_file(paths[0])}


def test_defects_are_sorted_by_kind_counted_and_told_as_data():
    defects = [
        Defect(kind="late", message="c"),
        Defect(kind="early", message="a", id="x"),
        Defect(kind="late", message="b"),
    ]
    ordered = in_order(defects, ["early", "late"])
    assert [str(defect) for defect in ordered] == ["early: a", "late: c", "late: b"]
    assert counts_of(ordered, ["x"]) == ("1 left out; 3 defects: early 1, late 2",)
    assert counts_of([], []) == ()
    assert report_of(ordered[:1], ["x"]) == {
        "left_out": ["x"],
        "defect_counts": {"early": 1},
        "defects": [{"kind": "early", "id": "x", "message": "a"}],
    }
    with pytest.raises(ValueError, match="unheard-of"):
        in_order([Defect(kind="unheard-of", message="")], ["early"])
    assert (counted(1, "clip"), counted(0, "clip")) == ("1 clip", "0 clips")


def test_the_later_of_two_identical_files_is_named():
    found = identical_files([("a", "0" * 64), ("b", "1" * 64), ("c", "0" * 64)], "image")
    assert [(defect.id, str(defect)) for defect in found] == [
        ("c", "identical-files: 'c' has the image of 'a' (sha256 000000000000…); expected another; 'a' is kept")
    ]


def test_an_image_that_cannot_be_read_is_a_defect(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    found = unreadable_image(tmp_path / "a.png", "`a.png`", "a")
    assert found == Defect(kind="unreadable-image", message="`a.png`: the file is empty; expected an image", id="a")


def test_an_import_needs_a_folder_and_overwrites_no_report(tmp_path):
    with pytest.raises(ConfigError, match="`--root` is missing; expected the folder of things; ask for it"):
        checked_folder(None, "things", "ask for it")
    with pytest.raises(DataError, match=r"`.*absent` does not exist; expected the folder of things"):
        checked_folder(tmp_path / "absent", "things", "ask for it")
    assert checked_folder(tmp_path, "things", "ask for it") == tmp_path
    assert new_report_path(tmp_path, "a") == tmp_path / "a.import.json"
    (tmp_path / "a.import.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="is there already"):
        new_report_path(tmp_path, "a")


def findings_of(rows, *defects):
    return Findings(
        rows=rows,
        defects=defects,
        facts={"title": "Things", "cluster": "item", "reference": None},
        report={"found": 2},
        summary=("1 of 2 things",),
        expected="2 things",
        seeds=(3, 4),
    )


def test_what_is_whole_is_written_unless_the_import_is_strict(tmp_path):
    defect = Defect(kind="lost", message="b is lost")
    findings = findings_of([ManifestRow(id="a", prompt="A cat.")], defect)
    path = tmp_path / "out" / "things.import.json"
    options = {"metrics": ["sharpness"], "template": None}
    strict = write_import(findings, tmp_path, "things", path, strict=True, **options)
    assert (strict.files, strict.defects, path.parent.exists()) == ((), ("lost: b is lost",), False)
    written = write_import(findings, tmp_path, "things", path, strict=False, **options)
    assert [file.name for file in written.files] == ["things.yaml", "things.jsonl", "things.import.json"]
    suite = load_suite(str(written.files[0]))
    assert (suite.seeds, suite.metrics) == ((3, 4), ("sharpness",))
    with pytest.raises(DataError, match=r"not one whole item among 2; the first of 1 defects is lost: b is lost;"):
        write_import(findings_of([], defect), tmp_path, "none", path, strict=False, **options)
