"""The command ``reward agree``: do scores say what people say?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option, split_words

if TYPE_CHECKING:
    from anisora.reward.agreement import Agreement

__all__ = ["agree"]

_TABLE: Final = "anisora-7"


@click.command(cls=Command)
@click.argument("ratings", required=False, type=click.Path(path_type=Path, dir_okay=False))
@option("--run", "runs", multiple=True, metavar="RUN", help="Run folder, or id of a run in --db; one a system.")
@option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.duckdb"),
    show_default=True,
    help="The leaderboard file.",
)
@option("--scores", type=click.Path(path_type=Path, dir_okay=False), help="Table of scores in place of runs.")
@option("--metrics", callback=split_words, metavar="A,B", help="Only these metrics.")
@option("--lower", callback=split_words, metavar="A,B", help="Columns of --scores of which less is better.")
@option("--scale", default="1-5", show_default=True, help="Lowest and highest rating.")
@option("--draws", type=click.IntRange(1000), default=10_000, show_default=True, help="Of the bootstrap.")
@option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@option(
    "--published",
    is_flag=False,
    flag_value=_TABLE,
    metavar="[TABLE]",
    help=f"A published table with a human score in place of ratings; {_TABLE} unless named.",
)
@option("--json", "as_json", is_flag=True, help="Print plain data.")
def agree(
    ratings: Path | None,
    runs: tuple[str, ...],
    db: Path,
    scores: Path | None,
    metrics: list[str] | None,
    lower: list[str] | None,
    scale: str,
    draws: int,
    seed: int,
    published: str | None,
    *,
    as_json: bool,
) -> None:
    r"""Compare scores with ratings or preferences of people, over clips and over systems.

    RATINGS is a CSV, JSONL or Parquet file: sample_id, rating and if wanted model, rater, dimension; or left, right,
    preference (left, right or tie); or sample_id, left_model, right_model, preference.

    \b
    anisora reward agree ratings.csv --run runs/demo-my-model-0123456789
    anisora reward agree ratings.csv --scores scores.csv --lower temporal_flickering
    anisora reward agree --published
    """
    from anisora.harness.errors import ConfigError
    from anisora.reward.agreement_sources import published_agreement
    from anisora.reward.agreement_text import agreement_data, agreement_text

    if published is not None:
        if ratings is not None or runs or scores is not None:
            raise ConfigError("`--published` got ratings, --run or --scores too; leave one of the two out.")
        found = published_agreement(published)
    else:
        if ratings is None:
            raise ConfigError("`RATINGS` is missing; expected a file of ratings or preferences, or --published.")
        if bool(runs) == (scores is not None):
            raise ConfigError("`--run` and `--scores`: expected one of the two, to know what is compared with people.")
        found = _compared(ratings, runs, db, scores, metrics, lower, scale, draws=draws, seed=seed)
    if as_json:
        click.echo(json.dumps(agreement_data(found), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(agreement_text(found), nl=False)


def _compared(
    ratings: Path,
    runs: tuple[str, ...],
    db: Path,
    scores: Path | None,
    metrics: list[str] | None,
    lower: list[str] | None,
    scale: str,
    *,
    draws: int,
    seed: int,
) -> "list[Agreement]":
    from anisora.harness.errors import ConfigError
    from anisora.reward.agreement import agreements
    from anisora.reward.agreement_sources import matched, scores_of_file, scores_of_runs
    from anisora.reward.ratings import parse_scale, read_judgements

    judgements = read_judgements(ratings, scale=parse_scale(scale))
    if scores is None:
        if lower:
            raise ConfigError(f"`--lower` got {', '.join(lower)}, but a run knows its metrics; leave it out.")
        found, directions = scores_of_runs(runs, db, metrics)
    else:
        found = scores_of_file(scores, metrics)
        unknown = [name for name in lower or () if name not in found]
        if unknown:
            raise ConfigError(f"`--lower` got {unknown[0]!r}; expected one of {', '.join(found)}.")
        directions = dict.fromkeys(lower or (), "lower")
    return agreements(judgements, matched(judgements, found), directions, draws=draws, seed=seed)
