"""Steps that train on clips of one drawing: where such a training may be stopped and go on."""

from anisora.harness.errors import ConfigError
from anisora.training.config import TrainingConfig

__all__ = ["check_rounds"]


def check_rounds(config: TrainingConfig, steps: int, name: str) -> None:
    """Refuse a training that would stop between two steps of one drawing, whose clips are in no checkpoint.

    Args:
        config: Without open ends.
        steps: Of one drawing.
        name: Of the field that says how many these are.

    Raises:
        ConfigError: Its last step, a checkpoint, or a look that may stop it lies between.
    """
    ends: dict[str, int | None] = {"steps": config.steps, "save_every": config.save_every}
    if config.samples is not None and config.audit is not None and config.audit.stop:
        ends["samples.every"] = config.samples.every
    for field, value in ends.items():
        if value is not None and value % steps:
            raise ConfigError(
                f"`{field}` got {value} with `{name}` {steps}; expected a multiple of it: clips that were drawn are in "
                "no checkpoint. Correct one of them."
            )
