"""The one loop of all trainings: gradients of a step's parts, a step of AdamW, a line of the log, checkpoints.

What is drawn for a sample follows from the seed, the step and its place in the step's batch, and all else that the
next step depends on is in a checkpoint: a training that is stopped and started again ends in the same weights, bit for
bit on a CPU, and several processes train as one does, up to the order of sums.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from anisora.harness.errors import ConfigError, RecordError, TrainingStopped
from anisora.harness.journal import Journal, open_journal
from anisora.training.adaptation import trained_parameters
from anisora.training.config import TrainingConfig
from anisora.training.keeper import Keeper
from anisora.training.moving_average import MovingAverage
from anisora.training.posed_items import FramedItem
from anisora.training.run_log import LOG

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

__all__ = ["Losses", "Method", "Rates", "Share", "Watcher", "share_of", "train_loop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Of the samples of a part of a step."""

    losses: "torch.Tensor"
    """(B,), with gradient; a step's loss is the mean over all of its samples."""
    numbers: "Mapping[str, torch.Tensor]" = field(default_factory=dict)
    """{name: (B,)}, for the log."""


class Method(Protocol):
    """A way to train; those that have nothing to tell or to close inherit that from here."""

    shown: Sequence[FramedItem] = ()
    """What sample clips are drawn from, if any are wanted."""
    optimised: Sequence[str] = ()
    """Dimensions of the reward that is maximised, as far as they are known."""

    def parts(self, step: int, network: Any) -> Sequence[Any]:  # noqa: ANN401 - a wrapped module
        """Return this process's parts of a step, all of the same number of samples.

        Args:
            step: From 0; steps are asked for in order.
            network: A ``VelocityNetwork`` as it is when the step begins, wrapped as accelerate does.
        """
        ...

    def losses(self, network: Any, part: Any) -> Losses:  # noqa: ANN401 - its own kind of part
        """Return the losses of a part.

        Args:
            network: A ``VelocityNetwork``, wrapped as accelerate does.
            part: One of ``parts``.
        """
        ...

    def numbers(self) -> Mapping[str, float]:
        """Return what the log is told of the step beside means over samples; the same in all processes."""
        return {}

    def close(self) -> None:
        """End what was begun."""
        return


