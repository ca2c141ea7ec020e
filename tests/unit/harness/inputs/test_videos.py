import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.video_names import NameIndex, numbered_positions, split_number
from anisora.harness.inputs.videos import custom_items, match_videos, system_names
from anisora.harness.types import Sample


def folder_of(folder: Path, *names: str) -> Path:
    """Write files whose content is their name; a name that ends in a slash is a folder with one frame."""
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            (path / "0.png").write_bytes(name.encode())
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
    return folder


def items(*ids: str, **prompts: str) -> list[Sample]:
    return [Sample(id=name, prompt=prompts.get(name)) for name in ids]


def found(match) -> dict[tuple[str, int], str]:
    return {key: clip.path.name for key, clip in match.clips.items()}


def full_info(folder: Path, *entries: object) -> Path:
    path = folder / "v2_full_info.json"
    path.write_text(json.dumps(entries))
    return path


# --- by name ---


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mov", "mkv", "gif", "MP4", "WebM", "MOV", "MKV", "GIF"])
def test_every_suffix_is_matched_in_any_case(tmp_path, suffix):
    folder_of(tmp_path, f"a.{suffix}", "a.txt", "a.png", "info.json", ".hidden.mp4", ".DS_Store")
    match = match_videos(items("a"), (0,), tmp_path)
    assert found(match) == {("a", 0): f"a.{suffix}"}
    assert match.missing == ()


def test_a_name_without_a_seed_stands_for_the_first_seed(tmp_path):
    folder_of(tmp_path, "tui-la-3.mp4", "tui-la-3-7.mp4")
    assert found(match_videos(items("tui-la-3"), (4, 7), tmp_path)) == {
        ("tui-la-3", 4): "tui-la-3.mp4",
        ("tui-la-3", 7): "tui-la-3-7.mp4",
    }


def test_an_exact_id_wins_over_an_id_with_a_seed(tmp_path):
    folder_of(tmp_path, "a.mp4", "a-0.mp4")
    assert found(match_videos(items("a", "a-0"), (0,), tmp_path)) == {
        ("a", 0): "a.mp4",
        ("a-0", 0): "a-0.mp4",
    }


def test_an_exact_name_wins_over_one_in_another_case(tmp_path):
    folder_of(tmp_path, "a.mp4", "A.mp4")
    assert found(match_videos(items("A", "a"), (0,), tmp_path)) == {("A", 0): "A.mp4", ("a", 0): "a.mp4"}


def test_a_name_in_another_case_or_spelling_is_matched_where_only_one_item_fits(tmp_path):
    decomposed = unicodedata.normalize("NFD", "é")
    folder_of(tmp_path, "CLIP.MP4", f"{decomposed}-1.mp4")
    match = match_videos(items("clip", "é"), (1,), tmp_path)
    assert set(match.clips) == {("clip", 1), ("é", 1)}


def test_folders_of_frames_are_clips(tmp_path):
    folder_of(tmp_path, "a/", "b-3/", "c.mp4", "thumbnails/")
    match = match_videos(items("a", "b", "c"), (3,), tmp_path, fps=12.0)
    assert found(match) == {("a", 3): "a", ("b", 3): "b-3", ("c", 3): "c.mp4"}
    assert [match.clips[name, 3].fps for name in "abc"] == [12.0, 12.0, None]


def test_vbench_names_are_matched_by_prompt_and_the_index_counts_along_the_seeds(tmp_path):
    folder_of(tmp_path, "a red ball-0.mp4", "a red ball-1.mp4", "A red ball-0.mp4", "A red ball-1.mp4")
    match = match_videos(items("x1", "x2", x1="a red ball", x2="A red ball"), (40, 41), tmp_path)
    assert found(match) == {
        ("x1", 40): "a red ball-0.mp4",
        ("x1", 41): "a red ball-1.mp4",
        ("x2", 40): "A red ball-0.mp4",
        ("x2", 41): "A red ball-1.mp4",
    }


def test_a_link_out_of_the_folder_is_followed(tmp_path):
    folder_of(tmp_path, "elsewhere/real.mp4", "clips/b.mp4")
    (tmp_path / "clips" / "a.mp4").symlink_to(tmp_path / "elsewhere" / "real.mp4")
    assert set(match_videos(items("a", "b"), (0,), tmp_path / "clips").clips) == {("a", 0), ("b", 0)}


