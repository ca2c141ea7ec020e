import numpy as np
import pytest

from anisora.harness.errors import ConfigError
from anisora.models.cogvideox.request import request_frames, request_prompt


@pytest.mark.parametrize("motion", [None, 2, True, "1.0", np.float32(2.0)])
def test_anything_but_a_float_asks_for_no_motion(motion: object) -> None:
    assert request_prompt("A.", motion) == "A. aesthetic score: 5.5. motion score: 0.7."
    assert request_prompt("A. motion score: 2.", motion) == "A. motion score: 2. aesthetic score: 5.5."


def test_a_float_replaces_the_score_of_the_prompt() -> None:
    assert request_prompt("A. motion score: 2. aesthetic score: 4.", 1.3) == "A. motion score: 1.3. aesthetic score: 4."
    assert request_prompt("A.", np.float64(1.3)).endswith("motion score: 1.3.")


def test_lengths_are_texts() -> None:
    assert [request_frames(length) for length in ("3", "6")] == [49, 97]
    with pytest.raises(ConfigError, match="`length` got '4'; expected one of 3, 6, in seconds"):
        request_frames("4")
