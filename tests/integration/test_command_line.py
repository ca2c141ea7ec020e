"""The command line as users meet it: help, variables, exit codes, and what each command does to the disk."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from small_suite import COMMAND, anisora, build_suite, environment, only_run

from anisora.harness.cli import _run, cli
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings, GeneratorInfo, VideoReader
from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.runfolder import RunFolder
from anisora.harness.types import Generated, Sample
from anisora.models.recorded import GroundTruth

METRICS = "temporal_flickering,sharpness"


@dataclass(frozen=True)
class Finished:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> RunRecord:
        return RunRecord.model_validate_json(self.out)


Run = Callable[..., Finished]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_suite(tmp_path_factory.mktemp("suite"), items=3, num_frames=4, width=48, height=32)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in a folder of its own, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))

    def run_command(*words: str | Path) -> Finished:
        code = _run([str(word) for word in words], debug=False)
        told = capsys.readouterr()
        return Finished(code, told.out, told.err)

    return run_command


@pytest.fixture
def clips(suite: Path, tmp_path: Path) -> Path:
    """A folder of clips for the suite."""
    return copied(suite, tmp_path / "clips")


def copied(suite: Path, folder: Path, *suffixes: str) -> Path:
    folder.mkdir()
    for path in sorted(suite.parent.iterdir()):
        if path.suffix in (suffixes or (".mkv",)):
            shutil.copy(path, folder)
    return folder


def walk(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, (*path, name))


COMMANDS = {" ".join(path): command for path, command in walk()}


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_every_command_shows_an_example_that_can_be_parsed(path: str, run: Run) -> None:
    shown = run(*path.split(), "--help")
    examples = [line.strip() for line in shown.out.splitlines() if line.strip().startswith("anisora ")]
    assert (shown.code, shown.err) == (0, "")
    assert examples
    root = click.Context(cli, info_name="anisora", **cli.context_settings)
    for example in examples:
        words, command, context = shlex.split(example)[1:], cli, root
        assert words[: len(path.split())] == path.split() or path == "leaderboard"
        while isinstance(command, click.Group):
            name, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found
            if isinstance(command, click.Group):
                context = click.Context(command, parent=context, info_name=name)
        command.make_context("x", words, parent=context)


def test_the_commands_of_this_release_are_there() -> None:
    expected = (
        "evaluate run generate rescore rerun verify list doctor demo compare leaderboard suite "
        "suite.validate suite.import suite.show leaderboard.show leaderboard.rebuild"
    )
    assert {name.replace(".", " ") for name in expected.split()} <= set(COMMANDS)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path])
def test_every_option_is_an_environment_variable(path: str) -> None:
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            longest = max(parameter.opts, key=len)
            assert parameter.envvar == "ANISORA_" + longest.lstrip("-").replace("-", "_").upper()


def test_variables_stand_for_options_and_options_win(
    run: Run, suite: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "METRICS": "sharpness",
        "OUT": "elsewhere",
        "DB": "off",
        "JSON": "1",
        "LIMIT": "2",
        "MODEL": "named",
        "VIDEOS": str(clips),
    }.items():
        monkeypatch.setenv(f"ANISORA_{name}", value)
    record = run("evaluate", suite, "--limit", "1").record
    assert (record.spec.metrics, record.items, record.spec.model) == (["sharpness"], 1, "named")
    assert only_run(Path("elsewhere")).name == record.run_id
    assert not Path("leaderboard.duckdb").exists()


def test_options_are_written_with_dashes_or_underscores(run: Run, suite: Path, clips: Path) -> None:
    (clips / "item01.mkv").unlink()
    told = [
        run("evaluate", suite, "--videos", clips, *words)
        for words in (("--allow-missing", "--dry-run"), ("--allow_missing", "--dry_run"))
    ]
    assert told[0] == told[1]
    assert "2 clips, 1 missing" in told[0].out


@pytest.mark.parametrize(
    "words",
    [("evaluate", "--videos", "clips"), ("run", "--model", "damage/blur"), ("generate", "--model", "damage/blur")],
    ids=lambda words: words[0],
)
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    run: Run, suite: Path, clips: Path, words: tuple[str, ...]
) -> None:
    command, *options = words
    told = run(command, suite, *options, "--dry-run")
    assert told.code == 0
    assert "3 items, 3 clips" in told.out
    assert "(new)" in told.out
    assert [path.name for path in Path().iterdir()] == ["clips"]


def test_json_is_the_record_and_quiet_is_nothing(run: Run, suite: Path, clips: Path) -> None:
    evaluate = ("evaluate", suite, "--videos", clips, "--metrics", METRICS)
    printed = run(*evaluate, "--json")
    folder = RunFolder(only_run(Path("runs")))
    assert printed.record == folder.read_record()
    assert (printed.code, printed.err) == (0, "")
    assert run(*evaluate, "--quiet") == Finished(0, "", "")


def test_the_same_command_again_decodes_nothing_and_fresh_begins_again(run: Run, suite: Path, clips: Path) -> None:
    evaluate = ("evaluate", suite, "--videos", clips, "--metrics", "sharpness", "--json")
    assert run(*evaluate).record.counters.decodes == 3
    again = run(*evaluate, "--cache", "off").record
    assert again.counters.decodes == 0
    assert run(*evaluate, "--cache", "off", "--fresh").record.counters.decodes == 3


def test_one_damaged_clip_costs_only_itself_and_its_repair_is_a_new_run(run: Run, suite: Path, clips: Path) -> None:
    evaluate = ("evaluate", suite, "--videos", clips, "--metrics", METRICS, "--json")
    whole = (clips / "item01.mkv").read_bytes()
    (clips / "item01.mkv").write_bytes(b"no video at all")
    partial = run(*evaluate)
    assert partial.code == 3
    assert partial.record.status == "partial"
    assert [(result.scored, result.errors) for result in partial.record.results] == [(2, 1), (2, 1)]
    (error,) = RunFolder(Path("runs") / partial.record.run_id).read_errors()
    assert (error["item_id"], error["stage"], error["class"]) == ("item01", "score", "VideoUnreadable")

    (clips / "item01.mkv").write_bytes(whole)
    repaired = run(*evaluate)
    assert (repaired.code, repaired.record.status) == (0, "ok")
    assert repaired.record.run_id != partial.record.run_id
    assert [result.scored for result in repaired.record.results] == [3, 3]


def test_a_run_in_which_nothing_could_be_scored_has_failed(run: Run, suite: Path, clips: Path) -> None:
    for path in clips.iterdir():
        path.write_bytes(b"no video at all")
    told = run("evaluate", suite, "--videos", clips, "--metrics", "sharpness")
    assert told.code == 1
    assert "errors: 3" in told.out


def test_a_damaged_record_is_made_again_by_the_command_that_made_it(run: Run, suite: Path, clips: Path) -> None:
    evaluate = ("evaluate", suite, "--videos", clips, "--metrics", METRICS, "--json")
    first = run(*evaluate).record
    folder = RunFolder(Path("runs") / first.run_id)
    rows = folder.scores_path.read_bytes()
    folder.record_path.write_text("{", encoding="utf-8")
    assert run("verify", folder.path).code == 1
    again = run(*evaluate)
    assert (again.code, again.record.results) == (0, first.results)
    assert folder.scores_path.read_bytes() == rows
    assert run("verify", folder.path).code == 0


def test_two_folders_of_which_one_is_damaged_are_still_told_apart(run: Run, suite: Path, clips: Path) -> None:
    for path in copied(suite, Path("broken")).iterdir():
        path.write_bytes(b"no video at all")
    told = run("evaluate", "custom", "--videos", "clips", "--videos", "broken", "--metrics", "sharpness")
    assert told.code == 1
    assert "3 of 3 scored" in told.out
    assert "0 of 3 scored, 3 errors" in told.out
    assert "no shared items" in told.out


def test_a_system_has_the_whole_name_of_its_folder(run: Run, suite: Path) -> None:
    copied(suite, Path("model-v2.1"))
    evaluate = ("evaluate", suite, "--videos", "model-v2.1", "--metrics", "sharpness", "--json")
    assert run(*evaluate).record.spec.model == "model-v2.1"


def test_missing_clips_are_counted_when_allowed(run: Run, suite: Path, clips: Path) -> None:
    (clips / "item02.mkv").unlink()
    told = run("evaluate", suite, "--videos", clips, "--metrics", "sharpness", "--allow-missing")
    assert told.code == 0
    assert "missing: 1 clips, the first is item02-0" in told.out
    assert "2 of 3 scored" in told.out


def test_one_folder_of_clips_is_scored_and_what_it_lacks_is_listed(run: Run, clips: Path) -> None:
    told = run("evaluate", "custom", "--videos", "clips")
    assert told.code == 0
    assert "clips on custom@1: 3 items" in told.out
    assert "temporal_flickering ↑" in told.out
    assert "left out: psnr (no item has a ground truth)" in told.out
    assert "left out: condition_fidelity (no item has a conditioning image)" in told.out


def test_two_folders_of_clips_are_compared_in_one_command(run: Run, suite: Path, clips: Path) -> None:
    copied(suite, Path("other"))
    shutil.copy(clips / "item00.mkv", Path("other") / "item01.mkv")
    told = run("evaluate", "custom", "--videos", "clips", "--videos", "other", "--metrics", METRICS)
    assert told.code == 0
    comparison = told.out[told.out.index(" against ") :]
    assert "clips" in told.out
    assert "other" in comparison
    assert "sharpness" in comparison
    assert "temporal_flickering" in comparison
    assert len(list(Path("runs").iterdir())) == 2


def core_needs() -> dict[str, frozenset[str]]:
    infos = [registry("metrics").create(name).info for name in registry("metrics").names()]
    return {info.name: info.needs for info in infos if info.group == "core"}


def test_a_manifest_brings_prompts_images_and_ground_truth(run: Run, suite: Path, clips: Path) -> None:
    truth = suite.parent
    rows = [
        {
            "id": f"item{place:02d}",
            "video": f"clips/item{place:02d}.mkv",
            "prompt": "a girl walks",
            "image": str(truth / f"item{place:02d}.png"),
            "ground_truth": str(truth / f"item{place:02d}.mkv"),
        }
        for place in range(3)
    ]
    Path("items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    record = run("evaluate", "custom", "--videos", "items.jsonl", "--json").record
    values = {result.metric: (result.value, result.scored) for result in record.results}
    assert set(record.excluded) == {name for name, needs in core_needs().items() if "region_mask" in needs}
    assert values["ssim"] == (1.0, 3)
    assert values["condition_fidelity"] == (1.0, 3)
    assert record.counters.decodes == 3  # each video has the bytes of its ground truth


def test_a_folder_becomes_a_suite_that_can_be_checked_shown_and_scored(run: Run, suite: Path) -> None:
    folder = copied(suite, Path("mine"), ".mkv", ".png")
    (folder / "item00.txt").write_text("a girl walks\n", encoding="utf-8")
    assert run("suite", "import", folder, "--name", "my-suite").code == 0
    checked = run("suite", "validate", "my-suite.yaml")
    columns = sum(needs <= {"keyframes", "ground_truth"} for needs in core_needs().values())
    assert (checked.code, checked.out) == (0, f"Suite 'my-suite' version 1 is valid: 3 items, {columns} columns.\n")
    shown = run("suite", "show", "my-suite.yaml")
    assert "with a prompt 1, a conditioning image 3, a ground truth 3" in shown.out
    counts = json.loads(run("suite", "show", "my-suite.yaml", "--json").out)["counts"]
    assert (counts["items"], counts["prompts"], counts["keyframes"]) == (3, 1, 3)
    record = run("evaluate", "my-suite.yaml", "--videos", folder, "--json").record
    assert (record.suite_key, record.items, record.status) == ("my-suite@1", 3, "ok")
    assert len(record.results) == columns


def test_generated_clips_can_be_scored_later(run: Run, suite: Path) -> None:
    made = run("generate", suite, "--model", "damage/blur:severity=0.5", "--metrics", "sharpness")
    folder = only_run(Path("runs"))
    assert made.code == 0
    assert f"anisora rescore {folder}" in made.out
    assert not (folder / "scores.parquet").exists()
    assert sorted(path.name for path in (folder / "clips").glob("*.mkv")) == [f"item0{n}-0.mkv" for n in range(3)]
    record = run("rescore", folder, "--json").record
    assert [(result.metric, result.scored) for result in record.results] == [("sharpness", 3)]
    whole = run("run", suite, "--model", "damage/blur:severity=0.5", "--metrics", "sharpness", "--json").record
    assert (whole.run_id, whole.results, whole.files) == (record.run_id, record.results, record.files)


def test_metrics_are_added_without_decoding_again(run: Run, suite: Path, clips: Path) -> None:
    first = run("evaluate", suite, "--videos", clips, "--metrics", "psnr", "--json").record
    added = run("rescore", Path("runs") / first.run_id, "--metrics", "ssim", "--json").record
    assert first.counters.decodes == 3
    assert (added.counters.decodes, added.counters.cache_hits > 0) == (0, True)
    assert [result.metric for result in added.results] == ["psnr", "ssim"]
    assert added.result("psnr") == first.result("psnr")


@pytest.fixture
def finished(run: Run, suite: Path, clips: Path) -> Path:
    """A finished run."""
    assert run("evaluate", suite, "--videos", clips, "--metrics", METRICS, "--quiet").code == 0
    return only_run(Path("runs"))


def test_verify_finds_nothing_in_a_run_that_is_as_it_was(run: Run, finished: Path) -> None:
    assert run("verify", finished) == Finished(0, "Nothing changed.\n", "")


def test_verify_names_a_clip_that_changed(run: Run, finished: Path, clips: Path) -> None:
    shutil.copy(clips / "item00.mkv", clips / "item02.mkv")
    told = run("verify", finished)
    assert told.code == 1
    assert told.out.startswith("clip item02: ")
    assert told.out.endswith("1 changed.\n")
    (change,) = json.loads(run("verify", finished, "--json").out)
    assert (change["what"], change["name"]) == ("clip", "item02")


def test_verify_names_a_row_file_that_changed(run: Run, finished: Path) -> None:
    folder = RunFolder(finished)
    rows = folder.read_scores()
    folder.write_scores([replace(rows[0], value=0.5), *rows[1:]])
    told = run("verify", finished)
    assert told.code == 1
    assert told.out.startswith("file scores.parquet: has sha256 ")


def test_verify_names_an_aggregate_that_changed(run: Run, finished: Path) -> None:
    record = json.loads((finished / "record.json").read_text())
    record["results"][0]["value"] += 1
    (finished / "record.json").write_text(json.dumps(record))
    told = run("verify", finished)
    assert told.code == 1
    assert told.out.startswith(f"metric {record['results'][0]['metric']}: `value` is ")


def test_a_run_repeated_from_its_record_is_identical(run: Run, finished: Path) -> None:
    told = run("rerun", finished)
    assert told.code == 0
    assert "scores.parquet is identical." in told.out
    assert (finished.with_name(f"{finished.name}.rerun") / "record.json").is_file()
    assert run("leaderboard", "rebuild").out == "Added 1 runs to leaderboard.duckdb.\n"


def test_a_run_repeated_with_another_clip_is_told_to_be_different(run: Run, finished: Path, clips: Path) -> None:
    shutil.copy(clips / "item00.mkv", clips / "item02.mkv")
    told = run("rerun", finished)
    assert told.code == 1
    assert "scores.parquet is DIFFERENT." in told.out


def test_the_leaderboard_is_made_again_from_run_folders(run: Run, suite: Path, finished: Path) -> None:
    run("run", suite, "--model", "ground-truth", "--metrics", METRICS, "--quiet")
    table = run("leaderboard", "small")
    assert table.code == 0
    assert "clips" in table.out
    assert run("leaderboard", "show", "small") == table
    Path("leaderboard.duckdb").unlink()
    assert run("leaderboard", "rebuild").out == "Added 2 runs to leaderboard.duckdb.\n"
    assert run("leaderboard", "small") == table


@pytest.mark.parametrize("style", ["text", "markdown", "latex", "csv", "json"])
def test_the_table_comes_in_every_format(run: Run, finished: Path, style: str) -> None:
    told = run("leaderboard", "small", "--format", style)
    assert told.code == 0
    assert "clips" in told.out
    assert (style == "json") == told.out.startswith(("{", "["))


def test_runs_of_two_protocols_share_no_table_unless_it_is_asked_for(
    run: Run, suite: Path, clips: Path, finished: Path
) -> None:
    run("evaluate", suite, "--videos", clips, "--metrics", METRICS, "--decode", "tagged", "--model", "new", "--quiet")
    refused = run("leaderboard", "small")
    assert (refused.code, refused.out) == (1, "")
    assert "`decode` ('reference' vs 'tagged')" in refused.err
    assert "--allow-diff decode" in refused.err
    assert len(refused.err.splitlines()) == 1
    shown = run("leaderboard", "small", "--allow-diff", "decode")
    assert shown.code == 0
    assert "†" in shown.out
    assert "decode" in shown.out
    compared = run("compare", "small", "clips", "new")
    assert compared.code == 0
    assert "decode" in compared.out


def test_clips_that_were_kept_with_loss_share_no_table_with_lossless_ones(run: Run, suite: Path) -> None:
    for model, encoder in (("damage/blur", "ffv1"), ("damage/freeze", "h264:crf=20")):
        made = run("run", suite, "--model", model, "--encoder", encoder, "--metrics", "sharpness", "--quiet")
        assert made.code == 0
    refused = run("leaderboard", "small")
    assert refused.code == 1
    assert "`encoder`" in refused.err
    assert "†" in run("leaderboard", "small", "--allow-diff", "encoder").out


class RandomModel:
    """Noise, as a network of random weights would give."""

    info = GeneratorInfo(
        name="random",
        base="none",
        revision="1",
        licence="Apache-2.0",
        tasks=frozenset({"any"}),
        summary="Noise.",
        untrained=True,
    )

    def generate(self, sample: Sample, *, seed: int, settings: GenerationSettings, reader: VideoReader) -> Generated:
        return Generated(np.random.default_rng(seed).integers(0, 256, (4, 32, 48, 3), np.uint8), 24.0)


@pytest.fixture
def random_model() -> Iterator[str]:
    models = registry("models")
    models.register("random", RandomModel)
    yield "random"
    del models._targets["random"]


def test_a_run_of_random_weights_is_marked_and_hidden(run: Run, suite: Path, finished: Path, random_model: str) -> None:
    told = run("run", suite, "--model", random_model, "--metrics", METRICS)
    assert told.code == 0
    assert "UNTRAINED" in told.out
    table = run("leaderboard", "small")
    assert "clips" in table.out
    assert "\nrandom" not in table.out
    assert "1 run with random weights not shown" in table.out
    refused = run("leaderboard", "small", "--show-untrained")
    assert refused.code == 1
    assert "never share a table" in refused.err
    shown = run("leaderboard", "small", "--show-untrained", "--models", "random")
    assert "\nrandom" in shown.out
    assert "UNTRAINED" in shown.out
    assert "\nclips" not in shown.out


class Stubborn(GroundTruth):
    """Has no clip for one item."""

    def locate(self, sample: Sample, *, seed: int) -> Any:
        return None if sample.id == "item01" else sample.ground_truth


@pytest.fixture
def stubborn() -> Iterator[str]:
    models = registry("models")
    models.register("stubborn", Stubborn)
    yield "stubborn"
    del models._targets["stubborn"]


def test_a_model_of_recorded_clips_may_lack_some_when_allowed(run: Run, suite: Path, stubborn: str) -> None:
    refused = run("run", suite, "--model", stubborn)
    assert refused.code == 2
    assert "1 of 3 items, the first is 'item01'" in refused.err
    record = run("run", suite, "--model", stubborn, "--allow-missing", "--metrics", "sharpness", "--json").record
    assert record.missing == ["item01-0"]
    assert record.results[0].scored == 2


@pytest.mark.parametrize("kind", ["metrics", "extractors", "models", "suites", "rewards", "weights"])
def test_what_is_registered_can_be_listed(run: Run, kind: str) -> None:
    rows = json.loads(run("list", kind, "--json").out)
    text = run("list", kind)
    assert (text.code, text.err) == (0, "")
    for row in rows:
        assert row["name"] in text.out
    assert rows or text.out == "Nothing is registered.\n"
    if kind == "metrics":
        core = {row["name"]: row for row in rows if row["group"] == "core"}
        assert core["psnr"]["needs"] == ["ground_truth"]
        assert core["flow_magnitude"]["direction"] == "reference"
        assert all(row["licence"] for row in rows)


def test_the_version_is_that_of_the_package(run: Run) -> None:
    import anisora as package

    assert run("--version").out == f"anisora {package.__version__}\n"


def test_a_terminal_without_a_character_shows_it_escaped(tmp_path: Path, suite: Path, clips: Path) -> None:
    told = anisora(
        ["evaluate", suite, "--videos", clips, "--metrics", "temporal_flickering", "--model", "月"],
        cwd=tmp_path,
        PYTHONIOENCODING="iso-8859-1",
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert "\\u6708 on small@1" in told.stdout


def test_a_reader_that_has_seen_enough_is_told_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "list", "metrics"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), errors) == (1, "")


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    suite = build_suite(tmp_path / "suite", items=30, num_frames=24)
    command = ["run", str(suite), "--model", "damage/jitter:severity=0.5", "--workers", "2"]
    process = subprocess.Popen(
        [*COMMAND, *command],
        cwd=tmp_path,
        env=environment(ANISORA_CACHE=str(tmp_path / "cache")),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("runs/*/clips/*.mkv")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the decoders as well
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert errors.strip("\n") == "anisora: Stopped. What is done is kept; the same command goes on from here."
    anisora(command, cwd=tmp_path, check=True)
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    anisora(command, cwd=undisturbed, check=True)
    scores = [(only_run(folder / "runs") / "scores.parquet").read_bytes() for folder in (tmp_path, undisturbed)]
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_the_demo_prints_a_table_and_decodes_nothing_the_second_time(run: Run) -> None:
    first = run("demo", "--workers", "2")
    assert first.code == 0, first.err
    assert "damage/freeze" in first.out
    again = run("demo", "--workers", "2")
    assert "\n0 decodes in this session." in again.out
    assert (
        again.out.partition(" decodes in")[0].rpartition("\n")[0]
        == (first.out.partition(" decodes in")[0].rpartition("\n")[0])
    )


def test_frames_on_disk_are_read_as_they_are_given(run: Run, suite: Path) -> None:
    from PIL import Image

    folder = Path("frames") / "item00"
    folder.mkdir(parents=True)
    with DecoderPool() as pool:
        frames, stream = pool.read_frames(GroundTruth().locate(sample_at(suite), seed=0))  # type: ignore[arg-type]
    for place, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{place:04d}.png")
    evaluate = ("evaluate", "custom", "--metrics", METRICS, "--json", "--videos")
    of_frames = run(*evaluate, "frames", "--fps", f"{stream.fps:g}").record
    Path("video").mkdir()
    shutil.copy(suite.parent / "item00.mkv", "video")
    of_video = run(*evaluate, "video").record
    assert [result.value for result in of_frames.results] == [result.value for result in of_video.results]


def sample_at(suite: Path) -> Sample:
    from anisora.harness.suite import load_samples, load_suite

    return load_samples(load_suite(str(suite)))[0]
