from collections import Counter

import numpy as np
import pytest
from metric_clips import noise, still, texture, translating
from metric_tester import Case, MetricTester

from anisora.harness.degrade import degrade
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.types import FrameArray, Frames, Score
from anisora.metrics.core.animation_timing import AnimationTiming, counted_holds, hold_lengths


def held_for(*lengths: int) -> FrameArray:
    """Drawings that have nothing in common, each shown for some frames."""
    drawings = np.stack([texture(30, 40, seed=seed) for seed in range(len(lengths))])
    return FrameArray(frames=drawings.repeat(lengths, axis=0), fps=24.0)


CASES = (
    Case(name="ones", clip=noise(num_frames=6)),
    Case(name="twos", clip=held_for(2, 2, 2, 2, 2)),
    Case(name="twos, cut off at both ends", clip=held_for(1, 2, 2, 2, 1)),
    Case(name="threes", clip=held_for(3, 3, 3, 3)),
    Case(name="fives", clip=held_for(5, 5, 5)),
    Case(name="mixed", clip=held_for(2, 1, 1, 1, 2, 3, 2, 1)),
    Case(name="even", clip=held_for(2, 2, 1, 1, 3)),
    Case(name="one change in the middle", clip=held_for(6, 6)),
    Case(name="long hold at the end only", clip=held_for(1, 1, 7)),
    Case(name="still", clip=still()),
    Case(name="three frames", clip=noise(num_frames=3)),
    Case(name="nothing seen whole", clip=held_for(2, 3)),
)


def animation_timing(case: Case) -> float | None:
    """Walk over the frames, which are equal within a hold and far apart between holds."""
    frames = case.clip.frames
    if len(frames) < 4:
        return None
    runs: list[int] = []
    for place, frame in enumerate(frames):
        if place and np.array_equal(frame, frames[place - 1]):
            runs[-1] += 1
        else:
            runs.append(1)
    covered: Counter[int] = Counter()
    for place, run in enumerate(runs):
        if place not in (0, len(runs) - 1) or run >= 4:
            covered[min(run, 4)] += run
    if not covered:
        return None
    return float(min(length for length, count in covered.items() if count == max(covered.values())))


def test_animation_timing_equals_a_walk_over_the_frames() -> None:
    MetricTester().check(AnimationTiming(), animation_timing, CASES)


def test_the_parts_say_how_many_frames_follow_each_timing() -> None:
    found = MetricTester().score(AnimationTiming(), CASES[5])
    assert found.parts["holds"] == [2, 1, 1, 1, 2, 3, 2, 1]
    assert found.parts["ones"] == [3 / 10]
    assert found.parts["twos"] == [4 / 10]
    assert found.parts["threes"] == [3 / 10]
    assert found.parts["longer"] == [0.0]
    assert found.parts["mean_hold"] == [10 / 6]
    assert found.value == 2.0


def test_a_still_clip_is_one_long_hold_and_says_so() -> None:
    found = MetricTester().score(AnimationTiming(), CASES[9])
    assert found.value == 4.0
    assert found.parts["longer"] == [1.0]
    assert found.note == "the clip is still: one drawing is held throughout"
    assert MetricTester().score(AnimationTiming(), CASES[7]).note == ""


def test_holds_that_the_ends_cut_short_are_not_counted() -> None:
    held = np.array([True, False, True, True, False, False, True, True, True])
    lengths = hold_lengths(held)
    assert lengths.tolist() == [2, 3, 1, 4]
    assert counted_holds(lengths).tolist() == [3, 1, 4]
    assert counted_holds(np.array([1, 1])).tolist() == []
    assert counted_holds(np.array([3])).tolist() == []


SCENES = tuple(
    Scene(action=action, seed=100 + place, hold=1 + place % 3, fps=fps, num_frames=24, width=width, height=height)
    for place, (action, fps, width, height) in enumerate(
        [
            ("walk", 24.0, 256, 144),
            ("walk", 16.0, 320, 180),
            ("run", 24.0, 256, 144),
            ("run", 24.0, 144, 256),
            ("jump", 16.0, 256, 144),
            ("jump", 24.0, 256, 144),
            ("wave", 24.0, 256, 144),
            ("wave", 16.0, 320, 180),
            ("talk", 24.0, 256, 144),
            ("talk", 24.0, 320, 180),
            ("talk", 16.0, 256, 144),
            ("turn", 24.0, 256, 144),
            ("turn", 16.0, 256, 144),
            ("bow", 24.0, 256, 144),
            ("dance", 24.0, 256, 144),
            ("dance", 16.0, 144, 256),
            ("petals", 24.0, 256, 144),
            ("petals", 16.0, 256, 144),
            ("cast", 24.0, 320, 180),
            ("cast", 16.0, 256, 144),
        ]
    )
)


def timing_of(frames: Frames, fps: float) -> Score:
    return MetricTester().score(AnimationTiming(), Case(name="x", clip=FrameArray(frames=frames, fps=fps)))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.action}-{scene.hold}-{scene.fps:g}")
def test_every_rendered_clip_is_named_right_also_after_h264(scene: Scene, tmp_path_factory: pytest.TempPathFactory):
    frames = render(scene)
    assert timing_of(frames, scene.fps).value == scene.hold
    folder = tmp_path_factory.mktemp("encoded")
    with DecoderPool() as pool:
        for quality in (18, 23):
            path = folder / f"{quality}.mp4"
            pool.encode(frames, fps=scene.fps, path=path, encoder=f"h264:crf={quality}")
            decoded, _ = pool.read_frames(clip_at(path, None))
            assert timing_of(decoded, scene.fps).value == scene.hold, f"crf {quality}"


@pytest.mark.parametrize("hold", [1, 2, 3])
def test_a_small_rendered_clip_is_named_right(hold: int) -> None:
    scene = Scene(action="wave", seed=5, hold=hold, num_frames=16, width=96, height=54)
    found = timing_of(render(scene), scene.fps)
    assert found.value == hold
    assert found.parts[("ones", "twos", "threes")[hold - 1]][0] > 0.7


def test_a_camera_on_ones_makes_a_figure_on_twos_a_clip_on_ones() -> None:
    scene = Scene(action="pan", seed=5, hold=2, num_frames=12, width=96, height=54)
    assert timing_of(render(scene), scene.fps).value == 1.0


def test_dropping_every_second_drawing_lengthens_the_holds() -> None:
    clip = translating(shift=(4, 2), num_frames=12)
    means = [
        timing_of(degrade("half-rate", clip.frames, severity=severity), 24.0).parts["mean_hold"][0]
        for severity in (0.0, 0.5, 1.0)
    ]
    assert means[0] == 1.0
    assert means == sorted(means)
    assert timing_of(degrade("half-rate", clip.frames, severity=1.0), 24.0).value == 2.0
