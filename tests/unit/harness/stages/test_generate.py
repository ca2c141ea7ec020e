import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from trial_metrics import make_sample, registered

from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.runfolder import RunFolder, sha256_of_file
from anisora.harness.stages.generate import generate_clips
from anisora.harness.types import Clip, Frames, Generated, Sample

SAMPLES = [make_sample(name) for name in "abc"]


class Painter:
    """One grey an item, and what a test asks for on item b."""

    info = GeneratorInfo(
        name="painter", base="none", revision="1", licence="Apache-2.0", tasks=frozenset({"any"}), summary="Greys."
    )

    def __init__(self, on_b: Callable[[], Frames] | None = None) -> None:
        self._on_b = on_b
        self.calls: list[tuple[str, int]] = []

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        self.calls.append((sample.id, seed))
        if sample.id == "b" and self._on_b is not None:
            return Generated(self._on_b(), 24.0)
        shape = (settings.num_frames or 3, 16, 16, 3)
        return Generated(np.full(shape, 10 * seed + ord(sample.id), np.uint8), 24.0, {"prompt": sample.id})


def raising(error: Exception) -> Callable[[], Frames]:
    def fail() -> Frames:
        raise error

    return fail


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


Generate = Callable[..., tuple[dict[tuple[str, int], Clip], list[dict[str, str]]]]


@pytest.fixture
def generate(pool: DecoderPool, tmp_path: Path) -> Generate:
    """Generates into one run folder, as often as it is called."""

    def run(
        model: Painter, seeds: tuple[int, ...] = (0,), settings: GenerationSettings | None = None, workers: int = 1
    ) -> tuple[dict[tuple[str, int], Clip], list[dict[str, str]]]:
        return generate_clips(
            SAMPLES,
            seeds,
            model,
            RunFolder(tmp_path),
            pool,
            settings=settings or GenerationSettings(),
            workers=workers,
        )

    return run


def test_clips_are_lossless_with_a_preview_beside(generate: Generate, pool: DecoderPool, tmp_path: Path) -> None:
    clips, errors = generate(Painter(), settings=GenerationSettings(num_frames=5))
    assert errors == []
    assert list(clips) == [("a", 0), ("b", 0), ("c", 0)]
    clip = clips["b", 0]
    assert clip == Clip(path=tmp_path / "clips" / "b-0.mkv", digest=sha256_of_file(clip.path))
    frames, stream = pool.read_frames(clip)
    assert (stream.codec, stream.fps, frames.shape) == ("ffv1", 24.0, (5, 16, 16, 3))
    assert np.all(frames == ord("b"))
    assert (tmp_path / "clips" / "b-0.preview.mp4").is_file()
    told = json.loads((tmp_path / "clips" / "b-0.json").read_text())
    assert told.pop("seconds") >= 0
    assert told == {"prompt": "b"}


def test_there_is_one_clip_an_item_and_seed_whatever_the_workers(generate: Generate) -> None:
    model = Painter()
    clips, _ = generate(model, seeds=(0, 1), workers=3)
    assert sorted(model.calls) == list(clips) == [(name, seed) for name in "abc" for seed in (0, 1)]
    assert len({clip.digest for clip in clips.values()}) == 6


def test_clips_that_are_there_are_kept(generate: Generate) -> None:
    first, _ = generate(Painter())
    first["b", 0].path.unlink()
    model = Painter()
    again, _ = generate(model)
    assert model.calls == [("b", 0)]
    assert again == first


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (raising(DataError("`b` has no image.")), ("DataError", "`b` has no image.")),
        (raising(RuntimeError("out of memory")), ("RuntimeError", "out of memory")),
        (raising(OSError(errno.EIO, "input/output error")), ("OSError", "input/output error")),
        (lambda: np.zeros((3, 16, 16), np.uint8), ("MetricError", "expected uint8 (T, H, W, 3)")),
        (lambda: np.zeros((0, 16, 16, 3), np.uint8), ("MetricError", "at least one frame")),
        (lambda: np.zeros((3, 16, 16, 3), np.float32), ("MetricError", "float32")),
    ],
    ids=["named", "unnamed", "system", "shape", "empty", "type"],
)
def test_an_item_that_fails_is_an_error_and_the_others_go_on(
    generate: Generate, tmp_path: Path, wrong: Callable[[], Frames], told: tuple[str, str]
) -> None:
    clips, (error,) = generate(Painter(wrong))
    assert list(clips) == [("a", 0), ("c", 0)]
    assert (error["item_id"], error["seed"], error["stage"], error["class"]) == ("b", "0", "generate", told[0])
    assert told[1] in error["message"]
    assert not list((tmp_path / "clips").glob("*b-0*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_cannot_be_written_ends_the_run_and_keeps_what_is_done(
    generate: Generate, tmp_path: Path, number: int
) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        generate(Painter(raising(OSError(number, os.strerror(number)))))
    assert (tmp_path / "clips" / "a-0.mkv").is_file()


def test_a_run_with_an_item_that_could_not_be_made_is_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from small_suite import build_suite, only_run

    from anisora.harness.cli import _run

    class Fails(Painter):
        def generate(
            self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader
        ) -> Generated:
            if sample.id == "item01":
                raise RuntimeError("out of memory")
            return Generated(np.full((3, 32, 48, 3), 90, np.uint8), 24.0)

    suite = build_suite(tmp_path / "suite", items=3, num_frames=3, width=48, height=32)
    monkeypatch.chdir(tmp_path)
    with registered("models", painter=Fails):
        argv = ["run", str(suite), "--model", "painter", "--metrics", "sharpness,psnr", "--cache", "off"]
        assert _run(argv, debug=True) == 3
    assert "2 of 3 scored, 1 errors" in capsys.readouterr().out
    folder = RunFolder(only_run(tmp_path / "runs"))
    failed = [row for row in folder.read_scores() if row.item_id == "item01"]
    assert [(row.metric, row.status, row.note) for row in failed] == [
        ("psnr", "error", "not generated: RuntimeError"),
        ("sharpness", "error", "not generated: RuntimeError"),
    ]
    (error,) = folder.read_errors()
    assert (error["item_id"], error["stage"], error["message"]) == ("item01", "generate", "out of memory")
    assert folder.read_record().status == "partial"
