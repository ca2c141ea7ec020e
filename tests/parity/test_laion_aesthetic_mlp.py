"""LAION's second aesthetic head against the reference's, and against known mistakes."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import DataError
from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.metrics.golden import laion_aesthetic_mlp
from anisora.metrics.golden.laion_aesthetic_mlp import handle
from anisora.metrics.networks.laion_aesthetic_mlp import LaionAestheticMlp

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

CASE = GOLDEN / "c10_laion_aesthetic_mlp"

pytestmark = pytest.mark.parity


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return found


def failed(folder: Path) -> set[str]:
    return {comparison.name for comparison in handle(folder, read(folder)) if not comparison.passed}


@needs_shared
def test_everything_that_the_reference_computed_is_computed_alike() -> None:
    comparisons = handle(CASE, read(CASE))
    assert [comparison.name for comparison in comparisons] == ["frame_score", "frame_score_rounded", "clip_score"]
    assert all(comparison.passed for comparison in comparisons), comparisons


@needs_shared
def test_known_mistakes_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {"frame_score", "frame_score_rounded", "clip_score"}

    class Activated(LaionAestheticMlp):
        def _score(self, direction: Any) -> Any:
            for layer in self.module["layers"].values():
                direction = torch.relu(layer(direction))
            return direction[:, 0]

    monkeypatch.setattr(laion_aesthetic_mlp, "LaionAestheticMlp", Activated)
    assert failed(CASE) == everything
    monkeypatch.undo()
    monkeypatch.setattr(np.linalg, "norm", lambda vectors, **_: np.ones((len(vectors), 1), np.float32))
    assert failed(CASE) == everything
    monkeypatch.undo()
    monkeypatch.setattr(laion_aesthetic_mlp, "rounded_scores", lambda scores: [round(each, 4) for each in scores])
    assert failed(CASE) == {"frame_score_rounded"}


@needs_shared
def test_a_head_with_activations_or_other_quantities_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "case"
    shutil.copytree(CASE, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    case = read(folder)
    with pytest.raises(DataError, match="activation 'relu'; expected null"):
        handle(folder, {**case, "config": {**case["config"], "activation": "relu"}})
    expected = json.loads((folder / "expected.json").read_text())
    (folder / "expected.json").write_text(json.dumps({**expected, "variance": 0.0}))
    with pytest.raises(DataError, match="expects variance"):
        handle(folder, case)


def test_a_folder_of_other_widths_and_counts_is_compared_too(tmp_path: Path) -> None:
    widths, layers = [20, 8, 1], [0, 3]
    drawn = untrained_rule(shapes_of(LaionAestheticMlp.empty(widths, layers)), tag="other", seed=4)
    vectors = np.random.default_rng(5).standard_normal((3, 20)).astype(np.float32)
    vectors[1] = 0
    hidden = vectors.astype(np.float64)
    hidden[[0, 2]] /= np.linalg.norm(hidden[[0, 2]], axis=1, keepdims=True)
    for number in layers:
        hidden = hidden @ drawn[f"layers.{number}.weight"].T.astype(np.float64) + drawn[f"layers.{number}.bias"]
    scores = hidden[:, 0]
    expected = {
        "frame_score": scores.tolist(),
        "frame_score_rounded": scores.round(5).tolist(),
        "clip_score": float(scores.round(5).mean()),
    }
    state = {key: torch.from_numpy(array) for key, array in drawn.items()}
    safetensors.save_file(state, tmp_path / "weights.safetensors")
    safetensors.save_file({"embeddings": torch.from_numpy(vectors)}, tmp_path / "inputs.safetensors")
    config = {"widths": widths, "layer_indices": layers, "activation": None}
    tolerance = {"frame_score": 2e-5, "clip_score": 2e-5}
    (tmp_path / "case.json").write_text(json.dumps({"config": config, "tolerance": tolerance}))
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    assert failed(tmp_path) == set()
    expected["frame_score"][1] += 3e-5
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    assert failed(tmp_path) == {"frame_score"}
