"""SAM 2.1's video network as ``transformers`` has it, with SAMURAI's choices (Yang et al. 2024, arXiv 2411.11922).

Three things differ from the library's network, each for one object at a time:

- which of the mask decoder's candidates a frame gets: ``samurai_selection.SamuraiSelector``;
- which earlier frames are remembered: ``samurai_selection.memory_frames`` in mode ``reference``, where overlap with the
  predicted motion has no say, since the reference never stores it;
- from which logit on an object is in the frame: above -1 in place of 0. What the memory learns of an object that is not
  there (the occlusion embedding) keeps 0, as in the reference.

The filter of an object's motion lives in the session, not in the network: a new session starts anew.

Reference: reward/character/samurai/sam2/sam2/modeling/sam2_base.py and sam2_video_predictor.py.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Final, Literal, Protocol

import torch
from transformers import Sam2VideoConfig, Sam2VideoInferenceSession, Sam2VideoModel

from anisora.harness.errors import ConfigError, MetricError
from anisora.reward.character.samurai_selection import (
    Choice,
    SamuraiSelector,
    SamuraiSettings,
    Tracked,
    candidate_boxes,
    memory_frames,
)

__all__ = [
    "SUBCLASS_POINTS",
    "ObjectHistory",
    "PreparedFrames",
    "SamuraiSession",
    "SamuraiVideoModel",
    "Selection",
    "moved_points",
]

Selection = Literal["samurai", "plain"]

SUBCLASS_POINTS: Final = {
    "_run_single_frame_inference": ("inference_session", "frame_idx", "obj_idx"),
    "_single_frame_forward": ("image_embeddings", "multimask_output"),
    "_gather_memory_frame_outputs": ("inference_session", "obj_idx", "frame_idx", "track_in_reverse_time"),
}
"""{method of ``Sam2VideoModel``: arguments} on which this file rests; the library calls none of them public."""
_SUPPORTED: Final = ">=5.5,<5.24"
_MEMORIES: Final = ("maskmem_features", "maskmem_pos_enc")
_MASKS: Final = ("high_res_masks", "pred_masks")


@dataclass(slots=True)
class ObjectHistory:
    """What is known of one object of one session."""

    selector: SamuraiSelector
    tracked: list[Tracked] = field(default_factory=list)
    """One for each frame after the prompted frame 0."""


@dataclass(slots=True)
class _Frame:
    """One object in the frame that is computed."""

    selector: SamuraiSelector
    object_logits: torch.Tensor | None = None
    choice: Choice | None = None


class PreparedFrames(Protocol):
    """The frames of a clip as the network takes them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> torch.Tensor: ...


class SamuraiSession(Sam2VideoInferenceSession):
    """One clip with its objects; every object has its own filter.

    Args:
        frames: Its length is the clip's, and item t is (3, side, side) float32: frames may be made when asked for.
        height: Of the clip, pixels.
        width: Of the clip, pixels.
        device: Where the network is.
        settings: SAMURAI's thresholds.
    """

    def __init__(
        self,
        frames: PreparedFrames,
        *,
        height: int,
        width: int,
        device: torch.device,
        settings: SamuraiSettings,
    ) -> None:
        super().__init__(
            video_height=height,
            video_width=width,
            inference_device=device,
            inference_state_device=device,
            dtype=torch.float32,
        )
        self.processed_frames: Any = frames
        self.settings = settings
        self._size = width, height
        self._histories: dict[int, ObjectHistory] = {}

    def history(self, obj_idx: int) -> ObjectHistory:
        """Return what is known of an object."""
        if obj_idx not in self._histories:
            self._histories[obj_idx] = ObjectHistory(SamuraiSelector(self.settings))
        return self._histories[obj_idx]

    def add_box(self, obj_id: int, box: Sequence[float], image_size: int) -> None:
        """Ask for an object by its box in frame 0.

        Args:
            obj_id: 1 or more.
            box: Left, top, right, bottom in pixels of the clip.
            image_size: Side of the network's frames, pixels.
        """
        scale = image_size / torch.tensor(self._size, dtype=torch.float32)
        corners = torch.tensor(box, dtype=torch.float32).reshape(1, 1, 2, 2) * scale
        labels = torch.tensor([[[2, 3]]], dtype=torch.int32)  # upper left and lower right corner
        self.add_point_inputs(self.obj_id_to_idx(obj_id), 0, {"point_coords": corners, "point_labels": labels})
        self.obj_with_new_inputs.append(obj_id)

    def reset_tracking_data(self) -> None:
        """Forget objects and their filters."""
        super().reset_tracking_data()  # type: ignore[no-untyped-call]
        self._histories.clear()

    def reset_inference_session(self) -> None:
        """Forget objects, their filters and the features of frames."""
        super().reset_inference_session()  # type: ignore[no-untyped-call]
        self._histories.clear()


