"""Importing data sets by name on the command line, and scoring clips that were made for them."""

import json
from pathlib import Path

import pytest
from showcase_folder import write_showcase_folder
from small_suite import anisora, only_run
from vbench_i2v_folder import ENTRIES, made_prompts, write_vbench_i2v_folder

from anisora.harness.degrade import degrade
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import RunFolder


@pytest.fixture(scope="module")
def vbench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole folder of VBench-I2V; nobody may change it."""
    folder = tmp_path_factory.mktemp("vbench") / "vbench2_beta_i2v"
    write_vbench_i2v_folder(folder)
    return folder


def write_clips(folder: Path, stems: list[str]) -> None:
    folder.mkdir(parents=True)
    frames = render(Scene(action="walk", seed=0, width=64, height=36, num_frames=6))
    with DecoderPool() as pool:
        for place, stem in enumerate(stems):
            made = degrade("noise", frames, severity=0.1 + 0.02 * place)
            pool.encode(made, fps=16, path=folder / f"{stem}.mp4", encoder="h264:crf=20")


def evaluated(suite: str, folder: Path, *arguments: str) -> dict:
    command = ["evaluate", suite, "--videos", "outputs", "--model", "mine", "--db", "off", "--json", *arguments]
    return json.loads(anisora(command, cwd=folder, check=True, timeout=300).stdout)


def test_vbench_i2v_is_imported_checked_and_scored_by_vbenchs_own_file_names(vbench, tmp_path):
    arguments = ["suite", "import", "vbench-i2v", "--root", vbench, "--out", "suites", "--strict"]
    done = anisora(arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("355 of 355 items at 16:9 in 11 types; 5 clips each, seeds 0 to 4\n")
    assert "    64  single-human\n" in done.stdout
    assert "i2v_subject 246, i2v_background 109, subject_consistency 246" in done.stdout
    assert "Wrote suites/vbench-i2v.yaml, suites/vbench-i2v.jsonl and suites/vbench-i2v.import.json." in done.stdout
    assert "355 items" in anisora(["suite", "validate", "suites/vbench-i2v.yaml"], cwd=tmp_path, check=True).stdout
    prompts = list(made_prompts())[:2]
    write_clips(tmp_path / "outputs", [f"{prompt}-{index}" for prompt in prompts for index in range(5)])
    record = evaluated("suites/vbench-i2v.yaml", tmp_path, "--limit", "2", "--metrics", "condition_fidelity,sharpness")
    assert (record["status"], record["items"], record["spec"]["track"]) == ("ok", 2, "i2v")
    assert record["spec"]["seeds"] == [0, 1, 2, 3, 4]
    rows = RunFolder(only_run(tmp_path / "runs")).read_scores()
    assert len(rows) == 2 * 5 * 2  # items, seeds, metrics
    assert {row.status for row in rows} == {"ok"}
    assert {result["metric"]: result["scored"] for result in record["results"]} == {
        "condition_fidelity": 2,
        "sharpness": 2,
    }


def test_a_dimension_of_vbench_i2v_is_a_suite_of_its_own(vbench, tmp_path):
    arguments = ["suite", "import", "vbench-i2v:dimension=i2v_background,ratio=1-1", "--root", vbench]
    done = anisora([*arguments, "--metrics", "i2v_background"], cwd=tmp_path, check=True)
    assert "109 of 109 items at 1:1 in 4 types" in done.stdout
    shown = anisora(["suite", "show", "vbench-i2v-1-1-i2v-background.yaml"], cwd=tmp_path, check=True).stdout
    assert "109 items, 545 clips per system" in shown
    assert "columns: i2v_background\n" in shown


def test_the_showcase_is_imported_checked_and_scored_in_both_languages(tmp_path):
    write_showcase_folder(tmp_path / "assets")
    for name in ("showcase-13", "showcase-13:language=zh"):
        done = anisora(["suite", "import", name, "--root", "assets", "--strict"], cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("13 of 13 examples; prompts in Chinese\n     8  image-to-video\n")
    assert "13 items" in anisora(["suite", "validate", "showcase-13-zh.yaml"], cwd=tmp_path, check=True).stdout
    write_clips(tmp_path / "outputs", ["clownfish-right", "clownfish-left"])
    metrics = ["--labels", "region-control", "--metrics", "region_motion_ratio,condition_fidelity"]
    record = evaluated("showcase-13.yaml", tmp_path, *metrics)
    assert (record["status"], record["items"]) == ("ok", 2)
    assert {result["metric"]: result["scored"] for result in record["results"]} == {
        "region_motion_ratio": 2,
        "condition_fidelity": 2,
    }


def test_defects_are_lines_on_stderr_and_exit_code_3_and_strict_writes_nothing(tmp_path):
    write_showcase_folder(tmp_path / "assets")
    (tmp_path / "assets" / "image_2.jpg").unlink()
    arguments = ["suite", "import", "showcase-13", "--root", "assets"]
    refused = anisora([*arguments, "--strict"], cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "missing-image: 'raise-arm' has no first image; expected raise-arm.png or the README's image_2.jpg",
        "anisora: showcase-13 has 1 defects; --strict takes none: nothing is written.",
    ]
    assert not (tmp_path / "showcase-13.yaml").exists()
    done = anisora([*arguments, "--json"], cwd=tmp_path)
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert (report["expected"], report["items"], report["left_out"]) == (13, 12, ["raise-arm"])
    assert report == json.loads((tmp_path / "showcase-13.import.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["vbench-i2v"], "`--root` is missing; expected the folder of vbench-i2v; nothing is downloaded"),
        (["vbench-i2v", "--root", "empty"], f"has no {ENTRIES}; nothing is downloaded"),
        (["showcase-13", "--root", "empty"], "has no image of an example; the images are not part of this program"),
        (
            ["showcase-13:languages=zh", "--root", "empty"],
            "'showcase-13' has no argument 'languages'; it takes: language",
        ),
        (["anisora-948:language=zh", "--root", "empty"], "'anisora-948' has no argument 'language'; it takes: none"),
        (["vbench-i2v:ratio=16:9", "--root", "empty"], "`ratio` got '16:9'; expected width-height, such as 16-9"),
    ],
)
def test_what_cannot_be_imported_is_one_line(arguments, words, tmp_path):
    (tmp_path / "empty").mkdir()
    done = anisora(["suite", "import", *arguments], cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
