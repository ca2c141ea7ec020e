"""Characters cut out of whole pictures: boxes of a detector and of a file, and galleries made of them."""

from pathlib import Path

import numpy as np
import pytest
from local_metrics import needs
from PIL import Image as PillowImage

from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, render
from anisora.harness.types import Frames
from anisora.reward.character.box_masks import BoxMasks
from anisora.reward.character.face_boxes import FaceBoxes
from anisora.reward.character.figure_cut import FigureCut, GivenBoxes, read_boxes
from anisora.reward.character.gallery import build_gallery, gallery_digest, load_gallery, preprocess_of, save_gallery
from anisora.reward.character.gallery_listing import crops_of_folders
from anisora.reward.character.mask_crop import square_crop

HEADER = "path,left,top,right,bottom\n"


@pytest.fixture(scope="module")
def picture() -> Frames:
    return render(Scene(action="wave", seed=24, num_frames=1))[0]


def written(folder: Path, text: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_given_box_is_cut_out_on_a_black_square(picture: Frames, tmp_path: Path) -> None:
    boxes = read_boxes(written(tmp_path, HEADER + "aoi/a.png,80,10,174,144\n"))
    crop = FigureCut(boxes, BoxMasks(), name="given")("aoi/a.png", picture)
    assert crop.shape == (134, 134, 3)
    assert np.array_equal(crop[:, 20:114], picture[10:144, 80:174])
    assert not crop[:, :20].any()
    assert not crop[:, 114:].any()


@needs("anime_faces")
def test_a_found_figure_is_cut_as_those_of_clips_are(picture: Frames) -> None:
    crop = FigureCut(FaceBoxes(), BoxMasks(), name="faces-box")("a.png", picture)
    (box,) = FaceBoxes().boxes(picture)
    mask = BoxMasks().label_map(picture[None], box[None])[0]
    assert np.array_equal(crop, square_crop(picture, mask)[0])


@needs("anime_faces")
def test_a_picture_of_two_or_none_is_not_guessed_about(picture: Frames) -> None:
    cut = FigureCut(FaceBoxes(), BoxMasks(), name="faces-box")
    with pytest.raises(DataError, match=r"`a\.png` has 2 characters; expected one"):
        cut("a.png", np.concatenate([picture, picture], axis=1))
    with pytest.raises(DataError, match=r"`a\.png` has no characters; expected one"):
        cut("a.png", np.full((144, 256, 3), 200, np.uint8))


def test_a_box_beside_the_picture_holds_nobody(picture: Frames) -> None:
    cut = FigureCut(GivenBoxes({"a.png": (300, 0, 400, 50)}, "d"), BoxMasks(), name="given")
    with pytest.raises(DataError, match="no pixel of a character inside its box"):
        cut("a.png", picture)
    with pytest.raises(DataError, match=r"`b\.png` has no box; expected one"):
        cut("b.png", picture)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,left,top\n", "lack the column right, bottom"),
        (HEADER + "a.png,5,0,5,9\n", "line 2 got 5, 0, 5, 9; expected left < right"),
        (HEADER + "a.png,x,0,5,9\n", "line 2 got x, 0, 5, 9"),
        (HEADER + "a.png,0,0,5\n", "line 2 got 0, 0, 5, None"),
        (HEADER + "a.png,0,0,5,9\na.png,1,1,5,9\n", "line 3: `a.png` has a second box"),
    ],
)
def test_a_wrong_file_of_boxes_names_the_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told.replace(".", r"\.")):
        read_boxes(written(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_boxes(tmp_path / "none.csv")


def test_a_gallery_of_whole_pictures_knows_how_they_were_cut(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from tiny_regressors import EMBEDDER, tiny_embedder

    folder = tmp_path / "pictures"
    for name, seed in (("aoi", 24), ("ren", 33)):
        (folder / name).mkdir(parents=True)
        PillowImage.fromarray(render(Scene(action="wave", seed=seed, num_frames=1))[0]).save(folder / name / "0.png")
    crops = crops_of_folders(folder)
    boxes = read_boxes(written(tmp_path, HEADER + "aoi/0.png,80,10,174,144\nren/0.png,80,10,174,144\n"))
    cut = FigureCut(boxes, BoxMasks(), name=f"boxes-{boxes.digest[:16]}-box")
    given = {"weights": "w", "side": EMBEDDER.vision.image_size}
    with DecoderPool(processes=1) as pool:
        whole = build_gallery(folder, crops, tiny_embedder(), reader=pool, **given)
        made = build_gallery(folder, crops, tiny_embedder(), reader=pool, cut=cut, **given)
        lacking = FigureCut(GivenBoxes({}, "d"), BoxMasks(), name="x")
        with pytest.raises(DataError, match=r"has 2 pictures that cannot be used: `aoi/0\.png` has no box"):
            build_gallery(folder, crops, tiny_embedder(), reader=pool, cut=lacking, **given)
    assert not np.array_equal(made.embeddings, whole.embeddings)
    assert made.digest == gallery_digest(crops, weights="w", preprocess=preprocess_of(cut)) != whole.digest
    save_gallery(made, tmp_path / "own.safetensors")
    assert load_gallery(tmp_path / "own.safetensors").preprocess == preprocess_of(cut)
