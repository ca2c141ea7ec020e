"""The reward is the metric: what a trainer gets for frames is what the run folder of their lossless file says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import RunFolder, sha256_of_file
from anisora.harness.stages.run import RunOptions, evaluate
from anisora.harness.types import Condition, Image
from anisora.reward.metric_reward import MetricReward

METRICS = {
    "temporal_flickering": 1.0,
    "warping_error": -1.0,
    "flow_magnitude": 0.5,
    "sharpness": 0.25,
    "condition_fidelity": 1.0,
}


@pytest.mark.parametrize("device", ["numpy", "torch"])
def test_a_reward_on_frames_equals_the_row_of_the_lossless_file_bit_for_bit(tmp_path: Path, device: str) -> None:
    scenes = [
        Scene(action=action, seed=seed, width=98, height=66, num_frames=10)
        for seed, action in enumerate(("wave", "pan", "walk"))
    ]
    clips = [render(scene) for scene in scenes]
    lines, conditions = ["id,video,prompt,image"], []
    with DecoderPool() as pool:
        for place, frames in enumerate(clips):
            pool.encode(frames, fps=24.0, path=tmp_path / f"{place}.mkv")
            image = tmp_path / f"{place}.png"
            Picture.fromarray(frames[0] // 2).save(image)
            conditions.append(Condition(keyframes=((0.0, Image(path=image, digest=sha256_of_file(image))),)))
            lines.append(f"{place},{place}.mkv,a girl,{place}.png")
    manifest = tmp_path / "items.csv"
    manifest.write_text("\n".join(lines), encoding="utf-8")
    options = RunOptions(out=tmp_path / "runs", db=None, cache=tmp_path / "cache")
    record = evaluate("custom", videos=manifest, metrics=list(METRICS), options=options)
    rows = {(row.metric, row.item_id): row for row in RunFolder(options.out / record.run_id).read_scores()}

    videos = np.stack(clips).transpose(0, 1, 4, 2, 3)
    batch = torch.from_numpy(videos.copy()) if device == "torch" else videos
    with MetricReward(METRICS) as reward:
        result = reward(batch, ["a girl"] * 3, conditions, fps=24.0)
    assert bool(np.all(np.asarray(result.valid)))
    for place, scores in enumerate(result.scores):
        for name, score in scores.items():
            row = rows[name, str(place)]
            assert row.value is not None
            assert score.value is not None
            assert row.value.hex() == score.value.hex(), (name, place)
            assert np.float32(row.value) == np.asarray(result.dimensions[name])[place]
            for part, values in score.parts.items():
                assert [value.hex() for value in map(float, values)] == [
                    (float("nan") if value is None else value).hex() for value in row.parts[part]
                ]
