"""ActionCLIP's motion score against the reference's own network with small weights, and against known mistakes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.metrics.golden import actionclip_motion
from anisora.metrics.golden.actionclip_motion import handle
from anisora.metrics.networks.actionclip import ActionClip, ActionClipSizes
from anisora.metrics.vbench import motion_score

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
safetensors = pytest.importorskip("safetensors.torch")

CASE = GOLDEN / "c02_actionclip_motion"

pytestmark = pytest.mark.parity


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return found


def failed(folder: Path) -> set[str]:
    return {comparison.name for comparison in handle(folder, read(folder)) if not comparison.passed}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    shutil.copytree(CASE, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder


def change(folder: Path, file: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    tensors = safetensors.load_file(folder / file)
    safetensors.save_file({key: value.contiguous() for key, value in edit(tensors).items()}, folder / file)


@needs_shared
def test_everything_that_the_reference_computed_is_computed_alike() -> None:
    comparisons = handle(CASE, read(CASE))
    assert all(comparison.passed for comparison in comparisons), [each for each in comparisons if not each.passed]
    names = {comparison.name for comparison in comparisons}
    assert {"text_features", "video_features_0", "video_features_1", "frames_1 motion_score"} <= names
    assert len(comparisons) == 9


@needs_shared
def test_plain_gelu_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    monkeypatch.setattr(open_clip.model, "QuickGELU", torch.nn.GELU)
    assert "text_features" in failed(CASE)
    monkeypatch.undo()
    monkeypatch.setattr(open_clip.transformer, "QuickGELU", torch.nn.GELU)  # of the adapter alone
    assert "text_features" not in failed(CASE)
    assert "video_features_0" in failed(CASE)


@needs_shared
def test_frames_chosen_by_rounding_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        actionclip_motion, "linspace_8", lambda total: np.rint(np.linspace(0, total - 1, 8)).astype(int).tolist()
    )
    assert {"frames_1 indices", "video_features_1", "frames_1 motion_score"} <= failed(CASE)


@needs_shared
def test_another_scale_than_100_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion_score, "SCALE", 99.0)
    assert failed(CASE) == {"frames_0 motion_score", "frames_1 motion_score"}


@needs_shared
def test_texts_in_the_other_order_would_be_noticed(copy: Path) -> None:
    change(copy, "inputs.safetensors", lambda tensors: {**tensors, "text_tokens": tensors["text_tokens"].flip(0)})
    assert {"text_features", "frames_0 motion_score", "frames_1 motion_score"} <= failed(copy)


@needs_shared
def test_a_wrong_number_of_heads_would_be_noticed(copy: Path) -> None:
    case = read(copy)
    case["config"]["adapter_heads"] = 1
    assert not all(comparison.passed for comparison in handle(copy, case))


@needs_shared
def test_what_a_case_expects_beside_the_known_quantities_is_an_error_and_so_are_weights_too_few(copy: Path) -> None:
    change(copy, "expected.safetensors", lambda tensors: {**tensors, "attention": torch.zeros(1)})
    with pytest.raises(DataError, match="expects attention"):
        handle(copy, read(copy))
    change(
        copy,
        "weights.safetensors",
        lambda tensors: {k: v for k, v in tensors.items() if not k.endswith("ln_final.bias")},
    )
    with pytest.raises(ConfigError, match="1 missing"):
        handle(copy, read(copy))


@pytest.fixture
def other_case(tmp_path: Path) -> Path:
    """A folder of the same layout with other widths, layers, lengths and form of tolerance, from our own network."""
    config = {
        "embed_dim": 24,
        "image_resolution": 24,
        "vision_layers": 1,
        "vision_width": 32,
        "vision_patch_size": 12,
        "context_length": 7,
        "vocab_size": 30,
        "transformer_width": 48,
        "transformer_layers": 3,
        "adapter_layers": 4,
        "adapter_segments": 8,
        "vision_heads": 2,
        "text_heads": 3,
        "adapter_heads": 3,
    }
    sizes = ActionClipSizes.from_config(config)
    drawn = untrained_rule(shapes_of(ActionClip.empty(sizes)), tag="other", seed=9)
    state = {key: torch.from_numpy(array) for key, array in drawn.items()}
    network = ActionClip(state, sizes)
    random = np.random.default_rng(2)
    inputs = {"text_tokens": torch.tensor([[1, 5, 29, 0, 0, 0, 0], [29, 3, 0, 0, 0, 0, 0]])}
    expected = {"text_features": network.encode_tokens(inputs["text_tokens"])}
    rows = []
    for place, (total, indices) in enumerate([(3, [0, 0, 0, 0, 1, 1, 1, 2]), (24, [0, 3, 6, 9, 13, 16, 19, 23])]):
        frames = torch.from_numpy(random.standard_normal((total, 3, 24, 24)).astype(np.float32))
        inputs[f"frames_{place}"] = frames
        expected[f"video_features_{place}"] = network.encode_clips(frames[indices][None])
        cosine = torch.nn.functional.cosine_similarity(
            expected[f"video_features_{place}"].double(), expected["text_features"].double()
        )
        score = float((100 * cosine).softmax(0)[0])
        rows.append({"frames": f"frames_{place}", "T": total, "indices": indices, "motion_score": score})
    for name, tensors in (("weights", state), ("inputs", inputs), ("expected", expected)):
        safetensors.save_file(tensors, tmp_path / f"{name}.safetensors")
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    tolerance = {"motion_score_atol": 2e-5, "text_features": "exact", "video_features_0_rtol": 1e-4}
    (tmp_path / "case.json").write_text(json.dumps({"config": config, "tolerance": tolerance}))
    return tmp_path


def test_a_folder_of_other_sizes_counts_and_tolerances_is_compared_too(other_case: Path) -> None:
    comparisons = handle(other_case, read(other_case))
    assert len(comparisons) == 9
    assert all(comparison.passed for comparison in comparisons), [each for each in comparisons if not each.passed]
    rows = json.loads((other_case / "expected.json").read_text())
    rows[1]["indices"][4] = 12
    rows[0]["motion_score"] += 5e-5
    (other_case / "expected.json").write_text(json.dumps(rows))
    assert failed(other_case) == {"frames_1 indices", "frames_0 motion_score"}
