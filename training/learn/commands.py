"""The command group ``learn``: reward training end to end, at a size that two CPU cores can do."""

from pathlib import Path
from typing import Any

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import option, split_numbers, weight_options

__all__ = ["learn"]


@click.group(cls=CommandGroup)
def learn() -> None:
    r"""Training with rewards from nothing to clips, on two CPU cores.

    \b
    anisora learn run --method grpo --scale 0.001 --seeds 0 --out runs/learn
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


@learn.command("run")
@option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder.")
@option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(["gapo", "grpo"]),
    help="How to tune; repeat it. Both by default.",
)
@option(
    "--seeds", default="0-7", show_default=True, callback=split_numbers, help="Trainings of each, such as 0-7 or 0,3."
)
@option(
    "--scale",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of all steps; less than 1 is a look at what happens, and learns little.",
)
@option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Trainings at a time, a thread each.")
@option("--quiet", is_flag=True, help="Print nothing but errors.")
@weight_options
def run(**parameters: Any) -> None:  # noqa: ANN401
    r"""Pretrain, tune with rewards over seeds, and write the page of what it did.

    The reward is of core metrics; a neural metric of another kind is held out, and each training is audited. What is
    done already is taken as it is.

    \b
    anisora learn run --method grpo --scale 0.001 --seeds 0 --out runs/learn
    """
    from anisora.harness.progress import announce
    from anisora.training.learn.page import write_page
    from anisora.training.learn.pretraining import Pretraining, pretrain
    from anisora.training.learn.summary import summarise, summary_text, write_summary
    from anisora.training.learn.trials import run_trials
    from anisora.training.learn.tuning import METHODS, Tuned

    out, scale, quiet = parameters["out"], parameters["scale"], parameters["quiet"]

    def told(tuned: Tuned) -> None:
        if not quiet:
            announce(f"{tuned.method.upper()}, seed {tuned.seed}: {tuned.seconds:.0f} s.")

    pretrain(Pretraining().scaled(scale), out, quiet=quiet)
    tuned = run_trials(
        out,
        parameters["methods"] or METHODS,
        parameters["seeds"],
        share=scale,
        workers=parameters["workers"],
        told=told,
    )
    summary = summarise(tuned)
    written = [write_summary(summary, out), write_page(summary, tuned, out)]
    if not quiet:
        click.echo(summary_text(summary), nl=False)
        click.echo(f"Wrote {' and '.join(map(str, written))}.")
