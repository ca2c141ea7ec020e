"""The checkpoints of a run from the inside of a training: what is put into them, and taken out where it goes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from anisora.harness.errors import ConfigError
from anisora.training.checkpoints import (
    Checkpoint,
    latest_checkpoint,
    read_checkpoint,
    remove_old_checkpoints,
    write_checkpoint,
)
from anisora.training.moving_average import MovingAverage
from anisora.training.optimizer_state import load_optimizer_state, optimizer_state
from anisora.training.random_states import random_states, restore_random_states
from anisora.training.run_log import LOG, cut_log

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

__all__ = ["Keeper"]


class Keeper:
    """Writes and reads the checkpoints of a run."""

    def __init__(
        self,
        run: Path,
        keep: int,
        weights: "Mapping[str, torch.nn.Parameter]",
        optimizer: "torch.optim.Optimizer",
        average: MovingAverage | None,
        accelerator: "Accelerator",
    ) -> None:
        """Take where they lie, how many of the newest stay, and what is in them; ``average`` may be None."""
        self._run, self._keep = run, keep
        self._weights, self._optimizer, self._average = weights, optimizer, average
        self._accelerator = accelerator

    def restored(self) -> int:
        """Restore the newest checkpoint, if there is one; return the steps that were taken."""
        import torch

        found = latest_checkpoint(self._run)
        accelerator = self._accelerator
        accelerator.wait_for_everyone()
        step = 0
        if found is not None:
            kept = read_checkpoint(found)
            if kept.processes != accelerator.num_processes:
                raise ConfigError(
                    f"Checkpoint `{found}` is of {kept.processes} processes, and this training has "
                    f"{accelerator.num_processes}; expected as many, whose random states it has. Start that many."
                )
            with torch.no_grad():
                for name, each in self._weights.items():
                    each.copy_(kept.trained[name])
            load_optimizer_state(self._optimizer, list(self._weights), kept.optimizer)
            if self._average is not None:
                self._average.load(kept.averages)
            own = f"{accelerator.process_index}/"
            states = {name.removeprefix(own): each for name, each in kept.random_states.items() if name.startswith(own)}
            restore_random_states(states, accelerator.device)
            step = kept.step
        if accelerator.is_main_process:
            cut_log(self._run / LOG, step)
        accelerator.wait_for_everyone()
        return step

    def save(self, step: int) -> None:
        """Write a checkpoint and remove the oldest."""
        accelerator = self._accelerator
        own = random_states(accelerator.device)
        gathered = {name: accelerator.gather(each[None].to(accelerator.device)) for name, each in own.items()}
        if accelerator.is_main_process:
            checkpoint = Checkpoint(
                step=step,
                processes=accelerator.num_processes,
                trained=self._weights,
                optimizer=optimizer_state(self._optimizer, list(self._weights)),
                averages={} if self._average is None else self._average.averages,
                random_states={f"{at}/{name}": row for name, rows in gathered.items() for at, row in enumerate(rows)},
            )
            write_checkpoint(self._run, checkpoint)
            remove_old_checkpoints(self._run, self._keep)
        accelerator.wait_for_everyone()
