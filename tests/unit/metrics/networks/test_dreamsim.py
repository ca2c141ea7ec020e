"""DreamSim at tiny size, against open_clip's own tower and the adapter as a layer of its own."""

import json
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError
from anisora.harness.networks import shapes_of
from anisora.harness.transforms import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD
from anisora.harness.weights import Tensors
from anisora.metrics.golden.i2v_background import TAGS, dreamsim_state
from anisora.metrics.networks.dreamsim import PUBLISHED, TOWERS, Architecture, DreamSim, adapter_shapes

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

TINY = Architecture(width=24, layers=2, heads=2, projected=10, rank=3)
SCALE = 0.5 / TINY.rank


def make_states(*, adapted: bool = True) -> dict[str, Tensors]:
    states = {part: dreamsim_state(part, 0, TINY) for part in TAGS}
    if not adapted:
        states["adapter"] = {key: torch.zeros_like(tensor) for key, tensor in states["adapter"].items()}
    return states


@pytest.fixture(scope="module")
def pixels() -> Any:
    return torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def normalised(pixels: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    return (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def centred(features: Any) -> Any:
    features = features - features.mean(dim=1, keepdim=True)
    return features / features.norm(dim=1, keepdim=True)


def published(tag: str) -> dict[str, tuple[int, ...]]:
    tensors = json.loads((GOLDEN / "keys" / f"{tag}.json").read_text())["tensors"]
    return {key: tuple(shape) for key, shape in tensors.items()}


@needs_shared
@pytest.mark.parametrize("name", TOWERS)
def test_keys_and_shapes_of_the_towers_are_those_of_the_published_files(name: str) -> None:
    assert shapes_of(DreamSim.empty_tower(name)) == published(TAGS[name])


@needs_shared
def test_keys_and_shapes_of_the_adapter_are_those_of_the_published_file() -> None:
    assert adapter_shapes() == published(TAGS["adapter"])


def test_the_published_embedding_has_1792_numbers() -> None:
    assert PUBLISHED.dimensions == 1792


@pytest.mark.parametrize("name", ["clip", "open_clip"])
def test_the_towers_of_clip_are_those_of_open_clip(name: str, pixels: Any) -> None:
    transformer = pytest.importorskip("open_clip.transformer")
    states = make_states(adapted=False)
    states[name]["patch_embed.proj.bias"] = torch.zeros(TINY.width)  # which CLIP does not have
    theirs = transformer.VisionTransformer(
        image_size=224,
        patch_size=16,
        width=TINY.width,
        layers=TINY.layers,
        heads=TINY.heads,
        mlp_ratio=4,
        output_dim=TINY.projected,
        act_layer=transformer.QuickGELU if name == "clip" else torch.nn.GELU,
    ).eval()
    theirs.load_state_dict(as_open_clip(states[name]))
    with torch.inference_mode():
        expected = theirs(normalised(pixels, CLIP_MEAN, CLIP_STD))
    found = DreamSim(states, architecture=TINY)._features(name, pixels)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    other = "open_clip" if name == "clip" else "clip"  # the other's GELU
    wrong = DreamSim({**states, other: states[name]}, architecture=TINY)._features(other, pixels)
    assert (wrong - expected).abs().max() > 1e-4


def as_open_clip(state: Tensors) -> Tensors:
    names = (
        ("patch_embed.proj.weight", "conv1.weight"),
        ("pos_drop", "ln_pre"),
        ("norm1", "ln_1"),
        ("norm2", "ln_2"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"),
        ("blocks.", "transformer.resblocks."),
    )
    whole = {"cls_token": "class_embedding", "pos_embed": "positional_embedding"}
    renamed: Tensors = {}
    for key, tensor in state.items():
        if key == "patch_embed.proj.bias":
            continue
        if key in whole:
            renamed[whole[key]] = tensor.squeeze()
            continue
        theirs = key.replace("norm.", "ln_post.") if key.startswith("norm.") else key
        for ours, other in names:
            theirs = theirs.replace(ours, other)
        renamed[theirs] = tensor
    return renamed


def test_the_adapter_is_added_to_what_the_attention_takes_in(pixels: Any) -> None:
    """Merged into the weights, it gives what it gives beside them, as peft computes it."""
    states = make_states()
    merged, beside = DreamSim(states, architecture=TINY), DreamSim(make_states(adapted=False), architecture=TINY)
    plain = beside(pixels)
    for place, name in enumerate(TOWERS):
        for layer, block in enumerate(beside.towers[name].blocks):
            prefix = f"base_model.model.extractor_list.{place}.model.blocks.{layer}.attn.qkv"
            down, up = (states["adapter"][f"{prefix}.lora_{side}.weight"] for side in "AB")
            block.attn.qkv.register_forward_hook(
                lambda _, given, made, down=down, up=up: made + SCALE * (given[0] @ down.T) @ up.T
            )
    torch.testing.assert_close(merged(pixels), beside(pixels), rtol=0, atol=1e-5)
    assert (merged(pixels) - plain).abs().max() > 1e-3


def test_the_states_that_are_given_stay_as_they_are(pixels: Any) -> None:
    states = make_states()
    before = {part: {key: tensor.clone() for key, tensor in state.items()} for part, state in states.items()}
    first, second = DreamSim(states, architecture=TINY)(pixels), DreamSim(states, architecture=TINY)(pixels)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    for part, state in states.items():
        torch.testing.assert_close(state, before[part], rtol=0, atol=0)


def test_dinos_class_token_is_taken_before_the_last_norm(pixels: Any) -> None:
    network = DreamSim(make_states(), architecture=TINY)
    tower = network.towers["dino"]
    with torch.inference_mode():
        final = tower(normalised(pixels, IMAGENET_MEAN, IMAGENET_STD))
    found = network._features("dino", pixels)
    torch.testing.assert_close(tower.norm(found), final, rtol=0, atol=1e-5)
    assert (found - final).abs().max() > 1e-2


def test_epsilons_and_activations_are_those_of_each_tower() -> None:
    epsilons, activations = {}, {}
    for name in TOWERS:
        parts = list(DreamSim.empty_tower(name, TINY).modules())
        epsilons[name] = {part.eps for part in parts if isinstance(part, torch.nn.LayerNorm)}
        activations[name] = {type(part).__name__ for part in parts if "GELU" in type(part).__name__}
    assert epsilons == {"dino": {1e-6}, "clip": {1e-5}, "open_clip": {1e-5}}
    assert activations == {"dino": {"GELU"}, "clip": {"QuickGELU"}, "open_clip": {"GELU"}}


def test_the_embedding_joins_dino_clip_and_open_clip_and_has_mean_0_and_length_1(pixels: Any) -> None:
    network = DreamSim(make_states(), architecture=TINY)
    found = network(pixels)
    assert found.shape == (2, TINY.dimensions)
    assert TINY.dimensions == 24 + 10 + 10
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(2), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2), rtol=0, atol=1e-6)
    joined = torch.cat([network._features(name, pixels) for name in ("dino", "clip", "open_clip")], dim=1)
    torch.testing.assert_close(found, centred(joined), rtol=0, atol=1e-6)
    assert (found - joined / joined.norm(dim=1, keepdim=True)).abs().max() > 1e-3


def test_an_adapter_of_another_network_is_refused() -> None:
    states = make_states()
    states["adapter"] = {key.replace("qkv", "query"): tensor for key, tensor in states["adapter"].items()}
    with pytest.raises(ConfigError, match="Weights `adapter` do not fit the network"):
        DreamSim(states, architecture=TINY)
