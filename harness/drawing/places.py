"""The places where clips are set, each with the light that falls on a figure in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from anisora.harness.drawing.canvas import Canvas, Colour, ellipse, smooth
from anisora.harness.drawing.scenery import blend, box, clouds, foliage, gradient, hills, rays, scaled, span, tufts

__all__ = ["CLEAR", "PLACES", "Place"]

CLEAR: Final[Colour] = (1, 254, 1)
"""Where the near layer has it, the far layer is seen; no painter uses it otherwise."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place that can be painted."""

    sentence: str
    """The end of a prompt."""
    light: tuple[float, float, float]
    """Gains of red, green and blue that a figure is seen with."""
    paint: Callable[[Canvas, Canvas, np.random.Generator], None]
    """Paints the far and the near layer."""


def _park(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    gradient(far, (104, 178, 238), (224, 243, 250), 0.0, 0.7)
    clouds(far, rng, (246, 250, 254), (204, 224, 242), low=0.42)
    hills(far, rng, (158, 200, 214), 0.64, 0.16)
    hills(far, rng, (128, 184, 164), 0.7, 0.12)
    wide = span(near)
    for x in np.arange(-0.1, wide + 0.2, 0.34):  # a hedge
        foliage(near, rng, (x, 0.7), 0.1, ((82, 138, 92), (104, 162, 100), (134, 188, 112)))
    gradient(near, (150, 202, 106), (104, 166, 84), 0.72)
    path = [(-0.2, 0.86), (0.3 * wide, 0.81), (0.7 * wide, 0.835), (wide + 0.2, 0.8)]
    path += [(wide + 0.2, 0.9), (0.6 * wide, 0.93), (0.25 * wide, 0.91), (-0.2, 0.985)]
    near.fill(smooth(scaled(near, path)), (238, 220, 182))
    tufts(near, rng, (0.75, 1.0), (88, 150, 76), 26)
    for x in np.arange(0.16, wide + 0.3, 0.86):
        _cherry_tree(near, rng, x + rng.uniform(-0.08, 0.08))
    for _ in range(60):  # fallen petals
        x, y = rng.uniform(0, wide), rng.uniform(0.76, 0.99)
        box(near, x, y, x + 0.012, y + 0.006, (250, 204, 216))


def _cherry_tree(near: Canvas, rng: np.random.Generator, x: float) -> None:
    trunk = [(x - 0.055, 0.8), (x - 0.028, 0.62), (x - 0.035, 0.4), (x - 0.12, 0.24), (x - 0.07, 0.22), (x, 0.34)]
    trunk += [(x + 0.08, 0.2), (x + 0.12, 0.22), (x + 0.035, 0.42), (x + 0.032, 0.62), (x + 0.065, 0.8)]
    near.fill(smooth(scaled(near, trunk)), (112, 80, 78))
    shadow = [(x + 0.005, 0.8), (x + 0.01, 0.5), (x + 0.034, 0.42), (x + 0.032, 0.62), (x + 0.065, 0.8)]
    near.fill(scaled(near, shadow), (88, 62, 68))
    pinks: tuple[Colour, ...] = ((216, 132, 162), (238, 164, 188), (250, 198, 212), (255, 226, 232))
    for dx, y, size in ((-0.17, 0.2, 0.13), (0.18, 0.19, 0.13), (0.0, 0.1, 0.17)):
        foliage(near, rng, (x + dx, y), size, pinks)


def _seaside(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    gradient(far, (66, 150, 228), (204, 238, 250), 0.0, 0.56)
    clouds(far, rng, (250, 252, 255), (196, 222, 244), low=0.5, size=1.5)
    gradient(far, (42, 128, 190), (120, 206, 214), 0.55)
    height, wide = far.pixels.shape[0], span(far)
    island = rng.uniform(0.15, 0.4)
    far.fill(
        smooth(scaled(far, [(island, 0.56), (island + 0.12, 0.5), (island + 0.26, 0.525), (island + 0.4, 0.56)])),
        (110, 160, 150),
    )
    for _ in range(80):
        x, y = rng.uniform(0, wide) * height, rng.uniform(0.57, 0.78) * height
        long = rng.uniform(0.012, 0.05) * height * (y / height)
        far.fill(ellipse(x, y, long, 0.0035 * height, 8), (214, 244, 246))
    for x in np.arange(0.25, wide, 1.3):
        _sail(far, x + rng.uniform(-0.1, 0.3))
    edge = [(x, 0.79 + rng.uniform(-0.012, 0.012)) for x in np.arange(-0.3, wide + 0.6, 0.25)]
    for down, tone in ((0.0, (240, 252, 252)), (0.016, (226, 206, 164)), (0.04, (244, 228, 190))):
        near.fill(smooth(scaled(near, [*((x, y + down) for x, y in edge), (wide + 0.5, 1.3), (-0.3, 1.3)])), tone)
    for y in (0.655, 0.745):
        box(near, -0.1, y, wide + 0.1, y + 0.02, (250, 250, 246))
        box(near, -0.1, y + 0.02, wide + 0.1, y + 0.027, (190, 204, 214))
    for x in np.arange(0.06, wide, 0.3):
        box(near, x, 0.62, x + 0.028, 0.87, (246, 246, 242))
        box(near, x + 0.019, 0.62, x + 0.028, 0.87, (198, 208, 216))


def _sail(far: Canvas, x: float) -> None:
    far.fill(scaled(far, [(x, 0.5), (x + 0.045, 0.578), (x, 0.578)]), (252, 252, 250))
    far.fill(scaled(far, [(x - 0.006, 0.515), (x - 0.006, 0.578), (x - 0.034, 0.578)]), (226, 236, 242))
    far.fill(scaled(far, [(x - 0.04, 0.585), (x + 0.05, 0.585), (x + 0.03, 0.602), (x - 0.024, 0.602)]), (206, 96, 88))


def _street(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    gradient(far, (112, 112, 178), (250, 164, 124), 0.0, 0.42)
    gradient(far, (250, 164, 124), (255, 226, 168), 0.42, 0.8)
    height, wide = far.pixels.shape[0], span(near)
    sun = rng.uniform(0.25, 0.55) * height
    far.glow(sun, 0.52 * height, 0.75 * height, (255, 236, 170), 0.8)
    far.fill(ellipse(sun, 0.52 * height, 0.085 * height, 0.085 * height), (255, 250, 222))
    for _ in range(9):
        x, y = rng.uniform(0, span(far)) * height, rng.uniform(0.08, 0.42) * height
        far.fill(ellipse(x, y, rng.uniform(0.12, 0.36) * height, rng.uniform(0.008, 0.02) * height), (255, 196, 164))
    hills(far, rng, (176, 116, 142), 0.7, 0.12)
    x = -0.15
    while x < wide + 0.1:
        x += _house(near, rng, x) + rng.uniform(-0.01, 0.06)
    gradient(near, (146, 124, 142), (108, 96, 122), 0.8)
    box(near, -0.1, 0.79, wide + 0.1, 0.82, (206, 178, 172))
    box(near, -0.1, 0.82, wide + 0.1, 0.835, (128, 106, 128))
    for left in np.arange(0.0, wide, 0.34):
        near.fill(
            scaled(near, [(left, 0.9), (left + 0.18, 0.9), (left + 0.17, 0.918), (left - 0.012, 0.918)]),
            (226, 210, 204),
        )
    _wires(near, rng)


def _house(near: Canvas, rng: np.random.Generator, x: float) -> float:
    wide, top = rng.uniform(0.3, 0.5), rng.uniform(0.42, 0.54)
    wall = ((206, 158, 142), (186, 142, 150), (222, 180, 148), (170, 134, 156))[int(rng.integers(4))]
    roof = ((142, 84, 92), (120, 84, 116), (160, 98, 88))[int(rng.integers(3))]
    box(near, x, top, x + wide, 0.8, wall)
    box(near, x + 0.72 * wide, top, x + wide, 0.8, blend(wall, (110, 80, 120), 0.3))
    ridge = top - rng.uniform(0.09, 0.15)
    eaves = [(x - 0.035, top + 0.02), (x + 0.2 * wide, ridge), (x + 0.8 * wide, ridge), (x + wide + 0.035, top + 0.02)]
    near.fill(scaled(near, eaves), roof)
    for left in (x + 0.07, x + 0.5 * wide):
        tone = (255, 236, 166) if rng.uniform() < 0.55 else (120, 108, 140)
        box(near, left - 0.008, top + 0.072, left + 0.098, top + 0.178, blend(wall, (255, 240, 220), 0.5))
        box(near, left, top + 0.08, left + 0.09, top + 0.17, tone)
        box(near, left + 0.042, top + 0.08, left + 0.048, top + 0.17, blend(wall, (90, 70, 90), 0.4))
    return float(wide)


def _wires(near: Canvas, rng: np.random.Generator) -> None:
    """Poles and sagging wires, without which no street is one."""
    wide, dark = span(near), (92, 72, 100)
    poles = np.arange(rng.uniform(0.1, 0.3), wide + 1.2, 1.15)
    for x in poles:
        box(near, x - 0.012, 0.04, x + 0.014, 0.82, dark)
        for y in (0.1, 0.17):
            box(near, x - 0.085, y, x + 0.085, y + 0.014, dark)
    near.ink_width = max(1.0, near.pixels.shape[0] / 200)
    for left in np.arange(poles[0] - 1.15, wide, 1.15):
        for side, y in ((-0.07, 0.1), (0.07, 0.1), (0.0, 0.17)):
            wire = [(left + side + 1.15 * t, y + 0.16 * t * (1 - t)) for t in np.linspace(0.0, 1.0, 13)]
            near.line(scaled(near, wire), dark, 0.7)


def _classroom(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    gradient(far, (112, 188, 242), (220, 242, 250), 0.0, 0.6)
    clouds(far, rng, (250, 252, 254), (204, 226, 244), low=0.46, size=1.2)
    for x in np.arange(-0.1, span(far) + 0.2, 0.3):
        foliage(far, rng, (x, 0.6), 0.13, ((92, 156, 108), (118, 182, 116), (150, 206, 128)))
    gradient(near, (248, 236, 212), (238, 220, 190), 0.0, 0.76)
    gradient(near, (206, 160, 116), (176, 128, 92), 0.8)
    wide = span(near)
    box(near, -0.1, 0.62, wide + 0.1, 0.78, (222, 196, 158))
    box(near, -0.1, 0.775, wide + 0.1, 0.8, (164, 120, 88))
    for x in np.arange(-0.04, wide, 0.66):
        box(near, x - 0.02, 0.06, x + 0.54, 0.58, (255, 252, 244))
        for pane in (x, x + 0.265):
            box(near, pane, 0.08, pane + 0.255, 0.56, CLEAR)
            box(near, pane, 0.3, pane + 0.255, 0.312, (255, 252, 244))
        box(near, x - 0.045, 0.575, x + 0.565, 0.605, (232, 210, 172))
        for side in (x - 0.07, x + 0.505):  # curtains
            fold = [(side, 0.02), (side + 0.11, 0.02), (side + 0.085, 0.3), (side + 0.12, 0.62), (side - 0.01, 0.62)]
            near.fill(scaled(near, fold), (250, 248, 250))
            near.fill(
                scaled(near, [(side + 0.05, 0.02), (side + 0.085, 0.02), (side + 0.062, 0.62), (side + 0.04, 0.62)]),
                (222, 218, 232),
            )
    for x in np.arange(rng.uniform(-0.2, 0.0), wide, 0.58):
        _desk(near, x)
    for layer in (far, near):
        keep = (layer.pixels == CLEAR).all(axis=2)
        rays(layer, (255, 248, 214), 0.3, tuple(np.arange(-0.45, wide, 0.66)))
        layer.pixels[keep] = CLEAR


def _desk(near: Canvas, x: float) -> None:
    steel, wood = (128, 134, 148), (222, 172, 116)
    for leg in (x + 0.02, x + 0.3):
        box(near, leg, 0.8, leg + 0.018, 1.0, steel)
    near.fill(scaled(near, [(x, 0.745), (x + 0.34, 0.745), (x + 0.38, 0.8), (x - 0.04, 0.8)]), wood)
    box(near, x - 0.04, 0.8, x + 0.38, 0.822, blend(wood, (110, 70, 50), 0.4))
    box(near, x + 0.01, 0.822, x + 0.33, 0.872, blend(steel, (70, 60, 70), 0.3))


def _night(far: Canvas, near: Canvas, rng: np.random.Generator) -> None:
    gradient(far, (22, 28, 74), (122, 98, 158), 0.0, 0.85)
    height, wide = far.pixels.shape[0], span(far)
    for _ in range(90):
        size = rng.uniform(0.0025, 0.007) * height
        far.fill(ellipse(rng.uniform(0, wide) * height, rng.uniform(0, 0.5) * height, size, size, 8), (240, 240, 255))
    moon = (rng.uniform(0.2, 0.45) * height, 0.22 * height)
    far.glow(*moon, 0.42 * height, (206, 210, 255), 0.7)
    far.fill(ellipse(*moon, 0.095 * height, 0.095 * height), (255, 252, 228))
    for dx, dy, size in ((-0.03, -0.02, 0.02), (0.03, 0.03, 0.026), (0.02, -0.045, 0.013)):
        far.fill(ellipse(moon[0] + dx * height, moon[1] + dy * height, size * height, size * height), (240, 232, 206))
    for tone, lows, lit in (((74, 66, 122), (0.44, 0.6), 0.2), ((44, 42, 90), (0.52, 0.7), 0.5)):
        x = -0.1
        while x < wide + 0.1:
            x += _tower(far, rng, x, rng.uniform(*lows), tone, lit) + 0.01
    gradient(near, (92, 86, 132), (62, 58, 102), 0.83)
    box(near, -0.1, 0.815, wide + 1.0, 0.835, (128, 122, 168))
    for y in (0.6, 0.71):
        box(near, -0.1, y, wide + 1.0, y + 0.016, (146, 142, 190))
    for x in np.arange(0.05, span(near), 0.2):
        box(near, x, 0.6, x + 0.014, 0.82, (126, 122, 172))


def _tower(far: Canvas, rng: np.random.Generator, x: float, top: float, tone: Colour, lit: float) -> float:
    wide = rng.uniform(0.12, 0.24)
    box(far, x, top, x + wide, 1.0, tone)
    if rng.uniform() < 0.3:
        box(far, x + 0.5 * wide, top - 0.06, x + 0.5 * wide + 0.008, top, tone)
    for row in np.arange(top + 0.03, 0.82, 0.05):
        for column in np.arange(x + 0.022, x + wide - 0.03, 0.042):
            if rng.uniform() < lit:
                glow = (255, 222, 140) if rng.uniform() < 0.8 else (190, 220, 255)
                box(far, column, row, column + 0.02, row + 0.026, glow)
    return float(wide)


PLACES: Final[Mapping[str, Place]] = MappingProxyType(
    {
        "park": Place("in a park with cherry trees", (1.0, 1.0, 1.0), _park),
        "seaside": Place("by the sea on a bright day", (1.0, 1.0, 1.0), _seaside),
        "street": Place("in a street at sunset", (1.0, 0.95, 0.89), _street),
        "classroom": Place("in a classroom", (1.0, 0.99, 0.96), _classroom),
        "night": Place("on a rooftop at night", (0.92, 0.89, 1.0), _night),
    }
)
"""Every place, by name."""
