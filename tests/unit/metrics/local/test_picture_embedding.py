import numpy as np
import pytest
from local_metrics import needs, score_local

from anisora.harness.render import Scene, render
from anisora.harness.statistics.paired_difference import paired_difference
from anisora.harness.weights import load_weights
from anisora.metrics.local.feature_consistency import consecutive_similarity
from anisora.metrics.local.picture_embedding import DIMENSIONS, SIDE, WEIGHTS, PictureEmbedding, cosine_similarity

SCENES = [("walk", 0), ("talk", 24), ("wave", 31), ("turn", 4), ("bow", 8), ("dance", 28), ("petals", 56), ("cast", 17)]


def dressed_anew(action, seed, *, num_frames=24):
    """The drawn clip, and the same with the other outfit from the middle on."""
    first, second = (render(Scene(action=action, seed=seed, outfit=outfit, num_frames=num_frames)) for outfit in (0, 1))
    return first, np.concatenate([first[: num_frames // 2], second[num_frames // 2 :]])


def test_the_cosine_is_that_of_the_angle() -> None:
    first, second = np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([[1.0, 1.0], [-3.0, -4.0]])
    np.testing.assert_allclose(cosine_similarity(first, second), [np.sqrt(0.5), -1.0])


def test_a_vector_of_zeros_is_like_nothing() -> None:
    assert cosine_similarity(np.zeros(3), np.ones(3)) == 0.0


def test_equal_neighbours_are_wholly_alike_and_right_angles_not_at_all() -> None:
    embeddings = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 5.0]])
    assert consecutive_similarity(embeddings).tolist() == [1.0, 0.0]


@needs("efficientnet_lite0")
def test_the_features_are_1280_numbers_that_are_the_same_bits_each_time_and_leave_the_threads_alone() -> None:
    import torch

    before = torch.get_num_threads()
    picture = render(Scene(action="talk", seed=24, num_frames=1))[0]
    first, again = PictureEmbedding()(picture), PictureEmbedding()(picture)
    assert first.shape == (DIMENSIONS,)
    assert first.dtype == np.float32
    assert (first >= 0).all()
    np.testing.assert_array_equal(first, again)
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()


@needs("efficientnet_lite0")
def test_the_folded_network_says_what_the_wheels_own_says() -> None:
    import cv2
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    picture = render(Scene(action="talk", seed=24, num_frames=1))[0]
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    network.load_state_dict(load_weights(WEIGHTS, shapes))
    pixels = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    with torch.inference_mode():
        expected = network.extract_features((torch.tensor(pixels[None], dtype=torch.float32) - 127.0) / 128.0)
    np.testing.assert_allclose(PictureEmbedding()(picture), expected.mean(dim=(2, 3))[0].numpy(), rtol=0, atol=2e-5)


@needs("efficientnet_lite0")
def test_a_frozen_clip_is_wholly_consistent(tmp_path) -> None:
    frozen = np.repeat(render(Scene(action="talk", seed=24, num_frames=1)), 8, axis=0)
    score = score_local("feature_consistency", frozen, folder=tmp_path)
    assert score.value == pytest.approx(1.0, abs=1e-9)
    assert len(score.parts["pairs"]) == 7


@needs("efficientnet_lite0")
def test_a_clip_is_more_like_its_own_image_than_like_another(tmp_path) -> None:
    clip = render(Scene(action="talk", seed=24, num_frames=6))
    other = render(Scene(action="pan", seed=1, num_frames=1))[0]
    own = score_local("first_frame_feature_similarity", clip, image=clip[0], folder=tmp_path)
    foreign = score_local("first_frame_feature_similarity", clip, image=other, folder=tmp_path)
    assert own.parts["frames"][0] == pytest.approx(1.0, abs=1e-6)
    assert own.value > foreign.value + 0.2


@needs("efficientnet_lite0")
@pytest.mark.slow
def test_another_outfit_from_the_middle_on_lowers_the_consistency(tmp_path) -> None:
    before, after = [], []
    for action, seed in SCENES:
        whole, changed = dressed_anew(action, seed)
        before.append(score_local("feature_consistency", whole, folder=tmp_path).value)
        after.append(score_local("feature_consistency", changed, folder=tmp_path).value)
    actions = [action for action, _ in SCENES]
    found = paired_difference(
        dict(zip(actions, before, strict=True)),
        dict(zip(actions, after, strict=True)),
        {action: action for action in actions},
    )
    assert found.estimate.low > 0, found
