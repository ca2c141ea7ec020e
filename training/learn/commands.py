"""The command group ``learn``: reward training end to end, at a size that two CPU cores can do."""

from pathlib import Path
from typing import Any

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import option, weight_options

__all__ = ["learn"]


@click.group(cls=CommandGroup)
def learn() -> None:
    r"""Training with rewards from nothing to clips, on two CPU cores.

    \b
    anisora learn pretrain --scale 0.001 --out runs/learn
    """


@learn.command("pretrain")
@option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder.")
@option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of everything that is drawn.")
@option(
    "--scale",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of all steps; less than 1 is a look at what happens, and learns little.",
)
@option("--quiet", is_flag=True, help="Print nothing but errors.")
@weight_options
def pretrain(**parameters: Any) -> None:  # noqa: ANN401
    r"""Train a small VAE and a small video model of Wan's classes on rendered clips; the base of all that follows.

    The folder has the clips (world/), the model as a folder of diffusers (model/) and the logs. The model is a toy:
    records of its clips are marked UNTRAINED, and leaderboards do not show them.

    \b
    anisora learn pretrain --scale 0.001 --out runs/learn
    """
    from anisora.training.learn.pretraining import BASE, Pretraining, pretrain

    out = parameters["out"]
    plan = Pretraining(seed=parameters["seed"]).scaled(parameters["scale"])
    model = pretrain(plan, out, quiet=parameters["quiet"])
    if not parameters["quiet"]:
        click.echo(f"Wrote {model}. Use it with: --model {BASE}:weights={model}")
