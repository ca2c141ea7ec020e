"""The loss of v-prediction against its definition; both of its forms are one number."""

import math

import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.models.cogvideox.dpm_solver import clean_of_velocity

torch = pytest.importorskip("torch")
from anisora.training.losses.velocity import (  # noqa: E402
    V_PREDICTION,
    add_noise,
    clean_errors,
    levels_of_timesteps,
    velocity_target,
)

GENERATOR = torch.Generator().manual_seed(3)
CLEAN, NOISE, PREDICTION = torch.randn(3, 4, 2, 3, 5, 2, dtype=torch.float64, generator=GENERATOR)
LEVEL = levels_of_timesteps(torch.tensor([0, 420, 980, 999]))


def test_levels_are_those_of_training_from_clean_to_noise_alone() -> None:
    assert LEVEL.dtype == torch.float64
    assert float(LEVEL[0]) == pytest.approx(math.sqrt(1 - 0.00085))  # the first beta
    assert LEVEL[-1] == 0
    assert bool((levels_of_timesteps(torch.arange(1000)).diff() < 0).all())


@pytest.mark.parametrize("timestep", [-1, 1000, 0.5])
def test_a_timestep_that_the_table_does_not_have_is_refused(timestep: float) -> None:
    with pytest.raises(ConfigError, match=f"`timesteps` has {timestep!r}; expected whole numbers from 0 to 999"):
        levels_of_timesteps(torch.tensor([3, timestep]) if isinstance(timestep, int) else torch.tensor([timestep]))


def test_latents_and_velocity_are_a_rotation_of_clean_latents_and_noise() -> None:
    noised, velocity = add_noise(CLEAN, NOISE, LEVEL), velocity_target(CLEAN, NOISE, LEVEL)
    torch.testing.assert_close(noised**2 + velocity**2, CLEAN**2 + NOISE**2)
    for place, level in enumerate(LEVEL.tolist()):
        torch.testing.assert_close(clean_of_velocity(noised[place], velocity[place], level), CLEAN[place])
    torch.testing.assert_close(noised[3], NOISE[3])
    torch.testing.assert_close(velocity[3], -CLEAN[3])


def test_one_level_for_all_is_that_level_for_each() -> None:
    torch.testing.assert_close(add_noise(CLEAN, NOISE, 0.3), add_noise(CLEAN, NOISE, torch.full((4,), 0.3).double()))


def test_the_loss_is_the_mean_squared_error_of_each_sample() -> None:
    found = V_PREDICTION.errors(PREDICTION, CLEAN, NOISE, LEVEL)
    for place, level in enumerate(LEVEL.tolist()):
        target = level * NOISE[place] - math.sqrt(1 - level**2) * CLEAN[place]
        assert float(found[place]) == pytest.approx(float(((PREDICTION[place] - target) ** 2).mean()))
    target = velocity_target(CLEAN, NOISE, LEVEL)
    assert V_PREDICTION.errors(target, CLEAN, NOISE, LEVEL).tolist() == [0, 0, 0, 0]


def test_the_form_of_clean_latents_is_the_same_number_and_gradient() -> None:
    forms = []
    for form in range(2):
        prediction = PREDICTION.clone().requires_grad_()
        noised = add_noise(CLEAN, NOISE, LEVEL)
        errors = (
            clean_errors(prediction, noised, CLEAN, LEVEL)
            if form
            else V_PREDICTION.errors(prediction, CLEAN, NOISE, LEVEL)
        )
        errors.sum().backward()
        forms.append((errors.detach(), prediction.grad))
    torch.testing.assert_close(forms[0], forms[1])


def test_half_precision_predictions_give_errors_in_float32() -> None:
    half = [each.bfloat16() for each in (PREDICTION, CLEAN, NOISE)]
    assert V_PREDICTION.errors(*half, LEVEL).dtype == torch.float32


def test_the_gradient_is_that_of_differences() -> None:
    small = [each[:2, :1, :1, :2, :1] for each in (CLEAN, NOISE, PREDICTION.clone().requires_grad_())]
    assert torch.autograd.gradcheck(lambda each: V_PREDICTION.errors(each, *small[:2], LEVEL[:2]), small[2])


@pytest.mark.parametrize("level", [1.0, -0.1, math.nan])
def test_where_there_is_no_noise_the_form_of_clean_latents_is_none(level: float) -> None:
    with pytest.raises(ConfigError, match="expected numbers from 0 to below 1, where there is noise to remove"):
        clean_errors(PREDICTION[:1], CLEAN[:1], CLEAN[:1], torch.tensor([level]))


def test_a_prediction_of_another_shape_is_refused_before_it_is_broadcast() -> None:
    with pytest.raises(DataError, match=r"`prediction` has shape \(4, 2, 3, 5, 1\); expected \(4, 2, 3, 5, 2\)"):
        V_PREDICTION.errors(PREDICTION[..., :1], CLEAN, NOISE, LEVEL)
