import json
import re
import shutil
from pathlib import Path

import pytest
from showcase_folder import save_mask, write_showcase_folder
from vbench_i2v_folder import save_picture

from anisora.datasets.showcase_13.importing import showcase_13
from anisora.datasets.showcase_13.inspection import DEFECT_KINDS, accepted_names, inspect
from anisora.datasets.showcase_13.items import MASK, known_examples
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.suite import describe, load_samples, load_suite, validate_suite


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """All images, under the names of the repository."""
    return write_showcase_folder(tmp_path / "assets")


def samples_of_import(imported) -> dict:
    return {sample.id: sample for sample in load_samples(load_suite(str(imported.files[0])))}


def test_the_examples_are_thirteen_in_two_languages_with_their_source():
    examples = known_examples()
    assert [example.number for example in examples.items] == list(range(1, 14))
    assert len({example.id for example in examples.items}) == 13
    controls = [example.control for example in examples.items]
    assert controls == ["image-to-video"] * 8 + ["temporal-control"] * 3 + ["region-control"] * 2
    for example in examples.items:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", example.id)
        assert re.search(r"[\u4e00-\u9fff]", example.prompts["zh"])
        assert not re.search(r"[\u4e00-\u9fff]", example.prompts["en"])
        assert (MASK in example.files) == (example.control == "region-control")
    assert [list(example.files) for example in examples.items[8:]] == [
        ["first", "middle", "last"],
        ["first", "last"],
        ["last"],
        ["first", "mask"],
        ["first", "mask"],
    ]
    assert examples.source["repository"] == "https://github.com/bilibili/Index-anisora"
    assert examples.source["licence"].startswith("Apache-2.0")
    for language in ("en", "zh"):
        assert re.fullmatch(r"[0-9a-f]{40}", examples.source[language]["commit"])


def test_no_name_can_stand_for_two_files_unless_the_readme_shows_it_twice():
    owners = {}
    for example in known_examples().items:
        for place, file in example.files.items():
            for name in accepted_names(example, place):
                assert owners.setdefault(name.replace("_", "-"), file) == file, name


def test_the_images_of_the_repository_become_a_suite_without_a_defect(assets, tmp_path):
    imported = registry("importers").create("showcase-13")(assets, tmp_path / "suites", strict=True)
    assert imported.defects == ()
    assert imported.summary[0] == "13 of 13 examples; prompts in English"
    suite_path, _, report_path = imported.files
    suite = load_suite(str(suite_path))
    validate_suite(suite)
    assert (suite.name, suite.track, suite.cluster, suite.reference) == ("showcase-13", None, "item", None)
    counts = describe(suite, load_samples(suite))
    assert (counts.items, counts.prompts, counts.keyframes, counts.region_masks) == (13, 13, 13, 2)
    assert counts.labels == {"image-to-video": 8, "temporal-control": 3, "region-control": 2}
    report = json.loads(report_path.read_text(encoding="utf-8"))
    assert report == imported.report
    assert (report["found"], report["items"], report["left_out"]) == (13, 13, [])
    assert report["source"] == dict(known_examples().source)
    assert len(report["sha256"]) == 8 + 3 + 2 + 1 + 1 + 2  # and not framework.png
    assert report["sha256"]["132_mask.png"] == sha256_of_file(assets / "132_mask.png")


def test_conditions_stand_where_the_readme_has_them(assets, tmp_path):
    samples = samples_of_import(showcase_13()(assets, tmp_path / "suites"))
    places = {name: sample.condition.positions for name, sample in samples.items()}
    assert places["belle"] == (0.0, 0.5, 1.0)
    assert places["car-door"] == (0.0, 1.0)
    assert places["cartoon-cat"] == (1.0,)
    assert {places[name] for name in list(samples)[:8]} == {(0.0,)}
    right, left = samples["clownfish-right"], samples["clownfish-left"]
    assert right.prompt == left.prompt
    assert right.condition.keyframes == left.condition.keyframes
    assert (right.condition.region_mask.name, left.condition.region_mask.name) == ("132_mask.png", "133_mask.png")
    assert samples["belle"].condition.region_mask is None


def test_either_language_may_be_the_prompt_and_the_other_one_is_kept(assets, tmp_path):
    english = samples_of_import(showcase_13()(assets, tmp_path))
    imported = showcase_13(language="zh")(assets, tmp_path)
    assert imported.files[0].name == "showcase-13-zh.yaml"
    chinese = samples_of_import(imported)
    example = known_examples().items[3]
    assert (english["sprint"].prompt, english["sprint"].metadata["prompt_zh"]) == tuple(example.prompts.values())
    assert (chinese["sprint"].metadata["prompt_en"], chinese["sprint"].prompt) == tuple(example.prompts.values())
    assert english["sprint"].metadata["number"] == 4
    with pytest.raises(ConfigError, match="`language` got 'jp'; expected en or zh"):
        showcase_13(language="jp")


