"""Losses, steps and conditions of training against the references', driven by what a case says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import AnisoraError, DataError
from anisora.harness.parity import run_cases

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from golden_cases import change_json, change_tensors, copy_case, failed_names, read_case  # noqa: E402

NEEDED = {
    "rl_dance_grpo": {"sigmas", "row 4 std", "mean_2", "log_prob_of_given_prev_3", "advantages global", "ppo_loss"},
    "rl_flow_dpo": {"0 inside_term", "1 loss", "1 implicit_acc"},
    "rl_flow_grpo_step": {"sigmas", "row 3 timestep", "std_0", "prev_sample_4", "log_prob_of_given_prev_2"},
    "rl_gapo": {"sample 6 loss", "sample 2 gap_factor", "sample 4 ordered", "sample 0 dpo_loss", "batch loss"},
    "rl_group_advantage_ppo": {"advantages group_std", "zero_std_ratio", "ppo 1 kl_loss", "ppo 2 clipfrac_gt_one"},
    "rl_videoalign_losses": {"loss btt", "loss reg", "dims", "accuracy 1 with_ties", "accuracy 2 without_ties"},
    "train_v1_condition": {"latent_frames", "row 12 dropped", "row 7 filled_slots", "training_latent", "condition_13"},
    "train_v1_loss": {"row 0 loss", "row 5 noised", "row 3 of clean latents loss", "row 2 timestep_seen_by_network"},
    "train_v2_loss": {"row 4 loss", "row 1 weight", "row 2 timestep", "noised_3", "target_0", "y_4"},
}
"""Some of the quantities that must be among those compared."""

pytestmark = [pytest.mark.parity, needs_shared]


@pytest.mark.parametrize("kind", NEEDED)
def test_everything_that_the_reference_computed_is_computed_alike(kind: str) -> None:
    (result,) = run_cases(GOLDEN, [kind])
    assert result.status == "passed", result.line()
    assert {comparison.name for comparison in result.comparisons} >= NEEDED[kind]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("rl_dance_grpo", "steps", 17),
        ("rl_dance_grpo", "shift", 6.0),
        ("rl_dance_grpo", "eta", 0.31),
        ("rl_dance_grpo", "group_size", 6),
        ("rl_dance_grpo", "gradient_accumulation_steps", 3),
        ("rl_dance_grpo", "train_timesteps", 8),
        ("rl_dance_grpo", "clip_range", 0.01),
        ("rl_dance_grpo", "adv_clip_max", 4.0),
        ("rl_flow_grpo_step", "steps", 11),
        ("rl_flow_grpo_step", "shift", 3.1),
        ("rl_flow_grpo_step", "noise_level", 0.71),
        ("rl_gapo", "beta", 4900.0),
        ("rl_gapo", "gap_base", 3.0),
        ("rl_gapo", "score_scale", 90.0),
        ("rl_group_advantage_ppo", "epsilon", 1e-3),
        ("rl_group_advantage_ppo", "zero_std_group", "a"),
        ("rl_videoalign_losses", "k", 4.0),
        ("rl_videoalign_losses", "constant_margin", 0.6),
        ("rl_videoalign_losses", "dims", 2),
        ("train_v1_condition", "scale_factor", 1.15),
        ("train_v1_condition", "dropout", 0.5),
        ("train_v1_condition", "latent_frames", 8),
        ("train_v1_loss", "num_timesteps", 1001),
        ("train_v2_loss", "shift", 3),
        ("train_v2_loss", "sigma_min", 0.01),
        ("train_v2_loss", "extra_one_step", False),
        ("train_v2_loss", "train_timesteps", 1001),
    ],
)
def test_every_constant_of_a_case_is_used(kind: str, name: str, value: object) -> None:
    assert name in read_case(GOLDEN / kind)["config"]
    assert failed_names(kind, **{name: value})


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("rl_flow_dpo", "target", "x0 - noise"),
        ("rl_gapo", "prediction", "epsilon"),
        ("rl_gapo", "layout", "B,C,T,H,W"),
        ("rl_gapo", "target", "noise - x0"),
        ("train_v1_condition", "layout", "B,C,T,H,W"),
        ("train_v1_loss", "prediction", "epsilon"),
    ],
)
def test_another_prediction_or_layout_is_an_error(kind: str, name: str, found: str) -> None:
    with pytest.raises(DataError, match=f"has {name} '{found}'; expected '.*', the reference's"):
        failed_names(kind, **{name: found})


@pytest.mark.parametrize(
    ("kind", "change", "broken"),
    [
        ("rl_dance_grpo", lambda rows: rows["advantages"]["global"].reverse(), "advantages global"),
        ("rl_dance_grpo", lambda rows: rows.update(ppo_loss=rows["ppo_loss"] * 1.01), "ppo_loss"),
        ("rl_flow_dpo", lambda rows: rows["0"]["inside_term"].reverse(), "0 inside_term"),
        ("rl_flow_dpo", lambda rows: rows["1"].update(implicit_acc=0.25), "1 implicit_acc"),
        ("rl_gapo", lambda rows: rows["samples"][3].update(loss=0.5340), "sample 3 loss"),
        ("rl_gapo", lambda rows: rows["samples"][3].update(dpo_loss=1.4538), "sample 3 dpo_loss"),
        ("rl_gapo", lambda rows: rows["samples"][5].update(inside_term=0.4988), "sample 5 inside_term"),
        ("rl_gapo", lambda rows: rows["samples"][4].update(ordered=True), "sample 4 ordered"),
        ("rl_gapo", lambda rows: rows["samples"][0].update(ref_loss_l=0.0131), "sample 0 ref_loss_l"),
        ("rl_gapo", lambda rows: rows["batch"].update(implicit_acc_of_singles=1.0), "batch implicit_acc"),
        ("rl_group_advantage_ppo", lambda rows: rows.update(zero_std_ratio=0.5), "zero_std_ratio"),
        ("rl_group_advantage_ppo", lambda rows: rows.update(reward_std_mean=0.1909), "reward_std_mean"),
        ("rl_group_advantage_ppo", lambda rows: rows["ppo"][1].update(kl_loss=0.003), "ppo 1 kl_loss"),
        ("rl_group_advantage_ppo", lambda rows: rows["ppo"][2].update(clipfrac_lt_one=0.125), "ppo 2 clipfrac_lt_one"),
        ("rl_videoalign_losses", lambda rows: rows["losses"].update(margin=0.8062), "loss margin"),
        ("rl_videoalign_losses", lambda rows: rows["accuracy"]["0"].update(with_ties=0.6), "accuracy 0 with_ties"),
        ("train_v1_condition", lambda rows: rows["rows"][9].update(filled_slots=[]), "row 9 filled_slots"),
        ("train_v1_condition", lambda rows: rows["rows"][2].update(slot_2=3), "row 2 slot_2"),
        ("train_v1_loss", lambda rows: rows["rows"][2].update(sqrt_alpha_bar=0.8078), "row 2 sqrt_alpha_bar"),
        ("train_v2_loss", lambda rows: rows["rows"][3].update(weight=2.0766), "row 3 weight"),
        ("train_v2_loss", lambda rows: rows["rows"][1].update(loss=0.0079), "row 1 loss"),
    ],
)
def test_one_changed_number_of_a_row_fails_and_is_named(tmp_path: Path, kind: str, change: Any, broken: str) -> None:
    folder = copy_case(kind, tmp_path)
    change_json(folder / "expected.json", change)
    assert failed_names(kind, folder) == {broken}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("rl_dance_grpo", "pred_x0_1"),
        ("rl_dance_grpo", "log_prob_4"),
        ("rl_flow_grpo_step", "mean_3"),
        ("rl_flow_grpo_step", "log_prob_of_given_prev_0"),
        ("train_v1_condition", "condition_5"),
        ("train_v1_condition", "training_latent"),
        ("train_v2_loss", "target_2"),
        ("train_v2_loss", "y_0"),
    ],
)
def test_one_changed_number_of_a_tensor_fails_and_is_named(tmp_path: Path, kind: str, name: str) -> None:
    folder = copy_case(kind, tmp_path)

    def change(tensors: dict[str, Any]) -> None:
        tensors[name].reshape(-1)[1] += 1e-3

    change_tensors(folder / "expected.safetensors", change)
    assert failed_names(kind, folder) == {name}


@pytest.mark.parametrize("kind", ["rl_dance_grpo", "rl_flow_grpo_step", "train_v1_condition", "train_v2_loss"])
def test_a_tensor_that_is_not_computed_here_is_an_error(tmp_path: Path, kind: str) -> None:
    folder = copy_case(kind, tmp_path)
    change_tensors(folder / "expected.safetensors", lambda tensors: tensors.update(volume_3=np.ones(1)))
    with pytest.raises(DataError, match="expects volume_3, which is not computed here"):
        failed_names(kind, folder)


def test_a_loss_that_is_not_computed_here_is_an_error(tmp_path: Path) -> None:
    folder = copy_case("rl_videoalign_losses", tmp_path)
    change_json(folder / "expected.json", lambda rows: rows["losses"].update(hinge=0.0))
    with pytest.raises(DataError, match="expects loss hinge, which is not computed here"):
        failed_names("rl_videoalign_losses", folder)


def test_a_draw_of_a_frame_that_the_clip_does_not_have_is_an_error(tmp_path: Path) -> None:
    folder = copy_case("train_v1_condition", tmp_path)
    change_json(folder / "expected.json", lambda rows: rows["rows"][1]["draws"].update(frame_1=33))
    with pytest.raises(AnisoraError, match="drew frame 33; expected 0 to 32"):
        failed_names("train_v1_condition", folder)


def test_rows_of_other_names_sizes_and_counts_are_computed_too(tmp_path: Path) -> None:
    folder = copy_case("rl_gapo", tmp_path)

    def one_row(rows: dict[str, Any]) -> None:
        rows["samples"] = [{**rows["samples"][6], "index": "mine", "w_score": 62.5, "gap_factor": 2**0.625 - 1}]
        rows["samples"][0]["loss"] = rows["samples"][0]["dpo_loss"] * (2**0.625 - 1)
        alone = {"mean_of_single_losses": rows["samples"][0]["loss"], "implicit_acc_of_singles": 0.0}
        rows["batch"] = {"samples": ["mine"], **alone}

    def doubled(tensors: dict[str, Any]) -> None:
        # Every value twice leaves all means, and so all losses, where they were.
        chosen = {name.replace("_6", "_mine"): each for name, each in tensors.items() if name.endswith("_6")}
        tensors.clear()
        tensors.update({name: np.concatenate([each, each], axis=1) for name, each in chosen.items()})

    change_json(folder / "expected.json", one_row)
    change_tensors(folder / "inputs.safetensors", doubled)
    assert failed_names("rl_gapo", folder) == set()
