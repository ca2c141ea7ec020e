"""SAT's key maps: the transformer's against the reference's own list, the VAE's against its rules turned around."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared
from tiny_cogvideox import AUTOENCODER, SIZES, seeded_state

from anisora.harness.errors import ConfigError
from anisora.harness.networks import shapes_of
from anisora.models.conversion.layout import convert_state
from anisora.models.conversion.sat import SAT_TRANSFORMER, SAT_VAE

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from anisora.models.cogvideox.autoencoder import build_autoencoder  # noqa: E402
from anisora.models.cogvideox.networks import TransformerSizes, build_transformer  # noqa: E402

PREFIX = "model.diffusion_model."
POSITIONS = f"{PREFIX}mixins.pos_embed.pos_embedding"
QKV = f"{PREFIX}transformer.layers.1.attention.query_key_value.weight"
MODULATION = f"{PREFIX}mixins.adaln_layer.adaLN_modulations.0.1.bias"


def tiny_sat() -> dict[str, Any]:
    """A checkpoint of SIZES, written down from the reference's module, with what the network does without."""
    width, inner, time = SIZES.hidden_size, 4 * SIZES.hidden_size, SIZES.time_embed_dim
    head, patch = SIZES.head_dim, SIZES.patch_size
    layers = {
        "time_embed.0": (time, width),
        "time_embed.2": (time, time),
        "mixins.patch_embed.proj": (width, SIZES.in_channels, patch, patch),
        "mixins.patch_embed.text_proj": (width, SIZES.text_dim),
        "transformer.final_layernorm": (width,),
        "mixins.final_layer.norm_final": (width,),
        "mixins.final_layer.adaLN_modulation.1": (2 * width, time),
        "mixins.final_layer.linear": (patch * patch * SIZES.out_channels, width),
    }
    for index in range(SIZES.num_layers):
        block = f"transformer.layers.{index}"
        layers |= {
            f"{block}.input_layernorm": (width,),
            f"{block}.attention.query_key_value": (3 * width, width),
            f"{block}.attention.dense": (width, width),
            f"{block}.post_attention_layernorm": (width,),
            f"{block}.mlp.dense_h_to_4h": (inner, width),
            f"{block}.mlp.dense_4h_to_h": (width, inner),
            f"mixins.adaln_layer.query_layernorm_list.{index}": (head,),
            f"mixins.adaln_layer.key_layernorm_list.{index}": (head,),
            f"mixins.adaln_layer.adaLN_modulations.{index}.1": (12 * width, time),
        }
    shapes = {f"{layer}.weight": shape for layer, shape in layers.items()}
    shapes |= {f"{layer}.bias": shape[:1] for layer, shape in layers.items()}
    draw = torch.Generator().manual_seed(0)
    return {**{PREFIX + key: torch.randn(shape, generator=draw) for key, shape in shapes.items()}, **unread()}


def unread() -> dict[str, Any]:
    """What a checkpoint has and the network does without."""
    return {
        f"{PREFIX}mixins.pos_embed.freqs_sin": torch.ones(8, SIZES.head_dim),
        f"{PREFIX}mixins.pos_embed.freqs_cos": torch.ones(8, SIZES.head_dim),
        f"{PREFIX}transformer.position_embeddings.weight": torch.ones(4, SIZES.hidden_size),
        f"{PREFIX}transformer.word_embeddings.weight": torch.ones(4, SIZES.hidden_size),
        POSITIONS: torch.zeros(1, 13, SIZES.hidden_size),
        "first_stage_model.decoder.conv_in.conv.bias": torch.ones(4),
        "conditioner.embedders.0.transformer.shared.weight": torch.ones(4, 4),
    }


def converted(state: dict[str, Any]) -> dict[str, Any]:
    return convert_state(state, SAT_TRANSFORMER, shapes_of(build_transformer(SIZES.arguments())))


