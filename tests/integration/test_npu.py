"""The command line with ``--device npu``: beside the stand-in the rows of the CPU, without torch_npu one line."""

import json
import sys
from pathlib import Path

import pytest
from npu_machine import anisora
from small_suite import only_run

from anisora.harness.cli import _run
from anisora.harness.runfolder import RunFolder

torch = pytest.importorskip("torch")

FEW = ["--limit", "2", "--no-mlflow", "--db", "off", "--quiet"]


def run_on(device: str, argv: list[str], folder: Path) -> tuple[RunFolder, int]:
    """Run a command on a device; return the run, and how many tensors went to the NPU."""
    told = anisora([*argv, "--device", device, *FEW], folder)
    return RunFolder(only_run(folder / "runs")), told["sent"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "model", "generates", "fallbacks"),
    [
        ("demo@i2v", "anisora-v2:tiny", True, None),
        ("demo@i2v", "anisora-v1:cache=fastercache,steps=4,tiny", True, ["aten::_fft_c2c", "aten::roll"]),
        ("demo", "damage/freeze:severity=1", False, None),
    ],
)
def test_the_rows_are_those_of_the_cpu_and_the_record_names_the_device(
    tmp_path: Path, suite: str, model: str, generates: bool, fallbacks: list[str] | None
) -> None:
    argv = ["run", suite, "--model", model, "--metrics", "sharpness,temporal_flickering"]
    expected, nothing = run_on("cpu", argv, tmp_path / "cpu")
    found, sent = run_on("npu", argv, tmp_path / "npu")
    assert (nothing, sent > 0) == (0, generates)
    for path in (expected.scores_path, expected.clips_path):
        assert path.read_bytes() == (found.path / path.name).read_bytes(), path.name
    environment = found.read_record().environment
    assert environment["device"] == "npu:0"
    assert environment["devices"]["npu:0"] == "stand-in, computes on the CPU"
    assert environment["versions"]["torch-npu"] == "0.0.0+stand.in"
    assert environment.get("npu_fallbacks") == fallbacks
    assert "npu_fallbacks" not in expected.read_record().environment
    if generates:
        details = json.loads(next(found.media.glob("*.json")).read_text())
        assert (details["device"], details["dtype"]) == ("npu:0", "float32")


@pytest.mark.slow
def test_networks_of_metrics_compute_on_the_npu(tmp_path: Path) -> None:
    argv = ["run", "demo", "--model", "damage/blur:severity=1", "--metrics", "dynamic_degree,subject_consistency"]
    expected, nothing = run_on("cpu", [*argv, "--untrained", "0"], tmp_path / "cpu")
    found, sent = run_on("npu", [*argv, "--untrained", "0"], tmp_path / "npu")
    assert (nothing, sent > 0) == (0, True)
    assert [(row.metric, row.status) for row in found.read_scores()].count(("dynamic_degree", "ok")) == 2
    assert expected.scores_path.read_bytes() == found.scores_path.read_bytes()
    environment = found.read_record().environment
    assert environment["metric_device"] == "npu:0"
    assert environment["npu_fallbacks"] == ["aten::upsample_bicubic2d"]


@pytest.mark.slow
@pytest.mark.long
def test_the_whole_demo_gives_the_rows_of_the_cpu(tmp_path: Path) -> None:
    for device in ("cpu", "npu"):
        anisora(["demo", "--device", device, "--quiet", "--no-mlflow"], tmp_path / device)
    expected = sorted((tmp_path / "cpu" / "runs" / "demo").glob("*/scores.parquet"))
    assert len(expected) > 10
    for path in expected:
        found = tmp_path / "npu" / path.relative_to(tmp_path / "cpu")
        assert path.read_bytes() == found.read_bytes(), path.parent.name
        assert RunFolder(found.parent).read_record().environment["device"] == "npu:0"


@pytest.mark.slow
@pytest.mark.long
def test_the_report_of_a_device_compares_it_with_the_cpu(tmp_path: Path) -> None:
    sent = anisora(["doctor", "--device", "npu", "--report", "npu-report.json"], tmp_path / "npu")["sent"]
    report = json.loads((tmp_path / "npu" / "npu-report.json").read_text())
    assert sent > 0
    assert (report["device"], report["healthy"]) == ("npu:0", True)
    compared = {each["subject"]: each for each in report["comparisons"]}
    clips = [subject for subject in compared if subject.startswith("clip of ")]
    assert clips == [f"clip of {name}:tiny,dtype={kind}" for name in FAMILIES for kind in ("float32", "bfloat16")]
    assert len(compared) - len(clips) >= 4
    assert {each["largest_difference"] for each in compared.values()} == {0.0}
    assert report["environment"]["versions"]["torch-npu"] == "0.0.0+stand.in"
    assert "aten::upsample_bicubic2d" in report["environment"]["npu_fallbacks"]


FAMILIES = ("anisora-v1", "anisora-v2")


@pytest.mark.parametrize("command", [["run", "demo", "--model", "damage/freeze"], ["demo"], ["doctor"]])
def test_without_torch_npu_the_device_is_refused_in_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch_npu", None)  # importing it raises ImportError
    monkeypatch.delattr(torch, "npu", raising=False)
    assert _run([*command, "--device", "npu"], debug=False) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert "Device `npu:0` is not available: torch_npu is not installed or finds no CANN (extra 'npu')" in told[0]
    assert not list(tmp_path.iterdir())
