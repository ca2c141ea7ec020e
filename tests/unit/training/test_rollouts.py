"""Drawing with noise: what is kept of a clip, which of its steps are trained."""

import pytest

from anisora.harness.errors import ConfigError

torch = pytest.importorskip("torch")

from anisora.models.wan.flow_schedule import euler_states  # noqa: E402
from anisora.training.rollouts import Rollout, Sampler, SdeRule, rolled_out, trained_places  # noqa: E402

SAMPLERS: tuple[Sampler, Sampler] = ("flow_grpo", "dance_grpo")


def velocity(states: "torch.Tensor", timestep: float) -> "torch.Tensor":
    return states.sin() * (0.3 + timestep / 1000)


def generators(count: int = 3) -> "list[torch.Generator]":
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def noise(count: int = 3) -> "torch.Tensor":
    return torch.randn(count, 2, 4, generator=torch.Generator().manual_seed(9))


def drawn(rule: SdeRule, trained: tuple[int, ...], *, noise_everywhere: bool = True) -> list[Rollout]:
    return rolled_out(velocity, rule, noise(), generators(), [trained] * 3, noise_everywhere=noise_everywhere)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_under_the_same_weights_a_stored_step_has_the_stored_chance(sampler: Sampler) -> None:
    rule = SdeRule.of(sampler, steps=4, shift=3.0)
    for own in drawn(rule, (0, 1, 2, 3)):
        assert own.states.shape == (5, 2, 4)
        states, following = own.states[:-1], own.states[1:]
        asked = torch.stack([velocity(state, rule.timestep(at)) for at, state in enumerate(states)])
        torch.testing.assert_close(rule.step(states, asked, range(4)).log_prob(following), own.log_probs)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_clip_does_not_depend_on_those_that_are_drawn_with_it(sampler: Sampler) -> None:
    rule = SdeRule.of(sampler, steps=3, shift=5.0)
    together = drawn(rule, (0,))
    for at, generator in enumerate(generators()):
        (alone,) = rolled_out(velocity, rule, noise()[at][None], [generator], [(0,)])
        assert torch.equal(alone.states, together[at].states)
        assert torch.equal(alone.log_probs, together[at].log_probs)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_steps_that_are_not_trained_may_be_straight(sampler: Sampler) -> None:
    rule = SdeRule.of(sampler, steps=3, shift=3.0)
    straight = drawn(rule, (), noise_everywhere=False)
    along = list(euler_states(lambda state, sigma: velocity(state, sigma * 1000), noise(), rule.sigmas[:-1]))
    torch.testing.assert_close(torch.stack([own.states[-1] for own in straight]), along[-1])
    one, all_noisy = drawn(rule, (1,), noise_everywhere=False), drawn(rule, (1,))
    for at, (own, other) in enumerate(zip(one, all_noisy, strict=True)):
        assert torch.equal(own.states[1], straight[at].states[1])
        assert not torch.equal(own.states[2], straight[at].states[2])
        assert not torch.equal(own.states[1], other.states[1])


def test_flow_grpo_trains_the_first_steps_and_dance_grpo_drawn_ones() -> None:
    flow, dance = (SdeRule.of(sampler, steps=10, shift=3.0) for sampler in SAMPLERS)
    assert trained_places(flow, range(10), None, torch.Generator()) == tuple(range(9))
    assert trained_places(flow, range(10), 0.01, torch.Generator()) == (0,)
    found = [trained_places(dance, range(10), None, generator) for generator in generators(20)]
    assert {len(each) for each in found} == {len(set(each)) for each in found} == {6}
    assert {place for each in found for place in each} == set(range(10))
    assert len(set(found)) > 10
    assert set(trained_places(dance, (2, 5), 1.0, torch.Generator())) == {2, 5}


def test_one_step_alone_cannot_be_trained() -> None:
    with pytest.raises(ConfigError, match="`steps` got 1; expected 2 or more"):
        SdeRule.of("flow_grpo", steps=1, shift=3.0)
