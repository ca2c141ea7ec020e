from typing import Any

import pytest
from tiny_cogvideox import AUTOENCODER, SIZES, seeded_state

from anisora.harness.errors import ConfigError
from anisora.harness.networks import shapes_of

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from anisora.models.cogvideox.autoencoder import build_autoencoder  # noqa: E402
from anisora.models.cogvideox.networks import (  # noqa: E402
    NormEpsilons,
    TransformerSizes,
    build_transformer,
    fill_network,
    set_epsilons,
)

STOCK = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "in_channels": 32,
    "out_channels": 16,
    "num_layers": 1,
    "time_embed_dim": 8,
    "text_embed_dim": 12,
    "sample_width": 6,
    "sample_height": 4,
    "sample_frames": 9,
    "max_text_seq_length": 5,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
}
"""As the folder of CogVideoX-5b-I2V has it, but for the sizes."""


def epsilons_of(network: Any) -> dict[str, float]:
    return {name: module.eps for name, module in network.named_modules() if isinstance(module, torch.nn.LayerNorm)}


def test_the_defaults_are_the_released_network() -> None:
    network = build_transformer(TransformerSizes().arguments(), NormEpsilons())
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_570_479_680
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    assert list(network.buffers()) == []
    config = network.config
    assert (config.num_layers, config.num_attention_heads, config.attention_head_dim) == (42, 48, 64)


def test_heads_that_do_not_make_up_the_width_are_refused() -> None:
    sizes = TransformerSizes(hidden_size=64, num_heads=3, head_dim=16)
    with pytest.raises(ConfigError, match="`hidden_size` got 64 for 3 heads of 16; expected 48, their product"):
        sizes.arguments()


def test_epsilons_are_those_of_sat_layer_by_layer() -> None:
    found = epsilons_of(build_transformer(SIZES.arguments(), NormEpsilons()))
    assert len(found) == 4 * SIZES.num_layers + 2
    small = {name for name, epsilon in found.items() if epsilon == 1e-6}
    assert small == {name for name in found if ".norm_q" in name or ".norm_k" in name or name.startswith("norm_out")}
    assert {found[name] for name in found.keys() - small} == {1e-5}


def test_each_epsilon_is_that_of_its_layer() -> None:
    network = build_transformer(SIZES.arguments())
    each = NormEpsilons(
        input_layernorm=0.1,
        post_attention_layernorm=0.2,
        final_layernorm=0.3,
        query_key_layernorm=0.4,
        final_layer_norm_final=0.5,
    )
    set_epsilons(network, each)
    found = epsilons_of(network)
    for index in range(SIZES.num_layers):
        block = f"transformer_blocks.{index}"
        assert (found.pop(f"{block}.norm1.norm"), found.pop(f"{block}.norm2.norm")) == (0.1, 0.2)
        assert (found.pop(f"{block}.attn1.norm_q"), found.pop(f"{block}.attn1.norm_k")) == (0.4, 0.4)
    assert found == {"norm_final": 0.3, "norm_out.norm": 0.5}


def test_a_stock_network_keeps_the_epsilons_of_diffusers_and_its_learned_positions() -> None:
    network = build_transformer({**STOCK, "norm_eps": 1e-4})
    assert {epsilon for name, epsilon in epsilons_of(network).items() if "attn1" not in name} == {1e-4}
    assert shapes_of(network)["patch_embed.pos_embedding"] == (1, 5 + 3 * 2 * 3, 32)
    filled = fill_network(network, "stock", state=seeded_state(network))
    assert not any(tensor.is_meta for tensor in (*filled.parameters(), *filled.buffers()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size_t": 2}, "`patch_size_t` got 2; expected none, as CogVideoX 1.0 has it"),
        ({"ofs_embed_dim": 512}, "`ofs_embed_dim` got 512; expected none"),
        (
            {"use_rotary_positional_embeddings": False, "use_learned_positional_embeddings": False},
            "`use_rotary_positional_embeddings` got False; expected True",
        ),
    ],
)
def test_networks_of_other_generations_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_transformer({**STOCK, **arguments})


def test_a_filled_network_has_its_numbers_in_the_format_asked_for() -> None:
    network = build_transformer(SIZES.arguments(), NormEpsilons())
    state = seeded_state(network)
    filled = fill_network(network, "tiny", state=state, dtype="bfloat16")
    assert not any(tensor.is_meta for tensor in (*filled.parameters(), *filled.buffers()))
    assert all(torch.equal(tensor, state[key].bfloat16()) for key, tensor in filled.state_dict().items())
    assert not filled.training
    assert epsilons_of(filled)["norm_final"] == 1e-5


def test_untrained_numbers_fill_a_network_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "3")
    filled = fill_network(build_autoencoder(AUTOENCODER), "dino-vitb16")  # any entry: its name alone is used
    assert all(bool(tensor.isfinite().all()) for tensor in filled.state_dict().values())


def test_missing_and_superfluous_tensors_are_refused() -> None:
    network = build_transformer(SIZES.arguments())
    state = seeded_state(network)
    state["norm_finale.bias"] = state.pop("norm_final.bias")
    with pytest.raises(ConfigError, match=r"1 missing \(norm_final.bias\); 1 unexpected \(norm_finale.bias\)"):
        fill_network(network, "tiny", state=state)


def test_tables_that_are_in_no_file_do_not_stay_without_numbers() -> None:
    from diffusers import CogVideoXTransformer3DModel

    with torch.device("meta"):  # as CogVideoX-2b has it: sines of positions, made where the network is built
        network = CogVideoXTransformer3DModel(
            **{**STOCK, "use_rotary_positional_embeddings": False, "use_learned_positional_embeddings": False}
        )
    assert "patch_embed.pos_embedding" not in network.state_dict()
    with pytest.raises(ConfigError, match=r"of `tiny` computes patch_embed.pos_embedding where it is built, and was"):
        fill_network(network, "tiny", state=seeded_state(network))
