"""Conditions around an encoder of few lines: means over the pixels and frames of each latent."""

from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import DataError
from anisora.models.wan.condition_mask import keyframe_mask, known_area, latent_mask, masked_video, pack_mask
from anisora.models.wan.condition_tensor import (
    LATENTS_MEAN,
    LATENTS_STD,
    condition_tensor,
    keyframe_condition,
    keyframe_video,
    mask_video_condition,
)
from anisora.models.wan.latent_size import LatentSize

torch = pytest.importorskip("torch")

SIZE = LatentSize(2, 4, 16, 32)


def averaged(video: Any) -> Any:
    """Encode to 16 channels of (T, h, w): the mean of each 8x8 block and four frames, the first frame alone."""
    frames = torch.cat([video[:, :1].expand(-1, 4, -1, -1), video[:, 1:]], dim=1)
    channels, total, height, width = frames.shape
    blocks = frames.reshape(channels, total // 4, 4, height // 8, 8, width // 8, 8).mean(dim=(2, 4, 6))
    return torch.cat([blocks] * 5 + [blocks[:1] * 2])


def test_images_are_placed_and_stretched_and_the_rest_is_mid_grey() -> None:
    first, last = torch.rand(3, 16, 32), torch.rand(3, 8, 8)
    video = keyframe_video([first, last], [8, 0], 9, 16, 32)
    assert torch.equal(video[:, 8], first * 2 - 1)
    assert torch.equal(video[:, 1:8], torch.zeros(3, 7, 16, 32))
    stretched = torch.nn.functional.interpolate((last * 2 - 1)[None], size=(16, 32), mode="bicubic")[0]
    assert torch.equal(video[:, 0], stretched)


def test_of_images_on_one_frame_the_last_one_is_shown() -> None:
    images = [torch.full((3, 16, 32), value) for value in (0.25, 0.75)]
    assert keyframe_video(images, [0, 0], 1, 16, 32).unique().tolist() == [0.5]


def test_overshoot_is_not_clamped() -> None:
    image = torch.zeros(3, 4, 4)
    image[:, :, 2:] = 1
    assert keyframe_video([image], [0], 1, 32, 32).abs().max() > 1


def test_a_condition_is_the_masks_channels_and_normalised_latents() -> None:
    video, mask = torch.rand(3, 5, 16, 32), torch.rand(4, 2, 2, 4)
    found = condition_tensor(video, mask, averaged)
    assert found.shape == (20, 2, 2, 4)
    assert torch.equal(found[:4], mask)
    latents = averaged(video).numpy()
    for channel in range(16):
        expected = (latents[channel] - np.float32(LATENTS_MEAN[channel])) / np.float32(LATENTS_STD[channel])
        np.testing.assert_allclose(found[4 + channel].numpy(), expected, atol=1e-6)


def test_the_type_of_the_latents_is_kept() -> None:
    found = condition_tensor(torch.rand(3, 5, 16, 32), torch.ones(4, 2, 2, 4), lambda video: averaged(video).double())
    assert found.dtype == torch.float64


def test_the_two_conditions_are_made_of_their_parts() -> None:
    images, ids = [torch.rand(3, 20, 30), torch.rand(3, 10, 10)], (8, 0)
    found = keyframe_condition(images, ids, 9, SIZE, averaged, latents_std=[2.0] * 16)
    mask = pack_mask(keyframe_mask(ids, 9, 2, 4))
    parts = condition_tensor(keyframe_video(images, ids, 9, 16, 32), mask, averaged, latents_std=[2.0] * 16)
    assert torch.equal(found, parts)
    assert not torch.equal(found, condition_tensor(keyframe_video(images, ids, 9, 16, 32), mask, averaged))
    video, mask_video = torch.rand(9, 3, 20, 30) * 2 - 1, torch.rand(9, 1, 20, 30) * 2 - 1
    for kind in ("temporal", "spatial"):
        shown, known = masked_video(video, known_area(mask_video, kind), 16, 32)
        mask = pack_mask(latent_mask(known, 2, 4, kind))
        parts = condition_tensor(shown, mask, averaged)
        assert torch.equal(mask_video_condition(video, mask_video, kind, SIZE, averaged), parts)


def test_what_does_not_fit_together_is_refused() -> None:
    image = torch.rand(3, 4, 4)
    with pytest.raises(DataError, match="`images` has 1 and `ids` 2 entries"):
        keyframe_video([image], [0, 8], 9, 16, 32)
    with pytest.raises(DataError, match=r"has one of shape \(1, 4, 4\); expected \(3, H, W\) RGB. Convert image 1"):
        keyframe_video([image, image[:1]], [0, 8], 9, 16, 32)
    with pytest.raises(DataError, match=r"latents of shape \(16, 2, 2, 4\); expected 16 channels of \(3, 2, 4\)"):
        condition_tensor(torch.rand(3, 5, 16, 32), torch.ones(4, 3, 2, 4), averaged)
    with pytest.raises(DataError, match="expected 12 channels"):
        condition_tensor(torch.rand(3, 5, 16, 32), torch.ones(4, 2, 2, 4), averaged, latents_mean=[0.0] * 12)
