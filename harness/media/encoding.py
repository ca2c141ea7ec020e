"""What an encoder's text means: ``ffv1``, ``h264:crf=10,preset=medium``. The parent reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

from anisora.harness.errors import ConfigError, UnknownNameError

__all__ = ["DEFAULT_ENCODER", "Encoding", "encoder_suffix", "encoding_of", "rate_of"]

DEFAULT_ENCODER: Final = "ffv1"

_PRESETS: Final = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
_KNOWN: Final = ("ffv1", "h264", "h264rgb")
_HINT: Final = "Known: 'ffv1' and 'h264rgb' (lossless RGB in Matroska), 'h264:crf=0..51[,preset=...]' (MP4, yuv420p)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How frames become a file, in FFmpeg's words."""

    codec: Literal["ffv1", "libx264", "libx264rgb"]
    pixel_format: Literal["bgr0", "bgr24", "yuv420p"]
    container: Literal["matroska", "mp4"]
    suffix: Literal[".mkv", ".mp4"]
    options: dict[str, str]


_LOSSLESS: Final[Mapping[str, Encoding]] = MappingProxyType(
    {
        "ffv1": Encoding(
            codec="ffv1",
            pixel_format="bgr0",
            container="matroska",
            suffix=".mkv",
            options={"level": "3", "slicecrc": "1", "g": "1", "flags": "+bitexact"},
        ),
        # Read back six times as fast as FFV1, but without its checksums in every frame.
        "h264rgb": Encoding(
            codec="libx264rgb",
            pixel_format="bgr24",
            container="matroska",
            suffix=".mkv",
            options={"qp": "0", "preset": "ultrafast", "flags": "+bitexact"},
        ),
    }
)


def encoding_of(encoder: str) -> Encoding:
    """Return what an encoder's text means.

    Raises:
        ConfigError: The name or an option is not known, or a value is out of range.
    """
    name, _, rest = encoder.partition(":")
    options: dict[str, str] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key in options:
            raise ConfigError(f"`encoder` got {encoder!r}; expected name:key=value,... with each key once. {_HINT}")
        options[key] = value
    if name in _LOSSLESS:
        if options:
            raise ConfigError(f"`encoder` got {encoder!r}; {name!r} has no options. {_HINT}")
        return _LOSSLESS[name]
    if name != "h264":
        raise UnknownNameError("encoder", encoder, _KNOWN, _HINT)
    crf, preset = options.pop("crf", "10"), options.pop("preset", "medium")
    if options or not crf.isdecimal() or int(crf) > 51 or preset not in _PRESETS:
        raise ConfigError(
            f"`encoder` got {encoder!r}; expected crf=0..51 and preset one of {', '.join(_PRESETS)}. {_HINT}"
        )
    return Encoding(
        codec="libx264",
        pixel_format="yuv420p",
        container="mp4",
        suffix=".mp4",
        options={"crf": str(int(crf)), "preset": preset, "flags": "+bitexact"},
    )


def encoder_suffix(encoder: str) -> str:
    """Return the suffix of the container an encoder writes, with the dot.

    Raises:
        ConfigError: The encoder is not known.
    """
    return encoding_of(encoder).suffix


def rate_of(fps: float) -> Fraction:
    """Return the frame rate as the fraction a container holds: 24000/1001 for 23.976023976.

    Raises:
        ConfigError: It is not a positive number that a container can hold.
    """
    rate = Fraction(fps).limit_denominator(1001) if 0 < fps < 1_000_000 else Fraction(0)
    if rate <= 0:
        raise ConfigError(f"`fps` got {fps!r}; expected frames per second above 0.001.")
    return rate
