"""The search for a model's steps over several items and seeds, each run kept as it is found."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import AnisoraError, ConfigError, DataError
from anisora.harness.journal import open_journal, read_journal
from anisora.harness.memory_estimate import gigabytes
from anisora.harness.protocols import GenerationSettings, VideoReader
from anisora.harness.record import Json, canonical_json
from anisora.harness.types import Sample
from anisora.models.generation_request import GenerationRequest
from anisora.models.wan.adapter import WanGenerator
from anisora.models.wan.latent_size import VAE_STRIDE, latent_frames
from anisora.models.wan.preparation import is_guided
from anisora.models.wan.step_lists import teacher_sigmas
from anisora.models.wan.step_search import median_steps, search_steps
from anisora.models.wan.steps_file import StepsFile

__all__ = ["Run", "StepSearch", "asked_of", "planned_runs", "search_runs", "steps_of_runs"]

_log = logging.getLogger(__name__)

_HELD: Final = 3
"""States of all levels that are there at once: of the student, of its step before, and of the teacher."""
_CHANNELS: Final = 16
_TOLD_ABOVE: Final = ("model", "shift", "teacher_steps", "weights")
"""What a file of steps has fields of its own for."""

Run = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSearch:
    """What is asked of a search."""

    steps: int = 16
    """Of the student."""
    teacher_steps: int = 96
    frames: int | None = 4
    """Costs are of so many latent frames, evenly spread; None takes all."""
    channels: int | None = None
    """Costs are of the first so many channels of the latents; None takes all."""
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    """Size, number of frames and shift, where they are not the model's own."""

    def questions(self) -> int:
        """Return how often a run asks for a velocity at most."""
        return (self.steps + 1) * self.teacher_steps

    def evaluations(self, request: GenerationRequest) -> int:
        """Return how often a run evaluates a network at most: with guidance, twice a question."""
        return self.questions() * (2 if is_guided(request.guidance) else 1)

    def costs(self, request: GenerationRequest, runs: int) -> str:
        """Return what runs take, in one line for people."""
        each = self.evaluations(request)
        guided = ", each with and without the prompt" if is_guided(request.guidance) else ""
        return (
            f"{runs} runs of {self.steps} steps out of {self.teacher_steps} (shift {request.shift:g}): at most "
            f"{self.questions():,} velocities a run{guided}; {each * runs:,} evaluations of the network in all; states "
            f"take up to {gigabytes(self.memory(request))} of the CPU's memory in float32"
        )

    def check(self, request: GenerationRequest) -> None:
        """Refuse what no run could do.

        Raises:
            ConfigError: The student has as many steps as the teacher, or there are not so many frames or channels.
        """
        if self.steps >= self.teacher_steps:
            raise ConfigError(
                f"`--steps` got {self.steps} of {self.teacher_steps} of the teacher; expected fewer. Ask for fewer, or "
                "for more --teacher-steps."
            )
        frames = latent_frames(request.num_frames)
        for name, asked, there in (("frames", self.frames, frames), ("channels", self.channels, _CHANNELS)):
            if asked is not None and asked > there:
                raise ConfigError(
                    f"`--{name}` got {asked}; expected 1 to {there}, those of the latents, or all. Ask for fewer."
                )

    def memory(self, request: GenerationRequest) -> int:
        """Return the bytes of the CPU's memory that the states of a run take at most, float32."""
        frames = latent_frames(request.num_frames)
        rows, columns = request.height // VAE_STRIDE[1], request.width // VAE_STRIDE[2]
        return _HELD * (self.teacher_steps + 1) * _CHANNELS * frames * rows * columns * 4


def planned_runs(samples: Sequence[Sample], seeds: Sequence[int] | None, runs: int) -> list[tuple[Sample, int]]:
    """Return the item and seed of each run: all items with the first seed, then all with the next one.

    Args:
        samples: Items that the model can be asked for.
        seeds: None for 0, 1, 2 and so on, as many as needed.
        runs: How many.

    Raises:
        ConfigError: Items and seeds are too few.
    """
    chosen: Iterable[int] = range(runs) if seeds is None else seeds
    found = list(islice(((sample, seed) for seed in chosen for sample in samples), runs))
    if len(found) < runs:
        raise ConfigError(
            f"`--runs` got {runs} for {len(samples)} items and {len(seeds or ())} seeds; expected at most "
            f"{len(found)}. Give more --seeds, or ask for fewer runs."
        )
    return found


def asked_of(
    model: WanGenerator, search: StepSearch, *, spec: str, suite: str, weights: Mapping[str, str]
) -> dict[str, Json]:
    """Return all that decides what a run finds, but for its item and seed, as plain JSON.

    Args:
        model: The networks.
        search: What is looked for.
        spec: Of the model.
        suite: Whose items are taken, with its version and track.
        weights: {file: sha256} of the networks.

    Raises:
        ConfigError: The settings are none of the model's.
    """
    request = model.settings(search.generation)
    guidance = list(request.guidance) if isinstance(request.guidance, tuple) else request.guidance
    return {
        "model": spec,
        "suite": suite,
        "steps": search.steps,
        "teacher_steps": search.teacher_steps,
        "shift": request.shift,
        "guidance": guidance,
        "frames": search.frames or "all",
        "channels": search.channels or "all",
        "height": request.height,
        "width": request.width,
        "num_frames": request.num_frames,
        "dtype": model.dtype,
        "states": "float32 on the cpu",
        "code": model.info.revision,
        "weights": dict(weights),
    }


