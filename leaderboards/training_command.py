"""The command ``leaderboard add-training``: trainings that were not logged while they were at work."""

from pathlib import Path
from typing import Any

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import logging_choice, logging_options, option

__all__ = ["add_training"]


@click.command("add-training", cls=Command)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@logging_options
@option("--quiet", is_flag=True, help="Print nothing but errors.")
def add_training(*, runs: tuple[Path, ...], quiet: bool, **parameters: Any) -> None:  # noqa: ANN401
    r"""Add trainings to the leaderboard file and to MLflow, from their run folders.

    A training is added by the command that trains, while it is at work and when it ends. This adds what was killed,
    moved here, or trained without; a training that is there is brought up to date. No number of a suite's table is made
    from trainings.

    \b
    anisora leaderboard add-training runs/style
    """
    from anisora.harness.loggers import made_loggers
    from anisora.harness.training_folder import TrainingFolder

    db, mlflow = logging_choice(parameters)
    loggers = made_loggers("training_loggers", db=db, mlflow=mlflow)
    for training in [TrainingFolder.find(run) for run in runs]:
        record, status = training.read_record(), training.status()
        for logger in loggers:
            logger.on_progress(training.path, status)
        if not quiet:
            mark = ", UNTRAINED" if record.untrained else ""
            click.echo(f"Added {record.run_id}: {len(training.read_log())} steps, {status}{mark}")
