import pytest

from anisora.harness.errors import ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.losses.flow_matching import (  # noqa: E402
    FLOW_MATCHING,
    add_noise,
    flow_table,
    velocity_target,
    weighted_loss,
)

GENERATOR = torch.Generator().manual_seed(5)
CLEAN, NOISE = torch.randn(2, 3, 4, 2, 3, 2, generator=GENERATOR)


def test_latents_move_along_the_velocity_from_clean_to_noise() -> None:
    sigma, step = torch.tensor([0.0, 0.4, 1.0]), 1e-3
    noised = add_noise(CLEAN, NOISE, sigma)
    torch.testing.assert_close(noised[0], CLEAN[0])
    torch.testing.assert_close(noised[2], NOISE[2])
    moved = add_noise(CLEAN, NOISE, sigma - step) - noised
    torch.testing.assert_close(moved / -step, velocity_target(CLEAN, NOISE), rtol=1e-2, atol=1e-3)
    assert FLOW_MATCHING.errors(NOISE - CLEAN, CLEAN, NOISE, sigma).tolist() == [0, 0, 0]
    assert FLOW_MATCHING.errors(NOISE - CLEAN + 2, CLEAN, NOISE, sigma).tolist() == pytest.approx([4, 4, 4])


def test_the_table_falls_from_noise_and_its_weights_have_mean_one() -> None:
    table = flow_table()
    assert (len(table.sigmas), float(table.sigmas[0]), float(table.timesteps[0])) == (1000, 1.0, 1000.0)
    assert bool((table.sigmas.diff() < 0).all())
    assert float(table.sigmas[-1]) == pytest.approx(5 * 0.001 / 1.004)
    torch.testing.assert_close(table.timesteps, table.sigmas * 1000)
    assert float(table.weights.mean()) == pytest.approx(1)
    assert (float(table.weights.min()), int(table.weights.argmax())) == (0, int((table.timesteps - 500).abs().argmin()))


def test_over_the_whole_table_equal_errors_give_their_mean() -> None:
    weights = flow_table().weights
    assert float(weighted_loss(torch.full((1000,), 0.3), weights)) == pytest.approx(0.3)
    assert float(weighted_loss(torch.full((1000,), 0.3), weights, gradient_accumulation_steps=4)) == pytest.approx(
        0.075
    )


def test_gradients_of_parts_add_up_to_that_of_the_whole() -> None:
    errors, weights = torch.rand(6, generator=GENERATOR).double(), torch.rand(6, generator=GENERATOR).double()
    parts = [weighted_loss(errors[at], weights[at], gradient_accumulation_steps=3) for at in ([0, 1], [2, 3], [4, 5])]
    torch.testing.assert_close(sum(parts), weighted_loss(errors, weights))


def test_wrong_counts_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="`gradient_accumulation_steps` got 0; expected 1 or more"):
        weighted_loss(torch.ones(1), torch.ones(1), gradient_accumulation_steps=0)
    with pytest.raises(DataError, match=r"`level` has shape \(2,\) for a batch of shape \(3,\)"):
        weighted_loss(torch.ones(3), torch.ones(2))
    with pytest.raises(ConfigError, match="`shift` got 0"):
        flow_table(shift=0)
