"""ViCLIP-L/14: how well a short clip and a text fit (Wang et al. 2024, InternVid; VBench, third_party/ViCLIP)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.networks import filled, inference, without_numbers
from anisora.harness.weights import Tensors

if TYPE_CHECKING:
    import torch

__all__ = ["PUBLISHED", "UNUSED_KEYS", "WEIGHTS", "Architecture", "ViClip"]

WEIGHTS: Final = "viclip"
UNUSED_KEYS: Final = ("temp",)
"""The temperature of training; the similarity is not scaled by it."""
_INSIDE: Final = "model"
_QUICK_GELU: Final = 1.702
_REMEMBERED_PROMPTS: Final = 1024  # 3 MB of features


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Sizes of the two towers; the defaults are those of the published file."""

    frames: int = 8
    patch: int = 14
    """Side of a patch, pixels."""
    grid: int = 16
    """Patches on a side of a frame."""
    width: int = 1024
    layers: int = 24
    heads: int = 16
    context: int = 32
    """Tokens of a text, its start and its end included."""
    vocabulary: int = 49408
    text_width: int = 768
    text_layers: int = 12
    text_heads: int = 12
    dimensions: int = 768
    """Of the features."""


PUBLISHED: Final = Architecture()


class ViClip:
    """A video tower and a text tower whose features lie in one space.

    Both are CLIP's, with the quick approximation of GELU. In the video tower all patches of all frames, and one class
    token, attend to each other; a frame's patches carry the embedding of its place in time, the class token does not.
    """

    def __init__(self, state: Tensors | None = None, *, architecture: Architecture = PUBLISHED) -> None:
        """Make the network.

        Args:
            state: Tensors under the keys of the published file, in place of the file.
            architecture: Its sizes.

        Raises:
            WeightsMissing: The file is absent or not the ledger's.
        """
        from open_clip.tokenizer import SimpleTokenizer

        self.architecture = architecture
        self.module: Any = filled(
            self.empty(architecture), WEIGHTS, state=state, inside=_INSIDE, superfluous=UNUSED_KEYS
        )
        self._tokenizer: Any = SimpleTokenizer(context_length=architecture.context)
        # Of this object alone: a second network with other weights must not find the first one's features.
        self._remembered = lru_cache(maxsize=_REMEMBERED_PROMPTS)(self._text_features)

    @staticmethod
    def empty(architecture: Architecture = PUBLISHED) -> "torch.nn.Module":
        """Return the module without numbers; its keys are those of the published file, less UNUSED_KEYS."""
        with without_numbers():
            return _towers(architecture)

    def __call__(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Return the features of clips, as they leave the tower.

        Args:
            pixels: (N, 8, 3, 224, 224) float32, normalised by CLIP's mean and deviation.

        Returns:
            (N, 768) float32 on the CPU, not normalised.
        """
        import torch

        tower = self.module["vision_encoder"]
        with inference():
            frames = pixels.flatten(0, 1).to(tower.proj.device)
            # The kernel spans one frame: a convolution in two dimensions is the same, and every device has it.
            patches = torch.nn.functional.conv2d(frames, tower.conv1.weight[:, :, 0], stride=self.architecture.patch)
            placed = patches.flatten(2).transpose(1, 2) + tower.positional_embedding[1:]
            timed = (
                placed.reshape(*pixels.shape[:2], *placed.shape[1:]) + tower.temporal_positional_embedding[:, :, None]
            )
            token = (tower.class_embedding + tower.positional_embedding[0]).expand(len(pixels), 1, -1)
            hidden = tower.ln_pre(torch.cat([token, timed.flatten(1, 2)], dim=1))
            hidden = _through(tower.transformer["resblocks"], hidden, causal=False)
            features: torch.Tensor = tower.ln_post(hidden[:, 0]) @ tower.proj
        return features.cpu()

    def encode_text(self, prompt: str) -> "torch.Tensor":
        """Return the features of a text, as they leave the tower; computed once for each of the last texts.

        Args:
            prompt: Any text. Case and runs of white space do not matter; what goes beyond 30 tokens is not read.

        Returns:
            (1, 768) float32 on the CPU, not normalised.
        """
        return self._remembered(prompt).clone()

    def _text_features(self, prompt: str) -> "torch.Tensor":
        tower = self.module["text_encoder"]
        with inference():
            tokens = self._tokenizer(prompt).to(tower.text_projection.device)
            hidden = tower.token_embedding(tokens) + tower.positional_embedding
            hidden = tower.ln_final(_through(tower.transformer["resblocks"], hidden, causal=True))
            end = int(tokens[0].argmax())  # the end of a text is the last word of the vocabulary
            features: torch.Tensor = hidden[:, end] @ tower.text_projection
        return features.cpu()


def _towers(size: Architecture) -> "torch.nn.Module":
    from torch import nn

    vision = nn.Module()
    vision.class_embedding = _table(size.width)
    vision.positional_embedding = _table(1 + size.grid**2, size.width)
    vision.temporal_positional_embedding = _table(1, size.frames, size.width)
    vision.conv1 = nn.Conv3d(3, size.width, (1, size.patch, size.patch), bias=False)
    vision.ln_pre = nn.LayerNorm(size.width)
    vision.transformer = _transformer(size.width, size.heads, size.layers)
    vision.ln_post = nn.LayerNorm(size.width)
    vision.proj = _table(size.width, size.dimensions)
    text = nn.Module()
    text.token_embedding = nn.Embedding(size.vocabulary, size.text_width)
    text.positional_embedding = _table(size.context, size.text_width)
    text.transformer = _transformer(size.text_width, size.text_heads, size.text_layers)
    text.ln_final = nn.LayerNorm(size.text_width)
    text.text_projection = _table(size.text_width, size.dimensions)
    return nn.ModuleDict({"vision_encoder": vision, "text_encoder": text})


def _table(*shape: int) -> "torch.nn.Parameter":
    import torch

    return torch.nn.Parameter(torch.empty(shape))


def _transformer(width: int, heads: int, layers: int) -> "torch.nn.Module":
    from torch import nn

    def block() -> nn.Module:
        perceptron = {"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)}
        return nn.ModuleDict(
            {
                "ln_1": nn.LayerNorm(width),
                "attn": nn.MultiheadAttention(width, heads),
                "ln_2": nn.LayerNorm(width),
                "mlp": nn.ModuleDict(perceptron),
            }
        )

    return nn.ModuleDict({"resblocks": nn.ModuleList([block() for _ in range(layers)])})


def _through(blocks: Iterable[Any], hidden: "torch.Tensor", *, causal: bool) -> "torch.Tensor":
    """Pass (N, tokens, width) through the blocks."""
    import torch

    for block in blocks:
        hidden = hidden + _attention(block["attn"], block["ln_1"](hidden), causal=causal)
        inner = block["mlp"]["c_fc"](block["ln_2"](hidden))
        hidden = hidden + block["mlp"]["c_proj"](inner * torch.sigmoid(_QUICK_GELU * inner))
    return hidden


def _attention(attention: Any, hidden: "torch.Tensor", *, causal: bool) -> "torch.Tensor":  # noqa: ANN401 - a module
    """Attend without ever holding all pairs of tokens, of which a head of the video tower has four million."""
    import torch

    joint = torch.nn.functional.linear(hidden, attention.in_proj_weight, attention.in_proj_bias)
    shape = (*hidden.shape[:2], attention.num_heads, -1)
    query, key, value = (part.reshape(shape).transpose(1, 2) for part in joint.chunk(3, dim=-1))
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
    projected: torch.Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
    return projected
