"""Where a generator's networks wait and where they compute."""

from typing import Any, Final, Literal, get_args

from anisora.harness.device import Device, empty_cache
from anisora.harness.errors import ConfigError

__all__ = ["OFFLOADS", "Offload", "Placement"]

Offload = Literal["none", "model", "group"]
"""``none``: all networks stay on the device. ``model``: only the one that computes. ``group``: of a transformer, layers
come one by one; all else as with ``model``."""
OFFLOADS: Final[tuple[Offload, ...]] = get_args(Offload)


class Placement:
    """Moves networks between the CPU and one device; not shared between threads."""

    def __init__(self, device: Device, offload: Offload = "none") -> None:
        """Take the device and what stays on it.

        Raises:
            ConfigError: There is no such way to offload, or nothing to offload from.
        """
        if offload not in OFFLOADS:
            raise ConfigError(f"`offload` got {offload!r}; expected one of {', '.join(OFFLOADS)}. Choose one.")
        if offload != "none" and device.kind == "cpu":
            raise ConfigError(f"`offload` got {offload!r} on the cpu, where the networks lie anyway; leave it out.")
        self.device = device
        self.offload = offload
        self.torch_device = device.torch_device()
        self._there: Any = None
        self._grouped: set[int] = set()

    def group(self, transformer: Any) -> None:  # noqa: ANN401 - a module of diffusers
        """Let a transformer's layers come to the device one by one, where that was asked for."""
        if self.offload != "group":
            return
        import torch
        from diffusers.hooks.group_offloading import apply_group_offloading

        apply_group_offloading(
            transformer,
            onload_device=self.torch_device,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level",
            use_stream=self.device.kind == "cuda",
        )
        self._grouped.add(id(transformer))

    def ready(self, module: Any) -> Any:  # noqa: ANN401 - a module
        """Return a network that can compute now; with offloading, the one before it leaves the device."""
        if id(module) in self._grouped:
            self._leave()
            return module
        if self.offload == "none":
            return module.to(self.torch_device)
        if self._there is not module:
            self._leave()
            self._there = module.to(self.torch_device)
        return module

    def _leave(self) -> None:
        if self._there is not None:
            self._there.to("cpu")
            self._there = None
            empty_cache()
