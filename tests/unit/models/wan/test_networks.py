"""Building, filling and casting Wan's networks: real classes at tiny size."""

from pathlib import Path
from typing import Any

import pytest
from tiny_wan import IMAGE_DIM, TRANSFORMER, VAE, drawn, transformer_shapes, vae_shapes

from anisora.harness.errors import ConfigError, MissingExtra
from anisora.harness.networks import shapes_of
from anisora.models.conversion.layout import convert_state
from anisora.models.conversion.wan import WAN_TRANSFORMER
from anisora.models.wan.networks import (
    cast_network,
    empty_transformer,
    empty_vae,
    fill_network,
    image_dim_of,
    transformer_settings,
    vae_settings,
    wan_transformer,
    wan_vae,
)

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

SETTINGS = transformer_settings(TRANSFORMER, IMAGE_DIM)
IN_FLOAT32 = {"time_embedder", "scale_shift_table", "norm1", "norm2"}
"""The modules with numbers that bfloat16 is too coarse for."""


@pytest.fixture
def state() -> dict[str, Any]:
    return drawn(transformer_shapes())


def inputs(image_dim: int | None = IMAGE_DIM) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(5)
    found = {
        "hidden_states": torch.randn(1, 36, 2, 4, 6, generator=draw),
        "timestep": torch.tensor([721.0]),
        "encoder_hidden_states": torch.randn(1, 512, 12, generator=draw),
    }
    if image_dim is not None:
        found["encoder_hidden_states_image"] = torch.randn(1, 5, image_dim, generator=draw)
    return found


def output(network: Any, image_dim: int | None = IMAGE_DIM) -> Any:
    with torch.inference_mode():
        return network(**inputs(image_dim), return_dict=False)[0]


def test_a_published_configuration_becomes_the_arguments_of_the_class() -> None:
    config = {
        **{"_class_name": "WanModel", "_diffusers_version": "0.30.0", "dim": 5120, "eps": 1e-06, "ffn_dim": 13824},
        **{"freq_dim": 256, "in_dim": 36, "model_type": "i2v", "num_heads": 40, "num_layers": 40, "out_dim": 16},
        "text_len": 512,
    }
    without = {
        **{"patch_size": (1, 2, 2), "num_attention_heads": 40, "attention_head_dim": 128, "in_channels": 36},
        **{"out_channels": 16, "text_dim": 4096, "freq_dim": 256, "ffn_dim": 13824, "num_layers": 40},
        **{"cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "eps": 1e-6},
    }
    assert transformer_settings(config) == {**without, "image_dim": None, "added_kv_proj_dim": None}
    with_image = {**without, "image_dim": 1280, "added_kv_proj_dim": 5120}
    assert transformer_settings(config, 1280) == transformer_settings({**config, "clip_dim": 1280}) == with_image


def test_a_configuration_of_diffusers_is_passed_on() -> None:
    config = {"_class_name": "WanTransformer3DModel", "_diffusers_version": "0.38.0", **SETTINGS}
    assert transformer_settings(config) == SETTINGS
    assert shapes_of(empty_transformer(transformer_settings(config))) == shapes_of(empty_transformer(SETTINGS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "flf2v"}, "has `model_type` 'flf2v'; expected 'i2v'"),
        ({"qk_norm": False}, "has `qk_norm` False; expected True"),
        ({"window_size": [5, 5]}, r"has `window_size` \[5, 5\]; expected \(-1, -1\)"),
        ({"dim": None}, "has `dim` None; expected a positive whole number"),
        ({"num_layers": 0}, "has `num_layers` 0; expected a positive whole number"),
        ({"num_heads": 5}, "has `dim` 24 and `num_heads` 5; expected a multiple"),
        ({"text_len": 226}, "has `text_len` 226; expected 512 in a network with an image branch"),
    ],
)
def test_a_configuration_that_the_class_does_not_have_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        transformer_settings({**TRANSFORMER, **change}, IMAGE_DIM)


def test_only_a_network_without_an_image_branch_can_have_texts_of_another_length() -> None:
    assert transformer_settings({**TRANSFORMER, "text_len": 226})["image_dim"] is None


def test_attention_outside_the_middle_of_the_vae_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"has `attn_scales` \[0\.5\]; expected \[\]"):
        vae_settings({"attn_scales": [0.5]})


def test_the_image_branch_is_read_off_the_tensors() -> None:
    shapes = transformer_shapes()
    assert image_dim_of(shapes) == image_dim_of({f"model.diffusion_model.{key}": shapes[key] for key in shapes}) == 10
    assert image_dim_of(transformer_shapes(None)) is None


def test_an_empty_network_has_shapes_alone_and_real_rotary_tables() -> None:
    network = empty_transformer(SETTINGS)
    assert all(parameter.is_meta for parameter in network.parameters())
    ordinary = dict(diffusers.WanTransformer3DModel(**SETTINGS).named_buffers())
    buffers = dict(network.named_buffers())
    assert buffers.keys() == ordinary.keys() == {"rope.freqs_cos", "rope.freqs_sin"}
    assert all(torch.equal(buffers[name], ordinary[name]) for name in buffers)