class SamuraiVideoModel(Sam2VideoModel):  # type: ignore[no-untyped-call]
    """The network; its keys are the library's.

    Args:
        config: Of the library.
        settings: Thresholds; how many frames are remembered comes from the configuration.
        selection: ``plain`` is SAM 2 itself, as the library has it.

    Raises:
        ConfigError: The library lacks a method that is built upon.
    """

    def __init__(
        self, config: Sam2VideoConfig, settings: SamuraiSettings | None = None, selection: Selection = "samurai"
    ) -> None:
        moved = moved_points()
        if moved:
            raise ConfigError(
                f"transformers {version('transformers')} has another Sam2VideoModel: {'; '.join(moved)}. Install "
                f"transformers {_SUPPORTED}."
            )
        super().__init__(config)
        self.selection = selection
        self.settings = replace(
            settings or SamuraiSettings(),
            num_maskmem=config.num_maskmem,
            max_obj_ptrs=config.max_object_pointers_in_encoder,
        )
        side: Any = config.image_size
        self._side = int(side)
        self._frame: _Frame | None = None
        self.mask_decoder.register_forward_hook(self._narrow)

    def forget(self, session: SamuraiSession, frame_idx: int) -> None:
        """Let go of what no frame after ``frame_idx`` can look at: masks, and memories that are never chosen again."""
        for obj_idx, outputs in session.output_dict_per_obj.items():
            next_frame = frame_idx + 1
            if self.selection == "plain":
                needed = set(range(next_frame - self.num_maskmem + 1, next_frame))
            else:
                # What is passed over now stays so: the most recent frame pushes the oldest memory out for good.
                chosen = memory_frames(next_frame, session.history(obj_idx).tracked, settings=self.settings)
                needed = {index for index, _ in chosen}
            for index, output in outputs["non_cond_frame_outputs"].items():
                for key in _MASKS if index in needed else (*_MASKS, *_MEMORIES):
                    output.pop(key, None)
            for output in outputs["cond_frame_outputs"].values():
                output.pop("high_res_masks", None)

    def _run_single_frame_inference(  # type: ignore[override]
        self,
        inference_session: SamuraiSession,
        frame_idx: int,
        obj_idx: int,
        **rest: Any,  # noqa: ANN401 - the library's arguments, passed on
    ) -> dict[str, Any]:
        """Compute one object of one frame, with its own filter, and store the overlap that the mask predicts."""
        call = {"inference_session": inference_session, "frame_idx": frame_idx, "obj_idx": obj_idx, **rest}
        if self.selection == "plain":
            return dict(super()._run_single_frame_inference(**call))
        history = inference_session.history(obj_idx)
        if not rest.get("is_init_cond_frame") and len(history.tracked) != frame_idx - 1:
            raise MetricError(
                f"Frame {frame_idx} of object {obj_idx} comes after {len(history.tracked)} tracked; expected "
                f"{frame_idx - 1}. Prompt frame 0 and track forward, frame by frame."
            )
        self._frame = frame = _Frame(history.selector)
        try:
            output = dict(super()._run_single_frame_inference(**call))
        finally:
            self._frame = None
        if frame.choice is not None:
            logit = float(output["object_score_logits"].reshape(()))
            output["best_iou"] = frame.choice.best_iou
            history.tracked.append(Tracked(frame.choice.best_iou, logit, frame.choice.motion_score))
        return output

    def _single_frame_forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's
        """Run prompt encoder and mask decoder; the object's logit is given as the decoder has it."""
        output = super()._single_frame_forward(*args, **kwargs)
        if self._frame is not None and self._frame.object_logits is not None:
            output.object_score_logits = self._frame.object_logits
        return output

    def _narrow(self, module: torch.nn.Module, args: Any, output: Any) -> Any:  # noqa: ANN401 - a hook
        """Leave the chosen candidate alone of what the mask decoder gives, and move the threshold of presence.

        The library takes the likeliest of the candidates it gets, and an object to be there above 0: with one candidate
        and a logit that is moved by as much as the thresholds differ, it does as SAMURAI does.
        """
        frame = self._frame
        if frame is None:
            return None
        masks, ious, tokens, logits = output
        frame.object_logits = logits
        threshold = self.settings.min_obj_score_logits
        if masks.shape[2] > 1:  # a frame with a prompt has one mask, and no say in the object's motion
            boxes = candidate_boxes(
                masks[0, 0].float().cpu().numpy(),
                float(logits.reshape(())),
                image_size=self._side,
                min_obj_score_logits=threshold,
            )
            frame.choice = frame.selector.choose(boxes, ious[0, 0].float().cpu().numpy())
            chosen = slice(frame.choice.candidate, frame.choice.candidate + 1)
            masks, ious, tokens = masks[:, :, chosen], ious[:, :, chosen], tokens[:, :, chosen]
        return masks, ious, tokens, logits - threshold

    def _gather_memory_frame_outputs(  # type: ignore[override]
        self, inference_session: SamuraiSession, obj_idx: int, frame_idx: int, track_in_reverse_time: bool = False
    ) -> list[tuple[int, dict[str, Any]]]:
        """Return the outputs that a frame remembers, each with its row of the temporal embeddings, counted from 1."""
        if self.selection == "plain":
            gathered = super()._gather_memory_frame_outputs(
                inference_session, obj_idx, frame_idx, track_in_reverse_time
            )
            return list(gathered)
        outputs = inference_session.output_dict_per_obj[obj_idx]
        known = {**outputs["non_cond_frame_outputs"], **outputs["cond_frame_outputs"]}
        chosen = memory_frames(frame_idx, inference_session.history(obj_idx).tracked, settings=self.settings)
        return [(row + 1, known[index]) for index, row in chosen]


def moved_points(model: type = Sam2VideoModel) -> list[str]:
    """Return which methods or arguments of the library's network are not where this file needs them."""
    moved = []
    for name, arguments in SUBCLASS_POINTS.items():
        method = getattr(model, name, None)
        if method is None:
            moved.append(f"no {name}")
            continue
        has = inspect.signature(method).parameters
        moved += [f"{name} takes no {argument}" for argument in arguments if argument not in has]
    return moved
