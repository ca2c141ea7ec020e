"""Preference losses against their definition: GAPO without its factor is DPO, for either family of networks."""

import math
from typing import Any

import pytest

from anisora.harness.errors import AnisoraError, ConfigError, DataError

torch = pytest.importorskip("torch")
from anisora.training.losses.flow_matching import FLOW_MATCHING  # noqa: E402
from anisora.training.losses.preference import (  # noqa: E402
    GAPO_BETA,
    Pair,
    check_scores,
    dpo_losses,
    gap_factors,
    gapo_losses,
    halves,
    pair_errors,
    with_shared_noise,
)
from anisora.training.losses.velocity import V_PREDICTION  # noqa: E402

GENERATOR = torch.Generator().manual_seed(8)


def drawn(*shape: int) -> Any:
    return torch.rand(*shape, dtype=torch.float64, generator=GENERATOR)


POLICY, REFERENCE = Pair(drawn(5) * 0.01, drawn(5) * 0.01), Pair(drawn(5) * 0.01, drawn(5) * 0.01)
SCORES = Pair(torch.tensor([90.0, 60, 100, 55.5, 30]), torch.tensor([30.0, 59, 0, 20.25, 29]))


def test_the_loss_is_its_definition_pair_by_pair() -> None:
    found = gapo_losses(POLICY, REFERENCE, SCORES)
    for place in range(5):
        change = (POLICY.winner[place] - POLICY.loser[place]) - (REFERENCE.winner[place] - REFERENCE.loser[place])
        inside = -2500 * float(change)
        factor = 2 ** (float(SCORES.winner[place]) / 100) - 2 ** (float(SCORES.loser[place]) / 100)
        assert float(found.inside[place]) == pytest.approx(inside)
        assert float(found.losses[place]) == pytest.approx(math.log1p(math.exp(-inside)) * factor, rel=1e-5)
    assert float(found.loss) == pytest.approx(float(found.losses.mean()))
    assert float(found.implicit_accuracy) == int((found.inside > 0).sum()) / 5


def test_without_a_gap_it_is_dpo() -> None:
    plain = dpo_losses(POLICY, REFERENCE, beta=GAPO_BETA)
    without = gapo_losses(POLICY, REFERENCE, SCORES, base=None)
    torch.testing.assert_close(without.losses, plain.losses)
    farthest = Pair(torch.full((5,), 100.0), torch.zeros(5))
    torch.testing.assert_close(gapo_losses(POLICY, REFERENCE, farthest).losses, plain.losses)
    torch.testing.assert_close(gapo_losses(POLICY, REFERENCE, farthest).inside, plain.inside)


def test_a_batch_is_the_mean_of_its_pairs() -> None:
    singles = [
        gapo_losses(
            *(each.mapped(lambda values, at=place: values[at : at + 1]) for each in (POLICY, REFERENCE, SCORES))
        )
        for place in range(5)
    ]
    batch = gapo_losses(POLICY, REFERENCE, SCORES)
    assert float(batch.loss) == pytest.approx(sum(float(each.loss) for each in singles) / 5)


def test_a_network_that_is_its_reference_has_the_loss_of_a_coin() -> None:
    found = dpo_losses(POLICY, POLICY, beta=100)
    torch.testing.assert_close(found.losses, torch.full((5,), math.log(2)).double())
    assert float(found.implicit_accuracy) == 0


def test_the_winner_is_pulled_and_the_loser_pushed_with_one_force() -> None:
    winner, loser = (each.clone().requires_grad_() for each in POLICY)
    found = gapo_losses(Pair(winner, loser), REFERENCE, SCORES, beta=300)
    found.loss.backward()
    expected = 150 * (-found.inside.detach()).sigmoid() * gap_factors(SCORES) / 5
    torch.testing.assert_close(winner.grad, expected, check_dtype=False)
    torch.testing.assert_close(loser.grad, -expected, check_dtype=False)
    assert torch.autograd.gradcheck(lambda *each: dpo_losses(Pair(*each), REFERENCE, beta=300).losses, (winner, loser))


