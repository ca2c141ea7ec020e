"""The anime reward from videos to totals: all six dimensions, real classes of tiny size, nothing downloaded."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from local_metrics import needs
from PIL import Image as PillowImage
from shared_data import CLIPS, needs_shared
from tiny_reward import tiny_extractors, tiny_gallery, untrained

import anisora
from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import RewardBatch
from anisora.harness.registry import registry
from anisora.harness.render import Scene, prompt_of, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.suite import load_suite
from anisora.harness.types import Condition, Frames, Image
from anisora.reward.anime_reward import DIMENSIONS, AnimeReward
from anisora.reward.character.gallery import save_gallery

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("open_clip")
pytestmark = needs("anime_faces")

SCENES = [Scene(action="wave", seed=seed, num_frames=30) for seed in (24, 92)]
PROMPTS = [prompt_of(scene) for scene in SCENES]
CHOICES = {"detector": "faces", "tracker": "box"}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "known.safetensors"
    with untrained():
        save_gallery(tiny_gallery(), path)
    return path


@pytest.fixture(scope="module")
def store() -> Iterator[FeatureStore]:
    with FeatureStore(pool=DecoderPool(), extractors=tiny_extractors()) as opened:
        yield opened


@pytest.fixture(scope="module")
def judge(store: FeatureStore, gallery: Path) -> AnimeReward:
    with untrained():
        return AnimeReward(gallery=str(gallery), features=store, **CHOICES)


@pytest.fixture(scope="module")
def clips() -> list[Frames]:
    return [render(scene) for scene in SCENES]


@pytest.fixture(scope="module")
def images(clips: list[Frames], tmp_path_factory: pytest.TempPathFactory) -> list[Condition]:
    folder = tmp_path_factory.mktemp("images")
    return [conditioned(frames[0], folder / f"{place}.png") for place, frames in enumerate(clips)]


def conditioned(pixels: Frames, path: Path) -> Condition:
    PillowImage.fromarray(pixels).save(path)
    return Condition(keyframes=((0.0, Image(path=path, digest=sha256_of_file(path))),))


def stacked(clips: list[Frames]) -> np.ndarray:
    return np.stack([frames.transpose(0, 3, 1, 2) for frames in clips])


def plain(batch: RewardBatch) -> dict[str, list[float]]:
    """{dimension without its choices: values}"""
    return {name.partition(":")[0]: values.tolist() for name, values in batch.dimensions.items()}


def test_all_six_dimensions_and_a_total(judge: AnimeReward, clips: list[Frames], images: list[Condition]) -> None:
    batch = judge(stacked(clips), PROMPTS, images, fps=24.0)
    found = plain(batch)
    assert sorted(found) == sorted(DIMENSIONS)
    assert np.isfinite([*found.values()]).all(), [row for row in batch.scores]
    weighted = [found[name] for name in DIMENSIONS if name != "visual_motion"]
    np.testing.assert_allclose(batch.total, np.mean(weighted, axis=0), rtol=1e-6)
    assert batch.valid.all()
    weights = dict(zip(judge.info.dimensions, judge.info.weights, strict=True))
    assert weights["visual_motion"] == 0.0
    assert sum(weights.values()) == 5.0


def test_a_score_depends_on_what_its_dimension_reads_alone(
    judge: AnimeReward, clips: list[Frames], images: list[Condition]
) -> None:
    def first(frames: Frames, prompt: str, image: Condition) -> dict[str, float]:
        found = plain(judge(stacked([frames]), [prompt], [image], fps=24.0))
        return {name: values[0] for name, values in found.items()}

    base = first(clips[0], PROMPTS[0], images[0])
    changed = {
        what: {name for name, value in first(*given).items() if abs(value - base[name]) > 1e-6}
        for what, given in {
            "reversed": (clips[0][::-1].copy(), PROMPTS[0], images[0]),
            "image": (clips[0], PROMPTS[0], images[1]),
            "prompt": (clips[0], "rain , sun .", images[0]),
        }.items()
    }
    assert changed["prompt"] == {"visual_smoothness", "visual_appeal", "text_video_consistency"}
    assert "image_video_consistency" in changed["image"]
    assert changed["image"] <= {"image_video_consistency", "character_consistency"}
    assert {"visual_smoothness", "visual_appeal", "visual_motion"} <= changed["reversed"]


def test_clips_do_not_depend_on_the_batch_they_come_in(
    judge: AnimeReward, clips: list[Frames], images: list[Condition]
) -> None:
    both = plain(judge(stacked(clips), PROMPTS, images, fps=24.0))
    for place in range(2):
        alone = plain(judge(stacked([clips[place]]), [PROMPTS[place]], [images[place]], fps=24.0))
        for name, values in alone.items():
            assert values[0] == pytest.approx(both[name][place], abs=1e-5)


_ELSEWHERE = """
import json, sys
import numpy as np
from tiny_reward import tiny_extractors, untrained
from test_anime_reward import CHOICES, PROMPTS, SCENES, conditioned, plain, stacked
from pathlib import Path
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import render
from anisora.reward.anime_reward import AnimeReward

