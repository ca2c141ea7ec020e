import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trial_metrics import Stream, TrialMetric, make_item, make_row

from anisora.harness.errors import DataError, MetricError, VideoUnreadable
from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import RunFolder, ScoreRow
from anisora.harness.stages.plan import Plan
from anisora.harness.stages.score import Scored, score_clips, score_one
from anisora.harness.types import Condition, Generation, Sample, Score


def part_score(item: Generation, values: Sequence[float]) -> Score:
    return Score(sample_id=item.sample.id, seed=item.seed, value=0.5, parts={"frames": values})


@pytest.mark.parametrize(
    ("fields", "needs", "note"),
    [
        ({"prompt": None}, {"prompt"}, "the item has no prompt; add it to the manifest"),
        (
            {"ground_truth": None, "condition": Condition()},
            {"ground_truth", "keyframes"},
            "the item has no conditioning image and no ground truth; add it to the manifest",
        ),
    ],
)
def test_a_metric_whose_inputs_are_missing_is_not_asked(fields: dict[str, Any], needs: set[str], note: str) -> None:
    metric = TrialMetric(needs=frozenset(needs))
    score = score_one(metric, make_item(**fields), Stream())
    assert (score.value, score.note, metric.calls) == (None, note, 0)
    assert score_one(metric, make_item(), Stream()).value == 0.5


def test_a_clip_that_is_too_short_is_not_scored() -> None:
    metric = TrialMetric(min_frames=9)
    score = score_one(metric, make_item(), Stream(8))
    assert (score.value, score.note, metric.calls) == (None, "the clip has 8 of the 9 frames that trial needs", 0)
    assert score_one(metric, make_item(), Stream(9)).value == 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_never_one(value: float) -> None:
    score = score_one(TrialMetric(lambda _: value), make_item(), Stream())
    assert score.value is None
    assert score.note == f"trial gave {value!r}, which is not a number to rank by"


def test_a_value_of_none_keeps_the_reason_of_the_metric() -> None:
    reason = Score(sample_id="a", seed=0, value=None, note="no face")
    assert score_one(TrialMetric(lambda _: reason), make_item(), Stream()) == reason


def test_what_a_metric_raises_is_not_hidden_from_a_reward() -> None:
    def fail(item: Generation) -> float:
        raise MetricError("broken")

    with pytest.raises(MetricError, match="broken"):
        score_one(TrialMetric(fail), make_item(), Stream())


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


@pytest.fixture
def items(pool: DecoderPool, tmp_path: Path) -> list[Generation]:
    """Three clips on disk."""
    made = []
    for place, name in enumerate("abc"):
        path = tmp_path / f"{name}.mkv"
        pool.encode(np.full((3, 16, 16, 3), 40 * place, np.uint8), fps=24.0, path=path)
        made.append(Generation(sample=Sample(id=name), clip=clip_at(path, None), model="m"))
    return made


