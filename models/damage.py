"""Ground truth made worse, as a model: ``damage/freeze:severity=0.5`` runs like any other."""

import zlib
from typing import Final

import numpy as np

from anisora.harness.degrade import DAMAGE_INFO, DAMAGE_VERSION, degrade, severity_of
from anisora.harness.errors import DataError, UnknownNameError
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.types import Frames, Generated, Image, Sample

__all__ = ["Damage", "damage_info"]

_FAMILY: Final = "damage/"


def damage_info(name: str, severity: float, *, revision: str, summary: str) -> GeneratorInfo:
    """Return who a damage is as a model; its severity is in the name unless it is 1.

    Args:
        name: As registered, ``damage/freeze``.
        severity: 0 to 1.
        revision: Changes when any pixel can.
        summary: One line.
    """
    return GeneratorInfo(
        name=name if severity == 1 else f"{name}:severity={severity:g}",
        base="ground-truth",
        revision=revision,
        licence="Apache-2.0 (the clips keep the licence of the dataset)",
        tasks=frozenset({"any"}),
        summary=summary,
    )


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
        self._severity = severity_of(severity, owner=f"model {name!r}")
        self.info: Final = damage_info(
            f"{_FAMILY}{self._damage}",
            self._severity,
            revision=f"degrade-{DAMAGE_VERSION}",
            summary=DAMAGE_INFO[self._damage].summary,
        )

    def refuses(self, sample: Sample, *, settings: GenerationSettings) -> str | None:
        """Return what a sample lacks, or None if it has a ground truth or what else would do."""
        if sample.ground_truth is not None:
            return None
        model = self.info.name
        if not DAMAGE_INFO[self._damage].from_image or self._severity < 1:
            return (
                f"has no ground truth, which model {model!r} damages; add it to the suite's manifest, or use "
                "damage/freeze or damage/slow-pan at severity 1"
            )
        if _first_image(sample) is None:
            return (
                f"has neither a ground truth nor an image for its first frame; model {model!r} needs one of them; "
                "add it to the suite's manifest"
            )
        if settings.num_frames is None or settings.fps is None:
            return (
                f"has no ground truth to take length and frame rate from; model {model!r} got "
                f"num_frames={settings.num_frames!r} and fps={settings.fps!r}; expected both; state them under "
                "`generation:` in the suite"
            )
        return None

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        """Return the damaged clip of a sample.

        Raises:
            DataError: The sample has neither a ground truth nor what else would do.
        """
        reason = self.refuses(sample, settings=settings)
        if reason is not None:
            raise DataError(f"Sample `{sample.id}` {reason}.")
        if sample.ground_truth is not None:
            frames, stream = reader.read_frames(sample.ground_truth)
            fps = stream.fps
        else:
            frames, fps = _held_image(sample, settings, reader)
        # The sample's id takes part, so that two items do not shake or flicker alike.
        mixed = zlib.crc32(f"{seed}/{sample.id}".encode())
        return Generated(degrade(self._damage, frames, severity=self._severity, seed=mixed), fps)


def _first_image(sample: Sample) -> Image | None:
    return next((image for position, image in sample.condition.keyframes if position == 0), None)


def _held_image(sample: Sample, settings: GenerationSettings, reader: VideoReader) -> tuple[Frames, float]:
    """Return the first-frame image as a still clip; ``refuses`` has seen that everything is there."""
    image = _first_image(sample)
    assert image is not None
    assert settings.num_frames is not None
    assert settings.fps is not None
    return np.repeat(reader.read_image(image.path)[None], settings.num_frames, axis=0), settings.fps
