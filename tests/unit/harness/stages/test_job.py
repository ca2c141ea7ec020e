from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_suite import build_suite
from trial_metrics import make_sample, registered

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.record import RunSpec
from anisora.harness.stages.job import Job, custom_jobs, job_of
from anisora.harness.suite import Column, Suite, load_suite
from anisora.harness.types import Clip, Condition, Generated, Sample
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
    fields = make_job({"seeds": [1, 0]}, clips=declared).protocol_fields({"b/x", "a/y"}, {"reference"})
    assert fields["suite"] == "small@1"
    assert (fields["seeds"], fields["samples_per_item"]) == ([0, 1], 2)
    assert isinstance(fields["items"], dict)
    assert fields["items"]["count"] == 2
    assert (fields["encoder"], fields["decode"]) == ("a/y+b/x", "reference")
    assert fields["frame_rate"] == "declared 12"
    assert make_job().protocol_fields(set(), set())["frame_rate"] == "native"
    assert (fields["reward_mode"], make_job().protocol_fields(set(), set())["reward_mode"]) == ("reference", None)


class Picky:
    """Serves the items it is told to, and only at four steps."""

    info = INFO

    def __init__(self, served: str = "item00+item02") -> None:
        self._served = served.split("+")

    def refuses(self, sample: Sample, *, settings: GenerationSettings) -> str | None:
        """Say what is against an item."""
        if settings.steps not in (None, 4):
            return f"cannot be made in {settings.steps} steps; expected 4"
        return None if sample.id in self._served else "is too hard; make it easier"

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        """Return a grey clip."""
        return Generated(np.full((2, 16, 16, 3), 9, np.uint8), 8.0)


@pytest.fixture
def picky(tmp_path: Path) -> Iterator[Callable[..., RunSpec]]:
    """Specifications of runs of a picky model on a suite of three items and two seeds."""
    suite = build_suite(tmp_path, items=3, num_frames=2)

    def specify(model_spec: str = "picky", **fields: Any) -> RunSpec:
        given = {"suite_source": str(suite), "model": model_spec, "model_spec": model_spec, "seeds": [0, 1], **fields}
        return SPEC.model_copy(update=given)

    with registered("models", picky=Picky):
        yield specify


def test_items_that_a_model_refuses_are_told_before_anything_is_written(picky: Callable[..., RunSpec]) -> None:
    with pytest.raises(DataError) as caught:
        job_of(picky())
    assert str(caught.value) == (
        "Model `picky` can make no clip for 1 of 3 items: the first, 'item01', is too hard; make it easier; "
        "or pass --allow-missing to go on without them."
    )


def test_refused_items_that_are_allowed_are_missing_with_every_seed(picky: Callable[..., RunSpec]) -> None:
    job = job_of(picky(allow_missing=True))
    assert job.missing == (("item01", 0), ("item01", 1))
    assert [sample.id for sample in job.samples] == ["item00", "item01", "item02"]
    assert [sample.id for sample in job.to_generate] == ["item00", "item02"]
    assert (job.clips, job.info) == ({}, INFO)


def test_a_model_that_refuses_nothing_has_nothing_missing(picky: Callable[..., RunSpec]) -> None:
    job = job_of(picky("picky:served=item00+item01+item02"))
    assert job.missing == ()
    assert job.to_generate == job.samples


@pytest.mark.parametrize("allow_missing", [False, True])
def test_a_model_that_refuses_everything_has_no_run(picky: Callable[..., RunSpec], allow_missing: bool) -> None:
    with pytest.raises(
        DataError, match="can make no clip for any of the 3 items of suite 'small': the first, 'item00'"
    ):
        job_of(picky("picky:served=none", allow_missing=allow_missing))


def test_a_model_is_asked_with_the_settings_of_the_run(picky: Callable[..., RunSpec]) -> None:
    with pytest.raises(DataError, match="'item00', cannot be made in 8 steps; expected 4"):
        job_of(picky(settings={"steps": 8}, allow_missing=True))
    assert len(job_of(picky(settings={"steps": 4}, allow_missing=True)).to_generate) == 2


def test_what_is_missing_does_not_change_the_run_id_but_the_items_do(picky: Callable[..., RunSpec]) -> None:
    run_id = job_of(picky(allow_missing=True)).run_id
    assert job_of(picky(allow_missing=True)).run_id == run_id
    assert job_of(picky(allow_missing=True, limit=2)).run_id != run_id


def test_clips_that_exist_already_leave_nothing_to_generate() -> None:
    assert make_job(missing=(("b", 0),)).to_generate == ()


def test_a_setting_that_no_model_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Generation setting 'hight' is not known; expected one of fps, .*height"):
        job_of(SPEC.model_copy(update={"settings": {"hight": 3}}))


def test_a_run_of_another_version_of_the_suite_is_refused() -> None:
    version = load_suite("demo").version
    with pytest.raises(DataError, match=f"Suite `demo` is at version {version}, the run was made with version 97"):
        job_of(SPEC.model_copy(update={"suite": "demo", "suite_version": 97}))


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
