"""Prompts with a first frame: where they are from, how the frame is cut."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import write_image

from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip, Image
from anisora.training.buckets import Bucket

pytest.importorskip("torch")

from anisora.training.posed_items import framed_items, read_posed_items


def manifest(folder: Path, *rows: dict[str, Any]) -> str:
    path = folder / "items.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "image.png", seed=1)
    frames = np.stack([np.full((48, 64, 3), 40 * at, np.uint8) for at in range(4)])
    with DecoderPool() as pool:
        pool.encode(frames, fps=16.0, path=tmp_path / "clip.mkv")
    return tmp_path


def test_an_image_goes_before_a_video(folder: Path) -> None:
    both = {"id": "both", "prompt": "a", "image": "image.png", "ground_truth": "clip.mkv"}
    rows = (both, {"id": "truth", "prompt": "b", "ground_truth": "clip.mkv"}, {"id": "none", "prompt": "c"})
    items = read_posed_items(manifest(folder, *rows, {"id": "video", "prompt": "d", "video": "clip.mkv"}))
    assert [(item.id, item.prompt, type(item.source)) for item in items] == [
        ("both", "a", Image),
        ("truth", "b", Clip),
        ("video", "d", Clip),
    ]


def test_an_item_is_cut_to_the_size_that_is_nearest_in_shape(folder: Path) -> None:
    rows = ({"id": "wide", "prompt": "a", "image": "image.png"}, {"id": "clip", "prompt": "b", "video": "clip.mkv"})
    items = read_posed_items(manifest(folder, *rows))
    buckets = [Bucket(32, 32, 9), Bucket(32, 48, 9)]
    with DecoderPool() as pool:
        wide, clip = framed_items(items, buckets, folder / "run", pool, skipped=2)
        assert (wide.bucket, clip.bucket) == (buckets[1], buckets[1])
        assert pool.read_image(wide.image.path).shape == (32, 48, 3)
        assert (pool.read_image(clip.image.path) == 80).all()  # the third frame
    assert clip.condition.keyframes == ((0.0, clip.image),)


def test_what_has_no_first_frame_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="no prompt with an image, ground truth or video"):
        read_posed_items(manifest(folder, {"id": "none", "prompt": "c"}))
