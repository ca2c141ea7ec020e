"""Golden cases of kind ``gen_frame_ids``: frames of positions, images that win, masks, clips the reference fails on."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.errors import ConfigError
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.golden.prompt_grammar import packed_ones
from anisora.models.wan.condition_mask import keyframe_mask, pack_mask
from anisora.models.wan.frame_ids import frame_ids, image_at_frame, unchecked_frame_id

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute every row of a case again and compare it.

    Rows of ``invalid`` have the reference's formula and whether it stops there; our own function refuses all of them.

    Args:
        path: Folder with expected.json: {single, multi, invalid: rows}, and the masks as tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    rows = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    tolerance, stride = case["tolerance"], case["config"]["vae_stride"][0]
    for place, row in enumerate(rows["single"]):
        (frame,) = frame_ids([row["position"]], row["num_frames"])
        yield compare_exact(f"single {place}", frame, row["frame_id"])
    masks = load_state_dict(path / "expected.safetensors")
    for row in rows["multi"]:
        label, index, total = f"multi {row['index']} ", row["index"], row["num_frames"]
        ids = frame_ids(row["positions"], total)
        yield compare_exact(f"{label}frame_ids", list(ids), row["frame_ids"])
        shown = {str(frame): image for frame, image in image_at_frame(ids).items()}
        yield compare_exact(f"{label}image_at_frame", shown, row["image_at_frame"])
        yield compare_exact(
            f"{label}mask4_nonzero_channel_slot", packed_ones(ids, total), row["mask4_nonzero_channel_slot"]
        )
        packed = pack_mask(keyframe_mask(ids, total, *row["mask4_shape"][2:]), stride)
        yield compare_exact(f"{label}mask4_shape", list(packed.shape), row["mask4_shape"])
        name = f"mask4_{index}"
        yield from compare_expected({name: packed}, {name: masks[name]}, tolerance)
    for place, row in enumerate(rows["invalid"]):
        frame, total = unchecked_frame_id(row["position"], row["num_frames"]), row["num_frames"]
        yield compare_exact(f"invalid {place} unclamped_frame_id", frame, row["unclamped_frame_id"])
        outcome = "ok" if frame < total else "IndexError"
        yield compare_exact(f"invalid {place} reference_outcome", outcome, row["reference_outcome"])
        yield compare_exact(f"invalid {place} is refused", _is_refused(row["position"], total), True)


def _is_refused(position: float, num_frames: int) -> bool:
    try:
        frame_ids([position], num_frames)
    except ConfigError:
        return True
    return False
