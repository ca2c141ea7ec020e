"""How an audit works, as a part of a training's configuration and of the command line."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from anisora.harness.training_folder import TrainingFolder
from anisora.training.audit.signals import LEVEL

__all__ = ["AuditConfig", "settings_of_training"]


class AuditConfig(BaseModel):
    """Signs of a gamed reward, looked for whenever a training samples clips."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stop: bool = Field(
        default=False, description="End the training once an alarm has held for `patience` looks in a row."
    )
    patience: Annotated[StrictInt, Field(ge=1)] = Field(default=2, description="Looks in a row.")
    held_out: tuple[str, ...] | None = Field(
        default=None,
        description="Metrics that are not optimised; chosen among those of another kind where it is left out.",
    )
    optimised: tuple[str, ...] | None = Field(
        default=None,
        description="Metrics of the reward, so that others are held out; those that the training knows by default.",
    )
    level: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=LEVEL, description="Chance that a look at clips without a change has an alarm."
    )
    least: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="{signal: the smallest change that counts}, in place of the audit's own."
    )
    kl_limit: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Mean `kl` of ten steps above which there is an alarm; none where it is left out."
    )


def settings_of_training(run: Path) -> AuditConfig:
    """Return how a training audits itself; the defaults where it does not.

    Args:
        run: A training, or a run of clips.

    Raises:
        RecordError: Its configuration is damaged.
    """
    folder = TrainingFolder(run)
    said = folder.read_config().get("audit") if folder.is_training() else None
    return AuditConfig() if said is None else AuditConfig.model_validate(said)
