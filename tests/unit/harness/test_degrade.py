"""Damages are pure, seeded, the identity at 0, and grow with their severity."""

import itertools

import numpy as np
import pytest
from shared_data import REPOSITORY

from anisora.harness.degrade import DAMAGE_INFO, DAMAGES, degrade
from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.render import Scene, render

GRID = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
RANDOM = ("flicker", "jitter", "noise", "shuffle", "subtitle")
GROWING = tuple(name for name in DAMAGES if name not in ("reverse", "shuffle"))
"""Moving frames about does not bring them further from the original the more of them move."""


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    return render(Scene(action="walk", seed=3, width=96, height=54, num_frames=12, hold=1))


@pytest.fixture(scope="module")
def on_twos() -> np.ndarray:
    return render(Scene(action="walk", seed=3, width=96, height=54, num_frames=12, hold=2))


def _distance(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.abs(left.astype(float) - right).mean())


@pytest.mark.parametrize("name", DAMAGES)
def test_severity_zero_gives_the_same_bytes_in_a_new_array(name: str, clip: np.ndarray) -> None:
    out = degrade(name, clip, severity=0)
    assert np.array_equal(out, clip)
    assert not np.shares_memory(out, clip)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_keeps_shape_and_type_and_leaves_its_input_alone(name: str, clip: np.ndarray) -> None:
    before = clip.copy()
    out = degrade(name, clip, severity=0.6, seed=4)
    assert (out.shape, out.dtype) == (clip.shape, np.uint8)
    assert out.flags.c_contiguous
    assert np.array_equal(clip, before)
    assert not np.array_equal(out, clip)


@pytest.mark.parametrize("name", DAMAGES)
def test_the_same_seed_gives_the_same_bytes(name: str, clip: np.ndarray) -> None:
    assert np.array_equal(degrade(name, clip, severity=0.7, seed=9), degrade(name, clip, severity=0.7, seed=9))


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_gives_another_accident(name: str, clip: np.ndarray) -> None:
    assert not np.array_equal(degrade(name, clip, severity=0.7, seed=1), degrade(name, clip, severity=0.7, seed=2))


@pytest.mark.parametrize("name", GROWING)
def test_distance_to_the_original_does_not_fall_with_severity(name: str, clip: np.ndarray) -> None:
    distances = [_distance(degrade(name, clip, severity=severity, seed=1), clip) for severity in GRID]
    # Interpolation at fractions of a pixel and JPEG quantisation are not monotone to the last digit.
    for lower, higher in itertools.pairwise(distances):
        assert higher >= lower * 0.97
    assert distances[-1] > max(0.5, 1.5 * distances[1])


@pytest.mark.parametrize("name", DAMAGES)
def test_a_clip_of_one_frame_can_be_damaged(name: str, clip: np.ndarray) -> None:
    out = degrade(name, clip[:1], severity=1.0)
    assert out.shape == clip[:1].shape


@pytest.mark.parametrize(("severity", "held"), [(0.5, 6), (1.0, 12), (0.25, 3)])
def test_freeze_holds_the_first_frame_for_its_share(severity: float, held: int, clip: np.ndarray) -> None:
    out = degrade("freeze", clip, severity=severity)
    assert (out[:held] == clip[0]).all()
    assert np.array_equal(out[held:], clip[held:])


def test_cross_fade_is_the_linear_blend_of_first_and_last(clip: np.ndarray) -> None:
    out = degrade("cross-fade", clip, severity=1)
    first, last = clip[0].astype(float), clip[-1].astype(float)
    for index, frame in enumerate(out):
        expected = first + (last - first) * index / (len(clip) - 1)
        assert np.abs(frame - expected).max() <= 0.501
    assert np.array_equal(out[0], clip[0])
    assert np.array_equal(out[-1], clip[-1])


