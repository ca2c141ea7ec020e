"""Where labels stand beside points so that they cover as little as can be."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Final

__all__ = ["label_places"]

_Pair = tuple[float, float]
_Box = tuple[float, float, float, float]

_DIRECTIONS: Final = tuple(math.radians(angle) for angle in (45, 135, 315, 225, 0, 180, 90, 270))
_DISTANCES: Final = (0.03, 0.09, 0.17, 0.26, 0.36)  # inches between a point's mark and the nearest side of its label
_MARK: Final = 0.035  # inches from the middle of a point's mark to its edge
_STEP: Final = 0.02  # inches between the places of a line that are looked at
_OUTSIDE, _LABEL, _POINT, _LINE, _FAR = 100.0, 30.0, 10.0, 1.0, 12.0  # what each costs


def label_places(
    points: Sequence[_Pair], sizes: Sequence[_Pair], lines: Sequence[tuple[_Pair, _Pair]], frame: _Pair
) -> list[_Pair]:
    """Return the middles of labels, one after another each where it costs least.

    Labels keep out of the frame's edge, of earlier labels, of the marks of points and of lines, in this order of
    weight, and near their point; so does the line from a label to its point. Equal arguments give equal places.

    Args:
        points: In inches from the lower left corner; those after the last label are only kept free.
        sizes: Width and height of each label, for the first points.
        lines: Ends of lines.
        frame: Width and height.
    """
    samples = [place for line in lines for place in _sampled(*line)]
    boxes: list[_Box] = []
    for point, size in zip(points, sizes, strict=False):
        candidates = [
            (distance, _box(point, size, angle, distance)) for distance in _DISTANCES for angle in _DIRECTIONS
        ]
        _, best = min(candidates, key=lambda pair: _cost(pair[0], pair[1], point, boxes, points, samples, frame))
        boxes.append(best)
        samples += _sampled(point, _middle(best))
    return _uncrossed(points, [_middle(box) for box in boxes])


def _uncrossed(points: Sequence[_Pair], middles: Sequence[_Pair]) -> list[_Pair]:
    """Exchange labels of which each lies nearer to the other's point: the lines to their points would cross."""
    found = list(middles)
    for one, other in combinations(range(len(found)), 2):
        kept = math.dist(points[one], found[one]) + math.dist(points[other], found[other])
        if math.dist(points[one], found[other]) + math.dist(points[other], found[one]) < kept:
            found[one], found[other] = found[other], found[one]
    return found


def _middle(box: _Box) -> _Pair:
    left, low, right, high = box
    return (left + right) / 2, (low + high) / 2


def _box(point: _Pair, size: _Pair, angle: float, distance: float) -> _Box:
    """Return left, low, right and high of a label that lies in a direction from its point."""
    reach = _MARK + distance
    across, up = math.cos(angle), math.sin(angle)
    x = point[0] + across * reach + round(across) * size[0] / 2
    y = point[1] + up * reach + round(up) * size[1] / 2
    return x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2


def _cost(
    distance: float,
    box: _Box,
    point: _Pair,
    boxes: Sequence[_Box],
    points: Sequence[_Pair],
    samples: Sequence[_Pair],
    frame: _Pair,
) -> float:
    left, low, right, high = box
    is_outside = left < 0 or low < 0 or right > frame[0] or high > frame[1]
    labels = sum(left < r and l < right and low < h and b < high for l, b, r, h in boxes)  # noqa: E741
    labels += sum(_holds(other, place, 0.0) for place in _sampled(point, _middle(box)) for other in boxes)
    covered = sum(_holds(box, other, _MARK) for other in points)
    crossed = sum(_holds(box, place, 0.0) for place in samples)
    return _OUTSIDE * is_outside + _LABEL * labels + _POINT * covered + _LINE * crossed + _FAR * distance


def _holds(box: _Box, place: _Pair, margin: float) -> bool:
    left, low, right, high = box
    return left - margin < place[0] < right + margin and low - margin < place[1] < high + margin


def _sampled(start: _Pair, end: _Pair) -> list[_Pair]:
    count = max(1, math.ceil(math.dist(start, end) / _STEP))
    return [
        (start[0] + (end[0] - start[0]) * step / count, start[1] + (end[1] - start[1]) * step / count)
        for step in range(count + 1)
    ]