@pytest.fixture
def score(pool: DecoderPool, items: list[Generation], tmp_path: Path) -> Callable[..., list[Scored]]:
    """Scores the three clips in one run folder, as often as it is called."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()

    def run(*metrics: TrialMetric, known: Sequence[ScoreRow] = ()) -> list[Scored]:
        plan = Plan(
            metrics={metric.info.name: metric for metric in metrics},
            requests=(),
            protocol={metric.info.name: {"version": metric.info.version} for metric in metrics},
            device="cpu",
            weights={},
            excluded={},
        )
        clusters = {item.sample.id: f"cluster-{item.sample.id}" for item in items}
        store = FeatureStore(pool=pool)  # not closed, as that would close the pool
        found = score_clips(items, plan, store, folder, clusters=clusters, known=known)
        return sorted(found, key=lambda scored: scored.rows[0].item_id)

    return run


Run = Callable[..., list[Scored]]


def test_every_clip_has_a_row_for_each_metric(score: Run) -> None:
    results = score(TrialMetric(name="one"), TrialMetric(lambda _: None, name="two"))
    assert [[row.metric for row in scored.rows] for scored in results] == [["one", "two"]] * 3
    first, second = results[1].rows
    assert (first.item_id, first.cluster, first.value, first.status) == ("b", "cluster-b", 0.5, "ok")
    assert (second.value, second.status) == (None, "unscored")
    assert results[0].stream is not None
    assert results[0].stream.num_frames == 3


@pytest.mark.parametrize("error", [MetricError("`m` is broken"), ValueError("odd"), ZeroDivisionError("zero")])
def test_a_metric_that_raises_costs_only_its_own_row(score: Run, error: Exception) -> None:
    def fail_on_b(item: Generation) -> float:
        if item.sample.id == "b":
            raise error
        return 0.25

    results = score(TrialMetric(fail_on_b, name="fragile"), TrialMetric(name="sound"))
    assert [[row.status for row in scored.rows] for scored in results] == [["ok", "ok"], ["error", "ok"], ["ok", "ok"]]
    assert results[1].rows[0].note == f"{type(error).__name__}: {error}"
    (told,) = results[1].errors
    assert (told["item_id"], told["stage"], told["class"]) == ("b", "score", type(error).__name__)
    assert str(error) in told["message"]
    assert results[0].errors == results[2].errors == ()


def test_parts_without_a_value_are_none_and_infinite_ones_an_error(score: Run) -> None:
    def parts(item: Generation) -> Score:
        return part_score(item, [1.0, math.inf if item.sample.id == "c" else math.nan])

    results = score(TrialMetric(parts))
    assert results[0].rows[0].parts == {"frames": [1.0, None]}
    assert (results[2].rows[0].status, results[2].rows[0].parts) == ("error", {})
    assert "infinite" in results[2].rows[0].note


def test_a_clip_that_cannot_be_read_has_error_rows_without_a_path(score: Run, items: list[Generation]) -> None:
    path = items[1].clip.path  # type: ignore[union-attr]
    path.write_bytes(b"no video")
    results = score(TrialMetric(name="one"), TrialMetric(name="two"))
    assert [row.status for row in results[1].rows] == ["error", "error"]
    assert all(str(path) not in row.note and row.note.startswith("not-a-video: ") for row in results[1].rows)
    (told,) = results[1].errors
    assert told["class"] == "VideoUnreadable"
    assert str(path) in told["message"]
    assert (results[1].stream, [row.status for row in results[2].rows]) == (None, ["ok", "ok"])


def test_the_next_session_takes_rows_from_the_journal_and_tries_errors_again(score: Run) -> None:
    broken = True

    def fail_on_b(item: Generation) -> float:
        if item.sample.id == "b" and broken:
            raise DataError("not yet")
        return 0.25

    metric = TrialMetric(fail_on_b)
    assert [scored.rows[0].status for scored in score(metric)] == ["ok", "error", "ok"]
    assert metric.calls == 3
    broken = False
    assert [scored.rows[0].value for scored in score(metric)] == [0.25] * 3
    assert metric.calls == 4
    assert [scored.rows[0].value for scored in score(metric)] == [0.25] * 3
    assert metric.calls == 4


def test_rows_of_another_version_of_a_metric_are_computed_again(score: Run) -> None:
    score(TrialMetric(version=1))
    metric = TrialMetric(lambda _: 0.75, version=2)
    assert [scored.rows[0].value for scored in score(metric)] == [0.75] * 3
    assert metric.calls == 3


def test_rows_that_are_known_are_not_computed_again(score: Run) -> None:
    metric = TrialMetric()
    results = score(metric, known=[make_row("a", 0.125)])
    assert [scored.rows[0].value for scored in results] == [0.125, 0.5, 0.5]
    assert metric.calls == 2


def test_the_error_of_a_clip_names_the_reason_not_the_machine() -> None:
    error = VideoUnreadable("/home/me/a.mp4", "damaged", "frame 3 is cut off")
    assert str(error) == "Video `/home/me/a.mp4` cannot be read (damaged): frame 3 is cut off"
    assert (error.reason, error.detail) == ("damaged", "frame 3 is cut off")
