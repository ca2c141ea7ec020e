"""The frame samplers of the reference implementation, with their quirks, each in its own words.

They are tables of what was done, for comparison with published numbers; new metrics use ``sampling``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from anisora.harness.errors import UnknownNameError

__all__ = [
    "RULES",
    "clip_24_of_144",
    "compute_table",
    "crop_8",
    "fps_interval",
    "linspace_8",
    "step_16",
]

RULES: Final = ("clip_24_of_144", "linspace_8", "step16", "crop_8", "fps_interval")


def clip_24_of_144(total: int) -> list[int]:
    """Return the frames that all six reward scores see (reward/reward_infer.py).

    Up to 24 frames: every one. Beyond: 24 frames at equal steps over the first min(total, 144), without the
    last.

    Args:
        total: Frames in the clip.
    """
    if total <= 24:
        return list(range(total))
    looked_at = min(total, 144)
    return [int(index) for index in np.arange(0, looked_at, looked_at / 24).astype(np.int64)]


def linspace_8(sampled: int) -> list[int]:
    """Return the 8 of the sampled frames that the motion scorer sees; short clips repeat some.

    A float32 linspace over 0 .. sampled-1, cut to integers (reward/reward_infer.py), as torch computes it:
    the first half from the left end, the second half from the right end.

    Args:
        sampled: Frames that ``clip_24_of_144`` gave.
    """
    last = np.float32(sampled - 1)
    step = last / np.float32(7)
    left = [np.float32(i) * step for i in range(4)]
    right = [last - np.float32(7 - i) * step for i in range(4, 8)]
    return [int(value) for value in left + right]


def step_16(total: int) -> list[int]:
    """Return the frames for black borders and aesthetics: 16 to 31 of a long clip.

    Every max(1, total // 16)-th (data_pipeline/infer_single.py).

    Args:
        total: Frames in the clip.
    """
    return list(range(0, total, max(1, total // 16)))


def crop_8(visible: int) -> list[int] | None:
    """Return 8 of the frames in which a character is seen (pretrain_IP_dataset.py); None: seen too rarely.

    Args:
        visible: Frames in which the character's mask is not empty.
    """
    return None if visible < 8 else list(range(0, visible, visible // 8))[:8]


def fps_interval(fps: float, total: int, requested_fps: float) -> list[int]:
    """Return every round(fps / requested_fps)-th frame and always the last (data_pipeline/infer_utils.py).

    Args:
        fps: Frame rate of the clip.
        total: Frames in the clip.
        requested_fps: Frames a second; 0 means the clip's own rate.

    Raises:
        ZeroDivisionError: As the reference does, where the clip has no frame rate or the interval rounds to
            0.
    """
    interval = round(fps / (requested_fps or fps))
    return [index for index in range(total) if index % interval == 0 or index == total - 1]


def compute_table(rule: str, rows: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - JSON
    """Return the table of a rule in the form the golden files have, for comparison with ``==``.

    Args:
        rule: One of RULES.
        rows: For ``fps_interval`` the rows {fps, total, requested_fps}; for the other rules a mapping whose
            keys are the totals, as text. Expected values in it are not looked at.

    Raises:
        UnknownNameError: There is no such rule.
    """
    if rule == "fps_interval":
        return [_row(row) for row in rows if isinstance(row, Mapping)]
    by_total = {
        "clip_24_of_144": clip_24_of_144,
        "linspace_8": linspace_8,
        "step16": step_16,
        "crop_8": crop_8,
    }
    if rule not in by_total:
        raise UnknownNameError("sampling rule", rule, RULES, f"Known: {', '.join(RULES)}.")
    return {str(total): by_total[rule](int(str(total))) for total in rows}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: row[name] for name in ("fps", "total", "requested_fps")}
    try:
        return {**given, "indices": fps_interval(**given)}
    except ZeroDivisionError as error:
        return {**given, "indices": type(error).__name__}
