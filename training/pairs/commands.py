"""The command ``train pairs``: preference pairs from a run with several clips an item."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import metric_device, option, weight_options

if TYPE_CHECKING:
    from anisora.training.pairs.choosing import Take
    from anisora.training.pairs.reward_scale import ScaleKind

__all__ = ["pairs"]

_EXIT_PARTIAL: Final = 3


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--reward",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC|NAME=SPEC",
    help="What is better: name:key=value,word of a reward; several with names are weighted.",
)
@option("--weight", "shares", multiple=True, metavar="NAME=NUMBER", help="Of one of several rewards; 1 by default.")
@option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of pairs, .jsonl; how it was made and the rewards of all clips are written beside it.",
)
@option(
    "--take",
    type=click.Choice(["best-worst", "all"]),
    default="best-worst",
    show_default=True,
    help="Of each item the best clip against the worst, or every two clips.",
)
@option(
    "--min-gap",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Smallest difference of two scores, of --score-scale.",
)
@option(
    "--scale",
    type=click.Choice(["run", "range", "constants"]),
    help="What 0 and the highest score stand for: the lowest and highest reward of the run, those that the reward can "
    "have, or stored constants.  [default: constants where they are given, else run]",
)
@option(
    "--constants",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What dimensions are normalised by, of anisora reward constants.",
)
@option(
    "--score-scale",
    type=click.FloatRange(0, min_open=True),
    default=100.0,
    show_default=True,
    help="The highest score, as the training's score_scale.",
)
@option("--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Clips scored at a time.")
@option("--fresh/--resume", default=False, help="Score all clips again, or go on where it was (default).")
@option("--quiet", is_flag=True, help="Print nothing but errors.")
@metric_device
@weight_options
def pairs(
    run: Path,
    specs: tuple[str, ...],
    shares: tuple[str, ...],
    out: Path,
    take: "Take",
    min_gap: float,
    scale: "ScaleKind | None",
    constants: Path | None,
    score_scale: float,
    batch_size: int,
    *,
    fresh: bool,
    quiet: bool,
) -> int:
    r"""Score the clips of a run and write pairs of a better and a worse one, for train preference.

    RUN is a run folder of anisora run or generate with several seeds: the clips of an item are compared with each
    other. Clips that cannot be scored are in no pair, and neither are two clips of one score.

    \b
    anisora train pairs runs/demo-seeds-0123456789 --reward metric_reward:temporal_flickering=1 --out drawn.jsonl
    """
    from contextlib import ExitStack

    from anisora.reward.asked_reward import asked_reward
    from anisora.training.pairs.drawing import PairOptions, draw_pairs, invalid_text

    options = PairOptions(
        take=take,
        min_gap=min_gap,
        scale=scale or ("run" if constants is None else "constants"),
        score_scale=score_scale,
        batch_size=batch_size,
        fresh=fresh,
    )
    with ExitStack() as opened:
        reward = asked_reward(specs, shares, constants=constants)
        if hasattr(reward, "close"):
            opened.callback(reward.close)
        drawn = draw_pairs(run, reward, out, options, shown=not quiet)
    if not quiet:
        click.echo(f"Wrote {len(drawn.pairs)} pairs of {drawn.items} items and {drawn.clips} clips to {out}.")
        if drawn.invalid:
            click.echo(invalid_text(drawn.invalid), err=True)
        click.echo(f"Train with: anisora train preference --pairs {out} --run {run} --set score_scale={score_scale:g}")
    return _EXIT_PARTIAL if drawn.invalid else 0
