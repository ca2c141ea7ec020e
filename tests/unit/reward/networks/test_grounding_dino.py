"""GroundingDINO at tiny size through the real class; its pictures against the library's, its boxes by hand."""

import math
import re
from typing import Any

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, MetricError, WeightsMissing
from anisora.harness.networks import shapes_of
from anisora.harness.render import Scene, render
from anisora.harness.weights import untrained_rule
from anisora.reward.networks.grounding_dino import (
    GroundingDino,
    confident_boxes,
    detector_pixels,
    detector_size,
    largest_boxes,
    rounded_boxes,
)

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


def tiny_config() -> Any:
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    return GroundingDinoConfig(
        backbone_config=SwinConfig(
            embed_dim=16, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=4, out_indices=[2, 3, 4]
        ),
        text_config=BertConfig(
            vocab_size=2900,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
        ),
        d_model=32,
        num_queries=12,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
    )


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    drawn = untrained_rule(shapes_of(GroundingDino.empty(tiny_config())), tag="dino", seed=0)
    return {key: torch.from_numpy(array) for key, array in drawn.items()}


@pytest.fixture(scope="module")
def network(state) -> GroundingDino:
    return GroundingDino(state, tiny_config())


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return render(Scene(action="wave", seed=3, num_frames=1, width=96, height=72))[0]


def test_the_released_network_on_the_meta_device() -> None:
    shapes = shapes_of(GroundingDino.empty())
    own = {key: shape for key, shape in shapes.items() if not re.match(r"(model\.decoder\.)?bbox_embed\.", key)}
    head = {key: shape for key, shape in shapes.items() if key.startswith("bbox_embed.0.")}
    assert sum(math.prod(shape) for shape in (own | head).values()) == 232_315_264


def test_outputs_are_finite_and_those_of_the_library(network, picture) -> None:
    from transformers import GroundingDinoForObjectDetection

    logits, boxes = network.outputs(picture)
    assert boxes.shape == (12, 4)
    assert np.isfinite(boxes).all()
    assert (logits.max(axis=1) > -np.inf).all()
    library = GroundingDinoForObjectDetection(tiny_config()).eval()
    library.load_state_dict(network.module.state_dict(), strict=True)
    pixels = detector_pixels(picture)
    with torch.inference_mode():
        expected = library(pixel_values=pixels, input_ids=torch.tensor([[101, 2839, 1012, 102]]))
    np.testing.assert_array_equal(boxes, expected.pred_boxes[0].numpy())
    np.testing.assert_array_equal(logits, expected.logits[0].numpy())


def test_boxes_are_those_of_the_librarys_own_threshold(network, picture, monkeypatch) -> None:
    from types import SimpleNamespace

    from transformers import GroundingDinoProcessor

    logits, boxes = network.outputs(picture)
    logits = logits + (0.3 - np.median(logits.max(axis=1)))
    output = SimpleNamespace(logits=torch.from_numpy(logits)[None], pred_boxes=torch.from_numpy(boxes)[None])
    stub = SimpleNamespace(batch_decode=lambda ids: ["" for _ in ids])
    (expected,) = GroundingDinoProcessor.post_process_grounded_object_detection(
        stub,  # type: ignore[arg-type]
        output,
        torch.tensor([[101, 2839, 1012, 102]]),
        threshold=0.5,
        text_threshold=0.5,
        target_sizes=[(72, 96)],
    )
    assert len(expected["boxes"]) > 5
    np.testing.assert_allclose(confident_boxes(logits, boxes, 72, 96), expected["boxes"].numpy(), rtol=1e-5, atol=1e-4)
    monkeypatch.setattr(network, "outputs", lambda _: (logits, boxes))
    found = network.boxes(picture)
    areas = np.prod(found[:, 2:] - found[:, :2], axis=1)
    assert found.shape == (5, 4)
    assert (np.diff(areas) <= 100).all()  # rounding may swap neighbours a little
    np.testing.assert_array_equal(found, np.rint(found))


@pytest.mark.parametrize(
    "size", [(480, 832), (832, 480), (1080, 1920), (300, 300), (800, 900), (90, 1000), (1333, 800), (721, 1283)]
)
def test_pictures_are_those_of_the_librarys_processor(size) -> None:
    from transformers.image_transforms import get_size_with_aspect_ratio

    assert detector_size(*size) == get_size_with_aspect_ratio(size, 800, 1333)


