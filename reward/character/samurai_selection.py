"""How SAMURAI chooses, for one object, among a tracker's candidate masks and among the frames it remembers.

On every tracked frame the mask decoder gives a few candidates, each with the overlap that it predicts for itself. A
filter of the object's motion has a say once it has been right for a while. Of the frames behind, only those with a
convincing mask are remembered.

Reference: reward/character/samurai/sam2/sam2/modeling/sam2_base.py. There the filter belongs to the model and outlives
a clip; here a ``SamuraiSelector`` belongs to one object of one clip. There, too, the overlap with the predicted motion
never reaches the memory: mode ``reference`` leaves it out of the choice of memories, mode ``corrected`` asks for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anisora.harness.errors import ConfigError, MetricError
from anisora.reward.character.kalman_box_filter import (
    BoxState,
    KalmanBoxFilter,
    box_from_measurement,
    box_iou,
    measurement_from_box,
)

__all__ = [
    "NO_OBJECT_LOGIT",
    "Choice",
    "SamuraiSelector",
    "SamuraiSettings",
    "Tracked",
    "candidate_boxes",
    "memory_frames",
    "pointer_frames",
]

Mode = Literal["reference", "corrected"]

NO_OBJECT_LOGIT: Final = -1024.0
"""What every pixel of a mask becomes where the object is not in the frame."""

_OLDEST: Final = 2
"""The first frame that the walk back through the memory looks at; frame 1 is remembered by the next frame only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamuraiSettings:
    """Thresholds of the published configuration."""

    stable_frames_threshold: int = 15
    """Good frames in a row, after which motion counts."""
    stable_ious_threshold: float = 0.3
    """Predicted overlap above which a frame is good."""
    kf_score_weight: float = 0.25
    """Weight of the motion; the rest is that of the predicted overlap."""
    min_obj_score_logits: float = -1.0
    """The object is in the frame where its logit is above."""
    memory_bank_iou_threshold: float = 0.5
    memory_bank_obj_score_threshold: float = 0.0
    memory_bank_kf_score_threshold: float = 0.0
    num_maskmem: int = 7
    """Masks remembered, the prompted frame's included."""
    max_obj_ptrs: int = 16
    """Frames of which the object's pointer is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen in one frame."""

    candidate: int
    best_iou: float
    """Overlap that the chosen candidate predicts for itself."""
    stable_frames: int
    """Good frames in a row, this one included."""
    state: BoxState
    """Of the filter: predicted only, where the frame was not good."""
    motion_ious: tuple[float, ...] | None
    """Overlap of each candidate with the predicted box; None while motion does not count."""
    predicted_box: NDArray[np.float64] | None
    """(4,) left, top, right, bottom in pixels of the mask; None while motion does not count."""

    @property
    def motion_score(self) -> float | None:
        """Overlap of the chosen candidate with the predicted box; None while motion does not count."""
        return None if self.motion_ious is None else self.motion_ious[self.candidate]


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a later frame's choice of memories depends on."""

    best_iou: float
    object_logit: float
    motion_score: float | None = None