clips = [render(scene) for scene in SCENES]
folder = Path(sys.argv[2])
images = [conditioned(frames[0], folder / f"{place}.png") for place, frames in enumerate(clips)]
with FeatureStore(pool=DecoderPool(), extractors=tiny_extractors()) as store:
    with untrained():
        judge = AnimeReward(gallery=sys.argv[1], features=store, **CHOICES)
    print(json.dumps(plain(judge(stacked(clips), PROMPTS, images, fps=24.0))))
"""


def test_another_process_gets_the_same_scores(
    judge: AnimeReward, clips: list[Frames], images: list[Condition], gallery: Path, tmp_path: Path
) -> None:
    here = plain(judge(stacked(clips), PROMPTS, images, fps=24.0))
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(gallery), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])},
    )
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout.splitlines()[-1])
    assert there.keys() == here.keys()
    for name, values in there.items():
        assert values == pytest.approx(here[name], abs=1e-5)


def test_the_corrected_mode_is_another_reward(
    judge: AnimeReward, store: FeatureStore, gallery: Path, clips: list[Frames], images: list[Condition]
) -> None:
    names = [name for name in DIMENSIONS if name != "character_consistency"]  # asks whom the clip is to show
    with untrained():
        corrected = AnimeReward(mode="corrected", dimensions=names, features=store)
        reference = AnimeReward(dimensions=names, features=store)
    found = plain(corrected(stacked(clips), PROMPTS, images, fps=24.0))
    assert np.isfinite([*found.values()]).all()
    assert corrected.info.fingerprint != reference.info.fingerprint
    assert all(name.endswith(":mode=corrected") for name in corrected.info.dimensions)
    released = plain(judge(stacked(clips), PROMPTS, images, fps=24.0))
    assert found["text_video_consistency"] != released["text_video_consistency"]


def test_motion_enters_the_total_only_where_it_is_asked_into_it(
    store: FeatureStore, clips: list[Frames], images: list[Condition]
) -> None:
    names = "visual_motion+image_video_consistency"
    totals = {}
    for role in ("reported", "higher", "lower"):
        with untrained():
            asked = AnimeReward(dimensions=names, motion=role, features=store)
        batch = asked(stacked(clips), PROMPTS, images, fps=24.0)
        totals[role] = batch.total
    motion, image = batch.dimensions["visual_motion"], batch.dimensions["image_video_consistency"]
    np.testing.assert_allclose(totals["reported"], image)
    np.testing.assert_allclose(totals["higher"], (image + motion) / 2, rtol=1e-6)
    np.testing.assert_allclose(totals["lower"], (image - motion) / 2, rtol=1e-6)


def test_what_cannot_be_asked_for_is_refused(gallery: Path) -> None:
    with pytest.raises(ConfigError, match="`dimensions` got only visual_motion, which is not in the total"):
        anisora.reward("anime-reward:dimensions=visual_motion")
    with pytest.raises(ConfigError, match="`motion` got 'up'; expected one of reported, higher, lower"):
        AnimeReward(motion="up", gallery=str(gallery))  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match=r"'visual_apeal' is not known\. Did you mean 'visual_appeal'"):
        AnimeReward(dimensions=["visual_apeal"])


@pytest.mark.slow
def test_the_demo_suite_is_scored(judge: AnimeReward) -> None:
    suite = load_suite("demo")
    scores = {}
    for sample in registry("datasets").create(suite.dataset_spec):
        assert sample.ground_truth is not None
        batch = judge(
            [sample.ground_truth.path],
            [sample.prompt or ""],
            [sample.condition],
            fps=float(sample.metadata["fps"]),
        )
        scores[sample.id] = plain(batch)
        for name, values in scores[sample.id].items():
            if np.isnan(values[0]):  # no face, hence no character
                assert name == "character_consistency"
                (spelled,) = (wanted for wanted in judge.info.dimensions if wanted.startswith(name))
                assert batch.scores[0][spelled].note.startswith(("no character was found", "character 1 is seen in"))
    assert len(scores) >= 20
    assert np.isfinite([found["character_consistency"][0] for found in scores.values()]).sum() >= 10


@needs_shared
@pytest.mark.slow
def test_real_clips_are_scored(judge: AnimeReward) -> None:
    for path in sorted((CLIPS / "video").glob("*.mp4")):
        image = CLIPS / "image" / f"{path.stem}.png"
        condition = Condition(keyframes=((0.0, Image(path=image, digest=sha256_of_file(image))),))
        info = {"cartoon_films_da_dou_1": 30.0}
        batch = judge([path], ["a girl walks"], [condition], fps=info.get(path.stem, 16.0))
        found = plain(batch)
        assert np.isfinite([found[name][0] for name in DIMENSIONS if name != "character_consistency"]).all()
