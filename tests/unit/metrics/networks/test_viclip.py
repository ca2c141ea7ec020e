"""ViCLIP against a second implementation in float64 numpy, at tiny size; its keys against the published file's."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError
from anisora.metrics.golden.overall_consistency import viclip_shapes, viclip_state
from anisora.metrics.networks.viclip import Architecture, ViClip

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")

Array = NDArray[np.float64]

TINY = Architecture(
    frames=3,
    patch=2,
    grid=2,
    width=12,
    layers=2,
    heads=3,
    context=8,
    text_width=8,
    text_layers=2,
    text_heads=2,
    dimensions=5,
)
TOLERANCE = 2e-6
PROMPT = "a girl walks"
LONG_PROMPT = "a girl in a red coat walks slowly over a wooden bridge"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return viclip_state(0, TINY)


@pytest.fixture(scope="module")
def network(state: dict[str, Any]) -> ViClip:
    return ViClip(state, architecture=TINY)


@pytest.fixture(scope="module")
def oracle(state: dict[str, Any]) -> "Oracle":
    return Oracle({key: tensor.double().numpy() for key, tensor in state.items()})


@pytest.fixture(scope="module")
def clips() -> Any:
    return torch.from_numpy(np.random.default_rng(5).normal(0, 0.3, (2, 3, 3, 4, 4)).astype(np.float32))


@needs_shared
def test_keys_and_shapes_are_those_of_the_published_file() -> None:
    published = json.loads((GOLDEN / "keys" / "viclip.json").read_text())
    assert viclip_shapes() == {key: tuple(shape) for key, shape in published["tensors"].items()}
    assert len(viclip_shapes()) == published["tensor_count"] == 447


def test_a_file_of_another_network_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="missing"):
        ViClip({key: tensor for key, tensor in state.items() if "ln_post" not in key}, architecture=TINY)


def test_features_of_clips_equal_a_second_implementation(network: ViClip, oracle: "Oracle", clips: Any) -> None:
    found = network(clips)
    assert found.shape == (2, 5)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), [oracle.video(clip) for clip in clips.numpy()], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("prompt", [PROMPT, LONG_PROMPT, "", "  A  Girl\nwalks ", "猫が歩く", "Tom &amp; Jerry"])
def test_features_of_texts_equal_a_second_implementation(network: ViClip, oracle: "Oracle", prompt: str) -> None:
    found = network.encode_text(prompt)
    assert found.shape == (1, 5)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0].numpy(), oracle.text(prompt), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda oracle: replace(oracle, timed_token=True),
        lambda oracle: replace(oracle, timed_patches=False),
        lambda oracle: replace(oracle, placed_patches=False),
        lambda oracle: replace(oracle, epsilon=1e-6),
        lambda oracle: replace(oracle, gelu_factor=1.5957691),
        lambda oracle: replace(oracle, normalised_last=False),
        lambda oracle: replace(oracle, frames_apart=True),
    ],
    ids=[
        "class token with a place in time",
        "patches without one",
        "patches without a place in the frame",
        "epsilon 1e-6",
        "GELU by tanh's slope",
        "no ln_post",
        "frames do not see each other",
    ],
)
def test_known_mistakes_in_the_video_tower_would_be_seen(
    mistake: "Callable[[Oracle], Oracle]", network: ViClip, oracle: "Oracle", clips: Any
) -> None:
    wrong = mistake(oracle).video(clips[0].numpy())
    assert np.abs(network(clips[:1])[0].numpy() - wrong).max() > 3 * TOLERANCE


@pytest.mark.parametrize(
    "mistake",
    [
        lambda oracle: replace(oracle, causal=False),
        lambda oracle: replace(oracle, at_the_end=False),
        lambda oracle: replace(oracle, normalised_last=False),
        lambda oracle: replace(oracle, epsilon=1e-6),
        lambda oracle: replace(oracle, gelu_factor=1.5957691),
    ],
    ids=["no causal mask", "last token, not the end of the text", "no ln_final", "epsilon 1e-6", "GELU"],
)
def test_known_mistakes_in_the_text_tower_would_be_seen(
    mistake: "Callable[[Oracle], Oracle]", network: ViClip, oracle: "Oracle"
) -> None:
    wrong = mistake(oracle).text(PROMPT)
    assert np.abs(network.encode_text(PROMPT)[0].numpy() - wrong).max() > 3 * TOLERANCE


def test_order_of_frames_matters_and_order_of_clips_does_not(network: ViClip, clips: Any) -> None:
    assert (network(clips.flip(1)) - network(clips)).abs().max() > 1e-3
    torch.testing.assert_close(network(clips.flip(0)).flip(0), network(clips), rtol=0, atol=TOLERANCE)


def test_a_text_beyond_the_context_is_cut_and_still_has_its_end(network: ViClip) -> None:
    words = LONG_PROMPT.split()
    cut = " ".join(words[: TINY.context - 2])
    assert torch.equal(network.encode_text(LONG_PROMPT), network.encode_text(cut))
    assert not torch.equal(network.encode_text(LONG_PROMPT), network.encode_text(" ".join(words[:3])))


def test_a_text_is_computed_once_and_its_features_cannot_be_spoilt(state: dict[str, Any]) -> None:
    network = ViClip(state, architecture=TINY)
    first = network.encode_text(PROMPT)
    expected = first.clone()
    for weight in network.module["text_encoder"].parameters():
        weight.zero_()  # a second computation would give zeros
    first.zero_()
    assert torch.equal(network.encode_text(PROMPT), expected)
    assert not network.encode_text(LONG_PROMPT).any()


def test_a_second_network_has_its_own_features_of_a_text(network: ViClip) -> None:
    other = ViClip(viclip_state(1, TINY), architecture=TINY)
    assert (network.encode_text(PROMPT) - other.encode_text(PROMPT)).abs().max() > 1e-2


# What follows is the second implementation: float64, one clip or text, no torch operator. Its fields are the ways in
# which the network could be understood; those that are not the default are wrong.


@dataclass(frozen=True)
class Oracle:
    weights: dict[str, Array]
    epsilon: float = 1e-5
    gelu_factor: float = 1.702
    timed_token: bool = False
    timed_patches: bool = True
    placed_patches: bool = True
    frames_apart: bool = False
    causal: bool = True
    at_the_end: bool = True
    normalised_last: bool = True

    def video(self, clip: Array) -> Array:
        kernel = self.weights["vision_encoder.conv1.weight"][:, :, 0]
        places = self.weights["vision_encoder.positional_embedding"]
        times = self.weights["vision_encoder.temporal_positional_embedding"][0]
        side = kernel.shape[-1]
        tokens = [self.weights["vision_encoder.class_embedding"] + places[0] + times[0] * self.timed_token]
        frame_of = [-1]
        for number, frame in enumerate(clip.astype(np.float64)):
            rows, columns = frame.shape[1] // side, frame.shape[2] // side
            for place in range(rows * columns):
                top, left = place // columns * side, place % columns * side
                token = np.einsum("ocyx,cyx->o", kernel, frame[:, top : top + side, left : left + side])
                token = token + places[1 + place] * self.placed_patches + times[number] * self.timed_patches
                tokens.append(token)
                frame_of.append(number)
        frames = np.array(frame_of)
        alike = (frames[:, None] == frames) | (frames < 0) | (frames[:, None] < 0)
        hidden = self._normalised("vision_encoder.ln_pre", np.array(tokens))
        hidden = self._blocks("vision_encoder", hidden, TINY.heads, alike if self.frames_apart else np.ones_like(alike))
        last = self._normalised("vision_encoder.ln_post", hidden[0]) if self.normalised_last else hidden[0]
        return last @ self.weights["vision_encoder.proj"]

    def text(self, prompt: str) -> Array:
        from open_clip.tokenizer import SimpleTokenizer

        tokenizer = SimpleTokenizer()
        inner = tokenizer.encode(prompt)[: TINY.context - 2]
        tokens = [49406, *inner, 49407]
        end = len(tokens) - 1
        tokens += [0] * (TINY.context - len(tokens))
        hidden = self.weights["text_encoder.token_embedding.weight"][tokens]
        hidden = hidden + self.weights["text_encoder.positional_embedding"]
        seen = np.tril(np.ones((TINY.context, TINY.context), bool)) if self.causal else np.ones((1, 1), bool)
        hidden = self._blocks("text_encoder", hidden, TINY.text_heads, seen)
        last = hidden[end if self.at_the_end else -1]
        last = self._normalised("text_encoder.ln_final", last) if self.normalised_last else last
        return last @ self.weights["text_encoder.text_projection"]

    def _blocks(self, tower: str, hidden: Array, heads: int, seen: NDArray[np.bool_]) -> Array:
        for layer in range(TINY.layers):
            block = f"{tower}.transformer.resblocks.{layer}."
            inner = self._normalised(block + "ln_1", hidden)
            joint = inner @ self.weights[block + "attn.in_proj_weight"].T + self.weights[block + "attn.in_proj_bias"]
            query, key, value = np.split(joint, 3, axis=1)
            size = query.shape[1] // heads
            mixed = np.empty_like(query)
            for head in range(heads):
                own = slice(head * size, (head + 1) * size)
                logits = np.where(seen, query[:, own] @ key[:, own].T / np.sqrt(size), -np.inf)
                share = np.exp(logits - logits.max(1, keepdims=True))
                mixed[:, own] = share / share.sum(1, keepdims=True) @ value[:, own]
            hidden = hidden + self._linear(block + "attn.out_proj", mixed)
            wide = self._linear(block + "mlp.c_fc", self._normalised(block + "ln_2", hidden))
            hidden = hidden + self._linear(block + "mlp.c_proj", wide / (1 + np.exp(-self.gelu_factor * wide)))
        return hidden

    def _linear(self, name: str, inputs: Array) -> Array:
        return inputs @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _normalised(self, name: str, inputs: Array) -> Array:
        centred = inputs - inputs.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]
