import hashlib
import json
from pathlib import Path

import pytest
from shared_data import CLIPS, needs_shared

from anisora.datasets.manifest import ManifestDataset
from anisora.harness.errors import DataError
from anisora.harness.registry import registry


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "items.csv"
    path.write_text("id,seed,prompt,video\nb,0,x,lost.mp4\nb,1,x,lost.mp4\na,0,y,\n")
    return path


def test_a_dataset_has_a_name_a_revision_and_its_items_once(manifest):
    dataset = ManifestDataset(path=str(manifest))
    assert dataset.name == "items"
    assert dataset.revision == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert len(dataset) == 2
    assert [(sample.id, sample.prompt) for sample in dataset] == [("b", "x"), ("a", "y")]
    assert list(dataset) == list(dataset)


def test_it_is_registered_and_takes_a_path(manifest):
    dataset = registry("datasets").create(f"manifest:path={manifest}")
    assert [sample.id for sample in dataset] == ["b", "a"]


def test_wrong_items_are_found_when_the_dataset_is_made(manifest):
    manifest.write_text("id,fps\na,0\n")
    with pytest.raises(DataError, match=r"items\.csv` line 2: `fps` got '0'; expected frames per second"):
        ManifestDataset(path=str(manifest))


@needs_shared
def test_real_clips_and_images_are_hashed(tmp_path):
    videos = sorted((CLIPS / "video").glob("*.mp4"))
    lines = [
        {"id": video.stem, "ground_truth": str(video), "image": str(CLIPS / "image" / f"{video.stem}.png")}
        for video in videos
    ]
    path = tmp_path / "clips.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    samples = list(ManifestDataset(path=str(path)))
    assert len(samples) == len(videos) > 0
    for sample, video in zip(samples, videos, strict=True):
        assert sample.ground_truth is not None
        assert sample.ground_truth.digest == hashlib.sha256(video.read_bytes()).hexdigest()
        assert sample.condition.positions == (0.0,)
