"""The trained network as a folder that ``weights=DIR`` of a model's specification takes."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from anisora.harness.runfolder import write_atomically
from anisora.harness.training_folder import MODEL
from anisora.models.conversion.new_folder import new_folder
from anisora.models.untrained import TRAINING_CARD
from anisora.training.adaptation import adapter_state, merged_state
from anisora.training.config import LoraConfig
from anisora.training.families.family import Family
from anisora.training.tensor_files import write_tensor_file

__all__ = ["MODEL", "export_model"]

_WEIGHTS: Final = "diffusion_pytorch_model.safetensors"
_ADAPTERS: Final = "pytorch_lora_weights.safetensors"


def export_model(family: Family, lora: LoraConfig | None, run: Path, card: Mapping[str, Any]) -> Path:
    """Write the network, adapters merged into it, and links to the parts that were not trained; return the folder.

    An earlier export of the run is replaced.

    Args:
        family: Trained.
        lora: As it was adapted; the adapters are written beside.
        run: The run folder.
        card: Where the network comes from, as plain JSON.

    Raises:
        OSError: The disk is full.
    """
    out = run / MODEL
    if out.is_dir():
        shutil.rmtree(out)
    with new_folder(out) as folder:
        transformer = folder / family.part
        transformer.mkdir()
        family.network.save_config(transformer)
        write_tensor_file(transformer / _WEIGHTS, merged_state(family.network, lora))
        if lora is not None:
            write_tensor_file(folder / "lora" / _ADAPTERS, adapter_state(family.network))
        for part, found in family.companions.items():
            if isinstance(found, Path):
                (folder / part).symlink_to(found)
            else:
                found.save_pretrained(folder / part)
        with write_atomically(folder / TRAINING_CARD, "checkpoint") as file:
            file.write((json.dumps(dict(card), indent=1, sort_keys=True) + "\n").encode())
    return out
