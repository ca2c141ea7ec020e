"""The loop around networks of one line, whose results are known."""

from typing import Any

import pytest

from anisora.harness.errors import ConfigError, DataError
from anisora.models.wan.flow_schedule import euler_step, flow_sigmas
from anisora.models.wan.sampling import (
    Experts,
    SamplingInputs,
    euler_schedule,
    sampled_states,
    unipc_schedule,
)
from anisora.models.wan.step_lists import STEP_LISTS
from anisora.models.wan.unipc import unipc_sigmas, unipc_states, unipc_timesteps

torch = pytest.importorskip("torch")

DRAW = torch.Generator().manual_seed(6)
NOISE = torch.randn(2, 16, 2, 2, 3, generator=DRAW)
CONDITION = torch.randn(2, 20, 2, 2, 3, generator=DRAW)
TEXT = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
NEGATIVE = torch.tensor([[[-1.0, 0.5]]])
SCHEDULES = {"unipc": unipc_schedule(8, 5), "euler": euler_schedule(STEP_LISTS["v2_16"].sigmas())}


class Recorded:
    """A network whose velocity is a straight line of all that it is given, and which keeps what that was."""

    def __init__(self, slope: float = 0.5) -> None:
        self.slope = slope
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __call__(self, latents: Any, timestep: Any, text: Any, image: Any = None) -> Any:
        self.calls.append((latents, timestep, text, image))
        added = text.mean(dim=(1, 2)) + (0.0 if image is None else image.mean(dim=(1, 2))) + timestep / 1000
        state, condition = latents[:, :16], latents[:, 20:]
        return self.slope * state + 0.1 * condition + added.view(-1, 1, 1, 1, 1)


def given(**other: Any) -> SamplingInputs:
    return SamplingInputs(**{"condition": CONDITION, "text": TEXT, "negative_text": NEGATIVE, **other})


def final(network: Any, schedule: Any, guidance: Any = 1.0, noise: Any = NOISE, **other: Any) -> Any:
    *_, last = sampled_states(network, noise, given(**other), schedule, guidance)
    return last.latents


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_network_that_knows_the_clean_latents_is_led_to_them(name: str) -> None:
    schedule, clean = SCHEDULES[name], torch.randn(2, 16, 2, 2, 3, generator=DRAW)
    levels = dict(zip(schedule.timesteps, schedule.sigmas, strict=False))

    def exact(latents: Any, timestep: Any, _text: Any, _image: Any = None) -> Any:
        told = min(levels, key=lambda each: abs(each - float(timestep[0])))
        return (latents[:, :16] - clean) / levels[told]

    torch.testing.assert_close(final(exact, schedule), clean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_states_are_those_of_the_solver(name: str) -> None:
    schedule = SCHEDULES[name]
    states = list(sampled_states(Recorded(), NOISE, given(), schedule))
    assert [(state.step, state.steps, state.timestep) for state in states] == [
        (step, len(schedule.timesteps), timestep) for step, timestep in enumerate(schedule.timesteps)
    ]

    def velocity(state: Any, timestep: float) -> Any:
        told = torch.full((2,), float(timestep))
        return Recorded()(torch.cat([state, CONDITION], dim=1), told, TEXT)

    if name == "unipc":
        wanted = list(unipc_states(velocity, NOISE, unipc_sigmas(8, 5).tolist(), unipc_timesteps(8, 5).tolist()))
    else:
        wanted, state = [], NOISE
        for sigma, following in zip(schedule.sigmas, [*schedule.sigmas[1:], 0.0], strict=True):
            state = euler_step(state, velocity(state, sigma * 1000), sigma, following)
            wanted.append(state)
    for ours, theirs in zip(states, wanted, strict=True):
        torch.testing.assert_close(ours.latents, theirs)
        assert ours.expert is None


def test_the_condition_stands_behind_the_noise_in_float32() -> None:
    network = Recorded()
    next(sampled_states(network, NOISE.bfloat16(), given(condition=CONDITION.double()), SCHEDULES["unipc"]))
    latents, timestep, text, image = network.calls[0]
    assert latents.shape == (2, 36, 2, 2, 3)
    assert latents.dtype == timestep.dtype == torch.float32
    assert torch.equal(latents[:, :16], NOISE.bfloat16().float())
    assert torch.equal(latents[:, 16:], CONDITION)
    assert timestep.tolist() == [999.0, 999.0]
    assert torch.equal(text, TEXT)
    assert image is None


def test_the_state_stays_in_float32_whatever_the_network_gives() -> None:
    network = Recorded()
    states = sampled_states(network, NOISE.half(), given(), SCHEDULES["unipc"])
    assert {state.latents.dtype for state in states} == {torch.float32}


def test_at_guidance_1_the_network_is_asked_once_a_step_and_needs_no_negative_prompt() -> None:
    network = Recorded()
    once = final(network, SCHEDULES["unipc"], 1.0, negative_text=None)
    assert len(network.calls) == 8
    assert torch.equal(once, final(Recorded(), SCHEDULES["unipc"], 1.0))
    nearly = final(Recorded(), SCHEDULES["unipc"], 1 + 1e-6)
    torch.testing.assert_close(once, nearly, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.0, 5.0])
