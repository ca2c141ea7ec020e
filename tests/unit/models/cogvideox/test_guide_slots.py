import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError
from anisora.models.cogvideox.guide_slots import (
    guide_slots,
    guides_in_slots,
    latent_frames,
    slot_of_frame,
    uses_clip_latent,
)

torch = pytest.importorskip("torch")


@given(frames=st.integers(3, 60))
def test_slots_are_the_ends_and_the_middle(frames: int) -> None:
    assert guide_slots(1, frames) == (0,)
    assert guide_slots(2, frames) == (0, frames - 1)
    first, middle, last = guide_slots(3, frames)
    assert (first, last) == (0, frames - 1)
    assert 0 <= (frames - 1) / 2 - middle <= 0.5
    assert first < middle < last


@pytest.mark.parametrize(("images", "frames"), [(0, 13), (4, 13), (2, 1), (3, 2)])
def test_images_without_a_slot_of_their_own_are_refused(images: int, frames: int) -> None:
    with pytest.raises(ConfigError, match=f"`images` got {images} for {frames} latent frames; expected 1 to 3"):
        guide_slots(images, frames)


@given(total=st.integers(0, 40).map(lambda fours: 4 * fours + 1))
def test_every_frame_has_a_slot_and_every_slot_but_the_first_four_frames(total: int) -> None:
    slots = [slot_of_frame(frame) for frame in range(total)]
    assert [slots.count(slot) for slot in range(latent_frames(total))] == [1] + [4] * (latent_frames(total) - 1)
    assert slots == sorted(slots)
    own = [frame for frame in range(total) if uses_clip_latent(frame, total)]
    assert own == sorted({0, *range(max(0, total - 4), total)})


@pytest.mark.parametrize("total", [0, 48, 50])
def test_clips_that_the_vae_does_not_encode_are_refused(total: int) -> None:
    with pytest.raises(ConfigError, match=f"`num_frames` got {total}; expected a multiple of 4 plus 1"):
        latent_frames(total)
    assert [latent_frames(each) for each in (1, 49, 97)] == [1, 13, 25]


def test_guides_lie_in_their_slots_and_the_first_one_stays() -> None:
    latents = [torch.full((2, 3, 4, 5), float(value), dtype=torch.float64) for value in (1, 2, 3)]
    found = guides_in_slots(latents, [2, 0, 2], 4)
    assert found.shape == (2, 4, 3, 4, 5)
    assert found.dtype == torch.float64
    assert [found[:, slot].unique().tolist() for slot in range(4)] == [[2], [0], [1], [0]]


@pytest.mark.parametrize("slots", [[0], [0, 4], [-1, 0], []])
def test_slots_that_are_not_of_the_clip_are_refused(slots: list[int]) -> None:
    with pytest.raises(DataError, match="expected as many, at least one, from 0 to 3"):
        guides_in_slots([torch.zeros(1, 1, 1, 1)] * (2 if slots else 0), slots, 4)
