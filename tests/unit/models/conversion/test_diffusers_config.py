import json
from pathlib import Path
from typing import Any

import pytest

from anisora.harness.errors import ConfigError
from anisora.models.conversion.diffusers_config import network_arguments

pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")


FILE = Path("transformer/config.json")


def test_a_saved_network_is_built_again_from_its_folder(tmp_path: Path) -> None:
    arguments = {"num_attention_heads": 1, "attention_head_dim": 16, "num_layers": 1, "time_embed_dim": 8}
    network = diffusers.CogVideoXTransformer3DModel(**arguments, use_rotary_positional_embeddings=True)
    network.save_config(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    found = network_arguments(saved, diffusers.CogVideoXTransformer3DModel, FILE)
    assert found.items() >= {**arguments, "use_rotary_positional_embeddings": True, "patch_size": 2}.items()
    again = diffusers.CogVideoXTransformer3DModel(**found)
    assert {name: again.config[name] for name in found} == {name: network.config[name] for name in found}
    assert {name for name in network.config if not name.startswith("_")} == found.keys()


@pytest.mark.parametrize("name", ["AutoencoderKLWan", None])
def test_a_folder_of_another_network_is_refused(name: str | None) -> None:
    config: dict[str, Any] = {**({} if name is None else {"_class_name": name}), "in_channels": 3}
    with pytest.raises(ConfigError, match=f"is of {name!r}; expected 'AutoencoderKLCogVideoX'"):
        network_arguments(config, diffusers.AutoencoderKLCogVideoX, FILE)


def test_an_argument_that_the_class_does_not_know_is_refused() -> None:
    config = {"_class_name": "AutoencoderKLCogVideoX", "in_channels": 3, "window": 4, "attention": "none"}
    with pytest.raises(ConfigError, match="has attention, window, which AutoencoderKLCogVideoX of this diffusers"):
        network_arguments(config, diffusers.AutoencoderKLCogVideoX, FILE)