def test_guidance_moves_away_from_the_negative_prompt(scale: float) -> None:
    network = Recorded()
    found = final(network, SCHEDULES["euler"], scale)
    assert len(network.calls) == 32
    assert torch.equal(network.calls[1][2], NEGATIVE.expand(2, 1, 2))
    # The velocity is straight in the text, so guidance is as good as another text.
    mixed = NEGATIVE + scale * (TEXT - NEGATIVE)
    torch.testing.assert_close(found, final(Recorded(), SCHEDULES["euler"], text=mixed), atol=1e-4, rtol=1e-4)


def test_two_experts_take_their_timesteps_and_their_guidance() -> None:
    high, low = Recorded(0.7), Recorded(0.2)
    states = list(sampled_states(Experts(high, low), NOISE, given(), SCHEDULES["unipc"], (1.0, 4.0)))
    assert "".join(str(state.expert) for state in states) == "HHHLLLLL"
    assert [call[1][0].item() for call in high.calls] == [999, 999, 972, 972, 937, 937]
    assert [call[1][0].item() for call in low.calls] == [892, 833, 749, 624, 416]
    assert len(low.calls) == 5
    only = final(Experts(Recorded(0.7), Recorded(0.2), 0.0), SCHEDULES["unipc"])
    assert torch.equal(only, final(Recorded(0.7), SCHEDULES["unipc"]))


def test_clips_of_a_batch_are_those_of_single_ones() -> None:
    image = torch.randn(2, 3, 4, generator=DRAW)
    both = final(Recorded(), SCHEDULES["unipc"], 3.0, image=image)
    for place in range(2):
        alone = {"condition": CONDITION[[place]], "text": TEXT[[place]], "image": image[[place]]}
        torch.testing.assert_close(both[[place]], final(Recorded(), SCHEDULES["unipc"], 3.0, NOISE[[place]], **alone))


def test_one_condition_text_and_image_do_for_several_noises() -> None:
    shared = {"condition": CONDITION[:1], "text": TEXT[:1], "image": torch.ones(1, 3, 4)}
    found = final(Recorded(), SCHEDULES["unipc"], 2.0, **shared)
    assert torch.equal(found[1:], final(Recorded(), SCHEDULES["unipc"], 2.0, NOISE[1:], **shared))
    assert not torch.equal(found[0], found[1])


def test_steps_are_taken_when_they_are_asked_for() -> None:
    network = Recorded()
    states = sampled_states(network, NOISE, given(), SCHEDULES["unipc"])
    next(states)
    assert len(network.calls) == 1


def test_gradients_reach_the_network_where_the_caller_lets_them() -> None:
    slope = torch.tensor(0.5, requires_grad=True)
    network = Recorded()
    network.slope = slope  # type: ignore[assignment]
    final(network, euler_schedule([0.9, 0.5])).sum().backward()
    assert slope.grad is not None
    assert slope.grad.abs() > 0


def test_schedules_have_the_references_levels() -> None:
    assert SCHEDULES["unipc"].timesteps == (999, 972, 937, 892, 833, 749, 624, 416)
    assert len(SCHEDULES["unipc"].sigmas) == 9
    levels = flow_sigmas(16, shift=5).tolist()
    assert euler_schedule(levels).timesteps == tuple(1000 * level for level in levels)


@pytest.mark.parametrize("sigmas", [[], [1.1, 0.5], [0.5, 0.0], [0.5, 0.5], [0.4, 0.6]])
def test_levels_that_do_not_fall_are_refused(sigmas: list[float]) -> None:
    with pytest.raises(ConfigError, match="expected levels of noise that fall"):
        euler_schedule(sigmas)


@pytest.mark.parametrize(
    ("guidance", "other", "message"),
    [
        ((2.0, 4.0), {}, r"`guidance` got \(2\.0, 4\.0\); expected one number for one network"),
        (5.0, {"negative_text": None}, "without a negative prompt; expected `negative_text`"),
        (1.0, {"condition": CONDITION[0]}, "`condition` has shape"),
        (1.0, {"condition": CONDITION[..., :2]}, "with equal T, h and w"),
        (1.0, {"text": TEXT.repeat(2, 1, 1)}, "`text` has a batch of 4; expected 2"),
        (1.0, {"image": torch.ones(3, 1, 1)}, "`image` has a batch of 3; expected 2"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_a_step_is_taken(guidance: Any, other: Any, message: str) -> None:
    network = Recorded()
    with pytest.raises((ConfigError, DataError), match=message):
        next(sampled_states(network, NOISE, given(**other), SCHEDULES["unipc"], guidance))
    assert network.calls == []
