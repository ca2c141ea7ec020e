"""The releases on Wan: AniSora V2 to V3.2, its any-mask model, and Wan 2.1 itself, as data.

Reference: bilibili/Index-anisora (anisoraV2_gpu, anisoraV3, anisoraV3.2, anisora_anymask), Wan-Video/Wan2.1.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from anisora.models.released import Released

__all__ = ["NEGATIVE_PROMPT", "RELEASES", "Conditioning", "WanRelease"]

Conditioning = Literal["first", "keyframes", "masked"]
"""``first``: the first frame alone. ``keyframes``: any eighth frames. ``masked``: a video of which an area is known."""

# What every release of Wan is given as the prompt to stay away from; its words are part of the model's behaviour.
NEGATIVE_PROMPT: Final = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，"
    "丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，"
    "杂乱的背景，三条腿，背景人很多，倒着走"
)
_ANISORA: Final = ("hf:IndexTeam/Index-anisora", "modelscope:bilibili-index/Index-anisora")
_WAN: Final = ("hf:Wan-AI/Wan2.1-I2V-14B-720P-Diffusers", "modelscope:Wan-AI/Wan2.1-I2V-14B-720P-Diffusers")
_ANY_FRAME: Final = frozenset({"i2v", "last", "mid", "keyframe"})
_CODE: Final = "bilibili/Index-anisora@171fe63"


@dataclass(frozen=True, slots=True, kw_only=True)
class WanRelease(Released):
    """A model on Wan's networks."""

    conditioning: Conditioning
    experts: bool = False
    """Two transformers, one for high noise; these have no image branch."""
    small_shift: float | None = None
    """The shift of sizes up to 480p; None is that of all sizes."""
    step_lists: tuple[tuple[int, str], ...] = ()
    """(number of steps, list in ``step_lists.STEP_LISTS``): distilled samplings, with Euler's steps."""


_V3: Final = WanRelease(
    summary="AniSora V3: any frames given, 8 distilled steps (Wan2.1-I2V-14B).",
    base="Wan2.1-I2V-14B",
    revision=_CODE,
    tracks=_ANY_FRAME,
    fps=16.0,
    num_frames=81,
    frame_rule=(8, 1),
    height=720,
    width=1280,
    steps=8,
    guidance=1.0,
    shift=5.0,
    release="v3",
    folder="V3",
    companions="Wan2.1-I2V-14B-720P-Diffusers",
    sources=(*_ANISORA, *_WAN),
    conditioning="keyframes",
)

RELEASES: Final[dict[str, WanRelease]] = {
    "anisora-v2": replace(
        _V3,
        summary="AniSora V2: the first frame given; 40 steps, or 16 or 12 of a distilled list (Wan2.1-I2V-14B).",
        tracks=frozenset({"i2v"}),
        num_frames=49,
        height=544,
        width=960,
        steps=40,
        guidance=5.0,
        small_shift=3.0,
        release="v2",
        folder="14B",
        conditioning="first",
        step_lists=((16, "v2_16"), (12, "v2_12_544p")),
    ),
    "anisora-v3": _V3,
    "anisora-v3.1": replace(_V3, summary="AniSora V3.1: V3 with more motion (Wan2.1-I2V-14B).", folder="V3.1"),
    "anisora-v3.2": replace(
        _V3,
        summary="AniSora V3.2: any frames given, two experts, 8 distilled steps (Wan2.2-I2V-A14B).",
        base="Wan2.2-I2V-A14B",
        release="v3.2",
        folder="V3.2",
        experts=True,
    ),
    "anisora-anymask": replace(
        _V3,
        summary="AniSora any-mask: the rest of the picture is kept while a region moves (Wan2.1-I2V-14B).",
        tracks=frozenset({"region"}),
        num_frames=65,
        frame_rule=(4, 1),
        release="any-mask",
        folder="anymask",
        conditioning="masked",
    ),
    "wan-2.1": replace(
        _V3,
        summary="Wan 2.1 image to video, 14B, the base that AniSora V2 and V3 were tuned from.",
        revision="Wan-Video/Wan2.1",
        tracks=frozenset({"i2v"}),
        frame_rule=(4, 1),
        steps=40,
        guidance=5.0,
        small_shift=3.0,
        release=None,
        folder="Wan2.1-I2V-14B-720P-Diffusers",
        sources=_WAN,
        conditioning="first",
        licence="Apache-2.0",
        commercial_use=True,
    ),
}
"""{name: release}"""
