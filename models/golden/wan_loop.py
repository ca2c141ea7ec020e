"""Golden cases of kinds ``gen_loop_v3_any_frame`` and ``gen_loop_v32_two_experts``: from noise to latents."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import DataError
from anisora.harness.networks import inference
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.models.golden.wan_transformer import denoiser_of
from anisora.models.golden.wan_vae import vae_of
from anisora.models.wan.condition_tensor import keyframe_condition
from anisora.models.wan.frame_ids import frame_ids
from anisora.models.wan.latent_size import latent_size
from anisora.models.wan.sampling import Denoise, Experts, SamplingInputs, sampled_states, unipc_schedule
from anisora.models.wan.video_vae import WanVae

if TYPE_CHECKING:
    import torch

__all__ = ["handle"]

_NAME: Final = re.compile(r"(?P<quantity>final|trajectory_in|decoded)(?:_latent)?_(?P<index>[0-9]+)")
_CONDITION: Final = "y"


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Sample every run of a case and compare what it expects.

    Args:
        path: Folder with weights_dit or weights_high and weights_low, weights_vae where something is encoded or
            decoded, inputs noise_<index>, context, context_null, clip_feature with an image branch, and y or image_<k>
            in 0 to 1; and expected tensors final_latent_<index>, trajectory_in_<index>, decoded_<index> and y.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: Its weights are not those of its configuration.
    """
    with inference():
        return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    inputs, config = load_state_dict(path / "inputs.safetensors"), case["config"]
    expected = load_state_dict(path / "expected.safetensors")
    vae = vae_of(load_state_dict(path / "weights_vae.safetensors"), config["vae"]) if config["vae"] else None
    condition = inputs[_CONDITION] if _CONDITION in inputs else _condition(inputs, config, vae)
    given = SamplingInputs(
        condition=condition[None],
        text=inputs["context"][None],
        negative_text=inputs["context_null"][None],
        image=inputs.get("clip_feature"),
    )
    network = _network(path, config)
    ours: dict[str, Any] = {_CONDITION: condition}
    for run in config["runs"]:
        index, noise = run["index"], inputs[f"noise_{run['index']}"]
        schedule = unipc_schedule(run["steps"], run["shift"])
        states = list(sampled_states(network, noise[None], given, schedule, _guidance(run["guide_scale"])))
        latents = [noise, *(state.latents[0] for state in states)]
        ours |= {f"final {index}": latents[-1], f"trajectory_in {index}": torch.stack(latents[:-1])}
        if vae is not None:
            ours[f"decoded {index}"] = vae.decode(latents[-1])
        timesteps = {"timesteps": [float(state.timestep) for state in states]}
        yield from compare_expected(timesteps, {"timesteps": run["timesteps"]}, case["tolerance"], label=f"{index} ")
        letters = "".join(state.expert or "" for state in states) or None
        yield compare_exact(f"{index} experts", letters, run["experts"])
    yield from _compared(ours, expected, case["tolerance"])


def _compared(ours: Mapping[str, Any], expected: Tensors, tolerance: Mapping[str, float | str]) -> Iterator[Comparison]:
    for name, reference in expected.items():
        found = _NAME.fullmatch(name)
        quantity, index = (found["quantity"], found["index"]) if found else (name, "")
        ours_name = f"{quantity} {index}".strip()
        if ours_name not in ours:
            raise DataError(f"The case expects {name}, which is not computed here; it has {', '.join(ours)}.")
        label = f"{index} " if index else ""
        yield from compare_expected({quantity: ours[ours_name]}, {quantity: reference}, tolerance, label=label)


def _network(path: Path, config: Mapping[str, Any]) -> Denoise | Experts:
    def read(name: str) -> Denoise:
        return denoiser_of(load_state_dict(path / f"weights_{name}.safetensors"), config["dit"])

    if config["boundary"] is None:
        return read("dit")
    return Experts(read("high"), read("low"), config["boundary"])


def _condition(inputs: Tensors, config: Mapping[str, Any], vae: WanVae | None) -> "torch.Tensor":
    ids = frame_ids(config["positions"], config["num_frames"])
    images = [inputs[f"image_{place}"] for place in range(len(ids))]
    size = latent_size(config["max_area"], *images[0].shape[1:])
    if vae is None:
        raise DataError("The case has neither y nor a VAE; expected one of them, as `y` in its inputs or as `vae`.")
    constants = {"latents_mean": vae.latents_mean, "latents_std": vae.latents_std}
    return keyframe_condition(images, ids, config["num_frames"], size, vae.encode, **constants)


def _guidance(scale: float | list[float]) -> float | tuple[float, float]:
    if isinstance(scale, list):
        low, high = scale
        return low, high
    return scale
