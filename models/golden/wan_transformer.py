"""Golden cases of kinds ``gen_wan21_dit`` and ``gen_wan22_dit_noclip``: one evaluation of Wan's transformer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.networks import inference
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.models.wan.denoiser import WanDenoiser
from anisora.models.wan.networks import transformer_settings, wan_transformer

__all__ = ["denoiser_of", "handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Evaluate the network on every item of a case and compare its output.

    Args:
        path: Folder with weights, inputs latent_<index>, y_<index>, context_<index> (tokens, text_dim),
            timestep_<index> (1,) and, with an image branch, clip_feature_<index> (1, tokens, clip_dim), and expected
            tensors output_<index>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its weights are not those of its configuration.
    """
    return list(_comparisons(path, case))


def denoiser_of(state: Tensors, config: Mapping[str, Any]) -> WanDenoiser:
    """Return the transformer of a case.

    Args:
        state: Its weights under the reference's keys.
        config: Its configuration; ``clip_dim`` is null without an image branch.

    Raises:
        ConfigError: The weights are not those of the configuration.
    """
    return WanDenoiser(wan_transformer(transformer_settings(config), [state]), text_len=config["text_len"])


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    inputs, config = load_state_dict(path / "inputs.safetensors"), case["config"]
    denoise = denoiser_of(load_state_dict(path / "weights.safetensors"), config)
    ours = {}
    with inference():
        for item in config["items"]:
            index = item["index"]
            latents = torch.cat([inputs[f"latent_{index}"], inputs[f"y_{index}"]])[None]
            text, timestep = inputs[f"context_{index}"][None], inputs[f"timestep_{index}"]
            (ours[f"output_{index}"],) = denoise(latents, timestep, text, inputs.get(f"clip_feature_{index}"))
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"])