def test_a_checkpoint_becomes_the_network_with_every_number_in_its_place() -> None:
    state = tiny_sat()
    found = converted(state)
    query, key, value = state[QKV].split(SIZES.hidden_size)
    for name, expected in (("to_q", query), ("to_k", key), ("to_v", value)):
        assert torch.equal(found[f"transformer_blocks.1.attn1.{name}.weight"], expected)
    parts = state[MODULATION].split(SIZES.hidden_size)
    for name, order in (("norm1", (0, 1, 2, 6, 7, 8)), ("norm2", (3, 4, 5, 9, 10, 11))):
        assert torch.equal(
            found[f"transformer_blocks.0.{name}.linear.bias"], torch.cat([parts[part] for part in order])
        )
    for theirs, ours in (
        ("transformer.layers.0.mlp.dense_4h_to_h.weight", "transformer_blocks.0.ff.net.2.weight"),
        ("mixins.adaln_layer.key_layernorm_list.1.weight", "transformer_blocks.1.attn1.norm_k.weight"),
        ("mixins.final_layer.norm_final.bias", "norm_out.norm.bias"),
        ("transformer.final_layernorm.bias", "norm_final.bias"),
    ):
        assert torch.equal(found[ours], state[PREFIX + theirs])
    numbers = sum(tensor.numel() for tensor in found.values())
    assert numbers == sum(tensor.numel() for key, tensor in state.items() if key not in unread())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop(QKV),
            r"lacks 'transformer_blocks.1.attn1.to_k.weight', .*to_q.weight', .*to_v.weight'; expected",
        ),
        (
            lambda state: state.update({f"{PREFIX}mixins.lora.0.weight": torch.ones(1)}),
            f"has the key '{PREFIX}mixins.lora.0.weight', which no file of layout 'sat-transformer' has",
        ),
        (
            lambda state: state.update({f"{PREFIX}time_embed.0.scale": torch.ones(1)}),
            f"has the key '{PREFIX}time_embed.0.scale'",
        ),
        (lambda state: state.update({"transformer.final_layernorm.bias": torch.ones(1)}), "has the key 'transformer"),
        (
            lambda state: state.update({QKV.replace(".1.", ".2."): torch.ones(96, 32)}),
            "would add 'transformer_blocks.2.attn1.to_k.weight'",
        ),
        (
            lambda state: state.update({QKV: torch.ones(96, 31)}),
            r"has other shapes for 'transformer_blocks.1.attn1.to_k.weight' \(\(32, 31\), expected \(32, 32\)\)",
        ),
        (
            lambda state: state.update({QKV: torch.ones(95, 32)}),
            rf"has '{QKV}' of shape \(95, 32\); expected rows in 3 equal parts",
        ),
        (
            lambda state: state[POSITIONS].index_fill_(1, torch.tensor(7), 1e-8),
            f"has numbers other than 0 in '{POSITIONS}'",
        ),
        (lambda state: state[POSITIONS].fill_(torch.nan), f"has numbers other than 0 in '{POSITIONS}'"),
    ],
)
def test_wrong_checkpoints_are_refused_by_name(change: Any, message: str) -> None:
    state = tiny_sat()
    change(state)
    with pytest.raises(ConfigError, match=message):
        converted(state)


def test_other_networks_in_the_file_are_left_out_and_only_those() -> None:
    state = tiny_sat()
    state["ema.decay"] = torch.ones(1)
    with pytest.raises(ConfigError, match=r"has the key 'ema\.decay'"):
        converted(state)
    other = replace(SAT_TRANSFORMER, beside=("ema.", *SAT_TRANSFORMER.beside))
    shapes = shapes_of(build_transformer(SIZES.arguments()))
    assert convert_state(state, other, shapes).keys() == shapes.keys()


@needs_shared
def test_the_full_size_network_has_the_keys_and_shapes_of_the_reference() -> None:
    listed = json.loads((GOLDEN / "keys" / "sat_v1_5b_dit.json").read_text())
    assert (listed["prefix"], listed["wrapper"]) == (PREFIX, SAT_TRANSFORMER.inside)
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in listed["tensors"].items()}
    wanted = shapes_of(build_transformer(TransformerSizes().arguments()))
    found = convert_state(state, SAT_TRANSFORMER, wanted)  # refuses missing, superfluous and misshapen tensors
    assert {key: tuple(tensor.shape) for key, tensor in found.items()} == wanted
    for key in listed["tensors"]:
        left_out = key in (*listed["recomputable_buffers"], *listed["unused_by_network"])
        assert (SAT_TRANSFORMER.pieces(key.removeprefix(PREFIX)) == ()) is left_out, key
    for key in listed["optional_tensors"]:
        assert SAT_TRANSFORMER.must_be_zero(key.removeprefix(PREFIX)), key


