"""Text and image encoders of transformers, as diffusers' folders hold them, and tiny ones of the same classes."""

from typing import TYPE_CHECKING, Any, Final

from anisora.harness.device import Dtype
from anisora.models.published import PublishedNetwork, fill_from_folder
from anisora.models.untrained import random_numbers

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "TINY_IMAGE",
    "TINY_TEXT",
    "text_network",
    "tiny_image_network",
    "tiny_text_network",
    "tiny_tokenizer",
    "tokenizer",
    "vision_network",
]

TINY_TEXT: Final = 32
"""Numbers of a token's embedding in tiny text encoders."""
TINY_IMAGE: Final = 16
_TIED: Final = {"encoder.embed_tokens.weight": "shared.weight"}


def text_network(found: PublishedNetwork, *, dtype: Dtype) -> Any:  # noqa: ANN401 - a class of transformers
    """Return the text encoder of a folder: UMT5 for Wan, T5 for CogVideoX, by its configuration.

    Raises:
        ConfigError: The tensors are not those of the configuration.
    """
    from accelerate import init_empty_weights
    from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

    is_umt5 = found.config.get("model_type") == "umt5"
    with init_empty_weights():
        module = UMT5EncoderModel(UMT5Config(**found.config)) if is_umt5 else T5EncoderModel(T5Config(**found.config))
    return fill_from_folder(module, found, dtype=dtype, tied=_TIED, superfluous=("decoder.", "lm_head."))


def vision_network(found: PublishedNetwork, *, dtype: Dtype) -> Any:  # noqa: ANN401 - a class of transformers
    """Return the image encoder of a folder, CLIP's.

    Raises:
        ConfigError: The tensors are not those of the configuration.
    """
    from accelerate import init_empty_weights
    from transformers import CLIPVisionConfig, CLIPVisionModel

    with init_empty_weights():
        module = CLIPVisionModel(CLIPVisionConfig(**found.config))
    positions = ("vision_model.embeddings.position_ids",)
    return fill_from_folder(module, found, dtype=dtype, superfluous=positions)


def tokenizer(folder: "Path") -> Any:  # noqa: ANN401 - of transformers
    """Return the tokenizer of a folder; nothing is looked up elsewhere."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def tiny_tokenizer() -> Any:  # noqa: ANN401 - of transformers
    """Return a tokenizer that needs no file: bytes."""
    from transformers import ByT5Tokenizer

    return ByT5Tokenizer()


def tiny_text_network(*, multilingual: bool) -> Any:  # noqa: ANN401 - a class of transformers
    """Return a small text encoder with random numbers.

    Args:
        multilingual: UMT5, else T5.
    """
    from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

    sizes: dict[str, Any] = {
        "vocab_size": 384,
        "d_model": TINY_TEXT,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 1,
        "num_heads": 2,
    }
    if multilingual:
        return random_numbers(UMT5EncoderModel(UMT5Config(**sizes)), "tiny-umt5")
    return random_numbers(T5EncoderModel(T5Config(**sizes)), "tiny-t5")


def tiny_image_network() -> Any:  # noqa: ANN401 - a class of transformers
    """Return a small image encoder with random numbers."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    sizes: dict[str, Any] = {
        "hidden_size": TINY_IMAGE,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    return random_numbers(CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=32, patch_size=8)), "tiny-clip")
