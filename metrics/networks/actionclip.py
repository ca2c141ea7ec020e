"""ActionCLIP: CLIP's two towers and a temporal adapter over frames (Wang, Xing and Liu 2021), on open_clip.

As the reference's reward uses it (reward/models/actionclip.py, adapter.py, load.py): OpenAI's ViT-B/16, eight frames.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from anisora.harness.errors import ConfigError
from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors, load_state_dict, locate, untrained_seed

if TYPE_CHECKING:
    import torch

__all__ = ["RELEASED", "WEIGHTS", "ActionClip", "ActionClipSizes", "adapter_layers", "read_checkpoint"]

WEIGHTS: Final = "actionclip-motion"
_INSIDE: Final = "state_dict"
"""Where the published checkpoint keeps the tensors."""
_LOSS_CURVES: Final = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "__builtin__.getattr",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
)
"""What the published checkpoint names beside tensors: mmengine keeps the curves of its training there."""
_MLP_RATIO: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionClipSizes:
    """The sizes of a network; the defaults are the released one's."""

    embedding: int = 512
    """Of both towers' features, and the adapter's width."""
    image_size: int = 224
    """Side of the square pictures; pixels."""
    patch: int = 16
    vision_width: int = 768
    vision_layers: int = 12
    vision_heads: int = 12
    context: int = 77
    """Tokens of a text."""
    vocabulary: int = 49408
    text_width: int = 512
    text_layers: int = 12
    text_heads: int = 8
    frames: int = 8
    adapter_layers: int = 6
    adapter_heads: int = 8
    """The reference divides the text tower's width by 64 for it, not the adapter's own."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read the sizes from a mapping with the reference's names, such as ``vision_patch_size``.

        Raises:
            ConfigError: A name is missing.
        """
        lacking = [name for name in _REFERENCE_NAMES if name not in config]
        if lacking:
            raise ConfigError(f"The configuration of ActionCLIP lacks {', '.join(lacking)}; add these sizes.")
        return cls(**{ours: int(config[theirs]) for theirs, ours in _REFERENCE_NAMES.items()})


_REFERENCE_NAMES: Final = {
    "embed_dim": "embedding",
    "image_resolution": "image_size",
    "vision_patch_size": "patch",
    "vision_width": "vision_width",
    "vision_layers": "vision_layers",
    "vision_heads": "vision_heads",
    "context_length": "context",
    "vocab_size": "vocabulary",
    "transformer_width": "text_width",
    "transformer_layers": "text_layers",
    "text_heads": "text_heads",
    "adapter_segments": "frames",
    "adapter_layers": "adapter_layers",
    "adapter_heads": "adapter_heads",
}

RELEASED: Final = ActionClipSizes()


def adapter_layers(keys: Iterable[str]) -> int:
    """Return how many layers the adapter has in a file with these keys: the reference reads it from there too."""
    return sum(key.startswith("adapter.") and key.endswith(".attn.in_proj_weight") for key in keys)