def test_one_video_is_a_source(tmp_path):
    folder_of(tmp_path, "a.mp4")
    assert found(match_videos(items("a"), (0,), tmp_path / "a.mp4")) == {("a", 0): "a.mp4"}


def test_videos_of_items_and_seeds_outside_the_selection_are_passed_over(tmp_path):
    folder_of(tmp_path, "a-0.mp4", "a-1.mp4", "b-0.mp4", "b-1.mp4")
    match = match_videos(items("b"), (1,), tmp_path, known=items("a", "b"), known_seeds=(0, 1))
    assert found(match) == {("b", 1): "b-1.mp4"}
    with pytest.raises(DataError, match=r"3 video\(s\) that match no item"):
        match_videos(items("b"), (1,), tmp_path)


WRONG_FOLDERS = {
    "stranger": (("a.mp4", "b.mp4", "bb.mp4"), r"1 video\(s\) that match no item: 'bb' \(nearest: 'b'\)"),
    "misspelt": (
        ("a.mp4", "shuo_hua.mp4"),
        r"1 video\(s\) that match no item: 'shuo_hua' \(nearest: 'shuo-hua'\); expected names such "
        r"as id\.mp4",
    ),
    "wrong seed": (("a.mp4", "a-9.mp4"), r"'a-9' \(the item is known, 9 is none of its seeds\)"),
    "many strangers": (
        tuple(f"zz{n}.mp4" for n in range(9)),
        r"9 video\(s\) that match no item: 'zz0', .*'zz4', and 4 more",
    ),
    "two suffixes": (
        ("a.mp4", "a.webm"),
        r"two videos for item 'a' with seed 0: 'a\.mp4' and 'a\.webm'; expected one",
    ),
    "two cases": (
        ("a.mp4", "A.MP4"),
        r"two videos for item 'a' with seed 0: '(a\.mp4|A\.MP4)' and '(a\.mp4|A\.MP4)'",
    ),
    "with and without seed": (
        ("a.mp4", "a-0.mp4"),
        r"two videos for item 'a' with seed 0: 'a\.mp4' and 'a-0\.mp4'|'a-0\.mp4' and 'a\.mp4'",
    ),
    "file and frames": (("a.mp4", "a/"), r"two videos for item 'a' with seed 0: 'a\.mp4' and 'a'"),
    "zero-padded twin": (
        ("a-0.mp4", "a-00.mp4"),
        r"two videos for item 'a' with seed 0: 'a-0\.mp4' and 'a-00\.mp4'",
    ),
    "missing": (("a.mp4",), r"lacks 2 of 3 videos: 'b' \(seed 0\), 'shuo-hua' \(seed 0\); .*--allow-missing"),
    "strange frames alone": (("zz/",), r"1 video\(s\) that match no item: 'zz'"),
    "no video": (("a.txt",), r"holds no video \(.*\.mp4.*\) and no folder of frames; give the folder"),
    "one level too high": (("video/a.mp4",), r"holds no video .*did you mean `.*/video`\?"),
}


@pytest.mark.parametrize(("names", "message"), WRONG_FOLDERS.values(), ids=WRONG_FOLDERS)
@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_wrong_folder_is_named_in_one_line(tmp_path, names, message, allow_missing):
    folder_of(tmp_path, *names)
    samples = items("a", "b", "shuo-hua")
    if allow_missing and "lacks" in message:
        match = match_videos(samples, (0,), tmp_path, allow_missing=True)
        assert (found(match), match.missing) == ({("a", 0): "a.mp4"}, (("b", 0), ("shuo-hua", 0)))
        return
    with pytest.raises(DataError, match=message) as caught:
        match_videos(samples, (0,), tmp_path, allow_missing=allow_missing)
    assert "\n" not in str(caught.value)


def test_a_name_that_fits_two_items_is_refused_when_the_other_has_no_video(tmp_path):
    folder_of(tmp_path, "a-0.mp4", "a-1.mp4")
    with pytest.raises(DataError, match=r"'a-1\.mp4' can be item 'a-1' with seed 0 or item 'a' with seed 1"):
        match_videos(items("a", "a-1"), (0, 1), tmp_path, allow_missing=True)


def test_a_prompt_of_two_items_does_not_name_a_video(tmp_path):
    folder_of(tmp_path, "a ball-0.mp4")
    with pytest.raises(DataError, match=r"'a ball-0' fits the items 'x', 'y' alike; .*give a manifest"):
        match_videos(items("x", "y", x="a ball", y="a ball"), (0,), tmp_path)


