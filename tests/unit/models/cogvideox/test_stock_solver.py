"""The stock solver against its formulas, and the whole of stock sampling against diffusers' own pipeline."""

import math
from typing import Any

import pytest
from tiny_cogvideox import SIZES, TEXT, seeded_autoencoder, seeded_call

from anisora.harness.errors import ConfigError
from anisora.harness.networks import inference
from anisora.models.cogvideox.dpm_solver import dpm_step
from anisora.models.cogvideox.dynamic_guidance import dynamic_guidance
from anisora.models.cogvideox.noise_table import V1
from anisora.models.cogvideox.sampling import sample_latents
from anisora.models.cogvideox.stock_solver import STOCK_SCHEDULE, stock_solver

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

LEARNED = {
    "use_learned_positional_embeddings": True,
    "sample_frames": 9,
    "sample_height": 4,
    "sample_width": 6,
    "norm_eps": 1e-5,
}


def generator(seed: int = 0) -> "torch.Generator":
    return torch.Generator().manual_seed(seed)


def velocities(state: Any, timestep: int) -> tuple[Any, Any]:
    bent = torch.tanh(state) * timestep / 1000
    return bent, bent + 0.2


@pytest.mark.parametrize("steps", [2, 10, 50])
def test_it_takes_the_steps_of_its_formulas_with_one_table(steps: int) -> None:
    noise, source = torch.randn(4, 5, generator=generator(1)), generator()
    found = list(stock_solver(velocities, noise, generator(), steps))
    levels = [*V1.denoiser_levels()[V1.timesteps(steps)], 1.0]
    state, before = noise.double(), None
    for index, timestep in enumerate(V1.timesteps(steps).tolist()):
        draws = [torch.randn(4, 5, generator=source) for _ in range(2 if 0 < index < steps - 1 else 1)]
        unconditional, conditional = velocities(state, timestep)
        velocity = unconditional + dynamic_guidance(timestep, steps) * (conditional - unconditional)
        clean = levels[index] * state - math.sqrt(1 - levels[index] ** 2) * velocity
        state = dpm_step(state, clean, draws[-1].double(), (levels[index], levels[index + 1]), before)
        before = (levels[index], clean)
        torch.testing.assert_close(found[index].double(), state, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("steps", [1, 1001])
def test_numbers_of_steps_that_there_are_not_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=f"`steps` got {steps}; expected 2 to 1000"):
        next(stock_solver(velocities, torch.zeros(1), generator(), steps))


def test_stock_sampling_is_that_of_diffusers_own_pipeline() -> None:
    from anisora.models.cogvideox.autoencoder import encode_image

    call, autoencoder = seeded_call(stretched=True, **LEARNED), seeded_autoencoder()
    pipeline = diffusers.CogVideoXImageToVideoPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=autoencoder,
        transformer=call.network,
        scheduler=diffusers.CogVideoXDPMScheduler(**STOCK_SCHEDULE),
    )
    pipeline.set_progress_bar_config(disable=True)
    image = torch.rand(1, 3, 32, 48, generator=generator(3))
    text, negative = (torch.randn(TEXT, generator=generator(seed)) for seed in (4, 5))
    expected = pipeline(
        image=image,
        prompt_embeds=text,
        negative_prompt_embeds=negative,
        height=32,
        width=48,
        num_frames=9,
        num_inference_steps=5,
        guidance_scale=6.0,
        use_dynamic_cfg=True,
        generator=generator(),
        output_type="latent",
    ).frames
    source = generator()
    with inference():
        condition = torch.zeros(1, 3, SIZES.out_channels, 4, 6)
        condition[:, 0] = encode_image(autoencoder, image * 2 - 1, source)
        *_, found = sample_latents(call, condition, text, source, steps=5, negative_text=negative, solver=stock_solver)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
