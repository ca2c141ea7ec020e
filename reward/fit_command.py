"""The command ``reward fit``: a linear head on frozen features, fitted to what people said."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import FRAME_RATE, feature_options, metric_device, option, split_words

if TYPE_CHECKING:
    from anisora.reward.rated_clips import GroupBy
    from anisora.reward.ratings import Judgements

__all__ = ["fit"]


@click.command(cls=Command)
@option(
    "--ratings",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ratings or preferences, as reward agree reads them.",
)
@option(
    "--videos",
    "-v",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR|MANIFEST",
    help="Folder of clips or manifest; one a system.",
)
@option(
    "--run", "runs", multiple=True, type=click.Path(path_type=Path), metavar="RUN", help="Run folder with the clips."
)
@option(
    "--features",
    callback=split_words,
    default="efficientnet_lite0",
    show_default=True,
    metavar="A,B",
    help="Extractors whose features are frozen.",
)
@option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Folder of the head."
)
@option("--dimension", help="Which dimension of the file; needed where it has several.")
@option("--pairs", is_flag=True, help="Fit ratings as preferences between clips of one first frame.")
@option("--scale", default="1-5", show_default=True, help="Lowest and highest rating.")
@option(
    "--group-by",
    type=click.Choice(["first-frame", "label"]),
    default="first-frame",
    show_default=True,
    help="What must not be on two sides of the split.",
)
@option("--frames", type=click.IntRange(1), default=16, show_default=True, help="Frames of each clip, first to last.")
@option("--ridge", type=click.FloatRange(0), default=0.1, show_default=True, help="Strength of the ridge penalty.")
@option("--draws", type=click.IntRange(1000), default=10_000, show_default=True, help="Of the bootstrap.")
@option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the split and the bootstrap.")
@option("--fps", type=FRAME_RATE, help="Frame rate of folders of frames that carry none.")
@metric_device
@feature_options
@option("--json", "as_json", is_flag=True, help="Print the configuration that was written.")
@option("--quiet", is_flag=True, help="Print nothing but errors.")
def fit(
    ratings: Path,
    videos: tuple[Path, ...],
    runs: tuple[Path, ...],
    features: list[str],
    out: Path,
    dimension: str | None,
    *,
    pairs: bool,
    scale: str,
    group_by: "GroupBy",
    frames: int,
    ridge: float,
    draws: int,
    seed: int,
    fps: float | None,
    cache: Path | str | None,
    workers: int,
    as_json: bool,
    quiet: bool,
) -> None:
    r"""Fit a linear head to ratings or preferences of people, on frozen features of their clips.

    The result is a metric and a reward, fitted_head:path=DIR. Clips that share an item or a first frame are never on
    two sides of the split into training, validation and test.

    \b
    anisora reward fit --ratings ratings.csv --videos outputs/v2 --features frame_statistics --out heads/quality
    """
    from anisora.harness.errors import ConfigError
    from anisora.harness.weights import cache_folder
    from anisora.reward.fit_head_of_clips import FitRequest, fit_head_of_clips
    from anisora.reward.head_problems import FitOptions
    from anisora.reward.rated_clips import clips_of_runs, clips_of_videos
    from anisora.reward.ratings import parse_scale, read_judgements

    if bool(videos) == bool(runs):
        raise ConfigError("`--videos` and `--run`: expected one of the two, to know where the clips are.")
    limits = parse_scale(scale)
    judgements = _dimension(read_judgements(ratings, scale=limits), dimension)
    folder = cache_folder() / "features" if cache == "default" else cache
    result = fit_head_of_clips(
        FitRequest(
            ratings=ratings,
            judgements=judgements,
            clips=clips_of_videos(videos, fps=fps) if videos else clips_of_runs(runs),
            extractors=tuple(features),
            out=out,
            rating_scale=limits,
            frames=frames,
            as_preferences=pairs,
            group_by=group_by,
            options=FitOptions(seed=seed, ridge=ridge, draws=draws),
            cache=None if folder is None else Path(folder),
            workers=workers,
            show_progress=not quiet,
            command=_command(),
        )
    )
    if as_json:
        click.echo(result.config.model_dump_json(indent=1))
    elif not quiet:
        card = (out / "model_card.md").read_text(encoding="utf-8")
        click.echo(card.partition("## How good it is\n")[2].partition("\n\n")[0])
        if not result.fit.steps:
            click.echo("No step made the validation part better: the head says the same of every clip.", err=True)
        click.echo(f"Wrote {out}. Score with: anisora evaluate custom --videos DIR --metrics fitted_head:path={out}")


def _dimension(found: "list[Judgements]", wanted: str | None) -> "Judgements":
    from anisora.harness.errors import ConfigError

    names = [each.dimension for each in found]
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted not in names:
        got = f"got {wanted!r}" if wanted else "is missing"
        raise ConfigError(f"`--dimension` {got}; the file has {', '.join(names)}; expected one of them.")
    return found[names.index(wanted)]


def _command() -> str:
    import shlex

    return shlex.join(["anisora", *sys.argv[1:]]) if sys.argv[1:2] == ["reward"] else "anisora reward fit"
