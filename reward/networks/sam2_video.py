"""SAM 2.1 Hiera base+ follows characters through a clip (Ravi et al. 2024), by default with SAMURAI's choices.

All characters of a clip share one session, so each frame is encoded once. Frames are prepared one by one: 12 MB at
1024 x 1024, whatever the length of the clip. Of each character, no more than seven memories of 1.5 MB are kept.

Differences from the reference, which runs one process for each character: float32 in place of float16 autocast; holes
of up to 8 pixels in a mask stay holes, which the reference fills by a CUDA extension; frames are scaled by Pillow's
bicubic filter, the reference's by the one of ffmpeg.

Reference: reward/character/samurai/scripts/demo.py.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anisora.harness.errors import MetricError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.transforms import IMAGENET_MEAN, IMAGENET_STD, Recipe
from anisora.harness.types import Frames
from anisora.harness.weights import Tensors, load_state_dict, locate, untrained_seed
from anisora.reward.networks.undrawn import undrawn

if TYPE_CHECKING:
    import torch
    from transformers import Sam2VideoConfig

    from anisora.reward.character.samurai_selection import SamuraiSettings
    from anisora.reward.networks.samurai_video_model import SamuraiSession, Selection

__all__ = ["WEIGHTS", "Sam2Video", "released_config"]

WEIGHTS: Final = "sam2.1-hiera-base-plus"
_SIDE: Final = 1024
_SHARED: Final = "shared_image_embedding.positional_embedding"
_SHARES: Final = "prompt_encoder.shared_embedding.positional_embedding"
_MOST_OBJECTS: Final = 2**16 - 1


def released_config() -> "Sam2VideoConfig":
    """Return the configuration of the released network: 80.85 million parameters, frames of 1024 x 1024."""
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VisionConfig
    from transformers.models.sam2_video.configuration_sam2_video import (
        Sam2VideoMaskDecoderConfig,
        Sam2VideoPromptEncoderConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=112,
        num_attention_heads=2,
        embed_dim_per_stage=[112, 224, 448, 896],
        num_attention_heads_per_stage=[2, 4, 8, 16],
        blocks_per_stage=[2, 3, 16, 3],
        global_attention_blocks=[12, 16, 20],
        window_positional_embedding_background_size=[14, 14],
        image_size=[_SIDE, _SIDE],
    )
    return Sam2VideoConfig(
        vision_config=Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[896, 448, 224, 112]),
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(image_size=_SIDE),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(),
        image_size=_SIDE,
    )


class Sam2Video:
    """From boxes in the first frame to masks in all of them. One clip at a time."""

    def __init__(
        self,
        state: Tensors | None = None,
        config: "Sam2VideoConfig | None" = None,
        *,
        settings: "SamuraiSettings | None" = None,
        selection: "Selection" = "samurai",
    ) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            config: None: the released one.
            settings: SAMURAI's thresholds; None: those published.
            selection: ``samurai``, or ``plain`` for SAM 2 without it.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: The tensors do not fit, or the installed transformers has another network.
        """
        from anisora.reward.networks.samurai_video_model import SamuraiVideoModel

        chosen = config or released_config()
        if state is None and untrained_seed() is None:
            (path,) = locate([WEIGHTS])[WEIGHTS].values()
            state = load_state_dict(path)
        if state is not None and _SHARED in state:
            # One matrix under two names; a file may have it once.
            state = {_SHARES: state[_SHARED], **state}
        module = undrawn(lambda: SamuraiVideoModel(chosen, settings, selection))
        self.module: Any = filled(module, WEIGHTS, state=state)
        self.module.prompt_encoder.shared_embedding.positional_embedding = self.module.get_buffer(_SHARED)
        side: Any = chosen.image_size
        self.recipe = Recipe(resize="exact", side=int(side), filter="bicubic", mean=IMAGENET_MEAN, std=IMAGENET_STD)

    @staticmethod
    def empty(config: "Sam2VideoConfig | None" = None) -> "torch.nn.Module":
        """Return the network without numbers; its keys are those of the published file."""
        from transformers import Sam2VideoModel

        chosen = config or released_config()
        with without_numbers():
            module: torch.nn.Module = undrawn(lambda: Sam2VideoModel(chosen))
        return module

    def session(self, frames: Frames, boxes: ArrayLike) -> "SamuraiSession":
        """Return a session of a clip with one object for each box, numbered from 1.

        Args:
            frames: (T, H, W, 3) RGB.
            boxes: (n, 4) left, top, right, bottom in pixels of frame 0.

        Raises:
            MetricError: A shape is another, there is no box, or a number is not finite.
        """
        from anisora.reward.networks.samurai_video_model import SamuraiSession

        places = _checked(frames, boxes)
        height, width = frames.shape[1:3]
        session = SamuraiSession(
            _Prepared(frames, self.recipe),
            height=height,
            width=width,
            device=self.module.no_memory_embedding.device,
            settings=self.module.settings,
        )
        for obj_id, box in enumerate(places.tolist(), start=1):
            session.add_box(obj_id, box, self.recipe.side)
        return session

    def masks(self, frames: Frames, boxes: ArrayLike) -> Iterator[NDArray[np.bool_]]:
        """Follow characters through a clip.

        Args:
            frames: (T, H, W, 3) RGB.
            boxes: (n, 4) left, top, right, bottom in pixels of frame 0.

        Yields:
            For each frame (n, H, W): where the logit, enlarged to the clip's size, is above 0.

        Raises:
            MetricError: A shape is another, there is no box, or a number is not finite.
        """
        import torch

        session = self.session(frames, boxes)
        for index in range(len(frames)):
            with inference():
                low = self.module(session, frame_idx=index).pred_masks
                large = torch.nn.functional.interpolate(
                    low.float(), size=frames.shape[1:3], mode="bilinear", align_corners=False
                )
                seen: NDArray[np.bool_] = (large[:, 0] > 0).cpu().numpy()
                self.module.forget(session, index)
            yield seen

    def label_map(self, frames: Frames, boxes: ArrayLike) -> NDArray[np.uint16]:
        """Follow characters through a clip.

        Args:
            frames: (T, H, W, 3) RGB.
            boxes: (n, 4) left, top, right, bottom in pixels of frame 0.

        Returns:
            (T, H, W): the number of the box, from 1, whose character a pixel shows, 0 for none. Where two overlap it is
            the later one.

        Raises:
            MetricError: A shape is another, there is no box, or a number is not finite.
        """
        labels = np.zeros(frames.shape[:3], np.uint16)
        for row, seen in zip(labels, self.masks(frames, boxes), strict=True):
            for number, mask in enumerate(seen, start=1):
                row[mask] = number
        return labels


class _Prepared:
    """The frames of a clip as the network takes them, each made when it is asked for."""

    def __init__(self, frames: Frames, recipe: Recipe) -> None:
        self._frames, self._recipe = frames, recipe

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> "torch.Tensor":
        return self._recipe.picture(self._frames[index])[0]


def _checked(frames: Frames, boxes: ArrayLike) -> NDArray[np.float64]:
    places = np.asarray(boxes, np.float64)
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape or frames.dtype != np.uint8:
        raise MetricError(
            f"`frames` is {frames.dtype} of shape {frames.shape}; expected uint8 (T, H, W, 3). Decode the clip first."
        )
    if places.ndim != 2 or places.shape[1] != 4 or not 0 < len(places) <= _MOST_OBJECTS:
        raise MetricError(f"`boxes` has shape {places.shape}; expected (n, 4), one or more. Leave other clips out.")
    if not np.isfinite(places).all():
        raise MetricError(f"`boxes` is {places.tolist()}; expected finite numbers. Check the detector.")
    return places
