"""Golden cases of kind ``c08b_samurai_selection``: candidates chosen, frames remembered, along one clip."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.reward.character.samurai_selection import (
    SamuraiSelector,
    SamuraiSettings,
    Tracked,
    candidate_boxes,
    memory_frames,
    pointer_frames,
)

__all__ = ["handle"]

_EXACT = (
    "memory_frames_and_temporal_slots",
    "pointer_frames",
    "chosen_candidate",
    "stable_frames_after",
    "candidate_boxes",
)


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Follow the object of a case and compare all that it expects of every frame.

    The boxes are those of the candidates' masks, computed here; given ones are compared with them.

    Args:
        path: Folder with inputs low_res_logits, ious, object_logits and candidate_boxes, and expected.json.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, its prompt is not on frame 0, or motion has a
            say in what is remembered.
        MetricError: Its shapes do not fit together.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    inputs = load_state_dict(path / "inputs.safetensors", framework="numpy")
    rows = _followed(path, case["config"], inputs)
    if "candidate_boxes" in inputs:
        boxes = [row["candidate_boxes"] for row in rows]
        yield compare_exact("candidate_boxes of the masks", boxes, inputs["candidate_boxes"].tolist())
    expected = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    yield compare_exact("frames", [row["frame"] for row in rows], [row["frame"] for row in expected])
    tolerance = {name: value for names, value in case["tolerance"].items() for name in names.split(", ")}
    for ours, row in zip(rows, expected, strict=False):
        label = f"frame {row['frame']} "
        exact = [name for name in row if name in _EXACT or row[name] is None or ours.get(name, "") is None]
        for name in exact:
            yield compare_exact(label + name, ours.get(name, "not computed"), row[name])
        wanted = {name: value for name, value in row.items() if name not in exact}
        yield from compare_expected(ours, wanted, tolerance, label=label)


def _followed(path: Path, config: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is computed of every frame, in the names of the case."""
    if config["conditioning_frame"] != 0:
        raise DataError(f"`{path}` is prompted on frame {config['conditioning_frame']}; expected 0, the first.")
    gate = config.get("kf_gate_in_memory_bank", "inactive")
    if not gate.startswith("inactive"):
        raise DataError(f"`{path}` has a motion gate {gate!r}; expected inactive, as the reference's is.")
    names = {field.name for field in dataclasses.fields(SamuraiSettings)}
    settings = SamuraiSettings(**{name: value for name, value in config.items() if name in names})
    selector = SamuraiSelector(settings)
    tracked: list[Tracked] = []
    rows: list[dict[str, Any]] = []
    for frame in range(config["T"]):
        logit = float(inputs["object_logits"][frame])
        boxes = candidate_boxes(
            inputs["low_res_logits"][frame],
            logit,
            image_size=config["image_size"],
            min_obj_score_logits=settings.min_obj_score_logits,
        )
        row: dict[str, Any] = {"frame": frame, "candidate_boxes": boxes.tolist()}
        rows.append(row)
        if frame == 0:
            continue
        row["memory_frames_and_temporal_slots"] = [
            list(pair) for pair in memory_frames(frame, tracked, settings=settings, mode="reference")
        ]
        row["pointer_frames"] = pointer_frames(frame, max_obj_ptrs=settings.max_obj_ptrs)
        choice = selector.choose(boxes, inputs["ious"][frame])
        tracked.append(Tracked(choice.best_iou, logit, choice.motion_score))
        row["chosen_candidate"] = choice.candidate
        row["best_iou"] = choice.best_iou
        row["stable_frames_after"] = choice.stable_frames
        row["filter_mean_after"] = choice.state.mean
        row["motion_ious"] = choice.motion_ious
        row["predicted_box"] = choice.predicted_box
    return rows
