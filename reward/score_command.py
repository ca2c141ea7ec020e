"""The command ``reward score``: what a reward says of clips and stills."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import FRAME_RATE, metric_device, option, split_words, weight_options

if TYPE_CHECKING:
    from anisora.harness.device import Device
    from anisora.harness.memory_estimate import MemoryEstimate
    from anisora.harness.residency import Resident
    from anisora.reward.metric_reward import MetricReward
    from anisora.reward.score_table import ScoredVideo

__all__ = ["score"]

_EXIT_FAILED: Final = 1
_EXIT_PARTIAL: Final = 3


@click.command(cls=Command)
@click.argument("videos", metavar="VIDEO...", nargs=-1, type=click.Path(path_type=Path))
@option("--prompt", metavar="TEXT", help="What the videos should show, for dimensions that compare with it.")
@option(
    "--image",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The image they were made from, for dimensions that compare with it.",
)
@option(
    "--reward",
    "spec",
    default="anime-reward",
    show_default=True,
    metavar="SPEC",
    help="name:key=value,word of a reward, such as metric_reward:sharpness=0.01.",
)
@option(
    "--mode",
    type=click.Choice(["reference", "corrected"]),
    help="As released, or without the oversights of the release; the reward's own default unless given.",
)
@option("--dimensions", callback=split_words, metavar="A,B", help="Only these of the reward's.")
@option(
    "--resident",
    type=click.Choice(["one", "all"]),
    default="all",
    show_default=True,
    help="Networks in memory together: all, or one after the other, decoding the videos for each.",
)
@option(
    "--gallery",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Gallery of known characters, for a reward that takes one.",
)
@option("--fps", type=FRAME_RATE, help="Frame rate of folders of frames that carry none.")
@metric_device
@weight_options
@option("--json", "as_json", is_flag=True, help="Print plain data.")
def score(
    videos: tuple[Path, ...],
    prompt: str | None,
    image: Path | None,
    spec: str,
    mode: str | None,
    dimensions: list[str] | None,
    resident: "Resident",
    gallery: Path | None,
    fps: float | None,
    *,
    as_json: bool,
) -> int:
    r"""Score clips and stills with a reward.

    VIDEO is a clip, a still, a folder of clips, a folder of frames, or a manifest, which may bring prompts and images.
    A still is a clip of one frame, and is marked; dimensions that need motion leave it unscored.

    \b
    anisora reward score outputs/v2/walk-a.mp4 --reward metric_reward:temporal_flickering=1,sharpness=0.01
    anisora reward score my_clips characters/Aoi/0.png --reward metric_reward:sharpness=1 --json
    """
    from anisora.reward.score_table import score_data, score_table, scored_videos
    from anisora.reward.scored_videos import conditioning, named_videos

    condition = conditioning(image)
    with _judge(spec, mode=mode, dimensions=dimensions, gallery=gallery, resident=resident) as judge:
        named = named_videos(videos, prompt=prompt, condition=condition, fps=fps, model=judge.info.name)
        estimate, device, free = _memory(judge)
        click.echo(f"Memory: {estimate.text(device=str(device), free=free)}", err=as_json)
        is_tight = free is not None and estimate.needed(resident) > free  # looking at other devices imports torch
        others = _free_elsewhere(device) if is_tight else None
        estimate.check_fits(resident, device=str(device), free=free, others=others)
        batch = judge.score_items([each.item for each in named if each.item is not None])
        scored = scored_videos(named, batch, judge.info.dimensions)
        if as_json:
            work = {"resident": resident, "device": str(device), "decodes": batch.decodes, "memory": _data(estimate)}
            data = score_data(scored, judge.info) | work
            click.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))
        else:
            click.echo(score_table(scored), nl=False)
            counts = f"{len(scored)} videos, {batch.decodes} decodes, resident {resident}, {batch.seconds:.1f} s"
            click.echo(f"{judge.info.name}, fingerprint {judge.info.fingerprint[:16]}; {counts}")
    return _exit_code(scored)


def _judge(
    text: str, *, mode: str | None, dimensions: Sequence[str] | None, gallery: Path | None, resident: "Resident"
) -> "MetricReward":
    """Make the reward.

    Raises:
        UnknownNameError: There is no such reward or dimension.
        ConfigError: It does not take what was asked for, or scores no files.
    """
    from anisora.harness.errors import ConfigError, UnknownNameError
    from anisora.harness.registry import Spec, registry
    from anisora.reward.metric_reward import MetricReward, reward

    spec = Spec.parse(text)
    asked: dict[str, Any] = {"mode": mode, "dimensions": dimensions, "gallery": gallery and str(gallery)}
    given = {name: value for name, value in asked.items() if value is not None}
    if registry("rewards").get(spec.name) is MetricReward:
        for dimension in given.pop("dimensions", ()):
            if dimension not in spec.args:
                raise UnknownNameError("dimension", dimension, spec.args, f"`--reward` names {', '.join(spec.args)}.")
        if given:
            raise ConfigError(f"`--{next(iter(given))}` was given, which {spec.name!r} does not take; leave it out.")
        chosen = {name: value for name, value in spec.args.items() if dimensions is None or name in dimensions}
        spec = Spec(spec.name, chosen)
    made = reward(spec, resident=resident, **given)
    if not isinstance(made, MetricReward):
        raise ConfigError(f"`--reward` got {text!r}, which is called with frames; expected a reward made of metrics.")
    return made


def _memory(judge: "MetricReward") -> "tuple[MemoryEstimate, Device, int | None]":
    from anisora.harness.device import free_memory, resolve
    from anisora.harness.network_sizes import estimate_memory

    device = resolve(judge.device)
    estimate = estimate_memory(judge.groups, device)
    return estimate, device, free_memory(device) if estimate.networks else None


def _free_elsewhere(device: "Device") -> dict[str, int | None]:
    """Return the free bytes of this machine's other devices."""
    from anisora.harness.device import available_devices, free_memory

    return {str(other): free_memory(other) for other in available_devices() if other != device}


def _data(estimate: "MemoryEstimate") -> dict[str, Any]:
    from anisora.harness.residency import Resident

    networks = {each.name: {"bytes": each.size, "dtype": each.dtype} for each in estimate.networks}
    return {"networks": networks, "needed": {policy: estimate.needed(policy) for policy in get_args(Resident)}}


def _exit_code(scored: "Sequence[ScoredVideo]") -> int:
    """Return that of a run: 0, or 3 if something failed, or 1 if besides nothing was scored."""
    if not any(each.failed for each in scored):
        return 0
    has_scores = any(score.value is not None for each in scored for score in each.scores.values())
    return _EXIT_PARTIAL if has_scores else _EXIT_FAILED
