from typing import Any

import numpy as np
import pytest
from tiny_cogvideox import SIZES, TEXT, seeded_call

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.networks import inference
from anisora.models.cogvideox.dpm_solver import dpm_states
from anisora.models.cogvideox.drawn_noise import NoiseInOrder, step_noise
from anisora.models.cogvideox.guide_slots import guides_in_slots
from anisora.models.cogvideox.noise_table import V1
from anisora.models.cogvideox.sampling import guided_velocities, sample_latents

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

SHAPE = (1, 3, SIZES.out_channels, 4, 6)


def generator(seed: int = 0) -> "torch.Generator":
    return torch.Generator().manual_seed(seed)


def condition() -> "torch.Tensor":
    guides = [torch.randn(1, SIZES.out_channels, 4, 6, generator=generator(seed)) for seed in (7, 8)]
    return guides_in_slots(guides, [0, 2], 3)


def text() -> "torch.Tensor":
    return torch.randn(TEXT, generator=generator(6))


def last(predict: Any, **arguments: Any) -> "torch.Tensor":
    with inference():
        *_, found = sample_latents(predict, condition(), text(), generator(), **{"steps": 4, **arguments})
    return found


class Noted:
    """A network call that keeps what it was given."""

    def __init__(self, predict: Any) -> None:
        self.predict = predict
        self.calls: list[tuple[torch.Tensor, torch.Tensor, int]] = []

    def __call__(self, latents: "torch.Tensor", words: "torch.Tensor", timestep: int) -> "torch.Tensor":
        self.calls.append((latents, words, timestep))
        found: torch.Tensor = self.predict(latents, words, timestep)
        return found


def test_both_branches_have_the_state_the_condition_and_their_text() -> None:
    noted = Noted(seeded_call())
    found = last(noted)
    assert found.shape == SHAPE
    assert found.dtype == torch.float32
    assert [timestep for _, _, timestep in noted.calls] == V1.timesteps(4).tolist()
    for latents, words, _ in noted.calls:
        assert latents.shape == (2, 3, SIZES.in_channels, 4, 6)
        assert torch.equal(latents[0], latents[1])
        assert torch.equal(latents[:1, :, SIZES.out_channels :], condition())
        assert torch.equal(words, torch.cat([torch.zeros(TEXT), text()]))
    assert torch.equal(noted.calls[0][0][:1, :, : SIZES.out_channels], torch.randn(SHAPE, generator=generator()))


def test_one_branch_after_the_other_gives_the_same_clip() -> None:
    call = seeded_call()
    noted = Noted(call)
    apart = last(noted, batched=False)
    torch.testing.assert_close(apart, last(call), atol=1e-4, rtol=1e-4)
    assert [latents.shape[0] for latents, _, _ in noted.calls] == [1] * 8
    assert [bool(words.any()) for _, words, _ in noted.calls] == [False, True] * 4


def test_the_loop_is_v1s_solver_with_noise_in_the_order_of_the_generator() -> None:
    call, source = seeded_call(), generator()
    noise, *draws = (torch.randn(SHAPE, generator=source) for _ in range(4))
    with inference():
        *_, expected = dpm_states(guided_velocities(call, condition(), text()), noise, draws, 4)
    assert torch.equal(last(call), expected)


def test_one_seed_gives_one_clip_and_another_another() -> None:
    call = seeded_call()
    assert torch.equal(last(call), last(call))
    with inference():
        *_, other = sample_latents(call, condition(), text(), generator(1), steps=4)
    assert not torch.allclose(last(call), other)


def test_the_prompt_the_negative_prompt_and_the_guides_are_followed() -> None:
    call = seeded_call()
    plain = last(call)
    assert not torch.allclose(plain, last(call, negative_text=text() + 1))
    assert torch.equal(plain, last(call, negative_text=torch.zeros(TEXT)))
    with inference():
        *_, unguided = sample_latents(call, torch.zeros(SHAPE), text(), generator(), steps=4)
        *_, other_text = sample_latents(call, condition(), text() + 1, generator(), steps=4)
    assert not torch.allclose(plain, unguided)
    assert not torch.allclose(plain, other_text)


def test_texts_of_two_lengths_are_refused() -> None:
    longer = torch.zeros(1, TEXT[1] + 1, TEXT[2])
    with pytest.raises(DataError, match=r"`negative_text` has shape \(1, 6, 12\); expected \(1, 5, 12\), that of the"):
        guided_velocities(seeded_call(), condition(), text(), longer)


@pytest.mark.parametrize("steps", [1, 1001])
def test_numbers_of_steps_that_there_are_not_are_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=f"`steps` got {steps}; expected 2 to 1000"):
        last(seeded_call(), steps=steps)


def test_the_state_stays_in_float32_for_a_network_that_does_not() -> None:
    call = seeded_call()
    call.network.to(torch.bfloat16)
    noted = Noted(call)
    found = last(noted)
    assert all(latents.dtype == torch.float32 for latents, _, _ in noted.calls)
    assert found.dtype == torch.float32
    assert not torch.equal(found, found.bfloat16().float())


def test_noise_is_drawn_when_its_step_comes_and_in_order() -> None:
    draws, source = NoiseInOrder(generator(), (2, 3), 2), generator()
    assert len(draws) == 2
    for index in range(2):
        assert torch.equal(draws[index], torch.randn(2, 3, generator=source))
    for wrong in (0, 2):
        with pytest.raises(IndexError, match=f"noise {wrong} asked for; the next of 2 is 2"):
            draws[wrong]


def test_noise_is_standard_normal_in_float32_whatever_the_default() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        drawn = step_noise(generator(), (200, 500))
    finally:
        torch.set_default_dtype(torch.float32)
    assert drawn.dtype == torch.float32
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [0, 1], atol=0.02)
    assert torch.equal(drawn, torch.randn(200, 500, generator=generator()))
