"""What is in the air: petals, rain and magic, drawn over the figure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.drawing.canvas import Canvas, Part, ellipse

__all__ = ["SPECKS", "draw_effect"]

SPECKS: Final = (90, 4)
"""Shape of the numbers in [0, 1) that place every petal, drop and spark."""

Specks = NDArray[np.float64]


def draw_effect(
    name: str, canvas: Canvas, specks: Specks, *, hand: NDArray[np.float64], seconds: float, progress: float
) -> None:
    """Draw an effect.

    Args:
        name: ``none``, ``petals``, ``rain`` or ``magic``.
        canvas: What is drawn on.
        specks: Of shape SPECKS.
        hand: Where magic comes from, in pixels.
        seconds: Time of the clip.
        progress: Share of the clip that is over, in [0, 1).
    """
    canvas.part = Part.EFFECT
    if name == "petals":
        _petals(canvas, specks, seconds)
    elif name == "rain":
        _rain(canvas, specks, seconds)
    elif name == "magic":
        _magic(canvas, specks, hand, seconds, min(1.0, 2.2 * progress))


def _petals(canvas: Canvas, specks: Specks, seconds: float) -> None:
    height, width = canvas.pixels.shape[:2]
    size = 0.021 * height
    for x, y, speed, turn in specks[:44]:
        fall = (y + (0.22 + 0.2 * speed) * seconds) % 1.15 - 0.07
        drift = (x + 0.09 * seconds + 0.025 * np.sin(2 * np.pi * (seconds * 0.7 + turn))) % 1.1 - 0.05
        angle = 2 * np.pi * (turn + 0.6 * seconds)
        petal = ellipse(0, 0, size * (0.7 + 0.5 * speed), size * (0.2 + 0.35 * abs(np.cos(angle))), 12)
        rotation = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
        canvas.fill(
            petal @ rotation + (drift * width, fall * height), (255, 206, 220) if turn < 0.6 else (248, 168, 194)
        )


def _rain(canvas: Canvas, specks: Specks, seconds: float) -> None:
    height, width = canvas.pixels.shape[:2]
    canvas.pixels[...] = (canvas.pixels * np.array((0.74, 0.79, 0.9))).astype(np.uint8)
    for x, y, speed, _ in specks:
        fall = (y + (2.1 + 0.9 * speed) * seconds) % 1.3 - 0.2
        top = np.array(((x * 1.2 - 0.06 * fall) * width, fall * height))
        drop = np.stack([top, top + np.array((-0.03, 0.13)) * height])
        canvas.line(drop, (206, 220, 240), 0.5 + 0.5 * speed)


def _magic(canvas: Canvas, specks: Specks, hand: NDArray[np.float64], seconds: float, power: float) -> None:
    x, y = hand
    reach = 0.42 * canvas.pixels.shape[0]
    canvas.glow(x, y, reach * (0.24 + 0.95 * power), (140, 226, 255), 0.85 * power)
    for ring in range(3):
        grown = (1.4 * seconds + ring / 3) % 1.0
        outline = ellipse(x, y, reach * grown * power, reach * grown * power, 40)
        canvas.line(outline, (220, 250, 255), 1.4 * (1 - grown) + 0.3, closed=True)
    for angle, start, speed, size in specks[:26]:
        away = (start + (0.6 + speed) * seconds) % 1.0 * 1.07 * power * reach
        turned = 2 * np.pi * angle + seconds
        radius = reach * (0.012 + 0.028 * size) * power
        star = ellipse(x + away * np.cos(turned), y + away * np.sin(turned), radius, radius, 8)
        star[::2] += (star[::2] - star.mean(axis=0)) * 0.9
        canvas.fill(star, (255, 250, 200))
