"""Folders of tiny networks in the layouts in which models are published."""

from pathlib import Path
from typing import Any

from anisora.models.cogvideox import components as cogvideox
from anisora.models.cogvideox.releases import RELEASES as COGVIDEOX
from anisora.models.generator import TINY_FRAMES, TINY_SIZE
from anisora.models.wan import components as wan
from anisora.models.wan.releases import RELEASES as WAN

__all__ = ["tiny_parts", "write_folder"]


def tiny_parts(name: str) -> dict[str, Any]:
    """Return the networks of a tiny model, {part of a pipeline: network}."""
    if name in COGVIDEOX:
        height, width = TINY_SIZE
        made = cogvideox.tiny_parts(COGVIDEOX[name], height=height, width=width, num_frames=TINY_FRAMES)
        return {
            "transformer": made.transformer,
            "vae": made.vae,
            "text_encoder": made.text.module,
            "tokenizer": made.text.tokenizer,
        }
    parts = wan.tiny_parts(WAN[name])
    named = dict(zip(("transformer", "transformer_2"), parts.transformers, strict=False))
    image = {} if parts.image is None else {"image_encoder": parts.image}
    return {**named, "vae": parts.vae, "text_encoder": parts.text.module, "tokenizer": parts.text.tokenizer, **image}


def write_folder(folder: Path, parts: dict[str, Any]) -> Path:
    """Save networks as diffusers and transformers save a pipeline; return the folder."""
    for part, network in parts.items():
        network.save_pretrained(folder / part)
    return folder
