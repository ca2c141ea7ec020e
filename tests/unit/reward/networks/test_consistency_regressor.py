"""The regressors at tiny size: their key maps, BERT against float64 numpy, and the head as a sum of contributions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared
from tiny_regressors import SIZES, regressor_state, tiny_regressor

from anisora.harness.errors import ConfigError
from anisora.harness.networks import inference, shapes_of
from anisora.harness.weights import match_keys
from anisora.reward.networks.blip_vision import host_key
from anisora.reward.networks.consistency_regressor import (
    UNUSED_KEYS,
    ConsistencyRegressor,
    RegressorSizes,
    TextSizes,
    consistency_score,
)

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
special = pytest.importorskip("scipy.special")

KEYS = ("image", "text")


@pytest.fixture(scope="module")
def state():
    drawn = regressor_state("text")
    # Small deviations in the embedding, where the epsilon of its norm shows.
    return {key: value * (0.01 if "embeddings.weight" in key else 1.0) for key, value in drawn.items()}


@pytest.fixture(scope="module")
def network(state):
    return ConsistencyRegressor("text", state, SIZES)


@pytest.fixture(scope="module")
def pixels():
    return torch.from_numpy(np.random.default_rng(1).standard_normal((5, 3, 32, 32)).astype(np.float32))


def bert(ids, mask, state, *, heads=5, epsilon=1e-12):
    """BERT in float64: norms after each addition, every token sees every token of the text."""
    weights = {key.removeprefix("text_encoder."): value.numpy().astype(np.float64) for key, value in state.items()}

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    words = weights["embeddings.word_embeddings.weight"][ids]
    x = norm(words + weights["embeddings.position_embeddings.weight"][: len(ids)], "embeddings.LayerNorm")
    for layer in range(2):
        block = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{block}.attention.self.{part}").reshape(len(x), heads, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        logits = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]) + np.where(np.asarray(mask) > 0, 0, -1e9)
        mixed = (special.softmax(logits, axis=-1) @ v).transpose(1, 0, 2).reshape(len(x), -1)
        x = norm(x + linear(mixed, f"{block}.attention.output.dense"), f"{block}.attention.output.LayerNorm")
        inner = linear(x, f"{block}.intermediate.dense")
        inner = 0.5 * inner * (1 + special.erf(inner / np.sqrt(2)))
        x = norm(x + linear(inner, f"{block}.output.dense"), f"{block}.output.LayerNorm")
    return x[0]


def test_texts_are_those_of_the_oracle_and_known_mistakes_would_show(network, state) -> None:
    ids = [[2, 9, 11, 5, 3, 0, 0], [2, 8, 8, 7, 6, 5, 3]]
    mask = [[1, 1, 1, 1, 1, 0, 0], [1] * 7]
    found = network.text_features(torch.tensor(ids), torch.tensor(mask)).numpy()
    assert found.shape == (2, 30)
    for row, text, seen in zip(found, ids, mask, strict=True):
        expected = bert(text, seen, state)
        np.testing.assert_allclose(row, expected, atol=2e-5)
        assert np.abs(bert(text, seen, state, heads=3) - expected).max() > 1e-3, "heads would not be noticed"
        assert np.abs(bert(text, seen, state, epsilon=1e-5) - expected).max() > 1e-3, "nor the epsilon of the norms"
    assert np.abs(bert(ids[0], [1] * 7, state) - bert(ids[0], mask[0], state)).max() > 1e-3, "nor the mask"


def test_filling_up_changes_nothing_and_the_order_of_words_does(network) -> None:
    text, ones = torch.tensor([[2, 9, 11, 5, 3]]), torch.ones(1, 5, dtype=torch.int64)
    filled = torch.tensor([[2, 9, 11, 5, 3, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0]])
    found = network.text_features(text, ones)
    assert torch.allclose(network.text_features(filled, mask), found, atol=1e-5)
    assert not torch.allclose(network.text_features(text[:, [0, 2, 1, 3, 4]], ones), found, atol=1e-3)


@pytest.mark.parametrize("key", KEYS)
def test_the_score_is_that_of_the_layers_one_after_the_other(key, pixels) -> None:
    network = tiny_regressor(key)
    frames = network.picture_features(pixels)
    keys = (
        network.picture_features(pixels[:1])
        if key == "image"
        else network.text_features(torch.tensor([[2, 9, 3]]), torch.tensor([[1, 1, 1]]))
    )
    module = network.module
    with inference():
        joined = torch.cat([module["img_proj"](frames.mean(0, keepdim=True)), module["img_key_proj"](keys)], dim=-1)
        expected = torch.sigmoid(module["head_diff"](joined)).item()
    found = consistency_score(network.frame_logits(frames), network.key_logits(keys)[0])
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0.01 < expected < 0.99, "saturated: nothing would be noticed"


@pytest.mark.parametrize(("logit", "score"), [(0.0, 0.5), (-900.0, 0.0), (900.0, 1.0), (np.log(3), 0.75)])
def test_the_score_is_a_sigmoid_that_does_not_overflow(logit, score) -> None:
    with np.errstate(over="raise"):
        assert consistency_score(np.array([logit + 1, logit - 1]), 0.0) == pytest.approx(score, abs=1e-12)
        assert consistency_score(np.array([logit]), 1.0) >= score


@needs_shared
@pytest.mark.parametrize("key", KEYS)
def test_keys_and_shapes_are_those_of_the_released_checkpoint(key) -> None:
    file = json.loads((GOLDEN / "keys" / f"{key}_video_regressor.json").read_text())
    # Each tensor stands for its shape alone: the checkpoint itself is 300 to 900 MB.
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in file["tensors"].items()}
    shapes = shapes_of(ConsistencyRegressor.empty(key))
    matched = match_keys(state, shapes, rename=host_key, superfluous=UNUSED_KEYS[key])
    assert len(matched) == len(state) - file.get("superfluous_count", 0)
    kept = {host_key(name) for name in state} - {host_key(name) for name in file.get("superfluous", [])}
    assert kept == set(shapes)


@pytest.mark.parametrize("key", KEYS)
def test_one_key_too_few_or_too_many_is_refused(key) -> None:
    state = regressor_state(key)
    for name in ("visual_encoder.norm.bias", "img_key_proj.weight", "head_diff.bias"):
        with pytest.raises(ConfigError, match="1 missing"):
            ConsistencyRegressor(key, {each: value for each, value in state.items() if each != name}, SIZES)
    for name in ("visual_encoder.head.weight", "text_encoder.pooler.dense.weight", "queue_ptr", "temp"):
        with pytest.raises(ConfigError, match=f"1 unexpected \\({name}\\)"):
            ConsistencyRegressor(key, {**state, name: torch.zeros(1)}, SIZES)


def test_the_superfluous_keys_of_the_text_file_are_passed_over_and_are_errors_in_the_other(pixels) -> None:
    extra = {
        "text_encoder.embeddings.position_ids": torch.arange(48)[None],
        "text_encoder.encoder.layer.0.crossattention.self.query.weight": torch.zeros(30, 30),
        "text_encoder.encoder.layer.1.crossattention.output.LayerNorm.bias": torch.zeros(30),
    }
    ids, mask = torch.tensor([[2, 9, 3]]), torch.tensor([[1, 1, 1]])
    state = regressor_state("text")
    features = ConsistencyRegressor("text", {**state, **extra}, SIZES).text_features(ids, mask)
    assert torch.equal(features, ConsistencyRegressor("text", state, SIZES).text_features(ids, mask))
    with pytest.raises(ConfigError, match="3 unexpected"):
        ConsistencyRegressor("image", {**regressor_state("image"), **extra}, SIZES)


def test_texts_are_refused_where_they_do_not_belong(network) -> None:
    long = torch.ones(1, 49, dtype=torch.int64)
    with pytest.raises(ConfigError, match="texts of 49 tokens; expected the key 'text' and at most 48"):
        network.text_features(long, long)
    with pytest.raises(ConfigError, match="whose key is 'image'"):
        tiny_regressor("image").text_features(long[:, :3], long[:, :3])


def test_another_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="`key` got 'sound'; expected one of image, text"):
        ConsistencyRegressor.empty("sound")  # type: ignore[arg-type]


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ConfigError, match="BERT got width 30 for 8 heads"):
        ConsistencyRegressor.empty("text", replace(SIZES, text=replace(SIZES.text, heads=8)))


@needs_shared
def test_sizes_come_from_the_configuration_of_a_case() -> None:
    config = json.loads((GOLDEN / "c04_text_video_regressor" / "case.json").read_text())["config"]
    sizes = RegressorSizes.from_config(config)
    assert sizes.text.heads == config["text"]["num_heads"]
    assert sizes.projected == config["head"]["img_proj"][1]
    assert sizes.text.epsilon == TextSizes().epsilon == 1e-12
    for name in ("vision", "head"):
        with pytest.raises(ConfigError, match="expected vision, and img_proj in head"):
            RegressorSizes.from_config({key: value for key, value in config.items() if key != name})
