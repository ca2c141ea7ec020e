"""Writing video files. It runs in an encoder process."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from anisora.harness.media.encoding import Encoding
from anisora.harness.types import Frames

__all__ = ["VideoWriter"]


class VideoWriter:
    """Encodes RGB frames into one file; equal frames give equal bytes.

    No colour tags are written: yuv420p is made with FFmpeg's default BT.601 limited matrix, the one that the
    reference way of reading assumes.
    """

    def __init__(self, path: Path, encoding: Encoding, rate: Fraction, *, height: int, width: int) -> None:
        """Open the file.

        Raises:
            OSError: It cannot be written.
        """
        self._file = path.open("wb")
        try:
            self._container = av.open(
                self._file, "w", format=encoding.container, container_options={"fflags": "+bitexact"}
            )
            options = _with_slices(encoding, height=height, width=width)
            self._stream = self._container.add_stream(encoding.codec, rate=rate, options=options)
        except BaseException:
            self._file.close()
            raise
        self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, encoding.pixel_format
        self._stream.codec_context.thread_count = 1  # the same bytes on every machine
        self._reformatter: Any = av.video.reformatter.VideoReformatter()
        self._count, self._rate = 0, rate

    def write(self, frames: Frames) -> None:
        """Encode some frames, (T, H, W, 3)."""
        for pixels in frames:
            picture = VideoFrame.from_ndarray(pixels, format="rgb24")
            picture = self._reformatter.reformat(picture, format=self._stream.pix_fmt, threads=1)
            picture.pts, picture.time_base = self._count, 1 / self._rate
            self._container.mux(self._stream.encode(picture))
            self._count += 1

    def finish(self) -> None:
        """Write what is still in the encoder and close the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()


def _with_slices(encoding: Encoding, *, height: int, width: int) -> dict[str, str]:
    """Return the codec's options with the fewest FFV1 slices that this frame size allows.

    FFmpeg's own choice fails for narrow frames, and large frames need several; a size that allows no number of
    slices (one pixel wide and very high) is written in version 1 of the format, which has none.
    """
    if encoding.codec != "ffv1":
        return dict(encoding.options)
    for slices in ("1", "2", "4", "6", "9", "16", "24"):
        options = {**encoding.options, "slices": slices}
        context = av.CodecContext.create("ffv1", "w")
        assert isinstance(context, VideoCodecContext)
        context.height, context.width, context.pix_fmt = height, width, encoding.pixel_format
        context.framerate, context.options = Fraction(24), options
        try:
            context.open()
        except (av.error.FFmpegError, NotImplementedError):
            continue
        return options
    return {name: value for name, value in encoding.options.items() if name != "slicecrc"} | {"level": "1"}
