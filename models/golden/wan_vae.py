"""Golden cases of kinds ``gen_wan_vae`` and ``gen_condition_tensor``: Wan's VAE, alone and in conditions."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.networks import inference
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.models.golden.condition_tensor import compare_conditions
from anisora.models.wan.condition_tensor import Encode
from anisora.models.wan.networks import vae_settings, wan_vae
from anisora.models.wan.video_vae import WanVae

__all__ = ["handle", "handle_conditions", "vae_of"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Encode every clip of a case, decode its latents, and compare both.

    Args:
        path: Folder with weights, inputs video_<index> in -1 to 1, and expected tensors latent_<index> and
            decoded_<index>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its weights are not those of its configuration.
    """
    return list(_comparisons(path, case))


def handle_conditions(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute the condition of every item of a case with its VAE; see ``compare_conditions``.

    Args:
        path: Folder of the case.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its weights are not those of its configuration.
    """
    with inference():
        return compare_conditions(path, case, _encoder)


def vae_of(state: Tensors, config: Mapping[str, Any]) -> WanVae:
    """Return the VAE of a case.

    Args:
        state: Its weights under the reference's keys.
        config: Its configuration, with ``latents_mean`` and ``latents_std``.

    Raises:
        ConfigError: The weights are not those of the configuration.
    """
    network = wan_vae(vae_settings(config), [state])
    return WanVae(network, latents_mean=config["latents_mean"], latents_std=config["latents_std"])


def _encoder(state: Tensors, config: Mapping[str, Any]) -> Encode:
    return vae_of(state, config).encode


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs, config = load_state_dict(path / "inputs.safetensors"), case["config"]
    vae = vae_of(load_state_dict(path / "weights.safetensors"), config)
    ours: dict[str, Any] = {}
    with inference():
        for item in config["items"]:
            index = item["index"]
            latents = vae.latents(inputs[f"video_{index}"])
            ours |= {f"latent_{index}": latents, f"decoded_{index}": vae.decode(latents)}
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"])
