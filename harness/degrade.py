"""Damages with a severity, pure and seeded: the only copy.

Demo systems, degenerate baselines, probes of metrics and the audit of rewards are all made from these. A
damage turns a clip into a worse one of the same shape: a metric that likes the result better is caught.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness import subtitle
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.types import Frames

__all__ = ["DAMAGES", "DAMAGE_INFO", "DAMAGE_VERSION", "DamageInfo", "degrade", "severity_of"]

DAMAGE_VERSION: Final = 1
"""Goes up when any pixel of any damage can change."""

_WORST_BLUR: Final = 1 / 36  # standard deviation of the kernel, of the height
_WORST_DRIFT: Final = np.deg2rad(75.0)  # of hue, at the last frame
_WORST_FADE: Final = 0.25  # loss of gain, at the last frame
_WORST_FLICKER: Final = 0.35  # change of gain
_WORST_JITTER: Final = 0.04  # of the height, each way
_WORST_NOISE: Final = 50.0  # standard deviation in grey levels
_PAN: Final = 0.12  # of the width, over the whole clip
_BEST_JPEG, _WORST_JPEG = 95, 3  # quality
_WORST_SATURATION: Final = 1.6  # gain of colour, added to 1
_WORST_GRID: Final = 24.0  # grey levels on the lines of a grid
_GRID_PERIOD: Final = 8  # pixels from line to line: what one place of a video model's latents covers, each way


@dataclass(frozen=True, slots=True, kw_only=True)
class DamageInfo:
    """Who a damage is."""

    summary: str
    """One line: what is done to the clip."""
    hurts: tuple[str, ...]
    """Metrics that should be worse for it, by name."""
    apply: Callable[[Frames, float, np.random.Generator], Frames]
    """(frames, severity in (0, 1], generator) -> frames."""
    from_image: bool = False
    """At severity 1 the clip follows from its first frame alone."""


def degrade(name: str, frames: Frames, *, severity: float, seed: int = 0) -> Frames:
    """Return a damaged copy of a clip.

    Args:
        name: One of DAMAGES.
        frames: (T, H, W, 3) uint8 RGB; left as it is.
        severity: 0 gives the same bytes back, 1 is the worst. Damages that act on whole frames act on this
            share of the clip.
        seed: Seeds those damages that are random.

    Returns:
        (T, H, W, 3) uint8 RGB.

    Raises:
        UnknownNameError: There is no such damage.
        ConfigError: The severity is outside [0, 1].
        DataError: ``frames`` has another layout.

    Example:
        >>> clip = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
        >>> frozen = degrade("freeze", clip, severity=1.0)
        >>> bool((frozen == clip[0]).all())
        True
    """
    if name not in DAMAGE_INFO:
        raise UnknownNameError("damage", name, DAMAGE_INFO, f"Expected one of {', '.join(DAMAGE_INFO)}.")
    amount = severity_of(severity, owner=f"damage {name!r}")
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.shape[0]:
        raise DataError(f"`frames` got {frames.dtype} of shape {frames.shape}; expected uint8 (T, H, W, 3) RGB.")
    if amount == 0:
        return frames.copy()
    # Each damage draws from its own stream, so that two of them with one seed are not the same accident.
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return np.ascontiguousarray(DAMAGE_INFO[name].apply(frames, amount, rng))


def severity_of(value: object, *, owner: str) -> float:
    """Return a severity as it was given, as a number.

    Args:
        value: What was given.
        owner: Whose severity it is, in words, for the message.

    Raises:
        ConfigError: It is not a number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"`severity` of {owner} got {value!r}; expected a number from 0 to 1.")
    return float(value)


