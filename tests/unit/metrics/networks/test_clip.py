import json

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError
from anisora.harness.networks import shapes_of
from anisora.metrics.golden.clip_states import clip_shapes
from anisora.metrics.networks.clip import TOWERS, ClipImageTower
from anisora.metrics.networks.laion_aesthetic_linear import AestheticPredictor

pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")

TAGS = {"ViT-L/14": "clip_vit_l14", "ViT-B/32": "clip_vit_b32"}


@needs_shared
@pytest.mark.parametrize("tower", TOWERS)
def test_keys_and_shapes_are_those_of_the_published_file(tower: str) -> None:
    published = json.loads((GOLDEN / "keys" / f"{TAGS[tower]}.json").read_text())["tensors"]
    assert clip_shapes(tower) == {key: tuple(shape) for key, shape in published.items()}
    inside = {f"visual.{key}": shape for key, shape in shapes_of(ClipImageTower.empty(tower)).items()}
    assert inside == {key: tuple(shape) for key, shape in published.items() if key.startswith("visual.")}


@needs_shared
def test_the_head_has_the_keys_of_the_published_file() -> None:
    published = json.loads((GOLDEN / "keys" / "aesthetic.json").read_text())["tensors"]
    assert shapes_of(AestheticPredictor.empty_head()) == {key: tuple(shape) for key, shape in published.items()}


@pytest.mark.parametrize("tower", TOWERS)
def test_the_towers_have_the_quick_approximation_of_gelu_and_clips_epsilon(tower: str) -> None:
    module = ClipImageTower.empty(tower)
    activations = {type(part).__name__ for part in module.modules() if "GELU" in type(part).__name__}
    assert activations == {"QuickGELU"}
    assert {part.eps for part in module.modules() if "LayerNorm" in type(part).__name__} == {1e-5}


def test_another_tower_is_refused() -> None:
    with pytest.raises(ConfigError, match="`tower` got 'RN50'; expected one of ViT-L/14, ViT-B/32"):
        ClipImageTower.empty("RN50")
