import numpy as np
import pytest
from local_metrics import needs, score_local, write_on

from anisora.harness.render import ACTIONS, Scene, render
from anisora.metrics.local.hallucinated_text import covered_share, folded, is_known, is_text, new_lines


@pytest.mark.parametrize("line", ["Yes", "I never", "出口", "テレビ", "12:30", "안녕"])
def test_writing_is_text(line) -> None:
    assert is_text(line)


@pytest.mark.parametrize("line", ["", "www", "wm", "■ ■", "一", "--", "No!", "lll"])
def test_what_line_art_is_misread_as_is_not(line) -> None:
    assert not is_text(line)


def test_letters_are_compared_without_case_width_and_marks() -> None:
    assert folded("Ｈello, WORLD!") == "helloworld"


@pytest.mark.parametrize("line", ["OPEN", "open 24h", "0PEN 24H", "24h"])
def test_the_image_s_line_read_whole_in_part_or_a_little_differently_is_known(line) -> None:
    assert is_known(line, ["OPEN", "24H"])


def test_another_line_is_not_known() -> None:
    assert not is_known("I will never forget you", ["OPEN", "24H"])
    assert not is_known("OPEN", [])


def test_only_unknown_text_is_new() -> None:
    table = np.zeros((4, 64), np.uint32)
    for row, text in enumerate(("OPEN", "Good night", "www")):
        table[row, : len(text)] = [ord(letter) for letter in text]
    assert new_lines(table, ["OPEN"]).tolist() == [False, True, False, False]


def test_overlapping_quadrilaterals_are_counted_once() -> None:
    left = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
    part = [[0.25, 0.0], [0.5, 0.0], [0.5, 0.5], [0.25, 0.5]]
    assert covered_share(np.array([left])) == pytest.approx(0.5, abs=0.005)
    assert covered_share(np.array([left, part])) == covered_share(np.array([left]))


@needs("rapid_ocr")
@pytest.mark.parametrize("size", [(256, 144), (640, 360)])
def test_a_burnt_in_subtitle_is_found(size, tmp_path) -> None:
    clip = render(Scene(action="talk", seed=24, num_frames=4, width=size[0], height=size[1]))
    score = score_local("hallucinated_text", write_on(clip, "I will never go"), image=clip[0], folder=tmp_path)
    assert score.value == pytest.approx(0.09, abs=0.06)
    assert min(score.parts["area"]) > 0.02
    assert "never" in score.note


@needs("rapid_ocr")
def test_text_that_the_image_has_is_not_counted(tmp_path) -> None:
    clip = write_on(render(Scene(action="talk", seed=24, num_frames=4)), "STATION", row=0.2)
    assert score_local("hallucinated_text", clip, image=clip[0], folder=tmp_path).value == 0.0
    both = write_on(clip, "I will never go")
    score = score_local("hallucinated_text", both, image=clip[0], folder=tmp_path)
    assert score.value > 0.02
    assert "STATION" not in score.note


@needs("rapid_ocr")
@pytest.mark.slow
@pytest.mark.parametrize("action", ACTIONS)
def test_a_drawn_scene_without_text_has_none(action, tmp_path) -> None:
    for size in ((256, 144), (640, 360)):
        clip = render(Scene(action=action, seed=5, num_frames=9, hold=4, width=size[0], height=size[1]))
        assert score_local("hallucinated_text", clip, image=clip[0], folder=tmp_path).value == 0.0
