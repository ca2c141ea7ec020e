from typing import Any

import pytest
from tiny_cogvideox import SIZES, TEXT, seeded_call

from anisora.harness.errors import ConfigError
from anisora.harness.networks import inference
from anisora.models.cogvideox.rotary import rotary_positions

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

LEARNED = {
    "use_learned_positional_embeddings": True,
    "sample_frames": 9,
    "sample_height": 4,
    "sample_width": 6,
}


def latents(frames: int = 3, height: int = 4, width: int = 6, *, batch: int = 1) -> "torch.Tensor":
    generator = torch.Generator().manual_seed(5)
    return torch.randn(batch, frames, SIZES.in_channels, height, width, generator=generator)


def text(batch: int = 1) -> "torch.Tensor":
    return torch.randn(batch, *TEXT[1:], generator=torch.Generator().manual_seed(6))


def direct(call: Any, given: "torch.Tensor", words: "torch.Tensor", timestep: int, **positions: Any) -> "torch.Tensor":
    rotary = rotary_positions(given.shape[1], *given.shape[3:], head_dim=SIZES.head_dim, **positions)
    found: torch.Tensor = call.network(given, words, torch.tensor([timestep]), image_rotary_emb=rotary).sample
    return found


def test_a_call_is_the_networks_with_positions_counted_from_0() -> None:
    call = seeded_call()
    with inference():
        found = call(latents(), text(), 500)
        assert found.shape == (1, 3, SIZES.out_channels, 4, 6)
        assert torch.equal(found, direct(call, latents(), text(), 500))
        other = call(latents(2, 6, 4), text(), 19)  # other positions
        assert torch.equal(other, direct(call, latents(2, 6, 4), text(), 19))


def test_stretched_positions_are_those_of_the_networks_size() -> None:
    call = seeded_call(stretched=True, sample_height=8, sample_width=12)
    with inference():
        found = call(latents(), text(), 500)
        assert torch.equal(found, direct(call, latents(), text(), 500, trained=(8, 12)))
        assert not torch.allclose(found, direct(call, latents(), text(), 500))


def test_timesteps_are_of_all_or_of_each() -> None:
    call = seeded_call()
    with inference():
        each = call(latents(batch=2), text(2), torch.tensor([19, 999]))
        assert call.timestep is None
        for place, timestep in enumerate((19, 999)):
            alone = call(latents(batch=2), text(2), timestep)
            assert call.timestep == timestep
            torch.testing.assert_close(each[place], alone[place])


def test_a_network_computes_in_its_own_format_and_answers_in_float32() -> None:
    whole, half = seeded_call(), seeded_call()
    half.network.to(torch.bfloat16)
    with inference():
        exact, rounded = whole(latents(), text(), 500), half(latents(), text(), 500)
        assert rounded.dtype == torch.float32
        assert torch.equal(rounded, rounded.bfloat16().float())
        assert (exact - rounded).abs().max() < 0.1 * exact.abs().max()


def test_gradients_reach_what_a_trainer_trains() -> None:
    call = seeded_call()
    call.network.proj_out.requires_grad_(requires_grad=True)
    call(latents(), text(), 500).square().mean().backward()
    assert call.network.proj_out.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(5, 4, 6), (3, 6, 4), (1, 4, 6)])
def test_learned_positions_are_for_one_size_alone(size: tuple[int, int, int]) -> None:
    call = seeded_call(stretched=True, **LEARNED)
    with inference():
        assert call(latents(), text(), 500).isfinite().all()
        message = r"expected \(3, 4, 6\), the one size .* Ask for 9 frames of 48x32 pixels"
        with pytest.raises(ConfigError, match=message):
            call(latents(*size), text(), 500)
