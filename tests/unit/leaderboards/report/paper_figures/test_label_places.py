"""Where labels of points stand."""

import numpy as np
import pytest

from anisora.leaderboards.report.paper_figures.label_places import label_places

FRAME = (3.0, 2.0)


def boxes(points: list[tuple[float, float]], sizes: list[tuple[float, float]], lines=()) -> list[tuple[float, ...]]:
    places = label_places(points, sizes, lines, FRAME)
    return [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), (w, h) in zip(places, sizes, strict=True)]


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_a_label_alone_stands_at_the_upper_right_of_its_point() -> None:
    (box,) = boxes([(1.0, 1.0)], [(0.1, 0.08)])
    assert box[0] > 1.0
    assert box[1] > 1.0
    assert max(box) < 1.25


@pytest.mark.parametrize("seed", range(5))
def test_labels_overlap_neither_one_another_nor_points_nor_the_edge(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = [(float(x), float(y)) for x, y in generator.uniform((0.05, 0.05), (2.95, 1.95), (15, 2))]
    found = boxes(points, [(0.1, 0.08)] * 15)
    for at, box in enumerate(found):
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= FRAME[0]
        assert box[3] <= FRAME[1]
        assert not any(overlap(box, other) for other in found[at + 1 :])
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in points)


def test_points_that_are_one_have_labels_apart_and_no_crossed_lines() -> None:
    points = [(1.5, 1.0)] * 6
    found = boxes(points, [(0.1, 0.08)] * 6)
    assert not any(overlap(one, other) for at, one in enumerate(found) for other in found[at + 1 :])


def test_a_label_keeps_off_a_line_where_it_can() -> None:
    free = boxes([(1.0, 1.0)], [(0.1, 0.08)])[0]
    (box,) = boxes([(1.0, 1.0)], [(0.1, 0.08)], [((1.0, 1.07), (2.0, 1.07))])
    assert free[1] < 1.07 < free[3]
    assert not box[1] < 1.07 < box[3] or box[2] < 1.0


def test_points_after_the_last_label_are_only_kept_free() -> None:
    blocked = [(1.0, 1.0), (1.08, 1.07)]
    (box,) = boxes(blocked, [(0.1, 0.08)])
    assert not (box[0] < 1.08 < box[2] and box[1] < 1.07 < box[3])
