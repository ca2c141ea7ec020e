"""The regressors and the identity embedder against the reference's own networks with small weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared
from tiny_regressors import seeded_state

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.parity import Comparison
from anisora.harness.registry import registry
from anisora.reward.networks.consistency_regressor import ConsistencyRegressor, RegressorSizes
from anisora.reward.networks.identity_embedder import EmbedderSizes, IdentityEmbedder

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")

pytestmark = pytest.mark.parity

IMAGE, TEXT, EMBEDDER = "c03_image_video_regressor", "c04_text_video_regressor", "c05a_identity_embedder"
VISION = {
    "image_size": 24,
    "patch_size": 12,
    "hidden_size": 20,
    "num_layers": 1,
    "num_heads": 2,
    "mlp_ratio": 3,
    "layer_norm_eps": 1e-6,
}
WORDS = {
    "vocab_size": 30,
    "hidden_size": 12,
    "num_layers": 3,
    "num_heads": 3,
    "intermediate_size": 10,
    "max_position_embeddings": 17,
    "layer_norm_eps": 1e-12,
}


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return found


def handled(kind: str, folder: Path, case: dict[str, Any] | None = None) -> list[Comparison]:
    found: list[Comparison] = registry("parity").get(kind)(folder, case or read(folder))
    return found


def failed(kind: str, folder: Path, case: dict[str, Any] | None = None) -> set[str]:
    return {each.name for each in handled(kind, folder, case) if not each.passed}


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    def make(kind: str) -> Path:
        shutil.copytree(GOLDEN / kind, tmp_path / kind, copy_function=shutil.copyfile)
        (tmp_path / kind).chmod(0o755)
        return tmp_path / kind

    return make


def change(folder: Path, file: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    tensors = safetensors.load_file(folder / file)
    safetensors.save_file({key: value.contiguous() for key, value in edit(tensors).items()}, folder / file)


@needs_shared
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (IMAGE, {"frame_cls", "key_cls", "score"}),
        (TEXT, {"text_cls", "score", "superfluous keys"}),
        (EMBEDDER, {"query_embeds", "gallery_embeds", "identity_prob_per_frame", "score", "identities"}),
    ],
)
def test_everything_that_the_reference_computed_is_computed_alike(kind: str, names: set[str]) -> None:
    comparisons = handled(kind, GOLDEN / kind)
    assert all(each.passed for each in comparisons), [each for each in comparisons if not each.passed]
    assert {each.name for each in comparisons} == names


@needs_shared
@pytest.mark.parametrize(
    ("kind", "part", "sizes"),
    [
        (IMAGE, "vision", {"layer_norm_eps": 1e-5}),
        (IMAGE, "vision", {"num_heads": 2}),
        (TEXT, "vision", {"num_heads": 2}),
        (TEXT, "text", {"num_heads": 3}),
        (TEXT, "text", {"layer_norm_eps": 1e-5}),
        (EMBEDDER, "vision", {"num_heads": 2}),
    ],
)
def test_another_configuration_breaks_the_case(kind: str, part: str, sizes: dict[str, float]) -> None:
    case = read(GOLDEN / kind)
    case["config"][part].update(sizes)
    assert "score" in failed(kind, GOLDEN / kind, case)


@needs_shared
@pytest.mark.parametrize(("kind", "tensor"), [(IMAGE, "key_cls"), (TEXT, "text_cls"), (EMBEDDER, "query_embeds")])
def test_what_is_not_computed_here_and_keys_too_few_or_too_many_are_errors(copy, kind: str, tensor: str) -> None:
    folder = copy(kind)
    change(folder, "expected.safetensors", lambda tensors: {**tensors, tensor: tensors[tensor] + 1e-3})
    assert failed(kind, folder) == {tensor}
    change(folder, "expected.safetensors", lambda tensors: {**tensors, "attention": torch.zeros(1)})
    with pytest.raises(DataError, match="expects attention"):
        handled(kind, folder)
    change(folder, "weights.safetensors", lambda tensors: {**tensors, "visual_encoder.head.bias": torch.zeros(1)})
    with pytest.raises(ConfigError, match=r"1 unexpected \(visual_encoder.head.bias\)"):
        handled(kind, folder)


@needs_shared
def test_the_superfluous_keys_are_counted(copy) -> None:
    folder = copy(TEXT)
    change(folder, "weights.safetensors", lambda each: {k: v for k, v in each.items() if "crossattention" not in k})
    assert failed(TEXT, folder) == {"superfluous keys"}


def write(folder: Path, config: dict[str, Any], more: dict[str, Any], **tensors: dict[str, Any]) -> Path:
    for name, content in tensors.items():
        safetensors.save_file(
            {key: value.contiguous() for key, value in content.items()}, folder / f"{name}.safetensors"
        )
    (folder / "case.json").write_text(json.dumps({"config": config, "tolerance": 3e-6, **more}))
    return folder


def noise(*shape: int) -> Any:
    return torch.from_numpy(np.random.default_rng(3).standard_normal(shape).astype(np.float32))


def regressor_case(folder: Path, key: Any, *, frames: int, texts: int = 1) -> Path:
    """A folder of the same layout with other widths, layers and counts, by the layers one after the other."""
    config: dict[str, Any] = {"vision": VISION, "head": {"img_proj": [20, 14]}}
    if key == "text":
        config["text"] = WORDS
    sizes = RegressorSizes.from_config(config)
    state = seeded_state(ConsistencyRegressor.empty(key, sizes), "other", 5)
    network = ConsistencyRegressor(key, state, sizes)
    inputs: dict[str, Any] = {"frames": noise(frames, 3, 24, 24)}
    if key == "image":
        inputs["key_image"] = noise(frames + 1, 3, 24, 24)[-1]
        keys = network.picture_features(inputs["key_image"][None])
    else:
        inputs["input_ids"] = torch.arange(texts * 17).reshape(texts, 17) % 30
        inputs["attention_mask"] = (torch.arange(17) < 9).long().expand(texts, -1)
        keys = network.text_features(inputs["input_ids"], inputs["attention_mask"])
    seen = network.picture_features(inputs["frames"])
    left = seen.mean(0) @ state["img_proj.weight"].T + state["img_proj.bias"]
    right = keys @ state["img_key_proj.weight"].T + state["img_key_proj.bias"]
    joined = torch.cat([left.expand(len(right), -1), right], dim=-1)
    score = torch.sigmoid(joined @ state["head_diff.weight"].T + state["head_diff.bias"])[:, 0]
    expected = {"score": score}
    expected |= {"frame_cls": seen, "key_cls": keys} if key == "image" else {"text_cls": keys}
    return write(folder, config, {}, weights=state, inputs=inputs, expected=expected)


@pytest.mark.parametrize("frames", [1, 9])
def test_a_clip_of_another_length_and_other_sizes_is_compared_too(tmp_path: Path, frames: int) -> None:
    for key, kind in (("image", IMAGE), ("text", TEXT)):
        folder = tmp_path / key
        folder.mkdir()
        regressor_case(folder, key, frames=frames, texts=3)
        comparisons = handled(kind, folder)
        assert all(each.passed for each in comparisons), [each for each in comparisons if not each.passed]
        change(folder, "expected.safetensors", lambda tensors: {**tensors, "score": tensors["score"] + 1e-5})
        assert failed(kind, folder) == {"score"}


def test_a_gallery_of_another_size_is_compared_too(tmp_path: Path) -> None:
    config = {"vision": VISION, "vision_proj": [20, 6]}
    sizes = EmbedderSizes.from_config(config)
    state = seeded_state(IdentityEmbedder.empty(sizes), "other", 5)
    network = IdentityEmbedder(state, sizes)
    crops, pictures = noise(2, 3, 3, 24, 24), noise(4, 3, 24, 24)
    queries = torch.stack([network(each) for each in crops])
    gallery = network(pictures)
    names = ["B", "a", "b", "A"]
    means = torch.stack([gallery[[0, 2]].mean(0), gallery[[1, 3]].mean(0)])
    frames = (queries.double() @ means.double().T).softmax(-1)
    expected = {
        "query_embeds": queries,
        "gallery_embeds": gallery,
        "identity_prob_per_frame": frames.float(),
        "score": frames.mean(1).amax(-1).mean()[None],
    }
    inputs = {"query_crops": crops, "gallery_images": pictures}
    write(
        tmp_path,
        config,
        {"gallery_names": names, "identities": ["b", "a"]},
        weights=state,
        inputs=inputs,
        expected=expected,
    )
    comparisons = handled(EMBEDDER, tmp_path)
    assert len(comparisons) == 5
    assert all(each.passed for each in comparisons), [each for each in comparisons if not each.passed]
    case = read(tmp_path)
    assert failed(EMBEDDER, tmp_path, {**case, "identities": ["a", "b"]}) == {"identities"}
