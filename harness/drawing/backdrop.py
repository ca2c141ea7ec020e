"""Painted places: no outlines, soft washes of colour, a far and a near layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import Canvas, Colour, ellipse, smooth
from anisora.harness.types import Frames

__all__ = ["PLACES", "Backdrop", "paint"]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Two layers, so that a camera move shows depth."""

    far: Frames
    """(H, W, 3)"""
    near: Frames
    """(H, W, 3), shown where ``mask`` is not 0."""
    mask: NDArray[np.uint8]
    """(H, W)"""

    def seen(self, left: float, width: int) -> Frames:
        """Return the view with its left edge at ``left`` pixels; the far layer moves 0.4 of that."""
        import cv2

        near, far = round(left), round(0.4 * left)
        view = self.far[:, far : far + width].copy()
        cv2.copyTo(self.near[:, near : near + width], self.mask[:, near : near + width], view)
        return view


def paint(place: str, rng: np.random.Generator, *, width: int, height: int) -> Backdrop:
    """Paint a place.

    Args:
        place: A key of PLACES.
        rng: Where things stand.
        width: Pixels; may be wider than the picture, for a pan.
        height: Pixels.
    """
    far, near = (np.zeros((height, width, 3), np.uint8) for _ in range(2))
    near[:] = _CLEAR
    _PAINTERS[place](Canvas(far), Canvas(near), rng)
    mask = np.where((near == _CLEAR).all(axis=2), 0, 255).astype(np.uint8)
    wash = _wash(rng, width, height)
    return Backdrop(_washed(far, wash), _washed(near, wash), mask)


_CLEAR: Final = np.array((1, 254, 1), np.uint8)  # a colour that no painter uses


