from itertools import islice

import pytest

from anisora.harness.errors import DataError
from anisora.training.buckets import BatchPlan, Bucket, bucket_of, frames_needed

WIDE, TALL, LONG = Bucket(32, 64, 9), Bucket(64, 32, 9), Bucket(32, 64, 17)


def test_a_video_is_used_as_long_as_it_can_be_and_then_in_the_nearest_shape() -> None:
    def found(height: int, width: int, frames: int) -> Bucket | None:
        return bucket_of(height, width, frames, [WIDE, TALL, LONG], fps=16.0, clip_fps=16.0, skipped=2)

    assert found(90, 160, 18) == WIDE
    assert found(160, 90, 18) == TALL
    assert found(160, 90, 19) == LONG
    assert found(90, 160, 10) is None


def test_frames_of_other_rates_are_counted_in_those_of_the_video() -> None:
    # Frames 0 to 8 of a clip at 16 a second are up to half a second into the video: frame 12 at 24 a second.
    assert frames_needed(9, fps=16.0, clip_fps=24.0, skipped=0) == 13
    assert frames_needed(9, fps=16.0, clip_fps=8.0, skipped=3) == 8


def test_a_batch_is_of_one_size_and_follows_from_the_seed_and_the_step() -> None:
    sizes = [WIDE, TALL, WIDE, WIDE, TALL]
    plan = BatchPlan(sizes, 2, seed=5)
    batches = list(islice(plan.batches(), 12))
    assert [batch.step for batch in batches] == list(range(12))
    assert all({sizes[item] for item in batch.items} == {batch.bucket} for batch in batches)
    assert {batch.bucket for batch in batches} == {WIDE, TALL}
    assert list(islice(plan.batches(start=7), 5)) == batches[7:]
    assert list(islice(BatchPlan(sizes, 2, seed=6).batches(), 12)) != batches


def test_every_item_of_a_size_comes_before_one_comes_again() -> None:
    plan = BatchPlan([WIDE] * 5, 1, seed=0)
    items = [batch.items[0] for batch in islice(plan.batches(), 15)]
    assert [sorted(items[at : at + 5]) for at in (0, 5, 10)] == [list(range(5))] * 3
    assert items[:5] != items[5:10]


def test_sizes_are_drawn_by_the_number_of_their_items() -> None:
    plan = BatchPlan([WIDE] * 3 + [TALL], 1, seed=1)
    share = sum(batch.bucket == WIDE for batch in islice(plan.batches(), 400)) / 400
    assert 0.69 < share < 0.81


def test_nothing_to_train_on_is_told() -> None:
    with pytest.raises(DataError, match="`data` has no item"):
        next(BatchPlan([], 1, seed=0).batches())
