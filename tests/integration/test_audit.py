"""The command ``audit``: a training with sampled clips, two runs, the page, and the proof on known answers."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from audit_proof import REPLAYS, WAYS, found_hacks, hack_table, replay_alarms, replay_table, stage
from audited_clips import FPS, HACKS, STRENGTHS, ClipSet, Stage, as_clips, hacked
from shared_data import REPOSITORY
from small_suite import anisora

from anisora.harness.errors import DataError, RecordError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.stages.run import RunOptions, evaluate
from anisora.training.audit.clips import SAMPLES, sampled_clips
from anisora.training.audit.live import LiveAudit
from anisora.training.audit.run_audit import audit_run
from anisora.training.audit.settings import AuditConfig

ITEMS = 8


@pytest.fixture(scope="module")
def scenes() -> Stage:
    return Stage(ITEMS)


@pytest.fixture(scope="module")
def training(scenes: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training as one writes it: clips of three steps, with stronger and stronger colours."""
    run = tmp_path_factory.mktemp("training") / "run"
    base, after = scenes.base(scenes.names, 0, 2), scenes.again(scenes.names, 0, 2)
    steps = {0: base} | {
        step: hacked("saturation", strength, after, np.empty(0)) for step, strength in ((5, 0.5), (10, 1.0))
    }
    lines = []
    (run / "samples/images").mkdir(parents=True)
    with DecoderPool() as pool:
        for step, clips in steps.items():
            folder = f"samples/step-{step:08d}"
            (run / folder).mkdir()
            for (item, seed), frames in clips.items():
                image = f"samples/images/{item}.png"
                PIL.Image.fromarray(base[item, 0][0]).save(run / image)
                path = f"{folder}/{item}-{seed}.mp4"
                pool.encode(frames, fps=FPS, path=run / path)
                lines.append(
                    {
                        "step": step,
                        "item": item,
                        "prompt": scenes.prompts[item],
                        "seed": seed,
                        "path": path,
                        "sha256": sha256_of_file(run / path),
                        "image": image,
                        "fps": FPS,
                    }
                )
    (run / SAMPLES).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    log = [{"step": at, "loss": 1.0, "kl": at / 10, "reward/colourfulness/mean": 50.0 + at} for at in range(1, 11)]
    (run / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in log), encoding="utf-8")
    return run


def _audit(*arguments: str, folder: Path, code: int = 0) -> str:
    done = anisora(["audit", *arguments], cwd=folder)
    assert done.returncode == code, done.stderr
    return str(done.stdout)


def test_a_training_is_audited_against_its_first_clips(training: Path) -> None:
    held_out = ("--held-out", "temporal_flickering", "--kl-limit", "0.5")
    told = _audit(training.name, *held_out, "--strict", folder=training.parent, code=1)
    assert "Step 10: 16 pairs of clips." in told
    assert re.search(r"^saturation .* ALARM$", told, re.MULTILINE)
    assert re.search(
        r"^ALARM Saturation rose \(.*\) since step 5: colours are stronger\. Look at: ", told, re.MULTILINE
    )
    assert re.search(r"^ALARM KL rose .* since step 10", told, re.MULTILINE)
    assert "Optimised: colourfulness. Held out: temporal_flickering." in told
    found = json.loads((training / "audit.json").read_text(encoding="utf-8"))
    assert [look["step"] for look in found["looks"]] == [5, 10]
    assert {alarm["signal"] for alarm in found["alarms"]} == {"saturation", "kl"}
    assert found["looks"][1]["kl"] == pytest.approx(0.55)
    assert found["signals"]["motion"]["least"] == 0.2