def test_a_filled_network_computes_what_an_ordinary_one_does(state: dict[str, Any]) -> None:
    network = wan_transformer(SETTINGS, [state])
    ordinary = diffusers.WanTransformer3DModel(**SETTINGS).eval()
    ordinary.load_state_dict(convert_state(state, WAN_TRANSFORMER, shapes_of(network)))
    assert torch.equal(output(network), output(ordinary))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_state_of_diffusers_fills_it_too(state: dict[str, Any]) -> None:
    network = wan_transformer(SETTINGS, [state])
    again = wan_transformer(SETTINGS, [network.state_dict()])
    assert torch.equal(output(again), output(network))
    lacking = {key: tensor for key, tensor in network.state_dict().items() if key != "scale_shift_table"}
    with pytest.raises(ConfigError, match="lacks 'scale_shift_table'"):
        wan_transformer(SETTINGS, [lacking])
    with pytest.raises(ConfigError, match=r"would add 'rope\.freqs_cos'"):
        wan_transformer(SETTINGS, [{**network.state_dict(), "rope.freqs_cos": torch.zeros(1)}])


def test_shards_are_read_one_by_one_in_any_order(state: dict[str, Any]) -> None:
    keys = sorted(state, reverse=True)
    shards = [{key: state[key] for key in keys[start::3]} for start in range(3)]
    network = wan_transformer(SETTINGS, (shard for shard in shards))
    assert torch.equal(output(network), output(wan_transformer(SETTINGS, [state])))
    with pytest.raises(ConfigError, match=r"lacks .* and \d+ more"):
        wan_transformer(SETTINGS, shards[:2])
    with pytest.raises(ConfigError, match=r"two tensors for '.*'; expected one; leave out the shard"):
        wan_transformer(SETTINGS, [*shards, shards[0]])


def test_another_networks_file_is_refused_by_name(state: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"would add 'blocks\.0\.attn2\.add_k_proj\.bias'"):
        wan_transformer(transformer_settings(TRANSFORMER), [state])
    with pytest.raises(ConfigError, match=r"lacks 'blocks\.0\.attn2\.add_k_proj\.bias'"):
        wan_transformer(SETTINGS, [drawn(transformer_shapes(None))])
    with pytest.raises(ConfigError, match=r"the key 'conv1\.weight', which no file of layout 'wan-transformer' has"):
        wan_transformer(SETTINGS, [drawn(vae_shapes())])


def test_in_bfloat16_it_is_what_diffusers_loads(state: dict[str, Any], tmp_path: Path) -> None:
    wan_transformer(SETTINGS, [state]).save_pretrained(tmp_path)
    theirs = diffusers.WanTransformer3DModel.from_pretrained(tmp_path, torch_dtype=torch.bfloat16)
    loaded = wan_transformer(SETTINGS, [state], dtype="bfloat16")
    cast = cast_network(wan_transformer(SETTINGS, [state]), "bfloat16")
    wanted = {**dict(theirs.named_parameters()), **dict(theirs.named_buffers())}
    for network in (loaded, cast):
        found = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        assert found.keys() == wanted.keys()
        for key, tensor in found.items():
            assert tensor.dtype == wanted[key].dtype, key
            assert torch.equal(tensor, wanted[key]), key
    kept = {part for key, tensor in wanted.items() if tensor.dtype == torch.float32 for part in key.split(".")}
    assert kept >= IN_FLOAT32
    assert loaded.patch_embedding.weight.dtype == torch.bfloat16


def test_a_cast_network_comes_back_to_float32_with_its_tables(state: dict[str, Any]) -> None:
    network = cast_network(cast_network(wan_transformer(SETTINGS, [state]), "bfloat16"), "float32")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    original = wan_transformer(SETTINGS, [state])
    assert torch.equal(network.scale_shift_table, original.scale_shift_table)
    assert not torch.equal(network.proj_out.weight, original.proj_out.weight)


def test_whole_numbers_are_not_cast() -> None:
    module = torch.nn.BatchNorm1d(2)
    assert cast_network(module, "bfloat16").num_batches_tracked.dtype == torch.int64
    assert module.weight.dtype == torch.bfloat16


def test_numbers_that_no_file_holds_must_be_there(state: dict[str, Any]) -> None:
    network = empty_transformer(SETTINGS)
    network.rope.to("meta")
    with pytest.raises(ConfigError, match=r"`WanTransformer3DModel` has no numbers in 'rope\.freqs_cos'"):
        fill_network(network, [state], WAN_TRANSFORMER)


def test_a_vae_is_built_from_its_original_configuration_and_names() -> None:
    network = wan_vae(vae_settings(VAE), [drawn(vae_shapes())])
    assert (network.config.base_dim, network.config.z_dim, network.config.num_res_blocks) == (4, 16, 1)
    again = wan_vae(vae_settings(VAE), [network.state_dict()], dtype="bfloat16")
    assert {parameter.dtype for parameter in again.parameters()} == {torch.bfloat16}
    lacking = {key: tensor for key, tensor in network.state_dict().items() if key != "quant_conv.bias"}
    with pytest.raises(ConfigError, match=r"Checkpoint of layout 'wan-vae' lacks 'quant_conv\.bias'; expected"):
        wan_vae(vae_settings(VAE), [lacking])


def test_what_a_configuration_of_the_vae_lacks_is_that_of_wan_2_1() -> None:
    assert vae_settings({}) == {}
    assert empty_vae({}).config.base_dim == 96


def test_without_diffusers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(MissingExtra, match="Network `AutoencoderKLWan`"):
        empty_vae({})