@dataclass(slots=True)
class SamuraiSelector:
    """Follows one object through one clip, from the frame after the prompted one, frame by frame."""

    settings: SamuraiSettings = field(default_factory=SamuraiSettings)
    box_filter: KalmanBoxFilter = field(default_factory=KalmanBoxFilter)
    stable_frames: int = field(default=0, init=False)
    state: BoxState | None = field(default=None, init=False)

    def choose(self, boxes: ArrayLike, ious: ArrayLike) -> Choice:
        """Choose a candidate of the next frame.

        Args:
            boxes: (candidates, 4), from ``candidate_boxes``.
            ious: (candidates,) overlap that each predicts for itself, compared as float32.

        Raises:
            MetricError: The shapes do not fit together, there is no candidate, or a number is not finite.
        """
        places = np.asarray(boxes, np.float64)
        scores = np.asarray(ious, np.float32)
        if scores.ndim != 1 or scores.size == 0 or places.shape != (scores.size, 4):
            raise MetricError(
                f"`boxes` has shape {places.shape} and `ious` {scores.shape}; expected (candidates, 4) and "
                "(candidates,), of one object. Use one selector for each object."
            )
        if not np.isfinite(scores).all():
            raise MetricError(f"`ious` is {scores.tolist()}; expected finite numbers. Check the mask decoder.")
        if self.state is None or self.stable_frames == 0:
            return self._start(places, scores)
        settings = self.settings
        predicted = self.box_filter.predict(self.state)
        counts = self.stable_frames >= settings.stable_frames_threshold
        predicted_box = box_from_measurement(predicted.mean[:4]) if counts else None
        motion: tuple[float, ...] | None = None
        chosen = int(scores.argmax())
        if predicted_box is not None:
            motion = tuple(box_iou(predicted_box, box) for box in places)
            weight = settings.kf_score_weight
            chosen = int((weight * np.asarray(motion, np.float32) + (1 - weight) * scores).argmax())
        self._correct(predicted, places[chosen], scores[chosen], counts=counts)
        return self._choice(chosen, scores, motion, predicted_box)

    def _start(self, boxes: NDArray[np.float64], scores: NDArray[np.float32]) -> Choice:
        chosen = int(scores.argmax())
        self.state = self.box_filter.initiate(measurement_from_box(boxes[chosen]))
        self.stable_frames += 1
        return self._choice(chosen, scores, None, None)

    def _correct(self, predicted: BoxState, box: NDArray[np.float64], score: np.float32, *, counts: bool) -> None:
        """Take the chosen box into the filter where the frame is good; forget the good frames where it is not."""
        threshold = np.float32(self.settings.stable_ious_threshold)
        # At the threshold itself a frame is good for the settled filter, and is not for the one that settles.
        is_good = score >= threshold if counts else score > threshold
        if not is_good:
            self.state, self.stable_frames = predicted, 0
            return
        self.state = self.box_filter.update(predicted, measurement_from_box(box))
        self.stable_frames += not counts

    def _choice(
        self,
        chosen: int,
        scores: NDArray[np.float32],
        motion: tuple[float, ...] | None,
        predicted_box: NDArray[np.float64] | None,
    ) -> Choice:
        assert self.state is not None
        return Choice(
            candidate=chosen,
            best_iou=float(scores[chosen]),
            stable_frames=self.stable_frames,
            state=self.state,
            motion_ious=motion,
            predicted_box=predicted_box,
        )


def candidate_boxes(
    low_res_logits: NDArray[np.floating], object_logit: float, *, image_size: int, min_obj_score_logits: float = -1.0
) -> NDArray[np.int32]:
    """Return the tight boxes of the candidate masks of one frame.

    Logits are enlarged bilinearly between pixel centres; a pixel belongs to the mask where its logit is above 0.

    Args:
        low_res_logits: (candidates, L, L) of the mask decoder.
        object_logit: Of the object's presence in the frame.
        image_size: Side of the enlarged masks, pixels.
        min_obj_score_logits: At or below it the object is absent, and every mask empty.

    Returns:
        (candidates, 4) left, top, right, bottom, the last column and row inside the mask; zeros where it is empty.

    Raises:
        MetricError: The shape is another, or the size is below 1.
    """
    logits = np.asarray(low_res_logits, np.float32)
    if logits.ndim != 3 or 0 in logits.shape or image_size < 1:
        raise MetricError(
            f"`low_res_logits` has shape {logits.shape} and `image_size` is {image_size}; expected (candidates, L, L), "
            "not empty, and 1 or more pixels."
        )
    if object_logit <= min_obj_score_logits:
        logits = np.full_like(logits, NO_OBJECT_LOGIT)
    return np.stack([_tight_box(_enlarged(mask, image_size) > 0) for mask in logits])