class ActionClip:
    """Features of clips and of texts, before any normalisation."""

    def __init__(self, state: Tensors | None = None, sizes: ActionClipSizes | None = None) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            sizes: None takes RELEASED with as many layers in the adapter as the tensors have.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
            ConfigError: The tensors do not fit the sizes.
        """
        if state is None and untrained_seed() is None:
            state = _published()
        if sizes is None:
            sizes = RELEASED if state is None else replace(RELEASED, adapter_layers=adapter_layers(state))
        self.sizes = sizes
        self.module: Any = filled(self.empty(sizes), WEIGHTS, state=state)
        self._texts: dict[tuple[str, ...], torch.Tensor] = {}

    @staticmethod
    def empty(sizes: ActionClipSizes = RELEASED) -> "torch.nn.Module":
        """Return the module without numbers; its keys are those of the published file."""
        import torch
        from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
        from open_clip.transformer import QuickGELU, Transformer

        vision = CLIPVisionCfg(
            layers=sizes.vision_layers,
            width=sizes.vision_width,
            head_width=sizes.vision_width // sizes.vision_heads,
            patch_size=sizes.patch,
            image_size=sizes.image_size,
        )
        text = CLIPTextCfg(
            context_length=sizes.context,
            vocab_size=sizes.vocabulary,
            width=sizes.text_width,
            heads=sizes.text_heads,
            layers=sizes.text_layers,
        )
        with without_numbers():
            clip = CLIP(sizes.embedding, vision, text, quick_gelu=True)
            adapter = {
                "frame_position_embeddings": torch.nn.Embedding(sizes.frames, sizes.embedding),
                "transformer": Transformer(
                    sizes.embedding, sizes.adapter_layers, sizes.adapter_heads, _MLP_RATIO, act_layer=QuickGELU
                ),
            }
        # The mask is no part of the state, so no file will fill it: a token sees itself and those before it.
        mask = torch.full((sizes.context, sizes.context), float("-inf")).triu(1)
        clip.register_buffer("attn_mask", mask, persistent=False)
        return torch.nn.ModuleDict({"clip": clip, "adapter": torch.nn.ModuleDict(adapter)})

    def encode_clips(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the features of clips: the mean over frames of what the adapter adds to each, and the frame itself.

        Args:
            pixels: (B, frames, 3, side, side) float32, normalised by CLIP's mean and deviation.

        Returns:
            (B, embedding) float32 on the CPU.

        Raises:
            ConfigError: There are more or fewer frames than the adapter has positions.
        """
        batch, frames = pixels.shape[:2]
        if frames != self.sizes.frames:
            raise ConfigError(f"ActionCLIP got {frames} frames; expected {self.sizes.frames}, repeated if need be.")
        clip, adapter = self.module["clip"], self.module["adapter"]
        positions = adapter["frame_position_embeddings"].weight
        with inference():
            seen = clip.encode_image(pixels.flatten(0, 1).to(positions.device)).unflatten(0, (batch, frames))
            features: torch.Tensor = (adapter["transformer"](seen + positions) + seen).mean(dim=1)
        return features.cpu()

    def encode_tokens(self, tokens: "torch.Tensor") -> "torch.Tensor":
        """Return the features of texts.

        Args:
            tokens: (N, context) int64; the largest id of a row marks its end.

        Returns:
            (N, embedding) float32 on the CPU.
        """
        clip = self.module["clip"]
        with inference():
            features: torch.Tensor = clip.encode_text(tokens.to(clip.positional_embedding.device))
        return features.cpu()

    def encode_texts(self, texts: tuple[str, ...]) -> "torch.Tensor":
        """Return the features of texts, computed once for the same texts.

        Returns:
            (N, embedding) float32 on the CPU.
        """
        from open_clip import tokenize

        if texts not in self._texts:
            self._texts[texts] = self.encode_tokens(tokenize(list(texts), self.sizes.context))
        return self._texts[texts]


class _Dropped:
    """Stands for an object of a checkpoint that is not wanted: takes whatever it is given and keeps nothing."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_checkpoint(path: Path) -> Tensors:
    """Return the tensors of a checkpoint that mmengine wrote; its loss curves are left out and no code in it is run.

    Args:
        path: The published file, or one of the same form.

    Raises:
        WeightsMissing: It is absent or damaged.
        ConfigError: It holds other objects, or no ``state_dict``.
    """
    from torch.serialization import safe_globals

    # Each of these names then means _Dropped, so neither mmengine nor getattr nor numpy is reached from the file.
    with safe_globals([(_Dropped, name) for name in _LOSS_CURVES]):
        return load_state_dict(path, inside=_INSIDE)


def _published() -> Tensors:
    (path,) = locate([WEIGHTS])[WEIGHTS].values()
    return read_checkpoint(path)
