"""Mask channels against closed forms; resizes against slow sums in numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.condition_mask import keyframe_mask, known_area, latent_mask, masked_video, pack_mask

torch = pytest.importorskip("torch")


@given(fours=st.integers(0, 6), data=st.data())
def test_every_frame_has_its_channel_and_latent_frame(fours: int, data: st.DataObject) -> None:
    total = 4 * fours + 1
    ids = data.draw(st.lists(st.integers(0, total - 1), max_size=4))
    packed = pack_mask(keyframe_mask(ids, total, 2, 3))
    assert packed.shape == (4, fours + 1, 2, 3)
    expected = np.zeros((4, fours + 1, 2, 3), np.float32)
    for frame in ids:
        channels = range(4) if frame == 0 else [(frame + 3) % 4]
        expected[list(channels), (frame + 3) // 4] = 1
    assert np.array_equal(packed.numpy(), expected)


def test_pixels_keep_their_place_and_their_value() -> None:
    mask = torch.rand(5, 2, 3)
    packed = pack_mask(mask)
    assert all(torch.equal(packed[channel, 0], mask[0]) for channel in range(4))
    assert all(torch.equal(packed[channel, 1], mask[1 + channel]) for channel in range(4))
    assert pack_mask(torch.rand(5, 2, 3), 2).shape == (2, 3, 2, 3)


@pytest.mark.parametrize("shape", [(4, 2, 2), (0, 2, 2), (5, 2), (1, 5, 2, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected \\(F, h, w\\) with F a multiple of 4 plus 1"):
        pack_mask(torch.zeros(shape))


@pytest.mark.parametrize("frame", [-1, 9])
def test_a_frame_behind_the_clip_is_refused(frame: int) -> None:
    with pytest.raises(DataError, match=f"`ids` has frame {frame}; expected 0 to 8"):
        keyframe_mask([0, frame], 9, 1, 1)


def test_white_is_known_black_and_grey_are_not_and_one_channel_counts() -> None:
    mask = torch.tensor([-1.0, 0.0, 1e-6, 1.0]).view(1, 1, 1, 4).repeat(17, 3, 1, 1)
    mask[:, 1:] *= -1
    known = known_area(mask, "spatial")
    assert known[0].tolist() == [[1, 1, 1, 1]]
    assert known[1:].unique(dim=0).tolist() == [[[0, 0, 1, 1]]]
    whole = known_area(mask, "temporal").all(dim=2)[:, 0]
    assert whole.nonzero()[:, 0].tolist() == [0, 8, 16]


def test_what_is_not_known_is_mid_grey_and_all_is_resized_to_the_nearest_pixel() -> None:
    draw = torch.Generator().manual_seed(3)
    video = torch.rand(5, 3, 6, 10, generator=draw) * 2 - 1
    known = (torch.rand(5, 6, 10, generator=draw) > 0.5).float()
    shown, area = masked_video(video, known, 4, 16)
    rows, columns = np.arange(4) * 6 // 4, np.arange(16) * 10 // 16
    kept = known.numpy()[:, rows][:, :, columns]
    assert np.array_equal(area.numpy(), kept)
    assert np.array_equal(shown.numpy(), (video.numpy()[:, :, rows][..., columns] * kept[:, None]).swapaxes(0, 1))


def cubic(distance: float) -> float:
    """Keys' kernel with a = -0.75, as torch has it."""
    x = abs(distance)
    if x <= 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def bicubic(row: Any, size: int) -> Any:
    """Resize along the last axis, four neighbours each, no antialiasing."""
    length, out = row.shape[-1], []
    for place in range(size):
        centre = (place + 0.5) * length / size - 0.5
        left = int(np.floor(centre))
        taps = [(min(max(left + k, 0), length - 1), cubic(centre - left - k)) for k in (-1, 0, 1, 2)]
        out.append(sum(row[..., index] * weight for index, weight in taps))
    return np.stack(out, axis=-1)


def test_temporal_masks_are_reduced_with_bicubic_weights_and_leave_0_to_1() -> None:
    known = torch.zeros(1, 24, 40)
    known[:, :5, 3:30] = 1
    known[:, 17:] = 1
    found = latent_mask(known, 2, 4, "temporal").numpy()
    slow = bicubic(bicubic(known.numpy().astype(np.float64), 4).swapaxes(1, 2), 2).swapaxes(1, 2)
    np.testing.assert_allclose(found, slow, atol=1e-6)
    assert found.min() < 0
    assert found.max() > 1


def test_spatial_masks_are_reduced_to_the_nearest_pixel() -> None:
    known = (torch.rand(3, 16, 24) > 0.5).float()
    assert torch.equal(latent_mask(known, 2, 3, "spatial"), known[:, ::8, ::8])


@pytest.mark.parametrize("kind", ["spacial", ""])
def test_other_kinds_are_refused(kind: Any) -> None:
    with pytest.raises(ConfigError, match="expected one of temporal, spatial"):
        known_area(torch.zeros(1, 1, 2, 2), kind)
    with pytest.raises(ConfigError, match="expected one of temporal, spatial"):
        latent_mask(torch.zeros(1, 2, 2), 1, 1, kind)


def test_masks_and_videos_of_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected \(F, channels, H, W\)"):
        known_area(torch.zeros(5, 4, 4), "spatial")
    with pytest.raises(DataError, match=r"expected \(F, 3, H, W\) and \(F, H, W\) of as many frames"):
        masked_video(torch.zeros(5, 3, 4, 4), torch.zeros(4, 4, 4), 4, 4)
