import numpy as np
import pytest
from metric_clips import noise, texture, translating
from metric_tester import Case, MetricTester
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from anisora.harness.types import Frames
from anisora.metrics.core.condition_fidelity import ConditionFidelity, cover_crop

CLIP = translating(shift=(2, 1), num_frames=6, height=24, width=32)


def images(*positions: float) -> tuple[tuple[float, Frames], ...]:
    return tuple((position, texture(24, 32, seed=place)) for place, position in enumerate(positions))


def doubled(image: Frames) -> Frames:
    """Each pixel four times: shrinking by area must give the image back."""
    return image.repeat(2, axis=0).repeat(2, axis=1)


def padded(image: Frames, *, left: int, right: int) -> Frames:
    return np.pad(image, ((0, 0), (left, right), (0, 0)), mode="edge")


CASES = (
    Case(name="first", clip=CLIP, images=images(0.0)),
    Case(name="first and last", clip=CLIP, images=images(0.0, 1.0)),
    Case(name="out of order", clip=CLIP, images=images(1.0, 0.4, 0.0)),
    Case(name="three on one frame", clip=CLIP, images=images(0.0, 0.01, 0.09)),
    Case(name="rounded to even, 0.5 -> 2 of 0..5", clip=CLIP, images=images(0.5)),
    Case(name="rounded to even, 0.3 -> 2 of 0..5", clip=CLIP, images=images(0.3)),
    Case(name="one frame", clip=noise(num_frames=1, height=24, width=32), images=images(0.0, 1.0)),
    Case(name="equal", clip=CLIP, images=((0.0, CLIP.frames[0]),)),
    Case(name="no image", clip=CLIP),
    Case(name="tiny frames", clip=noise(height=8, width=32), images=images(0.0)),
)


def condition_fidelity(case: Case) -> float | None:
    frames = case.clip.frames
    if not case.images or min(frames.shape[1:3]) < 11:
        return None
    values = []
    for position, image in case.images:
        frame = frames[round(position * (len(frames) - 1))]  # Python rounds halves to even
        values.append(
            structural_similarity(
                frame,
                image,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                channel_axis=-1,
                data_range=255,
            )
        )
    return float(np.mean(values))


def test_condition_fidelity_equals_the_ssim_of_each_image_and_its_frame() -> None:
    MetricTester().check(ConditionFidelity(), condition_fidelity, CASES)


def test_the_parts_are_in_the_order_of_the_images() -> None:
    given = images(1.0, 0.0)
    found = MetricTester().score(ConditionFidelity(), Case(name="two", clip=CLIP, images=given))
    expected = [
        peak_signal_noise_ratio(frame, image) for frame, (_, image) in zip(CLIP.frames[[5, 0]], given, strict=True)
    ]
    np.testing.assert_allclose(found.parts["psnr"], expected, rtol=1e-12)
    assert len(found.parts["ssim"]) == 2


@pytest.mark.parametrize(
    "image",
    [
        CLIP.frames[0],
        doubled(CLIP.frames[0]),
        padded(CLIP.frames[0], left=3, right=3),
        padded(CLIP.frames[0], left=3, right=4),
        doubled(padded(CLIP.frames[0], left=5, right=5)),
        padded(CLIP.frames[0].swapaxes(0, 1), left=4, right=4).swapaxes(0, 1),
    ],
    ids=["equal", "twice as large", "wider", "wider by an odd number", "larger and wider", "higher"],
)
def test_an_image_that_covers_the_frame_is_cut_from_its_centre(image: Frames) -> None:
    expected = CLIP.frames[0]
    if image.shape == (40, 24, 3):
        expected = CLIP.frames[0].swapaxes(0, 1)
    found = cover_crop(image, *expected.shape[:2])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("height", "width"), [(7, 9), (24, 32), (100, 41), (33, 500), (480, 720)])
def test_any_image_covers_any_frame(height: int, width: int) -> None:
    for image in (texture(5, 40), texture(48, 64), texture(301, 200)):
        assert cover_crop(image, height, width).shape == (height, width, 3)


def test_a_flat_image_stays_flat_whatever_its_size() -> None:
    flat = np.full((31, 17, 3), (10, 200, 77), np.uint8)
    for height, width in ((12, 12), (90, 44)):
        assert np.unique(cover_crop(flat, height, width).reshape(-1, 3), axis=0).tolist() == [[10, 200, 77]]
