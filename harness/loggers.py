"""What is told of runs and trainings, by name: the leaderboard and MLflow."""

from pathlib import Path
from typing import Any, Final, Literal

from anisora.harness.registry import registry

__all__ = ["DEFAULT_MLFLOW", "made_loggers"]

DEFAULT_MLFLOW: Final = "default"
"""MLFLOW_TRACKING_URI, or else a file beside the leaderboard."""


def made_loggers(
    kind: Literal["loggers", "training_loggers"], *, db: Path | None, mlflow: str | None
) -> list[Any]:  # RunLoggers or TrainingLoggers
    """Make the loggers that were asked for.

    Args:
        kind: Of runs or of trainings.
        db: The leaderboard file; None for none.
        mlflow: A tracking URI or ``default``; None for none.

    Raises:
        ConfigError: MLflow was asked for by a URI that is none, or is not installed.
    """
    known = registry(kind)
    found = [] if db is None else [known.get("duckdb")(path=db)]
    if mlflow is not None:
        found.append(known.get("mlflow")("" if mlflow == DEFAULT_MLFLOW else mlflow, beside=db))
    return found
