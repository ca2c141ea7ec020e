import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from anisora_folder import SUFFIX, benchmark_ids, with_box, with_text, write_anisora_folder
from shared_data import REPOSITORY

from anisora.datasets.anisora_948.actions import known_actions, label_key
from anisora.datasets.anisora_948.clip_ids import UnknownStyleError, WrongIdError, read_clip_id
from anisora.datasets.anisora_948.importing import import_anisora_948
from anisora.datasets.anisora_948.inspection import DEFECT_KINDS, inspect
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.suite import describe, load_samples, load_suite, validate_suite


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 948 whole items; nobody may change it."""
    folder = tmp_path_factory.mktemp("whole") / "AniSora-Benchmark"
    write_anisora_folder(folder)
    return folder


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 whole items; nobody may change it."""
    folder = tmp_path_factory.mktemp("sixty") / "small"
    write_anisora_folder(folder, count=60)
    return folder


@pytest.fixture
def small(sixty: Path, tmp_path: Path) -> Path:
    """A folder of 60 whole items of one's own."""
    return shutil.copytree(sixty, tmp_path / "small")


def defects_of(folder: Path) -> dict[str, list[str]]:
    """Return {kind: messages}, without the counts that a small folder cannot meet."""
    found: dict[str, list[str]] = {}
    for defect in inspect(folder).defects:
        if defect.kind not in ("label-count", "item-count"):
            found.setdefault(defect.kind, []).append(defect.message)
    return found


# -- labels


def test_the_known_labels_are_those_of_the_public_ids():
    spellings = known_actions().spellings
    clips, labels = Counter(), Counter()
    for seen in spellings.values():
        for style, (count, highest) in seen.items():
            clips[style] += count
            labels[style] += 1
            assert 0 < count <= highest + 1
    assert clips == {"cartoon_films": 449, "motion_comics": 113, "none": 151}
    assert labels == {"cartoon_films": 62, "motion_comics": 39, "none": 27}
    assert len(spellings) == len(known_actions().by_key) == 77
    assert sum(highest + 1 for seen in spellings.values() for _, highest in seen.values()) == 1050


def test_every_action_has_both_glosses_and_every_label_its_characters():
    import yaml

    data = yaml.safe_load((REPOSITORY / "datasets" / "anisora_actions.yaml").read_text(encoding="utf-8"))
    assert len(data["actions"]) == 50
    for name, action in data["actions"].items():
        assert name == name.lower()
        assert action["en"].isascii()
        for raw, entry in action["raw"].items():
            assert set(entry) == {"zh", "seen"}
            assert len(entry["zh"]) == len(raw.split("_")), f"{raw}: a character for each syllable"
        assert not action["zh"].isascii()


def test_labels_that_the_public_ids_alone_overfill_have_no_upper_bound():
    unbounded = {action.name: action.seen for action in known_actions().by_key.values() if action.most is None}
    assert unbounded == {"talk": 48, "wave": 36}


# -- ids


@pytest.mark.parametrize(
    ("name", "style", "raw", "index", "action"),
    [
        ("cartoon_films_da_dou_1", "cartoon_films", "da_dou", 1, "fight"),
        ("motion_comics_dong_tai_man_ren_wu_shuo_hua_0", "motion_comics", "dong_tai_man_ren_wu_shuo_hua", 0, "talk"),
        ("shuo_hua_26", "none", "shuo_hua", 26, "talk"),
        ("tuila_13", "none", "tuila", 13, "push_or_pull"),
        ("motion_comics_hui_shou_3", "motion_comics", "hui_shou", 3, "wave"),  # known, not with this style
        ("cartoon_films_diao_yu_2", "cartoon_films", "diao_yu", 2, None),
        ("diaoyu_2", "none", "diaoyu", 2, None),
        ("nv_ren_shuo_hua_2", "none", "nv_ren_shuo_hua", 2, None),  # words of pinyin are no style
    ],
)
def test_an_id_is_style_label_and_index(name, style, raw, index, action):
    found = read_clip_id(name)
    assert (found.style, found.raw_label, found.index, found.action) == (style, raw, index, action)
    assert found.label == (action or raw)


