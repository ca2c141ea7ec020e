"""Which frames models are given on the tracks of a suite."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.stages.run import evaluate_spec
from anisora.harness.suite import Suite, load_samples, load_suite, samples_fingerprint, suite_of_run
from anisora.harness.tracks import split_track

FRAMES = np.repeat(np.arange(0, 250, 25, dtype=np.uint8), 16 * 16 * 3).reshape(10, 16, 16, 3)
TRACKS: dict[str, Any] = {
    "i2v": {"keyframes": {0: "image"}},
    "last": {"keyframes": {1: "ground_truth"}},
    "mid": {"keyframes": {0.5: "ground_truth"}},
    "keyframe": {"keyframes": {0: "image", 1: "ground_truth"}},
    "region": {"keyframes": {0: "image"}, "region_mask": True},
}
SUITE: dict[str, Any] = {
    "name": "posed",
    "version": 1,
    "title": "Posed",
    "dataset": "manifest:path=items.jsonl",
    "track": "i2v",
    "tracks": TRACKS,
    "derived": {"interp-avg": {"mean_of": ["keyframe", "last", "mid"]}},
    "columns": [{"metric": "sharpness", "header": "Sharpness"}],
}


def png(path: Path, level: int) -> None:
    from PIL import Image

    Image.new("RGB", (16, 16), (level, level, level)).save(path)


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three items with image and ground truth, the second with a mask; one clip for two of them."""
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    with DecoderPool() as pool:
        pool.encode(FRAMES, fps=8, path=tmp_path / "a.mkv")
        pool.encode(FRAMES[:4], fps=8, path=tmp_path / "b.mkv")
    png(tmp_path / "image.png", 7)
    png(tmp_path / "mask.png", 255)
    (tmp_path / "items.jsonl").write_text(
        '{"id": "a", "image": "image.png", "ground_truth": "a.mkv", "label": "walk"}\n'
        '{"id": "b", "image": "image.png", "ground_truth": "b.mkv", "label": "talk", "region_mask": "mask.png"}\n'
        '{"id": "c", "image": "image.png", "ground_truth": "a.mkv", "label": "walk"}\n'
    )
    return written(tmp_path)


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "posed.yaml"
    path.write_text(yaml.safe_dump({**SUITE, **changes}, sort_keys=False))
    return path


def levels_of(suite: Path, track: str) -> dict[str, list[tuple[float, int]]]:
    """{item: (position, grey level of its image)}"""
    with DecoderPool() as pool:
        return {
            sample.id: [
                (position, int(pool.read_image(image.path)[8, 8, 0])) for position, image in sample.condition.keyframes
            ]
            for sample in load_samples(load_suite(f"{suite}@{track}"))
        }


@pytest.mark.parametrize(
    ("track", "levels"),
    [
        ("i2v", {"a": [(0, 7)], "b": [(0, 7)], "c": [(0, 7)]}),
        ("last", {"a": [(1, 225)], "b": [(1, 75)], "c": [(1, 225)]}),
        ("mid", {"a": [(0.5, 100)], "b": [(0.5, 50)], "c": [(0.5, 100)]}),
        ("keyframe", {"a": [(0, 7), (1, 225)], "b": [(0, 7), (1, 75)], "c": [(0, 7), (1, 225)]}),
        ("region", {"b": [(0, 7)]}),
    ],
)
def test_each_track_gives_its_frames_at_their_positions(
    suite: Path, track: str, levels: dict[str, list[tuple[float, int]]]
) -> None:
    # Frame 4.5 of ten is rounded to the even one, 4, as the metrics of conditioning images round.
    assert levels_of(suite, track) == levels


def test_the_mask_is_given_on_the_track_of_regions_alone(suite: Path) -> None:
    masks = {
        track: [sample.condition.region_mask for sample in load_samples(load_suite(f"{suite}@{track}"))]
        for track in TRACKS
    }
    assert masks.pop("region") == [suite.parent / "mask.png"]
    assert all(mask is None for found in masks.values() for mask in found)


def test_a_suite_without_a_name_behind_it_is_its_own_track(suite: Path) -> None:
    assert load_suite(str(suite)).track == "i2v"
    other = load_suite(f"{suite}@last")
    assert (other.track, other.own_track, other.on("mid").own_track) == ("last", "i2v", "i2v")


def test_frames_are_read_once_and_found_again(suite: Path, tmp_path: Path) -> None:
    posed = load_suite(f"{suite}@last")
    first = load_samples(posed)
    (tmp_path / "a.mkv").rename(tmp_path / "moved.mkv")
    (tmp_path / "moved.mkv").rename(tmp_path / "a.mkv")
    pictures = sorted((tmp_path / "cache" / "ground-truth-frames").rglob("*.png"))
    written_at = [path.stat().st_mtime_ns for path in pictures]
    assert len(pictures) == 2  # a and c have one clip
    assert samples_fingerprint(load_samples(posed)) == samples_fingerprint(first)
    assert [path.stat().st_mtime_ns for path in pictures] == written_at