def search_runs(
    model: WanGenerator,
    search: StepSearch,
    jobs: Sequence[tuple[Sample, int]],
    journal: Path,
    *,
    asked: Mapping[str, Json],
    reader: VideoReader,
    advance: Callable[[], None] = lambda: None,
) -> list[Run]:
    """Search the steps of each item and seed that the journal does not have yet; one that fails never ends it.

    Args:
        model: The networks.
        search: What is looked for.
        jobs: As ``planned_runs`` returns them.
        journal: One JSON line a run, behind one that says what was asked; a search that was stopped goes on from it.
        asked: As ``asked_of`` returns it.
        reader: Reads conditioning images.
        advance: Is told of each velocity, and of those that a run could have asked for and did not.

    Returns:
        One entry a job, in the order of jobs: ``steps`` and ``cost``, or ``error`` and ``message``.

    Raises:
        ConfigError: The journal is of another search.
    """
    entries = read_journal(journal)
    if entries and canonical_json(entries[0]) != canonical_json(asked):
        raise _another_search(journal, entries[0], asked)
    known = {(entry["item"], entry["seed"]): entry for entry in entries[1:] if "steps" in entry}
    found: list[Run] = []
    with open_journal(journal) as lines:
        if not entries:
            lines.append(asked)
        for sample, seed in jobs:
            run = known.get((sample.id, seed))
            if run is None:
                run = _searched(model, search, sample, seed, reader, advance)
                lines.append(run)
            else:
                for _ in range(search.questions()):
                    advance()
            found.append(run)
    return found


def _another_search(journal: Path, begun: Mapping[str, Any], asked: Mapping[str, Json]) -> ConfigError:
    differing = [name for name in sorted({*begun, *asked}) if begun.get(name) != asked.get(name)]
    name = differing[0]
    return ConfigError(
        f"`{journal}` was begun with `{name}` {begun.get(name)!r}; expected {asked.get(name)!r}, as now. Choose "
        "another --out, or begin again with --fresh."
    )


def _searched(
    model: WanGenerator,
    search: StepSearch,
    sample: Sample,
    seed: int,
    reader: VideoReader,
    advance: Callable[[], None],
) -> Run:
    begun, asked = time.perf_counter(), 0
    run: Run = {"item": sample.id, "seed": seed}
    try:
        request = model.request(sample, seed=seed, settings=search.generation, reader=reader)
        levels = teacher_sigmas(search.teacher_steps, request.shift).tolist()
        with model.teacher(request) as (noise, velocity):

            def counted(state: Any, sigma: float) -> Any:  # noqa: ANN401 - a tensor
                nonlocal asked
                asked += 1
                advance()
                return velocity(state, sigma)

            found = search_steps(counted, noise, levels, search.steps, frames=search.frames, channels=search.channels)
        run |= {"steps": list(found.steps), "cost": found.cost}
    except AnisoraError as error:
        run |= {"error": type(error).__name__, "message": str(error)}
    except Exception as error:
        _log.warning("The search of item %s, seed %d failed", sample.id, seed, exc_info=True)
        run |= {"error": type(error).__name__, "message": str(error)}
    for _ in range(search.questions() - asked):
        advance()
    return {**run, "velocities": asked, "seconds": round(time.perf_counter() - begun, 3)}


def steps_of_runs(
    search: StepSearch, runs: Sequence[Run], *, asked: Mapping[str, Any], untrained: bool, out: Path
) -> StepsFile:
    """Return the result: the median of the lists with as many steps as were asked for, place by place.

    Args:
        search: What was looked for.
        runs: As ``search_runs`` returns them.
        asked: As given to it.
        untrained: Whether the networks have random numbers.
        out: Where the result is going to lie.

    Raises:
        DataError: No run has a list of so many steps.
    """
    told: list[Run] = []
    for run in runs:
        steps = run.get("steps")
        counts = isinstance(steps, list) and len(steps) == search.steps
        told.append({**run, "in_median": counts})
    lists = [run["steps"] for run in told if run["in_median"]]
    if not lists:
        lengths = sorted({len(run["steps"]) for run in runs if isinstance(run.get("steps"), list)})
        first = next((str(run["message"]) for run in runs if "message" in run), "")
        reason = f"they have {lengths} steps" if lengths else f"the first says: {first}"
        raise DataError(
            f"None of {len(runs)} runs found a list of {search.steps} steps ({reason}); expected at least one; ask for "
            "fewer --steps, or for more --teacher-steps."
        )
    model = str(asked["model"])
    name, _, words = model.partition(":")
    return StepsFile(
        use=f"anisora generate SUITE --model {name}:{words + ',' if words else ''}steps_file={out}",
        model=model,
        untrained=untrained,
        steps=median_steps(lists),
        teacher_steps=search.teacher_steps,
        shift=asked["shift"],
        weights=asked["weights"],
        search={key: value for key, value in asked.items() if key not in _TOLD_ABOVE},
        runs=tuple(told),
    )
