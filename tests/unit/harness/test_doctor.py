import json

import pytest

from anisora.harness import doctor
from anisora.harness.doctor import Check, Report, examine
from anisora.harness.errors import AnisoraError
from anisora.harness.registry import registry


def test_a_healthy_machine_scores_a_file_as_its_frames() -> None:
    infos = [registry("metrics").create(name).info for name in registry("metrics").names()]
    number = sum(info.group == "core" and not info.needs for info in infos)
    assert number >= 4
    assert doctor._tiny_run() == f"{number} metrics give equal numbers for a lossless file and for its frames"


def test_one_build_of_opencv_is_named_with_its_version() -> None:
    name, version = doctor._one_opencv().split()
    assert name.startswith("opencv-")
    assert version[0].isdigit()


@pytest.mark.slow
def test_the_whole_report_names_versions_and_every_check() -> None:
    report = examine()
    assert report.healthy
    assert [check.name for check in report.checks][:3] == ["opencv", "weights", "tiny run"]
    assert all(check.name.startswith("extractor ") for check in report.checks[3:])
    text = report.as_text()
    assert "numpy" in text
    assert text.count("[ok]") + text.count("[absent]") == len(report.checks)
    assert json.loads(json.dumps(report.as_json()))["healthy"] is True


@pytest.mark.parametrize(
    ("error", "told"), [(AnisoraError("`x` is missing."), "`x` is missing."), (ValueError("odd"), "ValueError: odd")]
)
def test_a_check_that_fails_is_a_line_and_never_an_exception(error: Exception, told: str) -> None:
    def fail() -> str:
        raise error

    check = doctor._run("trial", fail)
    report = Report(environment={"python": "3.11", "packages": {"numpy": "2"}}, checks=(check,))
    assert check == Check(name="trial", healthy=False, detail=told)
    assert not report.healthy
    assert report.as_json()["healthy"] is False
    assert report.as_text().splitlines() == ["python: 3.11", "packages: numpy 2", f"[FAILED] trial: {told}"]
