from dataclasses import asdict
from typing import Any

import pytest
from tiny_cogvideox import SIZES, TEXT, seeded_call

from anisora.harness.errors import ConfigError
from anisora.harness.networks import inference
from anisora.models.cogvideox.faster_cache import FasterCacheSettings, faster_cache
from anisora.models.cogvideox.noise_table import V1
from anisora.models.cogvideox.sampling import sample_latents

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

STEPS = 15
OFF = (-1, -1)


def sampled(call: Any, **arguments: Any) -> "torch.Tensor":
    condition = torch.randn(1, 3, SIZES.out_channels, 4, 6, generator=torch.Generator().manual_seed(1))
    text = arguments.pop("text", torch.randn(TEXT, generator=torch.Generator().manual_seed(2)))
    generator = torch.Generator().manual_seed(3)
    with inference():
        *_, found = sample_latents(call, condition, text, generator, steps=STEPS, **arguments)
    return found


def batches(call: Any) -> list[int]:
    """Note the number of clips in every computation of the network from here on."""
    seen: list[int] = []

    def note(module: Any, given: Any, found: Any) -> None:
        seen.append(len(found))

    call.network.patch_embed.register_forward_hook(note)
    return seen


def relative(found: "torch.Tensor", expected: "torch.Tensor") -> float:
    return float((found - expected).norm() / expected.norm())


def test_it_leaves_computations_out_and_changes_the_clip_only_a_little() -> None:
    call = seeded_call(factor=0.5)  # a network that follows its prompt mildly from step to step
    plain, no_prompt = sampled(call), sampled(call, text=torch.zeros(TEXT))
    seen = batches(call)
    with faster_cache(call):
        found = sampled(call)
    assert len(seen) == STEPS
    late = [index for index, timestep in enumerate(V1.timesteps(STEPS)) if timestep < 641]
    assert [index for index, clips in enumerate(seen) if clips == 1] == [index for index in late if index % 5]
    assert 0 < relative(found, plain) < 0.01
    assert relative(found, plain) < relative(no_prompt, plain)


def test_after_the_block_the_network_is_as_it_was_and_the_next_clip_starts_anew() -> None:
    call = seeded_call(factor=0.5)
    plain = sampled(call)
    with faster_cache(call):
        assert call.is_cached
        first = sampled(call)
    assert not call.is_cached
    assert torch.equal(sampled(call), plain)
    with faster_cache(call):
        assert torch.equal(sampled(call), first)
    with pytest.raises(RuntimeError, match="stopped"), faster_cache(call):
        raise RuntimeError("stopped")
    assert torch.equal(sampled(call), plain)


def test_branches_that_are_alike_are_predicted_exactly() -> None:
    call, same = seeded_call(), torch.zeros(TEXT)
    plain = sampled(call, text=same)
    with faster_cache(call, FasterCacheSettings(attention_timesteps=OFF)):
        found = sampled(call, text=same)
    torch.testing.assert_close(found, plain, atol=1e-4, rtol=1e-4)


def test_ranges_without_a_timestep_leave_nothing_out() -> None:
    call = seeded_call()
    seen = batches(call)
    with faster_cache(call, FasterCacheSettings(attention_timesteps=OFF, unconditional_timesteps=OFF)):
        found = sampled(call)
    assert seen == [2] * STEPS
    assert torch.equal(found, sampled(call))


@pytest.fixture(scope="module")
def by_default() -> "torch.Tensor":
    call = seeded_call()
    with faster_cache(call):
        return sampled(call)


@pytest.mark.parametrize(
    "settings",
    [
        {"attention_every": 3},
        {"attention_weight": 0.9},
        {"attention_timesteps": (-1, 300)},
        {"unconditional_every": 2},
        {"unconditional_timesteps": (-1, 300)},
        {"low_frequency_weight": 1.5},
        {"low_frequency_timesteps": (-1, 300)},
        {"high_frequency_weight": 1.5},
        {"high_frequency_timesteps": (-1, 600)},
    ],
)
def test_every_setting_counts_and_is_recorded(settings: dict[str, Any], by_default: "torch.Tensor") -> None:
    call = seeded_call()
    with faster_cache(call, FasterCacheSettings(**settings)) as recorded:
        assert not torch.equal(sampled(call), by_default)
    assert recorded["faster_cache"] == {"tensor_format": "BFCHW", **asdict(FasterCacheSettings()), **settings}


def test_one_branch_after_the_other_is_refused() -> None:
    call = seeded_call()
    with faster_cache(call), pytest.raises(ConfigError, match="`batched` got False for a network with FasterCache"):
        sampled(call, batched=False)
