"""Reading images and folders of images with Pillow. It runs in a decoder process."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from anisora.harness.errors import VideoUnreadable
from anisora.harness.media.folders import frame_paths
from anisora.harness.media.regular_files import open_regular_file
from anisora.harness.media.video_reader import FileLimits
from anisora.harness.types import Frames, StreamInfo

__all__ = ["FrameFolder", "read_image"]

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP")
_EIGHT_BIT_MODES: Final = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})


def read_image(path: Path, limits: FileLimits) -> tuple[Frames, str, str]:
    """Return (pixels, format, mode) of an image.

    Pixels are (H, W, 3) RGB by Pillow's ``convert("RGB")``: alpha is dropped, EXIF orientation is not
    applied.

    Raises:
        VideoUnreadable: It is missing, damaged, too large, has several pictures or more than 8 bits a
            channel.
    """
    PillowImage.MAX_IMAGE_PIXELS = None  # checked below, against our own limit
    with open_regular_file(path, limits.max_file_bytes) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata
        try:
            with PillowImage.open(file, formats=_FORMATS) as image:
                limits.check_size(path, *image.size)
                _check_kind(path, image)
                pixels = np.asarray(image.convert("RGB"))
                return pixels, str(image.format).lower(), image.mode
        except UnidentifiedImageError as error:
            raise VideoUnreadable(
                path, "not-a-video", "it is no picture read here; expected PNG, JPEG, WebP or BMP."
            ) from error
        except (
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
        ) as error:  # what Pillow's readers raise of broken data
            raise VideoUnreadable(path, "damaged", f"Pillow says {str(error)!r}.") from error


def _check_kind(path: Path, image: PillowImage.Image) -> None:
    count = getattr(image, "n_frames", 1)
    if count != 1:
        raise VideoUnreadable(path, "unsupported", f"it holds {count} pictures; expected one.")
    if image.mode not in _EIGHT_BIT_MODES:
        raise VideoUnreadable(path, "unsupported", f"its pixels are {image.mode!r}; expected at most 8 bits a channel.")


class FrameFolder:
    """A clip that is a folder of images, in natural order of their names."""

    def __init__(self, path: Path, limits: FileLimits, *, fps: float | None) -> None:
        """List the folder and read its first image.

        Raises:
            VideoUnreadable: There is no image, no frame rate, or the first image cannot be read.
        """
        self.path, self._limits = path, limits
        self._paths = frame_paths(path)
        if not self._paths:
            raise VideoUnreadable(path, "no-frames", "the folder holds no PNG, JPEG, WebP or BMP image.")
        limits.check_count(path, len(self._paths))
        if fps is None:
            raise VideoUnreadable(path, "no-frame-rate", "a folder of frames has none; give the clip's (fps).")
        pixels, codec, mode = read_image(self._paths[0], limits)
        self._shape = pixels.shape
        self.info = StreamInfo(
            fps=fps,
            num_frames=len(self._paths),
            height=pixels.shape[0],
            width=pixels.shape[1],
            codec=codec,
            pixel_format=mode.lower(),
        )

    def close(self) -> None:
        """Nothing stays open."""

    def frames(self, wanted: Sequence[int] | None) -> Iterator[Frames | None]:
        """Yield every frame, or None where it is not wanted; all are read, so that damage is always found."""
        chosen = None if wanted is None else frozenset(wanted)
        for index, path in enumerate(self._paths):
            pixels, _, _ = read_image(path, self._limits)
            if pixels.shape != self._shape:
                raise VideoUnreadable(
                    path,
                    "unsupported",
                    f"it is {pixels.shape[1]}x{pixels.shape[0]}, the first frame of the folder "
                    f"is {self._shape[1]}x{self._shape[0]}; expected one size.",
                )
            yield pixels if chosen is None or index in chosen else None
