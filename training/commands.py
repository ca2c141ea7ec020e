"""The command group ``train``: ways to train a generator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import logging_choice, logging_options, metric_device, option, weight_options
from anisora.training.pairs.commands import pairs

__all__ = ["train"]

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(cls=CommandGroup)
def train() -> None:
    r"""Train a generator on clips, on preferences, or by rewards.

    \b
    anisora train supervised --model anisora-v3:tiny --data demo --steps 2 --out runs/trained
    """


train.add_command(pairs)


def _common(command: Command) -> Command:
    decorators = (
        option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A YAML file, as anisora train template prints it.",
        ),
        option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="In place of a field of the file."),
        option("--model", help="In place of the file's."),
        option("--steps", type=click.IntRange(1), help="In place of the file's."),
        option(
            "--out", type=click.Path(path_type=Path, file_okay=False), help="In place of the file's: the run folder."
        ),
        option(
            "--audit/--no-audit",
            default=None,
            help="Look for signs of a gamed reward whenever sample clips were drawn.  [default: as the file says]",
        ),
        option("--fresh/--resume", default=False, help="Begin again, or go on where it was (default)."),
        option(
            "--cache",
            type=click.Path(path_type=Path, file_okay=False),
            help="Encoded clips are kept below it.  [default: the cache's folder]",
        ),
        logging_options,
        option("--quiet", is_flag=True, help="Print nothing but errors."),
        metric_device,
        weight_options,
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@train.command("supervised")
@option("--data", metavar="FILE|SUITE", help="In place of the file's: a manifest, a JSON list, or a suite.")
@_common
def supervised(**parameters: Any) -> None:  # noqa: ANN401
    r"""Train on clips with prompts: to predict the velocity of noised clips, given some frames.

    A training that was stopped goes on where it was. What the configuration does not say is as the authors of the model
    trained.

    \b
    anisora train supervised --model anisora-v3:tiny --data demo --steps 2 --out runs/trained
    """
    from anisora.training.config import SupervisedConfig
    from anisora.training.supervised_run import make_supervised

    _run(SupervisedConfig, make_supervised, parameters, own=("data",))


@train.command("preference")
@option("--pairs", type=click.Path(path_type=Path, dir_okay=False), help="In place of the file's: preference pairs.")
@option("--run", type=click.Path(path_type=Path, file_okay=False), help="In place of the file's: who has the clips.")
@_common
def preference(**parameters: Any) -> None:  # noqa: ANN401
    r"""Train on pairs of a better clip and a worse one: AniSora's gap-aware loss (GAPO), or DPO.

    The reference that the network may not leave far behind is the network without its adapters, or a frozen copy where
    all weights are trained. The log tells how many pairs are told apart.

    \b
    anisora train preference --model anisora-v1:tiny --pairs pairs.jsonl --steps 2 --out runs/preferred
    """
    from anisora.training.config import PreferenceConfig
    from anisora.training.preference_run import make_preference

    _run(PreferenceConfig, make_preference, parameters, own=("pairs", "run"))


@train.command("grpo")
@option("--data", metavar="FILE|SUITE", help="In place of the file's: a manifest, a JSON list, or a suite.")
@option("--reward", metavar="SPEC", help="In place of the file's, such as metric_reward:sharpness=1.")
@_common
def grpo(**parameters: Any) -> None:  # noqa: ANN401
    r"""Train by rewards of clips that the network draws (GRPO, with the steps of Flow-GRPO or DanceGRPO).

    Groups of clips of one prompt are drawn with noise and scored; steps that led to better ones than the others of the
    group are made likelier. For networks of flow matching: models on Wan.

    \b
    anisora train grpo --model wan-2.1:tiny --data demo --reward metric_reward:sharpness=1 --steps 2 --out runs/grpo
    """
    from anisora.training.config import GrpoConfig
    from anisora.training.grpo_run import make_grpo

    _run(GrpoConfig, make_grpo, parameters, own=("data", "reward"))


@train.command("template")
@click.argument("method", type=click.Choice(["supervised", "preference", "grpo"]))
def show_template(method: str) -> None:
    r"""Print a configuration with all fields, what they mean and their defaults.

    \b
    anisora train template supervised
    """
    from anisora.training.config import GrpoConfig, PreferenceConfig, SupervisedConfig, TrainingConfig, template

    kinds: dict[str, type[TrainingConfig]] = {
        "supervised": SupervisedConfig,
        "preference": PreferenceConfig,
        "grpo": GrpoConfig,
    }
    click.echo(template(kinds[method]), nl=False)


def _run(kind: Any, make: Any, parameters: dict[str, Any], *, own: tuple[str, ...]) -> None:  # noqa: ANN401
    from anisora.harness.errors import TrainingStopped
    from anisora.harness.loggers import made_loggers
    from anisora.harness.registry import Spec
    from anisora.training.config import read_config
    from anisora.training.running import run_training

    named = ("model", "steps", "out", "audit", *own)
    given: dict[str, Any] = _fields(parameters["fields"])
    given |= {name: parameters[name] for name in named if parameters[name] is not None}
    config = read_config(kind, parameters["config"], given)
    db, mlflow = logging_choice(parameters)
    loggers = made_loggers("training_loggers", db=db, mlflow=mlflow)
    is_quiet = parameters["quiet"]
    cache = None if parameters["cache"] is None else parameters["cache"] / "training"
    try:
        out = run_training(config, make, cache=cache, fresh=parameters["fresh"], quiet=is_quiet, loggers=loggers)
    except TrainingStopped as error:
        if _is_first_process():
            raise
        raise SystemExit(error.exit_code) from None  # once is enough to say why
    if not is_quiet and _is_first_process():
        click.echo(f"Wrote {out}. Use it with: --model {Spec.parse(config.model).name}:weights={out}")


def _is_first_process() -> bool:
    import os

    return os.environ.get("RANK", "0") == "0"


def _fields(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return {field: value} of ``field=value`` texts, whose values are YAML.

    Raises:
        ConfigError: One is none.
    """
    import yaml

    from anisora.harness.errors import ConfigError

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            found[name.strip().replace("-", "_")] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not name.strip():
            raise ConfigError(f"`--set` got {text!r}; expected FIELD=VALUE, such as lora.rank=8.")
    return found
