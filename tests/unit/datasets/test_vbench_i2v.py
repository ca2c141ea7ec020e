import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from vbench_i2v_folder import ENTRIES, FACTS, made_prompts, save_picture, write_vbench_i2v_folder

from anisora.datasets.vbench_i2v.dimensions import DIMENSIONS, EXPECTED_ENTRIES, EXPECTED_IMAGES, TYPES
from anisora.datasets.vbench_i2v.importing import vbench_i2v
from anisora.datasets.vbench_i2v.inspection import DEFECT_KINDS, inspect
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.suite import describe, load_samples, load_suite, validate_suite

CROP = Path("data/crop/16-9")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole folder; nobody may change it."""
    folder = tmp_path_factory.mktemp("whole") / "vbench2_beta_i2v"
    write_vbench_i2v_folder(folder)
    return folder


@pytest.fixture
def own(whole: Path, tmp_path: Path) -> Path:
    """A whole folder of one's own."""
    return shutil.copytree(whole, tmp_path / "vbench2_beta_i2v")


def changed(path: Path, change) -> None:
    """Change the list in a JSON file."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    change(entries)
    path.write_text(json.dumps(entries), encoding="utf-8")


def defects_of(folder: Path, dimension: str | None = None) -> list[str]:
    return list(map(str, inspect(folder, "16-9", dimension, "look there").defects))


def samples_of_import(imported) -> dict:
    return {sample.id: sample for sample in load_samples(load_suite(str(imported.files[0])))}


def test_the_counts_are_those_that_vbench_states():
    assert (EXPECTED_IMAGES, EXPECTED_ENTRIES, len(TYPES)) == (355, 1118, 11)
    assert DIMENSIONS["i2v_subject"] == 246
    assert DIMENSIONS["i2v_background"] == 109
    assert DIMENSIONS["camera_motion"] == 763
    assert sum(DIMENSIONS.values()) == 3030


def test_a_whole_folder_becomes_a_suite_without_a_defect(whole, tmp_path):
    imported = registry("importers").create("vbench-i2v")(whole, tmp_path / "suites", strict=True)
    assert imported.defects == ()
    assert imported.summary[0] == "355 of 355 items at 16:9 in 11 types; 5 clips each, seeds 0 to 4"
    suite_path, manifest_path, report_path = imported.files
    assert [path.name for path in imported.files] == ["vbench-i2v.yaml", "vbench-i2v.jsonl", "vbench-i2v.import.json"]
    suite = load_suite(str(suite_path))
    validate_suite(suite)
    assert (suite.track, suite.cluster, suite.reference, suite.seeds) == ("i2v", "item", None, (0, 1, 2, 3, 4))
    assert {"condition_fidelity", "temporal_flickering"} <= set(suite.metrics)
    assert "psnr" not in suite.metrics  # there is no ground truth
    counts = describe(suite, load_samples(suite))
    assert (counts.items, counts.prompts, counts.keyframes, counts.ground_truth, counts.clips) == (
        355,
        355,
        355,
        0,
        1775,
    )
    assert counts.labels["single-human"] == 64
    assert manifest_path.read_text(encoding="utf-8").count("\n") == 355
    report = json.loads(report_path.read_text(encoding="utf-8"))
    assert report == imported.report
    assert (report["found"], report["items"], report["left_out"], report["samples_per_prompt"]) == (355, 355, [], 5)
    expected = {**DIMENSIONS}
    del expected["camera_motion"]
    assert report["dimensions"] == expected
    assert report["lists"] == [ENTRIES, FACTS]
    assert len(report["sha256"]) == 355 + 2  # the other crop and the originals are no part of it
    assert report["sha256"][ENTRIES] == sha256_of_file(whole / ENTRIES)


def test_items_are_named_after_their_prompts_and_know_their_dimensions(whole, tmp_path):
    samples = samples_of_import(vbench_i2v()(whole, tmp_path))
    assert list(samples) == list(made_prompts())
    sample = samples["a made-up scenery that turns, number 3"]
    assert (sample.prompt, sample.label) == (sample.id, "scenery")
    ((position, image),) = sample.condition.keyframes
    assert (position, image.path.parent.name, image.path.stem) == (0.0, "16-9", sample.id)
    assert sample.metadata["dimensions"] == [
        "i2v_background",
        "background_consistency",
        "aesthetic_quality",
        "imaging_quality",
        "temporal_flickering",
    ]
    assert sample.metadata["url"].startswith("photos.example/")
    assert sample.metadata["ratio"] == "16-9"


def test_another_crop_is_another_suite(whole, tmp_path):
    imported = vbench_i2v(ratio="1-1")(whole, tmp_path, template="vbench-i2v-8")
    suite = load_suite(str(imported.files[0]))
    assert suite.name == "vbench-i2v-1-1-vbench-i2v-8"
    assert suite.metrics == load_suite("vbench-i2v-8").metrics
    images = [sample.condition.keyframes[0][1].path.parent.name for sample in load_samples(suite)]
    assert set(images) == {"1-1"}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_dimension_has_the_items_that_vbench_evaluates_for_it(dimension, whole, tmp_path):
    imported = vbench_i2v(dimension=dimension)(whole, tmp_path, metrics=["sharpness"], strict=True)
    suite = load_suite(str(imported.files[0]))
    assert suite.name == f"vbench-i2v-{dimension.replace('_', '-')}"
    samples = load_samples(suite)
    assert len(samples) == DIMENSIONS[dimension] == imported.report["dimensions"][dimension]
    assert all(dimension in sample.metadata["dimensions"] for sample in samples)
    clusters = Counter(sample.label for sample in samples)
    if dimension == "camera_motion":  # seven prompts of one image are no seven draws
        assert suite.cluster == "label"
        assert set(clusters.values()) == {7}
        assert len(clusters) == 109
        assert any(sample.prompt.endswith(", camera zooms out") for sample in samples)
    else:
        assert suite.cluster == "item"
        assert set(clusters) <= set(TYPES)


def test_every_kind_of_defect_is_named_and_the_other_items_are_kept(own, tmp_path):
    crop = own / CROP
    prompts = list(made_prompts())
    lost, twice, empty, square, copied, unknown, typed, other, wordless, no_image = prompts[10:20]
    (crop / f"{lost}.jpg").unlink()
    (own / "more" / "16-9").mkdir(parents=True)
    save_picture(own / "more" / "16-9" / f"{twice}.jpg", 5000, 64, 36)
    (crop / f"{empty}.jpg").write_bytes(b"")
    shutil.copy(own / "data" / "crop" / "1-1" / f"{square}.jpg", crop)
    shutil.copy(crop / f"{prompts[0]}.jpg", crop / f"{copied}.jpg")
    save_picture(crop / "stray.png", 5001, 64, 36)

    def change(entries):
        by_prompt = {entry["prompt_en"]: entry for entry in entries}
        by_prompt[unknown]["dimension"].append("i2v_subjct")
        by_prompt[typed]["image_type"] = "beast"
        by_prompt[wordless]["prompt_en"] = ""
        by_prompt[no_image]["image_name"] = f"{no_image}.tiff"
        entries.append({**by_prompt[prompts[1]], "image_name": f"{prompts[2]}.jpg"})

    changed(own / ENTRIES, change)
    changed(own / FACTS, lambda facts: facts[prompts.index(other)].update(caption="something else"))
    inspection = inspect(own, "16-9", None, "look there")
    found = {kind: [one.message for one in inspection.defects if one.kind == kind] for kind in DEFECT_KINDS}
    expected = {
        "wrong-entry": f"`{ENTRIES}` entry 19: `prompt_en` got ''; expected text",
        "duplicate-prompt": f"'{prompts[1]}' stands in 2 entries; expected one",
        "unknown-dimension": "'i2v_subjct' of 1 entry is no dimension of VBench-I2V (nearest: 'i2v_subject'); kept",
        "unknown-type": "'beast' of 1 entry is no type of VBench-I2V; kept as it is",
        "missing-image": f"'{lost}.jpg' is in no folder 16-9 (it is in 1-1); expected it there",
        "duplicate-image": f"'{twice}.jpg' is there 2 times, `{CROP}/{twice}.jpg` and `more/16-9/{twice}.jpg`",
        "unreadable-image": f"`{CROP}/{empty}.jpg`: the file is empty; expected an image",
        "wrong-ratio": f"`{CROP}/{square}.jpg` has 36x36 pixels; expected 16:9",
        "identical-files": f"'{copied}.jpg' has the image of '{prompts[0]}.jpg'",
        "image-without-entry": f"`{CROP}/stray.png` is the image of no entry; expected one of {ENTRIES}",
        "other-facts": f"'{other}.jpg' has the prompt '{other}', in i2v-bench-info.json 'something else'",
        "dimension-count": "245 entries count for 'i2v_subject'; expected 246",
        "image-count": "the entries name 353 images; expected 355",
    }
    assert set(expected) == set(DEFECT_KINDS)
    for kind, words in expected.items():
        assert any(words in message for message in found[kind]), (kind, found[kind])
    assert any("`image_name` got" in message and "ends in .bmp, .jpeg" in message for message in found["wrong-entry"])
    kinds = [defect.kind for defect in inspection.defects]
    assert kinds == sorted(kinds, key=DEFECT_KINDS.index)
    assert all("\n" not in str(defect) for defect in inspection.defects)
    left_out = {prompts[1], lost, twice, empty, square, copied}
    assert set(inspection.left_out) == left_out
    assert {item.entry.prompt for item in inspection.items} == set(prompts) - left_out - {wordless, no_image}

    out = tmp_path / "out"
    strict = vbench_i2v()(own, out, strict=True)
    assert (strict.files, out.exists()) == ((), False)
    assert strict.defects == tuple(map(str, inspection.defects))
    imported = vbench_i2v()(own, out)
    assert imported.summary[0].startswith("347 of 355 items at 16:9 in 12 types")
    assert imported.summary[-1].startswith("6 left out; ")
    samples = samples_of_import(imported)
    assert len(samples) == 347
    assert samples[typed].label == "beast"
    assert samples[unknown].metadata["dimensions"][-1] == "i2v_subjct"
    assert imported.report["defect_counts"]["wrong-entry"] == 2


def test_an_image_that_is_lost_takes_its_seven_camera_prompts_with_it(own):
    prompt = next(prompt for prompt, kind in made_prompts().items() if kind == "indoor")
    (own / CROP / f"{prompt}.jpg").unlink()
    inspection = inspect(own, "16-9", "camera_motion", "look there")
    assert [defect.kind for defect in inspection.defects] == ["missing-image"]
    assert len(inspection.items) == 763 - 7
    assert len(inspection.left_out) == 7
    assert all(left_out.startswith(f"{prompt}, camera ") for left_out in inspection.left_out)


def test_the_list_beside_the_images_may_be_absent_and_only_adds_where_they_come_from(own, tmp_path):
    (own / FACTS).unlink()
    imported = vbench_i2v()(own, tmp_path / "out", strict=True)
    assert imported.report["lists"] == [ENTRIES]
    assert all("url" not in sample.metadata for sample in samples_of_import(imported).values())


def test_a_copy_of_the_list_is_the_list_and_another_one_is_refused(own):
    shutil.copy(own / ENTRIES, own / "data" / ENTRIES)
    assert defects_of(own) == []
    changed(own / "data" / ENTRIES, lambda entries: entries.pop())
    with pytest.raises(DataError, match=rf"differ; expected one {ENTRIES}"):
        defects_of(own)


@pytest.mark.parametrize(
    ("content", "words"), [("[1, 2]", "expected VBench-I2V's list of objects"), ("[{", "is not JSON in UTF-8")]
)
def test_a_file_that_is_no_list_is_refused(content, words, own):
    (own / ENTRIES).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        defects_of(own)


def test_what_is_missing_altogether_is_told_with_the_way_to_it(own, tmp_path):
    with pytest.raises(ConfigError, match=r"`--root` is missing.*download_data\.sh.*docs/datasets/vbench-i2v\.md"):
        vbench_i2v()(None, tmp_path)
    with pytest.raises(DataError, match=r"has no image in a folder 8-5 \(there are 1-1, 16-9: vbench-i2v:ratio=1-1\)"):
        vbench_i2v(ratio="8-5")(own, tmp_path)
    (own / ENTRIES).unlink()
    with pytest.raises(DataError, match=rf"has no {ENTRIES}; nothing is downloaded"):
        vbench_i2v()(own, tmp_path)


def test_arguments_that_mean_nothing_are_refused():
    for ratio in ("16:9", "0-9", "wide", True):
        with pytest.raises(ConfigError, match=r"`ratio` got .*; expected width-height, such as 16-9"):
            vbench_i2v(ratio=ratio)
    with pytest.raises(UnknownNameError, match=r"Dimension 'i2v_subjct' is not known\. Did you mean 'i2v_subject'"):
        vbench_i2v(dimension="i2v_subjct")
    with pytest.raises(ConfigError, match="'vbench-i2v' has no argument 'crop'; it takes: dimension, ratio"):
        registry("importers").create("vbench-i2v:crop=1-1")


def test_an_import_never_overwrites(own, tmp_path):
    vbench_i2v()(own, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"vbench-i2v\.import\.json` is there already; expected a new file"):
        vbench_i2v()(own, tmp_path / "out")
