"""VBench's dimensions against its own code with the same seeded weights, on two procedural clips that lie here.

The numbers are what VBench at the commit named in ``expected.json`` gave for these clips. ``make parity`` compares
more clips where the reference data is at hand.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from seeded_weights import seeded_tensor
from shared_data import GOLDEN, REPOSITORY, needs_shared

from anisora.harness.parity import run_cases
from anisora.metrics.golden.aesthetic_quality import DIMENSION as AESTHETIC_QUALITY
from anisora.metrics.golden.dimension import compare_dimension, seeded_state
from anisora.metrics.golden.i2v_subject import LEGACY
from anisora.metrics.golden.vbench import dimension_named

CASE = REPOSITORY / "tests" / "data" / "vbench"
CASE_JSON = json.loads((CASE / "case.json").read_text(encoding="utf-8"))
DIMENSIONS = [name for name in CASE_JSON["tolerance"] if not name.endswith(("_frame_scores", "_radii"))]

pytestmark = pytest.mark.parity


@pytest.mark.slow
@pytest.mark.parametrize("name", DIMENSIONS)
def test_the_dimension_equals_that_of_vbench(name: str) -> None:
    comparisons = compare_dimension(CASE, CASE_JSON, name, dimension_named(name))
    assert len(comparisons) >= 3  # two clips and their aggregate
    assert [str(comparison) for comparison in comparisons if not comparison.passed] == []


@pytest.mark.slow
def test_i2v_subject_without_antialiasing_equals_that_of_vbench_before_torchvision_0_17() -> None:
    comparisons = compare_dimension(CASE, CASE_JSON, "i2v_subject", LEGACY, expected="expected_legacy_antialias.json")
    assert [str(comparison) for comparison in comparisons if not comparison.passed] == []
    crossed = compare_dimension(CASE, CASE_JSON, "i2v_subject", LEGACY)
    assert not all(comparison.passed for comparison in crossed)


def test_every_dimension_of_the_reference_case_is_compared() -> None:
    assert len(DIMENSIONS) == 10
    for name in DIMENSIONS:
        assert dimension_named(name).metric().info.name.partition(":")[0] == name


def test_a_dimension_that_is_not_computed_here_fails_by_name(tmp_path: Path) -> None:
    case = {"kind": "vbench", "seed": 0, "tolerance": {"camera_motion": 0.1}}
    (tmp_path / "case.json").write_text(json.dumps(case))
    (result,) = run_cases(tmp_path)
    assert result.status == "failed"
    assert "'camera_motion' of the case is none that is computed here" in result.message


def test_a_wrong_number_of_the_reference_fails(tmp_path: Path) -> None:
    (tmp_path / "clips").symlink_to(CASE / "clips")
    expected = json.loads((CASE / "expected.json").read_text())
    case = {**CASE_JSON, "tolerance": {"temporal_flickering": 1e-7}}
    (tmp_path / "case.json").write_text(json.dumps(case))
    (tmp_path / "weights.json").write_text("{}")
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    (right,) = run_cases(tmp_path)
    assert right.status == "passed", right.line()
    expected["dims"]["temporal_flickering"]["videos"][1]["score"] += 1e-6
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    (wrong,) = run_cases(tmp_path)
    assert wrong.status == "failed"


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("blocks.0.attn.qkv.weight", (12, 4)),
        ("blocks.0.norm1.weight", (5,)),
        ("blocks.0.norm1.bias", (5,)),
        ("pos_embed", (1, 3, 4)),
        ("bn.running_var", (6,)),
        ("bn.running_mean", (6,)),
        ("temp", ()),
    ],
)
def test_seeded_states_follow_the_rule_as_it_is_written(key: str, shape: tuple[int, ...]) -> None:
    state = seeded_state({key: shape}, "some_tag", 3)
    np.testing.assert_array_equal(state[key].numpy(), seeded_tensor(key, shape, tag="some_tag", seed=3))


def test_a_seeded_head_of_its_own_rule_is_what_the_case_lists() -> None:
    state = AESTHETIC_QUALITY.states["aesthetic"](0)
    assert state["bias"].tolist() == [5.0]
    assert state["weight"].std() == pytest.approx(1.0, abs=0.1)


@needs_shared
def test_the_clips_and_numbers_here_are_those_of_the_reference_data() -> None:
    theirs, ours = (json.loads((folder / "expected.json").read_text())["dims"] for folder in (GOLDEN / "vbench", CASE))
    for name, dimension in ours.items():
        found = {video["name"]: video for video in theirs[name]["videos"]}
        for video in dimension["videos"]:
            assert video == found[video["name"]]
            path = Path("clips") / "video" / video["name"]
            assert (CASE / path).read_bytes() == (GOLDEN / "vbench" / path).read_bytes()