class Watcher(Protocol):
    """Looks at the network on the way, without changing anything; those that never stop it inherit that from here."""

    reason_to_stop: str = ""
    """Why the training is to end before its last step, if so; where one process has a reason, all have."""

    def begin(self, step: int) -> None:
        """Take notice that steps up to this one were taken; 0 where training begins."""
        ...

    def after(self, step: int, line: Mapping[str, float]) -> Mapping[str, float]:
        """Take notice that a step is done, before its checkpoint; return what its line of the log is told beside.

        Args:
            step: From 1.
            line: Of the log, the same in all processes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Share:
    """Which of a step's samples are this process's."""

    process: int
    processes: int
    parts: int
    """Into which it cuts them."""
    size: int
    """Samples of a part."""

    def places(self) -> list[list[int]]:
        """Return the places in the step's batch of each part.

        Example:
            >>> Share(1, 2, 2, 1).places()
            [[1], [3]]
        """
        whole = self.processes * self.size
        return [
            list(range(part * whole + self.process * self.size, part * whole + (self.process + 1) * self.size))
            for part in range(self.parts)
        ]


def share_of(config: TrainingConfig, process: int, processes: int) -> Share:
    """Return the share of a process.

    Raises:
        ConfigError: The samples of a step cannot be shared so.
    """
    parts = config.gradient_accumulation_steps
    size, rest = divmod(config.batch_size, processes * parts)
    if rest or not size:
        raise ConfigError(
            f"`batch_size` got {config.batch_size} for {processes} processes and `gradient_accumulation_steps` "
            f"{parts}; expected a multiple of {processes * parts}. Correct one of them."
        )
    return Share(process, processes, parts, size)


@dataclass(frozen=True, slots=True)
class Rates:
    """What the optimizer is set to."""

    learning_rate: float
    gradient_clip: float

    def at(self, step: int, warmup: int) -> float:
        """Return the learning rate of a step, which rises over the first ones."""
        return self.learning_rate * min(1.0, (step + 1) / warmup) if warmup else self.learning_rate


def train_loop(
    config: TrainingConfig,
    method: Method,
    network: Any,  # noqa: ANN401 - a VelocityNetwork
    accelerator: "Accelerator",
    rates: Rates,
    *,
    told: Callable[[], None] = lambda: None,
    watchers: Sequence[Watcher] = (),
) -> MovingAverage | None:
    """Train until the last step, from the newest checkpoint on; return the averages of the weights, if there are any.

    Args:
        config: What was asked; ``config.out`` exists.
        method: What losses are.
        network: On its device, adapted.
        accelerator: Of this process.
        rates: What the optimizer is set to.
        told: Is told of each step that is done, also of those before the checkpoint.
        watchers: In order.

    Raises:
        RecordError: The newest checkpoint is damaged, or the losses are no numbers any more.
        ConfigError: The checkpoint is of another number of processes.
        TrainingStopped: A watcher ended it before the last step; what is done is in a checkpoint.
    """
    import torch

    weights = trained_parameters(network.network)
    optimizer = torch.optim.AdamW(
        weights.values(),
        lr=rates.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
    )
    average = None if config.ema_decay is None else MovingAverage(weights, config.ema_decay)
    keeper = Keeper(config.out, config.keep, weights, optimizer, average, accelerator)
    start = keeper.restored()
    wrapped = accelerator.prepare_model(network)
    for _ in range(start):
        told()
    for watcher in watchers:
        watcher.begin(start)
    _go_on(config, watchers, start)
    with _log(config.out, accelerator) as log:
        for step in range(start, config.steps):
            begun = time.monotonic()
            for group in optimizer.param_groups:
                group["lr"] = rates.at(step, config.warmup_steps)
            numbers = _gradients(method, wrapped, step, accelerator)
            norm = float(torch.nn.utils.clip_grad_norm_(weights.values(), rates.gradient_clip))
            if not torch.isfinite(torch.tensor(norm)):
                raise RecordError(
                    f"Training stopped: the gradient of step {step + 1} is {norm}; expected a number. Lower "
                    "`learning_rate`, or set `dtype` to float32; the checkpoints before it are kept."
                )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if average is not None:
                average.update(step)
            line = {"step": step + 1, **numbers, **method.numbers(), "grad_norm": norm}
            line |= {"lr": rates.at(step, config.warmup_steps), "seconds": round(time.monotonic() - begun, 3)}
            for watcher in watchers:
                line |= watcher.after(step + 1, line)
            if log is not None:
                log.append(line)
            is_last = step + 1 == config.steps or any(watcher.reason_to_stop for watcher in watchers)
            if (step + 1) % config.save_every == 0 or is_last:
                keeper.save(step + 1)
            told()
            _go_on(config, watchers, step + 1)
    return average


def _go_on(config: TrainingConfig, watchers: Sequence[Watcher], step: int) -> None:
    """Raise where steps remain that a watcher does not want taken."""
    reasons = [watcher.reason_to_stop for watcher in watchers if watcher.reason_to_stop]
    if reasons and step < config.steps:
        raise TrainingStopped(reasons[0])


def _gradients(
    method: Method,
    wrapped: Any,  # noqa: ANN401 - a module
    step: int,
    accelerator: "Accelerator",
) -> dict[str, float]:
    """Add up the gradients of this process's parts of a step; return the means over all samples of all processes."""
    import torch

    parts = method.parts(step, wrapped)
    seen: dict[str, list[torch.Tensor]] = {}
    for at, part in enumerate(parts):
        is_last = at == len(parts) - 1
        with nullcontext() if is_last else accelerator.no_sync(wrapped):
            found = method.losses(wrapped, part)
            accelerator.backward(found.losses.mean() / len(parts))
        for name, each in {"loss": found.losses, **found.numbers}.items():
            seen.setdefault(name, []).append(each.detach().float())
    return {name: float(accelerator.gather(torch.cat(each)).double().mean()) for name, each in seen.items()}


@contextmanager
def _log(run: Path, accelerator: "Accelerator") -> Iterator[Journal | None]:
    """Open the log of a run, for the process that writes it."""
    if not accelerator.is_main_process:
        yield None
        return
    with open_journal(run / LOG) as journal:
        yield journal
