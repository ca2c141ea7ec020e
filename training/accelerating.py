"""What accelerate knows of this process: its device, and the others of the training."""

import os
from typing import TYPE_CHECKING

from anisora.harness.device import Device, Dtype, compute_device, resolve_dtype
from anisora.harness.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["accelerator_of_process", "dtype_of"]


def accelerator_of_process() -> "tuple[Accelerator, Device]":
    """Return what accelerate knows of this process and its device.

    Raises:
        MissingExtra: accelerate is not installed.
        ConfigError: It is set up for a way to share a network that is not trained here.
    """
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedType
    except ImportError as error:
        raise MissingExtra("Training", "training") from error
    import torch

    device = compute_device()
    is_alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    if is_alone and device.kind != "cpu":
        torch.get_device_module(device.kind).set_device(device.index or 0)
    accelerator = Accelerator(cpu=device.kind == "cpu")
    if accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise ConfigError(
            f"accelerate is set up for {accelerator.distributed_type.value}; expected processes that each have the "
            "whole network. Start them with torchrun, and take `lora` for networks that are too large."
        )
    if not is_alone and device.kind != "cpu":
        device = Device(device.kind, accelerator.local_process_index)
    return accelerator, device


def dtype_of(name: str, device: Device) -> Dtype:
    """Return the number format of computing; ``auto`` is float32 on a CPU and bfloat16 elsewhere."""
    if name == "auto":
        return "float32" if device.kind == "cpu" else "bfloat16"
    return resolve_dtype(name, device)
