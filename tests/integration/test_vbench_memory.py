"""How much memory each of VBench's dimensions takes above its networks' weights, and that longer clips take no more.

Each dimension is scored in a process of its own, which asks the kernel for the most memory it has held. The networks
have their full size and random weights: memory does not depend on what the numbers are.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

SMALL, LARGE = (720, 480), (2002, 1080)
LENGTHS = (9, 17, 33)
FPS = 16.0
MOST = 2 * 10**9
NOISE = 20 * 2**20
DIMENSIONS = (
    "aesthetic_quality",
    "background_consistency",
    "dynamic_degree",
    "i2v_background",
    "i2v_subject",
    "imaging_quality",
    "motion_score",
    "motion_smoothness",
    "overall_consistency",
    "subject_consistency",
    "temporal_flickering",
)


@dataclass
class Held:
    """Bytes above what the process held once its networks had scored a small clip."""

    most: int
    """All, with the frames that it shares with the decoder: a ring of at most 96 MiB that fills slowly."""
    own: int
    """Without those frames."""


class Watch(threading.Thread):
    """Notes the most memory of its own that the process holds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, memory("RssAnon"))

    def stop(self) -> int:
        self._over.set()
        self.join()
        return self.most


def measure(name: str, warm_up: Path, clips: list[Path]) -> dict[str, Held]:
    """Score a small clip and then others, in a process of its own."""
    from anisora.harness.features import FeatureStore
    from anisora.harness.inputs.manifest import clip_at
    from anisora.harness.media.decoder import DecoderPool
    from anisora.harness.protocols import Metric
    from anisora.harness.registry import registry
    from anisora.harness.runfolder import sha256_of_file
    from anisora.harness.types import Condition, Generation, Image, Sample

    metric: Metric = registry("metrics").create(name)

    def score(path: Path, store: FeatureStore) -> None:
        still = path.with_suffix(".png")
        condition = Condition(keyframes=((0.0, Image(path=still, digest=sha256_of_file(still))),))
        sample = Sample(id=path.stem, prompt="a girl walks", condition=condition)
        scored = metric.score(Generation(sample=sample, clip=clip_at(path, None), model="drawn"), store)
        assert scored.value is not None, scored.note

    found = {}
    with FeatureStore(pool=DecoderPool(), requests=metric.info.requests) as store:
        score(warm_up, store)
        whole, own = memory("VmRSS"), memory("RssAnon")
        for clip in clips:
            Path("/proc/self/clear_refs").write_text("5")  # forget the most memory held so far
            watch = Watch()
            watch.start()
            score(clip, store)
            found[clip.stem] = Held(most=memory("VmHWM") - whole, own=max(watch.stop() - own, 0))
    return found


def memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A picture that slides by, without loss, at several sizes and lengths, each with its first frame beside it."""
    from metric_clips import translating
    from PIL import Image as Picture

    from anisora.harness.media.decoder import DecoderPool

    folder = tmp_path_factory.mktemp("clips")
    paths = {}
    with DecoderPool() as pool:
        for (width, height), length in [((144, 128), 9), *((SMALL, length) for length in LENGTHS), (LARGE, 9)]:
            made = translating(shift=(3, 1), num_frames=length, width=width, height=height, fps=FPS, smoothness=6.0)
            path = folder / f"{width}x{height}x{length}.mkv"
            pool.encode(made.frames, fps=FPS, path=path, encoder="ffv1")
            Picture.fromarray(made.frames[0]).save(path.with_suffix(".png"))
            paths[path.stem] = path
    return paths


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory held from Linux's /proc")
@pytest.mark.parametrize("name", DIMENSIONS)
def test_memory_is_bounded_and_does_not_grow_with_the_clip(name: str, clips: dict[str, Path]) -> None:
    for needed in ("torch", "torchvision", "open_clip"):
        pytest.importorskip(needed)
    warm_up, *others = clips.values()
    child = subprocess.run(
        [sys.executable, __file__, name, str(warm_up), *map(str, others)],
        # Large arrays are given back at once: what the allocator keeps in pieces says nothing of the code.
        env=os.environ
        | {"ANISORA_UNTRAINED": "3", "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_MMAP_THRESHOLD_": str(2**20)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    found = {clip: Held(**held) for clip, held in json.loads(child.stdout.splitlines()[-1]).items()}
    told = (f"{clip} {held.most / 10**6:.0f} MB ({held.own / 10**6:.0f})" for clip, held in found.items())
    sys.stdout.write(f"\n{name}, most held above the weights (without shared frames): {', '.join(told)}\n")
    short, *longer = (found[f"{SMALL[0]}x{SMALL[1]}x{length}"].own for length in LENGTHS)
    assert found[f"{LARGE[0]}x{LARGE[1]}x9"].most <= MOST
    assert [size for size in longer if size > 1.1 * short + NOISE] == []


def test_every_dimension_of_vbench_is_measured() -> None:
    from anisora.harness.stages.plan import metric_names

    assert sorted({*metric_names(["vbench"]), "temporal_flickering"}) == list(DIMENSIONS)


if __name__ == "__main__":
    measured = measure(sys.argv[1], Path(sys.argv[2]), [Path(path) for path in sys.argv[3:]])
    sys.stdout.write(json.dumps({clip: asdict(held) for clip, held in measured.items()}))
