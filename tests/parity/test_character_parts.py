"""The parts of character consistency against the reference's, and against known mistakes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison
from anisora.reward.character import gallery_score, kalman_box_filter, mask_crop, samurai_selection
from anisora.reward.character.kalman_box_filter import KalmanBoxFilter
from anisora.reward.golden import gallery_score as gallery_case
from anisora.reward.golden import kalman_box_filter as filter_case
from anisora.reward.golden import mask_crop as crop_case
from anisora.reward.golden import samurai_selection as selection_case

pytest.importorskip("torch")
numpy_files = pytest.importorskip("safetensors.numpy")

HANDLERS: dict[str, Callable[[Path, dict[str, Any]], Sequence[Comparison]]] = {
    "c05b_gallery_score": gallery_case.handle,
    "c07_mask_crop": crop_case.handle,
    "c08a_kalman_box_filter": filter_case.handle,
    "c08b_samurai_selection": selection_case.handle,
}
NEEDED = {
    "c05b_gallery_score": {"row 0 score", "row 1 winner", "row 1 identities", "identity_prob_1"},
    "c07_mask_crop": {"object3 frames", "object1_img7", "object4_square_mask0", "query_224_first_crop_every16"},
    "c08a_kalman_box_filter": {"sequence 1 operations", "sequence 2 step 20 mean", "sequence 2 final_covariance"},
    "c08b_samurai_selection": {"candidate_boxes of the masks", "frame 45 filter_mean_after", "frame 1 motion_ious"},
}
"""Some of the quantities that must be among those compared."""

pytestmark = [pytest.mark.parity, needs_shared]


def read(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / kind / "case.json").read_text())
    return found


def rows_of(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((GOLDEN / kind / "expected.json").read_text())
    return found


def failed(kind: str, folder: Path | None = None, **config: object) -> set[str]:
    case = read(kind)
    case["config"] = {**case.get("config", {}), **config}
    return {each.name for each in HANDLERS[kind](folder or GOLDEN / kind, case) if not each.passed}


@pytest.mark.parametrize("kind", HANDLERS)
def test_everything_that_the_reference_computed_is_computed_alike(kind: str) -> None:
    comparisons = HANDLERS[kind](GOLDEN / kind, read(kind))
    assert {comparison.name for comparison in comparisons} >= NEEDED[kind]
    assert [comparison for comparison in comparisons if not comparison.passed] == []


def test_plain_argmax_chooses_differently_as_often_as_the_case_says_and_breaks_it() -> None:
    kind = "c08b_samurai_selection"
    ious = numpy_files.load_file(GOLDEN / kind / "inputs.safetensors")["ious"]
    differ = [
        row["frame"]
        for row in rows_of(kind)
        if "chosen_candidate" in row and row["chosen_candidate"] != ious[row["frame"]].argmax()
    ]
    assert list(read(kind)["sensitivity"].values()) == [len(differ)]
    broken = failed(kind, kf_score_weight=0.0)
    # Until the choices part, everything is the same.
    assert f"frame {differ[0]} chosen_candidate" in broken
    assert not {name for name in broken if int(name.split()[1]) < differ[0]}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("c07_mask_crop", "frames_per_object", 9),
        ("c08a_kalman_box_filter", "std_weight_position", 0.06),
        ("c08a_kalman_box_filter", "std_weight_velocity", 0.0125),
        ("c08a_kalman_box_filter", "update_skipped_at_steps", [3]),
        ("c08b_samurai_selection", "stable_frames_threshold", 14),
        ("c08b_samurai_selection", "stable_ious_threshold", 0.15),
        ("c08b_samurai_selection", "min_obj_score_logits", -100.0),
        ("c08b_samurai_selection", "kf_score_weight", 0.75),
        ("c08b_samurai_selection", "memory_bank_iou_threshold", 0.2),
        ("c08b_samurai_selection", "memory_bank_obj_score_threshold", -100.0),
        ("c08b_samurai_selection", "num_maskmem", 6),
        ("c08b_samurai_selection", "max_obj_ptrs", 15),
        ("c08b_samurai_selection", "image_size", 48),
    ],
)
def test_every_constant_of_a_case_is_used(kind: str, name: str, value: object) -> None:
    assert name in read(kind)["config"]
    assert failed(kind, **{name: value})


def normalised(queries: Any, gallery: Any, names: Any, **more: Any) -> Any:
    queries, gallery = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (queries, gallery))
    return gallery_score.gallery_score(queries, gallery, names, **more)


def stripped(queries: Any, gallery: Any, names: Any, **more: Any) -> Any:
    return gallery_score.gallery_score(queries, gallery, [name.strip() for name in names], **more)


def checked(queries: Any, gallery: Any, names: Any, **more: Any) -> Any:
    return gallery_score.gallery_score(queries, gallery, names, mode="corrected", expected=[names[0]])


@pytest.mark.parametrize("mistake", [normalised, stripped, checked])
def test_another_score_of_the_gallery_breaks_its_case(monkeypatch: pytest.MonkeyPatch, mistake: Any) -> None:
    monkeypatch.setattr(gallery_case, "gallery_score", mistake)
    assert failed("c05b_gallery_score")


def evenly(visible: Any, count: int) -> list[int] | None:
    seen = np.flatnonzero(visible)
    return None if len(seen) < count else seen[np.linspace(0, len(seen) - 1, count).astype(int)].tolist()


def mirrored(image: Any, mask: Any) -> Any:
    """Put the odd pixel of padding at the left and above."""
    crop, square = square_crop(image[::-1, ::-1], mask[::-1, ::-1])
    return crop[::-1, ::-1], square[::-1, ::-1]


def unmasked(image: Any, mask: Any) -> Any:
    box = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return square_crop(image, box)[0], square_crop(image, mask)[1]


square_crop = mask_crop.square_crop


@pytest.mark.parametrize(
    ("name", "mistake"), [("chosen_frames", evenly), ("square_crop", mirrored), ("square_crop", unmasked)]
)
def test_another_way_to_crop_breaks_its_case(monkeypatch: pytest.MonkeyPatch, name: str, mistake: Any) -> None:
    monkeypatch.setattr(mask_crop, name, mistake)
    assert failed("c07_mask_crop")


def test_one_filter_for_both_roles_breaks_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mask_crop.RECIPES, "gallery", mask_crop.RECIPES["query"])
    assert failed("c07_mask_crop") == {"gallery_224_first_crop_every16"}


class NoiseOfTheNewHeight(KalmanBoxFilter):
    def predict(self, state: Any) -> Any:
        moved = super().predict(state)
        added = np.diag(self._variances(moved.mean[3]) - self._variances(state.mean[3]))
        return kalman_box_filter.BoxState(moved.mean, moved.covariance + added)


class UncertainMeasurement(KalmanBoxFilter):
    def update(self, state: Any, measurement: Any) -> Any:
        corrected = super().update(state, measurement)
        return kalman_box_filter.BoxState(corrected.mean, state.covariance)


@pytest.mark.parametrize("mistake", [NoiseOfTheNewHeight, UncertainMeasurement])
def test_another_filter_breaks_its_case(monkeypatch: pytest.MonkeyPatch, mistake: Any) -> None:
    monkeypatch.setattr(filter_case, "KalmanBoxFilter", mistake)
    assert failed("c08a_kalman_box_filter")


def inclusive(first: Any, second: Any) -> float:
    add = np.array([0, 0, 1, 1])
    return kalman_box_filter.box_iou(np.asarray(first) + add, np.asarray(second) + add)


def test_boxes_wider_by_one_break_both_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_case, "box_iou", inclusive)
    monkeypatch.setattr(samurai_selection, "box_iou", inclusive)
    assert all("iou_with_box" in name for name in failed("c08a_kalman_box_filter"))
    assert failed("c08a_kalman_box_filter")
    assert failed("c08b_samurai_selection")


def test_a_clip_that_is_shorter_or_has_fewer_rows_is_compared_too(tmp_path: Path) -> None:
    selection, boxes = "c08b_samurai_selection", "c08a_kalman_box_filter"
    inputs = numpy_files.load_file(GOLDEN / selection / "inputs.safetensors")
    numpy_files.save_file({key: array[:20].copy() for key, array in inputs.items()}, tmp_path / "inputs.safetensors")
    rows = rows_of(selection)[:20]
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    assert failed(selection, tmp_path, T=20) == set()
    rows[19]["filter_mean_after"][2] += 2e-4
    rows[18]["motion_ious"] = None
    rows[1]["motion_ious"] = [0.5, 0.5, 0.5]
    rows[5]["pointer_frames"].reverse()
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    changed = {"frame 19 filter_mean_after", "frame 18 motion_ious", "frame 1 motion_ious", "frame 5 pointer_frames"}
    assert failed(selection, tmp_path, T=20) == changed
    assert failed(selection, tmp_path, T=19) >= {"frames"}
    rows = rows_of(boxes)[1:2]
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    assert failed(boxes, tmp_path) == set()
    rows[0]["final_covariance"][4][0] += 2e-6
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    assert failed(boxes, tmp_path) == {"sequence 0 final_covariance"}


def test_a_clip_of_another_size_is_compared_too(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    frames = draw.integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
    masks = np.zeros((3, 4, 6), np.uint8)
    masks[:, 1, 2:5] = 9
    expected = {}
    for place in range(2):
        image, square = np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3), np.uint8)
        image[1], square[1] = frames[place, 1, 2:5], 1
        expected |= {f"object9_img{place}": image, f"object9_square_mask{place}": square}
    numpy_files.save_file({"frames": frames, "masks": masks}, tmp_path / "inputs.safetensors")
    numpy_files.save_file(expected, tmp_path / "expected.safetensors")
    rows = [{"object": 9, "frames": [0, 1], "shapes": [[3, 3, 3]] * 2}, {"object": 4, "frames": None}]
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    assert failed("c07_mask_crop", tmp_path, objects=[9, 4], frames_per_object=2) == set()
    assert failed("c07_mask_crop", tmp_path, objects=[9], frames_per_object=2) == {"objects"}
    expected["object9_img1"][1, 2, 2] ^= 1
    numpy_files.save_file(expected, tmp_path / "expected.safetensors")
    assert failed("c07_mask_crop", tmp_path, objects=[9, 4], frames_per_object=2) == {"object9_img1"}


def test_a_gallery_of_another_size_is_compared_too(tmp_path: Path) -> None:
    gallery = np.array([[1.0], [3.0], [0.0]], np.float32)
    queries = np.array([[[np.log(4.0)], [0.0]]], np.float32)
    # Means of the dot products: 2 q and 0; frames: 16/17 and 1/2.
    chance = (16 / 17 + 1 / 2) / 2
    numpy_files.save_file({"gallery_4": gallery, "query_4": queries}, tmp_path / "inputs.safetensors")
    probabilities = {"identity_prob_4": np.array([[chance, 1 - chance]])}
    numpy_files.save_file(probabilities, tmp_path / "expected.safetensors")
    row = {"index": 4, "names": ["Tom", "TOM", "Homer"], "identities": ["tom", "homer"], "winner": ["tom"]}
    (tmp_path / "expected.json").write_text(json.dumps([{**row, "object_score": [chance], "score": chance}]))
    assert failed("c05b_gallery_score", tmp_path) == set()
    (tmp_path / "expected.json").write_text(json.dumps([{**row, "winner": ["homer"], "score": chance + 2e-6}]))
    assert failed("c05b_gallery_score", tmp_path) == {"row 4 winner", "row 4 score"}


def test_what_is_not_computed_here_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is prompted on frame 3; expected 0"):
        failed("c08b_samurai_selection", conditioning_frame=3)
    with pytest.raises(DataError, match="has a motion gate 'active'; expected inactive"):
        failed("c08b_samurai_selection", kf_gate_in_memory_bank="active")
    rows = [{**row, "volume": 1.0} for row in rows_of("c08a_kalman_box_filter")]
    (tmp_path / "expected.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match="expects sequence 0 volume"):
        failed("c08a_kalman_box_filter", tmp_path)
