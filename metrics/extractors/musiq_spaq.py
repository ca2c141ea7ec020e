"""How good a frame is technically, by MUSIQ trained on SPAQ, at the size that VBench shows it."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError, MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.types import Frames
from anisora.metrics.networks.musiq import LARGEST_RATIO, WEIGHTS, Musiq

if TYPE_CHECKING:
    import torch

__all__ = ["DEFAULT_MODE", "DISTRIBUTIONS", "MODES", "SIDE", "MusiqSpaq", "checked_mode", "resized", "resized_size"]

DISTRIBUTIONS: Final = ("torch",)
MODES: Final = ("longer", "shorter", "shorter_centercrop", "none")
"""VBench's ``imaging_quality_preprocessing_mode``; its word for the last is ``None``."""
DEFAULT_MODE: Final = "longer"
SIDE: Final = 512
"""Frames whose long (or short) side is above this are made smaller; pixels."""


def checked_mode(mode: str) -> str:
    """Return a mode.

    Raises:
        ConfigError: It is not one of MODES.
    """
    if mode not in MODES:
        raise ConfigError(f"`mode` got {mode!r}; expected one of {', '.join(MODES)}.")
    return mode


def resized_size(mode: str, height: int, width: int) -> tuple[int, int]:
    """Return (height, width) of a frame after VBench's resize, before any crop.

    Both sides are multiplied by 512 / side in float64 and cut to whole pixels, so that for some sizes, such as 561, the
    result is 511 and not 512.
    """
    side = max(height, width) if mode == "longer" else min(height, width)
    if mode == "none" or side <= SIDE:
        return height, width
    scale = SIDE / side
    return int(scale * height), int(scale * width)


def resized(mode: str, frames: Frames) -> "torch.Tensor":
    """Return frames as VBench gives them to MUSIQ: bilinear without antialiasing, never enlarged.

    Args:
        mode: One of MODES.
        frames: (N, H, W, 3) uint8 RGB.

    Returns:
        (N, 3, h, w) float32, 0..1, on the CPU.

    Raises:
        MetricError: A side is more than 447 times the other, which MUSIQ cannot take.
    """
    import torch

    size = resized_size(mode, *frames.shape[1:3])
    if max(size) > LARGEST_RATIO * min(size):
        raise MetricError(
            f"Extractor `musiq_spaq` got frames of {frames.shape[2]}x{frames.shape[1]}, in mode {mode!r} "
            f"{size[1]}x{size[0]}; expected no side above {LARGEST_RATIO} times the other. Crop the clip."
        )
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).to(torch.float32)
    if size != frames.shape[1:3]:
        pixels = torch.nn.functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
        if mode == "shorter_centercrop":
            pixels = _middle(pixels)
    return pixels / 255.0


def _middle(pixels: "torch.Tensor") -> "torch.Tensor":
    """Cut the middle 512x512; a side of 511 first gets a black line at its end, as torchvision's CenterCrop does."""
    import torch

    height, width = pixels.shape[2:]
    padded = torch.nn.functional.pad(pixels, (0, max(0, SIDE - width), 0, max(0, SIDE - height)))
    top, left = (round((side - SIDE) / 2) for side in padded.shape[2:])
    return padded[:, :, top : top + SIDE, left : left + SIDE]


class MusiqSpaq:
    """Per frame: ``score``, on MUSIQ's scale of about 0 to 100."""

    def __init__(self, mode: str = DEFAULT_MODE, *, network: Musiq | None = None) -> None:
        """Choose at what size frames are seen.

        Args:
            mode: ``longer`` makes the long side 512 where it is above, ``shorter`` the short side,
                ``shorter_centercrop`` cuts out the middle square after that, ``none`` leaves frames as they are.
            network: A network in place of the ledger's.

        Raises:
            ConfigError: There is no such mode.
        """
        self._mode = checked_mode(mode)
        self._network = network
        self.info = ExtractorInfo(
            name="musiq_spaq",
            version=1,
            window=1,
            batch_size=2,
            preprocess="unit" if mode == "none" else f"{mode}{SIDE}-bilinear-unit",
            weights=(WEIGHTS,),
            extra="models",
            distributions=DISTRIBUTIONS,
            summary="technical quality of each frame by MUSIQ, trained on SPAQ",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``score`` (B,) float64."""
        require_extra(self.info)
        network = self._network or shared_network("musiq-spaq", Musiq, (WEIGHTS,))
        scores = network(resized(self._mode, batch.frames[:, 0])).numpy()
        return {"score": scores.astype(np.float64)}