def test_pixels_are_those_of_the_librarys_processor(picture) -> None:
    module = pytest.importorskip("transformers.models.grounding_dino.image_processing_pil_grounding_dino")
    from PIL import Image

    expected = module.GroundingDinoImageProcessorPil()(Image.fromarray(picture), return_tensors="pt")["pixel_values"]
    np.testing.assert_allclose(detector_pixels(picture).numpy(), expected.numpy(), atol=1e-6)


def test_a_box_must_be_surer_than_the_threshold() -> None:
    logits = np.array([[-5.0, 0.0], [-np.inf, 1e-3], [2.0, -np.inf], [-0.1, -0.2]])
    boxes = np.array([[0.5, 0.5, 0.2, 0.4]] * 4)
    found = confident_boxes(logits, boxes, 100, 200)
    np.testing.assert_allclose(found, [[80, 30, 120, 70]] * 2)
    assert confident_boxes(logits - 9, boxes, 100, 200).shape == (0, 4)


def test_of_six_boxes_the_five_largest_are_kept_and_of_five_the_order() -> None:
    sides = [3.0, 9.0, 1.0, 9.0, 5.0, 7.0]
    boxes = np.array([[place, 0, place + side, side] for place, side in enumerate(sides)])
    np.testing.assert_array_equal(largest_boxes(boxes), boxes[[1, 3, 5, 4, 0]])
    np.testing.assert_array_equal(largest_boxes(boxes[:5]), boxes[:5])


def test_boxes_are_rounded_by_corner_and_size() -> None:
    found = rounded_boxes(np.array([[0.5, 1.5, 10.4, 11.6], [2.6, 2.4, 8.4, 8.6]]))
    np.testing.assert_array_equal(found, [[0, 2, 10, 12], [3, 2, 9, 8]])
    assert rounded_boxes(np.empty((0, 4))).shape == (0, 4)


def published(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as files of older versions of the library have it."""
    old = {}
    for key, tensor in state.items():
        if ".swin.layernorm." in key or "decoder.bbox_embed" in key or key.startswith("bbox_embed.1"):
            continue
        for new, name in (
            ("model.swin.", "model."),
            ("attention.q_proj.", "attention.self.query."),
            ("attention.k_proj.", "attention.self.key."),
            ("attention.v_proj.", "attention.self.value."),
            ("attention.relative_position_bias.", "attention.self."),
            ("attention.o_proj.", "attention.output.dense."),
            ("mlp.fc1.", "intermediate.dense."),
            ("mlp.fc2.", "output.dense."),
        ):
            key = key.replace(new, name) if "conv_encoder" in key else key
        old[key] = tensor
    old["model.backbone.conv_encoder.model.encoder.layers.0.blocks.0.attention.self.relative_position_index"] = (
        torch.zeros(16, 16, dtype=torch.int64)
    )
    return old


def test_files_of_older_versions_fill_the_same_network(state, network, picture) -> None:
    old = published(state)
    assert "model.backbone.conv_encoder.model.encoder.layers.0.blocks.0.attention.self.query.weight" in old
    assert len(old) < len(state)
    for mine, theirs in zip(network.outputs(picture), GroundingDino(old, tiny_config()).outputs(picture), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_key_map_is_strict(state) -> None:
    with pytest.raises(ConfigError, match=r"1 missing \(model\.level_embed\)"):
        GroundingDino({key: value for key, value in state.items() if key != "model.level_embed"}, tiny_config())
    with pytest.raises(ConfigError, match="1 unexpected"):
        GroundingDino({**state, "more": state["model.level_embed"]}, tiny_config())


def test_without_its_file_the_network_is_not_made() -> None:
    with pytest.raises(WeightsMissing, match="grounding-dino-base"):
        GroundingDino()


def test_all_layers_share_one_head(network) -> None:
    heads = [*network.module.bbox_embed, *network.module.model.decoder.bbox_embed]
    assert len(heads) == 4
    assert len({id(head) for head in heads}) == 1


def test_a_picture_of_another_shape_is_an_error() -> None:
    with pytest.raises(MetricError, match=r"expected uint8 \(H, W, 3\)"):
        detector_pixels(np.zeros((4, 4), np.uint8))