def test_what_models_are_given_tells_the_items_of_two_tracks_apart(suite: Path) -> None:
    digests = {track: samples_fingerprint(load_samples(load_suite(f"{suite}@{track}")))["sha256"] for track in TRACKS}
    assert len(set(digests.values())) == len(TRACKS)


def test_only_the_frames_of_the_items_that_are_asked_for_are_read(suite: Path, tmp_path: Path) -> None:
    assert [sample.id for sample in load_samples(load_suite(f"{suite}@last"), labels=["talk"])] == ["b"]
    assert len(list((tmp_path / "cache" / "ground-truth-frames").rglob("*.png"))) == 1
    assert load_samples(load_suite(f"{suite}@mid"), posed=False)[0].condition.positions == (0.0,)
    assert len(list((tmp_path / "cache" / "ground-truth-frames").rglob("*.png"))) == 1


def test_a_run_remembers_its_track_and_finds_its_suite_again(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(suite.parent)
    spec = evaluate_spec("posed.yaml@keyframe", videos="clips", model="mine")
    assert (spec.track, spec.suite_source) == ("keyframe", f"{suite}@keyframe")
    found = suite_of_run(spec)
    assert found is not None
    assert found.track == "keyframe"
    assert evaluate_spec(str(suite), videos="clips").track == "i2v"


def test_an_unknown_track_has_the_nearest_and_a_derived_one_says_what_it_is(suite: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Track 'lasst' is not known. Did you mean 'last'\?"):
        load_suite(f"{suite}@lasst")
    with pytest.raises(
        UnknownNameError, match=r"i2v, last, mid, keyframe, region; 'interp-avg' is derived from others"
    ):
        load_suite(f"{suite}@interp-avg")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"track": "first"}, "`track` has 'first'; expected one of i2v, last, mid, keyframe, region"),
        ({"track": None}, "`track` has ''; expected one of i2v"),
        ({"derived": {"avg": {"mean_of": ["last", "end"]}}}, "`derived.avg.mean_of` has 'end'; expected one of i2v"),
        ({"derived": {"last": {"mean_of": ["mid", "i2v"]}}}, "`derived` has 'last', which is one of the tracks"),
        ({"derived": {"avg": {"mean_of": ["last"]}}}, "derived.avg.mean_of"),
        ({"tracks": {"Up": {"keyframes": {0: "image"}}}, "track": "Up", "derived": {}}, "small letters, digits"),
        ({"tracks": {"i2v": {"keyframes": {1.5: "image"}}}, "derived": {}}, "tracks.i2v.keyframes.1.5"),
        ({"tracks": {"i2v": {"keyframes": {0: "picture"}}}, "derived": {}}, "tracks.i2v.keyframes.0"),
        ({"tracks": {"i2v": {"keyframes": {}}}, "derived": {}}, "tracks.i2v.keyframes"),
        ({"tracks": {"i2v": {"keyframe": {0: "image"}}}, "derived": {}}, "'keyframes'"),
        ({"dataset": None, "reference": None}, "`tracks` is given and `dataset` is null"),
    ],
)
def test_a_suite_file_with_wrong_tracks_is_refused(suite: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=r"posed\.yaml") as caught:
        load_suite(str(written(suite.parent, **changes)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "track", "message"),
    [
        (
            '{"id": "x", "ground_truth": "a.mkv"}',
            "i2v",
            r"Item 'x' of `posed@i2v` has no image at position 0, and it has",
        ),
        ('{"id": "x", "image": "image.png"}', "mid", r"'x' of `posed@mid` has no ground truth, .* at position 0\.5"),
        ('{"id": "x", "image": "image.png"}', "region", r"No item of `posed@region` has a region mask"),
        (
            '{"id": "x", "ground_truth": "broken.mkv"}',
            "last",
            r"ground truth of item 'x' of `posed@last`.* cannot be read",
        ),
    ],
)
def test_items_that_cannot_be_posed_are_named(suite: Path, line: str, track: str, message: str) -> None:
    (suite.parent / "items.jsonl").write_text(line + "\n")
    (suite.parent / "broken.mkv").write_bytes(b"no video")
    with pytest.raises(DataError, match=message):
        load_samples(load_suite(f"{suite}@{track}"))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("demo@last", ("demo", "last")),
        ("demo", ("demo", None)),
        ("a/b@c/suite.yaml", ("a/b@c/suite.yaml", None)),
        ("a/suite.yaml@interp-avg", ("a/suite.yaml", "interp-avg")),
        ("demo@4", ("demo@4", None)),
        ("demo@4:last", ("demo@4:last", None)),
        ("@last", ("@last", None)),
    ],
)
def test_what_stands_behind_the_last_at_sign_is_a_track_if_it_can_be_one(name: str, parts: tuple[str, Any]) -> None:
    assert split_track(name) == parts


def test_the_demo_has_the_tracks_of_the_benchmark() -> None:
    from anisora.datasets.anisora_948.importing import TRACKS as BENCHMARK

    demo = load_suite("demo")
    assert {name: track.model_dump(exclude_defaults=True) for name, track in demo.tracks.items()} == BENCHMARK
    assert isinstance(demo, Suite)
    assert demo.derived["interp-avg"].mean_of == ("keyframe", "last", "mid")