def test_half_rate_holds_every_second_frame_of_a_clip_on_ones(clip: np.ndarray) -> None:
    assert np.array_equal(degrade("half-rate", clip, severity=1), clip[np.arange(12) // 2 * 2])


def test_half_rate_turns_twos_into_fours(on_twos: np.ndarray) -> None:
    assert np.array_equal(degrade("half-rate", on_twos, severity=1), on_twos[np.arange(12) // 4 * 4])


def test_shuffle_moves_every_frame_and_loses_none(clip: np.ndarray) -> None:
    out = degrade("shuffle", clip, severity=1, seed=5)
    assert sorted(frame.tobytes() for frame in out) == sorted(frame.tobytes() for frame in clip)
    assert not any(np.array_equal(left, right) for left, right in zip(out, clip, strict=True))


def test_shuffle_moves_only_its_share(clip: np.ndarray) -> None:
    out = degrade("shuffle", clip, severity=0.5, seed=5)
    assert sum(not np.array_equal(left, right) for left, right in zip(out, clip, strict=True)) == 6


def test_reverse_plays_the_clip_backwards(clip: np.ndarray) -> None:
    assert np.array_equal(degrade("reverse", clip, severity=1), clip[::-1])
    half = degrade("reverse", clip, severity=0.5)
    assert np.array_equal(half, np.concatenate([clip[:6][::-1], clip[6:]]))


def test_flicker_alternates_brightness(clip: np.ndarray) -> None:
    gains = degrade("flicker", clip, severity=1, seed=2).mean(axis=(1, 2, 3)) / clip.mean(axis=(1, 2, 3))
    assert (gains[::2] < 0.95).all()
    assert (gains[1::2] > 1.02).all()


def test_colour_drift_begins_with_the_original_and_ends_farthest_from_it(clip: np.ndarray) -> None:
    still = np.repeat(clip[:1], 8, axis=0)
    out = degrade("colour-drift", still, severity=1)
    distances = [_distance(frame, still[0]) for frame in out]
    assert distances[0] == 0
    assert distances == sorted(distances)


@pytest.mark.parametrize("name", ["first-frame-copy", "freeze", "slow-pan"])
def test_damages_from_an_image_use_the_first_frame_alone(name: str, clip: np.ndarray) -> None:
    assert DAMAGE_INFO[name].from_image
    held = np.repeat(clip[:1], len(clip), axis=0)
    assert np.array_equal(degrade(name, clip, severity=1, seed=3), degrade(name, held, severity=1, seed=3))


def test_slow_pan_glides_a_tenth_of_the_width_or_so(clip: np.ndarray) -> None:
    out = degrade("slow-pan", clip, severity=1)
    assert np.array_equal(out[0], clip[0])
    shift = round(0.12 * 96)
    right, left = np.roll(out[0], shift, axis=1), np.roll(out[0], -shift, axis=1)
    inside = np.s_[:, 15:-15]
    assert min(_distance(out[-1][inside], moved[inside]) for moved in (left, right)) < 0.4 * _distance(
        out[-1][inside], out[0][inside]
    )


def test_flow_warp_continues_the_motion_of_the_first_pair() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (20, 40))
    texture = np.kron(noise, np.ones((4, 4)))[..., None].repeat(3, axis=2).astype(np.uint8)
    frames = np.stack([np.roll(texture, 2 * (index // 2), axis=1) for index in range(8)])  # on twos
    out = degrade("flow-warp", frames, severity=1)
    inside = np.s_[10:-10, 24:-24]
    # One pixel a frame: two in each two frames.
    assert _distance(out[6][inside], frames[6][inside]) < 0.35 * _distance(out[6][inside], frames[0][inside])


def test_flow_warp_of_a_still_clip_is_the_clip(clip: np.ndarray) -> None:
    still = np.repeat(clip[:1], 5, axis=0)
    assert np.array_equal(degrade("flow-warp", still, severity=1), still)


@pytest.mark.parametrize(("severity", "first"), [(1.0, 1), (0.99, 1), (0.5, 6), (0.25, 9), (0.1, 11), (0.02, 12)])
def test_a_subtitle_stands_in_its_share_at_the_end_and_never_in_the_first_frame(
    severity: float, first: int, clip: np.ndarray
) -> None:
    changed = (degrade("subtitle", clip, severity=severity) != clip).any(axis=(1, 2, 3))
    assert changed.tolist() == [index >= first for index in range(12)]


def test_a_clip_of_one_frame_carries_its_subtitle_there(clip: np.ndarray) -> None:
    assert not np.array_equal(degrade("subtitle", clip[:1], severity=1.0), clip[:1])


def test_one_subtitle_stays_where_it_is_for_the_whole_clip(clip: np.ndarray) -> None:
    still = np.repeat(clip[:1], 6, axis=0)
    out = degrade("subtitle", still, severity=0.5, seed=8)
    assert (out[3:] == out[3]).all()


def test_the_seed_chooses_the_line_and_its_colour(clip: np.ndarray) -> None:
    last = np.zeros_like(clip[:2])
    texts = {degrade("subtitle", last, severity=1, seed=seed)[1].tobytes() for seed in range(60)}
    assert 12 < len(texts) <= 24


def test_an_unknown_damage_names_the_nearest(clip: np.ndarray) -> None:
    with pytest.raises(UnknownNameError, match=r"Damage 'freze' is not known\. Did you mean 'freeze'\?"):
        degrade("freze", clip, severity=0.5)


@pytest.mark.parametrize("severity", [-0.1, 1.01, float("nan"), True, "0.5"])
def test_a_severity_outside_its_range_is_refused(severity: object, clip: np.ndarray) -> None:
    with pytest.raises(ConfigError, match=r"`severity` of damage 'blur' got .*; expected a number from 0 to 1"):
        degrade("blur", clip, severity=severity)


@pytest.mark.parametrize(
    "frames", [np.zeros((4, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), np.uint8)]
)
def test_frames_of_another_layout_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"`frames` got .*; expected uint8 \(T, H, W, 3\)"):
        degrade("blur", frames, severity=0.5)


def test_every_damage_says_what_it_does_and_whom_it_hurts() -> None:
    assert tuple(sorted(DAMAGES)) == DAMAGES
    for name, info in DAMAGE_INFO.items():
        assert info.summary.endswith("."), name
        assert info.hurts, name


def test_the_page_of_damages_says_the_same() -> None:
    page = (REPOSITORY / "docs" / "damages.md").read_text(encoding="utf-8")
    for name, info in DAMAGE_INFO.items():
        hurts = ", ".join(f"`{metric}`" for metric in info.hurts)
        assert f"| `damage/{name}` | {info.summary} | {hurts} |" in page


def test_saturation_moves_colours_from_grey_and_keeps_the_luma() -> None:
    clip = np.full((2, 8, 8, 3), (110, 120, 130), np.uint8)
    out = degrade("saturation", clip, severity=0.5).astype(float)
    luma = np.array((0.299, 0.587, 0.114))
    before, after = clip[0, 0, 0] @ luma, out[0, 0, 0] @ luma
    assert after == pytest.approx(before, abs=0.6)
    assert out[0, 0, 0] - after == pytest.approx(1.8 * (clip[0, 0, 0] - before), abs=1)
    grey = np.full((2, 8, 8, 3), 90, np.uint8)
    assert np.array_equal(degrade("saturation", grey, severity=1), grey)


def test_a_grid_brightens_every_eighth_row_and_column_alone() -> None:
    clip = np.full((2, 20, 20, 3), 100, np.uint8)
    out = degrade("grid", clip, severity=0.5)
    lines = np.zeros((20, 20), bool)
    lines[::8], lines[:, ::8] = True, True
    assert (out[:, lines] == 112).all()
    assert (out[:, ~lines] == 100).all()


def test_first_frame_copy_mixes_each_frame_with_the_first(clip: np.ndarray) -> None:
    out = degrade("first-frame-copy", clip, severity=0.25)
    assert np.abs(out - (0.75 * clip + 0.25 * clip[0])).max() <= 0.501
    assert (degrade("first-frame-copy", clip, severity=1) == clip[0]).all()
