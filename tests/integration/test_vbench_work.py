"""That VBench's dimensions together decode a clip once, and send each distinct input through each network once.

The networks have their full size and random weights: what is counted is work, not quality.
"""

from pathlib import Path

import numpy as np
import pytest

from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.sampling import sample_indices
from anisora.harness.protocols import Metric
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.stages.plan import metric_names
from anisora.harness.stages.score import score_one
from anisora.harness.types import Condition, FrameSampling, Generation, Image, Sample
from anisora.metrics.extractors.clip_vit_b32 import ClipVitB32

pytestmark = [pytest.mark.slow, pytest.mark.long]

pytest.importorskip("torch")
pytest.importorskip("open_clip")
pytest.importorskip("torchvision")

FPS = 16.0


@pytest.fixture
def item(tmp_path: Path) -> tuple[Generation, np.ndarray]:
    """A lossless clip on twos, with prompt and conditioning image, and its frames."""
    from PIL import Image as Picture

    frames = render(Scene(action="walk", seed=3, width=144, height=128, num_frames=9, hold=2))
    path, image = tmp_path / "walk.mkv", tmp_path / "walk.png"
    with DecoderPool() as pool:
        pool.encode(frames, fps=FPS, path=path, encoder="ffv1")
    Picture.fromarray(frames[0]).save(image)
    condition = Condition(keyframes=((0.0, Image(path=image, digest=sha256_of_file(image))),))
    sample = Sample(id="walk", prompt="a girl walks", condition=condition)
    return Generation(sample=sample, clip=clip_at(path, None), model="drawn"), frames


def distinct(frames: np.ndarray, sampling: FrameSampling, window: int, stride: int) -> int:
    indices = sample_indices(sampling, num_frames=len(frames), fps=FPS, positions=(0.0,))
    if window == 0:
        return 1
    starts = range(0, len(indices) - window + 1, stride)
    return len({b"".join(frames[at].tobytes() for at in indices[start : start + window]) for start in starts})


def test_one_decode_and_each_distinct_input_once(
    item: tuple[Generation, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "5")
    clip, frames = item
    assert len({frame.tobytes() for frame in frames}) == 5
    metrics: list[Metric] = [registry("metrics").create(name) for name in metric_names(["vbench"])]
    assert len(metrics) == 10
    requests = tuple(dict.fromkeys(request for metric in metrics for request in metric.info.requests))
    with FeatureStore(pool=DecoderPool(), requests=requests) as store:
        scores = {metric.info.name: score_one(metric, clip, store) for metric in metrics}
        counters = store.counters
        expected: dict[str, int] = {}
        for request in requests:
            info = store.extractor(request.extractor).info
            is_shared = not info.needs & {"keyframes"}
            indices = sample_indices(request.sampling, num_frames=len(frames), fps=FPS, positions=(0.0,))
            windows = 1 if info.window == 0 else len(range(0, len(indices) - info.window + 1, info.stride))
            count = distinct(frames, request.sampling, info.window, info.stride) if is_shared else windows
            expected[info.name] = expected.get(info.name, 0) + count
    assert {name: score.note for name, score in scores.items() if score.value is None} == {}
    assert counters.decodes == 1
    assert counters.forwards == expected
    # Nine frames of five drawings: the networks of single frames see five.
    assert expected[ClipVitB32.info.name] == 5
    assert expected["laion_aesthetic"] == expected["musiq_spaq"] == 5
    assert expected["dino_vitb16"] == 2 * 5  # two recipes
