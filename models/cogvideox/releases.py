"""The releases on CogVideoX-5B: AniSora V1, its successor tuned with rewards, and CogVideoX itself, as data.

Reference: bilibili/Index-anisora (anisoraV1_infer, anisora_rl), zai-org/CogVideo.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from anisora.models.released import Released

__all__ = ["PRESETS", "RELEASES", "CogVideoXRelease"]

_ANISORA: Final = ("hf:IndexTeam/Index-anisora", "modelscope:bilibili-index/Index-anisora")
_COGVIDEOX: Final = ("hf:zai-org/CogVideoX-5b-I2V", "modelscope:ZhipuAI/CogVideoX-5b-I2V")
_CODE: Final = "bilibili/Index-anisora@171fe63"


@dataclass(frozen=True, slots=True, kw_only=True)
class CogVideoXRelease(Released):
    """A model on CogVideoX's networks."""

    stock: bool = False
    """As diffusers runs it: its solver, positions stretched to the trained size, an empty prompt for the branch without
    one. Else as AniSora does: SAT's solver and epsilons, whole positions, zeros."""


_V1: Final = CogVideoXRelease(
    summary="AniSora V1: one to several guide images anywhere in the clip (CogVideoX-5B I2V).",
    base="CogVideoX-5B-I2V",
    revision=_CODE,
    tracks=frozenset({"i2v", "last", "mid", "keyframe"}),
    fps=16.0,
    num_frames=49,
    frame_rule=(8, 1),
    height=720,
    width=1280,
    steps=50,
    guidance=6.0,
    shift=1.0,
    release="v1",
    folder="5B",
    companions="CogVideoX-5b-I2V",
    sources=(*_ANISORA, *_COGVIDEOX),
)

RELEASES: Final[dict[str, CogVideoXRelease]] = {
    "anisora-v1": _V1,
    "anisora-v1-rl": replace(
        _V1,
        summary="AniSora V1 tuned against the anime reward with GAPO (CogVideoX-5B I2V).",
        folder="5B_RL",
        height=480,
        width=720,
    ),
    "cogvideox-5b": replace(
        _V1,
        summary="CogVideoX-5B image to video, the base that AniSora V1 was tuned from.",
        revision="zai-org/CogVideoX-5b-I2V",
        tracks=frozenset({"i2v"}),
        fps=8.0,
        height=480,
        width=720,
        release=None,
        folder="CogVideoX-5b-I2V",
        sources=_COGVIDEOX,
        licence="CogVideoX licence",
        commercial_use=False,
        stock=True,
    ),
}
"""{name: release}"""

PRESETS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {"4090": MappingProxyType({"height": 640, "width": 1088, "num_frames": 49})}
)
"""{name: settings}: ``4090`` is what the authors run on a card of 24 GB."""
