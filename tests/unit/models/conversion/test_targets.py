"""Published key lists of full size become plans of full-size networks, without a number."""

import json
from pathlib import Path
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError
from anisora.harness.networks import shapes_of
from anisora.models.conversion.source import Source, SourceTensor
from anisora.models.conversion.targets import TARGETS
from anisora.models.conversion.tensors import plan_tensors
from anisora.models.conversion.writer import plan_files

pytest.importorskip("torch")
pytest.importorskip("diffusers")

PUBLISHED = {
    "wan21_i2v_14b_dit": ("wan", {"num_attention_heads": 40, "image_dim": 1280, "num_layers": 40}),
    "wan22_i2v_a14b_expert_dit": ("wan", {"num_attention_heads": 40, "image_dim": None, "num_layers": 40}),
    "wan21_vae": ("wan-vae", {"base_dim": 96, "dim_mult": [1, 2, 4, 4], "temperal_downsample": [False, True, True]}),
    "sat_v1_5b_dit": ("sat", {"num_attention_heads": 48, "attention_head_dim": 64, "num_layers": 42}),
}


def published(tag: str) -> Source:
    content = json.loads((GOLDEN / "keys" / f"{tag}.json").read_text())
    file = Path("published")
    return Source(
        file, {key: SourceTensor(file, "F32", tuple(shape)) for key, shape in content["tensors"].items()}, (), {}
    )


def shapes(source: Source) -> dict[str, tuple[int, ...]]:
    return {key: tensor.shape for key, tensor in source.tensors.items()}


@needs_shared
@pytest.mark.parametrize("tag", PUBLISHED)
def test_every_published_key_has_its_place_and_the_sizes_are_those_of_the_release(tag: str) -> None:
    layout, expected = PUBLISHED[tag]
    source = published(tag)
    shares = {name: target.share_known(source.tensors) for name, target in TARGETS.items()}
    assert shares == {name: float(name == layout) for name in TARGETS}
    network = TARGETS[layout].network(shapes(source))
    assert {name: network.config[name] for name in expected} == expected
    plan = plan_tensors(source, TARGETS[layout].layout, shapes_of(network), dtype="bfloat16")
    files = plan_files(plan, max_bytes=5 * 10**9)
    assert sum(len(file.tensors) for file in files) == len(network.state_dict())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert sum(file.bytes for file in files) == pytest.approx(2 * parameters, rel=0.01)


WAN: dict[str, Any] = {
    "patch_embedding.weight": (256, 36, 1, 2, 2),
    "head.head.weight": (64, 256),
    "blocks.0.ffn.0.weight": (512, 256),
    "time_embedding.0.weight": (256, 32),
    "text_embedding.0.weight": (256, 48),
}


def test_without_a_configuration_heads_are_as_wide_as_in_every_published_network() -> None:
    network = TARGETS["wan"].network(WAN)
    assert (network.config.num_attention_heads, network.config.attention_head_dim) == (2, 128)
    network = TARGETS["wan"].network(WAN, {"num_heads": 4, "ffn_dim": 512, "freq_dim": 32})
    assert (network.config.num_attention_heads, network.config.attention_head_dim) == (4, 64)


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        ({"head.head.weight": None}, None, "no such tensor for 'head.head.weight'"),
        ({"head.head.weight": ()}, None, r"the shape \(\) for 'head.head.weight'"),
        ({"patch_embedding.weight": (250, 36, 1, 2, 2)}, None, "has a width of 250; without its config.json"),
        ({}, {"num_heads": 2, "in_dim": 16}, "has `in_dim` 16, and the tensors have 36"),
        ({}, {}, "has `num_heads` None"),
        ({}, {"num_heads": 2, "model_type": "t2v"}, "has `model_type` 't2v'"),
    ],
)
def test_sizes_that_cannot_be_told_are_refused_by_name(
    change: dict[str, Any], config: dict[str, Any] | None, message: str
) -> None:
    changed = {key: shape for key, shape in (WAN | change).items() if shape is not None}
    with pytest.raises(ConfigError, match=message):
        TARGETS["wan"].network(changed, config)