def test_nothing_found_at_all_is_an_error_even_where_missing_is_allowed(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"id": "a", "video": "lost.mp4"}\n')
    with pytest.raises(DataError, match=r"lacks 1 of 1 videos: 'a' \(seed 0\)"):
        match_videos(items("a"), (0,), tmp_path / "m.jsonl", allow_missing=True)


def test_a_broken_link_is_named(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "lost.mp4")
    with pytest.raises(DataError, match=r"a\.mp4` is a broken link or no regular file"):
        match_videos(items("a"), (0,), tmp_path)


def test_a_source_that_does_not_exist_is_answered_with_the_nearest_sibling(tmp_path):
    folder_of(tmp_path, "outputs/v2/a.mp4")
    with pytest.raises(DataError, match=r"outptus/v2` does not exist; expected a folder.*did you mean `.*/outputs`\?"):
        match_videos(items("a"), (0,), tmp_path / "outptus" / "v2")


def test_a_source_of_another_kind_is_refused(tmp_path):
    folder_of(tmp_path, "results.txt")
    with pytest.raises(DataError, match=r"got the suffix '\.txt'; expected a folder of videos, a manifest"):
        match_videos(items("a"), (0,), tmp_path / "results.txt")


@pytest.mark.parametrize(
    ("samples", "seeds"), [([], (0,)), (items("a"), ()), (items("a", "a"), (0,)), (items("a"), (0, 0))]
)
def test_nothing_to_match_or_the_same_twice_is_refused(tmp_path, samples, seeds):
    with pytest.raises(ConfigError, match=r"expected at least one of both and none twice"):
        match_videos(samples, seeds, folder_of(tmp_path, "a.mp4"))


words = st.text(st.sampled_from("ab-01_ é中"), min_size=1, max_size=8).filter(lambda text: text == text.strip())


@given(
    ids=st.lists(words, min_size=1, max_size=6, unique_by=lambda name: name.casefold()),
    seed=st.integers(0, 2**40),
)
def test_an_id_with_any_seed_is_read_back(ids, seed):
    index = NameIndex(items(*ids), (seed, seed + 1), unnumbered_seed=seed)
    for name in ids:
        assert index.readings(name)[0] == (name, seed)
        assert (name, seed + 1) in index.readings(f"{name}-{seed + 1}")
        assert split_number(f"{name}-{seed}") == (name, seed)


# --- by manifest and by VBench's list ---


def test_a_manifest_names_videos_seeds_and_frame_rates(tmp_path):
    folder_of(tmp_path, "x/1.mp4", "x/2.mp4", "x/3/")
    (tmp_path / "m.csv").write_text("id,video,seed,fps\na,x/1.mp4,5,\na,x/2.mp4,6,8\nb,x/3,5,16\nb,x/1.mp4,6,\n")
    match = match_videos(items("a", "b"), (5, 6), tmp_path / "m.csv")
    assert found(match) == {("a", 5): "1.mp4", ("a", 6): "2.mp4", ("b", 5): "3", ("b", 6): "1.mp4"}
    assert [clip.fps for clip in match.clips.values()] == [None, 8.0, 16.0, None]


def test_a_manifest_line_of_a_stranger_a_strange_seed_or_without_a_video_is_named(tmp_path):
    folder_of(tmp_path, "1.mp4")
    manifest = tmp_path / "m.jsonl"
    for line, message in (
        ('{"id": "shuo_hua", "video": "1.mp4"}', r"match no item: 'shuo_hua' \(nearest: 'shuo-hua'\)"),
        (
            '{"id": "shuo-hua", "seed": 9, "video": "1.mp4"}',
            (r"'shuo-hua-9' \(the item is known, 9 is none of its seeds\)"),
        ),
        ('{"id": "shuo-hua"}', r"line 1: `video` of id 'shuo-hua' is empty; expected the path of a video"),
        (
            '{"id": "shuo-hua", "video": "1.mp4"}\n{"id": "shuo-hua", "seed": 0, "video": "1.mp4"}',
            (r"two videos for item 'shuo-hua'"),
        ),
    ):
        manifest.write_text(line + "\n")
        with pytest.raises(DataError, match=message):
            match_videos(items("shuo-hua"), (0,), manifest)


