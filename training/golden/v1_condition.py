"""Golden cases of kind ``train_v1_condition``: the guides of V1's training, with the draws of the reference given."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_exact, compare_expected
from anisora.harness.weights import load_state_dict
from anisora.models.cogvideox.guide_slots import latent_frames, slot_of_frame
from anisora.training.conditions import draw_guides, guide_condition

__all__ = ["handle"]

_LAYOUT: Final = "B,T,C,H,W"


@dataclass(slots=True)
class _RecordedDraws:
    """Gives what the reference drew, in its order."""

    recorded: Mapping[str, Any]
    coins: int = field(default=0)

    def coin(self) -> bool:
        self.coins += 1
        return bool(self.recorded[f"coin_{self.coins}"])

    def frame(self, count: int) -> int:
        drawn = int(self.recorded[f"frame_{self.coins}"])
        if not 0 <= drawn < count:
            raise DataError(f"The reference drew frame {drawn}; expected 0 to {count - 1}, the frames of the clip.")
        return drawn

    def uniform(self) -> float:
        return float(self.recorded["dropout_uniform"])


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Place the guides of every row again and compare the draws, their latent frames and the condition.

    Args:
        path: Folder with inputs video_latent_unscaled (B, C, T, h, w) and single_frame_latent_scaled (frames, C, h, w),
            expected tensors training_latent and condition_<index>, and expected.json: {rows}.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here, or has another layout.
        ConfigError: Its number of frames is none of a clip.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    config, tolerance = case["config"], case["tolerance"]
    if config["layout"] != _LAYOUT:
        raise DataError(f"`{path}` has layout {config['layout']!r}; expected {_LAYOUT!r}, the reference's.")
    inputs, num_frames = load_state_dict(path / "inputs.safetensors"), config["num_frames"]
    yield compare_exact("latent_frames", latent_frames(num_frames), config["latent_frames"])
    alone = inputs["single_frame_latent_scaled"]
    latents = (inputs["video_latent_unscaled"] * config["scale_factor"]).transpose(1, 2)
    ours = {"training_latent": latents}
    for row in json.loads((path / "expected.json").read_text(encoding="utf-8"))["rows"]:
        index = row["index"]
        draw = draw_guides(num_frames, _RecordedDraws(row["draws"]), dropout=config["dropout"])
        condition = guide_condition(latents, draw, num_frames, lambda frame: alone[frame : frame + 1])
        ours[f"condition_{index}"] = condition
        frames = [*draw.frames, None][:2]
        slots = [None if frame is None else slot_of_frame(frame) for frame in frames]
        found = {
            **{f"frame_{place}": frame for place, frame in enumerate(frames, 1)},
            **{f"slot_{place}": slot for place, slot in enumerate(slots, 1)},
            "dropped": draw.is_dropped,
            "filled_slots": [slot for slot in range(condition.shape[1]) if condition[:, slot].any()],
        }
        for name, value in found.items():
            yield compare_exact(f"row {index} {name}", value, row[name])
    yield from compare_expected(ours, load_state_dict(path / "expected.safetensors"), tolerance)