def sat_vae_key(key: str) -> str:
    """The published converter's rules, from diffusers' names back to SAT's."""
    key = re.sub(r"decoder\.up_blocks\.(\d)", lambda found: f"decoder.up.{3 - int(found[1])}", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", key)
    for theirs, ours in (
        ("block.", "resnets."),
        ("down.", "down_blocks."),
        ("downsample.", "downsamplers.0."),
        ("upsample.", "upsamplers.0."),
        ("nin_shortcut", "conv_shortcut"),
    ):
        key = key.replace(ours, theirs)
    return key


@pytest.mark.parametrize("arguments", [None, AUTOENCODER])
def test_the_vae_map_is_one_to_one_onto_the_names_of_diffusers(arguments: dict[str, Any] | None) -> None:
    wanted = shapes_of(build_autoencoder(arguments))
    theirs = {sat_vae_key(key): shape for key, shape in wanted.items()}
    assert len(theirs) == len(wanted)
    assert not theirs.keys() & {key for key in wanted if "block" in key or "sample" in key}
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in theirs.items()}
        state["loss.discriminator.0.weight"] = torch.empty(3)
    found = convert_state(state, SAT_VAE, wanted)
    assert found.keys() == wanted.keys()
    for key, tensor in state.items():
        if not key.startswith("loss."):
            (piece,) = SAT_VAE.pieces(key) or ()
            assert sat_vae_key(piece.key) == key
            assert found[piece.key] is tensor


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("decoder.up.3.block.0.norm1.conv_y.conv.weight", "decoder.up_blocks.0.resnets.0.norm1.conv_y.conv.weight"),
        ("decoder.up.0.block.1.conv1.conv.bias", "decoder.up_blocks.3.resnets.1.conv1.conv.bias"),
        ("decoder.up.2.upsample.conv.bias", "decoder.up_blocks.1.upsamplers.0.conv.bias"),
        ("encoder.down.1.block.0.nin_shortcut.bias", "encoder.down_blocks.1.resnets.0.conv_shortcut.bias"),
        ("encoder.down.2.downsample.conv.bias", "encoder.down_blocks.2.downsamplers.0.conv.bias"),
        ("decoder.mid.block_2.norm2.norm_layer.bias", "decoder.mid_block.resnets.1.norm2.norm_layer.bias"),
        ("encoder.conv_out.conv.bias", "encoder.conv_out.conv.bias"),
    ],
)
def test_names_of_the_vae(theirs: str, ours: str) -> None:
    (piece,) = SAT_VAE.pieces(theirs) or ()
    assert (piece.key, piece.parts, piece.shape) == (ours, 1, None)


@pytest.mark.parametrize(
    "key",
    [
        "encoder.up.0.block.0.conv1.conv.bias",
        "decoder.down.0.block.0.conv1.conv.bias",
        "encoder.down.0.upsample.conv.bias",
        "decoder.up.4.block.0.conv1.conv.bias",
        "encoder.down.0.attn.0.q.weight",
        "encoder.mid.attn_1.q.weight",
        "quant_conv.weight",
        "encoder",
    ],
)
def test_names_that_no_such_vae_has_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"has the key '{key}', which no file of layout 'sat-vae' has"):
        convert_state({key: torch.ones(1)}, SAT_VAE, {})


def test_numbers_of_the_vae_stay_what_they_are() -> None:
    network = build_autoencoder(AUTOENCODER)
    state = seeded_state(network)
    found = convert_state({sat_vae_key(key): tensor for key, tensor in state.items()}, SAT_VAE, shapes_of(network))
    assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
