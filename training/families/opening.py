"""From a model's specification to a family that can be trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anisora.harness.device import Device, Dtype
from anisora.harness.errors import ConfigError
from anisora.harness.file_digests import remembered_digests
from anisora.harness.record import digest_of
from anisora.harness.registry import Spec, registry
from anisora.models.cogvideox import components as cogvideox
from anisora.models.cogvideox.adapter import CogVideoXGenerator
from anisora.models.cogvideox.components import CogVideoXFiles
from anisora.models.cogvideox.noise_table import V1
from anisora.models.cogvideox.transformer_call import TransformerCall
from anisora.models.conversion.finding import FoundNetwork
from anisora.models.generator import DiffusionGenerator, RunsOn
from anisora.models.published import PublishedNetwork, files_of
from anisora.models.wan import components as wan
from anisora.models.wan.adapter import WanGenerator
from anisora.models.wan.components import WanFiles
from anisora.training.families.cogvideox import CogVideoXFamily
from anisora.training.families.family import Family
from anisora.training.families.wan import WanFamily, of_expert
from anisora.training.losses.flow_matching import FLOW_MATCHING, SHIFT, flow_table
from anisora.training.losses.velocity import V_PREDICTION
from anisora.training.recipes import COGVIDEOX, WAN

__all__ = ["check_flow_matching", "open_family", "trainable_model"]

_ARGUMENTS = ("tiny", "weights")
"""Of a specification: others say how clips are sampled, which training does not do."""


def trainable_model(text: str, expert: str | None) -> "tuple[Spec, DiffusionGenerator[Any]]":
    """Return the specification of a model and its adapter; nothing is loaded.

    Args:
        text: Such as ``anisora-v3:weights=DIR``.
        expert: Which of two networks is trained; None for models that have one.

    Raises:
        ConfigError: It is none that is trained here, or says what training has no use for.
    """
    spec = Spec.parse(text)
    model = registry("models").create(spec)
    if not isinstance(model, CogVideoXGenerator | WanGenerator) or not _has_training(model):
        known = registry("models")
        able = [name for name in known.names() if name.startswith(("anisora-v", "wan-"))]
        raise ConfigError(f"`model` got {text!r}, which is not trained here; expected one of {', '.join(able)}.")
    superfluous = sorted(set(spec.args) - set(_ARGUMENTS))
    if superfluous:
        raise ConfigError(
            f"`model` got {text!r}, whose `{superfluous[0]}` says how clips are sampled; expected "
            f"{' and '.join(_ARGUMENTS)} alone. Leave it out."
        )
    has_experts = isinstance(model, WanGenerator) and model.released.experts
    if has_experts != (expert is not None):
        wanted = "high or low, which of its two networks is trained" if has_experts else "none: it has one network"
        raise ConfigError(f"`expert` got {expert!r} for {spec.name!r}; expected {wanted}. Correct it.")
    return spec, model


def _has_training(model: CogVideoXGenerator | WanGenerator) -> bool:
    if isinstance(model, WanGenerator):
        return model.released.conditioning != "masked"  # its training needs masks, and is not published
    return not model.released.stock


def check_flow_matching(text: str, model: DiffusionGenerator[Any]) -> None:
    """Raise ConfigError unless a model is one of flow matching, whose steps with noise have known chances.

    Args:
        text: Its specification.
        model: As ``trainable_model`` returns it.
    """
    if not isinstance(model, WanGenerator):
        raise ConfigError(
            f"`model` got {text!r}, whose network predicts v under another diffusion; GRPO's steps with noise are "
            "those of flow matching: expected a model on Wan, anisora-v2 to anisora-v3.2 or wan-2.1. Tune this one by "
            "`anisora train preference`."
        )


def open_family(
    text: str, *, expert: str | None, shift: float | None, device: Device, dtype: Dtype, is_full: bool
) -> Family:
    """Load a model to train it.

    Args:
        text: Its specification.
        expert: Which of two networks is trained.
        shift: Of the levels of noise of Wan's networks; None for that of V2's training.
        device: Where it is trained.
        dtype: Number format of what is not trained.
        is_full: Whether all weights of the transformer are trained, which are then read in float32.

    Raises:
        ConfigError: It is none that is trained here, or tensors are not those of the configuration.
        WeightsMissing: Parts are absent.
    """
    spec, model = trainable_model(text, expert)
    is_tiny = bool(spec.args.get("tiny", False))
    read = "float32" if is_full or is_tiny else dtype
    weights = str(spec.args.get("weights", ""))
    common: dict[str, Any] = {"name": spec.name, "generator": model, "is_untrained": model.info.untrained}
    if isinstance(model, CogVideoXGenerator):
        if shift is not None:
            raise ConfigError(f"`shift` got {shift:g} for {spec.name!r}, whose levels are not shifted; leave it out.")
        files = None if is_tiny else cogvideox.find_files(spec.name, model.released, weights)
        return _cogvideox(model, files, common, device, read)
    assert isinstance(model, WanGenerator)
    found = None if is_tiny else wan.find_files(spec.name, model.released, weights)
    return _wan(model, found, common, device, read, expert=expert, shift=SHIFT if shift is None else shift)


def _cogvideox(
    model: CogVideoXGenerator, files: CogVideoXFiles | None, common: dict[str, Any], device: Device, dtype: Dtype
) -> CogVideoXFamily:
    import torch

    loaded = model.load(device, dtype, RunsOn(dtype=dtype))
    parts = loaded.parts
    if files is None:
        others = {"vae": parts.vae, "text_encoder": parts.text.module, "tokenizer": parts.text.tokenizer}
    else:
        others = _places({"vae": files.vae, "text_encoder": files.text, "tokenizer": files.tokenizer})
    return CogVideoXFamily(
        **common,
        released=model.released,
        recipe=COGVIDEOX,
        objective=V_PREDICTION,
        network=parts.transformer,
        part="transformer",
        companions=others,
        encoders=_digest(common["name"], () if files is None else (files.vae, files.text), dtype),
        parts=parts,
        placement=loaded.placement,
        call=TransformerCall(parts.transformer),
        levels=torch.from_numpy(V1.denoiser_levels().copy()),
    )


def _wan(
    model: WanGenerator,
    files: WanFiles | None,
    common: dict[str, Any],
    device: Device,
    dtype: Dtype,
    *,
    expert: str | None,
    shift: float,
) -> WanFamily:
    networks = model.load(device, dtype, RunsOn(dtype=dtype))
    parts = networks.parts
    chosen = 1 if expert == "low" else 0
    names = ("transformer", "transformer_2")
    if files is None:
        others = {
            **dict(zip(names, parts.transformers, strict=False)),
            "vae": parts.vae,
            "text_encoder": parts.text.module,
            "tokenizer": parts.text.tokenizer,
            "image_encoder": parts.image,
        }
    else:
        others = {
            **dict(zip(names, files.transformers, strict=False)),
            "vae": files.vae,
            "text_encoder": files.text,
            "tokenizer": files.tokenizer,
            "image_encoder": files.image,
        }
    del others[names[chosen]]
    others = {name: each for name, each in others.items() if each is not None}
    table = flow_table(shift=shift)
    return WanFamily(
        **common,
        released=model.released,
        recipe=WAN,
        objective=FLOW_MATCHING,
        network=parts.transformers[chosen],
        part=names[chosen],
        companions=others if files is None else _places(others),
        encoders=_digest(common["name"], () if files is None else (files.vae, files.text, files.image), dtype),
        networks=networks,
        table=table if expert is None else of_expert(table, expert),
    )


def _places(found: Mapping[str, PublishedNetwork | FoundNetwork | Path]) -> dict[str, Path]:
    """Return {name in a folder: what to link there}, so that the folder holds these parts."""
    places: dict[str, Path] = {}
    for name, each in found.items():
        if isinstance(each, Path):
            places[name] = each.resolve()
        elif isinstance(each, PublishedNetwork):
            places[name] = each.folder.resolve()
        elif each.config is not None:  # shards with their configuration beside, in a folder that tells the expert
            folder = each.source.path.parent.resolve()
            places[folder.name] = folder
        else:
            places |= {file.name: file.resolve() for file in each.source.files}
    return places


def _digest(name: str, found: Sequence[PublishedNetwork | FoundNetwork | None], dtype: Dtype) -> str:
    digests = remembered_digests(path for each in found for path in files_of(each))
    return digest_of({"dtype": dtype, "files": sorted(digests.values()) or f"tiny {name}"})
