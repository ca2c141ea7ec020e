"""AniSora V1's transformer and sampling loop against the reference's, driven by what a case says."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.parity import run_cases
from anisora.harness.registry import registry

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
files = pytest.importorskip("safetensors.torch")

TRANSFORMER = "gen_v1_sat_dit"
LOOP = "gen_v1_loop"
PREFIX = "model.diffusion_model."

pytestmark = [pytest.mark.parity, needs_shared]


def read(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / kind / "case.json").read_text())
    return found


def short(kind: str) -> dict[str, Any]:
    """The case with its first run alone, where it has runs: fifty steps take a while."""
    case = read(kind)
    if "runs" in case["config"]:
        case["config"]["runs"] = case["config"]["runs"][:1]
    return case


def failed(kind: str, case: dict[str, Any], folder: Path | None = None) -> set[str]:
    handler = registry("parity").get(kind)
    return {each.name for each in handler(folder or GOLDEN / kind, case) if not each.passed}


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """Copy a case; of the loop only what belongs to its first run is expected."""

    def copy_case(kind: str) -> Path:
        folder = tmp_path / kind
        shutil.copytree(GOLDEN / kind, folder, copy_function=shutil.copyfile)
        folder.chmod(0o755)
        if kind == LOOP:
            change(
                folder / "expected.safetensors",
                lambda tensors: [tensors.pop(name) for name in list(tensors) if name.endswith("_1")],
            )
        return folder

    return copy_case


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    tensors = files.load_file(path)
    how(tensors)
    files.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def changed(case: dict[str, Any], value: object, *path: str | int) -> dict[str, Any]:
    case = copy.deepcopy(case)
    inner = case["config"]
    for step in path[:-1]:
        inner = inner[step]
    assert path[-1] in inner or isinstance(path[-1], int)
    inner[path[-1]] = value
    return case


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        (TRANSFORMER, {"output_0", "output_1", "output_2"}),
        (LOOP, {"run 0 timesteps", "run 1 filled_slots", "final_latent_1", "after_steps_0"}),
    ],
)
def test_everything_that_the_reference_computed_is_computed_alike(kind: str, needed: set[str]) -> None:
    (result,) = run_cases(GOLDEN, [kind])
    assert result.status == "passed", result.line()
    assert {comparison.name for comparison in result.comparisons} >= needed


@pytest.mark.parametrize(
    ("layer", "epsilon"),
    [
        ("input_layernorm", 1e-6),  # the other of the two values, where the case tells them apart
        ("post_attention_layernorm", 1e-6),
        ("final_layernorm", 1e-4),
        ("query_key_layernorm", 1e-3),
        ("final_layer_norm_final", 1e-5),
    ],
)
def test_every_epsilon_of_a_case_is_used(layer: str, epsilon: float) -> None:
    assert failed(TRANSFORMER, changed(read(TRANSFORMER), epsilon, "layernorm_eps", layer))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 32),
        ("num_heads", 4),
        ("head_dim", 16),
        ("num_layers", 1),
        ("time_embed_dim", 64),
        ("text_dim", 64),
        ("in_channels", 16),
        ("out_channels", 32),
        ("patch_size", 1),
    ],
)
def test_every_size_of_a_case_is_used(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=r"Checkpoint of layout 'sat-transformer'|`hidden_size` got"):
        failed(TRANSFORMER, changed(read(TRANSFORMER), value, name))


def test_another_prefix_is_another_network() -> None:
    with pytest.raises(ConfigError, match=f"Checkpoint has the key '{PREFIX}"):
        failed(TRANSFORMER, changed(read(TRANSFORMER), "model.", "key_prefix"))


@pytest.mark.parametrize(
    ("kind", "name", "broken"),
    [(TRANSFORMER, "output_1", "output_1"), (LOOP, "final_latent_0", "final_latent_0")],
)
def test_one_changed_number_fails_and_is_named(copied: Any, kind: str, name: str, broken: str) -> None:
    folder = copied(kind)
    change(folder / "expected.safetensors", lambda tensors: tensors[name].view(-1)[3].add_(0.001))
    assert failed(kind, short(kind), folder) == {broken}


@pytest.mark.parametrize("name", ["x_0", "context_1", "timestep_2"])
def test_every_input_is_used(copied: Any, name: str) -> None:
    folder = copied(TRANSFORMER)
    change(folder / "inputs.safetensors", lambda tensors: tensors[name].add_(1))
    assert failed(TRANSFORMER, read(TRANSFORMER), folder) == {f"output_{name[-1]}"}


@pytest.mark.parametrize("name", ["initial_noise_0", "context_0"])
def test_every_input_of_the_loop_is_used(copied: Any, name: str) -> None:
    folder = copied(LOOP)
    change(folder / "inputs.safetensors", lambda tensors: tensors[name].add_(1))
    assert failed(LOOP, short(LOOP), folder) == {"final_latent_0", "after_steps_0"}


def test_the_noise_of_the_last_step_is_not_used_and_that_of_others_is(copied: Any) -> None:
    folder = copied(LOOP)
    change(folder / "inputs.safetensors", lambda tensors: tensors["step_noise_0"][-1].fill_(torch.nan))
    assert failed(LOOP, short(LOOP), folder) == set()
    change(folder / "inputs.safetensors", lambda tensors: tensors["step_noise_0"][-2].add_(1))
    assert failed(LOOP, short(LOOP), folder) == {"final_latent_0", "after_steps_0"}


@pytest.mark.parametrize(
    ("value", "path", "broken"),
    [
        (5, ("guidance_scale",), {"final_latent_0", "after_steps_0"}),
        (3, ("guidance_exp",), {"final_latent_0", "after_steps_0"}),
        ({"0": 0}, ("runs", 0, "filled_slots"), {"run 0 filled_slots", "final_latent_0", "after_steps_0"}),
        ([999, 899], ("runs", 0, "timesteps"), {"run 0 timesteps"}),
        ([0, 1, 5, 7], ("runs", 0, "after_steps"), {"after_steps_0"}),
        (
            9,
            ("runs", 0, "steps"),
            {"run 0 timesteps", "final_latent_0", "after_steps_0"},
        ),
        (1e-3, ("dit", "layernorm_eps", "final_layernorm"), {"final_latent_0", "after_steps_0"}),
    ],
)
def test_every_constant_of_the_loop_is_used(copied: Any, value: object, path: Any, broken: set[str]) -> None:
    assert failed(LOOP, changed(short(LOOP), value, *path), copied(LOOP)) == broken


def test_another_layout_is_refused() -> None:
    with pytest.raises(DataError, match="has layout 'B,C,T,H,W'; expected 'B,T,C,H,W'"):
        failed(LOOP, changed(read(LOOP), "B,C,T,H,W", "layout"))


def test_what_is_not_computed_is_an_error(copied: Any) -> None:
    folder = copied(TRANSFORMER)
    change(folder / "expected.safetensors", lambda tensors: tensors.update(hidden_0=torch.zeros(1)))
    with pytest.raises(DataError, match="expects hidden_0, which is not computed here"):
        failed(TRANSFORMER, read(TRANSFORMER), folder)


def test_keys_that_the_case_ignores_are_left_out_and_others_are_refused(copied: Any) -> None:
    folder, case = copied(TRANSFORMER), read(TRANSFORMER)
    extra = f"{PREFIX}mixins.lora.0.weight"
    change(folder / "weights.safetensors", lambda tensors: tensors.update({extra: torch.ones(1)}))
    with pytest.raises(ConfigError, match=f"has the key '{extra}'"):
        failed(TRANSFORMER, case, folder)
    assert failed(TRANSFORMER, changed(case, [extra], "keys_ignored"), folder) == set()


def test_learned_positions_count_unless_they_are_zero(copied: Any) -> None:
    folder, case = copied(TRANSFORMER), read(TRANSFORMER)
    key = f"{PREFIX}mixins.pos_embed.pos_embedding"
    change(folder / "weights.safetensors", lambda tensors: tensors.update({key: torch.zeros(1, 286, 64)}))
    assert failed(TRANSFORMER, case, folder) == set()
    change(folder / "weights.safetensors", lambda tensors: tensors[key][0, -1].fill_(0.01))
    with pytest.raises(ConfigError, match=f"numbers other than 0 in '{key}'"):
        failed(TRANSFORMER, case, folder)