def _enlarged(mask: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return an (L, L) picture as (size, size), bilinear between pixel centres, edges repeated."""
    top, bottom, down = _neighbours(mask.shape[0], size)
    left, right, across = _neighbours(mask.shape[1], size)
    wide = (1 - across) * mask[:, left] + across * mask[:, right]
    enlarged: NDArray[np.float32] = (1 - down[:, None]) * wide[top] + down[:, None] * wide[bottom]
    return enlarged


def _neighbours(source: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return, for each of ``size`` pixels, the two nearest of ``source`` and the weight of the second."""
    centres = np.maximum((np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(source / size) - 0.5, 0)
    first = centres.astype(np.intp)
    return first, np.minimum(first + 1, source - 1), (centres - first).astype(np.float32)


def _tight_box(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return np.zeros(4, np.int32)
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.int32)


def memory_frames(
    frame: int, tracked: Sequence[Tracked], *, settings: SamuraiSettings | None = None, mode: Mode = "reference"
) -> list[tuple[int, int]]:
    """Return the frames whose masks a frame remembers, each with its row of the table of temporal embeddings.

    The prompted frame 0 first, with the last row; then up to ``num_maskmem - 1`` convincing frames, oldest first, the
    most recent with row 0. The frame before is always among them. No more than ``max_obj_ptrs - 1`` convincing frames
    are looked for.

    Args:
        frame: Index of the frame, 1 or more.
        tracked: What became of frames 1, 2, ..., at least up to the one before; entry 0 is frame 1.
        settings: Thresholds; None: those published.
        mode: ``corrected`` asks for overlap with the predicted motion too, where there was a prediction.

    Raises:
        ConfigError: There is no such mode.
        MetricError: The frame is below 1, or frames before it are missing.
    """
    if mode not in ("reference", "corrected"):
        raise ConfigError(f"`mode` got {mode!r}; expected reference or corrected.")
    if frame < 1 or len(tracked) < frame - 1:
        raise MetricError(
            f"`frame` is {frame} with {len(tracked)} tracked; expected 1 or more, and all of frames 1 to {frame - 1}."
        )
    limits = settings or SamuraiSettings()
    kept: list[int] = []
    for index in range(frame - 1, _OLDEST - 1, -1):
        if _convinces(tracked[index - 1], limits, mode):
            kept.insert(0, index)
        if len(kept) >= limits.max_obj_ptrs - 1:
            break
    if frame > 1 and frame - 1 not in kept:
        kept.append(frame - 1)
    last = kept[max(0, len(kept) - (limits.num_maskmem - 1)) :]
    rows = range(len(last) - 1, -1, -1)
    return [(0, limits.num_maskmem - 1), *zip(last, rows, strict=True)]


def _convinces(frame: Tracked, limits: SamuraiSettings, mode: Mode) -> bool:
    moves_along = (
        mode == "reference" or frame.motion_score is None or frame.motion_score > limits.memory_bank_kf_score_threshold
    )
    return (
        frame.best_iou > limits.memory_bank_iou_threshold
        and frame.object_logit > limits.memory_bank_obj_score_threshold
        and moves_along
    )


def pointer_frames(frame: int, *, max_obj_ptrs: int = 16) -> list[int]:
    """Return the frames whose object pointer a frame attends to: the prompted frame 0, then the ones before, backwards.

    Args:
        frame: Index of the frame, 1 or more.
        max_obj_ptrs: Frame 0 and the ``max_obj_ptrs - 1`` frames before.

    Raises:
        MetricError: The frame or the count is below 1.
    """
    if frame < 1 or max_obj_ptrs < 1:
        raise MetricError(f"`frame` is {frame} and `max_obj_ptrs` {max_obj_ptrs}; expected 1 or more of both.")
    return [0, *range(frame - 1, max(0, frame - max_obj_ptrs), -1)]
