"""A judge of the anime reward at tiny size, with seeded weights, and tokens that are single letters."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from anisora.harness.networks import shapes_of
from anisora.harness.weights import untrained_rule
from anisora.reward.judge.judge import Judge
from anisora.reward.judge.tokens import FAKE, IMAGE
from anisora.reward.networks.idefics2_regressor import Idefics2Regressor
from anisora.reward.networks.idefics2_sizes import Idefics2Sizes

__all__ = [
    "SIZES",
    "STAND_IN",
    "noise_frames",
    "tiny_config",
    "tiny_judge",
    "tiny_network",
    "tiny_state",
    "word_tokenizer",
]

WORDS: Final = 40
SIZES: Final = Idefics2Sizes(
    image_size=98,
    vision_width=32,
    vision_inner=48,
    vision_layers=2,
    vision_heads=2,
    latents=3,
    perceiver_layers=1,
    perceiver_heads=4,
    perceiver_head_width=8,
    perceiver_key_value_heads=2,
    vocabulary=WORDS + 3,
    image_token=WORDS + 2,
    width=32,
    inner=40,
    layers=2,
    heads=4,
    key_value_heads=2,
    positions=512,
)
STAND_IN: Final = 'How good is the clip of "{text_prompt}" ?\n'
"""In place of the release's question, which is not ours to repeat."""


def tiny_config(text_config: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return what a config.json says of SIZES, with these in its part on the text."""
    return {
        "image_token_id": SIZES.image_token,
        "num_labels": 1,
        "text_config": {
            "vocab_size": SIZES.vocabulary,
            "hidden_size": SIZES.width,
            "intermediate_size": SIZES.inner,
            "num_hidden_layers": SIZES.layers,
            "num_attention_heads": SIZES.heads,
            "num_key_value_heads": SIZES.key_value_heads,
            **text_config,
        },
        "vision_config": {
            "hidden_size": SIZES.vision_width,
            "intermediate_size": SIZES.vision_inner,
            "num_hidden_layers": SIZES.vision_layers,
            "num_attention_heads": SIZES.vision_heads,
            "image_size": SIZES.image_size,
            "patch_size": SIZES.patch,
        },
        "perceiver_config": {
            "resampler_n_latents": SIZES.latents,
            "resampler_depth": SIZES.perceiver_layers,
            "resampler_n_heads": SIZES.perceiver_heads,
            "resampler_head_dim": SIZES.perceiver_head_width,
            "num_key_value_heads": SIZES.perceiver_key_value_heads,
            "rms_norm_eps": 0.5,  # of transformers; the release never looks at it
        },
    }


def tiny_state(seed: int = 0, sizes: Idefics2Sizes = SIZES) -> dict[str, Any]:
    """Return seeded tensors under the released keys."""
    import torch

    drawn = untrained_rule(shapes_of(Idefics2Regressor.empty(sizes)), tag="judge", seed=seed)
    return {key: torch.from_numpy(array) for key, array in drawn.items()}


def tiny_network(seed: int = 0, **arguments: Any) -> Idefics2Regressor:
    """Return a network in float32, unless told otherwise."""
    sizes = arguments.pop("sizes", SIZES)
    given: dict[str, Any] = {"dtype": "float32", **arguments}
    return Idefics2Regressor("tiny", state=tiny_state(seed, sizes), sizes=sizes, **given)


def word_tokenizer(path: Path | None = None) -> Any:
    """Return a tokenizer of letters, whatever is none of them being one token, behind a token that begins each text.

    Args:
        path: Where to write it as well.
    """
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = ["<s>", "?", *letters]
    words += [f"unused{place}" for place in range(WORDS + 1 - len(words))]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="?"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern="", behavior="isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.add_special_tokens([AddedToken(FAKE, normalized=False), AddedToken(IMAGE, normalized=False)])
    assert tokenizer.token_to_id(IMAGE) == SIZES.image_token
    if path is not None:
        tokenizer.save(str(path))
    return tokenizer


def tiny_judge(seed: int = 0, **arguments: Any) -> Judge:
    """Return a judge with the stand-in question."""
    return Judge(template=STAND_IN, tokenizer=word_tokenizer(), network=tiny_network(seed, **arguments))


def noise_frames(count: int, height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
    """Return (count, height, width, 3) uint8 frames of noise."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
