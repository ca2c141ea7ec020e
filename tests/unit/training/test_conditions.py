from collections import Counter
from typing import Any

import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.conditions import (  # noqa: E402
    GeneratorDraws,
    GuideDraw,
    draw_guides,
    drop_text,
    first_frame_condition,
    guide_condition,
)

LATENTS = torch.arange(1.0, 4).view(1, 3, 1, 1, 1).expand(2, 3, 4, 2, 2)
"""Of 9 frames; every value tells its latent frame, from 1."""


def draws(seed: int = 0) -> GeneratorDraws:
    return GeneratorDraws(torch.Generator().manual_seed(seed))


def alone(frame: int) -> Any:
    return torch.full((2, 4, 2, 2), 100.0 + frame)


def condition(*frames: int, is_dropped: bool = False) -> list[float]:
    """Return the value of each latent frame."""
    found = guide_condition(LATENTS, GuideDraw(frames=frames, is_dropped=is_dropped), 9, alone)
    assert found.shape == LATENTS.shape
    assert torch.equal(found, found[:, :, :1, :1, :1].expand_as(found))
    return [float(each) for each in found[0, :, 0, 0, 0]]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ((0,), [1, 0, 0]),
        ((3,), [0, 103, 0]),
        ((4,), [0, 104, 0]),
        ((5,), [0, 0, 3]),
        ((8,), [0, 0, 3]),
        ((0, 2), [1, 102, 0]),
        ((6, 0), [1, 0, 3]),
        ((2, 3), [0, 102, 0]),
    ],
)
def test_a_guide_lies_in_its_latent_frame_and_the_first_one_stays(
    frames: tuple[int, ...], expected: list[float]
) -> None:
    assert condition(*frames) == expected
    assert condition(*frames, is_dropped=True) == [0, 0, 0]


def test_frames_whose_latents_the_clip_has_are_not_encoded() -> None:
    def never(frame: int) -> Any:
        raise AssertionError(frame)

    for frames in ((0, 5), (8,), (0,)):
        guide_condition(LATENTS, GuideDraw(frames=frames, is_dropped=False), 9, never)
    guide_condition(LATENTS, GuideDraw(frames=(3,), is_dropped=True), 9, never)


def test_a_generator_gives_the_same_draws_again() -> None:
    first, again = ([draw_guides(49, source) for _ in range(20)] for source in (draws(7), draws(7)))
    assert first == again
    assert first != [draw_guides(49, draws(8)) for _ in range(20)]


def test_draws_have_the_chances_of_the_release() -> None:
    source = draws(1)
    found = [draw_guides(9, source) for _ in range(4000)]
    assert sum(len(each.frames) == 2 for each in found) / 4000 == pytest.approx(1 / 2, abs=0.03)
    assert sum(each.frames[0] == 0 for each in found) / 4000 == pytest.approx(1 / 2 + 1 / 18, abs=0.03)
    assert sum(each.is_dropped for each in found) / 4000 == pytest.approx(0.05, abs=0.015)
    seconds = Counter(each.frames[1] for each in found if len(each.frames) == 2)
    assert set(seconds) == set(range(9))
    assert min(seconds.values()) > 2000 / 9 * 0.7


@pytest.mark.parametrize(("dropout", "expected"), [(0.0, False), (1.0, True)])
def test_a_chance_of_zero_or_one_is_certain(dropout: float, expected: bool) -> None:
    source = draws(3)
    assert {draw_guides(9, source, dropout=dropout).is_dropped for _ in range(50)} == {expected}
    text = torch.full((3, 4, 5), torch.inf)
    assert torch.equal(drop_text(text, source, dropout=dropout), torch.zeros_like(text) if expected else text)


def test_prompts_are_dropped_one_by_one() -> None:
    text = torch.ones(3000, 2, 1)
    found = drop_text(text, draws(2))
    assert torch.equal(found[:, 0], found[:, 1])
    assert float(1 - found.mean()) == pytest.approx(0.1, abs=0.02)


def test_the_first_frame_is_marked_in_all_four_channels() -> None:
    latents = torch.randn(16, 3, 2, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = first_frame_condition(latents)
    assert (found.shape, found.dtype) == ((20, 3, 2, 5), torch.bfloat16)
    assert torch.equal(found[4:], latents)
    assert bool((found[:4, 0] == 1).all())
    assert bool((found[:4, 1:] == 0).all())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: draw_guides(0, draws()), ConfigError, "`num_frames` got 0; expected 1 or more"),
        (lambda: draw_guides(9, draws(), dropout=1.1), ConfigError, "`dropout` got 1.1; expected a chance from 0 to 1"),
        (lambda: drop_text(torch.ones(1, 1, 1), draws(), dropout=-1), ConfigError, "`dropout` got -1"),
        (
            lambda: guide_condition(LATENTS, GuideDraw(frames=(0,), is_dropped=True), 13, alone),
            DataError,
            r"`latents` has shape \(2, 3, 4, 2, 2\); expected \(B, 4, C, h, w\)",
        ),
        (
            lambda: guide_condition(LATENTS, GuideDraw(frames=(0,), is_dropped=False), 10, alone),
            ConfigError,
            "`num_frames` got 10; expected a multiple of 4 plus 1",
        ),
        (
            lambda: guide_condition(LATENTS, GuideDraw(frames=(-9,), is_dropped=False), 9, alone),
            DataError,
            "expected as many, at least one, from 0 to 2",
        ),
        (lambda: first_frame_condition(LATENTS), DataError, r"`first_frame_latents` has shape \(2, 3, 4, 2, 2\)"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, error: type[AnisoraError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
