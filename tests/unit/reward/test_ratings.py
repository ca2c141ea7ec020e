"""Files of ratings and preferences, and what is said of wrong lines."""

from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.reward.ratings import ClipKey, parse_scale, read_judgements


def write(folder: Path, *lines: str, name: str = "ratings.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_ratings_are_averaged_over_raters_by_dimension(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "sample_id,model,rater,dimension,rating,comment",
        "a,m,ann,appeal,4,nice",
        "a,m,bob,appeal,5,",
        "b,m,ann,appeal,1,",
        "a,m,ann,motion,2.5,",
    )
    appeal, motion = read_judgements(path)
    assert appeal.dimension == "appeal"
    assert [(rating.clip, rating.value, rating.raters) for rating in appeal.ratings] == [
        (ClipKey("a", "m"), 4.5, 2),
        (ClipKey("b", "m"), 1.0, 1),
    ]
    assert motion.ratings[0].value == 2.5
    assert appeal.clips == (ClipKey("a", "m"), ClipKey("b", "m"))


def test_preferences_are_read_in_both_forms(tmp_path: Path) -> None:
    (first,) = read_judgements(write(tmp_path, "left,right,preference", "a,b,left", "b,c,tie", "a,c,right"))
    assert first.dimension == "overall"
    assert [each.outcome for each in first.preferences] == [1, 0, -1]
    assert first.preferences[0].left == ClipKey("a")
    (second,) = read_judgements(write(tmp_path, "sample_id,left_model,right_model,preference", "a,x,y,right"))
    assert second.preferences[0].right == ClipKey("a", "y")


def test_jsonl_is_read_too_and_the_scale_is_a_choice(tmp_path: Path) -> None:
    path = write(tmp_path, '{"sample_id": "a", "rating": 88}', name="ratings.jsonl")
    (found,) = read_judgements(path, scale=parse_scale("0-100"))
    assert found.ratings[0].value == 88.0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["sample_id,rating", "a,3", "b,7"], "line 3: column `rating` got '7'; expected a number from 1 to 5"),
        (["sample_id,rating", "a,three"], "line 2: column `rating` got 'three'"),
        (["sample_id,rating", "a,nan"], "line 2: column `rating` got 'nan'"),
        (["sample_id,rating", "a,"], "line 2: column `rating` got None"),
        (["sample_id,rating", ",3"], "line 2: column `sample_id` is empty"),
        (["sample_id,rating,rater", "a,3,ann", "a,4,ann"], "line 3: column `rater` got 'ann', who judged clip 'a'"),
        (["sample_id,ratings", "a,3"], "line 1: got the column 'ratings'; did you mean 'rating'"),
        (["sample_id,value", "a,3"], "line 1: got the columns 'sample_id,value'; expected `rating` among them"),
        (
            ["left,right,preference", "a,b,maybe"],
            "line 2: column `preference` got 'maybe'; expected left, right or tie",
        ),
        (["left,right,preference", "a,a,tie"], "line 2: compares 'a' with itself"),
        (["left,right,preference,rater", "a,b,tie,ann", "b,a,left,ann"], "line 3: column `rater` got 'ann'"),
        (["left,preference", "a,tie"], "expected `right` among them"),
        (["sample_id,left_model,preference", "a,x,tie"], "line 2: column `right_model` is empty"),
        (["sample_id,rating", "a,3,4"], "line 2: got 3 cells; expected 2"),
    ],
)
def test_a_wrong_line_is_named_with_its_column(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_judgements(write(tmp_path, *lines))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["5-1", "1", "a-b", "1-nan", ""])
def test_a_scale_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected the lowest and the highest rating"):
        parse_scale(text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; expected ratings or preferences"):
        read_judgements(tmp_path / "none.csv")
