"""Ground truth made worse, as a model: ``damage/freeze:severity=0.5`` runs like any other."""

import zlib
from typing import Final

import numpy as np

from anisora.harness.degrade import DAMAGE_INFO, DAMAGE_VERSION, degrade
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.types import Frames, Sample

__all__ = ["Damage"]

_FAMILY: Final = "damage/"


class Damage:
    """Returns the ground truth of a sample with one damage of harness/degrade.py.

    The clip keeps size, length and frame rate of the ground truth, whatever the settings ask for. A damage
    that follows from the first frame alone (freeze, slow-pan, at severity 1) also serves a sample that has
    only a first-frame image; then length and frame rate are the settings'.
    """

    def __init__(self, name: str = "damage/freeze", severity: float = 1.0) -> None:
        """Choose the damage.

        Args:
            name: ``damage/`` and one of harness.degrade.DAMAGES.
            severity: 0 leaves the clip as it is, 1 is the worst.

        Raises:
            UnknownNameError: There is no such damage.
            ConfigError: The severity is not a number from 0 to 1.
        """
        self._damage = name.removeprefix(_FAMILY)
        if self._damage not in DAMAGE_INFO:
            raise UnknownNameError("damage", self._damage, DAMAGE_INFO, f"Expected one of {', '.join(DAMAGE_INFO)}.")
        if isinstance(severity, bool) or not isinstance(severity, int | float) or not 0 <= severity <= 1:
            raise ConfigError(f"`severity` of model {name!r} got {severity!r}; expected a number from 0 to 1.")
        self._severity = float(severity)
        suffix = "" if self._severity == 1 else f":severity={self._severity:g}"
        self.info: Final = GeneratorInfo(
            name=f"{_FAMILY}{self._damage}{suffix}",
            base="ground-truth",
            revision=f"degrade-{DAMAGE_VERSION}",
            licence="Apache-2.0 (the clips keep the licence of the dataset)",
            tasks=frozenset({"any"}),
            summary=DAMAGE_INFO[self._damage].summary,
        )

    def generate(
        self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader
    ) -> tuple[Frames, float]:
        """Return the damaged clip of a sample and its frame rate.

        Raises:
            DataError: The sample has neither a ground truth nor what else would do.
        """
        if sample.ground_truth is not None:
            frames, stream = reader.read_frames(sample.ground_truth)
            fps = stream.fps
        else:
            frames, fps = self._held_image(sample, settings, reader)
        # The sample's id takes part, so that two items do not shake or flicker alike.
        mixed = zlib.crc32(f"{seed}/{sample.id}".encode())
        return degrade(self._damage, frames, severity=self._severity, seed=mixed), fps

    def _held_image(self, sample: Sample, settings: GenerationSettings, reader: VideoReader) -> tuple[Frames, float]:
        image = next((image for position, image in sample.condition.keyframes if position == 0), None)
        model = self.info.name
        if not DAMAGE_INFO[self._damage].from_image or self._severity < 1:
            raise DataError(
                f"Sample `{sample.id}` has no ground truth, which model {model!r} damages; add it to the "
                "suite's manifest, or use damage/freeze or damage/slow-pan at severity 1."
            )
        if image is None:
            raise DataError(
                f"Sample `{sample.id}` has neither a ground truth nor an image for its first frame; model "
                f"{model!r} needs one of them; add it to the suite's manifest."
            )
        if settings.num_frames is None or settings.fps is None:
            raise DataError(
                f"Sample `{sample.id}` has no ground truth to take length and frame rate from; model "
                f"{model!r} got num_frames={settings.num_frames!r} and fps={settings.fps!r}; expected both; "
                "state them under `generation:` in the suite."
            )
        frame = reader.read_image(image.path)
        return np.repeat(frame[None], settings.num_frames, axis=0), settings.fps
