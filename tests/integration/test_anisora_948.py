import json
import shutil
from pathlib import Path

import pytest
from anisora_folder import benchmark_ids, write_anisora_folder
from small_suite import anisora

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