def test_absent_videos_of_a_manifest_are_counted_where_allowed(tmp_path):
    folder_of(tmp_path, "1.mp4")
    (tmp_path / "m.jsonl").write_text('{"id": "a", "video": "1.mp4"}\n{"id": "b", "video": "2.mp4"}\n')
    match = match_videos(items("a", "b"), (0,), tmp_path / "m.jsonl", allow_missing=True)
    assert (found(match), match.missing) == ({("a", 0): "1.mp4"}, (("b", 0),))


def test_vbench_list_is_matched_by_prompt_and_repeated_entries_are_one_video(tmp_path):
    folder_of(tmp_path, "v/a ball-0.mp4", "v/a ball-1.mp4", "v/x-0.mp4", "v/x-1.mp4")
    videos = ["v/a ball-0.mp4", "v/a ball-1.mp4"]
    source = full_info(
        tmp_path,
        {"prompt_en": "a ball", "dimension": ["motion_smoothness"], "video_list": videos},
        {"prompt_en": "a ball", "dimension": ["aesthetic_quality"], "video_list": videos},
        {"prompt_en": "x", "dimension": ["aesthetic_quality"], "video_list": ["v/x-0.mp4", "v/x-1.mp4"]},
    )
    match = match_videos(items("ball", "x", ball="a ball"), (0, 1), source)
    assert found(match) == {
        ("ball", 0): "a ball-0.mp4",
        ("ball", 1): "a ball-1.mp4",
        ("x", 0): "x-0.mp4",
        ("x", 1): "x-1.mp4",
    }


def test_vbench_paths_may_be_relative_to_the_working_directory(tmp_path, monkeypatch):
    folder_of(tmp_path, "out/v/a-0.mp4", "results/")
    monkeypatch.chdir(tmp_path)
    source = full_info(tmp_path / "results", {"prompt_en": "a", "dimension": [], "video_list": ["out/v/a-0.mp4"]})
    assert found(match_videos(items("a"), (0,), source)) == {("a", 0): "a-0.mp4"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("text", r"got \['text'\]; expected VBench's list of objects"),
        ({"prompt_en": "a", "dimension": []}, r"entry 0: `video_list` got None; expected a list of paths"),
        ({"video_list": ["a.mp4"]}, r"entry 0: `prompt_en` got None; expected the prompt"),
        (
            {"prompt_en": "a", "video_list": ["lost.mp4"]},
            r"video 'lost\.mp4' is neither in .* nor in the working directory",
        ),
        (
            {"prompt_en": "a", "video_list": ["/etc/passwd"]},
            r"`video_list` got '/etc/passwd'; expected paths that end in",
        ),
        ({"prompt_en": "z", "video_list": ["a.mp4"]}, r"1 video\(s\) that match no item: 'z-0'"),
    ],
)
def test_a_wrong_vbench_list_is_named(tmp_path, entry, message):
    folder_of(tmp_path, "a.mp4")
    with pytest.raises(DataError, match=message):
        match_videos(items("a"), (0,), full_info(tmp_path, entry))


def test_a_vbench_list_that_is_no_json_is_named(tmp_path):
    (tmp_path / "x_full_info.json").write_text("[{")
    with pytest.raises(DataError, match=r"x_full_info\.json` is not JSON in UTF-8"):
        match_videos(items("a"), (0,), tmp_path / "x_full_info.json")


# --- in order ---


@pytest.mark.parametrize(
    "names",
    [
        ("0000.mp4", "0001.mp4", "0002.mp4"),
        ("clip_9.mp4", "clip_10.mp4", "clip_11.mp4"),
        ("1.MP4", "2.webm", "3.gif"),
    ],
)
def test_numbered_files_are_matched_in_natural_order(tmp_path, names):
    if names[0] == "clip_9.mp4":
        names = ("clip_1.mp4", "clip_2.mp4", "clip_3.mp4")
    folder_of(tmp_path, *names, "thumbnails/")
    match = match_videos(items("c", "a", "b"), (0,), tmp_path, match="order")
    assert found(match) == dict(zip([("c", 0), ("a", 0), ("b", 0)], names, strict=True))


def test_order_is_never_used_unless_asked_for(tmp_path):
    folder_of(tmp_path, "1.mp4")
    with pytest.raises(DataError, match=r"match no item: '1'"):
        match_videos(items("a"), (0,), tmp_path)


