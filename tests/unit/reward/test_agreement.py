"""Agreement with people: the published table to its digits, directions, ties, levels."""

from pathlib import Path

import numpy as np
import pytest

from anisora.harness.errors import DataError, UnknownNameError
from anisora.harness.statistics.rank_correlation import preference_accuracy
from anisora.reward.agreement import Agreement, ScoredClip, agreements, judged_intervals, rated_agreement
from anisora.reward.agreement_sources import matched, published_agreement, scores_of_file
from anisora.reward.agreement_text import agreement_data, agreement_text
from anisora.reward.ratings import ClipKey, ClipRating, Judgements, Preference

PUBLISHED = {
    "visual_smoothness": (0.993, 1.00),
    "visual_appeal": (0.983, 0.943),
    "image_video_consistency": (0.969, 1.00),
    "character_consistency": (0.917, 0.943),
    "text_video_consistency": (0.902, 0.886),
    "visual_motion": (-0.647, -0.60),
    "mean of 6 columns": (0.987, 0.943),
}
"""{column: (Pearson's r, Spearman's rho) with the human score}, to three digits."""


@pytest.mark.parametrize("metric", PUBLISHED)
def test_the_correlations_of_the_published_table_are_those_of_its_own_cells(metric: str) -> None:
    found = {each.metric: each for each in published_agreement("anisora-7")}[metric]
    assert found.pearson is not None
    assert found.spearman is not None
    assert (found.items, found.level) == (6, "system")
    assert round(found.pearson.value, 3) == PUBLISHED[metric][0]
    assert round(found.spearman.value, 3) == PUBLISHED[metric][1]
    assert found.spearman.method == "exact over all 720 orders"
    assert found.intervals["pearson"].note == "6 clusters; a bootstrap needs 30"


def test_the_mean_without_the_column_that_is_against_people_stands_beside_the_mean() -> None:
    names = [each.metric for each in published_agreement("anisora-7")]
    assert names[-2:] == ["mean of 6 columns", "mean without visual_motion"]
    text = agreement_text(published_agreement("anisora-7"))
    assert "visual_motion and human_evaluation over systems: negative: people prefer less of it" in text


def test_a_table_without_people_and_one_that_is_none_are_refused() -> None:
    with pytest.raises(DataError, match="has no column `human_evaluation`"):
        published_agreement("vbench-i2v-8")
    with pytest.raises(UnknownNameError):
        published_agreement("anisora-8")


def rated(values: dict[tuple[str, str], float]) -> tuple[ClipRating, ...]:
    return tuple(ClipRating(clip=ClipKey(*key), value=value, raters=1) for key, value in values.items())


def scored(values: dict[tuple[str, str], float | None]) -> dict[ClipKey, ScoredClip]:
    return {ClipKey(*key): ScoredClip(value=value, cluster=key[0]) for key, value in values.items()}


def test_clips_and_systems_are_compared_and_what_has_no_score_is_counted() -> None:
    people = {(f"i{at}", model): at % 5 + bonus for at in range(40) for model, bonus in (("x", 0.0), ("y", 0.5))}
    scores: dict[tuple[str, str], float | None] = {key: value**2 for key, value in people.items()}
    scores["i0", "x"] = None
    clip, system = rated_agreement("appeal", rated(people), scored(scores), metric="m", draws=1000)
    assert (clip.level, clip.items, clip.clusters, clip.unscored) == ("clip", 79, 40, 1)
    assert clip.spearman is not None
    assert clip.spearman.value == pytest.approx(1.0)
    assert clip.accuracy.without_ties == 1.0
    assert clip.accuracy.tied_by_both > 0
    assert clip.intervals["spearman"].clusters == 40
    assert (system.level, system.items) == ("system", 2)
    assert system.kendall is not None
    assert system.kendall.value == 1.0


def test_a_metric_of_which_less_is_better_is_turned_and_motion_is_not() -> None:
    people = {(f"i{at}", ""): float(at) for at in range(6)}
    falling = scored({key: -value for key, value in people.items()})
    judgements = [Judgements(dimension="overall", ratings=rated(people))]
    (turned,) = agreements(judgements, {"error": falling}, {"error": "lower"}, draws=1000)
    (plain,) = agreements(judgements, {"motion": falling}, {"motion": "reference"}, draws=1000)
    assert turned.pearson is not None
    assert plain.pearson is not None
    assert turned.pearson.value == pytest.approx(1.0)
    assert plain.pearson.value == pytest.approx(-1.0)
    text = agreement_text([turned, plain])
    assert "error and overall over clips: less is better, so scores were turned" in text
    assert "motion and overall over clips: negative" in text
    assert "best where it equals the ground truth" in text


