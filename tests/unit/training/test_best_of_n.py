from collections.abc import Iterator

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, VideoUnreadable
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.types import Generated, Sample
from anisora.reward.metric_reward import MetricReward
from anisora.training.best_of_n import best_of_n

FLICKER = {0: 40, 1: 10, 2: 80, 3: 10}
"""{seed: difference of consecutive frames}: the smaller, the higher the temporal flickering score."""


class Blinker:
    """Draws frames that blink between two greys, more or less according to the seed."""

    info = GeneratorInfo(
        name="blinker",
        base="",
        revision="1",
        licence="Apache-2.0",
        tasks=frozenset({"any"}),
        summary="blinks",
    )

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        if sample.id == "broken" or seed not in FLICKER:
            raise VideoUnreadable(sample.id, "damaged", f"seed {seed} cannot be drawn")
        length = 1 if sample.id == "still" else settings.num_frames or 4
        frames = np.full((length, 16, 24, 3), 100, np.uint8)
        frames[1::2] += FLICKER[seed]
        return Generated(frames, 24.0)


@pytest.fixture(scope="module")
def judge() -> Iterator[MetricReward]:
    with MetricReward(["temporal_flickering"]) as made:
        yield made


@pytest.fixture(scope="module")
def reader() -> Iterator[DecoderPool]:
    with DecoderPool() as pool:
        yield pool


def choose(names: list[str], judge: MetricReward, reader: DecoderPool, **options: int) -> list:
    samples = [Sample(id=name) for name in names]
    settings = GenerationSettings(num_frames=4)
    return best_of_n(samples, Blinker(), judge, settings=settings, reader=reader, **options)


def test_the_clip_with_the_highest_reward_is_kept(judge: MetricReward, reader: DecoderPool) -> None:
    (choice,) = choose(["a"], judge, reader, n=3)
    assert choice.seed == 1
    assert choice.reward == pytest.approx(245 / 255)
    assert choice.all_rewards == pytest.approx({0: 215 / 255, 1: 245 / 255, 2: 175 / 255})
    assert (choice.errors, choice.error) == ({}, None)


def test_among_equals_the_smallest_seed_is_kept(judge: MetricReward, reader: DecoderPool) -> None:
    (choice,) = choose(["a"], judge, reader, n=3, first_seed=1)
    assert choice.seed == 1
    assert choice.all_rewards[1] == choice.all_rewards[3]


def test_a_clip_without_a_reward_never_wins(judge: MetricReward, reader: DecoderPool) -> None:
    (choice,) = choose(["a"], judge, reader, n=4, first_seed=2)  # seeds 4 and 5 cannot be drawn
    assert choice.seed == 3
    assert choice.all_rewards[4] is None
    assert "seed 4 cannot be drawn" in choice.errors[4]


def test_a_sample_without_any_reward_is_an_error_with_its_name(judge: MetricReward, reader: DecoderPool) -> None:
    broken, still, fine = choose(["broken", "still", "a"], judge, reader, n=2)
    assert broken.seed is None
    assert broken.error == (
        "Sample 'broken' has no clip with a reward: Video `broken` cannot be read (damaged): seed 0 cannot be drawn"
    )
    assert still.error is not None
    assert "has 1 of the 2 frames" in still.error
    assert fine.error is None


def test_drawing_no_clip_is_refused(judge: MetricReward, reader: DecoderPool) -> None:
    with pytest.raises(ConfigError, match="`n` got 0; expected how many clips"):
        choose(["a"], judge, reader, n=0)
