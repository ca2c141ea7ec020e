"""The search of steps on a model's own networks, over items and seeds, and what a file of steps does to a model."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny_models import NO_SETTINGS, posed, tiny_model

from anisora.harness.errors import AnisoraError, ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.networks import inference
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.types import Image, Sample
from anisora.models.wan.adapter import WanGenerator
from anisora.models.wan.preparation import decoded_frames
from anisora.models.wan.step_lists import STEP_LISTS, student_sigmas, teacher_sigmas
from anisora.models.wan.step_runs import StepSearch, asked_of, planned_runs, search_runs, steps_of_runs
from anisora.models.wan.step_search import search_steps
from anisora.models.wan.steps_file import StepsFile, read_steps, write_steps

SEARCH = StepSearch(steps=4, teacher_steps=12, frames=2)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


@pytest.fixture(scope="module")
def model() -> WanGenerator:
    made = tiny_model("anisora-v2")
    assert isinstance(made, WanGenerator)
    return made


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return [
        replace(posed(tmp_path / name, "i2v", seeds=(seed,), prompt=f"A girl {name}s."), id=name)
        for seed, name in enumerate(("walk", "run", "jump"))
    ]


def searched(
    model: WanGenerator, jobs: list[tuple[Sample, int]], journal: Path, pool: DecoderPool, search: StepSearch = SEARCH
) -> list[dict[str, Any]]:
    asked = asked_of(model, search, spec="anisora-v2:tiny", suite="small@1", weights={})
    return search_runs(model, search, jobs, journal, asked=asked, reader=pool)


def test_the_found_list_is_that_of_the_recorded_velocities(
    model: WanGenerator, samples: list[Sample], pool: DecoderPool, tmp_path: Path
) -> None:
    jobs = planned_runs(samples, None, 3)
    assert [(sample.id, seed) for sample, seed in jobs] == [("walk", 0), ("run", 0), ("jump", 0)]
    found = searched(model, jobs, tmp_path / "runs.jsonl", pool)
    for run, (sample, seed) in zip(found, jobs, strict=True):
        request = model.request(sample, seed=seed, settings=NO_SETTINGS, reader=pool)
        recorded: dict[tuple[bytes, float], torch.Tensor] = {}
        with model.teacher(request) as (noise, ask):

            def record(state: torch.Tensor, sigma: float) -> torch.Tensor:
                return recorded.setdefault((state.numpy().tobytes(), sigma), ask(state, sigma))  # noqa: B023

            levels = teacher_sigmas(12, request.shift).tolist()
            search_steps(record, noise, levels, 4, frames=2)
        again = search_steps(
            lambda state, sigma: recorded[state.numpy().tobytes(), sigma],  # noqa: B023
            noise,
            levels,
            4,
            frames=2,
        )
        assert (run["steps"], run["cost"]) == (list(again.steps), again.cost)
        assert 12 < run["velocities"] <= SEARCH.questions() == 60
        assert noise.device.type == "cpu"
    result = steps_of_runs(
        SEARCH, found, asked=asked_of(model, SEARCH, spec="a:tiny", suite="", weights={}), untrained=True, out=Path("f")
    )
    assert result.steps == tuple(statistics.median_low(run["steps"][at] for run in found) for at in range(4))
    assert (result.shift, result.teacher_steps, result.use) == (
        3.0,
        12,
        "anisora generate SUITE --model a:tiny,steps_file=f",
    )


def test_a_file_of_steps_gives_exactly_its_euler_steps(
    model: WanGenerator, samples: list[Sample], pool: DecoderPool, tmp_path: Path
) -> None:
    path = tmp_path / "steps.yaml"
    write_steps(
        path, StepsFile(steps=(2, 5, 9, 12), teacher_steps=12, shift=3.0, model="anisora-v2:tiny", untrained=True)
    )
    listed = tiny_model("anisora-v2", steps_file=path)
    assert isinstance(listed, WanGenerator)
    made = listed.generate(samples[0], seed=1, settings=NO_SETTINGS, reader=pool)
    request = listed.request(samples[0], seed=1, settings=NO_SETTINGS, reader=pool)
    levels = [*student_sigmas((2, 5, 9, 12), 12, 3.0).tolist(), 0.0]
    with listed.teacher(request) as (state, velocity):
        for sigma, lower in pairwise(levels):
            state = state + velocity(state, sigma) * (lower - sigma)
    with listed.free_device() as device, inference():
        assert np.array_equal(made.frames, decoded_frames(listed.networks_on(device), state))
    plain = model.generate(samples[0], seed=1, settings=GenerationSettings(steps=4, shift=3.0), reader=pool)
    assert not np.array_equal(made.frames, plain.frames)
    assert plain.details["solver"] == "unipc"
    digest = read_steps(path, model="anisora-v2", tiny=True).digest
    assert {name: made.details[name] for name in ("solver", "steps", "step_list", "teacher_steps", "steps_file")} == {
        "solver": "euler",
        "steps": 4,
        "step_list": [2, 5, 9, 12],
        "teacher_steps": 12,
        "steps_file": digest,
    }
    assert digest[:16] in listed.info.revision
    assert listed.info.protocol == model.info.protocol


def test_published_lists_are_told_beside_the_clip(model: WanGenerator) -> None:
    request = model.settings(GenerationSettings(steps=16))
    assert model.sampling_details(request)["step_list"] == list(STEP_LISTS["v2_16"].steps)


def test_a_search_goes_on_from_its_journal_and_repeats_what_failed(
    model: WanGenerator, samples: list[Sample], pool: DecoderPool, tmp_path: Path
) -> None:
    journal = tmp_path / "runs.jsonl"
    broken = replace(
        samples[1],
        condition=replace(samples[1].condition, keyframes=((0.0, Image(path=tmp_path / "no.png", digest="")),)),
    )
    first = searched(model, [(samples[0], 0), (broken, 0), (samples[2], 0)], journal, pool)
    assert ["steps" in run for run in first] == [True, False, True]
    assert first[1]["error"] == "VideoUnreadable"
    lines = journal.read_bytes()
    assert [json.loads(line).get("item") for line in lines.splitlines()] == [None, "walk", "run", "jump"]
    journal.write_bytes(lines + b'{"item":"wa')  # as a kill leaves it
    second = searched(model, [(sample, 0) for sample in samples], journal, pool)
    assert [second[0], second[2]] == [first[0], first[2]], "what was found is not searched again"
    assert "steps" in second[1]
    assert journal.read_bytes().startswith(lines)
    other = replace(SEARCH, teacher_steps=16)
    with pytest.raises(ConfigError, match=r"was begun with `teacher_steps` 12; expected 16, as now"):
        searched(model, [(samples[0], 0)], journal, pool, other)


def test_lists_with_fewer_steps_are_left_out_of_the_median(model: WanGenerator) -> None:
    asked = asked_of(model, SEARCH, spec="anisora-v2:tiny", suite="small@1", weights={"a/b": "c"})
    runs: list[dict[str, Any]] = [
        {"item": "a", "seed": 0, "steps": [1, 2, 6, 11], "cost": 0.5},
        {"item": "b", "seed": 0, "steps": [1, 6, 11], "cost": 0.5},
        {"item": "c", "seed": 0, "error": "DataError", "message": "no"},
    ]
    result = steps_of_runs(SEARCH, runs, asked=asked, untrained=True, out=Path("x.yaml"))
    assert result.steps == (1, 2, 6, 11)
    assert [run["in_median"] for run in result.runs] == [True, False, False]
    assert result.weights == {"a/b": "c"}
    with pytest.raises(DataError, match=r"None of 1 runs found a list of 4 steps \(they have \[3\] steps\)"):
        steps_of_runs(SEARCH, runs[1:2], asked=asked, untrained=True, out=Path("x.yaml"))
    with pytest.raises(DataError, match=r"the first says: no"):
        steps_of_runs(SEARCH, runs[2:], asked=asked, untrained=True, out=Path("x.yaml"))


def test_runs_take_all_items_of_a_seed_and_then_the_next_one(samples: list[Sample]) -> None:
    planned = [(sample.id, seed) for sample, seed in planned_runs(samples[:2], [7, 5], 3)]
    assert planned == [("walk", 7), ("run", 7), ("walk", 5)]
    with pytest.raises(ConfigError, match=r"`--runs` got 5 for 2 items and 2 seeds; expected at most 4"):
        planned_runs(samples[:2], [7, 5], 5)


def test_costs_count_both_halves_of_guidance_and_the_states() -> None:
    guided = registry("models").create("anisora-v2").settings(NO_SETTINGS)
    distilled = registry("models").create("anisora-v3").settings(NO_SETTINGS)
    search = StepSearch()
    assert (search.questions(), search.evaluations(guided), search.evaluations(distilled)) == (1632, 3264, 1632)
    assert search.memory(guided) == 3 * 97 * 16 * 13 * 68 * 120 * 4
    assert "29,376 evaluations of the network in all" in search.costs(guided, 9)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"steps": [2, 5], "teacher_steps": 12}, "`shift`: Field required"),
        (
            {"steps": [5, 2], "teacher_steps": 12, "shift": 3},
            "expected indices that ascend from 1 or more to at most 12",
        ),
        ({"steps": [2, 13], "teacher_steps": 12, "shift": 3}, "to at most 12"),
        ({"steps": [0, 5], "teacher_steps": 12, "shift": 3}, "ascend from 1"),
        ({"steps": [], "teacher_steps": 12, "shift": 3}, "ascend from 1"),
        ({"steps": [2.5], "teacher_steps": 12, "shift": 3}, "`steps.0`: Input should be a valid integer"),
        ({"steps": [2], "teacher_steps": 12, "shift": 0}, "`shift`: Input should be greater than 0"),
        ({"steps": [2], "teacher_steps": 12, "shift": 3, "model": "wan-2.1"}, "was searched on 'wan-2.1'; expected"),
        ({"steps": [2], "teacher_steps": 12, "shift": 3, "stepz": 1}, "`stepz`: Extra inputs are not permitted"),
        ("not a mapping", "is no file of steps"),
    ],
)
def test_a_file_that_is_no_list_of_steps_is_refused(tmp_path: Path, content: object, told: str) -> None:
    path = tmp_path / "steps.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AnisoraError) as raised:
        tiny_model("anisora-v2", steps_file=path)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_steps_of_random_numbers_are_refused_by_a_trained_model_and_steps_have_one_source(tmp_path: Path) -> None:
    path = tmp_path / "steps.yaml"
    write_steps(path, StepsFile(steps=(2, 5), teacher_steps=12, shift=3.0, model="anisora-v2:tiny", untrained=True))
    assert yaml.safe_load(path.read_text())["steps"] == [2, 5]
    create = registry("models").create
    with pytest.raises(ConfigError, match=r"was searched on random numbers \(anisora-v2:tiny\)"):
        create(f"anisora-v2:steps_file={path}")
    with pytest.raises(ConfigError, match=r"`steps` got 16 with `steps_file`"):
        create(f"anisora-v2:tiny,steps=16,steps_file={path}")
    with pytest.raises(DataError, match=r"does not exist"):
        create(f"anisora-v2:tiny,steps_file={tmp_path / 'none.yaml'}")
    listed = create(f"anisora-v2:tiny,steps_file={path}")
    assert listed.settings(NO_SETTINGS).steps == 2
    with pytest.raises(ConfigError, match=r"`--steps` got 16 with a `steps_file` of 2"):
        listed.settings(GenerationSettings(steps=16))
    with pytest.raises(ConfigError, match=r"`shift` got 5 with 2 steps, whose list was found for 3"):
        listed.settings(GenerationSettings(shift=5.0))
