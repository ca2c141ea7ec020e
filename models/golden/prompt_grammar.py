"""Golden cases of kind ``c11_prompt_grammar``: scores in prompts, lines of lists, frames of positions, their masks."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_exact
from anisora.models.cogvideox.request import request_frames, request_prompt
from anisora.models.prompt_grammar import parse_line
from anisora.models.score_suffix import append_missing_scores, append_scores
from anisora.models.wan.condition_mask import keyframe_mask, pack_mask
from anisora.models.wan.frame_ids import frame_ids, unchecked_frame_id

__all__ = ["handle", "packed_ones"]


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Compute every row of a case again and compare it; nothing but equality passes.

    An ``{"error": name}`` of the reference is met by any refusal of ours: its classes are not ours.

    Args:
        path: Folder with expected.json: {name of a table: rows}.
        case: Its case.json, whose ``fields`` name the tables that must be there.

    Raises:
        DataError: The case has a table that is not computed here, or lacks one.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    tables = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    for name in dict.fromkeys((*case.get("fields", ()), *tables)):
        if name not in _ROWS:
            raise DataError(f"The case expects {name}, which is not computed here; it has {', '.join(_ROWS)}.")
        if not tables.get(name):
            raise DataError(f"`{path / 'expected.json'}` has no rows of {name}; restore the file.")
        for place, row in enumerate(tables[name]):
            for field, ours in _ROWS[name](row).items():
                yield compare_exact(f"{name} {place} {field}", ours, row[field])


def packed_ones(ids: tuple[int, ...], num_frames: int) -> list[list[int]]:
    """Return [channel, latent frame] of all ones in the mask of some frames, in this order."""
    packed = pack_mask(keyframe_mask(ids, num_frames, 1, 1))
    found: list[list[int]] = packed[:, :, 0, 0].nonzero().tolist()
    return found


def _scores(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"out": append_scores(row["prompt"], aesthetic=row["aes"], motion=row["flow"])}


def _missing_scores(row: Mapping[str, Any]) -> dict[str, Any]:
    text = append_missing_scores(
        row["prompt"], aesthetic=row["aes"], motion=row["flow"], camera_motion=row["camera_motion"]
    )
    return {"out": text}


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "out_prompt": request_prompt(row["prompt"], row["motion"]),
        "out_num_frames": request_frames(row["gen_len"]),
    }


def _line(release: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def read(row: Mapping[str, Any]) -> dict[str, Any]:
        wanted = row["out"]
        try:
            line = parse_line(row["line"], release)
        except DataError as error:
            return {"out": {"error": wanted["error"]} if "error" in wanted else str(error)}
        said = {
            "prompt": line.prompt,
            "image": line.images[0],
            "images": list(line.images),
            "positions": list(line.positions),
            "prompt_sent_to_model": line.sent,
        }
        # Of a line that the reference refuses, ours is shown whole.
        return {"out": said if "error" in wanted else {name: said.get(name) for name in wanted}}

    return read


def _frames(row: Mapping[str, Any]) -> dict[str, Any]:
    # The formula alone: the reference has it for clips of any length.
    return {"frame_ids": [unchecked_frame_id(position, row["F"]) for position in row["positions"]]}


def _mask(row: Mapping[str, Any]) -> dict[str, Any]:
    ids = frame_ids(row["positions"], row["F"])
    return {"frame_ids": list(ids), "mask_ones_channel_latentframe": packed_ones(ids, row["F"])}


_ROWS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "suffix_v1": _scores,
    "suffix_opensora": _missing_scores,
    "v1_request": _request,
    "line_v2": _line("v2"),
    "line_v3": _line("v3"),
    "line_v32": _line("v3.2"),
    "frame_ids": _frames,
    "frame_mask": _mask,
}
