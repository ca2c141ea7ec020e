"""Whether a clip and its ground truth can be compared frame by frame."""

from dataclasses import dataclass
from typing import Final

from anisora.harness.protocols import Features
from anisora.harness.types import StreamInfo

__all__ = ["FPS_TOLERANCE", "Comparison", "compare"]

FPS_TOLERANCE: Final = 1e-4
"""Relative difference at which two frame rates count as one: it joins 23.976 and 24000/1001, not 23.976 and
24."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer: an obstacle with its next step, or nothing in the way and a note on what is compared."""

    obstacle: str = ""
    note: str = ""


def compare(fidelity: Features, stream: StreamInfo) -> Comparison:
    """Decide from what `frame_fidelity` saw of the ground truth whether its numbers may be used.

    Neither sizes nor frame rates are ever converted: what a resize or a resampling costs would be scored as
    the model's fault. Different lengths are no obstacle, their common beginning is compared.

    Args:
        fidelity: The features of `frame_fidelity`, one row per compared frame; empty if there was nothing to
            compare.
        stream: The clip's.
    """
    if not fidelity or not len(fidelity["mean_squared_error"]):
        return Comparison(obstacle="no frame of the clip has a counterpart in the ground truth; check both files")
    height, width = int(fidelity["reference_height"][0]), int(fidelity["reference_width"][0])
    fps, length = float(fidelity["reference_fps"][0]), int(fidelity["reference_frames"][0])
    if (height, width) != (stream.height, stream.width):
        return Comparison(
            obstacle=f"the clip is {stream.width}x{stream.height} and the ground truth {width}x{height}; "
            "generate at the size of the ground truth, or resize one of them yourself"
        )
    if abs(fps - stream.fps) > FPS_TOLERANCE * max(fps, stream.fps):
        return Comparison(
            obstacle=f"the clip has {stream.fps:g} frames a second and the ground truth {fps:g}; "
            "generate at the frame rate of the ground truth"
        )
    compared = len(fidelity["mean_squared_error"])
    if compared < stream.num_frames:
        return Comparison(note=f"{compared} of {stream.num_frames} frames compared: the ground truth ends there")
    if compared < length:
        return Comparison(note=f"{compared} of {length} frames compared: the clip ends there")
    return Comparison()