@pytest.mark.parametrize(
    "name",
    [
        "da_dou",
        "Da_Dou_1",
        "da__dou_1",
        "_da_dou_1",
        "da_dou_01",
        "da-dou-1",
        "1",
        "cover_1",
        "da_dou_12345",
        "a" * 200,
    ],
)
def test_what_is_no_id_is_refused(name):
    with pytest.raises(WrongIdError, match="expected"):
        read_clip_id(name)
    with pytest.raises(WrongIdError, match="has a style and no action"):
        read_clip_id("cartoon_films_1")


@pytest.mark.parametrize(
    ("name", "style"),
    [("anime_da_dou_1", "anime"), ("live_action_diao_yu_1", "live_action"), ("cartoon_film_da_dou_1", "cartoon_film")],
)
def test_a_style_that_is_not_known_is_named(name, style):
    with pytest.raises(UnknownStyleError, match=f"has the style '{style}'"):
        read_clip_id(name)


def test_a_long_word_is_judged_quickly():
    with pytest.raises(WrongIdError):
        read_clip_id("ao" * 45 + "b_1")


def test_the_made_ids_are_all_known_and_as_many_as_the_benchmark_has():
    ids = benchmark_ids()
    assert len(set(ids)) == 948
    found = [read_clip_id(name) for name in ids]
    assert {one.style for one in found} == {"cartoon_films", "motion_comics", "none"}
    assert {label_key(one.raw_label) for one in found} == set(known_actions().by_key)


# -- a whole folder


def test_a_whole_folder_becomes_a_suite_without_a_defect(whole, tmp_path):
    imported = import_anisora_948(whole, tmp_path / "suites", strict=True)
    assert imported.defects == ()
    assert imported.summary[0] == (
        "948 of 948 items in 50 labels; styles: cartoon_films 496, motion_comics 264, none 188"
    )
    suite_path, manifest_path, report_path = imported.files
    assert [path.name for path in imported.files] == [
        f"anisora-948.{kind}" for kind in ("yaml", "jsonl", "import.json")
    ]
    suite = load_suite(str(suite_path))
    validate_suite(suite)
    assert (suite.name, suite.track, suite.cluster, suite.reference) == ("anisora-948", "i2v", "label", "ground-truth")
    assert {"psnr", "ssim", "condition_fidelity", "temporal_flickering"} <= set(suite.metrics)
    samples = load_samples(suite)
    counts = describe(suite, samples)
    assert (counts.items, counts.prompts, counts.keyframes, counts.ground_truth) == (948,) * 4
    assert sorted(counts.labels.values()) == [18] * 2 + [19] * 48
    assert manifest_path.read_text(encoding="utf-8").count("\n") == 948
    report = json.loads(report_path.read_text(encoding="utf-8"))
    assert report == imported.report
    assert (report["found"], report["items"], report["left_out"]) == (948, 948, [])
    assert report["lists"] == {"prompts_v2.txt": "gbk", "prompts_v3.txt": "utf-8"}
    assert len(report["sha256"]) == 2 * 948 + 2
    assert report["sha256"]["prompts_v2.txt"] == sha256_of_file(whole / "prompts_v2.txt")


def test_prompts_of_both_encodings_are_read_and_their_suffix_is_kept_apart(whole, tmp_path):
    samples = {sample.id: sample for sample in load_samples(load_suite(_suite_of(whole, tmp_path)))}
    ids = benchmark_ids()
    old, new = samples[ids[0]], samples[ids[-1]]
    for sample in (old, new):
        assert sample.prompt == f"In this video, 一个角色 acts out {sample.id}."
        assert sample.metadata["prompt_suffix"] == SUFFIX
        assert [position for position, _ in sample.condition.keyframes] == [0.0]
        assert sample.metadata["style"] in ("cartoon_films", "motion_comics", "none")
    assert "listed_positions" not in old.metadata
    assert new.metadata["listed_positions"] == [0.0, 1.0]


def _suite_of(root: Path, folder: Path) -> str:
    return str(import_anisora_948(root, folder / "suites").files[0])


