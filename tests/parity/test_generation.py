"""Prompts, conditions and schedules of the generators against the reference's, driven by what a case says."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import AnisoraError, DataError
from anisora.harness.parity import run_cases
from anisora.harness.registry import registry
from anisora.models.golden.condition_tensor import compare_conditions
from anisora.models.wan.condition_tensor import LATENTS_MEAN, LATENTS_STD
from anisora.models.wan.step_lists import STEP_LISTS

torch = pytest.importorskip("torch")
numpy_files = pytest.importorskip("safetensors.numpy")

NEEDED = {
    "c11_prompt_grammar": {"suffix_v1 119 out", "line_v32 6 out", "frame_mask 29 mask_ones_channel_latentframe"},
    "gen_condition_tensor": {"item 2 frame_ids", "item 3 size", "y_0", "y_4", "y_5"},
    "gen_flowmatch_schedule": {"96 sigmas", "16 timesteps", "train_1000 weights", "train_1000 timesteps"},
    "gen_frame_ids": {"single 67", "multi 3 image_at_frame", "mask4_5", "invalid 1 reference_outcome"},
    "gen_latent_size": {"sizes 39"},
    "gen_loop_v32_two_experts": {"2 final", "1 trajectory_in", "0 experts", "2 timesteps"},
    "gen_loop_v3_any_frame": {"y", "0 decoded", "1 final", "0 trajectory_in", "1 timesteps"},
    "gen_oss_search": {"search 0 time", "search 3 steps", "search 2 final_cost", "median"},
    "gen_oss_sigmas": {"v2_12_544p sigmas", "v2_16 final"},
    "gen_spatial_masks": {"item 3 size", "mask4_3", "masked_video_2"},
    "gen_unipc_schedule": {"8_5 timesteps", "40_3 trajectory", "40_5 experts_boundary_0_875", "combinations"},
    "gen_v1_schedule": {"50 guidance", "10 timesteps", "25 sqrt_alpha_bar", "1000 denoiser_table_1000_ascending_index"},
    "gen_v1_slots": {"inference_slots 11", "frame_to_slot 47 own_video_latent_used"},
    "gen_wan21_dit": {"output_0", "output_1", "output_2"},
    "gen_wan22_dit_noclip": {"output_0", "output_1", "output_2"},
    "gen_wan_vae": {"latent_0", "decoded_0", "latent_1", "decoded_2"},
}
"""Some of the quantities that must be among those compared."""

pytestmark = [pytest.mark.parity, needs_shared]


def read(kind: str, folder: Path = GOLDEN) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / kind / "case.json").read_text())
    return found


def failed(kind: str, folder: Path | None = None, **config: object) -> set[str]:
    case = read(kind, folder.parent if folder else GOLDEN)
    case["config"] = {**case.get("config", {}), **config}
    handler = registry("parity").get(kind)
    return {each.name for each in handler(folder or GOLDEN / kind, case) if not each.passed}


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    def copy(kind: str) -> Path:
        folder = tmp_path / kind
        shutil.copytree(GOLDEN / kind, folder, copy_function=shutil.copyfile)
        folder.chmod(0o755)
        return folder

    return copy


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def change_tensors(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tensors = numpy_files.load_file(path)
    change(tensors)
    numpy_files.save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path)


@pytest.mark.parametrize("kind", NEEDED)
def test_everything_that_the_reference_computed_is_computed_alike(kind: str) -> None:
    (result,) = run_cases(GOLDEN, [kind])
    assert result.status == "passed", result.line()
    assert {comparison.name for comparison in result.comparisons} >= NEEDED[kind]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("gen_flowmatch_schedule", "shift", 3),
        ("gen_flowmatch_schedule", "sigma_min", 0.01),
        ("gen_flowmatch_schedule", "extra_one_step", False),
        ("gen_flowmatch_schedule", "num_train_timesteps", 500),
        ("gen_latent_size", "vae_stride", [4, 16, 8]),
        ("gen_latent_size", "patch_size", [1, 2, 4]),
        ("gen_spatial_masks", "patch_size", [1, 1, 1]),
        ("gen_oss_sigmas", "guidance", 5.0),
        ("gen_unipc_schedule", "num_train_timesteps", 500),
        ("gen_v1_slots", "temporal_compression", 8),
        ("gen_v1_schedule", "beta_start", 0.001),
        ("gen_v1_schedule", "beta_end", 0.02),
        ("gen_v1_schedule", "shift_scale", 3.0),
        ("gen_v1_schedule", "guidance_scale", 5),
        ("gen_v1_schedule", "guidance_exp", 3),
        ("gen_v1_schedule", "steps", [50, 10]),
        ("gen_wan21_dit", "num_heads", 4),
        ("gen_wan21_dit", "eps", 0.1),
        ("gen_wan22_dit_noclip", "text_len", 40),
        ("gen_wan_vae", "latents_mean", [0.0] * 16),
        ("gen_wan_vae", "latents_std", [1.0] * 16),
        ("gen_loop_v32_two_experts", "boundary", 0.95),
        ("gen_loop_v3_any_frame", "positions", [0.0, 1.0]),
    ],
)
def test_every_constant_of_a_case_is_used(kind: str, name: str, value: object) -> None:
    assert name in read(kind)["config"]
    assert failed(kind, **{name: value})


@pytest.mark.parametrize(
    ("kind", "change", "broken"),
    [
        ("c11_prompt_grammar", lambda rows: rows["suffix_v1"][3].update(out=""), "suffix_v1 3 out"),
        ("c11_prompt_grammar", lambda rows: rows["line_v3"][0].update(out={"error": "ValueError"}), "line_v3 0 out"),
        ("c11_prompt_grammar", lambda rows: rows["line_v2"][4].update(out={"prompt": ""}), "line_v2 4 out"),
        ("c11_prompt_grammar", lambda rows: rows["frame_ids"][1]["frame_ids"].reverse(), "frame_ids 1 frame_ids"),
        ("gen_frame_ids", lambda rows: rows["single"][2].update(frame_id=16), "single 2"),
        (
            "gen_frame_ids",
            lambda rows: rows["multi"][3]["image_at_frame"].update({"24": 0}),
            "multi 3 image_at_frame",
        ),
        (
            "gen_frame_ids",
            lambda rows: rows["invalid"][0].update(reference_outcome="IndexError"),
            "invalid 0 reference_outcome",
        ),
        ("gen_latent_size", lambda rows: rows["sizes"][7].update(latent_width=78), "sizes 7"),
        ("gen_oss_search", lambda rows: rows["searches"][1]["steps"].reverse(), "search 1 steps"),
        ("gen_oss_search", lambda rows: rows["searches"][1].update(final_cost=0.00068), "search 1 final_cost"),
        ("gen_oss_search", lambda rows: rows["median"]["result"].reverse(), "median"),
        ("gen_oss_sigmas", lambda rows: rows["v2_16"]["sigmas"].reverse(), "v2_16 sigmas"),
        (
            "gen_unipc_schedule",
            lambda rows: rows["8_5"].update(experts_boundary_0_9="HHLLLLLL"),
            "8_5 experts_boundary_0_9",
        ),
        ("gen_unipc_schedule", lambda rows: rows.pop("8_5"), "combinations"),
        ("gen_v1_slots", lambda rows: rows["inference_slots"][2].update(slot_to_image={}), "inference_slots 2"),
        ("gen_v1_schedule", lambda rows: rows["10"]["guidance"].reverse(), "10 guidance"),
    ],
)
def test_one_changed_row_fails_and_is_named(copied: Any, kind: str, change: Any, broken: str) -> None:
    folder = copied(kind)
    change_json(folder / "expected.json", change)
    assert failed(kind, folder) == {broken}


@pytest.mark.parametrize(
    ("kind", "name", "broken"),
    [
        ("gen_flowmatch_schedule", "train_weights_1000", "train_1000 weights"),
        ("gen_frame_ids", "mask4_2", "mask4_2"),
        ("gen_loop_v32_two_experts", "trajectory_in_2", "2 trajectory_in"),
        ("gen_loop_v3_any_frame", "y", "y"),
        ("gen_oss_sigmas", "final_v2_16", "v2_16 final"),
        ("gen_spatial_masks", "masked_video_1", "masked_video_1"),
        ("gen_unipc_schedule", "trajectory_40_3", "40_3 trajectory"),
        ("gen_v1_schedule", "sqrt_alpha_bar_25", "25 sqrt_alpha_bar"),
        ("gen_wan21_dit", "output_1", "output_1"),
        ("gen_wan_vae", "latent_1", "latent_1"),
    ],
)
def test_one_changed_number_fails_and_is_named(copied: Any, kind: str, name: str, broken: str) -> None:
    folder = copied(kind)

    def change(tensors: dict[str, Any]) -> None:
        tensors[name].reshape(-1)[2] += 2e-4

    change_tensors(folder / "expected.safetensors", change)
    assert failed(kind, folder) == {broken}


def test_a_case_of_other_names_and_fewer_items_is_computed_too(copied: Any) -> None:
    folder = copied("gen_spatial_masks")
    for name in ("inputs.safetensors", "expected.safetensors"):
        path = folder / name
        tensors = numpy_files.load_file(path)
        numpy_files.save_file({key[:-1] + "7": value for key, value in tensors.items() if key.endswith("3")}, path)
    item = {**read("gen_spatial_masks")["config"]["items"][3], "index": 7}
    assert failed("gen_spatial_masks", folder, items=[item]) == set()
    assert failed("gen_spatial_masks", folder, items=[{**item, "kind": "spatial"}]) == {"mask4_7", "masked_video_7"}


def test_other_lists_levels_and_shapes_are_computed_too(copied: Any) -> None:
    folder = copied("gen_oss_sigmas")
    draw = np.random.default_rng(3)
    state = draw.standard_normal((1, 2, 1, 1, 2)).astype(np.float32)
    inputs = {"x_mine": state, "matrix_mine": np.eye(2, dtype=np.float32), "bias_mine": np.ones_like(state)[0]}
    numpy_files.save_file(inputs, folder / "inputs.safetensors")
    # Of four steps, 3/4 and 2/4 are shifted by 3 to 0.9 and 0.75.
    wanted = state
    for sigma, following in ((0.9, 0.75), (0.75, 0.0)):
        wanted = wanted + (wanted * (0.5 + sigma) + 2.0) * (following - sigma)
    numpy_files.save_file({"final_mine": wanted}, folder / "expected.safetensors")
    row = {"teacher_steps": 4, "shift": 3, "steps": [2, 3], "sigmas": [0.9, 0.75]}
    (folder / "expected.json").write_text(json.dumps({"mine": row}))
    assert failed("gen_oss_sigmas", folder, guidance=2.0) == set()
    assert failed("gen_oss_sigmas", folder, guidance=3.0) == {"mine final"}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("c11_prompt_grammar", lambda rows: rows.update(line_v4=[{}])),
        ("c11_prompt_grammar", lambda rows: rows.pop("line_v2")),
        ("gen_unipc_schedule", lambda rows: rows["8_5"].update(volume=1)),
        ("gen_v1_schedule", lambda rows: rows["10"].update(volume=1)),
    ],
)
def test_what_is_not_computed_here_or_missing_is_an_error(copied: Any, kind: str, change: Any) -> None:
    folder = copied(kind)
    change_json(folder / "expected.json", change)
    with pytest.raises(DataError, match=r"which is not computed here|has no rows of"):
        failed(kind, folder)


@pytest.mark.parametrize(
    "kind",
    [
        "gen_flowmatch_schedule",
        "gen_loop_v3_any_frame",
        "gen_spatial_masks",
        "gen_v1_schedule",
        "gen_wan22_dit_noclip",
        "gen_wan_vae",
    ],
)
def test_a_tensor_that_is_not_computed_here_is_an_error(copied: Any, kind: str) -> None:
    folder = copied(kind)
    change_tensors(folder / "expected.safetensors", lambda tensors: tensors.update(volume_3=np.ones(1)))
    with pytest.raises(DataError, match="expects volume_3, which is not computed here"):
        failed(kind, folder)


def test_other_betas_are_an_error() -> None:
    with pytest.raises(DataError, match="has betas 'cosine'; expected scaled_linear"):
        failed("gen_v1_schedule", beta_schedule="cosine")


def test_the_published_lists_are_the_references() -> None:
    rows = json.loads((GOLDEN / "gen_oss_sigmas" / "expected.json").read_text())
    assert {name: (list(each.steps), each.teacher_steps, each.shift) for name, each in STEP_LISTS.items()} == {
        name: (row["steps"], row["teacher_steps"], row["shift"]) for name, row in rows.items()
    }


CONDITION = "gen_condition_tensor"


def zeros(state: Any, config: Any) -> Any:
    """An encoder of latents that are their means: what is compared of a condition is its mask, sizes and frames."""
    assert any("encoder" in name for name in state)
    mean = torch.tensor(config["latents_mean"]).view(-1, 1, 1, 1)
    return lambda video: mean.expand(-1, (video.shape[1] + 3) // 4, video.shape[2] // 8, video.shape[3] // 8)


def test_the_masks_of_conditions_are_the_references_whatever_the_vae(copied: Any) -> None:
    folder = copied(CONDITION)

    def only_masks(tensors: dict[str, Any]) -> None:
        for tensor in tensors.values():
            tensor[4:] = 0

    change_tensors(folder / "expected.safetensors", only_masks)
    comparisons = compare_conditions(folder, read(CONDITION), zeros)
    assert [each for each in comparisons if not each.passed] == []
    items = read(CONDITION)["config"]["items"]
    assert {each.name for each in comparisons} >= {f"y_{item['index']}" for item in items}
    assert {f"item {item['index']} size" for item in items} <= {each.name for each in comparisons}


def test_the_latents_of_conditions_are_compared_too() -> None:
    comparisons = compare_conditions(GOLDEN / CONDITION, read(CONDITION), zeros)
    assert {each.name for each in comparisons if not each.passed} == {f"y_{index}" for index in range(6)}


def test_an_unknown_kind_of_condition_is_an_error() -> None:
    case = read(CONDITION)
    case["config"]["items"][0]["kind"] = "audio"
    with pytest.raises(AnisoraError, match="Item 0 has kind 'audio'; expected any-frame, temporal-mask, spatial-mask"):
        compare_conditions(GOLDEN / CONDITION, case, zeros)


def test_the_constants_of_the_vae_are_the_references() -> None:
    vae = read(CONDITION)["config"]["vae"]
    assert (list(LATENTS_MEAN), list(LATENTS_STD)) == (vae["latents_mean"], vae["latents_std"])


def test_pixels_final_latents_timesteps_and_experts_of_a_run_are_compared(copied: Any) -> None:
    kind = "gen_loop_v3_any_frame"
    folder = copied(kind)

    def change(tensors: dict[str, Any]) -> None:
        tensors["decoded_0"][1, 2, 3, 4] += 6e-4
        tensors["final_latent_1"][3, 2, 1, 0] += 1e-3

    change_tensors(folder / "expected.safetensors", change)
    first, second = read(kind)["config"]["runs"]
    first["timesteps"][3] += 1
    assert failed(kind, folder, runs=[first, {**second, "experts": "HHHLLLLL"}]) == {
        "0 decoded",
        "0 timesteps",
        "1 experts",
        "1 final",
    }


def test_runs_of_other_indices_fewer_steps_and_one_text_are_computed_too(copied: Any) -> None:
    kind = "gen_loop_v32_two_experts"
    folder = copied(kind)
    for name in ("inputs.safetensors", "expected.safetensors"):
        path = folder / name
        renamed = {key.replace("_2", "_31"): value for key, value in numpy_files.load_file(path).items()}
        numpy_files.save_file({key: value for key, value in renamed.items() if not key.endswith(("_0", "_1"))}, path)
    run = {**read(kind)["config"]["runs"][2], "index": 31}
    assert failed(kind, folder, runs=[run]) == set()
    low, high = run["guide_scale"]
    assert failed(kind, folder, runs=[{**run, "guide_scale": [high, low]}]) == {"31 final", "31 trajectory_in"}
    fewer = failed(kind, folder, runs=[{**run, "steps": 4}])
    assert fewer == {"31 final", "31 trajectory_in", "31 timesteps", "31 experts"}


@pytest.mark.parametrize(
    ("kind", "file", "renamed"),
    [
        ("gen_wan21_dit", "weights", ("blocks.1.norm3.bias", "blocks.1.norm4.bias")),
        ("gen_wan_vae", "weights", ("decoder.upsamples.3.time_conv.bias", "decoder.upsamples.2.time_conv.bias")),
        ("gen_loop_v32_two_experts", "weights_low", ("head.modulation", "modulation")),
    ],
)
def test_weights_under_another_name_are_refused_by_it(copied: Any, kind: str, file: str, renamed: Any) -> None:
    folder, (old, new) = copied(kind), renamed
    change_tensors(folder / f"{file}.safetensors", lambda tensors: tensors.update({new: tensors.pop(old)}))
    with pytest.raises(AnisoraError, match=f"has the key '{re.escape(new)}', which no file of layout"):
        failed(kind, folder)


def test_a_case_without_a_condition_and_without_a_vae_is_an_error(copied: Any) -> None:
    kind = "gen_loop_v3_any_frame"
    with pytest.raises(DataError, match="The case has neither y nor a VAE"):
        failed(kind, copied(kind), vae=None)
