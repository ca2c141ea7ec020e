"""Characters of rendered clips, from the first frame to a row: real detector, small real embedder, own gallery."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from local_metrics import needs
from PIL import Image as PillowImage
from tiny_regressors import EMBEDDER, tiny_embedder

from anisora.harness.errors import ConfigError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.registry import registry
from anisora.harness.render import Scene, render
from anisora.harness.runfolder import ScoreRow, sha256_of_file
from anisora.harness.stages.aggregate import aggregate
from anisora.harness.stages.plan import plan_metrics
from anisora.harness.stages.score import score_one
from anisora.harness.statistics.clustered_mean import clustered_mean
from anisora.harness.types import Condition, FrameArray, Frames, Generation, Image, Sample, Score
from anisora.reward.anime_reward import AnimeReward
from anisora.reward.character.box_masks import BoxMasks
from anisora.reward.character.face_boxes import FaceBoxes
from anisora.reward.character.gallery import Gallery, build_gallery, load_gallery, save_gallery
from anisora.reward.character.gallery_listing import crops_of_folders
from anisora.reward.character.tracks import boxes_of, tracked_characters
from anisora.reward.character_consistency import CharacterConsistency, expected_characters
from anisora.reward.extractors.character_embeddings import CharacterEmbeddings

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = needs("anime_faces")

LOOKS = {"aoi": 24, "emi": 25, "hana": 6, "kei": 92, "mio": 101, "ren": 33}
"""{character: the seed that draws it}"""
OTHERS = dict(zip(LOOKS, [*list(LOOKS)[1:], "aoi"], strict=True))
HOW = {"detector": "faces", "tracker": "box"}


def drawn(name: str, action: str = "cast", num_frames: int = 16) -> Frames:
    return render(Scene(action=action, seed=LOOKS[name], num_frames=num_frames))


def crops_of(frames: Frames) -> list[Frames]:
    found = tracked_characters(frames, boxes_of(frames[0], frames, FaceBoxes()), BoxMasks(), mode="corrected")
    return list(found.characters[0].images)


@pytest.fixture(scope="module")
def characters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops for each character, of another action than the clips that are scored."""
    folder = tmp_path_factory.mktemp("characters")
    for name in LOOKS:
        (folder / name).mkdir()
        for place, crop in enumerate(crops_of(drawn(name, "wave"))[::4]):
            PillowImage.fromarray(crop).save(folder / name / f"{place}.png")
    return folder


@pytest.fixture(scope="module")
def gallery(characters: Path) -> Gallery:
    with DecoderPool(processes=1) as pool:
        return build_gallery(
            characters,
            tuple(crops_of_folders(characters)),
            tiny_embedder(),
            reader=pool,
            weights="of a test",
            side=EMBEDDER.vision.image_size,
        )


@pytest.fixture(scope="module")
def store() -> Iterator[FeatureStore]:
    embedder = tiny_embedder()
    extractors = {}
    for mode in ("reference", "corrected"):
        made = CharacterEmbeddings(mode, "faces", "box", network=embedder)
        extractors[made.info.name] = made
    with FeatureStore(pool=DecoderPool(), extractors=extractors) as opened:
        yield opened


def score(
    metric: CharacterConsistency,
    frames: Frames,
    store: FeatureStore,
    folder: Path,
    *,
    image: Frames | None = None,
    named: object = (),
    item: str = "a",
    model: str = "m",
) -> Score:
    path = folder / f"{np.random.default_rng().integers(1 << 60)}.png"
    PillowImage.fromarray(frames[0] if image is None else image).save(path)
    condition = Condition(keyframes=((0.0, Image(path=path, digest=sha256_of_file(path))),))
    sample = Sample(id=item, condition=condition, metadata={"characters": named})
    return score_one(metric, Generation(sample=sample, clip=FrameArray(frames=frames, fps=16.0), model=model), store)


def metric_of(gallery: Gallery, mode: str) -> CharacterConsistency:
    return CharacterConsistency(mode=mode, known=gallery, **HOW)


def test_the_corrected_score_falls_where_somebody_else_goes_on(gallery, store, tmp_path) -> None:
    metric = metric_of(gallery, "corrected")
    falls = []
    for name, other in OTHERS.items():
        kept = drawn(name)
        swapped = np.concatenate([kept[:4], drawn(other)[4:]])
        values = [score(metric, frames, store, tmp_path, named=name).value for frames in (kept, swapped)]
        assert None not in values
        falls.append(values[0] - values[1])
    difference = clustered_mean(falls, list(OTHERS))
    assert difference.low is not None
    assert difference.low > 0, difference


def test_the_released_score_does_not_ask_who_it_is(gallery, store, tmp_path) -> None:
    frames = drawn("kei")
    whoever = score(metric_of(gallery, "reference"), frames, store, tmp_path)
    assert whoever.note == "taken for kei"
    right, wrong = (
        score(metric_of(gallery, "corrected"), frames, store, tmp_path, named=who) for who in ("kei", "ren")
    )
    assert whoever.value > 0.3
    assert right.value > 0.3 > wrong.value