def test_columns_may_come_from_another_suite(small, tmp_path):
    imported = import_anisora_948(small, tmp_path, template="anisora-7")
    suite, template = load_suite(str(imported.files[0])), load_suite("anisora-7")
    assert suite.name == "anisora-948-anisora-7"
    assert suite.columns == template.columns
    from_demo = load_suite(str(import_anisora_948(small, tmp_path, template="demo", name="as-demo").files[0]))
    assert from_demo.metrics == load_suite("demo").metrics
    with pytest.raises(UnknownNameError, match="anisora-7"):
        import_anisora_948(small, tmp_path, template="anisora7", name="x")
    with pytest.raises(ConfigError, match="`--suite` got 'demo', and `--metrics` was given"):
        import_anisora_948(small, tmp_path, template="demo", metrics=["psnr"], name="x")


# -- defects


def test_every_kind_of_defect_is_named_and_the_other_items_are_kept(whole, tmp_path):
    folder = tmp_path / "defective"
    shutil.copytree(whole, folder)
    videos, images = folder / "videos", folder / "images"
    ids = benchmark_ids()
    (no_clip, no_image, no_prompt, twice, out_of_range, empty, broken, cut, like, same_image, undecodable) = ids[
        500:511
    ]
    (videos / f"{no_clip}.mp4").unlink()
    (images / f"{no_image}.png").unlink()
    (folder / "more").mkdir()
    (folder / "more" / f"{twice}.mp4").write_bytes(with_box((videos / f"{twice}.mp4").read_bytes(), "other"))
    (images / f"{empty}.png").write_bytes(b"")
    (images / f"{broken}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing that follows")
    whole_clip = (videos / f"{cut}.mp4").read_bytes()
    (videos / f"{cut}.mp4").write_bytes(whole_clip[: len(whole_clip) // 2])
    shutil.copy(videos / f"{ids[0]}.mp4", videos / f"{like}.mp4")
    shutil.copy(images / f"{ids[1]}.png", images / f"{same_image}.png")
    shutil.copy(videos / f"{ids[2]}.mp4", videos / "cover.mp4")
    for name in ("anime_da_dou_1", "cartoon_films_diao_yu_1"):
        for kind, change in ((videos, with_box), (images, with_text)):
            suffix = "mp4" if kind == videos else "png"
            (kind / f"{name}.{suffix}").write_bytes(change((kind / f"{ids[0]}.{suffix}").read_bytes(), name))
    listed = (folder / "prompts_v3.txt").read_bytes().decode().splitlines()
    changed = []
    for line in listed:
        name = line.partition("@@images/")[2].partition(".png")[0]
        if name == no_prompt:
            continue
        changed.append(line.replace("&&0,1", "&&0,1.5") if name == out_of_range else line)
    changed += ["A cat runs.@@images/da_dou_77.png", "A cat runs, and there is no image."]
    changed += ["A man fishes.@@images/cartoon_films_diao_yu_1.png"]
    content = "\n".join(changed).encode()
    (folder / "prompts_v3.txt").write_bytes(content.replace(f"acts out {undecodable}".encode(), b"acts out \xe4 \xff"))

    inspection = inspect(folder)
    found = {kind: [one.message for one in inspection.defects if one.kind == kind] for kind in DEFECT_KINDS}
    expected = {
        "wrong-id": "`videos/cover.mp4`: 'cover' is no id",
        "unknown-style": "'anime_da_dou_1' has the style 'anime'",
        "unknown-label": "'diao_yu' of 1 item is not on the list of labels",
        "duplicate-id": f"'{twice}' has 2 clips, `more/{twice}.mp4` and `videos/{twice}.mp4`; expected one",
        "missing-clip": f"'{no_clip}' has no clip; expected {no_clip}.mp4",
        "missing-image": f"'{no_image}' has no image; expected {no_image}.png",
        "prompt-without-item": "'da_dou_77' has no clip and no image",
        "wrong-line": "has 0 times '@@'; expected prompt@@image",
        "position-out-of-range": f"'{out_of_range}' has the position 1.5; expected 0 (first frame) to 1 (last)",
        "unreadable-text": "is no text in UTF-8; expected UTF-8 or GBK",
        "unreadable-clip": f"`videos/{cut}.mp4`: it ends ",
        "unreadable-image": f"`images/{broken}.png`: it has no header of PNG",
        "identical-files": f"'{same_image}' has the image of '{ids[1]}'",
        "missing-prompt": f"'{no_prompt}' has no prompt; expected a line prompt@@{no_prompt}.png",
        "item-count": "here are 949 items; expected 948",
    }
    for kind, words in expected.items():
        assert any(words in message for message in found[kind]), (kind, found[kind])
    messages = [str(defect) for defect in inspection.defects]
    assert f"missing-prompt: '{undecodable}' has no prompt; expected a line prompt@@{undecodable}.png" in messages
    assert f"unreadable-image: `images/{empty}.png`: the file is empty; expected an image" in messages
    assert any(line.startswith(f"identical-files: '{like}' has the clip of '{ids[0]}'") for line in messages)
    assert [defect.kind for defect in inspection.defects] == sorted(
        (defect.kind for defect in inspection.defects), key=DEFECT_KINDS.index
    )
    assert all("\n" not in line for line in messages)
    left_out = {no_clip, no_image, no_prompt, twice, out_of_range, empty, broken, cut, like, same_image, undecodable}
    assert set(inspection.left_out) == left_out | {"cover", "anime_da_dou_1"}
    assert {item.name for item in inspection.items} == set(ids) - left_out | {"cartoon_films_diao_yu_1"}

    out = tmp_path / "out"
    strict = import_anisora_948(folder, out, strict=True)
    assert strict.files == ()
    assert strict.defects == tuple(messages)
    assert not out.exists()
    imported = import_anisora_948(folder, out)
    assert imported.summary[0].startswith("938 of 948 items in 51 labels")
    assert imported.summary[-1].startswith("13 left out; 18 defects: wrong-id 1, unknown-style 1, ")
    assert any(line.split() == ["1", "diao_yu", "(unmapped)"] for line in imported.summary)
    samples = {sample.id: sample for sample in load_samples(load_suite(str(imported.files[0])))}
    assert len(samples) == 938
    fishing = samples["cartoon_films_diao_yu_1"]
    assert (fishing.label, fishing.metadata["unmapped"]) == ("diao_yu", True)
    assert imported.report["unmapped"] == {"diao_yu": 1}
    assert imported.report["defect_counts"]["missing-prompt"] == 2


def test_labels_with_too_few_or_too_many_clips_are_named(small):
    folder, ids = small, benchmark_ids(60)
    counts = [str(defect) for defect in inspect(folder).defects]
    assert "label-count: 'talk' has 1 clip; expected 10 or more" in counts
    assert "label-count: 'fight' has 2 clips; expected 10 to 30" in counts
    assert "item-count: here are 60 items; expected 948" in counts
    assert len(counts) == 51
    lines = []
    for index in range(100, 131):
        name = f"cartoon_films_da_dou_{index}"
        for kind, suffix, change in (("videos", "mp4", with_box), ("images", "png", with_text)):
            content = (folder / kind / f"{ids[0]}.{suffix}").read_bytes()
            (folder / kind / f"{name}.{suffix}").write_bytes(change(content, name))
        lines.append(f"Two men fight.@@{name}.png\n")
    (folder / "more.txt").write_text("".join(lines), encoding="utf-8")
    assert "label-count: 'fight' has 33 clips; expected 10 to 30" in map(str, inspect(folder).defects)


def test_the_same_prompt_in_two_lists_is_one_and_another_is_a_defect(small):
    name = benchmark_ids(60)[0]
    prompt = f"In this video, 一个角色 acts out {name}."
    extra = small / "again.txt"
    extra.write_text(f"{prompt} motion score: 3.0.@@D:\\frames\\{name}.png&&0\n", encoding="utf-8")
    assert defects_of(small) == {}
    extra.write_text(f"Something else.@@{name}.png\n", encoding="utf-8")
    assert defects_of(small) == {
        "duplicate-id": [f"'{name}' has two prompts, `again.txt` line 1 and `prompts_v2.txt` line 1; expected one"]
    }


def test_a_line_without_a_prompt_is_a_missing_prompt(small):
    name = benchmark_ids(60)[0]
    (small / "prompts_v2.txt").write_text(f" {SUFFIX}@@{name}.png\n", encoding="utf-8")
    found = defects_of(small)["missing-prompt"]
    assert found[0] == f"`prompts_v2.txt` line 1: '{name}' has no prompt; expected a line prompt@@{name}.png"
    assert len(found) == 30


def test_a_file_in_another_encoding_is_one_defect(small):
    (small / "prompts_v2.txt").write_bytes("彼女は手を振る。@@a.png\n".encode("utf-16") * 5)
    assert defects_of(small)["unreadable-text"] == [
        "`prompts_v2.txt` is no text in GBK; expected UTF-8 or GBK; save the file as UTF-8"
    ]


def test_other_files_and_hidden_ones_are_passed_over_and_links_are_followed(small, tmp_path):
    (small / "readme.txt").write_text("Thank you for signing.", encoding="utf-8")
    (small / "form.doc").write_bytes(b"signed")
    (small / "__MACOSX").mkdir()
    (small / "__MACOSX" / "cover.mp4").write_bytes(b"")
    (small / "videos" / "._cover.mp4").write_bytes(b"")
    shutil.move(small / "videos", tmp_path / "elsewhere")
    (small / "videos").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(small)  # a ring
    inspection = inspect(small)
    assert defects_of(small) == {}
    assert len(inspection.items) == 60
    assert set(inspection.lists) == {"prompts_v2.txt", "prompts_v3.txt"}


# -- what cannot be imported at all


def test_masks_of_ones_own_are_found_by_the_id_and_strays_are_named(small, tmp_path):
    first, second = benchmark_ids(60)[:2]
    picture = (small / "images" / f"{first}.png").read_bytes()
    (small / "masks").mkdir()
    (small / "masks" / f"{first}-mask.png").write_bytes(picture)
    (small / "masks" / "nobody_1-mask.png").write_bytes(picture)
    (small / "masks" / f"{second}-mask.png").write_bytes(b"")
    found = defects_of(small)
    assert found.pop("unreadable-image")[0].startswith(f"`masks/{second}-mask.png`: ")
    assert found == {"wrong-id": ["`masks/nobody_1-mask.png` is a mask of 'nobody_1', which has no clip and no image"]}
    imported = import_anisora_948(small, tmp_path / "out")
    samples = {sample.id: sample for sample in load_samples(load_suite(f"{imported.files[0]}@region"))}
    assert list(samples) == [first]
    assert samples[first].condition.region_mask.name == f"{first}-mask.png"
    with pytest.raises(UnknownNameError, match="Tracks of suite 'anisora-948': i2v, last, mid, keyframe, region"):
        load_suite(f"{imported.files[0]}@first")


def test_without_a_folder_the_error_says_how_the_clips_are_come_by(tmp_path):
    with pytest.raises(
        ConfigError, match=r"`--root` is missing.*anisora_benchmark_agreement_form\.doc.*mail it"
    ) as caught:
        import_anisora_948(None, tmp_path)
    assert "docs/datasets/anisora-948.md" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty` has no clip, no image and no list.*agreement_form\.doc"):
        import_anisora_948(tmp_path / "empty", tmp_path)
    with pytest.raises(DataError, match=r"`.*emtpy` does not exist; expected the folder of anisora-948; did you mean"):
        import_anisora_948(tmp_path / "emtpy", tmp_path)


def test_a_folder_without_one_whole_item_is_refused_with_its_first_defect(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "da_dou_1.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"has not one whole item among 1; the first of \d+ defects is missing-image: "):
        import_anisora_948(tmp_path / "here", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_import_never_overwrites(small, tmp_path):
    import_anisora_948(small, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"anisora-948\.import\.json` is there already; expected a new file"):
        import_anisora_948(small, tmp_path / "out")
    (tmp_path / "out" / "anisora-948.import.json").unlink()
    with pytest.raises(ConfigError, match=r"anisora-948\.yaml` is there already; expected a new file"):
        import_anisora_948(small, tmp_path / "out")
    assert not (tmp_path / "out" / "anisora-948.import.json").exists()