def test_a_small_error_of_the_winner_lowers_the_loss() -> None:
    better = Pair(POLICY.winner / 2, POLICY.loser)
    assert bool((dpo_losses(better, REFERENCE, beta=10).losses < dpo_losses(POLICY, REFERENCE, beta=10).losses).all())


@pytest.mark.parametrize("objective", [V_PREDICTION, FLOW_MATCHING], ids=["v-prediction", "flow matching"])
def test_winner_and_loser_share_noise_and_level(objective: Any) -> None:
    clean, noise, level = Pair(drawn(2, 3, 4), drawn(2, 3, 4)), drawn(2, 3, 4), torch.tensor([0.2, 0.7])
    noised, targets = with_shared_noise(clean, noise, level, objective)
    for latents, ours, target in zip(clean, noised, targets, strict=True):
        torch.testing.assert_close(ours, objective.add_noise(latents, noise, level))
        torch.testing.assert_close(target, objective.target(latents, noise, level))
    predictions = Pair(drawn(2, 3, 4), drawn(2, 3, 4))
    errors = pair_errors(predictions, targets)
    torch.testing.assert_close(errors.loser, objective.errors(predictions.loser, clean.loser, noise, level))
    torch.testing.assert_close(errors.winner, ((predictions.winner - targets.winner) ** 2).mean((1, 2)))


def test_clips_of_two_sizes_are_no_pair() -> None:
    with pytest.raises(DataError, match=r"winners of shape \(2, 3\) and losers of \(2, 1\) for noise of \(2, 3\)"):
        with_shared_noise(Pair(drawn(2, 3), drawn(2, 1)), drawn(2, 3), 0.5, FLOW_MATCHING)


@pytest.mark.parametrize(("winner", "loser"), [(40.0, 60.0), (50.0, 50.0), (101.0, 3.0), (3.0, -1.0), (math.nan, 1.0)])
def test_scores_that_are_not_of_a_winner_and_a_loser_are_refused(winner: float, loser: float) -> None:
    scores = Pair(torch.tensor([90.0, winner]), torch.tensor([10.0, loser]))
    message = f"Pair 1 has `w_score` {winner:g} and `l_score` {loser:g}; expected 0 <= l_score < w_score <= 100"
    with pytest.raises(DataError, match=message):
        check_scores(scores)
    two = Pair(POLICY.winner[:2], POLICY.loser[:2])
    with pytest.raises(DataError, match=message):
        gapo_losses(two, two, scores)


def test_swapped_scores_turn_the_sign_where_the_check_is_left_out() -> None:
    swapped = gapo_losses(POLICY, REFERENCE, Pair(SCORES.loser, SCORES.winner), are_scores_checked=False)
    torch.testing.assert_close(swapped.losses, -gapo_losses(POLICY, REFERENCE, SCORES).losses)


def test_halves_are_winners_then_losers() -> None:
    found = halves(torch.arange(6))
    assert (found.winner.tolist(), found.loser.tolist()) == ([0, 1, 2], [3, 4, 5])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: halves(torch.arange(3)), DataError, "`batch` has 3 samples; expected an even number"),
        (lambda: halves(torch.arange(0)), DataError, "`batch` has 0 samples"),
        (lambda: dpo_losses(POLICY, REFERENCE, beta=0), ConfigError, "`beta` got 0; expected a positive number"),
        (
            lambda: dpo_losses(POLICY, SCORES._replace(loser=drawn(5, 2)), beta=1),
            DataError,
            r"Errors have shapes \[\(5,",
        ),
        (
            lambda: gap_factors(SCORES, base=1.0),
            ConfigError,
            "`base` got 1.0 and `scale` 100.0; expected a base above 1",
        ),
        (lambda: gap_factors(SCORES, scale=0.0), ConfigError, "`base` got 2.0 and `scale` 0.0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, error: type[AnisoraError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
