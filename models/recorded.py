"""Models whose clips exist already: files of any system, and the ground truth of the suite."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from anisora.harness.protocols import GeneratorInfo
from anisora.harness.types import Clip, Sample
from anisora.models.recorded_systems import RECORDED, recorded_systems

__all__ = ["GroundTruth", "Recorded", "RecordedSystem"]

_NONE: Final[Mapping[tuple[str, int], Clip]] = MappingProxyType({})


class Recorded:
    """Clips on disk under the name of the system that made them."""

    def __init__(self, name: str = "recorded", clips: Mapping[tuple[str, int], Clip] = _NONE) -> None:
        """Take what was found.

        Args:
            name: The system's name in tables.
            clips: (item id, seed) -> clip.
        """
        self._clips = dict(clips)
        self.info: Final = GeneratorInfo(
            name=name,
            base="recorded",
            revision="files",
            licence="as stated by whoever made the clips",
            tasks=frozenset({"any"}),
            summary="Clips that exist already, matched to the items of a suite.",
        )

    def locate(self, sample: Sample, *, seed: int) -> Clip | None:
        """Return the clip for a sample, or None if there is none."""
        return self._clips.get((sample.id, seed))


class RecordedSystem:
    """A known system whose clips are made elsewhere. It has none here: they are given to ``anisora evaluate``."""

    def __init__(self, name: str) -> None:
        """Take the name of a system in ``recorded_systems.yaml``, after ``recorded/``."""
        entry = recorded_systems()[name.removeprefix(RECORDED)]
        access = {"api": "an API", "repository": "its own repository"}[entry.system.access]
        self.info: Final = GeneratorInfo(
            name=name,
            base=entry.base,
            revision=entry.revision,
            licence=entry.licence,
            commercial_use=entry.commercial_use,
            tasks=frozenset({"i2v"}),
            summary=f"{entry.system.title}, {entry.system.organisation}: clips of {access}, scored by evaluate.",
            fps=entry.system.fps,
            system=entry.system,
        )

    def locate(self, sample: Sample, *, seed: int) -> Clip | None:
        """Return None: no clip of it comes with this package."""
        return None


class GroundTruth:
    """The suite's own clips, scored like any system's. Every seed has the same clip."""

    def __init__(self) -> None:
        self.info: Final = GeneratorInfo(
            name="ground-truth",
            base="recorded",
            revision="suite",
            licence="that of the dataset",
            tasks=frozenset({"any"}),
            summary="The real clips of the suite: what a model is compared with.",
        )

    def locate(self, sample: Sample, *, seed: int) -> Clip | None:
        """Return the ground truth of a sample, or None if it has none."""
        return sample.ground_truth
