"""The command ``reward constants``: mean and deviation of each dimension, from the scores of runs."""

import json
from pathlib import Path

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option, split_words

__all__ = ["constants"]


@click.command(cls=Command)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The file to write."
)
@option("--name", help="What to call the constants; the file's own name unless given.")
@option("--metrics", callback=split_words, metavar="A,B", help="Only these metrics.")
@option("--json", "as_json", is_flag=True, help="Print what was written.")
def constants(runs: tuple[Path, ...], out: Path, name: str | None, metrics: list[str] | None, *, as_json: bool) -> None:
    r"""Measure the constants by which a reward normalises its dimensions.

    RUN is a finished run folder. Every clip that has a score counts once. Rewards take the file as
    anisora.reward(..., constants=FILE), and tell its name and digest.

    \b
    anisora reward constants runs/demo-my-model-0123456789 --metrics sharpness,temporal_flickering --out constants.json
    """
    from anisora.reward.constants import measure_constants, write_constants

    measured = measure_constants(runs, name=name or out.stem, metrics=metrics)
    write_constants(measured, out)
    if as_json:
        data = measured.model_dump(mode="json") | {"digest": measured.digest}
        click.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))
        return
    width = max(len(metric) for metric in measured.dimensions)
    click.echo(f"{'metric':<{width}}  {'mean':>12}  {'deviation':>12}  {'clips':>6}  {'unscored':>8}")
    for metric, each in measured.dimensions.items():
        click.echo(f"{metric:<{width}}  {each.mean:>12.6g}  {each.std:>12.6g}  {each.count:>6}  {each.left_out:>8}")
    click.echo(f"{out}: {measured.name}, digest {measured.digest[:16]}")
