"""Golden cases of kind ``gen_v1_loop``: AniSora V1's sampling loop with the noise of every step given."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.networks import inference
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.cogvideox.dpm_solver import dpm_states
from anisora.models.cogvideox.guide_slots import guides_in_slots
from anisora.models.cogvideox.sampling import guided_velocities
from anisora.models.golden.v1_transformer import transformer_of_case

__all__ = ["handle"]

_LAYOUT: Final = "B,T,C,H,W"


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Sample every run of a case and compare the states that it has, and the last one.

    Args:
        path: Folder with weights, inputs initial_noise_<index>, step_noise_<index>, image_latents_<index> and
            context_<index>, and expected tensors final_latent_<index> and after_steps_<index>.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, or has another layout.
        ConfigError: The weights do not fit the sizes of the case, or there is no such number of steps.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    import torch

    config = case["config"]
    if config["layout"] != _LAYOUT:
        raise DataError(f"`{path}` has layout {config['layout']!r}; expected {_LAYOUT!r}, the reference's.")
    predict = transformer_of_case(load_state_dict(path / "weights.safetensors"), config["dit"])
    inputs = load_state_dict(path / "inputs.safetensors")
    ours = {}
    for run in config["runs"]:
        index = run["index"]
        noise, images, text, step_noise = (
            inputs[f"{name}_{index}"].to(predict.network.device)
            for name in ("initial_noise", "image_latents", "context", "step_noise")
        )
        slots = [int(slot) for slot in run["filled_slots"]]
        condition = guides_in_slots([images[:, slot] for slot in slots], slots, images.shape[1])
        yield compare_exact(f"run {index} filled_slots", condition.cpu().numpy(), images.cpu().numpy())
        timesteps: list[int] = []

        def noted(latents: Any, text: Any, timestep: int, seen: list[int] = timesteps) -> Any:  # noqa: ANN401
            seen.append(timestep)
            return predict(latents, text, timestep)

        velocities = guided_velocities(noted, condition, text)
        with inference():
            states = list(
                dpm_states(
                    velocities,
                    noise,
                    step_noise,
                    run["steps"],
                    scale=config["guidance_scale"],
                    exponent=config["guidance_exp"],
                )
            )
        yield compare_exact(f"run {index} timesteps", timesteps, run["timesteps"])
        ours[f"final_latent_{index}"] = states[-1].cpu()
        ours[f"after_steps_{index}"] = torch.stack([states[step].cpu() for step in run["after_steps"]])
    tolerance = {"atol": case["tolerance"]["final_atol"]}
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), tolerance)