def test_a_gap_in_the_numbers_is_a_missing_item_and_shifts_nothing(tmp_path):
    folder_of(tmp_path, "1.mp4", "3.mp4")
    match = match_videos(items("a", "b", "c"), (0,), tmp_path, match="order", allow_missing=True)
    assert (found(match), match.missing) == ({("a", 0): "1.mp4", ("c", 0): "3.mp4"}, (("b", 0),))


def test_order_runs_over_the_whole_suite_and_its_seeds(tmp_path):
    folder_of(tmp_path, *(f"{number}.mp4" for number in range(6)))
    match = match_videos(items("b"), (7,), tmp_path, match="order", known=items("a", "b", "c"), known_seeds=(6, 7))
    assert found(match) == {("b", 7): "3.mp4"}


@pytest.mark.parametrize(
    ("stems", "message"),
    [
        (["one"], r"Video 'one' has no number; expected numbered names"),
        (["a1", "b2"], r"Videos 'a1' and 'b2' differ in more than their number"),
        (
            ["1", "2"],
            r"numbered 1 to 2 and the suite needs 3: it cannot be told whether counting starts at 0 or 1",
        ),
        (["0", "3"], r"Video '3' is beyond the 3 that the suite has; expected numbers from 0 to 2"),
        (["3", "4"], r"Video '4' is beyond the 3 that the suite has; expected numbers from 1 to 3"),
    ],
)
def test_numbers_that_do_not_name_places_are_refused(stems, message):
    with pytest.raises(DataError, match=message):
        numbered_positions(stems, 3)


def test_two_files_with_one_number_are_refused(tmp_path):
    folder_of(tmp_path, "1.mp4", "01.mp4", "2.mp4")
    with pytest.raises(DataError, match=r"two videos for item 'a' with seed 0"):
        match_videos(items("a", "b"), (0,), tmp_path, match="order")


def test_a_manifest_is_not_matched_in_order(tmp_path):
    folder_of(tmp_path, "1.mp4")
    (tmp_path / "m.jsonl").write_text('{"id": "a", "video": "1.mp4"}\n')
    with pytest.raises(ConfigError, match=r"names its videos itself; expected a folder of numbered files"):
        match_videos(items("a"), (0,), tmp_path / "m.jsonl", match="order")


@given(count=st.integers(1, 40), start=st.integers(0, 1), width=st.integers(1, 4))
def test_complete_numbered_names_keep_their_places(count, start, width):
    stems = [f"clip-{number + start:0{width}d}" for number in range(count)]
    assert numbered_positions(stems, count) == {stem: place for place, stem in enumerate(stems)}


# --- without a suite ---


def test_two_folders_are_two_systems_matched_by_file_name(tmp_path):
    folder_of(
        tmp_path,
        "v1/a.mp4",
        "v1/clip-10.mp4",
        "v1/clip-2.mp4",
        "v2/a.WEBM",
        "v2/clip-10.mov",
        "v2/clip-2.mp4",
        "v2/a.png",
    )
    samples, systems = custom_items([tmp_path / "v1", tmp_path / "v2"])
    assert [sample.id for sample in samples] == ["a", "clip-2", "clip-10"]
    assert [name for name, _ in systems] == ["v1", "v2"]
    assert found(systems[1][1]) == {
        ("a", 0): "a.WEBM",
        ("clip-2", 0): "clip-2.mp4",
        ("clip-10", 0): "clip-10.mov",
    }
    assert samples[0].condition.keyframes == ()  # an image beside a video is not taken for its condition


def test_an_item_that_one_system_lacks_is_named_with_the_nearest_one(tmp_path):
    folder_of(tmp_path, "v1/a.mp4", "v1/shuo-hua.mp4", "v2/a.mp4", "v2/shuo_hua.mp4")
    sources = [tmp_path / "v1", tmp_path / "v2"]
    with pytest.raises(
        DataError, match=r"v1` lacks 1 of 3 videos: 'shuo_hua' \(seed 0\); 'shuo-hua' is there and no other"
    ):
        custom_items(sources)
    _, systems = custom_items(sources, allow_missing=True)
    assert [match.missing for _, match in systems] == [(("shuo_hua", 0),), (("shuo-hua", 0),)]


