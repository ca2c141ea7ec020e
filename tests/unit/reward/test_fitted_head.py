"""A fitted head on disk: its card, its seal, and the metric it becomes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import anisora
from anisora.harness.errors import ConfigError, DataError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.render import ACTIONS, Scene, render
from anisora.harness.stages.plan import metric_names, plan_metrics
from anisora.harness.types import Condition, FrameArray, Generation, Image, Sample
from anisora.reward.clip_features import clip_vector, pooled
from anisora.reward.fit_head_of_clips import FitRequest, FittedFolder, fit_head_of_clips
from anisora.reward.head_folder import read_head
from anisora.reward.head_problems import FitOptions
from anisora.reward.rated_clips import groups_of, judged_clips
from anisora.reward.ratings import ClipKey, ClipRating, Judgements, Preference


def clips(count: int = 24) -> dict[ClipKey, Generation]:
    """Two clips an item, the second darker."""
    found = {}
    for at in range(count):
        frames = render(Scene(action=ACTIONS[at % len(ACTIONS)], seed=at, width=64, height=48, num_frames=4))
        for model, made in (("bright", frames), ("dark", frames // 2)):
            sample = Sample(id=f"i{at}", label=ACTIONS[at % len(ACTIONS)])
            found[ClipKey(sample.id, model)] = Generation(
                sample=sample, clip=FrameArray(frames=made, fps=24.0), model=model
            )
    return found


@pytest.fixture(scope="module")
def request_of(tmp_path_factory: pytest.TempPathFactory) -> FitRequest:
    folder = tmp_path_factory.mktemp("fit")
    (folder / "ratings.csv").write_text("sample_id,model,rating\n", encoding="utf-8")
    there = clips()
    ratings = tuple(
        ClipRating(clip=key, value=4.0 if key.model == "bright" else 2.0, raters=1) for key in sorted(there)
    )
    return FitRequest(
        ratings=folder / "ratings.csv",
        judgements=Judgements(dimension="light", ratings=ratings),
        clips=there,
        extractors=("frame_statistics", "temporal_difference"),
        out=folder / "head",
        rating_scale=(1.0, 5.0),
        frames=4,
        options=FitOptions(draws=1000),
        cache=folder / "cache",
        command="anisora reward fit --ratings ratings.csv",
    )


@pytest.fixture(scope="module")
def fitted(request_of: FitRequest) -> FittedFolder:
    return fit_head_of_clips(request_of)


@pytest.fixture
def store() -> Iterator[FeatureStore]:
    with FeatureStore(pool=DecoderPool()) as made:
        yield made


def test_the_head_scores_clips_as_it_was_fitted(
    fitted: FittedFolder, request_of: FitRequest, store: FeatureStore
) -> None:
    metric = registry("metrics").create(f"fitted_head:path={request_of.out}")
    assert metric.info.title == "Fitted head: light"
    assert metric.info.obstacle == ""
    head, config = read_head(request_of.out)
    assert config == fitted.config
    for clip in list(request_of.clips.values())[:4]:
        vector = clip_vector(clip, metric.info.requests, store)
        assert metric.score(clip, store).value == float(head.score(vector[None])[0])
    bright, dark = (metric.score(request_of.clips[ClipKey("i0", model)], store).value for model in ("bright", "dark"))
    assert bright > dark


def test_a_second_fit_reads_the_cache_and_writes_the_same_bytes(
    fitted: FittedFolder, request_of: FitRequest, tmp_path: Path
) -> None:
    again = fit_head_of_clips(replace(request_of, out=tmp_path / "again"))
    assert fitted.computed > 0
    assert again.computed == 0
    for name in ("head.safetensors", "config.json", "model_card.md"):
        assert (tmp_path / "again" / name).read_bytes() == (request_of.out / name).read_bytes()


def test_the_card_says_what_it_was_fitted_on(fitted: FittedFolder, request_of: FitRequest) -> None:
    card = (request_of.out / "model_card.md").read_text(encoding="utf-8")
    for text in (
        "# Fitted head: light",
        fitted.config.data["sha256"],
        fitted.config.data["clips_digest"],
        "`frame_statistics` version",
        "seed 0; 14 groups to train, 5 to validate, 5 to test",
        "anisora reward fit --ratings ratings.csv",
        "## Licence and limits",
        "| test | 10 | 5 |",
    ):
        assert text in card, text
    assert "UNTRAINED" not in card
    assert set(fitted.config.split["clips"].values()) == {"train", "validation", "test"}
    by_item: dict[str, set[str]] = {}
    for clip, part in fitted.config.split["clips"].items():
        by_item.setdefault(clip.partition(" of ")[0], set()).add(part)
    assert all(len(parts) == 1 for parts in by_item.values())


def test_ratings_can_be_fitted_as_preferences(request_of: FitRequest, tmp_path: Path) -> None:
    found = fit_head_of_clips(replace(request_of, as_preferences=True, out=tmp_path / "head"))
    assert found.config.kind == "preferences"
    assert found.config.rating_scale is None
    assert found.config.data["rows"] == 24
    assert registry("metrics").create(f"fitted_head:path={tmp_path / 'head'}").info.unit == "log odds"
    items = [f"i{at}" for at in range(24)]
    preferences = tuple(Preference(left=ClipKey(it, "bright"), right=ClipKey(it, "dark"), outcome=1) for it in items)
    judged = replace(request_of, judgements=Judgements(dimension="light", preferences=preferences))
    assert fit_head_of_clips(replace(judged, out=tmp_path / "judged")).config.data["rows"] == 24


@pytest.mark.parametrize("name", ["head.safetensors", "config.json"])
def test_an_altered_or_missing_file_is_refused(
    name: str, fitted: FittedFolder, request_of: FitRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "head"
    folder.mkdir()
    for path in request_of.out.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = bytearray((folder / name).read_bytes())
    if name == "config.json":
        data = json.loads(content)
        data["tie_threshold"] += 1.0
        content = bytearray(json.dumps(data).encode())
    else:
        content[-1] ^= 1
    (folder / name).write_bytes(content)
    spelled = f"fitted_head:path={folder}"
    with pytest.raises(ConfigError, match="was altered"):
        plan_metrics([spelled], [], leave_out=False)
    with pytest.raises(ConfigError, match="was altered"):
        anisora.reward(spelled)
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=rf"has no {name}"):
        plan_metrics([spelled], [], leave_out=False)


def test_without_its_folder_it_is_listed_and_cannot_be_asked_for() -> None:
    assert registry("metrics").create("fitted_head").info.group == "fitted"
    assert "fitted_head" not in metric_names(["core", "local"])
    with pytest.raises(ConfigError, match="write fitted_head:path=DIR"):
        plan_metrics(["fitted_head"], [], leave_out=False)


def test_the_protocol_has_the_digest_of_the_head(fitted: FittedFolder, request_of: FitRequest) -> None:
    name = f"fitted_head:path={request_of.out}"
    entry = plan_metrics([name], [], leave_out=False).protocol[name]
    assert entry["files"] == {"head.safetensors": fitted.config.head_sha256, "config.json": fitted.config.digest}
    assert entry["frame_statistics"]["sampling"] == "uniform-4"


def test_it_is_a_reward(fitted: FittedFolder, request_of: FitRequest) -> None:
    videos = np.stack(
        [np.asarray(request_of.clips[ClipKey("i3", model)].clip.frames) for model in ("bright", "dark")]
    ).transpose(0, 1, 4, 2, 3)
    with anisora.reward(f"fitted_head:path={request_of.out}") as reward:
        found = reward(videos, ["", ""], fps=24.0)
    assert found.valid.all()
    assert found.total[0] > found.total[1]


def test_a_head_of_random_weights_says_so_and_is_of_them_alone(
    request_of: FitRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    few = {key: clip for key, clip in request_of.clips.items() if int(key.sample_id[1:]) < 6}
    judgements = Judgements(
        dimension="light", ratings=tuple(each for each in request_of.judgements.ratings if each.clip in few)
    )
    asked = replace(
        request_of,
        clips=few,
        judgements=judgements,
        extractors=("efficientnet_lite0",),
        out=tmp_path / "head",
        frames=1,
    )
    monkeypatch.setenv("ANISORA_UNTRAINED", "3")
    found = fit_head_of_clips(asked)
    assert found.config.untrained == "untrained:named-normal-1:3"
    assert "**UNTRAINED.**" in (asked.out / "model_card.md").read_text(encoding="utf-8")
    spelled = f"fitted_head:path={asked.out}"
    assert plan_metrics([spelled], [], leave_out=False).weights["efficientnet-lite0"].startswith("untrained:")
    monkeypatch.delenv("ANISORA_UNTRAINED")
    with pytest.raises(ConfigError, match="was fitted on weights `efficientnet-lite0` with digest untrained"):
        plan_metrics([spelled], [], leave_out=False)


def test_what_cannot_be_fitted_is_said_in_one_line(request_of: FitRequest, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 judged clips are not there, such as 'zz of bright'"):
        judged_clips([ClipKey("zz", "bright")], dict(request_of.clips))
    with pytest.raises(DataError, match="have no column `model`"):
        judged_clips([ClipKey("i0")], dict(request_of.clips))
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="which holds something else"):
        fit_head_of_clips(replace(request_of, out=tmp_path))
    with pytest.raises(ConfigError, match="expected numbers a frame"):
        pooled({"words": np.array(["a"])}, "reader")
    assert np.isnan(pooled({"value": np.array([np.nan, np.nan])})).all()


def test_clips_that_share_an_item_an_image_or_a_first_frame_are_one_group() -> None:
    image = Image(path=Path("a.png"), digest="same")
    condition = Condition(keyframes=((0.0, image),))
    made = {
        ClipKey("a"): Sample(id="a", condition=condition, label="run"),
        ClipKey("b"): Sample(id="b", condition=condition, label="run"),
        ClipKey("c"): Sample(id="c", label="walk"),
        ClipKey("d", "x"): Sample(id="d", label="walk"),
        ClipKey("d", "y"): Sample(id="d", label="walk"),
        ClipKey("e"): Sample(id="e", label="jump"),
    }
    frames = FrameArray(frames=np.zeros((1, 4, 4, 3), np.uint8), fps=24.0)
    there = {key: Generation(sample=sample, clip=frames, model=key.model) for key, sample in made.items()}
    digests = {key: str(key) for key in there} | {ClipKey("c"): "first", ClipKey("d", "y"): "first"}
    groups = groups_of(there, digests)
    assert groups[ClipKey("a")] == groups[ClipKey("b")]
    assert groups[ClipKey("c")] == groups[ClipKey("d", "x")] == groups[ClipKey("d", "y")]
    assert len(set(groups.values())) == 3
    unrelated = {key: str(key) for key in there}
    by_label = groups_of(there, unrelated, by="label")
    assert by_label[ClipKey("c")] == by_label[ClipKey("d", "x")]
