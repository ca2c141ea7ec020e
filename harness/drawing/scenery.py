"""What places are painted from: gradients, clouds, hills, trees, boxes. Lengths are in picture heights, both ways."""

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import Canvas, Colour, ellipse, smooth

__all__ = ["blend", "box", "clouds", "foliage", "gradient", "hills", "rays", "scaled", "span", "tufts"]


def span(canvas: Canvas) -> float:
    """Width of the canvas."""
    height, width, _ = canvas.pixels.shape
    return float(width / height)


def scaled(canvas: Canvas, corners: list[tuple[float, float]]) -> NDArray[np.float64]:
    """Corners -> pixels."""
    pixels: NDArray[np.float64] = np.array(corners) * canvas.pixels.shape[0]
    return pixels


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours; ``share`` of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def box(canvas: Canvas, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
    """Fill an upright rectangle."""
    canvas.fill(scaled(canvas, [(left, top), (right, top), (right, bottom), (left, bottom)]), colour)


def gradient(canvas: Canvas, top: Colour, bottom: Colour, start: float = 0.0, end: float = 1.0) -> None:
    """Fill rows from ``start`` to ``end`` with a run of colours."""
    height = canvas.pixels.shape[0]
    first, last = round(start * height), round(end * height)
    t = np.linspace(0.0, 1.0, max(1, last - first))[:, None, None]
    canvas.pixels[first:last] = np.rint(np.array(top) + (np.array(bottom) - np.array(top)) * t).astype(np.uint8)


def clouds(
    canvas: Canvas, rng: np.random.Generator, colour: Colour, shade: Colour, *, low: float = 0.34, size: float = 1.0
) -> None:
    """Heap up cumulus clouds with flat feet, ``low`` the lowest foot."""
    height = canvas.pixels.shape[0]
    for x in np.arange(0.05, span(canvas) + 0.2, 0.62):
        x0, foot = x + rng.uniform(-0.16, 0.16), low - rng.uniform(0.0, 0.16)
        grown = size * rng.uniform(0.75, 1.2)
        puffs = []
        for place in np.linspace(-1.0, 1.0, 7):
            rise = grown * (0.026 + 0.062 * (1 - place * place)) * rng.uniform(0.7, 1.3)
            puffs.append((x0 + 0.2 * grown * place, foot - 0.5 * rise, rise))
        for tone, drop, shrink in (
            (shade, 0.0, 1.0),
            (colour, 0.014, 0.9),
            (blend(colour, (255, 255, 255), 0.6), 0.026, 0.62),
        ):
            for px, py, rise in puffs:
                puff = ellipse(
                    px * height, (py - drop * grown) * height, 1.25 * rise * shrink * height, rise * shrink * height, 20
                )
                puff[:, 1] = np.minimum(puff[:, 1], foot * height)
                canvas.fill(puff, tone)


def hills(canvas: Canvas, rng: np.random.Generator, colour: Colour, base: float, rise: float) -> None:
    """Roll hills along the horizon."""
    wide = span(canvas)
    ridge = [(x, base - rise * rng.uniform(0.2, 1.0)) for x in np.arange(-0.3, wide + 0.6, 0.3)]
    canvas.fill(smooth(scaled(canvas, [*ridge, (wide + 0.6, 1.2), (-0.3, 1.2)])), colour)


def foliage(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], size: float, tones: tuple[Colour, ...]
) -> None:
    """Dab leaves or blossom, the dark tones first, the light ones up and to the left."""
    x, y = centre
    height = canvas.pixels.shape[0]
    for index, tone in enumerate(tones):
        for _ in range(22):
            angle, radius = rng.uniform(0, 2 * np.pi), size * np.sqrt(rng.uniform(0, 1)) * (1 - 0.2 * index)
            px = x + 1.3 * radius * np.cos(angle) - 0.14 * index * size
            py = y + 0.75 * radius * np.sin(angle) - 0.16 * index * size
            blot = size * rng.uniform(0.14, 0.3) * (1 - 0.12 * index)
            canvas.fill(ellipse(px * height, py * height, blot * height, 0.8 * blot * height, 12), tone)


def tufts(canvas: Canvas, rng: np.random.Generator, rows: tuple[float, float], tone: Colour, count: int) -> None:
    """Scatter tufts of grass between two heights, smaller towards the horizon."""
    first, last = rows
    for _ in range(count):
        near = rng.uniform(0, 1)
        x, y, size = rng.uniform(-0.05, span(canvas) + 0.05), first + (last - first) * near, 0.014 + 0.022 * near
        blades = [(x - size, y), (x - 0.8 * size, y - size), (x - 0.3 * size, y - 0.3 * size), (x, y - 1.3 * size)]
        blades += [(x + 0.3 * size, y - 0.3 * size), (x + 0.9 * size, y - 0.9 * size), (x + size, y)]
        canvas.fill(scaled(canvas, blades), tone)


def rays(canvas: Canvas, colour: Colour, strength: float, starts: tuple[float, ...], *, wide: float = 0.16) -> None:
    """Let light fall in slanting beams from the upper left."""
    import cv2

    height, width, _ = canvas.pixels.shape
    amount = np.zeros((height, width), np.float32)
    for x in starts:
        beam = scaled(canvas, [(x, -0.1), (x + wide, -0.1), (x + wide + 0.62, 1.1), (x + 0.4, 1.1)])
        cv2.fillPoly(amount, [np.rint(beam).astype(np.int32)], strength)
    soft = np.asarray(cv2.GaussianBlur(amount, (0, 0), 0.02 * height), np.float32)[..., None]
    lit = canvas.pixels + (np.array(colour, np.float32) - canvas.pixels) * soft
    canvas.pixels[...] = np.rint(lit).astype(np.uint8)
