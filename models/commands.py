"""The command group ``models``: what is done with a model's networks beside making clips."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import model_device, option, split_numbers, weight_options

if TYPE_CHECKING:
    from anisora.harness.suite import Suite
    from anisora.harness.types import Sample
    from anisora.models.wan.adapter import WanGenerator
    from anisora.models.wan.step_runs import StepSearch

__all__ = ["models"]

_EXIT_PARTIAL = 3
_ALL = 0
_FRAMES = 4


@click.group(cls=CommandGroup)
def models() -> None:
    r"""Models: what is done with their networks beside making clips.

    \b
    anisora models search-steps anisora-v2:tiny --teacher-steps 8 --steps 3 --runs 2
    """


def _count(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    if value in (None, "all"):
        return _ALL if value == "all" else None
    if not value.isdecimal() or len(value) > 9 or int(value) < 1:
        raise click.BadParameter(f"got {value!r}; expected a whole number above 0, or all.")
    return int(value)


@models.command("search-steps")
@click.argument("spec")
@option("--suite", default="demo@i2v", show_default=True, help="Whose items the networks are asked for.")
@option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N items.")
@option("--seeds", callback=split_numbers, metavar="0,1", help="Of the noise.  [default: 0, 1 ... as many as needed]")
@option("--runs", type=click.IntRange(1, 10_000), default=9, show_default=True, help="Items and seeds to search on.")
@option("--steps", type=click.IntRange(1), default=16, show_default=True, help="Steps to find.")
@option("--teacher-steps", type=click.IntRange(2), default=96, show_default=True, help="Euler steps to stay near to.")
@option("--shift", type=click.FloatRange(0, min_open=True), help="Of the levels of noise; the model's by default.")
@option(
    "--frames",
    callback=_count,
    metavar="N|all",
    help=f"Latent frames whose states are compared, evenly spread.  [default: {_FRAMES}, or all where there are fewer]",
)
@option("--channels", callback=_count, metavar="N|all", help="Channels that are compared.  [default: all]")
@option("--height", type=click.IntRange(1))
@option("--width", type=click.IntRange(1))
@option("--num-frames", type=click.IntRange(1))
@option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("steps.yaml"),
    show_default=True,
    help="The file of steps, .yaml or .json; runs are kept in .runs.jsonl beside it.",
)
@option("--fresh/--resume", default=False, help="Begin again, or go on where it was (default).")
@option("--dry-run", is_flag=True, help="Say what it takes, and search nothing.")
@option("--quiet", is_flag=True, help="Print nothing but errors.")
@model_device
@weight_options
def search_steps(spec: str, **parameters: Any) -> int:  # noqa: ANN401
    r"""Find the few steps of a Wan model that stay nearest to many: optimal step size, OSS.

    Each run records the states of a teacher, Euler steps on the shifted levels of noise, and searches the levels whose
    own steps end nearest to them, with the model's guidance. The result is the median over runs, for
    `--model NAME:steps_file=FILE`. A search that was stopped goes on where it was.

    \b
    anisora models search-steps anisora-v2:tiny --teacher-steps 8 --steps 3 --runs 2 --out found.yaml
    """
    from anisora.harness.protocols import GenerationSettings
    from anisora.harness.suite import load_suite
    from anisora.models.wan.latent_size import latent_frames
    from anisora.models.wan.step_runs import StepSearch

    model, spec = _model_of(spec)
    suite = load_suite(parameters.pop("suite"))
    given = {name: parameters.pop(name) for name in ("height", "width", "num_frames", "shift")}
    own = {name: value for name, value in suite.generation.items() if name != "steps"}
    settings = GenerationSettings(**{**own, **{name: value for name, value in given.items() if value is not None}})
    frames, channels = parameters.pop("frames"), parameters.pop("channels")
    if frames is None:
        frames = min(_FRAMES, latent_frames(model.settings(settings).num_frames))
    search = StepSearch(
        steps=parameters.pop("steps"),
        teacher_steps=parameters.pop("teacher_steps"),
        frames=frames or None,
        channels=channels or None,
        generation=settings,
    )
    return _search(model, spec, search, suite, **parameters)


def _search(
    model: "WanGenerator",
    spec: str,
    search: "StepSearch",
    suite: "Suite",
    *,
    limit: int | None,
    seeds: list[int] | None,
    runs: int,
    out: Path,
    fresh: bool,
    dry_run: bool,
    quiet: bool,
) -> int:
    from anisora.harness.media.decoder import DecoderPool
    from anisora.harness.progress import announce, progress
    from anisora.models.wan.step_runs import asked_of, planned_runs, search_runs, steps_of_runs
    from anisora.models.wan.steps_file import write_steps

    search.check(model.settings(search.generation))
    key = f"{suite.key}:{suite.track}" if suite.track else suite.key
    samples, refused = _items(model, search, suite, limit)
    jobs = planned_runs(samples, seeds, runs)
    told = [model.prepare(settings=search.generation), search.costs(model.settings(search.generation), len(jobs))]
    if refused:
        told.append(f"Left out: {refused}")
    if dry_run:
        click.echo("\n".join(told))
        return 0
    if not quiet:
        announce("\n".join(told))
    asked = asked_of(model, search, spec=spec, suite=key, weights=model.weights())
    journal = out.with_name(f"{out.stem}.runs.jsonl")
    journal.parent.mkdir(parents=True, exist_ok=True)
    if fresh:
        journal.unlink(missing_ok=True)
    total = len(jobs) * search.questions()
    with DecoderPool() as reader, progress("search steps", total, shown=not quiet, unit="velocities") as advance:
        found = search_runs(model, search, jobs, journal, asked=asked, reader=reader, advance=advance)
    result = steps_of_runs(search, found, asked=asked, untrained=model.info.untrained, out=out)
    write_steps(out, result)
    if not quiet:
        click.echo("\n".join(map(_line, result.runs)))
        marked = " (UNTRAINED: random numbers)" if result.untrained else ""
        click.echo(
            f"{out}: {', '.join(map(str, result.steps))} of {result.teacher_steps}, shift {result.shift:g}{marked}"
        )
        click.echo(f"Use it with: {result.use}")
    return _EXIT_PARTIAL if any("error" in run for run in found) else 0


def _line(run: Mapping[str, Any]) -> str:
    name = f"{run['item']}, seed {run['seed']}"
    if "error" in run:
        return f"{name}: {run['error']}: {run['message']}"
    steps = ", ".join(map(str, run["steps"]))
    apart = "" if run["in_median"] else "; fewer steps than asked for come as near, so the median leaves it out"
    return f"{name}: {steps}; cost {run['cost']:.6g}{apart}"


def _model_of(text: str) -> "tuple[WanGenerator, str]":
    """Return the model of a specification, and that in its one spelling.

    Raises:
        ConfigError: It is none whose steps can be searched, or its steps are given already.
    """
    from anisora.harness.errors import ConfigError
    from anisora.harness.registry import Spec, registry
    from anisora.models.wan.adapter import WanGenerator
    from anisora.models.wan.releases import RELEASES

    spec = Spec.parse(text)
    known = registry("models")
    is_wan = known.target(spec.name) == known.target(next(iter(RELEASES)))
    if not is_wan:
        raise ConfigError(
            f"`{spec.name}` has no levels of noise as Wan has them; expected one of {', '.join(sorted(RELEASES))}. "
            "Name one of them."
        )
    given = [name for name in ("steps", "steps_file") if name in spec.args]
    if given:
        raise ConfigError(f"`{spec}` says `{given[0]}`, which is what is searched; leave it out of the specification.")
    model = known.create(spec)
    assert isinstance(model, WanGenerator)
    return model, str(spec)


def _items(
    model: "WanGenerator", search: "StepSearch", suite: "Suite", limit: int | None
) -> "tuple[list[Sample], str]":
    """Return the items of a suite that the model can be asked for, and why others cannot.

    Raises:
        ConfigError: The suite has no items of its own.
        DataError: The model can be asked for none.
    """
    from anisora.harness.errors import DataError
    from anisora.harness.suite import load_samples

    samples = load_samples(suite, limit=limit)
    reasons = {sample.id: model.refuses(sample, settings=search.generation) for sample in samples}
    refused = {item: reason for item, reason in reasons.items() if reason is not None}
    first = next((f"{item!r} {reason}" for item, reason in refused.items()), "")
    if len(refused) == len(samples):
        raise DataError(
            f"Model `{model.info.name}` can be asked for none of the {len(samples)} items of suite {suite.name!r}: the "
            f"first, {first}."
        )
    kept = [sample for sample in samples if sample.id not in refused]
    return kept, f"{len(refused)} of {len(samples)} items; the first, {first}." if refused else ""