def test_two_figures_are_two_characters(gallery, store, tmp_path) -> None:
    both = np.concatenate([drawn("kei"), drawn("aoi")], axis=2)
    metric = metric_of(gallery, "corrected")
    found = score(metric, both, store, tmp_path, named=["Kei", "Aoi"])
    assert len(found.parts["characters"]) == 2
    assert found.parts["seen"] == [16.0, 16.0]
    assert found.value == pytest.approx(np.mean(found.parts["characters"]))
    assert found.value > score(metric, both, store, tmp_path, named="ren").value


@pytest.mark.parametrize("mode", ["reference", "corrected"])
def test_a_clip_without_a_figure_is_unscored_and_says_what_to_do(mode, gallery, store, tmp_path) -> None:
    empty = np.ascontiguousarray(drawn("kei")[:, :, :96])  # beside the figure
    found = score(metric_of(gallery, mode), empty, store, tmp_path, named="kei")
    assert found.value is None
    assert found.note.startswith("no character was found in the conditioning image; ")


def test_the_empty_clip_is_told_as_coverage(gallery, store, tmp_path) -> None:
    metric = metric_of(gallery, "corrected")
    clips = {"kei": drawn("kei"), "ren": drawn("ren"), "nobody": np.ascontiguousarray(drawn("kei")[:, :, :96])}
    rows = []
    for item, frames in clips.items():
        found = score(metric, frames, store, tmp_path, named=item if item in LOOKS else "kei", item=item)
        rows.append(
            ScoreRow(
                item_id=item,
                seed=0,
                cluster=item,
                metric=metric.info.name,
                metric_version=1,
                value=found.value,
                weight=found.weight,
                status="unscored" if found.value is None else "ok",
                note=found.note,
                parts={},
            )
        )
    (result,) = aggregate(rows, {metric.info.name: metric.info})
    assert (result.scored, result.unscored, result.clusters) == (2, 1, 2)
    assert result.value == pytest.approx(np.mean([row.value for row in rows[:2]]))


def test_a_short_clip_and_a_stranger_are_unscored_with_the_reason(gallery, store, tmp_path) -> None:
    metric = metric_of(gallery, "corrected")
    assert score(metric, drawn("kei", num_frames=5), store, tmp_path, named="kei").value is None
    stranger = score(metric, drawn("kei"), store, tmp_path, named="keii")
    assert (stranger.value, stranger.note) == (
        None,
        "'keii' is not in the gallery of 6 characters; did you mean 'kei'? Add pictures to the gallery",
    )
    nobody = score(metric, drawn("kei"), store, tmp_path)
    assert nobody.value is None
    assert "add the column `characters`" in nobody.note


def test_clips_of_one_name_from_two_models_do_not_share_a_score(gallery, store, tmp_path) -> None:
    """The released code keeps crops by file name, and gives the second model's clip the first one's score."""
    metric = metric_of(gallery, "reference")
    first = drawn("kei")
    second = np.concatenate([first[:1], drawn("ren")[1:]])
    values = [
        score(metric, frames, store, tmp_path, item="same", model=model).value
        for frames, model in ((first, "one"), (second, "two"), (first, "two"))
    ]
    assert values[0] == values[2] != values[1]


def test_the_gallery_is_part_of_the_protocol(gallery, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "0")
    save_gallery(replace(gallery, weights="untrained:0"), tmp_path / "own.safetensors")
    spelled = f"character_consistency:detector=faces,gallery={tmp_path / 'own.safetensors'},tracker=box"
    metric = registry("metrics").create(spelled)
    assert metric.info.name == spelled
    assert metric.info.files == (("gallery", load_gallery(tmp_path / "own.safetensors").digest),)
    monkeypatch.setenv("ANISORA_GALLERY", str(tmp_path / "own.safetensors"))
    assert registry("metrics").create("character_consistency").info.files == metric.info.files
    assert registry("metrics").create("character_consistency").info.name == "character_consistency"


def test_without_a_gallery_nothing_is_scored(monkeypatch) -> None:
    monkeypatch.delenv("ANISORA_GALLERY", raising=False)
    metric = registry("metrics").create("character_consistency")
    assert "anisora reward gallery build" in metric.info.obstacle
    with pytest.raises(ConfigError, match="needs a gallery of known characters"):
        plan_metrics(["character_consistency"], [], leave_out=False)
    with pytest.raises(ConfigError, match="needs a gallery of known characters"):
        AnimeReward()


def test_words_that_are_not_known_are_refused() -> None:
    with pytest.raises(ConfigError, match="`detector` got 'eyes'; expected one of grounding_dino, faces"):
        CharacterConsistency(detector="eyes")
    with pytest.raises(ConfigError, match="`tracker` got 'hand'; expected one of samurai, sam2, box"):
        CharacterConsistency(tracker="hand")


@pytest.mark.parametrize(
    ("named", "expected"),
    [("Aoi; Ren", ("Aoi", "Ren")), (["Aoi"], ("Aoi",)), ("", ()), ((), ())],
)
def test_the_characters_of_an_item_are_a_list_or_a_text(named, expected) -> None:
    assert expected_characters(Sample(id="a", metadata={"characters": named})) == expected
