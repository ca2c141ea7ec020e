"""The command ``reward shift``: what encoders do to metrics."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import FRAME_RATE, metric_device, option, split_words, weight_options

if TYPE_CHECKING:
    from anisora.reward.encoder_shift import ShiftClip

__all__ = ["shift"]

_EXIT_PARTIAL: Final = 3


@click.command(cls=Command)
@click.argument("videos", metavar="[VIDEO...]", nargs=-1, type=click.Path(path_type=Path))
@option("--suite", metavar="SUITE", help="Take the ground truth of a suite in place of videos.")
@option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N clips.")
@option(
    "--metrics",
    callback=split_words,
    default="core",
    show_default=True,
    metavar="A,B",
    help="Metrics or groups (core, all).",
)
@option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="ENCODER",
    help="ffv1, h264rgb or h264:crf=N[,preset=P]; h264 at crf 10, 18 and 28 unless given.",
)
@option("--fps", type=FRAME_RATE, help="Frame rate of folders of frames that carry none.")
@metric_device
@weight_options
@option("--json", "as_json", is_flag=True, help="Print plain data.")
def shift(
    videos: tuple[Path, ...],
    suite: str | None,
    limit: int | None,
    metrics: list[str],
    encoders: tuple[str, ...],
    fps: float | None,
    *,
    as_json: bool,
) -> int:
    r"""Show what encoders do to each metric: clips before and after, paired.

    VIDEO is a clip, a folder of clips, a folder of frames, or a manifest. Rewards that see frames and rewards that see
    files differ by as much.

    \b
    anisora reward shift --suite demo --limit 12 --metrics temporal_flickering,sharpness
    anisora reward shift my_clips --metrics sharpness --encoder h264:crf=18 --json
    """
    from anisora.harness.progress import progress
    from anisora.reward.encoder_shift import ENCODERS, encoder_shift
    from anisora.reward.encoder_shift_text import shift_data, shift_text

    clips = _clips(videos, suite, fps)[:limit]
    with progress("encoder shift", len(clips), shown=not as_json) as advance:
        report = encoder_shift(clips, metrics, encoders or ENCODERS, advance=advance)
    if as_json:
        click.echo(json.dumps(shift_data(report), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(shift_text(report), nl=False)
    return _EXIT_PARTIAL if report.problems else 0


def _clips(videos: tuple[Path, ...], suite: str | None, fps: float | None) -> "list[ShiftClip]":
    """Return the clips that were named.

    Raises:
        ConfigError: Videos and a suite were given, or neither.
        DataError: The suite's items have no ground truth, or a source is not there or cannot be read.
    """
    from anisora.harness.errors import ConfigError, DataError
    from anisora.harness.suite import load_samples, load_suite
    from anisora.harness.types import Condition, Generation
    from anisora.reward.encoder_shift import ShiftClip
    from anisora.reward.scored_videos import named_videos

    if bool(videos) == (suite is not None):
        raise ConfigError("`VIDEO` and `--suite`: expected one of the two; name clips, or a suite with ground truth.")
    if suite is None:
        named = named_videos(videos, prompt=None, condition=Condition(), fps=fps, model="before")
        for each in named:
            if each.item is None:
                raise DataError(each.problem)
        return [
            ShiftClip(name=each.name, cluster=each.item.sample.label or each.name, item=each.item)
            for each in named
            if each.item is not None
        ]
    loaded = load_suite(suite)
    clips = [
        ShiftClip(
            name=sample.id,
            cluster=(sample.label or sample.id) if loaded.cluster == "label" else sample.id,
            item=Generation(sample=sample, clip=sample.ground_truth, model="before"),
        )
        for sample in load_samples(loaded)
        if sample.ground_truth is not None
    ]
    if not clips:
        raise DataError(f"`--suite` got {suite!r}, no item of which has ground truth; name clips of your own.")
    return clips
