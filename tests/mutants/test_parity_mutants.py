"""Whether planted mistakes are planted, told apart and counted as they must be; a few of them for real."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from parity_mutants import CASE, Outcome, main, report, run_mistakes
from planted_mistakes import CLIPS, KINDS, MISTAKES, Mistake
from shared_data import GOLDEN, REPOSITORY, needs_shared

TRAINING_TARGETS = (
    "rl_dance_grpo",
    "rl_flow_dpo",
    "rl_flow_grpo_step",
    "rl_gapo",
    "rl_group_advantage_ppo",
    "rl_videoalign_losses",
    "train_v1_condition",
    "train_v1_loss",
    "train_v2_loss",
)
OTHER_TARGETS = (
    "c01_idefics2_regressor",
    "c02_actionclip_motion",
    "c03_image_video_regressor",
    "c04_text_video_regressor",
    "c05a_identity_embedder",
    "c05b_gallery_score",
    "c07_mask_crop",
    "c08a_kalman_box_filter",
    "c08b_samurai_selection",
    "c10_laion_aesthetic_mlp",
    "c11_prompt_grammar",
    "gen_condition_tensor",
    "gen_flowmatch_schedule",
    "gen_frame_ids",
    "gen_latent_size",
    "gen_loop_v32_two_experts",
    "gen_loop_v3_any_frame",
    "gen_oss_search",
    "gen_oss_sigmas",
    "gen_spatial_masks",
    "gen_unipc_schedule",
    "gen_v1_loop",
    "gen_v1_sat_dit",
    "gen_v1_schedule",
    "gen_v1_slots",
    "gen_wan21_dit",
    "gen_wan22_dit_noclip",
    "gen_wan_vae",
)
HARMLESS = Mistake(
    name="another order of a sum",
    target="temporal_flickering",
    kind="formula",
    file="metrics/core/temporal_flickering.py",
    old="(255.0 - differences) / 255.0",
    new="(-differences + 255.0) / 255.0",
)
PLANTED = {
    "survived": HARMLESS,
    "broken": replace(HARMLESS, name="255 and 256", new="(255.0 - differences) / 256.0"),
    "raised": replace(HARMLESS, name="a name that is none", new="(255.0 - difference) / 255.0"),
    "died": replace(HARMLESS, name="the end of the process", new='__import__("os").abort()'),
    "not imported": replace(
        HARMLESS,
        name="a module of another dimension",
        file="metrics/vbench/similarity.py",
        old="(before + first) / 2",
        new="before",
    ),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {outcome.name: outcome for outcome in run_mistakes(tuple(PLANTED.values()), GOLDEN, jobs=1)}


def test_every_text_to_be_replaced_stands_once_in_its_file_and_gives_a_module() -> None:
    for mistake in MISTAKES:
        compile(mistake.planted(REPOSITORY), mistake.file, "exec", dont_inherit=True)
        assert mistake.new != mistake.old, mistake.name


def test_the_mistakes_are_of_every_dimension_and_kind() -> None:
    dimensions = [
        name
        for name in json.loads((CASE / "case.json").read_text())["tolerance"]
        if not name.endswith(("_frame_scores", "_radii"))
    ]
    assert set(CLIPS) == set(dimensions)
    targets = Counter(mistake.target for mistake in MISTAKES)
    assert set(targets) == {*dimensions, *OTHER_TARGETS, *TRAINING_TARGETS}
    assert min(targets.values()) >= 2
    kinds = Counter(mistake.kind for mistake in MISTAKES)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 5
    assert sum(mistake.target in CLIPS for mistake in MISTAKES) >= 40
    assert len({(mistake.target, mistake.name) for mistake in MISTAKES}) == len(MISTAKES)
    assert len({(mistake.target, mistake.file, mistake.old, mistake.new) for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize(("text", "count"), [("b = 2\n", 0), ("a = 1\na = 1\n", 2)])
def test_a_text_that_is_gone_or_stands_twice_is_an_error(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "some.py").write_text(text)
    mistake = replace(HARMLESS, file="some.py", old="a = 1", new="a = 2")
    with pytest.raises(ValueError, match=f"'a = 1' stands {count} times in some.py; expected once"):
        mistake.planted(tmp_path)


@pytest.mark.parametrize("verdict", PLANTED)
def test_what_became_of_a_mistake_is_told(outcomes: Mapping[str, Outcome], verdict: str) -> None:
    outcome = outcomes[PLANTED[verdict].name]
    assert outcome.verdict == verdict, outcome.detail
    assert outcome.is_good is (verdict == "broken")


def test_the_details_name_the_error_and_the_number_that_breaks(outcomes: Mapping[str, Outcome]) -> None:
    assert "NameError" in outcomes["a name that is none"].detail
    assert "anisora.metrics.vbench.similarity" in outcomes["a module of another dimension"].detail
    assert "of 1e-07, temporal_flickering" in outcomes["255 and 256"].detail


def test_the_control_runs_first_and_passes(outcomes: Mapping[str, Outcome]) -> None:
    first = next(iter(outcomes.values()))
    assert (first.name, first.verdict, first.is_good) == ("control blink", "passed", True)


def test_no_file_is_changed_and_nothing_compiled_is_kept(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes
    from anisora.metrics.core.temporal_flickering import stability

    assert HARMLESS.old in (REPOSITORY / HARMLESS.file).read_text()
    assert stability.__code__.co_consts.count(256.0) == 0


def test_one_that_survives_gives_exit_code_1_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([HARMLESS], GOLDEN) == 1
    printed = capsys.readouterr().out
    assert "survived" in printed
    assert "0 of 1 mistakes break a golden case" in printed
    assert "not as they must be: temporal_flickering: another order of a sum" in printed


@needs_shared
@pytest.mark.slow
def test_a_control_that_fails_gives_exit_code_1(tmp_path: Path) -> None:
    folder = tmp_path / "c10_laion_aesthetic_mlp"
    shutil.copytree(GOLDEN / folder.name, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    expected = json.loads((folder / "expected.json").read_text())
    (folder / "expected.json").write_text(json.dumps({**expected, "clip_score": expected["clip_score"] + 1e-3}))
    outcomes = run_mistakes([each for each in MISTAKES if each.name == "four decimals"], tmp_path)
    assert [(each.name, each.verdict, each.is_good) for each in outcomes] == [
        ("control", "failed", False),
        ("four decimals", "broken", True),
    ]


def test_cases_that_are_not_there_are_named_and_nothing_run_is_no_success(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path), "--targets", "c10_laion_aesthetic_mlp"])
    assert result.exit_code == 1
    assert "mistakes of c10_laion_aesthetic_mlp, for which" in result.output


@pytest.mark.parametrize("option", ["--targets", "--name"])
def test_an_unknown_name_is_refused(option: str) -> None:
    result = CliRunner().invoke(main, [option, "motion_smothness"])
    assert result.exit_code == 2
    assert "no mistake has the target or name 'motion_smothness'" in result.output


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parity
def test_a_few_mistakes_break_their_cases() -> None:
    names = ("levels rounded, not cut", "ImageNet's mean and deviation", "256 levels")
    result = CliRunner().invoke(main, [word for name in names for word in ("--name", name)])
    assert result.exit_code == 0, result.output
    assert "3 of 3 mistakes break a golden case" in result.output
