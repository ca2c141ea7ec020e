"""A rendered scene whose figure changes clothes on the way, as a model."""

from dataclasses import replace
from typing import Final

import numpy as np

from anisora.harness.degrade import severity_of
from anisora.harness.drawing.look import OUTFITS
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.render import RENDER_VERSION, Scene, render
from anisora.harness.types import Frames, Generated, Sample
from anisora.models.damage import damage_info

__all__ = ["OutfitSwap", "first_swapped"]


def first_swapped(num_frames: int, severity: float) -> int:
    """Return the index of the first frame in the other outfit; ``num_frames`` if there is none.

    The second half of the clip, times the severity, counted from the clip's end.

    Args:
        num_frames: Of the clip.
        severity: 0 to 1; 1 swaps from the middle on.

    Example:
        >>> [first_swapped(24, severity) for severity in (0.0, 0.5, 1.0)]
        [24, 18, 12]
    """
    return num_frames - round(severity * (num_frames - num_frames // 2))


class OutfitSwap:
    """Draws the scene of a sample again, towards its end in the other outfit; nothing else changes.

    A scene is the fields of ``harness.render.Scene``, under ``scene`` in the sample's metadata. Frames before
    the change are the ground truth's own; without a ground truth they are drawn as well.
    """

    def __init__(self, name: str = "damage/outfit-swap", severity: float = 1.0) -> None:
        """Choose how much of the clip is swapped.

        Args:
            name: The name in tables.
            severity: 0 leaves the clip as it is, 1 swaps from its middle on.

        Raises:
            ConfigError: The severity is not a number from 0 to 1.
        """
        self._severity = severity_of(severity, owner=f"model {name!r}")
        self.info: Final[GeneratorInfo] = damage_info(
            name,
            self._severity,
            revision=f"render-{RENDER_VERSION}",
            summary="The figure of a rendered scene wears another outfit towards the end, from the middle on at most.",
        )

    def refuses(self, sample: Sample, *, settings: GenerationSettings) -> str | None:
        """Return why a sample cannot be drawn again, or None if it is a scene."""
        scene = _scene_of(sample)
        return scene if isinstance(scene, str) else None

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        """Return the clip with the swap; it is the same for every seed and all settings.

        Raises:
            DataError: The sample is no scene, or its ground truth is not the clip of that scene.
        """
        scene = _scene_of(sample)
        if isinstance(scene, str):
            raise DataError(f"Sample `{sample.id}` {scene}.")
        begin = first_swapped(scene.num_frames, self._severity)
        if sample.ground_truth is None:
            kept, fps = render(scene, range(begin)), scene.fps
        else:
            read, stream = reader.read_frames(sample.ground_truth)
            _check_same(sample.id, read, scene, begin)
            kept, fps = read[:begin], stream.fps
        other = replace(scene, outfit=(scene.outfit + 1) % len(OUTFITS))
        return Generated(np.concatenate([kept, render(other, range(begin, scene.num_frames))]), fps)


def _scene_of(sample: Sample) -> Scene | str:
    """Return the scene of a sample, or why there is none."""
    fields = sample.metadata.get("scene")
    if fields is None:
        return "is no rendered scene (its metadata has no `scene`), and only those can be drawn again in another outfit"
    try:
        return Scene(**fields)
    except (TypeError, ConfigError) as error:
        text = str(error).removesuffix(".")
        return f"has a `scene` that cannot be drawn; expected the fields of harness.render.Scene: {text}"


def _check_same(item: str, truth: Frames, scene: Scene, begin: int) -> None:
    """Raise DataError unless a ground truth is the clip of a scene: its ends and the last kept frame, to the bit.

    The second frame tells on how many frames a drawing is held.
    """
    again = f"expected the clip that this version draws (render-{RENDER_VERSION}); draw the ground truth anew"
    expected = (scene.num_frames, scene.height, scene.width, 3)
    if truth.shape != expected:
        raise DataError(
            f"Sample `{item}` has a ground truth of shape {truth.shape} and a `scene` of shape {expected}; {again}."
        )
    last = scene.num_frames - 1
    looked_at = sorted({0, min(1, last), max(0, begin - 1), last})
    same = (truth[looked_at] == render(scene, looked_at)).all(axis=(1, 2, 3))
    if not same.all():
        index = looked_at[int(same.argmin())]
        raise DataError(f"Sample `{item}` has a ground truth that is not its `scene`: frame {index} differs; {again}.")
