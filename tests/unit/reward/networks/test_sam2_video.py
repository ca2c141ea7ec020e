"""SAM 2.1 at tiny size with SAMURAI's choices: they are those of ``samurai_selection``, object by object."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, MetricError, WeightsMissing
from anisora.harness.networks import shapes_of
from anisora.harness.render import Scene, render
from anisora.harness.weights import untrained_rule
from anisora.reward.character.samurai_selection import (
    Choice,
    SamuraiSelector,
    SamuraiSettings,
    candidate_boxes,
    memory_frames,
)
from anisora.reward.character.tracks import tracked_characters
from anisora.reward.networks.sam2_video import Sam2Video, released_config

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

FRAMES = 22
BOXES = ((20.0, 10.0, 60.0, 70.0), (70.0, 5.0, 120.0, 60.0))
SETTINGS = SamuraiSettings(stable_frames_threshold=3)


def tiny_config() -> Any:
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VisionConfig
    from transformers.models.sam2_video.configuration_sam2_video import (
        Sam2VideoMaskDecoderConfig,
        Sam2VideoPromptEncoderConfig,
    )

    side, width = 64, 128  # wider than a memory, whose 64 channels the library fixes
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[side, side],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 4],
        blocks_per_stage=[1, 1, 2, 1],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[side // 4] * 2, [side // 8] * 2, [side // 16] * 2],
        fpn_hidden_size=width,
    )
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=width, image_size=side),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(
            hidden_size=width, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=32
        ),
        image_size=side,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[side // 16] * 2,
        memory_encoder_hidden_size=width,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=32,
    )


def tiny_state(seed: int = 0) -> dict[str, Any]:
    drawn = untrained_rule(shapes_of(Sam2Video.empty(tiny_config())), tag="sam", seed=seed, gain=1.5)
    return {key: torch.from_numpy(array) for key, array in drawn.items()}


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return tiny_state()


@pytest.fixture(scope="module")
def network(state) -> Sam2Video:
    return Sam2Video(state, tiny_config(), settings=SETTINGS)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return render(Scene(action="walk", seed=4, num_frames=FRAMES, width=128, height=72))


@contextmanager
def moods(network: Sam2Video) -> Iterator[None]:
    """Give scores, logits and masks that change: untrained, they hardly do from frame to frame."""
    calls = iter(range(10**6))

    def change(module: object, arguments: object, output: Any) -> Any:
        masks, ious, tokens, logits = output
        stream = np.random.default_rng(next(calls))
        low, high = (0.55, 0.75) if stream.uniform() < 0.8 else (0.1, 0.5)
        ious = torch.tensor(stream.uniform(low, high, ious.shape), dtype=torch.float32)
        logits = torch.tensor(stream.uniform(-1.5, 8.0, logits.shape), dtype=torch.float32)
        masks = torch.full_like(masks, -3)
        for mask in masks[0, 0]:
            top, left = stream.integers(0, 9, 2)
            mask[top : top + 6, left : left + 6] = 3
        return masks, ious, tokens, logits

    hook = network.module.mask_decoder.register_forward_hook(change, prepend=True)
    try:
        yield
    finally:
        hook.remove()


class Recorder:
    """What the network asked of its selectors, and what it gathered."""

    def __init__(self, network: Sam2Video, patch: pytest.MonkeyPatch) -> None:
        self.choices: dict[int, list[tuple[np.ndarray, np.ndarray, Choice]]] = {}
        self.gathered: dict[tuple[int, int], list[tuple[int, int]]] = {}
        choose, gather = SamuraiSelector.choose, network.module._gather_memory_frame_outputs

        def recorded_choice(selector: SamuraiSelector, boxes: Any, ious: Any) -> Choice:
            choice = choose(selector, boxes, ious)
            self.choices.setdefault(id(selector), []).append((np.array(boxes), np.array(ious), choice))
            return choice

        def recorded_memory(session: Any, obj_idx: int, frame_idx: int, *rest: Any) -> Any:
            found = gather(session, obj_idx, frame_idx, *rest)
            outputs = session.output_dict_per_obj[obj_idx]
            places = {id(out): index for kept in outputs.values() for index, out in kept.items()}
            self.gathered[obj_idx, frame_idx] = [(places[id(out)], row - 1) for row, out in found]
            assert all("maskmem_features" in out for _, out in found)
            return found

        patch.setattr(SamuraiSelector, "choose", recorded_choice)
        patch.setattr(network.module, "_gather_memory_frame_outputs", recorded_memory)


def test_the_released_network_has_as_many_numbers_as_the_published_one() -> None:
    module = Sam2Video.empty()
    assert sum(parameter.numel() for parameter in module.parameters()) == 80_850_178
    assert len(module.state_dict()) == 613
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}
    assert released_config().image_size == 1024


def test_the_key_map_is_strict(state) -> None:
    with pytest.raises(ConfigError, match=r"1 missing \(no_memory_embedding\)"):
        Sam2Video({key: value for key, value in state.items() if key != "no_memory_embedding"}, tiny_config())
    with pytest.raises(ConfigError, match="1 unexpected"):
        Sam2Video({**state, "more": state["no_memory_embedding"]}, tiny_config())
    once = {key: value for key, value in state.items() if not key.startswith("prompt_encoder.shared_embedding")}
    module = Sam2Video(once, tiny_config()).module
    shared = module.get_buffer("shared_image_embedding.positional_embedding")
    assert module.prompt_encoder.shared_embedding.positional_embedding is shared


def test_without_its_file_the_network_is_not_made() -> None:
    with pytest.raises(WeightsMissing, match=r"sam2\.1-hiera-base-plus"):
        Sam2Video()


def test_masks_are_finite_repeatable_and_of_the_clip(network, frames) -> None:
    first, again = (network.label_map(frames[:8], BOXES) for _ in range(2))
    assert first.shape == frames[:8].shape[:3]
    assert first.dtype == np.uint16
    assert set(np.unique(first)) <= {0, 1, 2}
    assert first.any()
    np.testing.assert_array_equal(first, again)


def test_an_object_is_followed_alike_alone_and_beside_another(network, frames) -> None:
    together = np.stack(list(network.masks(frames[:10], BOXES)))
    for number, box in enumerate(BOXES):
        alone = np.stack(list(network.masks(frames[:10], [box])))
        # Memories of all objects are encoded in one batch, whose sums differ in their last bits.
        assert (together[:, number] != alone[:, 0]).mean() < 1e-3


def test_the_later_object_has_the_pixels_of_both(network, frames) -> None:
    labels, masks = network.label_map(frames[:3], BOXES), np.stack(list(network.masks(frames[:3], BOXES)))
    np.testing.assert_array_equal(labels == 2, masks[:, 1])
    np.testing.assert_array_equal(labels == 1, masks[:, 0] & ~masks[:, 1])


def test_masks_become_crops(network, frames) -> None:
    found = tracked_characters(frames[:9], BOXES, network)
    labels = network.label_map(frames[:9], BOXES)
    seen = [int((labels == number).any(axis=(1, 2)).sum()) for number in (1, 2)]
    assert found.numbers == tuple(number for number, count in enumerate(seen, start=1) if count >= 8)
    assert len(found.dropped) == 2 - len(found.numbers)
    assert all(len(crops.images) == 8 for crops in found.characters)


def test_each_frame_is_encoded_once_for_all_objects(network, frames, monkeypatch) -> None:
    encode, seen = network.module.get_image_features, []
    monkeypatch.setattr(
        network.module, "get_image_features", lambda pixels, **rest: seen.append(pixels) or encode(pixels, **rest)
    )
    network.label_map(frames[:5], BOXES)
    assert [tuple(pixels.shape) for pixels in seen] == [(1, 3, 64, 64)] * 5


def test_candidates_and_memories_are_those_of_samurai_selection(network, frames, monkeypatch) -> None:
    recorder = Recorder(network, monkeypatch)
    session = network.session(frames, BOXES)
    stored: dict[tuple[int, int], tuple[float, list[int]]] = {}
    with moods(network), torch.inference_mode():
        for index in range(len(frames)):
            masks = network.module(session, frame_idx=index).pred_masks.numpy()
            for number in range(2) if index else ():
                output = session.output_dict_per_obj[number]["non_cond_frame_outputs"][index]
                (box,) = candidate_boxes(masks[number], float(output["object_score_logits"]), image_size=64)
                stored[number, index] = output["best_iou"], box.tolist()
            network.module.forget(session, index)
    assert len(recorder.choices) == 2
    monkeypatch.undo()
    for number, calls in enumerate(recorder.choices.values()):
        assert len(calls) == FRAMES - 1
        alone, tracked = SamuraiSelector(SETTINGS), session.history(number).tracked
        for frame, (boxes, ious, choice) in enumerate(calls, start=1):
            expected = alone.choose(boxes, ious)
            assert (choice.candidate, choice.motion_ious) == (expected.candidate, expected.motion_ious)
            assert stored[number, frame] == (tracked[frame - 1].best_iou, boxes[choice.candidate].tolist())
            assert tracked[frame - 1].best_iou == pytest.approx(float(ious[choice.candidate]))
            assert recorder.gathered[number, frame] == memory_frames(frame, tracked, settings=SETTINGS)
        assert any(choice.motion_ious is not None for _, _, choice in calls)
        assert any(choice.candidate != int(ious.argmax()) for _, ious, choice in calls)
    latest = {(number, frame): range(max(0, frame - 6), frame) for number, frame in recorder.gathered}
    assert any([index for index, _ in rows][1:] != list(latest[key])[-6:] for key, rows in recorder.gathered.items())


@pytest.mark.parametrize("logit", [-1.0, np.nextafter(np.float32(-1), np.float32(0)), -0.5, 0.5])
def test_an_object_is_there_above_minus_one(network, frames, logit) -> None:
    def fixed(module: object, arguments: object, output: Any) -> Any:
        masks, ious, tokens, logits = output
        return torch.ones_like(masks), ious, tokens, torch.full_like(logits, float(logit))

    hook = network.module.mask_decoder.register_forward_hook(fixed, prepend=True)
    try:
        session = network.session(frames[:2], BOXES[:1])
        with torch.inference_mode():
            outputs = [network.module(session, frame_idx=index) for index in range(2)]
    finally:
        hook.remove()
    for output in outputs:
        assert bool((output.pred_masks > 0).all()) is bool(logit > -1)
        assert float(output.object_score_logits.reshape(())) == pytest.approx(float(logit), abs=0)
    expected = candidate_boxes(np.ones((1, 4, 4), np.float32), float(logit), image_size=64)
    assert session.history(0).tracked[0].object_logit == pytest.approx(float(logit))
    assert expected.any() == (logit > -1)


def test_a_session_starts_its_filters_anew(network, frames) -> None:
    session = network.session(frames, BOXES[:1])
    for index in range(3):
        with torch.inference_mode():
            network.module(session, frame_idx=index)
    assert len(session.history(0).tracked) == 2
    assert session.history(0).selector.state is not None
    assert network.session(frames, BOXES[:1]).history(0).selector.state is None
    session.reset_tracking_data()
    assert session.history(0).tracked == []


def test_memory_is_bounded(network, frames) -> None:
    session = network.session(frames, BOXES)
    for index in range(len(frames)):
        with torch.inference_mode():
            network.module(session, frame_idx=index)
        network.module.forget(session, index)
    for outputs in session.output_dict_per_obj.values():
        kept = [out for frames_of in outputs.values() for out in frames_of.values()]
        assert sum("maskmem_features" in out for out in kept) <= network.module.settings.num_maskmem
        assert not any("high_res_masks" in out for out in kept)


def test_forgetting_changes_nothing(network, frames, monkeypatch) -> None:
    with moods(network):
        forgetful = np.stack(list(network.masks(frames, BOXES)))
    monkeypatch.setattr(type(network.module), "forget", lambda *_: None)
    with moods(network):
        np.testing.assert_array_equal(forgetful, np.stack(list(network.masks(frames, BOXES))))


def test_plain_sam_2_is_the_library_itself(state, frames) -> None:
    from transformers import Sam2VideoModel

    frames = frames[:10]
    plain = Sam2Video(state, tiny_config(), selection="plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(plain.module), "forget", lambda *_: None)
        kept = np.stack(list(plain.masks(frames, BOXES)))
    forgotten = np.stack(list(plain.masks(frames, BOXES)))
    np.testing.assert_array_equal(kept, forgotten)
    library = Sam2VideoModel(tiny_config()).eval()
    library.load_state_dict(plain.module.state_dict(), strict=True)
    session = plain.session(frames, BOXES)
    with torch.inference_mode():
        low = torch.stack([library(session, frame_idx=index).pred_masks for index in range(len(frames))])
    large = torch.nn.functional.interpolate(low[:, :, 0], size=frames.shape[1:3], mode="bilinear")
    np.testing.assert_array_equal(forgotten, (large > 0).numpy())


def test_boxes_are_prompts_as_the_library_makes_them(network, frames) -> None:
    session = network.session(frames, BOXES)
    assert session.obj_ids == [1, 2]
    prompt = session.point_inputs_per_obj[1][0]
    left, top, right, bottom = BOXES[1]
    expected = [[left / 2, top * 64 / 72], [right / 2, bottom * 64 / 72]]
    np.testing.assert_allclose(prompt["point_coords"][0, 0].numpy(), expected, rtol=1e-6)
    assert prompt["point_labels"].tolist() == [[[2, 3]]]


def test_a_frame_out_of_turn_is_an_error(network, frames) -> None:
    session = network.session(frames, BOXES[:1])
    with torch.inference_mode():
        network.module(session, frame_idx=0)
        with pytest.raises(MetricError, match="Frame 2 of object 0 comes after 0 tracked; expected 1"):
            network.module(session, frame_idx=2)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [([], r"shape \(0,\)"), ([[1, 2, 3]], r"shape \(1, 3\)"), ([[0, 0, np.nan, 4]], "expected finite")],
)
def test_wrong_boxes_are_named(network, frames, boxes, words) -> None:
    with pytest.raises(MetricError, match=words):
        network.session(frames, boxes)


def test_the_library_has_the_methods_that_are_built_upon() -> None:
    from anisora.reward.networks.samurai_video_model import moved_points

    assert moved_points() == [], "transformers moved its SAM 2: see SUBCLASS_POINTS before allowing this version"


def test_a_library_that_moved_is_refused(monkeypatch) -> None:
    from transformers import Sam2VideoModel

    from anisora.reward.networks.samurai_video_model import SamuraiVideoModel

    monkeypatch.delattr(Sam2VideoModel, "_gather_memory_frame_outputs")
    monkeypatch.setattr(Sam2VideoModel, "_single_frame_forward", _without_candidates)
    with pytest.raises(ConfigError, match="_single_frame_forward takes no multimask_output; no _gather_memory"):
        SamuraiVideoModel(tiny_config())


def _without_candidates(image_embeddings: object) -> object:
    """Stand for the library's method in a version that names its arguments otherwise."""
    return image_embeddings
