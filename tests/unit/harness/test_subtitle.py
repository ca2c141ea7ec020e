"""Burnt-in subtitles look as subtitles do, and are read."""

from difflib import SequenceMatcher

import numpy as np
import pytest
from local_metrics import needs, score_local

from anisora.harness.degrade import degrade
from anisora.harness.render import ACTIONS, Scene, render
from anisora.harness.subtitle import COLOURS, LINES, burn_in
from anisora.metrics.local.hallucinated_text import folded, is_text
from anisora.metrics.local.text_reader import TextReader, line_texts

WHITE = COLOURS[0]
MOST = [*ACTIONS[:3], *(pytest.param(action, marks=pytest.mark.slow) for action in ACTIONS[3:])]
"""Reading takes its time: three clips always, the others on request."""


def written_on_grey(line: str, height: int, width: int) -> np.ndarray:
    return burn_in(np.full((1, height, width, 3), 128, np.uint8), line, WHITE)[0].astype(int)


def extent(frame: np.ndarray, axis: int) -> tuple[int, int]:
    """First and last row or column that is not grey any more."""
    places = np.flatnonzero((frame != 128).any(axis=2).any(axis=axis))
    return int(places[0]), int(places[-1])


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("height", "width"), [(144, 256), (360, 640), (320, 180)])
def test_a_line_is_centred_near_the_bottom_and_at_most_four_fifths_wide(line: str, height: int, width: int) -> None:
    frame = written_on_grey(line, height, width)
    (left, right), (top, bottom) = extent(frame, 0), extent(frame, 1)
    assert right - left + 1 <= 0.8 * width
    assert abs((left + right) / 2 - (width - 1) / 2) <= 1
    assert top > 0.75 * height
    assert bottom < 0.99 * height


@pytest.mark.parametrize(("height", "width"), [(144, 256), (360, 640), (720, 1280)])
def test_capital_letters_are_a_thirteenth_of_the_height(height: int, width: int) -> None:
    light = (written_on_grey("HH", height, width) > 190).all(axis=2).any(axis=1)
    assert 0.07 <= light.sum() / height <= 0.09


def test_letters_are_light_and_their_rim_is_dark() -> None:
    for colour in COLOURS:
        frame = burn_in(np.full((1, 144, 256, 3), 128, np.uint8), "Wait for me!", colour)[0]
        assert np.abs(frame.astype(int) - colour).sum(axis=2).min() <= 6
        assert frame.max(axis=2).min() <= 40
    assert min(COLOURS[0]) == 255
    assert max(COLOURS[1]) == 255 > min(COLOURS[1]) > 128


def test_edges_are_smooth() -> None:
    tones = np.unique(written_on_grey("Wait for me!", 144, 256))
    assert len(tones) > 40


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 16), (40, 400), (400, 40)])
def test_a_picture_of_any_size_can_be_written_on(size: tuple[int, int]) -> None:
    frames = np.full((2, *size, 3), 128, np.uint8)
    out = burn_in(frames, LINES[0], WHITE)
    assert (out.shape, out.dtype) == (frames.shape, np.uint8)
    assert (frames == 128).all()


def test_the_lines_differ_and_are_text_that_every_font_has() -> None:
    assert len(set(LINES)) == len(LINES) == 12
    for line in LINES:
        assert line.isascii()
        assert is_text(line)


@needs("rapid_ocr")
@pytest.mark.parametrize("action", MOST)
def test_a_subtitle_is_read_in_a_drawn_clip_and_nothing_in_the_ground_truth(action: str) -> None:
    place = ACTIONS.index(action)
    clip = render(Scene(action=action, seed=place, num_frames=2))
    damaged = degrade("subtitle", clip, severity=1.0, seed=place)
    reader = TextReader()
    texts = [line_texts(reader(picture)["codepoints"]) for picture in (*clip, *damaged)]
    assert [text for text in texts[:3] for line in text if is_text(line)] == []
    read = folded("".join(texts[3]))
    shares = [len_matched(folded(line), read) / len(folded(line)) for line in LINES]
    assert max(shares) >= 0.9, texts[3]


@needs("rapid_ocr")
def test_the_metric_of_made_up_text_finds_it(tmp_path) -> None:
    clip = render(Scene(action="wave", seed=3, num_frames=4))
    damaged = degrade("subtitle", clip, severity=0.5, seed=3)
    score = score_local("hallucinated_text", damaged, image=clip[0], folder=tmp_path)
    assert [area > 0.02 for area in score.parts["area"]] == [False, False, True, True]
    assert score_local("hallucinated_text", clip, image=clip[0], folder=tmp_path).value == 0.0


def len_matched(line: str, read: str) -> int:
    """How many letters of a line were read, in its order."""
    return sum(block.size for block in SequenceMatcher(None, line, read, autojunk=False).get_matching_blocks())
