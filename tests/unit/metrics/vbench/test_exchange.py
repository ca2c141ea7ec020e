import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from records import make_record, make_result

from anisora.harness.errors import DataError
from anisora.harness.record import RunRecord
from anisora.harness.runfolder import ClipRow, ScoreRow
from anisora.harness.types import Condition, Image, Sample
from anisora.metrics.commands import import_results
from anisora.metrics.vbench.exchange import full_info, read_results, results_of

METRICS = {
    "background_consistency": [(0.9, 15.0), (0.8, 12.0)],
    "dynamic_degree": [(1.0, 1.0), (0.0, 1.0)],
    "i2v_subject": [(0.7, 1.0), (None, 1.0)],
    "imaging_quality": [(0.42, 1.0), (0.38, 1.0)],
    "psnr": [(30.0, 1.0), (31.0, 1.0)],
}
ITEMS = ("ball", "walk")


def run() -> tuple[RunRecord, list[ScoreRow], list[ClipRow], dict[str, Sample]]:
    record = make_record("alpha", [make_result(name, 0.5) for name in METRICS])
    rows = [
        ScoreRow(
            item_id=item,
            seed=0,
            cluster=item,
            metric=name,
            metric_version=1,
            value=value,
            weight=weight,
            status="ok" if value is not None else "unscored",
            note="",
            parts={},
        )
        for name, values in METRICS.items()
        for item, (value, weight) in zip(ITEMS, values, strict=True)
    ]
    clips = [
        ClipRow(item_id=item, seed=0, path=f"/clips/{item}.mp4", sha256="0", fps=24.0, frames=16, height=64, width=64,
                codec="h264", pixel_format="yuv420p")
        for item in ITEMS
    ]  # fmt: skip
    image = Image(path=Path("/images/ball.png"), digest="0")
    samples = {"ball": Sample(id="ball", prompt="A ball rolls", condition=Condition(keyframes=((0.0, image),)))}
    return record, rows, clips, samples


def test_results_have_vbenchs_shape_scales_and_further_keys() -> None:
    record, rows, clips, samples = run()
    found = results_of(record, rows, clips, samples)
    assert sorted(found) == ["background_consistency", "dynamic_degree", "i2v_subject", "imaging_quality"]
    assert [entry["video_results"] for entry in found["imaging_quality"][1]] == [42.0, 38.0]
    assert [entry["video_results"] for entry in found["dynamic_degree"][1]] == [True, False]
    assert found["background_consistency"][1][0] == {
        "video_path": "/clips/ball.mp4",
        "video_results": 0.9,
        "video_sim": 13.5,
        "cnt_per_video": 15,
    }
    assert found["i2v_subject"] == [
        0.5,
        [{"video_path": "/clips/ball.mp4", "video_results": 0.7, "image_path": "/images/ball.png"}],
    ]


def test_the_full_info_has_prompts_dimensions_and_clips() -> None:
    record, rows, clips, samples = run()
    ball, walk = full_info(results_of(record, rows, clips, samples), rows, clips, samples)
    assert ball == {
        "prompt_en": "A ball rolls",
        "dimension": ["background_consistency", "dynamic_degree", "i2v_subject", "imaging_quality"],
        "video_list": ["/clips/ball.mp4"],
        "custom_image_path": "/images/ball.png",
    }
    assert walk["prompt_en"] == "walk"  # the item is not on this machine
    assert "custom_image_path" not in walk


def test_a_run_without_vbenchs_dimensions_is_refused() -> None:
    record = make_record("alpha", [make_result("psnr", 0.5)])
    with pytest.raises(DataError, match="has no dimension of VBench, only psnr; rescore it with --metrics vbench"):
        results_of(record, [], [], {})


def test_what_is_written_is_read_back_on_our_scale(tmp_path: Path) -> None:
    record, rows, clips, samples = run()
    path = tmp_path / "alpha_eval_results.json"
    path.write_text(json.dumps(results_of(record, rows, clips, samples)))
    read = {dimension.name: dimension for dimension in read_results(path)}
    assert read["imaging_quality"].clips == (("/clips/ball.mp4", 0.42), ("/clips/walk.mp4", 0.38))
    assert read["imaging_quality"].mean == pytest.approx(0.4)
    assert read["dynamic_degree"].mean == 0.5
    assert read["background_consistency"].aggregate == 0.5
    assert read["background_consistency"].mean == pytest.approx(0.85)


def test_camera_motion_and_what_is_no_number_are_read(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(
        '{"camera_motion": [NaN, {"pan_left": 1.0, "zoom_in": NaN}, [{"video_path": "a.mp4", "video_results": 1.0, '
        '"prompt_type": "pan_left", "predict_type": ["pan_left"]}]], '
        '"i2v_subject": [0.5, [{"video_path": "a.mp4", "video_results": NaN}, '
        '{"video_path": "b", "video_results": 0.5}]]}'
    )
    camera, subject = read_results(path)
    assert (camera.aggregate, camera.by_type) == (None, (("pan_left", 1.0), ("zoom_in", None)))
    assert subject.clips == (("a.mp4", None), ("b", 0.5))
    assert subject.mean == 0.5
    result = CliRunner().invoke(import_results, [str(path), "--out", str(tmp_path / "rows.jsonl")])
    assert result.exit_code == 0, result.output
    assert (
        "camera_motion: aggregate no number; mean over clips 1; 1 clips\n  pan_left: 1\n  zoom_in: no number"
        in result.output
    )
    assert "i2v_subject: aggregate 0.5; mean over clips 0.5; 2 clips, 1 without a number" in result.output
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert lines[-1] == {"metric": "i2v_subject", "video": "b", "value": 0.5}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "holds a list"),
        ("{", "cannot be read as JSON"),
        ('{"a": 0.5}', "has '0.5' for 'a'; expected \\[aggregate, \\[clips\\]\\]"),
        ('{"a": [0.5, {}]}', "for 'a'"),
        ('{"a": [0.5, [{"video_path": "x"}]]}', "'a', clip 0: expected `video_path` and `video_results`"),
        ('{"a": ["high", [{"video_path": "x", "video_results": 1}]]}', "has 'high' in 'a'; expected a number"),
        ('{"camera_motion": [0.5, [], [{}]]}', "as the types of 'camera_motion'"),
    ],
)
def test_what_is_not_of_that_shape_is_refused(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(DataError, match=told):
        read_results(path)
