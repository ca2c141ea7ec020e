"""GroundingDINO base finds the characters of a picture (Liu et al. 2023), on ``transformers``.

It is asked for "character." and keeps what it is surer of than 0.5; there is no suppression of boxes that overlap. The
threshold of words, 0.5 too in the reference, decides on the labels alone, which nobody reads.

Reference: reward/character/samurai/samurai_with_gdino_t2v.py.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import MetricError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.transforms import IMAGENET_MEAN, IMAGENET_STD
from anisora.harness.types import Frames
from anisora.harness.weights import Tensors, load_state_dict, locate, untrained_seed
from anisora.reward.networks.undrawn import undrawn

if TYPE_CHECKING:
    import torch
    from transformers import GroundingDinoConfig

__all__ = [
    "MOST_CHARACTERS",
    "SUPERFLUOUS_KEYS",
    "THRESHOLD",
    "TOKENS",
    "WEIGHTS",
    "GroundingDino",
    "confident_boxes",
    "detector_pixels",
    "detector_size",
    "largest_boxes",
    "released_config",
    "rounded_boxes",
]

WEIGHTS: Final = "grounding-dino-base"
TOKENS: Final = (101, 2839, 1012, 102)
"""``[CLS] character . [SEP]`` in the vocabulary of bert-base-uncased."""
THRESHOLD: Final = 0.5
MOST_CHARACTERS: Final = 5
SUPERFLUOUS_KEYS: Final = ("*.relative_position_index", "*.position_ids")
"""What files of older versions of the library hold beside the weights."""
_SHORT_SIDE: Final = 800
_LONG_SIDE: Final = 1333
_BACKBONE: Final = "model.backbone.conv_encoder.model."
_BACKBONE_NAMES: Final = (
    (r"^(encoder|embeddings|layernorm)\.", r"swin.\1."),
    (r"attention\.self\.(q|k|v)(uery|ey|alue)\.", r"attention.\1_proj."),
    (r"attention\.self\.relative_position_bias_table", "attention.relative_position_bias.relative_position_bias_table"),
    (r"attention\.output\.dense\.", "attention.o_proj."),
    (r"intermediate\.dense\.", "mlp.fc1."),
    (r"output\.dense\.", "mlp.fc2."),
)
"""How parts of the backbone are called in the published file, and in the library since it renamed them."""
_UNUSED_NORM: Final = "swin.layernorm."


def released_config() -> "GroundingDinoConfig":
    """Return the configuration of the released network: Swin-B, 232 million parameters."""
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    backbone: dict[str, Any] = {
        "embed_dim": 128,
        "depths": [2, 2, 18, 2],
        "num_heads": [4, 8, 16, 32],
        "window_size": 12,
        "image_size": 384,
        "out_indices": [2, 3, 4],
    }
    return GroundingDinoConfig(backbone_config=SwinConfig(**backbone), text_config=BertConfig())


class GroundingDino:
    """From a picture to the boxes of its characters."""

    def __init__(self, state: Tensors | None = None, config: "GroundingDinoConfig | None" = None) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            config: None: the released one.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: The tensors do not fit.
        """
        from transformers import GroundingDinoForObjectDetection

        chosen = config or released_config()
        if state is None and untrained_seed() is None:
            (path,) = locate([WEIGHTS])[WEIGHTS].values()
            state = load_state_dict(path)
        module = undrawn(lambda: GroundingDinoForObjectDetection(chosen))
        if state is not None:
            state = _completed(state, module.state_dict().keys())
        self.module: Any = filled(module, WEIGHTS, state=state, superfluous=SUPERFLUOUS_KEYS)
        # One head for the boxes of all layers, under a name for each.
        head = self.module.bbox_embed[0]
        for heads in (self.module.bbox_embed, self.module.model.decoder.bbox_embed):
            for layer in range(len(heads)):
                heads[layer] = head

    @staticmethod
    def empty(config: "GroundingDinoConfig | None" = None) -> "torch.nn.Module":
        """Return the network without numbers; its keys are those of the library."""
        from transformers import GroundingDinoForObjectDetection

        chosen = config or released_config()
        with without_numbers():
            module: torch.nn.Module = undrawn(lambda: GroundingDinoForObjectDetection(chosen))
        return module

    def boxes(self, image: Frames) -> NDArray[np.float64]:
        """Find the characters of a picture.

        Args:
            image: (H, W, 3) RGB.

        Returns:
            (n, 4) left, top, right, bottom in whole pixels; n is 0 to 5. All that are found in the network's order, or
            the 5 largest, the largest first.

        Raises:
            MetricError: The shape is another.
        """
        logits, places = self.outputs(image)
        return rounded_boxes(largest_boxes(confident_boxes(logits, places, *image.shape[:2])))

    def outputs(self, image: Frames) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what the network says of every query.

        Args:
            image: (H, W, 3) RGB.

        Returns:
            Logits (queries, tokens) and boxes (queries, 4): centre x, centre y, width, height as shares of the sides.

        Raises:
            MetricError: The shape is another.
        """
        import torch

        device = self.module.model.level_embed.device
        pixels = detector_pixels(image).to(device)
        tokens = torch.tensor([TOKENS], device=device)
        with inference():
            output = self.module(
                pixel_values=pixels,
                pixel_mask=torch.ones(pixels.shape[0], *pixels.shape[2:], dtype=torch.int64, device=device),
                input_ids=tokens,
                token_type_ids=torch.zeros_like(tokens),
                attention_mask=torch.ones_like(tokens),
            )
            logits, places = output.logits[0].float().cpu().numpy(), output.pred_boxes[0].float().cpu().numpy()
        return logits, places


def detector_size(height: int, width: int) -> tuple[int, int]:
    """Return (height, width) at which a picture is looked at: short side 800, long side 1333 at most, rounded down."""
    short, long = min(height, width), max(height, width)
    exact: float = _SHORT_SIDE
    if long / short * _SHORT_SIDE > _LONG_SIDE:
        exact = _LONG_SIDE * short / long
    side = round(exact)
    if short == side:
        return height, width
    if width < height:
        return int(exact * height / width), side
    return side, int(exact * width / height)


def detector_pixels(image: Frames) -> "torch.Tensor":
    """Turn a picture into the network's input: bilinear as Pillow does it, to whole levels, then ImageNet's norm.

    Args:
        image: (H, W, 3) RGB.

    Returns:
        (1, 3, h, w) float32.

    Raises:
        MetricError: The shape is another.
    """
    import torch
    from PIL import Image

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise MetricError(f"`image` is {image.dtype} of shape {image.shape}; expected uint8 (H, W, 3), not empty.")
    height, width = detector_size(*image.shape[:2])
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].to(torch.float32) / 255.0
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (pixels - mean) / std


def confident_boxes(
    logits: NDArray[np.floating],
    boxes: NDArray[np.floating],
    height: int,
    width: int,
    *,
    threshold: float = THRESHOLD,
) -> NDArray[np.float64]:
    """Return the boxes of the queries that are surer than a threshold of some word.

    Args:
        logits: (queries, tokens); minus infinity where there is no token.
        boxes: (queries, 4) centre x, centre y, width, height as shares of the picture's sides.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
        threshold: The likelihood must be above.

    Returns:
        (n, 4) left, top, right, bottom in pixels, in the order of the queries.
    """
    scores = 1 / (1 + np.exp(-np.asarray(logits, np.float64).max(axis=1)))
    x, y, wide, high = np.asarray(boxes, np.float64)[scores > threshold].T
    corners = np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], axis=1)
    return np.asarray(corners * [width, height, width, height])


def largest_boxes(boxes: NDArray[np.float64], count: int = MOST_CHARACTERS) -> NDArray[np.float64]:
    """Return all boxes as they are, or of more than ``count`` the largest, the largest first.

    Args:
        boxes: (n, 4) left, top, right, bottom.
        count: How many at most.
    """
    if len(boxes) <= count:
        return boxes
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return boxes[np.argsort(-areas, kind="stable")[:count]]


def rounded_boxes(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round left, top, width and height, halves to even, as the reference does when it writes boxes down.

    The right edge can lie a pixel beside the rounded one.

    Args:
        boxes: (n, 4) left, top, right, bottom.
    """
    corner, size = np.rint(boxes[:, :2]), np.rint(boxes[:, 2:] - boxes[:, :2])
    return np.concatenate([corner, corner + size], axis=1)


def _completed(state: Tensors, keys: Collection[str]) -> Tensors:
    """Return tensors of a published file under the library's keys, with those that a file need not have."""
    import torch

    is_renamed = any(key.startswith(f"{_BACKBONE}swin.") for key in keys)
    complete = {(_renamed(key) if is_renamed else key): tensor for key, tensor in state.items()}
    for key in keys:
        if key in complete:
            continue
        of_head = re.fullmatch(r"(?:model\.decoder\.)?bbox_embed\.\d+\.(.+)", key)
        shared = f"bbox_embed.0.{of_head[1]}" if of_head else ""
        if shared in complete:
            complete[key] = complete[shared]
        elif key.startswith(_BACKBONE + _UNUSED_NORM):
            # The backbone never uses it: its stages have norms of their own.
            norm = complete[f"{_BACKBONE}hidden_states_norms.stage4.weight"]
            complete[key] = torch.ones_like(norm) if key.endswith("weight") else torch.zeros_like(norm)
    return complete


def _renamed(key: str) -> str:
    if not key.startswith(_BACKBONE):
        return key
    rest = key.removeprefix(_BACKBONE)
    for old, new in _BACKBONE_NAMES:
        rest = re.sub(old, new, rest)
    return _BACKBONE + rest
