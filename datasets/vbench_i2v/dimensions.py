"""What VBench-I2V counts: its image types, its dimensions, and how many entries each has.

Source: vbench2_i2v_full_info.json and README.md of vbench2_beta_i2v in Vchitect/VBench, commit 45e79ec1.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "CAMERA_MOTION",
    "DEFAULT_RATIO",
    "DIMENSIONS",
    "EXPECTED_ENTRIES",
    "EXPECTED_IMAGES",
    "SAMPLES_PER_PROMPT",
    "TYPES",
]

SUBJECT_TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "single-human": 64,
        "multiple-human": 34,
        "animal": 46,
        "transportation": 31,
        "food": 38,
        "plant": 23,
        "other": 10,
    }
)
"""{type of an image with a subject: images}"""
BACKGROUND_TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {"architecture": 40, "scenery": 40, "indoor": 21, "abstract": 8}
)
"""{type of an image that is background: images}"""
TYPES: Final = (*SUBJECT_TYPES, *BACKGROUND_TYPES)

_SUBJECTS: Final = sum(SUBJECT_TYPES.values())
_BACKGROUNDS: Final = sum(BACKGROUND_TYPES.values())
_CAMERA_PROMPTS: Final = 7
"""Of each background: pans left and right, tilts up and down, zooms in and out, is static."""

EXPECTED_IMAGES: Final = _SUBJECTS + _BACKGROUNDS
EXPECTED_ENTRIES: Final = EXPECTED_IMAGES + _BACKGROUNDS * _CAMERA_PROMPTS

CAMERA_MOTION: Final = "camera_motion"
"""The dimension whose entries count for no other."""
DIMENSIONS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "i2v_subject": _SUBJECTS,
        "i2v_background": _BACKGROUNDS,
        CAMERA_MOTION: _BACKGROUNDS * _CAMERA_PROMPTS,
        "subject_consistency": _SUBJECTS,
        "background_consistency": _BACKGROUNDS,
        "motion_smoothness": _SUBJECTS,
        "dynamic_degree": _SUBJECTS,
        "aesthetic_quality": EXPECTED_IMAGES,
        "imaging_quality": EXPECTED_IMAGES,
        "temporal_flickering": EXPECTED_IMAGES,
    }
)
"""{dimension: entries that count for it}"""

SAMPLES_PER_PROMPT: Final = 5

DEFAULT_RATIO: Final = "16-9"
"""Of VBench's four, the shape of most films."""
