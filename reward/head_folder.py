"""A fitted head on disk: ``head.safetensors``, ``config.json`` and ``model_card.md``; read only as it was written."""

import json
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anisora.harness.errors import ConfigError
from anisora.harness.record import digest_of
from anisora.harness.runfolder import sha256_of_file, write_atomically
from anisora.harness.weights import load_state_dict, match_keys
from anisora.reward.head_fitting import Head

__all__ = ["FILES", "ExtractorUsed", "HeadConfig", "read_head", "write_head"]

FILES: Final = ("head.safetensors", "config.json", "model_card.md")
_KEYS: Final = ("weight", "bias", "mean", "scale")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExtractorUsed(_Strict):
    """A frozen extractor as it was when the head was fitted."""

    name: str
    version: int
    preprocess: str
    weights: dict[str, str]
    """{ledger name: digest}"""
    licences: dict[str, str]
    """{ledger name: licence}"""
    commercial_use: bool


class HeadConfig(_Strict):
    """Everything that decides a score, and where the head comes from."""

    format: Literal[1] = 1
    dimension: str
    kind: Literal["ratings", "preferences"]
    rating_scale: tuple[float, float] | None
    """None for a head of preferences, whose scores are log odds."""
    extractors: tuple[ExtractorUsed, ...] = Field(min_length=1)
    frames: int = Field(ge=1)
    pooling: str
    dimensions: int = Field(ge=1)
    tie_threshold: float = Field(ge=0)
    tie_parameter: float | None
    untrained: str | None
    """The digest of an extractor's random weights; None where all are trained."""
    data: dict[str, Any]
    split: dict[str, Any]
    fit: dict[str, Any]
    quality: dict[str, Any]
    head_sha256: str
    digest: str = ""
    """Of everything above."""

    def sealed(self) -> "HeadConfig":
        """Return the same with its digest."""
        return self.model_copy(update={"digest": self.content_digest()})

    def content_digest(self) -> str:
        """Return the digest of all but the digest."""
        return digest_of(self.model_dump(mode="json", exclude={"digest"}))


def write_head(folder: Path, head: Head, config: HeadConfig, card: str) -> HeadConfig:
    """Write the three files; the digests of the head and of the configuration are filled in.

    Returns:
        The configuration as written.

    Raises:
        ConfigError: The folder holds something else.
    """
    if folder.exists() and (not folder.is_dir() or {path.name for path in folder.iterdir()} - set(FILES)):
        raise ConfigError(
            f"`--out` got `{folder}`, which holds something else; expected a new folder, or a fitted head."
        )
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / FILES[0]
    with write_atomically(weights, "head") as file:
        file.write(_serialised(head))
    written = config.model_copy(update={"head_sha256": sha256_of_file(weights)}).sealed()
    with write_atomically(folder / FILES[1], "head") as file:
        file.write(json.dumps(written.model_dump(mode="json"), indent=1, ensure_ascii=False).encode() + b"\n")
    with write_atomically(folder / FILES[2], "head") as file:
        file.write(card.encode())
    return written


def _serialised(head: Head) -> bytes:
    from safetensors.numpy import save

    tensors: dict[str, NDArray[np.float32]] = {key: np.ascontiguousarray(getattr(head, key)) for key in _KEYS}
    return bytes(save(tensors))


def read_head(folder: Path) -> tuple[Head, HeadConfig]:
    """Read a head and check that neither of its files was changed since it was fitted.

    Raises:
        ConfigError: A file is missing, damaged or altered.
    """
    weights, described = folder / FILES[0], folder / FILES[1]
    for path in (weights, described):
        if not path.is_file():
            raise ConfigError(
                f"Fitted head `{folder}` has no {path.name}; expected a folder that `anisora reward fit` wrote; "
                "correct the path."
            )
    try:
        config = HeadConfig.model_validate_json(described.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"`{described}` is damaged ({reason}); fit the head again.") from error
    if config.digest != config.content_digest():
        raise ConfigError(f"`{described}` was altered: its digest is not that of its content; fit the head again.")
    found = sha256_of_file(weights)
    if found != config.head_sha256:
        raise ConfigError(
            f"`{weights}` was altered: it has sha256 {found[:12]}, its config.json says {config.head_sha256[:12]}; fit "
            "the head again."
        )
    sizes = {"weight": (config.dimensions,), "bias": (1,), "mean": (config.dimensions,), "scale": (config.dimensions,)}
    tensors = match_keys(load_state_dict(weights, framework="numpy"), sizes, source=str(weights))
    return Head(**{key: np.asarray(tensors[key], np.float32) for key in _KEYS}), config