def _wash(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Return (H, W, 1) gains around 1, blotched as wet paint is."""
    import cv2

    wash = np.zeros((height, width), np.float32)
    for cells, strength in ((5, 0.05), (22, 0.025)):
        coarse = rng.uniform(-strength, strength, (cells, max(2, cells * width // height))).astype(np.float32)
        wash += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return 1.0 + wash[..., None]


def _washed(pixels: Frames, wash: NDArray[np.float32]) -> Frames:
    washed: Frames = np.clip(pixels * wash, 0, 255).astype(np.uint8)
    return washed


def _gradient(canvas: Canvas, top: Colour, bottom: Colour, start: float = 0.0, end: float = 1.0) -> None:
    height = canvas.pixels.shape[0]
    first, last = round(start * height), round(end * height)
    t = np.linspace(0.0, 1.0, max(1, last - first))[:, None, None]
    canvas.pixels[first:last] = np.rint(np.array(top) + (np.array(bottom) - np.array(top)) * t).astype(np.uint8)


def _scaled(canvas: Canvas, corners: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Corners in picture heights, both ways -> pixels."""
    scaled: NDArray[np.float64] = np.array(corners) * canvas.pixels.shape[0]
    return scaled


def _span(canvas: Canvas) -> float:
    height, width, _ = canvas.pixels.shape
    return float(width / height)


def _clouds(canvas: Canvas, rng: np.random.Generator, colour: Colour, shade: Colour) -> None:
    height = canvas.pixels.shape[0]
    for x in np.arange(0.15, _span(canvas), 0.75):
        x0, y0 = x + rng.uniform(-0.15, 0.15), rng.uniform(0.1, 0.3)
        puffs = [(x0 + rng.uniform(-0.2, 0.2), y0 + rng.uniform(-0.05, 0.02), rng.uniform(0.05, 0.1)) for _ in range(6)]
        for tone, dy in ((shade, 0.018), (colour, 0.0)):
            for px, py, size in puffs:
                canvas.fill(ellipse(px * height, (py + dy) * height, 1.5 * size * height, size * height), tone)


def _hills(canvas: Canvas, rng: np.random.Generator, colour: Colour, base: float, rise: float) -> None:
    span = _span(canvas)
    ridge = [(x, base - rise * rng.uniform(0.2, 1.0)) for x in np.arange(-0.3, span + 0.6, 0.3)]
    canvas.fill(smooth(_scaled(canvas, [*ridge, (span + 0.6, 1.2), (-0.3, 1.2)])), colour)


def _foliage(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: tuple[float, float],
    size: float,
    tones: tuple[Colour, ...],
) -> None:
    x, y = centre
    height = canvas.pixels.shape[0]
    for index, tone in enumerate(tones):
        for _ in range(16):
            angle, radius = rng.uniform(0, 2 * np.pi), size * np.sqrt(rng.uniform(0, 1)) * (1 - 0.22 * index)
            px, py = (
                x + 1.25 * radius * np.cos(angle) - 0.12 * index * size,
                y + 0.8 * radius * np.sin(angle) - 0.15 * index * size,
            )
            blot = size * rng.uniform(0.2, 0.36)
            canvas.fill(ellipse(px * height, py * height, blot * height, 0.8 * blot * height, 14), tone)


def _park(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    _gradient(far, (126, 190, 236), (222, 240, 246))
    _clouds(far, rng, (252, 252, 252), (208, 224, 240))
    _hills(far, rng, (142, 186, 190), 0.62, 0.22)
    _hills(far, rng, (118, 172, 134), 0.68, 0.14)
    _gradient(near, (136, 186, 98), (98, 156, 78), 0.7)
    span = _span(near)
    near.fill(
        smooth(
            _scaled(
                near,
                [(-0.2, 0.84), (span / 2, 0.8), (span + 0.2, 0.85), (span + 0.2, 0.95), (span / 2, 0.92), (-0.2, 0.97)],
            )
        ),
        (222, 200, 160),
    )
    for x in np.arange(0.12, span, 0.8):
        x0 = x + rng.uniform(-0.08, 0.08)
        near.fill(
            _scaled(near, [(x0 - 0.03, 0.3), (x0 + 0.03, 0.3), (x0 + 0.05, 0.76), (x0 - 0.05, 0.76)]),
            (116, 84, 72),
        )
        _foliage(near, rng, (x0, 0.24), 0.2, ((222, 140, 162), (242, 172, 190), (252, 208, 218)))


def _seaside(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    _gradient(far, (84, 162, 226), (206, 236, 246), 0.0, 0.55)
    _clouds(far, rng, (254, 254, 252), (196, 220, 240))
    _gradient(far, (58, 138, 186), (126, 202, 208), 0.52)
    height, span = far.pixels.shape[0], _span(far)
    for _ in range(46):
        x, y = rng.uniform(0, span) * height, rng.uniform(0.55, 0.76) * height
        far.fill(ellipse(x, y, rng.uniform(0.02, 0.06) * height, 0.004 * height, 10), (206, 238, 240))
    edge = [(x, 0.76 + rng.uniform(-0.015, 0.015)) for x in np.arange(-0.3, span + 0.6, 0.25)]
    near.fill(smooth(_scaled(near, [*edge, (span + 0.5, 1.2), (-0.3, 1.2)])), (238, 220, 178))
    for x in np.arange(0.06, span, 0.26):
        near.fill(
            _scaled(near, [(x, 0.62), (x + 0.025, 0.62), (x + 0.028, 0.86), (x - 0.003, 0.86)]),
            (232, 232, 226),
        )
    for y in (0.65, 0.74):
        near.fill(
            _scaled(near, [(-0.1, y), (span + 0.1, y), (span + 0.1, y + 0.022), (-0.1, y + 0.022)]),
            (246, 246, 240),
        )


def _street(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    _gradient(far, (246, 176, 120), (252, 226, 178), 0.0, 0.8)
    _clouds(far, rng, (254, 222, 190), (236, 168, 148))
    _hills(far, rng, (190, 130, 138), 0.6, 0.12)
    span = _span(near)
    x = -0.1
    tones = ((196, 150, 132), (170, 140, 148), (212, 172, 140), (156, 128, 140))
    while x < span + 0.1:
        wide, top = rng.uniform(0.28, 0.46), rng.uniform(0.22, 0.42)
        near.fill(_scaled(near, [(x, top), (x + wide, top), (x + wide, 0.8), (x, 0.8)]), tones[int(rng.integers(4))])
        near.fill(
            _scaled(
                near,
                [
                    (x - 0.015, top - 0.04),
                    (x + wide + 0.015, top - 0.04),
                    (x + wide, top + 0.02),
                    (x, top + 0.02),
                ],
            ),
            (132, 84, 84),
        )
        for row in np.arange(top + 0.08, 0.62, 0.14):
            for column in np.arange(x + 0.05, x + wide - 0.08, 0.12):
                tone = (255, 232, 160) if rng.uniform() < 0.4 else (112, 104, 128)
                near.fill(
                    _scaled(
                        near,
                        [
                            (column, row),
                            (column + 0.065, row),
                            (column + 0.065, row + 0.085),
                            (column, row + 0.085),
                        ],
                    ),
                    tone,
                )
        x += wide + rng.uniform(0.0, 0.12)
    _gradient(near, (150, 138, 146), (116, 108, 124), 0.78)
    near.fill(_scaled(near, [(-0.1, 0.78), (span + 0.1, 0.78), (span + 0.1, 0.81), (-0.1, 0.81)]), (198, 184, 178))


def _classroom(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    _gradient(far, (132, 196, 238), (216, 238, 246))
    _clouds(far, rng, (252, 252, 252), (206, 224, 240))
    _gradient(near, (240, 228, 202), (226, 208, 178), 0.0, 0.76)
    _gradient(near, (190, 142, 100), (160, 114, 82), 0.76)
    span = _span(near)
    clear: Colour = (int(_CLEAR[0]), int(_CLEAR[1]), int(_CLEAR[2]))
    for x in np.arange(0.06, span, 0.62):
        near.fill(
            _scaled(near, [(x - 0.02, 0.08), (x + 0.52, 0.08), (x + 0.52, 0.56), (x - 0.02, 0.56)]),
            (250, 246, 236),
        )
        for pane in (x, x + 0.26):
            near.fill(_scaled(near, [(pane, 0.1), (pane + 0.24, 0.1), (pane + 0.24, 0.54), (pane, 0.54)]), clear)
        near.fill(
            _scaled(near, [(x - 0.04, 0.56), (x + 0.54, 0.56), (x + 0.54, 0.59), (x - 0.04, 0.59)]),
            (206, 178, 142),
        )
    near.fill(_scaled(near, [(-0.1, 0.73), (span + 0.1, 0.73), (span + 0.1, 0.76), (-0.1, 0.76)]), (150, 106, 78))
    for x in np.arange(-0.05, span, 0.55):
        top = 0.72 + rng.uniform(-0.01, 0.01)
        near.fill(
            _scaled(near, [(x, top), (x + 0.3, top), (x + 0.34, top + 0.05), (x - 0.04, top + 0.05)]),
            (214, 168, 112),
        )
        for leg in (x - 0.01, x + 0.28):
            near.fill(
                _scaled(
                    near,
                    [
                        (leg, top + 0.05),
                        (leg + 0.025, top + 0.05),
                        (leg + 0.025, top + 0.22),
                        (leg, top + 0.22),
                    ],
                ),
                (126, 128, 138),
            )


def _night(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    _gradient(far, (26, 32, 74), (96, 84, 140))
    height, span = far.pixels.shape[0], _span(far)
    for _ in range(70):
        size = rng.uniform(0.002, 0.006) * height
        far.fill(
            ellipse(rng.uniform(0, span) * height, rng.uniform(0, 0.5) * height, size, size, 8),
            (236, 236, 255),
        )
    moon = (rng.uniform(0.2, 0.5) * height, 0.2 * height)
    far.glow(*moon, 0.3 * height, (200, 206, 255), 0.6)
    far.fill(ellipse(*moon, 0.085 * height, 0.085 * height), (252, 248, 222))
    x = -0.1
    while x < span + 0.1:
        wide, top = rng.uniform(0.12, 0.26), rng.uniform(0.42, 0.62)
        far.fill(_scaled(far, [(x, top), (x + wide, top), (x + wide, 1.0), (x, 1.0)]), (48, 46, 92))
        for row in np.arange(top + 0.03, 0.8, 0.055):
            for column in np.arange(x + 0.02, x + wide - 0.03, 0.045):
                if rng.uniform() < 0.45:
                    far.fill(
                        _scaled(
                            far,
                            [
                                (column, row),
                                (column + 0.02, row),
                                (column + 0.02, row + 0.028),
                                (column, row + 0.028),
                            ],
                        ),
                        (250, 214, 128),
                    )
        x += wide + 0.02
    _gradient(near, (82, 78, 122), (58, 56, 96), 0.82)
    for y in (0.6, 0.71):
        near.fill(
            _scaled(near, [(-0.1, y), (span + 0.1, y), (span + 0.1, y + 0.018), (-0.1, y + 0.018)]),
            (130, 128, 172),
        )
    for x in np.arange(0.05, span, 0.2):
        near.fill(_scaled(near, [(x, 0.6), (x + 0.016, 0.6), (x + 0.016, 0.83), (x, 0.83)]), (114, 112, 158))


_Painter = Callable[[Canvas, Canvas, np.random.Generator], None]

_PAINTERS: Final[Mapping[str, _Painter]] = MappingProxyType(
    {"park": _park, "seaside": _seaside, "street": _street, "classroom": _classroom, "night": _night}
)

PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "park": "in a park with cherry trees",
        "seaside": "by the sea on a bright day",
        "street": "in a street at sunset",
        "classroom": "in a classroom",
        "night": "on a rooftop at night",
    }
)
"""Places by name, as the end of a sentence."""