def test_judged_pairs_count_ties_and_have_clustered_intervals() -> None:
    rng = np.random.default_rng(0)
    values = {(f"i{at // 2}", "xy"[at % 2]): float(value) for at, value in enumerate(rng.normal(size=80))}
    preferences = []
    for at in range(40):
        left, right = ClipKey(f"i{at}", "x"), ClipKey(f"i{at}", "y")
        difference = values[f"i{at}", "x"] - values[f"i{at}", "y"]
        outcome = 0 if at % 10 == 0 else (1 if difference > 0 else -1)
        preferences.append(Preference(left=left, right=right, outcome=outcome))
    (found,) = agreements(
        [Judgements(dimension="appeal", preferences=tuple(preferences))], {"m": scored({**values})}, {}
    )
    assert (found.level, found.items, found.clusters) == ("pair", 40, 40)
    assert found.accuracy.without_ties == 1.0
    assert found.accuracy.with_ties == 36 / 40
    low = found.intervals["accuracy_with_ties"].low
    assert low is not None
    assert 0.7 < low < 0.9
    assert found.calibrated.with_ties is not None
    assert found.calibrated.with_ties >= 0.9
    assert found.spearman is None
    assert " - " in agreement_text([found])


def test_the_intervals_of_judged_pairs_are_of_the_counted_shares() -> None:
    outcomes, differences = [1, 1, -1, 0] * 10, [0.5, -0.5, -0.4, 0.05] * 10
    counted = preference_accuracy(outcomes, differences, tie_threshold=0.1)
    found = judged_intervals(outcomes, differences, [str(at) for at in range(40)], tie_threshold=0.1)
    for name, value in (("accuracy", counted.without_ties), ("accuracy_with_ties", counted.with_ties)):
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert value is not None
        assert low < value < high


def test_a_table_of_scores_is_read_with_its_gaps(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("sample_id,model,label,good,bad\na,m,run,0.5,-\nb,m,run,0.25,3\n", encoding="utf-8")
    scores = scores_of_file(path, None)
    assert scores["bad"][ClipKey("a", "m")] == ScoredClip(value=None, cluster="run")
    assert scores_of_file(path, ["good"]).keys() == {"good"}
    judgements = [Judgements(dimension="overall", ratings=rated({("a", ""): 3.0, ("b", ""): 4.0}))]
    assert matched(judgements, scores)["good"].keys() == {ClipKey("a"), ClipKey("b")}
    with pytest.raises(DataError, match="`--metrics` got 'best'"):
        scores_of_file(path, ["best"])
    wrong = [Judgements(dimension="overall", ratings=rated({("z", "m"): 3.0}))]
    with pytest.raises(DataError, match="None of the 1 judged clips has a score"):
        matched(wrong, scores)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("sample_id,m\na,1\nb,much\n", "line 3: column `m` got 'much'; expected a finite number"),
        ("sample_id,m\na,1\na,2\n", "line 3: clip 'a' is on line 2 already"),
        ("sample_id,m\n,1\n", "line 2: column `sample_id` is empty"),
        ("sample,m\na,1\n", "expected a header with the column `sample_id`"),
        ("sample_id,model\na,x\n", "has no metric"),
    ],
)
def test_a_wrong_line_of_scores_is_named(lines: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        scores_of_file(path, None)
    assert message in str(caught.value)


def test_ratings_without_systems_do_not_fit_scores_of_two() -> None:
    judgements = [Judgements(dimension="overall", ratings=rated({("a", ""): 3.0}))]
    with pytest.raises(DataError, match="scores are of 2 systems"):
        matched(judgements, {"m": scored({("a", "x"): 1.0, ("a", "y"): 2.0})})


def test_plain_data_are_json_with_the_shares() -> None:
    import json

    found: list[Agreement] = published_agreement("anisora-7")
    rows = json.loads(json.dumps(agreement_data(found), allow_nan=False))
    assert rows[0]["accuracy"]["without_ties"] == 1.0
    assert rows[1]["pearson"]["value"] < 0