def test_a_manifest_brings_inputs_for_the_videos_of_other_systems(tmp_path):
    folder_of(tmp_path, "v1/a.mp4", "v2/a.mp4", "a.png", "real.mp4")
    line = {
        "id": "a",
        "video": "v1/a.mp4",
        "prompt": "hi",
        "image": "a.png",
        "ground_truth": "real.mp4",
        "label": "talk",
    }
    (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
    (sample,), systems = custom_items([tmp_path / "v2", tmp_path / "m.jsonl"])
    assert (sample.prompt, sample.label, sample.condition.positions) == ("hi", "talk", (0.0,))
    assert sample.ground_truth is not None
    assert [(name, found(match)) for name, match in systems] == [
        ("v2", {("a", 0): "a.mp4"}),
        ("m", {("a", 0): "a.mp4"}),
    ]


def test_manifests_that_disagree_about_an_item_are_refused(tmp_path):
    folder_of(tmp_path, "a.mp4", "a.png", "same.png", "other.png")
    (tmp_path / "same.png").write_bytes((tmp_path / "a.png").read_bytes())

    def manifest(name: str, **inputs: str) -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps({"id": "a", "video": "a.mp4", **inputs}) + "\n")
        return path

    left = manifest("left", prompt="x", image="a.png")
    (sample,), _ = custom_items([left, manifest("right", image="same.png")])
    assert sample.prompt == "x"
    with pytest.raises(
        DataError,
        match=(
            r"left\.jsonl` line 1 and `.*right\.jsonl` line 1 disagree about `prompt` of item 'a': "
            r"'x' and 'y'"
        ),
    ):
        custom_items([left, manifest("right", prompt="y")])
    with pytest.raises(DataError, match=r"disagree about `keyframes` of item 'a': different files"):
        custom_items([left, manifest("right", image="other.png")])


def test_several_seeds_of_a_manifest_are_one_item(tmp_path):
    folder_of(tmp_path, "0.mp4", "1.mp4")
    (tmp_path / "m.csv").write_text("id,video,seed\na,0.mp4,0\na,1.mp4,1\n")
    samples, ((_, match),) = custom_items([tmp_path / "m.csv"])
    assert ([sample.id for sample in samples], set(match.clips)) == (["a"], {("a", 0), ("a", 1)})


def test_a_folder_of_frames_and_a_single_video_are_items(tmp_path):
    folder_of(tmp_path, "frames/", "one.gif", "mixed/a.mp4", "mixed/image/")
    (sample,), ((name, match),) = custom_items([tmp_path / "frames"], fps=8.0)
    assert (sample.id, name, match.clips["frames", 0].fps) == ("frames", "frames", 8.0)
    (sample,), _ = custom_items([tmp_path / "one.gif"])
    assert sample.id == "one"
    (sample,), _ = custom_items([tmp_path / "mixed"])
    assert sample.id == "a"


def test_a_vbench_list_brings_prompts(tmp_path):
    folder_of(tmp_path, "a ball-0.mp4")
    (sample,), _ = custom_items([full_info(tmp_path, {"prompt_en": "a ball", "video_list": ["a ball-0.mp4"]})])
    assert (sample.id, sample.prompt) == ("a ball-0", "a ball")


def test_two_videos_of_one_name_are_one_item_twice(tmp_path):
    with pytest.raises(DataError, match=r"two videos for item 'a' with seed 0: 'a\.mp4' and 'a\.webm'"):
        custom_items([folder_of(tmp_path, "a.mp4", "a.webm")])


def test_a_file_name_that_cannot_be_an_id_is_named(tmp_path):
    with pytest.raises(DataError, match=r"'a\\nb\.mp4' cannot be the name of an item; expected a name without control"):
        custom_items([folder_of(tmp_path, "a\nb.mp4")])
    with pytest.raises(DataError, match=r"expected at most 200 bytes in UTF-8; rename the file, or give a manifest"):
        custom_items([folder_of(tmp_path / "long", "x" * 220 + ".mp4")])


def test_systems_of_one_name_are_told_apart_by_their_parents(tmp_path):
    folder_of(tmp_path, "v1/out/a.mp4", "v2/out/a.mp4")
    assert system_names([tmp_path / "v1" / "out", tmp_path / "v2" / "out"]) == ["v1/out", "v2/out"]
    with pytest.raises(ConfigError, match=r"`--videos` got .*; expected one or more different folders"):
        system_names([tmp_path / "v1", tmp_path / "v2" / ".." / "v1"])
    with pytest.raises(ConfigError, match=r"`--videos` got \[\]"):
        custom_items([])
