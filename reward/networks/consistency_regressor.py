"""How well a clip fits a key, by two towers and a linear head: the key is a picture or a text.

The frames go through BLIP's vision transformer; their class tokens are averaged. A key picture goes through the same
tower, a key text through BERT. Each side is projected, and one linear layer over both gives a number whose sigmoid is
the score. As nothing but linear layers follows the towers, the number is a sum of what each frame and the key add.

Reference: reward/models/blip_pretrain.py and blip_pretrain_text.py, BLIP_Pretrain.inference; reward/models/med.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from anisora.harness.device import in_float64
from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors
from anisora.reward.networks.blip_vision import (
    VisionSizes,
    class_tokens,
    empty_vision,
    host_key,
    read_size,
)

if TYPE_CHECKING:
    import torch

__all__ = [
    "UNUSED_KEYS",
    "WEIGHTS",
    "ConsistencyRegressor",
    "Key",
    "RegressorSizes",
    "TextSizes",
    "consistency_score",
]

Key = Literal["image", "text"]
"""What the frames are compared with."""

WEIGHTS: Final[Mapping[Key, str]] = {"image": "image-video-regressor", "text": "text-video-regressor"}
"""{key: entry of the ledger}"""
UNUSED_KEYS: Final[Mapping[Key, tuple[str, ...]]] = {
    "image": (),
    "text": ("text_encoder.embeddings.position_ids", "text_encoder.encoder.layer.*.crossattention.*"),
}
"""What the published files hold beside the network: BERT's attention to pictures is for other tasks."""
_INSIDE: Final = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSizes:
    """The sizes of BERT; the defaults are those of the base model with two added words."""

    vocabulary: int = 30524
    width: int = 768
    layers: int = 12
    heads: int = 12
    """transformers' own default for BLIP is 8."""
    mlp_width: int = 3072
    positions: int = 512
    """Tokens of the longest text."""
    epsilon: float = 1e-12
    """Of the layer norms."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the sizes from a mapping with the names ``vocab_size``, ``hidden_size`` and so on.

        Raises:
            ConfigError: A size is missing.
        """
        return cls(
            vocabulary=int(read_size(config, "vocab_size")),
            width=int(read_size(config, "hidden_size")),
            layers=int(read_size(config, "num_layers")),
            heads=int(read_size(config, "num_heads")),
            mlp_width=int(read_size(config, "intermediate_size")),
            positions=int(read_size(config, "max_position_embeddings")),
            epsilon=read_size(config, "layer_norm_eps"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressorSizes:
    """The sizes of a network; the defaults are the released one's."""

    vision: VisionSizes = field(default_factory=VisionSizes)
    text: TextSizes = field(default_factory=TextSizes)
    """Of no consequence where the key is a picture."""
    projected: int = 768
    """Features of each side before the last layer."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the sizes from a mapping with ``vision``, ``head`` and, where the key is a text, ``text``.

        Raises:
            ConfigError: A size is missing, or the configuration asks for something else than this network.
        """
        head = config.get("head", {})
        if "img_proj" not in head or "vision" not in config:
            raise ConfigError(f"The configuration has {', '.join(config)}; expected vision, and img_proj in head.")
        return cls(
            vision=VisionSizes.from_config(config["vision"]),
            text=TextSizes.from_config(config["text"]) if "text" in config else TextSizes(),
            projected=int(head["img_proj"][1]),
        )


class ConsistencyRegressor:
    """What the frames of a clip, and a picture or text, add to the score."""

    def __init__(self, key: Key, state: Tensors | None = None, sizes: RegressorSizes | None = None) -> None:
        """Make the network.

        Args:
            key: ``image`` or ``text``: what the frames are compared with.
            state: Tensors under the keys of the published file, in place of the file.
            sizes: None: the released ones.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: There is no such key, or the tensors do not fit the sizes.
        """
        self.key, self.sizes = key, sizes or RegressorSizes()
        empty = self.empty(key, self.sizes)
        self.module: Any = filled(
            empty, WEIGHTS[key], state=state, inside=_INSIDE, rename=host_key, superfluous=UNUSED_KEYS[key]
        )

    @staticmethod
    def empty(key: Key, sizes: RegressorSizes | None = None) -> "torch.nn.Module":
        """Return the module without numbers; ``blip_vision.reference_key`` gives the published file's keys for its own.

        Raises:
            ConfigError: There is no such key, or the sizes do not fit together.
        """
        if key not in get_args(Key):
            raise ConfigError(f"`key` got {key!r}; expected one of {', '.join(get_args(Key))}.")
        from torch import nn

        sizes = sizes or RegressorSizes()
        parts: dict[str, nn.Module] = {"visual_encoder": empty_vision(sizes.vision)}
        if key == "text":
            parts["text_encoder"] = _empty_text(sizes.text)
        with without_numbers():
            parts["img_proj"] = nn.Linear(sizes.vision.width, sizes.projected)
            parts["img_key_proj"] = nn.Linear(
                sizes.text.width if key == "text" else sizes.vision.width, sizes.projected
            )
            parts["head_diff"] = nn.Linear(2 * sizes.projected, 1)
        return nn.ModuleDict(parts)

    def picture_features(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the features of frames or key pictures, each for itself.

        Args:
            pixels: (N, 3, side, side) float32, normalised by CLIP's mean and deviation.

        Returns:
            (N, width) float32 on the CPU.
        """
        with inference():
            features = class_tokens(self.module["visual_encoder"], pixels)
        return features.cpu()

    def text_features(self, input_ids: "torch.Tensor", attention_mask: "torch.Tensor") -> "torch.Tensor":
        """Return the features of texts: the state of the first token.

        Args:
            input_ids: (N, tokens) int64.
            attention_mask: (N, tokens) int64, 1 for tokens of the text and 0 for those that fill up.

        Returns:
            (N, width) float32 on the CPU.

        Raises:
            ConfigError: The key of this network is a picture, or a text has more tokens than there are positions.
        """
        if self.key != "text" or input_ids.shape[1] > self.sizes.text.positions:
            raise ConfigError(
                f"The network whose key is {self.key!r} got texts of {input_ids.shape[1]} tokens; expected the key "
                f"'text' and at most {self.sizes.text.positions}. Cut the texts."
            )
        encoder = self.module["text_encoder"]
        device = encoder.embeddings.word_embeddings.weight.device
        with inference():
            found = encoder(input_ids=input_ids.to(device), attention_mask=attention_mask.to(device), is_decoder=False)
            features: torch.Tensor = found.last_hidden_state[:, 0]
        return features.cpu()

    def frame_logits(self, features: "torch.Tensor") -> NDArray[np.float64]:
        """Return what each frame adds, were it the only one: (N,) for (N, width) features."""
        return self._part("img_proj", features, slice(None, self.sizes.projected), bias=False)

    def key_logits(self, features: "torch.Tensor") -> NDArray[np.float64]:
        """Return what each key adds, the constant of the last layer included: (N,) for (N, width) features."""
        return self._part("img_key_proj", features, slice(self.sizes.projected, None), bias=True)

    def _part(self, name: str, features: "torch.Tensor", half: slice, *, bias: bool) -> NDArray[np.float64]:
        head, projection = self.module["head_diff"], self.module[name]
        with inference():
            projected = in_float64(projection(features.to(head.weight.device)))
            added = projected @ in_float64(head.weight[0, half])
            if bias:
                added = added + in_float64(head.bias)
        return np.asarray(added.cpu().numpy(), np.float64)


def consistency_score(frame_logits: NDArray[np.floating], key_logit: float) -> float:
    """Return the score of a clip: the sigmoid of the mean over frames, and of what the key adds.

    Args:
        frame_logits: (frames,) from ``ConsistencyRegressor.frame_logits``, one at least.
        key_logit: One of ``ConsistencyRegressor.key_logits``.

    Returns:
        0..1; higher is better.
    """
    total = float(np.asarray(frame_logits, np.float64).mean()) + float(key_logit)
    # The form whose exponential cannot overflow.
    return float(np.exp(-np.logaddexp(0.0, -total)))


def _empty_text(sizes: TextSizes) -> "torch.nn.Module":
    import torch
    from transformers import BlipTextConfig, BlipTextModel

    if sizes.width % sizes.heads:
        raise ConfigError(f"BERT got width {sizes.width} for {sizes.heads} heads; expected a multiple.")
    config = BlipTextConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.width,
        encoder_hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.mlp_width,
        max_position_embeddings=sizes.positions,
        hidden_act="gelu",
        layer_norm_eps=sizes.epsilon,
        is_decoder=False,
        # Words of generation; their defaults lie outside of small vocabularies.
        bos_token_id=None,
        sep_token_id=None,
        pad_token_id=0,
    )
    with without_numbers():
        model = BlipTextModel(config, add_pooling_layer=False)
    # The numbers of the positions are no part of the state, so no file will fill them.
    numbers = torch.arange(sizes.positions).expand(1, -1)
    model.embeddings.register_buffer("position_ids", numbers, persistent=False)
    return model