def _freeze(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001 - one signature
    out = frames.copy()
    out[: _share(frames, severity)] = frames[0]
    return out


def _cross_fade(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    out = np.empty_like(frames)
    first, last = frames[0].astype(np.float32), frames[-1].astype(np.float32)
    for index, position in enumerate(_positions(frames)):
        blend = first + (last - first) * np.float32(position)
        own = frames[index].astype(np.float32)
        out[index] = _rounded(own + (blend - own) * np.float32(severity))
    return out


def _half_rate(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    # A clip animated on twos repeats each drawing. Dropping every second frame of it would change nothing, so
    # every second drawing is dropped; without repeats the two are the same.
    starts = [
        index for index in range(len(frames)) if index == 0 or not np.array_equal(frames[index], frames[index - 1])
    ]
    drawings = list(zip(starts, [*starts[1:], len(frames)], strict=True))
    seconds = drawings[1::2]
    chosen = rng.permutation(len(seconds))[: round(severity * len(seconds))]
    out = frames.copy()
    for start, end in (seconds[int(index)] for index in chosen):
        out[start:end] = frames[start - 1]
    return out


def _flicker(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    sizes = rng.uniform(0.4, 1.0, len(frames))
    signs = np.where(np.arange(len(frames)) % 2 == 0, -1.0, 1.0)
    return _each(
        frames,
        lambda frame, index: frame * np.float32(1 + severity * _WORST_FLICKER * signs[index] * sizes[index]),
    )


def _jitter(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    offsets = rng.uniform(-1.0, 1.0, (len(frames), 2)) * severity * _WORST_JITTER * frames.shape[1]
    return np.stack([_moved(frame, *offset) for frame, offset in zip(frames, offsets, strict=True)])


def _blur(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    import cv2

    sigma = severity * _WORST_BLUR * frames.shape[1]
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101) for frame in frames])


def _colour_drift(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    turn = _WORST_DRIFT * (1.0 if rng.uniform() < 0.5 else -1.0)
    # The drift grows over the clip and ends at its worst; hue turns around the grey axis, gain falls.
    amounts = severity * _positions(frames, alone=1.0)

    def drifted(frame: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        matrix = _hue_rotation(turn * amounts[index]) * (1 - _WORST_FADE * amounts[index])
        turned: NDArray[np.float32] = frame @ matrix.T.astype(np.float32)
        return turned

    return _each(frames, drifted)


def _shuffle(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    chosen = rng.permutation(len(frames))[: _share(frames, severity)]
    order = np.arange(len(frames))
    order[chosen] = np.roll(chosen, 1)  # a single cycle in random order leaves none of the chosen in its place
    return frames[order]


def _noise(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    spread = np.float32(severity * _WORST_NOISE)
    return _each(frames, lambda frame, _: frame + spread * rng.standard_normal(frame.shape, dtype=np.float32))


def _slow_pan(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    side = 1.0 if rng.uniform() < 0.5 else -1.0
    out = frames.copy()
    positions = _positions(frames)
    for index in range(1, _share(frames, severity)):
        out[index] = _moved(frames[0], side * _PAN * frames.shape[2] * positions[index], 0.0)
    return out


def _flow_warp(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    import cv2

    # On twos the first two frames are equal and have no flow: the first frame that differs gives it.
    ahead = next((index for index in range(1, len(frames)) if not np.array_equal(frames[index], frames[0])), None)
    out = frames.copy()
    if ahead is None:
        return out
    before, after = (cv2.cvtColor(frames[index], cv2.COLOR_RGB2GRAY) for index in (0, ahead))
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(before, after, np.zeros((*before.shape, 2), np.float32)) / ahead
    rows, columns = np.indices(before.shape, dtype=np.float32)
    for index in range(1, _share(frames, severity)):
        out[index] = cv2.remap(
            frames[0],
            columns - index * flow[..., 0],
            rows - index * flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    return out


def _reverse(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    out = frames.copy()
    count = _share(frames, severity)
    out[:count] = frames[:count][::-1]
    return out


def _jpeg(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    import cv2

    quality = round(_BEST_JPEG - severity * (_BEST_JPEG - _WORST_JPEG))
    out = np.empty_like(frames)
    for index, frame in enumerate(frames):
        _, packed = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        assert unpacked is not None
        out[index] = unpacked[..., ::-1]
    return out


def _saturation(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    gain = np.float32(1 + severity * _WORST_SATURATION)
    weights = np.array((0.299, 0.587, 0.114), np.float32)  # BT.601, so that the luma of what is not clipped stays

    def saturated(frame: NDArray[np.float32], _: int) -> NDArray[np.float32]:
        luma = (frame @ weights)[..., None]
        return np.asarray(luma + gain * (frame - luma))

    return _each(frames, saturated)


def _grid(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    rows, columns = (np.arange(side) % _GRID_PERIOD == 0 for side in frames.shape[1:3])
    lines = np.where(rows[:, None] | columns, np.float32(severity * _WORST_GRID), np.float32(0))[..., None]
    return _each(frames, lambda frame, _: frame + lines)


def _first_frame_copy(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:  # noqa: ARG001
    first = frames[0].astype(np.float32)
    return _each(frames, lambda frame, _: frame + (first - frame) * np.float32(severity))


def _subtitle(frames: Frames, severity: float, rng: np.random.Generator) -> Frames:
    line = subtitle.LINES[int(rng.integers(len(subtitle.LINES)))]
    colour = subtitle.COLOURS[int(rng.integers(len(subtitle.COLOURS)))]
    # The first frame is the conditioning image: text that is there already would not be made up by the model.
    begin = max(len(frames) - _share(frames, severity), min(1, len(frames) - 1))
    return np.concatenate([frames[:begin], subtitle.burn_in(frames[begin:], line, colour)])


def _share(frames: Frames, severity: float) -> int:
    """Frames in a share of the clip."""
    return round(severity * len(frames))


def _positions(frames: Frames, alone: float = 0.0) -> NDArray[np.float64]:
    """Place of each frame, 0 the first and 1 the last; ``alone`` for a clip of one frame."""
    return np.linspace(0.0, 1.0, len(frames)) if len(frames) > 1 else np.array([alone])


def _rounded(values: NDArray[np.float32]) -> Frames:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _each(frames: Frames, change: Callable[[NDArray[np.float32], int], NDArray[np.float32]]) -> Frames:
    """Apply a change in grey levels frame by frame, which keeps memory at one frame of floats."""
    out = np.empty_like(frames)
    for index, frame in enumerate(frames):
        out[index] = _rounded(change(frame.astype(np.float32), index))
    return out


def _moved(frame: Frames, right: float, down: float) -> Frames:
    import cv2

    matrix = np.array(((1.0, 0.0, right), (0.0, 1.0, down)))
    height, width = frame.shape[:2]
    moved = cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return moved.astype(np.uint8, copy=False)


def _hue_rotation(angle: float) -> NDArray[np.float64]:
    """Return the rotation of RGB space around its grey axis (Rodrigues' formula)."""
    axis = np.ones(3) / np.sqrt(3.0)
    cross = np.array(((0, -axis[2], axis[1]), (axis[2], 0, -axis[0]), (-axis[1], axis[0], 0)))
    rotation: NDArray[np.float64] = (
        np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    )
    return rotation


DAMAGE_INFO: Final[Mapping[str, DamageInfo]] = MappingProxyType(
    {
        "blur": DamageInfo(
            summary="Gaussian blur of every frame, up to a thirty-sixth of the height.",
            hurts=("sharpness", "psnr", "ssim"),
            apply=_blur,
        ),
        "colour-drift": DamageInfo(
            summary="Hue turns and brightness falls more and more towards the end.",
            hurts=("psnr", "ssim"),
            apply=_colour_drift,
        ),
        "cross-fade": DamageInfo(
            summary="The first frame dissolves linearly into the last; nothing moves.",
            hurts=("psnr", "ssim", "flow_magnitude"),
            apply=_cross_fade,
        ),
        "first-frame-copy": DamageInfo(
            summary="Every frame is mixed with the first one; at 1 nothing else is left of the clip.",
            hurts=("flow_magnitude", "psnr", "ssim"),
            apply=_first_frame_copy,
            from_image=True,
        ),
        "flicker": DamageInfo(
            summary="Brightness jumps up and down from frame to frame.",
            hurts=("temporal_flickering", "warping_error", "psnr"),
            apply=_flicker,
        ),
        "flow-warp": DamageInfo(
            summary="The first frame is pushed on along its first optical flow; a degenerate baseline.",
            hurts=("psnr", "ssim"),
            apply=_flow_warp,
        ),
        "freeze": DamageInfo(
            summary="The first frame is held for a share of the clip; a degenerate baseline.",
            hurts=("flow_magnitude", "psnr", "ssim"),
            apply=_freeze,
            from_image=True,
        ),
        "grid": DamageInfo(
            summary="Every eighth row and column is brighter, as where the patches of a decoder meet.",
            hurts=("psnr", "ssim"),
            apply=_grid,
        ),
        "half-rate": DamageInfo(
            summary="Every second drawing is dropped and the one before is held.",
            hurts=("psnr", "ssim"),
            apply=_half_rate,
        ),
        "jitter": DamageInfo(
            summary="The camera shakes at random, up to a twenty-fifth of the height.",
            hurts=("temporal_flickering", "flow_magnitude", "psnr", "ssim", "condition_fidelity"),
            apply=_jitter,
        ),
        "jpeg": DamageInfo(
            summary="Every frame goes through JPEG, down to quality 3.", hurts=("psnr", "ssim"), apply=_jpeg
        ),
        "noise": DamageInfo(
            summary="Independent Gaussian noise on every pixel.",
            hurts=("temporal_flickering", "warping_error", "psnr", "ssim"),
            apply=_noise,
        ),
        "reverse": DamageInfo(
            summary="A share of the clip, from its start, is played backwards.",
            hurts=("psnr", "ssim", "condition_fidelity"),
            apply=_reverse,
        ),
        "saturation": DamageInfo(
            summary="Colours are stronger, up to 2.6 times as far from grey.",
            hurts=("colourfulness", "psnr", "ssim"),
            apply=_saturation,
        ),
        "shuffle": DamageInfo(
            summary="A share of the frames changes places at random.",
            hurts=("temporal_flickering", "flow_magnitude", "psnr", "ssim"),
            apply=_shuffle,
        ),
        "slow-pan": DamageInfo(
            summary="The camera glides over the first frame; a degenerate baseline.",
            hurts=("psnr", "ssim"),
            apply=_slow_pan,
            from_image=True,
        ),
        "subtitle": DamageInfo(
            summary="A subtitle that nobody asked for is burnt in at the end of the clip, never in its first frame.",
            hurts=("hallucinated_text", "psnr", "ssim"),
            apply=_subtitle,
        ),
    }
)
"""Every damage by name, in the order of the alphabet."""

DAMAGES: Final[tuple[str, ...]] = tuple(DAMAGE_INFO)
