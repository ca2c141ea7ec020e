"""The Idefics2 regressor at tiny size: where it departs from its host, and what its inputs change."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared
from tiny_judge import SIZES, tiny_config, tiny_network, tiny_state

from anisora.harness.errors import ConfigError, MetricError, WeightsMissing
from anisora.harness.networks import shapes_of
from anisora.harness.weights import entry_of
from anisora.reward.networks import idefics2_regressor
from anisora.reward.networks.idefics2_regressor import Idefics2Regressor, kept_patches, position_ids
from anisora.reward.networks.idefics2_sizes import RELEASED, Idefics2Sizes

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

PICTURE = SIZES.image_token


@pytest.fixture(scope="module")
def network() -> Idefics2Regressor:
    return tiny_network()


@pytest.fixture(scope="module")
def released() -> Any:
    return Idefics2Regressor.empty()


@pytest.fixture(scope="module")
def pixels() -> Any:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((3, 3, 42, 70)).astype(np.float32))


@pytest.fixture(scope="module")
def mask(pixels) -> Any:
    return torch.ones(3, 42, 70, dtype=torch.uint8)


def text(pictures: int = 3) -> Any:
    return torch.tensor([0, 5, 7, *([PICTURE] * 3 + [9]) * pictures, 4])


@needs_shared
def test_the_keys_and_shapes_are_those_of_the_released_folders(released) -> None:
    listed = json.loads((GOLDEN / "keys" / "idefics2_regressor.json").read_text())
    shapes = {key: tuple(shape) for key, shape in listed["tensors"].items()}
    assert shapes_of(released) == shapes
    assert len(shapes) == listed["tensor_count"]
    assert sum(tensor.numel() for tensor in released.state_dict().values()) == listed["element_count"]


def test_every_epsilon_is_that_of_the_release(released) -> None:
    eps: dict[str, set[float]] = {}
    for name, module in released.named_modules():
        value = getattr(module, "variance_epsilon", getattr(module, "eps", None))
        if value is not None:
            eps.setdefault(name.split(".")[1], set()).add(value)
    assert eps == {"vision_model": {1e-6}, "connector": {1e-5}, "text_model": {1e-5}}


def test_nothing_but_the_state_is_left_without_numbers(network) -> None:
    assert [name for name, buffer in network.module.named_buffers() if buffer.is_meta] == []
    assert network.module["model"].text_model.rotary_emb.inv_freq.dtype == torch.float32


def test_the_perceiver_has_the_epsilon_of_the_text() -> None:
    other = tiny_network(sizes=Idefics2Sizes.from_config(tiny_config({"rms_norm_eps": 1e-3})))
    layer = other.module["model"].connector.perceiver_resampler.layers[0]
    assert layer.input_latents_norm.variance_epsilon == 1e-3


def test_sizes_come_from_a_configuration_and_what_it_leaves_out_is_the_released_networks() -> None:
    sizes = Idefics2Sizes.from_config(tiny_config({"sliding_window": None, "max_position_embeddings": 99}))
    assert sizes == replace(SIZES, positions=99)
    assert (sizes.labels, sizes.window, sizes.grid) == (1, RELEASED.window, 7)
    assert (sizes.rms_eps, sizes.vision_eps, sizes.rope_theta) == (1e-5, 1e-6, 1e4)
    lacking = tiny_config({})
    del lacking["perceiver_config"], lacking["text_config"]["vocab_size"]
    with pytest.raises(ConfigError, match=r"lacks perceiver_config.num_key_value_heads, .*, text_config.vocab_size;"):
        Idefics2Sizes.from_config(lacking)


def test_positions_are_those_of_the_host_but_for_49_and_58_patches() -> None:
    edges = torch.arange(1 / 70, 1.0, 1 / 70)
    differing = []
    for count in range(1, 71):
        ours = position_ids(torch.ones(1, count, 1, dtype=torch.bool), 70)[0]
        fractions = torch.arange(count, dtype=torch.float32) * (1.0 / torch.tensor(count))
        hosts = torch.bucketize(fractions.clamp(max=1 - 1e-6), edges, right=True) * 70
        differing += [] if torch.equal(ours, hosts) else [count]
    assert differing == [49, 58]


def test_padding_has_no_position_and_a_full_picture_has_each_once() -> None:
    kept = torch.zeros(2, 7, 7, dtype=torch.bool)
    kept[0, :, :], kept[1, :2, :3] = True, True
    places = position_ids(kept, 7)
    assert places[0].tolist() == list(range(49))
    assert places[1].reshape(7, 7)[:2, :3].tolist() == [[0, 2, 4], [21, 23, 25]]
    assert int(places[1].reshape(7, 7)[2:].sum()) == 0


def test_a_patch_with_any_real_pixel_is_seen_and_leftover_pixels_are_no_patch() -> None:
    mask = torch.zeros(1, 35, 30, dtype=torch.uint8)
    mask[0, :15, :28] = 1
    assert kept_patches(mask, 14).tolist() == [[[True, True], [True, True]]]
    mask[0, 14:] = 0
    assert kept_patches(mask, 14).tolist() == [[[True, True], [False, False]]]


def test_pictures_do_not_depend_on_those_beside_them_nor_on_padding(network, pixels, mask) -> None:
    together = network.picture_tokens(pixels, mask)
    alone = torch.cat([network.picture_tokens(pixels[place : place + 1], mask[:1]) for place in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)
    padded, real = torch.zeros(3, 3, 98, 98), torch.zeros(3, 98, 98)
    padded[:, :, :42, :70], real[:, :42, :70] = pixels, 1
    assert torch.allclose(network.picture_tokens(padded, real), together, atol=1e-5)


def test_the_tower_sees_at_most_two_pictures_at_once(network, pixels, mask, monkeypatch) -> None:
    tower, seen = network.module["model"].vision_model, []
    forward = tower.forward
    monkeypatch.setattr(tower, "forward", lambda **given: seen.append(len(given["pixel_values"])) or forward(**given))
    network(text(), pixels, mask)
    assert seen == [2, 1]


def test_the_last_position_answers_and_sees_all_that_stands_before_it(network, pixels, mask) -> None:
    logit = network(text(), pixels, mask)
    assert logit.shape == (1,)
    assert logit.dtype == torch.float32
    longer = torch.cat([text(), torch.tensor([6])])
    assert abs(float(network(longer, pixels, mask) - logit)) > 1e-3
    first = text()
    first[1] = 8
    assert abs(float(network(first, pixels, mask) - logit)) > 1e-4


def test_the_order_of_pictures_counts(network, pixels, mask) -> None:
    assert abs(float(network(text(), pixels, mask) - network(text(), pixels.flip(0), mask))) > 1e-4


def test_a_text_with_room_for_other_pictures_is_refused(network, pixels, mask) -> None:
    with pytest.raises(MetricError, match="has 6 image tokens; expected 9, 3 for each of 3 pictures"):
        network(text(2), pixels, mask)


def test_the_head_of_the_release_has_the_steps_of_bfloat16_and_the_corrected_one_has_not(pixels, mask) -> None:
    state = tiny_state()
    state["score.bias"] = torch.tensor([90.0])
    network = Idefics2Regressor("tiny", state=state, sizes=SIZES)
    assert {tensor.dtype for tensor in network.module.state_dict().values()} == {torch.bfloat16}
    reference = float(network(text(), pixels, mask))
    corrected = float(network(text(), pixels, mask, mode="corrected"))
    assert reference % 0.5 == 0
    assert corrected % 0.5 != 0
    assert abs(reference - corrected) <= 0.25
    wide = tiny_network()
    assert float(wide(text(), pixels, mask)) == float(wide(text(), pixels, mask, mode="corrected"))


def test_missing_and_superfluous_keys_are_refused() -> None:
    state = tiny_state()
    state["lm_head.weight"] = state.pop("score.bias")
    with pytest.raises(ConfigError, match=r"1 missing \(score.bias\); 1 unexpected \(lm_head.weight\)"):
        Idefics2Regressor("tiny", state=state, sizes=SIZES)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of weights that has the files of the ledger, with two keys in each shard."""
    for place, file in enumerate(entry_of("idefics2-smooth").files):
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            tensors = {f"{place}.{word}": torch.full((2,), float(place)) for word in "ab"}
            safetensors.save_file(tensors, path)
        else:
            path.write_text("{}")
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    return tmp_path


def test_all_shards_of_a_checkpoint_are_read_and_none_may_be_missing(folder: Path) -> None:
    state = idefics2_regressor._published("idefics2-smooth")
    assert sorted(state) == [f"{place}.{word}" for place in range(4) for word in "ab"]
    shard = next(folder.rglob("model-00003*"))
    safetensors.save_file({"0.a": torch.zeros(2)}, shard)
    with pytest.raises(ConfigError, match=r"model-00003-of-00004.safetensors` hold '0.a', which another file"):
        idefics2_regressor._published("idefics2-smooth")
    shard.unlink()
    with pytest.raises(WeightsMissing, match=r"model-00003-of-00004\.safetensors"):
        idefics2_regressor._published("idefics2-smooth")
