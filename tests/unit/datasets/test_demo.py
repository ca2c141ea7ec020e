"""The demo's items are drawn once, found again, and repaired."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from anisora.datasets import demo
from anisora.datasets.demo import DEMO_SCENES, MASKED, DemoDataset
from anisora.datasets.film import FILM_CUTS, find_film
from anisora.harness.drawing import poses
from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.render import Scene, prompt_of, region_of, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS
from anisora.harness.suite import load_suite, validate_suite

SMALL = {
    "walk-a": Scene(action="walk", seed=1, width=64, height=36, num_frames=4),
    "talk-a": Scene(action="talk", seed=2, width=64, height=36, num_frames=4, fps=16.0, hold=1),
}


@pytest.fixture
def small_scenes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Scene]:
    """Two small scenes in place of all, and no film, so that drawing them takes no time."""
    monkeypatch.setattr(demo, "DEMO_SCENES", SMALL)
    monkeypatch.setattr(demo, "find_film", partial(find_film, "a-distribution-that-nobody-has"))
    return SMALL


def test_nothing_is_drawn_before_the_items_are_asked_for(tmp_path: Path) -> None:
    dataset = registry("datasets").create(f"demo:folder={tmp_path / 'demo'}")
    assert len(dataset) == len(DEMO_SCENES) + (0 if dataset.notes else len(FILM_CUTS))
    assert dataset.name == "demo"
    assert dataset.revision.startswith("3-")
    assert not (tmp_path / "demo").exists()


def test_there_are_enough_labels_for_intervals() -> None:
    labels = Counter(scene.action for scene in DEMO_SCENES.values()) + Counter(cut.label for cut in FILM_CUTS.values())
    assert len(labels) == 12 > MIN_CLUSTERS
    assert set(labels.values()) == {2}
    assert {(scene.fps, scene.hold) for scene in DEMO_SCENES.values()} == {(24.0, 2), (16.0, 1)}
    assert {scene.outfit for scene in DEMO_SCENES.values()} == {0, 1}
    assert len({prompt_of(scene) for scene in DEMO_SCENES.values()}) == len(DEMO_SCENES)


def test_half_of_the_items_are_of_each_outfit_and_four_have_a_mask() -> None:
    assert Counter(scene.outfit for scene in DEMO_SCENES.values()) == {0: 10, 1: 10}
    assert len(MASKED) == 4
    assert all(poses.ACTIONS[DEMO_SCENES[item].action].camera == "still" for item in MASKED)


def test_a_mask_is_white_where_the_scene_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(action="wave", seed=1, width=64, height=36, num_frames=4)
    monkeypatch.setattr(demo, "DEMO_SCENES", {"wave-a": scene})
    monkeypatch.setattr(demo, "find_film", partial(find_film, "a-distribution-that-nobody-has"))
    (sample,) = DemoDataset(str(tmp_path))
    with DecoderPool() as pool:
        mask = pool.read_image(sample.condition.region_mask)
    assert np.array_equal(mask[..., 0] == 255, region_of(scene))
    assert set(np.unique(mask)) == {0, 255}


def test_an_item_says_what_it_is_and_whose(tmp_path: Path, small_scenes: dict[str, Scene]) -> None:
    dataset = DemoDataset(str(tmp_path))
    (note,) = dataset.notes
    assert "cuts of the film Big Buck Bunny are left out: a-distribution-that-nobody-has" in note
    for sample in dataset:
        assert sample.metadata["style"] == "cel"
        assert sample.metadata["licence"] == "Apache-2.0"
        assert Scene(**sample.metadata["scene"]) == small_scenes[sample.id]


def test_cuts_of_the_film_are_items_with_their_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film, why = find_film()
    if film is None:
        pytest.skip(why)
    monkeypatch.setattr(demo, "DEMO_SCENES", {})
    samples = list(DemoDataset(str(tmp_path)))
    assert [sample.id for sample in samples] == list(FILM_CUTS)
    with DecoderPool() as pool:
        original, _ = pool.read_frames(film)
        for sample in samples:
            cut = FILM_CUTS[sample.id]
            frames, stream = pool.read_frames(sample.ground_truth)
            assert frames.shape == (25, 144, 256, 3)
            assert stream.fps == 25.0
            own = original[cut.first + 5].reshape(144, 5, 256, 5, 3).mean(axis=(1, 3))
            assert np.abs(frames[5] - own).max() <= 1
            assert sample.metadata["style"] == "3d film"
            assert sample.metadata["licence"] == "CC-BY-3.0"
            assert "Blender Foundation" in sample.metadata["attribution"]
            assert "scene" not in sample.metadata


def test_the_folder_is_in_the_cache_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))
    assert DemoDataset().folder == tmp_path / "demo-v3"
    assert DemoDataset(str(tmp_path / "here")).folder == tmp_path / "here"


def test_clips_and_images_hold_the_rendered_frames_to_the_bit(tmp_path: Path, small_scenes: dict[str, Scene]) -> None:
    samples = list(DemoDataset(str(tmp_path)))
    assert [sample.id for sample in samples] == list(small_scenes)
    with DecoderPool() as pool:
        for sample in samples:
            scene = small_scenes[sample.id]
            assert sample.ground_truth is not None
            frames, stream = pool.read_frames(sample.ground_truth)
            assert np.array_equal(frames, render(scene))
            assert stream.fps == scene.fps
            ((position, image),) = sample.condition.keyframes
            assert position == 0.0
            assert np.array_equal(pool.read_image(image.path), frames[0])
            assert image.digest == sha256_of_file(image.path)
            assert sample.ground_truth.digest == sha256_of_file(sample.ground_truth.path)
            assert (sample.label, sample.prompt) == (scene.action, prompt_of(scene))


def test_what_is_there_is_used_and_what_is_damaged_or_gone_is_drawn_again(
    tmp_path: Path, small_scenes: dict[str, Scene]
) -> None:
    first = list(DemoDataset(str(tmp_path)))
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert list(DemoDataset(str(tmp_path))) == first
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times

    damaged, gone = tmp_path / "walk-a.mkv", tmp_path / "walk-a.png"
    damaged.write_bytes(damaged.read_bytes()[:-10] + b"0123456789")
    gone.unlink()
    (tmp_path / ".walk-a.mkv.tmp").write_bytes(b"left by a kill")
    assert list(DemoDataset(str(tmp_path))) == first
    assert sha256_of_file(damaged) == first[0].ground_truth.digest
    assert (tmp_path / "talk-a.mkv").stat().st_mtime_ns == times["talk-a.mkv"]
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("index", [b"[]", b'{"recipe": "another", "files": {}}'])
def test_an_index_that_does_not_fit_is_replaced(tmp_path: Path, small_scenes: dict[str, Scene], index: bytes) -> None:
    (tmp_path / "index.json").write_bytes(index)
    samples = list(DemoDataset(str(tmp_path)))
    written = json.loads((tmp_path / "index.json").read_bytes())
    assert written["files"]["walk-a.mkv"] == samples[0].ground_truth.digest


def test_two_folders_hold_the_same_bytes(tmp_path: Path, small_scenes: dict[str, Scene]) -> None:
    left, right = (list(DemoDataset(str(tmp_path / name))) for name in ("left", "right"))
    assert [sample.ground_truth.digest for sample in left] == [sample.ground_truth.digest for sample in right]
    assert [sample.condition.keyframes[0][1].digest for sample in left] == [
        sample.condition.keyframes[0][1].digest for sample in right
    ]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, small_scenes: dict[str, Scene]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"The demo's clips cannot be written to `.*file/demo`: .*set ANISORA_CACHE"):
        list(DemoDataset(str(tmp_path / "file" / "demo")))


def test_the_demo_suite_names_only_what_is_registered() -> None:
    suite = load_suite("demo")
    validate_suite(suite)
    assert suite.dataset == "demo"
    assert suite.reference == "ground-truth"
    assert len(suite.systems) >= 6


_BUILD = """
import sys
from anisora.datasets.demo import DemoDataset
if __name__ == "__main__":
    print(",".join(sample.ground_truth.digest for sample in DemoDataset(sys.argv[1])))
"""


def _builder(tmp_path: Path, folder: Path) -> subprocess.Popen[str]:
    script = tmp_path / "build.py"
    script.write_text(_BUILD)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_two_processes_that_draw_at_the_same_time_end_with_the_same_files(tmp_path: Path) -> None:
    builders = [_builder(tmp_path, tmp_path / "demo") for _ in range(2)]
    printed = [builder.communicate(timeout=120) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], printed
    assert printed[0][0] == printed[1][0]
    assert printed[0][0].strip() == ",".join(
        sample.ground_truth.digest for sample in DemoDataset(str(tmp_path / "demo"))
    )


@pytest.mark.slow
def test_a_build_that_is_killed_is_completed_by_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    builder = _builder(tmp_path, folder)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.mkv"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    builder.kill()
    builder.communicate(timeout=30)
    assert not (folder / "index.json").exists()
    samples = list(DemoDataset(str(folder)))
    assert len(samples) >= len(DEMO_SCENES)
    assert all(sha256_of_file(sample.ground_truth.path) == sample.ground_truth.digest for sample in samples)
    assert not list(folder.glob(".*.tmp"))