def test_files_may_be_named_by_id_or_number(assets, tmp_path):
    renamed = {
        "000000(225).png": "wave-from-car.png",
        "000000(223).png": "2.png",
        "000000(232).png": "touch_head_first.png",
        "cartoon_films_ren_wu_shuo_hua_34_firstmidlast_mid.png": "9-mid.png",
        "motion_comics_tui_la_5_firstlast_last.jpeg": "car-door-last.jpeg",
        "motion_comics_zhi_dong_xi_2_last.jpeg": "CARTOON-CAT.jpeg",
        "132_mask.png": "clownfish-right-mask.png",
        "133_mask.png": "13_mask.png",
    }
    (assets / "below").mkdir()
    for old, new in renamed.items():
        (assets / old).rename(assets / "below" / new)
    imported = showcase_13()(assets, tmp_path / "out", strict=True)
    assert imported.defects == ()
    assert {f"below/{new}" for new in renamed.values()} <= set(imported.report["sha256"])


def test_what_is_wrong_is_named_and_the_other_examples_are_kept(assets, tmp_path):
    (assets / "000000(223).png").unlink()
    (assets / "image_5.jpg").rename(assets / "exploding-rok.jpg")
    (assets / "133_mask.png").unlink()
    (assets / "image_1.jpg").write_bytes(b"")
    save_picture(assets / "raise-arm.png", 77, 96, 64)
    save_mask(assets / "132_mask.png", 64, 64, left=0.2)
    shutil.copy(assets / "image_3.jpg", assets / "image_4.jpg")
    (assets / "cartoon_films_ren_wu_shuo_hua_34_firstmidlast_last.png").unlink()
    inspection = inspect(assets)
    messages = list(map(str, inspection.defects))
    assert messages[:3] == [
        "missing-image: 'red-rope' has no first image; expected red-rope.png or the README's 000000(223).png",
        "missing-image: 'exploding-rock' has no first image; expected exploding-rock.png or the README's image_5.jpg "
        "(nearest: `exploding-rok.jpg`)",
        "missing-image: 'belle' has no last image; expected belle-last.png or the README's "
        "cartoon_films_ren_wu_shuo_hua_34_firstmidlast_last.png",
    ]
    assert messages[3:7] == [
        "missing-mask: 'clownfish-left' has no mask; expected clownfish-left-mask.png or the README's 133_mask.png",
        "duplicate-image: 'raise-arm' has 2 files for its first image, `raise-arm.png` and `image_2.jpg`; expected one",
        "unreadable-image: `image_1.jpg`: the file is empty; expected an image",
        "mask-shape: `132_mask.png` has 64x64 pixels, `132.png` 96x64; expected one shape",
    ]
    assert messages[7].startswith("identical-files: 'image_4.jpg' has the image of 'image_3.jpg' (sha256 ")
    assert len(messages) == 8
    assert {defect.kind for defect in inspection.defects} == set(DEFECT_KINDS)
    kept = ["wave-from-car", "touch-head", "magnifying-glass", "car-door", "cartoon-cat"]
    assert [item.example.id for item in inspection.items] == kept
    strict = showcase_13()(assets, tmp_path / "out", strict=True)
    assert (strict.files, strict.defects) == ((), tuple(messages))
    imported = showcase_13()(assets, tmp_path / "out")
    assert imported.summary[0] == "5 of 13 examples; prompts in English"
    assert imported.summary[-1].startswith("8 left out; 8 defects: missing-image 3, ")
    assert list(samples_of_import(imported)) == kept
    assert set(imported.report["left_out"]) == {example.id for example in known_examples().items} - set(kept)


def test_two_copies_of_one_file_are_one(assets):
    shutil.copy(assets / "image_1.jpg", assets / "4.png")
    shutil.copy(assets / "132.png", assets / "13.png")
    inspection = inspect(assets)
    assert inspection.defects == []
    assert len(inspection.items) == 13


def test_a_folder_without_one_of_the_images_is_refused_with_the_way_to_them(tmp_path):
    with pytest.raises(ConfigError, match=r"`--root` is missing.*Index-anisora/assets.*docs/datasets/showcase-13\.md"):
        showcase_13()(None, tmp_path)
    (tmp_path / "empty").mkdir()
    save_picture(tmp_path / "empty" / "framework.png", 1, 8, 8)
    with pytest.raises(DataError, match=r"empty` has no image of an example; the images are not part of this program"):
        showcase_13()(tmp_path / "empty", tmp_path)


def test_a_missing_first_image_does_not_let_the_mask_stand_alone(tmp_path):
    save_mask(tmp_path / "12-mask.png", 96, 64, left=0.2)
    inspection = inspect(tmp_path)
    assert inspection.found == ["clownfish-right"]
    assert inspection.items == []
    with pytest.raises(DataError, match=r"not one whole item among 1; .* expected 13 examples with their images"):
        showcase_13()(tmp_path, tmp_path / "out")
