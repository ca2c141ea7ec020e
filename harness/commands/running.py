"""Commands that make or repeat runs: evaluate, run, generate, rescore, rerun, verify."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import (
    FRAME_RATE,
    metric_device,
    option,
    run_options,
    score_options,
    split_words,
    work_options,
)

if TYPE_CHECKING:
    from anisora.harness.record import RunRecord
    from anisora.harness.stages.job import Job
    from anisora.harness.stages.session import RunOptions

__all__ = ["evaluate", "generate", "rerun", "rescore", "run", "verify"]

_EXIT_FAILED, _EXIT_PARTIAL = 1, 3


def _settings(**given: float | None) -> dict[str, float]:
    return {name: value for name, value in given.items() if value is not None}


def _finish(records: "Sequence[RunRecord]", folders: Sequence[Path], *, as_json: bool, quiet: bool) -> int:
    """Print runs and return the exit code that stands for all of them."""
    from anisora.harness.registry import registry

    if as_json:
        texts = [record.model_dump_json(indent=1) for record in records]
        click.echo(texts[0] if len(texts) == 1 else "[" + ",\n".join(texts) + "]")
    elif not quiet:
        click.echo(registry("presenters").get("runs")(records, folders))
    if any(record.status == "failed" for record in records):
        return _EXIT_FAILED
    return _EXIT_PARTIAL if any(record.status == "partial" for record in records) else 0


@click.command(cls=Command)
@click.argument("suite")
@option(
    "--videos",
    "-v",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR|MANIFEST",
    help="Folder of clips or manifest; several for suites without items of their own, one per system.",
)
@option("--model", "-m", help="Name of the system in tables; the folder's name by default.")
@option(
    "--match",
    type=click.Choice(["name", "order"]),
    default="name",
    show_default=True,
    help="order: numbered files in the order of the suite.",
)
@option("--fps", type=FRAME_RATE, help="Frame rate of clips that carry none.")
@metric_device
@score_options
@work_options
def evaluate(suite: str, videos: tuple[Path, ...], **parameters: Any) -> int:  # noqa: ANN401
    r"""Score videos that exist.

    Suites without items of their own (anisora-7, custom, vbench-custom, vbench-i2v-8) take any clips; a manifest brings
    prompts, images and labels.

    \b
    anisora evaluate demo --videos outputs/v2 --model my-model
    anisora evaluate custom --videos A/ --videos B/
    """
    from anisora.harness.errors import ConfigError
    from anisora.harness.stages import run as stage
    from anisora.harness.stages.job import job_of

    options, as_json, quiet = run_options(parameters)
    dry_run = parameters.pop("dry_run")
    is_custom = stage.takes_any_clips(suite)
    if not is_custom and len(videos) > 1:
        raise ConfigError(
            f"`--videos` got {len(videos)} folders for suite {suite!r}; expected 1. "
            "Only `evaluate custom` takes several."
        )
    if is_custom:
        for name in ("limit", "labels", "seeds", "subset"):
            if (value := parameters.pop(name)) is not None:
                raise ConfigError(f"`--{name}` got {value!r}, but `{suite}` scores every clip; leave it out.")
        parameters.pop("subset_seed")
        if (match := parameters.pop("match")) != "name":
            raise ConfigError(f"`--match` got {match!r}, but `{suite}` has no order of its own; leave it out.")
        jobs = stage.custom_jobs_of(videos, suite=suite, **parameters)
    else:
        jobs = [job_of(stage.evaluate_spec(suite, videos=videos[0], **parameters))]
    return _work(jobs, options, dry_run=dry_run, as_json=as_json, quiet=quiet)


def _work(jobs: "Sequence[Job]", options: "RunOptions", *, dry_run: bool, as_json: bool, quiet: bool) -> int:
    from anisora.harness.stages.session import execute, preview

    if dry_run:
        for job in jobs:
            click.echo(preview(job, options))
        return 0
    records = [execute(job, options) for job in jobs]
    return _finish(records, [options.out / job.run_id for job in jobs], as_json=as_json, quiet=quiet)


def _model_options(command: Any) -> Any:  # noqa: ANN401 - a decorator
    for decorate in (
        option("--model", "-m", required=True, metavar="SPEC", help="name:key=value,word of a model adapter."),
        option("--encoder", help="How clips are kept, e.g. h264:crf=10.  [default: the suite's]"),
        option("--device", default="auto", show_default=True, help="auto, cpu, cuda[:i] or npu[:i]."),
        option("--height", type=click.IntRange(1)),
        option("--width", type=click.IntRange(1)),
        option("--num-frames", type=click.IntRange(1)),
        option("--steps", type=click.IntRange(1)),
        option("--guidance", type=click.FloatRange(0), help="How closely the prompt is followed; 1: distilled."),
        option("--shift", type=click.FloatRange(0, min_open=True), help="Above 1 spends more steps near noise."),
    ):
        command = decorate(command)
    return command


def _job(suite: str, parameters: dict[str, Any]) -> "Job":
    from anisora.harness.device import resolve
    from anisora.harness.stages.job import job_of
    from anisora.harness.stages.run import run_spec

    if parameters["device"] not in ("auto", "cpu"):  # these two are always there, and looking would import torch
        resolve(parameters["device"])
    if parameters["device"] != "auto":
        os.environ["ANISORA_DEVICE"] = parameters["device"]
    names = ("height", "width", "num_frames", "steps", "guidance", "shift")
    settings = _settings(**{name: parameters.pop(name) for name in names})
    return job_of(run_spec(suite, settings=settings, **parameters))


@click.command(cls=Command)
@click.argument("suite")
@_model_options
@score_options
@work_options
def run(suite: str, **parameters: Any) -> int:  # noqa: ANN401
    r"""Generate with a model adapter, then evaluate.

    \b
    anisora run demo --model damage/freeze:severity=0.5
    """
    options, as_json, quiet = run_options(parameters)
    dry_run = parameters.pop("dry_run")
    return _work([_job(suite, parameters)], options, dry_run=dry_run, as_json=as_json, quiet=quiet)


@click.command(cls=Command)
@click.argument("suite")
@_model_options
@score_options
@work_options
def generate(suite: str, **parameters: Any) -> int:  # noqa: ANN401
    r"""Only the first half of `run`: make the clips.

    \b
    anisora generate demo --model damage/blur:severity=0.5 --limit 2
    """
    from anisora.harness.stages.session import execute, preview

    options, as_json, quiet = run_options(parameters)
    dry_run = parameters.pop("dry_run")
    job = _job(suite, parameters)
    if dry_run:
        click.echo(preview(job, options))
        return 0
    record = execute(job, replace(options, generate_only=True))
    if as_json:
        click.echo(record.model_dump_json(indent=1))
    elif not quiet:
        folder = options.out / job.run_id
        click.echo(f"Clips are in {folder / 'clips'}. Score them with: anisora rescore {folder}")
    return _EXIT_PARTIAL if record.errors else 0


@click.command(cls=Command)
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@option("--metrics", callback=split_words, metavar="A,B", help="Metrics to add; without it, what is missing is scored.")
@metric_device
@work_options
def rescore(run_folder: Path, metrics: list[str] | None, **parameters: Any) -> int:  # noqa: ANN401
    r"""Score what is missing in a run, or add metrics to it.

    \b
    anisora rescore runs/demo-my-model-0123456789 --metrics sharpness
    """
    from anisora.harness.stages.run import rescore as again

    options, as_json, quiet = run_options(parameters)
    record = again(run_folder, metrics, options=options)
    return _finish([record], [run_folder], as_json=as_json, quiet=quiet)


@click.command(cls=Command)
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@work_options
def rerun(run_folder: Path, **parameters: Any) -> int:  # noqa: ANN401
    r"""Do a run again from its record alone and say whether the rows are the same.

    \b
    anisora rerun runs/demo-my-model-0123456789
    """
    from anisora.harness.runfolder import sha256_of_file
    from anisora.harness.stages.run import rerun as again
    from anisora.harness.stages.run import rerun_folder

    options, as_json, quiet = run_options(parameters)
    record = again(run_folder, options=options)
    made = rerun_folder(run_folder)
    code = _finish([record], [made], as_json=as_json, quiet=quiet)
    same = sha256_of_file(made / "scores.parquet") == sha256_of_file(run_folder / "scores.parquet")
    if not quiet:
        click.echo(f"scores.parquet is {'identical' if same else 'DIFFERENT'}.", err=as_json)
    return code if same else _EXIT_FAILED


@click.command(cls=Command)
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def verify(run_folder: Path, *, as_json: bool) -> int:
    r"""Re-hash clips, weights and rows of a run, and name what changed.

    \b
    anisora verify runs/demo-my-model-0123456789
    """
    import json
    from dataclasses import asdict

    from anisora.harness.verify import verify as check

    changes = check(run_folder)
    if as_json:
        click.echo(json.dumps([asdict(change) for change in changes], indent=1, ensure_ascii=False))
    else:
        for change in changes:
            click.echo(f"{change.what} {change.name}: {change.detail}")
        click.echo(f"{len(changes)} changed." if changes else "Nothing changed.")
    return _EXIT_FAILED if changes else 0
