import json
import shutil
from pathlib import Path

import pytest
from anisora_folder import benchmark_ids, write_anisora_folder
from small_suite import anisora

from anisora.harness.media.folders import natural_order
from anisora.harness.runfolder import RunFolder

FORM = "assets/anisora_benchmark_agreement_form.doc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the benchmark, 948 whole items, in ``sent/``; nobody may change it."""
    made = tmp_path_factory.mktemp("benchmark")
    write_anisora_folder(made / "sent")
    return made


def test_the_benchmark_is_imported_checked_and_scored(folder, tmp_path):
    root = folder / "sent"
    done = anisora(["suite", "import", "anisora-948", "--root", root, "--out", "suites", "--strict"], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("948 of 948 items in 50 labels; styles: cartoon_films 496")
    assert "    19  talk 说话\n" in done.stdout
    assert "Wrote suites/anisora-948.yaml, suites/anisora-948.jsonl and suites/anisora-948.import.json." in done.stdout
    done = anisora(["suite", "validate", "suites/anisora-948.yaml"], cwd=tmp_path, check=True)
    assert "948 items" in done.stdout
    arguments = [
        "evaluate",
        "suites/anisora-948.yaml",
        "--videos",
        root / "videos",
        "--model",
        "same",
        "--subset",
        "24",
    ]
    done = anisora([*arguments, "--db", "off", "--json"], cwd=tmp_path, check=True, timeout=300)
    record = json.loads(done.stdout)
    assert (record["status"], record["items"], record["spec"]["track"]) == ("ok", 24, "i2v")
    results = {result["metric"]: result for result in record["results"]}
    assert len(results) == 12
    assert results["condition_fidelity"]["scored"] == 24
    assert results["ssim"]["value"] == 1.0
    assert sum(record["population"].values()) == 948


def test_24_items_on_every_track_make_one_table_with_the_derived_row(folder, tmp_path):
    shutil.copytree(folder / "sent", tmp_path / "sent")
    chosen = sorted(benchmark_ids(), key=natural_order)[:24]
    mask = (folder / "sent" / "images" / f"{chosen[0]}.png").read_bytes()
    for name in chosen:
        (tmp_path / "sent" / "images" / f"{name}-mask.png").write_bytes(mask)
    anisora(["suite", "import", "anisora-948", "--root", "sent", "--out", ".", "--strict"], cwd=tmp_path, check=True)

    for track in ("i2v", "last", "mid", "keyframe", "region"):
        for model in ("ground-truth", "damage/cross-fade:severity=1"):
            done = anisora(
                ["run", f"anisora-948.yaml@{track}", "--model", model, "--limit", "24", "--json"],
                cwd=tmp_path,
                check=True,
                timeout=300,
            )
            record = json.loads(done.stdout)
            assert (record["status"], record["items"], record["spec"]["track"]) == ("ok", 24, track)

    one = anisora(["leaderboard", "anisora-948"], cwd=tmp_path)
    assert one.returncode == 1
    assert "runs of several tracks" in one.stderr
    assert "--all-tracks" in one.stderr
    shown = anisora(["leaderboard", "anisora-948@last", "--format", "json"], cwd=tmp_path, check=True).stdout
    assert [row["model"] for row in json.loads(shown)["rows"]] == ["damage/cross-fade:severity=1", "ground-truth"]

    shown = anisora(["leaderboard", "anisora-948", "--all-tracks", "--format", "json"], cwd=tmp_path, check=True).stdout
    table = json.loads(shown)
    rows = {row["model"]: {cell["metric"]: cell for cell in row["cells"]} for row in table["rows"]}
    tracks = ["i2v", "interp-avg", "keyframe", "last", "mid", "region"]
    marked = ["damage/cross-fade:severity=1", *(f"damage/cross-fade:severity=1 [{track}]" for track in tracks[1:])]
    assert sorted(rows) == sorted([*marked, "ground-truth"])
    by_item = {}
    for path in tmp_path.glob("runs/anisora-948-damage*/"):
        record = json.loads((path / "record.json").read_text())
        for row in RunFolder(path).read_scores():
            if row.metric == "condition_fidelity":
                by_item.setdefault(row.item_id, {})[record["spec"]["track"]] = row.value
    assert sorted(by_item) == sorted(chosen)
    means = [(values["keyframe"] + values["last"] + values["mid"]) / 3 for values in by_item.values()]
    derived = rows["damage/cross-fade:severity=1 [interp-avg]"]["condition_fidelity"]
    assert derived["value"] == pytest.approx(sum(means) / 24, abs=1e-12)
    assert derived["scored"] == 24
    fidelity = {name: cells["condition_fidelity"]["value"] for name, cells in rows.items()}
    assert (
        len(
            {
                fidelity["damage/cross-fade:severity=1"],
                fidelity["damage/cross-fade:severity=1 [last]"],
                fidelity["damage/cross-fade:severity=1 [mid]"],
            }
        )
        == 3
    )
    # Interpolation is the mean of its tracks, and no track stands in a column unmarked.
    daggers = {row["model"]: row["daggers"] for row in table["rows"]}
    assert [name for name, fields in daggers.items() if "track" not in fields] == [
        "damage/cross-fade:severity=1",
        "ground-truth",
    ]
    assert any(
        "interp-avg]: mean over the tracks keyframe, last, mid, item by item." in note for note in table["footnotes"]
    )


def test_defects_are_lines_on_stderr_and_exit_code_3_and_strict_writes_nothing(folder, tmp_path):
    shutil.copytree(folder / "sent", tmp_path / "sent")
    name = benchmark_ids()[7]
    (tmp_path / "sent" / "images" / f"{name}.png").unlink()
    (tmp_path / "sent" / "videos" / "a\x1b[2Jb.mp4").write_bytes(b"")
    arguments = ["suite", "import", "anisora-948", "--root", "sent"]
    refused = anisora([*arguments, "--strict"], cwd=tmp_path)
    assert refused.returncode == 2
    first, second, last = refused.stderr.splitlines()
    assert first.startswith("wrong-id: `videos/a\\x1b[2Jb.mp4`: ")
    assert second == f"missing-image: {name!r} has no image; expected {name}.png"
    assert last == "anisora: anisora-948 has 2 defects; --strict takes none: nothing is written."
    assert not (tmp_path / "anisora-948.yaml").exists()
    done = anisora([*arguments, "--json"], cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [first, second]
    report = json.loads(done.stdout)
    assert (report["found"], report["items"], report["left_out"]) == (948, 947, ["a\x1b[2Jb", name])
    assert report == json.loads((tmp_path / "anisora-948.import.json").read_text(encoding="utf-8"))


def test_without_the_folder_the_way_to_it_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in ([], ["--root", "empty"]):
        done = anisora(["suite", "import", "anisora-948", *arguments], cwd=tmp_path)
        assert done.returncode == 2
        assert FORM in done.stderr
        assert "never downloaded" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["clips"], "`--name` is missing; expected the name of the suite of `clips`"),
        (
            ["anisora-498", "--root", "x"],
            "are for data sets known by name (anisora-948, showcase-13, vbench-i2v), and 'anisora-498' is none",
        ),
        (["clips", "--name", "x", "--strict"], "`--root`, `--strict` and `--json` are for data sets known by name"),
        (["anisora-948", "--root", ".", "--fps", "24"], "`--role` and `--fps` are for folders"),
    ],
)
def test_options_of_the_other_kind_are_refused(arguments, words, tmp_path):
    done = anisora(["suite", "import", *arguments], cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_folder_may_get_the_columns_of_a_suite(folder, tmp_path):
    (tmp_path / "clips").mkdir()
    name = benchmark_ids()[0]
    shutil.copy(folder / "sent" / "videos" / f"{name}.mp4", tmp_path / "clips")
    anisora(["suite", "import", "clips", "--name", "mine", "--suite", "vbench-custom"], cwd=tmp_path, check=True)
    shown = anisora(["suite", "show", "mine.yaml"], cwd=tmp_path, check=True).stdout
    assert "columns: subject_consistency, background_consistency, temporal_flickering" in shown