def test_the_page_stands_alone_and_shows_the_clips(training: Path) -> None:
    _audit(training.name, "--held-out", "temporal_flickering", folder=training.parent)
    page = (training / "audit.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert "<script" not in page
    assert page.count("<video") == 3
    assert page.count("<polyline") == 10 + 2  # the signals, and what the log has
    assert "Saturation rose" in page
    assert "Anime style" in page


def test_thresholds_are_the_users_where_they_are_given(training: Path) -> None:
    given = ("--held-out", "temporal_flickering", "--least", "saturation=2", "--no-page", "--json", "--strict")
    found = json.loads(_audit(training.name, *given, folder=training.parent))
    assert found["alarms"] == []
    assert found["signals"]["saturation"]["least"] == 2
    done = anisora(["audit", training.name, "--least", "saturation"], cwd=training.parent)
    assert done.returncode == 2
    assert "expected SIGNAL=NUMBER above 0" in done.stderr


def test_a_sampled_clip_that_was_changed_is_refused(training: Path, tmp_path: Path) -> None:
    line = json.loads((training / SAMPLES).read_text(encoding="utf-8").splitlines()[0])
    (tmp_path / "samples").mkdir()
    for name in ("path", "image"):
        (tmp_path / line[name]).parent.mkdir(exist_ok=True)
        (tmp_path / line[name]).write_bytes((training / line[name]).read_bytes())
    index = tmp_path / SAMPLES
    index.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert list(sampled_clips(tmp_path)) == [0]
    with pytest.raises(DataError, match="step 0 alone"):
        audit_run(tmp_path)
    index.write_text(json.dumps({**line, "sha256": "0" * 64}) + "\n", encoding="utf-8")
    with pytest.raises(RecordError, match="expected the clip that was sampled"):
        sampled_clips(tmp_path)
    index.write_text(json.dumps({**line, "step": "0"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="`step` got '0'; expected int"):
        sampled_clips(tmp_path)


def test_two_runs_of_clips_are_compared(scenes: Stage, tmp_path: Path) -> None:
    base = {key: frames for key, frames in scenes.base(scenes.names, 1, 1).items() if key[1] == 0}
    runs = []
    for name, clips in (("before", base), ("after", hacked("first-frame-copy", 1.0, base, np.empty(0)))):
        (tmp_path / name).mkdir()
        with DecoderPool() as pool:
            for (item, _), frames in clips.items():
                pool.encode(frames, fps=FPS, path=tmp_path / name / f"{item}.mkv")
        options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=None)
        record = evaluate("custom", videos=tmp_path / name, model=name, metrics=["sharpness"], options=options)
        runs.append(options.out / record.run_id)
    found = audit_run(runs[1], runs[0], config=AuditConfig(held_out=()))
    assert {"motion", "first_frame_distance"} <= {alarm.signal for alarm in found.alarms}
    with pytest.raises(DataError, match="Give the second one with --base"):
        audit_run(runs[1])


def test_neural_rewards_are_held_out_where_core_ones_are_optimised(scenes: Stage) -> None:
    pytest.importorskip("torch")
    base = scenes.base(scenes.names, 2, 1)
    with LiveAudit(as_clips(base), optimised=["sharpness"]) as audit:
        assert audit.look(1, as_clips(hacked("saturation", 0.25, base, np.empty(0))))
        found = audit.result()
    if "feature_consistency" in found.held_out:
        assert found.looks[0].findings["held_out/feature_consistency"].change is not None
    assert not {"temporal_flickering", "warping_error"} & set(found.held_out)


# -- the proof


@pytest.fixture(scope="module")
def drawn() -> Stage:
    return stage()


@pytest.mark.slow
@pytest.mark.long
def test_nineteen_of_twenty_hacks_are_found_as_the_page_has_them(drawn: Stage) -> None:
    found = found_hacks(drawn)
    for way in WAYS:
        hits = [found[way, family, strength] is not None for family in HACKS for strength in STRENGTHS]
        assert len(hits) == 20
        assert sum(hits) >= 19, hack_table(found)
    shown = _shown("hacks")
    for line, own in zip(shown.splitlines()[2:], hack_table(found).splitlines()[2:], strict=True):
        assert line.split("|")[:3] == own.split("|")[:3]
        for said, made in zip(line.split("|")[3:-1], own.split("|")[3:-1], strict=True):
            if "missed" in said + made:
                assert said == made
            else:
                assert float(made) == pytest.approx(float(said), rel=0.1)


@pytest.mark.slow
@pytest.mark.long
def test_sixty_replays_without_a_hack_have_one_alarm_at_most(drawn: Stage) -> None:
    told = replay_alarms(drawn)
    assert len(told) == REPLAYS == 60
    assert sum(bool(raised) for _, _, raised in told) <= 1, told
    assert replay_table(told) == _shown("replays")


def _shown(name: str) -> str:
    """Return a table of the page."""
    page = (REPOSITORY / "docs/audit.md").read_text(encoding="utf-8")
    table = page.partition(f"<!-- proof: {name} -->\n")[2].partition("<!-- proof: end -->")[0]
    assert table
    return table


def test_the_strongest_hack_of_each_family_is_found_and_a_clean_replay_is_not(scenes: Stage) -> None:
    base, after = scenes.base(scenes.names, 3, 2), scenes.again(scenes.names, 3, 2)
    common = after[scenes.names[0], 0][::-1].copy()
    seen: Mapping[str, ClipSet] = {family: hacked(family, 1.0, after, common) for family in HACKS}
    with LiveAudit(as_clips(base), config=AuditConfig(held_out=())) as audit:
        assert audit.look(1, as_clips(after)) == []
        for step, (family, clips) in enumerate(seen.items(), 2):
            raised = {alarm.signal for alarm in audit.look(step, as_clips(clips))}
            assert raised & set(HACKS[family]), family
