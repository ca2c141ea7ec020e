"""The lists of VBench-I2V: which prompt belongs to which image and counts for which dimensions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.datasets.importing.defects import Defect
from anisora.datasets.vbench_i2v.dimensions import CAMERA_MOTION
from anisora.harness.inputs.json_lists import read_json_objects
from anisora.harness.inputs.manifest_rows import check_id
from anisora.harness.inputs.paths import shortened
from anisora.harness.inputs.video_names import same_spelling
from anisora.harness.media.folders import IMAGE_SUFFIXES

__all__ = ["ENTRIES_FILE", "FACTS_FILE", "Entry", "ImageFacts", "read_entries", "read_image_facts"]

ENTRIES_FILE: Final = "vbench2_i2v_full_info.json"
FACTS_FILE: Final = "i2v-bench-info.json"

_ENTRIES_HOLD: Final = "VBench-I2V's list of objects with prompt_en, dimension, image_type and image_name"
_FACTS_HOLD: Final = "VBench-I2V's list of objects with file_name, type, caption and url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A prompt with its image."""

    prompt: str
    """As given; clips are named after it."""
    image: str
    """The name of a file."""
    type: str
    dimensions: tuple[str, ...]
    """As given; what the entry counts for."""

    @property
    def is_of_camera_motion_alone(self) -> bool:
        """Whether the prompt asks for a motion of the camera, and counts for nothing else."""
        return set(self.dimensions) == {CAMERA_MOTION}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What the list beside the images says of one."""

    type: str | None
    caption: str | None
    url: str | None
    """The page that the image comes from."""


def read_entries(path: Path, shown: str) -> tuple[list[Entry], list[Defect]]:
    """Read the list of prompts.

    Args:
        path: The file.
        shown: How messages name it.

    Returns:
        The entries that are whole, and a defect ``wrong-entry`` for each other one.

    Raises:
        DataError: It is no list of objects.
    """
    entries, defects = [], []
    for number, values in enumerate(read_json_objects(path, _ENTRIES_HOLD), 1):
        wrong = _wrong_entry(values)
        if wrong:
            defects.append(Defect(kind="wrong-entry", message=f"{shown} entry {number}: {wrong}"))
            continue
        entries.append(
            Entry(
                prompt=same_spelling(values["prompt_en"]),
                image=same_spelling(values["image_name"]),
                type=values["image_type"],
                dimensions=tuple(values["dimension"]),
            )
        )
    return entries, defects


def _wrong_entry(values: Mapping[str, Any]) -> str | None:
    for key in ("prompt_en", "image_name", "image_type"):
        value = values.get(key)
        if not isinstance(value, str) or not value:
            return f"`{key}` got {shortened(value)}; expected text"
        wrong = check_id(value)
        if wrong:
            return f"`{key}` got {shortened(value)}; expected {wrong}"
    name = values["image_name"]
    if Path(name).suffix.lower() not in IMAGE_SUFFIXES:
        return f"`image_name` got {shortened(name)}; expected an image that ends in {', '.join(sorted(IMAGE_SUFFIXES))}"
    dimensions = values.get("dimension")
    if not isinstance(dimensions, list) or not dimensions or not all(isinstance(word, str) for word in dimensions):
        return f"`dimension` got {shortened(dimensions)}; expected a list of dimensions"
    return None


def read_image_facts(path: Path) -> dict[str, ImageFacts]:
    """Return {name of an image: what the list beside the images says of it}.

    Raises:
        DataError: It is no list of objects.
    """
    facts = {}
    for values in read_json_objects(path, _FACTS_HOLD):
        words = {key: value for key, value in values.items() if isinstance(value, str)}
        if "file_name" in words:
            facts[same_spelling(words["file_name"])] = ImageFacts(
                type=words.get("type"), caption=words.get("caption"), url=words.get("url")
            )
    return facts
