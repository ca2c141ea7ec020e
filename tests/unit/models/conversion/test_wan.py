"""Key maps of Wan: every tensor of the published files, and what is refused by name."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared
from tiny_wan import TRANSFORMER, VAE, drawn, transformer_shapes, vae_shapes

from anisora.harness.errors import ConfigError
from anisora.harness.networks import parameters_of, shapes_of
from anisora.models.conversion.layout import CheckpointLayout, convert_state
from anisora.models.conversion.wan import WAN_TRANSFORMER, WAN_VAE, wan_vae_layout
from anisora.models.wan.networks import (
    empty_transformer,
    empty_vae,
    image_dim_of,
    transformer_settings,
    vae_settings,
)

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

PREFIX = "model.diffusion_model."


def published(tag: str) -> Any:
    return json.loads((GOLDEN / "keys" / f"{tag}.json").read_text(encoding="utf-8"))


def on_meta(shapes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def targets(keys: Any, layout: CheckpointLayout) -> list[str]:
    """Return the target of each key, each of which must have one."""
    found = []
    for key in keys:
        (piece,) = layout.pieces(key) or ()
        assert (piece.parts, piece.taken, piece.shape) == (1, (0,), None)
        found.append(piece.key)
    return found


@needs_shared
@pytest.mark.parametrize(("tag", "image_dim"), [("wan21_i2v_14b_dit", 1280), ("wan22_i2v_a14b_expert_dit", None)])
def test_every_published_key_of_a_transformer_has_its_place_and_no_place_is_left(
    tag: str, image_dim: int | None
) -> None:
    file = published(tag)
    assert image_dim_of(file["tensors"]) == image_dim
    network = empty_transformer(transformer_settings(file["config"], image_dim))
    converted = convert_state(on_meta(file["tensors"]), WAN_TRANSFORMER, shapes_of(network))
    assert {key: tuple(tensor.shape) for key, tensor in converted.items()} == shapes_of(network)
    assert parameters_of(network) == file["parameter_count"]
    renamed = targets(file["tensors"], WAN_TRANSFORMER)
    assert len(set(renamed)) == len(renamed) == file["tensor_count"]


@needs_shared
def test_every_published_key_of_the_vae_has_its_place_and_no_place_is_left() -> None:
    file = published("wan21_vae")
    network = empty_vae(vae_settings(file["config"]))
    converted = convert_state(on_meta(file["tensors"]), WAN_VAE, shapes_of(network))
    assert {key: tuple(tensor.shape) for key, tensor in converted.items()} == shapes_of(network)
    assert shapes_of(network) == shapes_of(empty_vae({}))
    assert parameters_of(network) == file["parameter_count"]
    renamed = targets(file["tensors"], WAN_VAE)
    assert len(set(renamed)) == len(renamed) == file["tensor_count"]


def test_tiny_networks_have_the_places_of_their_original_keys() -> None:
    for image_dim in (10, None):
        network = empty_transformer(transformer_settings(TRANSFORMER, image_dim))
        state = on_meta(transformer_shapes(image_dim))
        assert convert_state(state, WAN_TRANSFORMER, shapes_of(network)).keys() == shapes_of(network).keys()
    vae = empty_vae(vae_settings(VAE))
    assert convert_state(on_meta(vae_shapes()), wan_vae_layout(1), shapes_of(vae)).keys() == shapes_of(vae).keys()


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("blocks.39.self_attn.q.weight", "blocks.39.attn1.to_q.weight"),
        ("blocks.0.cross_attn.o.bias", "blocks.0.attn2.to_out.0.bias"),
        ("blocks.0.cross_attn.norm_k_img.weight", "blocks.0.attn2.norm_added_k.weight"),
        ("blocks.7.norm3.bias", "blocks.7.norm2.bias"),
        ("blocks.7.modulation", "blocks.7.scale_shift_table"),
        ("head.modulation", "scale_shift_table"),
        ("head.head.weight", "proj_out.weight"),
    ],
)
def test_layers_whose_names_are_easily_taken_for_others(key: str, target: str) -> None:
    assert targets([key], WAN_TRANSFORMER) == [target]


@pytest.mark.parametrize(
    ("key", "blocks", "target"),
    [
        ("decoder.upsamples.3.time_conv.weight", 2, "decoder.up_blocks.0.upsamplers.0.time_conv.weight"),
        ("decoder.upsamples.4.shortcut.weight", 2, "decoder.up_blocks.1.resnets.0.conv_shortcut.weight"),
        ("decoder.upsamples.14.residual.6.bias", 2, "decoder.up_blocks.3.resnets.2.conv2.bias"),
        ("decoder.upsamples.4.residual.3.gamma", 3, "decoder.up_blocks.0.upsamplers.0"),
        ("decoder.upsamples.5.residual.3.gamma", 3, "decoder.up_blocks.1.resnets.0.norm2.gamma"),
        ("encoder.downsamples.10.residual.2.weight", 2, "encoder.down_blocks.10.conv1.weight"),
        ("encoder.middle.2.residual.0.gamma", 2, "encoder.mid_block.resnets.1.norm1.gamma"),
    ],
)
def test_levels_of_the_vae_are_counted_by_its_residual_blocks(key: str, blocks: int, target: str) -> None:
    pieces = wan_vae_layout(blocks).pieces(key)
    if target.endswith("upsamplers.0"):
        assert pieces is None  # what enlarges has no residual part
    else:
        assert pieces is not None
        assert [piece.key for piece in pieces] == [target]


@pytest.mark.parametrize(
    "key",
    [
        "blocks.0.self_attn.q",
        "blocks.0.self_attn.q.scale",
        "blocks.x.self_attn.q.weight",
        "blocks.0.head.modulation",
        "blocks.0.cross_attn.norm_q_img.weight",
        "img_emb.emb_pos",
        "freqs",
        "modulation",
    ],
)
def test_a_key_that_no_transformer_has_is_refused_by_name(key: str) -> None:
    state = {**drawn(transformer_shapes()), key: torch.zeros(1)}
    wanted = shapes_of(empty_transformer(transformer_settings(TRANSFORMER, 10)))
    with pytest.raises(ConfigError, match="which no file of layout 'wan-transformer' has") as error:
        convert_state(state, WAN_TRANSFORMER, wanted)
    assert repr(key) in str(error.value)


@pytest.mark.parametrize(
    "key",
    [
        "encoder.upsamples.0.residual.2.weight",
        "decoder.downsamples.0.residual.2.weight",
        "encoder.middle.3.residual.2.weight",
        "encoder.middle.1.residual.2.weight",
        "decoder.upsamples.0.resample.1.weight",
        "encoder.downsamples.0.residual.1.weight",
        "loss.logvar",
        "decoder.conv2.weight",
    ],
)
def test_a_key_that_no_vae_has_is_refused_by_name(key: str) -> None:
    assert wan_vae_layout(1).pieces(key) is None


def test_a_missing_tensor_a_superfluous_one_and_another_shape_are_named() -> None:
    wanted = shapes_of(empty_transformer(transformer_settings(TRANSFORMER, 10)))
    state = drawn(transformer_shapes())
    lacking = {key: tensor for key, tensor in state.items() if key != "blocks.1.cross_attn.k_img.bias"}
    with pytest.raises(ConfigError, match=r"lacks 'blocks\.1\.attn2\.add_k_proj\.bias'; expected exactly"):
        convert_state(lacking, WAN_TRANSFORMER, wanted)
    more = {**state, "blocks.2.norm3.bias": torch.zeros(24)}
    with pytest.raises(ConfigError, match=r"would add 'blocks\.2\.norm2\.bias'"):
        convert_state(more, WAN_TRANSFORMER, wanted)
    other = {**state, "head.head.bias": torch.zeros(63)}
    with pytest.raises(ConfigError, match=r"has other shapes for 'proj_out\.bias' \(\(63,\), expected \(64,\)\)"):
        convert_state(other, WAN_TRANSFORMER, wanted)


def test_files_with_and_without_the_prefix_of_comfyui_are_the_same() -> None:
    wanted = shapes_of(empty_transformer(transformer_settings(TRANSFORMER, 10)))
    state = drawn(transformer_shapes())
    plain = convert_state(state, WAN_TRANSFORMER, wanted)
    prefixed = convert_state({PREFIX + key: tensor for key, tensor in state.items()}, WAN_TRANSFORMER, wanted)
    assert plain.keys() == prefixed.keys()
    assert all(plain[key] is prefixed[key] for key in plain)
    with pytest.raises(ConfigError, match=r"has two tensors for 'proj_out\.bias', one is 'model\.diffusion_model\."):
        convert_state({**state, f"{PREFIX}head.head.bias": torch.zeros(64)}, WAN_TRANSFORMER, wanted)


def test_a_prefix_that_a_layout_must_have_is_asked_for() -> None:
    layout = CheckpointLayout(name="inside", pieces=WAN_TRANSFORMER.pieces, prefix="net.")
    assert layout.bare_key("net.head.head.bias") == "head.head.bias"
    assert layout.bare_key("head.head.bias") is None
    with pytest.raises(ConfigError, match=r"the key 'head\.head\.bias', which no file of layout 'inside' has"):
        convert_state({"head.head.bias": torch.zeros(1)}, layout, {})
