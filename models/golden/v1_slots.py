"""Golden cases of kind ``gen_v1_slots``: latent frames of guide images, in inference and in training."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anisora.harness.parity import Comparison, compare_exact
from anisora.models.cogvideox.guide_slots import guide_slots, slot_of_frame, uses_clip_latent

__all__ = ["handle"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute every row of a case again and compare it; nothing but equality passes.

    Args:
        path: Folder with expected.json: {inference_slots, frame_to_slot: rows}.
        case: Its case.json.

    Raises:
        ConfigError: A row has more images than slots.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    rows, compression = (
        json.loads((path / "expected.json").read_text(encoding="utf-8")),
        case["config"]["temporal_compression"],
    )
    for place, row in enumerate(rows["inference_slots"]):
        slots = guide_slots(row["images"], row["latent_frames"])
        ours = {str(slot): image for image, slot in enumerate(slots)}
        yield compare_exact(f"inference_slots {place}", ours, row["slot_to_image"])
    for place, row in enumerate(rows["frame_to_slot"]):
        frame, label = row["frame_index"], f"frame_to_slot {place} "
        yield compare_exact(f"{label}latent_slot", slot_of_frame(frame, compression), row["latent_slot"])
        ours_used = uses_clip_latent(frame, row["num_frames"], compression)
        yield compare_exact(f"{label}own_video_latent_used", ours_used, row["own_video_latent_used"])
