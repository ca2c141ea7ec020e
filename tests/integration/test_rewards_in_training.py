"""From scored files to a loop that trains: constants of a run, a combined reward, Flow-GRPO's call, advantages."""

from pathlib import Path

import numpy as np
import pytest

import anisora
from anisora.harness.degrade import degrade
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import RunFolder
from anisora.harness.stages.run import RunOptions, evaluate
from anisora.reward.combined_reward import CombinedReward
from anisora.reward.constants import measure_constants, write_constants
from anisora.reward.flow_grpo import as_flow_grpo

torch = pytest.importorskip("torch")
from anisora.training.grpo.advantages import FLOW_GRPO, advantages, clamped, group_spread  # noqa: E402

METRICS = ("sharpness", "temporal_flickering")


def test_rewards_of_frames_are_the_rows_of_files_and_teach_a_policy(tmp_path: Path) -> None:
    clips = [render(Scene(action="walk", seed=seed, width=64, height=48, num_frames=4)) for seed in range(4)]
    (tmp_path / "clips").mkdir()
    with DecoderPool() as pool:
        for place, frames in enumerate(clips):
            pool.encode(frames, fps=24.0, path=tmp_path / "clips" / f"{place}.mkv")
    options = RunOptions(out=tmp_path / "runs", db=None, mlflow=None, cache=None)
    record = evaluate("custom", videos=tmp_path / "clips", metrics=list(METRICS), options=options)
    run = options.out / record.run_id
    write_constants(measure_constants([run], name="files"), tmp_path / "constants.json")
    rows = {(row.metric, row.item_id): row.value for row in RunFolder(run).read_scores()}

    parts = {name: anisora.reward(f"metric_reward:{name}=1", constants=tmp_path / "constants.json") for name in METRICS}
    with CombinedReward(parts, {"sharpness": 3.0}) as judge:
        frames = torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3)
        batch = judge(frames, [""] * 4, fps=24)
        for name in METRICS:
            raw = np.array([rows[name, str(place)] for place in range(4)], np.float64)
            assert batch.dimensions[f"{name}/{name}"].numpy().tobytes() == raw.astype(np.float32).tobytes()
            np.testing.assert_allclose(batch.normalised[f"{name}/{name}"], (raw - raw.mean()) / raw.std(), rtol=1e-3)
        torch.testing.assert_close(
            batch.total, (3 * batch.dimensions["sharpness"] + batch.dimensions["temporal_flickering"]) / 4
        )

        learnt = _train(as_flow_grpo(judge, fps=24), clips[0])
    assert learnt[0] > 0.6 > 0.3 > learnt[1]
    for part in parts.values():
        part.close()  # type: ignore[attr-defined]


def _train(reward_fn: object, clip: np.ndarray) -> list[float]:
    """Train a policy that chooses between a clip, the clip blurred, and a broken one; return its probabilities."""
    blurred = degrade("blur", clip, severity=0.8)
    choices = torch.from_numpy(np.stack([clip, blurred, clip])).permute(0, 1, 4, 2, 3).float() / 255
    choices[2] = torch.nan
    logits = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.SGD([logits], lr=1.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        drawn = torch.multinomial(logits.detach().softmax(0), 8, replacement=True, generator=generator)
        prompts = ["a girl walks"] * 8
        rewards, _ = reward_fn(choices[drawn], prompts, [{}] * 8)  # type: ignore[operator]
        total, valid = torch.from_numpy(rewards["avg"]), torch.from_numpy(rewards["valid"])
        found = clamped(advantages(total, prompts, FLOW_GRPO, valid=valid), 5.0)
        kept = group_spread(total, prompts, valid=valid).is_spread
        loss = -(found * logits.log_softmax(0)[drawn])[kept].sum() / max(int(kept.sum()), 1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    probabilities: list[float] = logits.detach().softmax(0).tolist()
    return probabilities
