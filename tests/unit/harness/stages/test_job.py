from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trial_metrics import make_sample

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import GenerationSettings, GeneratorInfo
from anisora.harness.record import RunSpec
from anisora.harness.stages.job import Job, custom_jobs, job_of
from anisora.harness.suite import Column, Suite
from anisora.harness.types import Clip, Condition
from anisora.models.damage import Damage

SPEC = RunSpec(
    suite="small", suite_version=1, model="mine", model_spec="recorded", seeds=[0], metrics=["sharpness"], limit=None
)
CLIPS = {("a", 0): Clip(path=Path("a.mp4"), digest="1"), ("b", 0): Clip(path=Path("b.mp4"), digest="2")}
SUITE = Suite(
    name="small", version=1, title="Small", dataset="demo", columns=(Column(metric="sharpness", header="Sharpness"),)
)


def make_job(spec: Mapping[str, Any] | None = None, **fields: Any) -> Job:
    given: dict[str, Any] = {
        "spec": SPEC.model_copy(update=dict(spec or {})),
        "suite": SUITE,
        "samples": (make_sample("a"), make_sample("b", label=None)),
        "clips": CLIPS,
        "missing": (),
        "generator": None,
        "info": None,
        "settings": GenerationSettings(),
    }
    return Job(**{**given, **fields})


INFO = GeneratorInfo(name="m", base="b", revision="1", licence="x", tasks=frozenset(), summary="")

CHANGES: dict[str, Callable[[], Job]] = {
    "suite": lambda: make_job({"suite": "other"}),
    "suite version": lambda: make_job({"suite_version": 2}),
    "track": lambda: make_job({"track": "i2v"}),
    "model": lambda: make_job({"model": "yours"}),
    "model specification": lambda: make_job({"model_spec": "damage/blur"}),
    "seeds": lambda: make_job({"seeds": [0, 1]}),
    "settings": lambda: make_job({"settings": {"steps": 4}}),
    "colours": lambda: make_job({"decode": "tagged"}),
    "decoder": lambda: make_job({"decoder": "decord"}),
    "a clip": lambda: make_job(clips={**CLIPS, ("a", 0): replace(CLIPS["a", 0], digest="3")}),
    "the frame rate of a clip": lambda: make_job(clips={**CLIPS, ("a", 0): replace(CLIPS["a", 0], fps=8.0)}),
    "a clip less": lambda: make_job(clips={("a", 0): CLIPS["a", 0]}),
    "an item less": lambda: make_job(samples=(make_sample("a"),)),
    "a prompt": lambda: make_job(samples=(make_sample("a", prompt="other"), make_sample("b", label=None))),
    "an image": lambda: make_job(samples=(make_sample("a", condition=Condition()), make_sample("b", label=None))),
    "a ground truth": lambda: make_job(samples=(make_sample("a", ground_truth=None), make_sample("b", label=None))),
    "revision of the model": lambda: make_job(info=INFO),
    "another revision of the model": lambda: make_job(info=replace(INFO, revision="2")),
    "encoder": lambda: make_job(generator=Damage("damage/blur")),
    "another encoder": lambda: make_job({"encoder": "h264:crf=10"}, generator=Damage("damage/blur")),
}


def test_all_that_decides_the_clips_is_in_the_identity() -> None:
    identities = {name: change().identity for name, change in CHANGES.items()}
    identities["unchanged"] = make_job().identity
    assert len(set(identities.values())) == len(CHANGES) + 1


@pytest.mark.parametrize(
    "changed",
    [
        make_job({"metrics": ["psnr", "ssim"]}),
        make_job({"device": "cuda:0", "suite_source": "elsewhere.yaml"}),
        make_job({"fps": 12.0}),  # for folders of frames, and these are files
        make_job({"encoder": "h264:crf=10"}),  # of clips that exist already
        make_job(clips={key: replace(clip, path=Path("/moved") / clip.path) for key, clip in CLIPS.items()}),
        make_job(clips=dict(reversed(CLIPS.items()))),
        make_job(samples=(make_sample("b", label=None), make_sample("a"))),
    ],
    ids=["metrics", "device", "fps", "encoder", "moved", "order of clips", "order of items"],
)
def test_what_does_not_decide_the_clips_is_not(changed: Job) -> None:
    assert changed.run_id == make_job().run_id


def test_the_run_id_is_a_stable_file_name() -> None:
    assert make_job().run_id == f"small-mine-{make_job().identity[:10]}"
    odd = make_job({"model": "damage/blur:severity=0.5 (月)"})
    assert odd.run_id == f"small-damage-blur-severity-0.5-{odd.identity[:10]}"
    long = make_job({"model": "x" * 300})
    assert len(long.run_id) == 91
    assert make_job({"model": ".."}).run_id.startswith("small-")


def test_clusters_are_labels_where_there_are_any() -> None:
    assert make_job().clusters == {"a": "walk", "b": "b"}
    assert make_job(suite=SUITE.model_copy(update={"cluster": "item"})).clusters == {"a": "a", "b": "b"}
    assert make_job(suite=None).clusters == {"a": "walk", "b": "b"}


def test_the_protocol_names_what_two_runs_must_share() -> None:
    declared = {**CLIPS, ("a", 0): replace(CLIPS["a", 0], fps=12.0)}
    fields = make_job({"seeds": [1, 0]}, clips=declared).protocol_fields({"b/x", "a/y"})
    assert fields["suite"] == "small@1"
    assert (fields["seeds"], fields["samples_per_item"]) == ([0, 1], 2)
    assert isinstance(fields["items"], dict)
    assert fields["items"]["count"] == 2
    assert (fields["encoder"], fields["decode"]) == ("a/y+b/x", "reference")
    assert fields["frame_rate"] == "declared 12"
    assert make_job().protocol_fields(set())["frame_rate"] == "native"


def test_a_setting_that_no_model_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Generation setting 'hight' is not known; expected one of fps, .*height"):
        job_of(SPEC.model_copy(update={"settings": {"hight": 3}}))


def test_a_run_of_another_version_of_the_suite_is_refused() -> None:
    with pytest.raises(DataError, match="Suite `demo` is at version 1, the run was made with version 7"):
        job_of(SPEC.model_copy(update={"suite": "demo", "suite_version": 7}))


@pytest.mark.parametrize("model", [" ", "a\x00b", "a\nb", "\udcff"])
def test_a_name_that_no_table_can_hold_is_refused(model: str) -> None:
    with pytest.raises(ConfigError, match=r"`--model` got .*expected printable text"):
        job_of(SPEC.model_copy(update={"model": model}))


def test_each_folder_of_ones_own_clips_is_a_system(tmp_path: Path) -> None:
    for system in ("old", "new"):
        (tmp_path / system).mkdir()
        for item in ("a", "b"):
            (tmp_path / system / f"{item}.mp4").write_bytes(f"{system}{item}".encode())
    spec = SPEC.model_copy(
        update={"suite": "custom", "model": "", "videos": [str(tmp_path / "old"), str(tmp_path / "new")]}
    )
    jobs = custom_jobs(spec)
    assert [job.spec.model for job in jobs] == ["old", "new"]
    assert [job.spec.system for job in jobs] == [0, 1]
    assert jobs[0].samples == jobs[1].samples
    assert len({job.run_id for job in jobs}) == 2
    assert job_of(jobs[1].spec).run_id == jobs[1].run_id
