"""Golden cases of kind ``gen_v1_sat_dit``: velocities of AniSora V1's transformer under its own key names."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from anisora.harness.networks import inference, shapes_of
from anisora.harness.parity import Comparison, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.models.cogvideox.networks import NormEpsilons, TransformerSizes, build_transformer, fill_network
from anisora.models.cogvideox.transformer_call import TransformerCall
from anisora.models.conversion.layout import convert_state
from anisora.models.conversion.sat import SAT_TRANSFORMER

__all__ = ["handle", "transformer_of_case"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the network of a case, predict every item and compare it.

    Args:
        path: Folder with weights, inputs x_<index>, context_<index> and timestep_<index>, and expected tensors
            output_<index>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: The weights are not of the layout, or do not fit the sizes of the case.
    """
    config = case["config"]
    state = load_state_dict(path / "weights.safetensors")
    for key in config.get("keys_ignored", ()):
        state.pop(key, None)
    predict = transformer_of_case(state, config)
    inputs = load_state_dict(path / "inputs.safetensors")
    ours = {}
    with inference():
        for item in config["items"]:
            index = item["index"]
            found = predict(inputs[f"x_{index}"], inputs[f"context_{index}"], inputs[f"timestep_{index}"])
            ours[f"output_{index}"] = found.cpu()
    return list(compare_expected(ours, load_state_dict(path / "expected.safetensors"), case["tolerance"]))


def transformer_of_case(state: Tensors, config: Mapping[str, Any]) -> TransformerCall:
    """Return the network of a case, filled.

    Args:
        state: Its weights, under the reference's keys.
        config: Sizes, epsilons and the prefix of the keys, as SAT names them.

    Raises:
        ConfigError: The weights are not of the layout, or do not fit the sizes.
    """
    sizes = TransformerSizes(**{field.name: config[field.name] for field in fields(TransformerSizes)})
    network = build_transformer(sizes.arguments(), NormEpsilons(**config["layernorm_eps"]))
    layout = replace(SAT_TRANSFORMER, prefix=config["key_prefix"])
    converted = convert_state(state, layout, shapes_of(network))
    return TransformerCall(fill_network(network, layout.name, state=converted))
