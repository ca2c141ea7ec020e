"""How free of blur, noise and wrong exposure the frames are, by MUSIQ (VBench)."""

from dataclasses import replace

import numpy as np

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.extractors.musiq_spaq import DEFAULT_MODE, checked_mode
from anisora.metrics.scoring import scored

__all__ = ["ImagingQuality"]

_INFO = MetricInfo(
    name="imaging_quality",
    title="Imaging quality",
    version=1,
    direction="higher",
    value_range=(-np.inf, np.inf),
    requests=(FeatureRequest(extractor="musiq_spaq", sampling=FrameSampling()),),
    source="VBench, vbench/imaging_quality.py, technical_quality",
    group="vbench",
    licence="CC-BY-NC-SA-4.0",
    commercial_use=False,
)


class ImagingQuality:
    """Mean of MUSIQ's score of the frames, by 100."""

    def __init__(self, mode: str = DEFAULT_MODE) -> None:
        """Choose at what size frames are seen.

        Args:
            mode: ``longer``, ``shorter``, ``shorter_centercrop`` or ``none``, as VBench's
                ``imaging_quality_preprocessing_mode`` has them.

        Raises:
            ConfigError: There is no such mode.
        """
        self.info = _INFO
        if checked_mode(mode) != DEFAULT_MODE:
            frames = replace(_INFO.requests[0], extractor=f"musiq_spaq:mode={mode}")
            self.info = replace(_INFO, name=f"imaging_quality:mode={mode}", requests=(frames,))

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip; ``parts["frames"]`` has each frame.

        Returns:
            Value of about 0..1; the network's last layer is linear and has no bounds.
        """
        request = self.info.requests[0]
        frames = np.asarray(features.get(item, request.extractor, request.sampling)["score"], np.float64) / 100
        return scored(item, frames.mean(), parts={"frames": frames.tolist()})
