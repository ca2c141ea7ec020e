"""Which weights are trained: all of a network, or low-rank adapters beside frozen ones (LoRA).

Adapters are those of `peft`. Trained weights are float32 whatever the others are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import ConfigError, MissingExtra
from anisora.training.config import LoraConfig

if TYPE_CHECKING:
    import torch

__all__ = ["adapt", "adapter_state", "merged_state", "trained_parameters", "without_adapters"]

_BASE: Final = ".base_layer."
_LORA: Final = ".lora_"
_ADAPTER: Final = "default"


def adapt(network: Any, lora: LoraConfig | None) -> None:  # noqa: ANN401 - a module of diffusers
    """Make a frozen network trainable.

    Args:
        network: Of diffusers, frozen; adapters are put into it.
        lora: What to adapt; None trains everything.

    Raises:
        MissingExtra: peft is not installed.
        ConfigError: No layer has the name of a target.
    """
    if lora is None:
        network.float().requires_grad_(requires_grad=True)
        return
    try:
        from peft import LoraConfig as Adapters
        from peft import inject_adapter_in_model
    except ImportError as error:
        raise MissingExtra("Training with `lora`", "training") from error
    import torch

    layers = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Linear)]
    for target in lora.targets:
        if not any(name == target or name.endswith(f".{target}") for name in layers):
            ends = sorted({name.rpartition(".")[2] for name in layers if not name.rpartition(".")[2].isdecimal()})
            raise ConfigError(
                f"`lora.targets` has {target!r}, with which no layer's name ends; expected ends of names such as "
                f"{', '.join(ends)}. Correct it."
            )
    alpha: Any = lora.rank if lora.alpha is None else lora.alpha  # peft takes fractions, and does not say so
    inject_adapter_in_model(
        Adapters(r=lora.rank, lora_alpha=alpha, target_modules=list(lora.targets), lora_dropout=0.0),
        network,
        adapter_name=_ADAPTER,
    )
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(requires_grad=_LORA in name)
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def trained_parameters(network: Any) -> "dict[str, torch.nn.Parameter]":  # noqa: ANN401 - a module
    """Return {name: weights} of what is trained, in the order of the network."""
    return {name: each for name, each in network.named_parameters() if each.requires_grad}


def _layers(network: Any) -> dict[str, Any]:  # noqa: ANN401 - a module
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in network.named_modules() if isinstance(module, LoraLayer)}


@contextmanager
def without_adapters(network: Any) -> Iterator[None]:  # noqa: ANN401 - a module
    """Let a network compute as it was before its adapters, inside the block."""
    layers = _layers(network)
    for layer in layers.values():
        layer.enable_adapters(enabled=False)
    try:
        yield
    finally:
        for layer in layers.values():
            layer.enable_adapters(enabled=True)


def merged_state(network: Any, lora: LoraConfig | None) -> "Iterator[tuple[str, torch.Tensor]]":  # noqa: ANN401
    """Yield (name, tensor) of the network without adapters whose weights have the adapters' updates in them.

    Args:
        network: Trained.
        lora: As it was adapted.
    """
    layers = {} if lora is None else _layers(network)
    for name, tensor in network.state_dict().items():
        if _LORA in name:
            continue
        layer = layers.get(name.partition(_BASE)[0]) if _BASE in name else None
        merged = tensor.detach()
        if layer is not None and name.endswith("weight"):
            merged = (merged.float() + layer.get_delta_weight(_ADAPTER).float()).to(tensor.dtype)
        yield name.replace(_BASE, "."), merged.cpu()


def adapter_state(network: Any) -> "dict[str, torch.Tensor]":  # noqa: ANN401 - a module
    """Return the adapters under the names that pipelines of diffusers load."""
    return {
        f"transformer.{name.replace(f'.{_ADAPTER}.', '.')}": each.detach().cpu()
        for name, each in trained_parameters(network).items()
    }
