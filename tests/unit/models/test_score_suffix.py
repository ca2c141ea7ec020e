"""Scores in prompts, the two ways; golden cases have the tables, here is what they leave out."""

import pytest

from anisora.models.score_suffix import append_missing_scores, append_scores


@pytest.mark.parametrize(("score", "written"), [(0.05, "0.1"), (0.25, "0.2"), (1.25, "1.2"), (0.35, "0.3"), (2, "2.0")])
def test_scores_are_written_with_one_decimal_of_the_binary_number(score: float, written: str) -> None:
    assert append_scores("A.", motion=score) == f"A. motion score: {written}."
    assert append_missing_scores("A.", aesthetic=score) == f"A. aesthetic score: {written}."


def test_a_score_behind_the_camera_motion_is_seen_and_not_replaced() -> None:
    prompt = "A. camera motion: pan left. motion score: 2."
    assert append_scores(prompt, motion=1.0) == "A.  camera motion:  pan left. motion score: 2."


def test_a_second_camera_motion_is_lost() -> None:
    assert append_scores("A.camera motion: left.camera motion: right.") == "A. camera motion:  left."
    assert append_scores("camera motion:") == " camera motion: "


@pytest.mark.parametrize("prompt", ["A. Motion Score: 2.", "A. motion  score: 2."])
def test_other_spellings_are_no_scores(prompt: str) -> None:
    assert append_scores(prompt, motion=1.0) == f"{prompt} motion score: 1.0."


def test_a_score_without_its_number_is_neither_replaced_nor_appended() -> None:
    assert append_scores("motion score: high.", motion=1.0) == "motion score: high."
    assert append_scores("motion score:2.", motion=1.0) == "motion score:2."


def test_only_what_is_missing_is_appended_in_the_other_way() -> None:
    prompt = "A. camera motion: tilt up. motion score: 2."
    kept = append_missing_scores(prompt, aesthetic=5.5, motion=0.7, camera_motion="pan left")
    assert kept == f"{prompt} aesthetic score: 5.5."
