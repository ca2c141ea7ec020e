"""All networks of the anime reward at tiny sizes, with seeded weights, as the extractors of a store."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tiny_actionclip import tiny_actionclip
from tiny_judge import tiny_judge
from tiny_regressors import tiny_embedder, tiny_regressor, tiny_tokenizer

from anisora.harness.protocols import FeatureExtractor
from anisora.harness.weights import digests_of
from anisora.metrics.extractors.actionclip import Actionclip
from anisora.reward.character.gallery import PREPROCESS, Crop, Gallery
from anisora.reward.extractors.character_embeddings import CharacterEmbeddings
from anisora.reward.extractors.idefics2_appeal import Idefics2Appeal
from anisora.reward.extractors.idefics2_smooth import Idefics2Smooth
from anisora.reward.extractors.image_video_regressor import ImageVideoRegressor
from anisora.reward.extractors.image_video_regressor_images import ImageVideoRegressorImages
from anisora.reward.extractors.text_video_regressor import TextVideoRegressor
from anisora.reward.extractors.text_video_regressor_text import TextVideoRegressorText
from anisora.reward.judge.pictures import PictureRecipe
from anisora.reward.judge.remembered_pictures import RememberedPictures
from anisora.reward.mode import named
from anisora.reward.networks.identity_embedder import WEIGHTS as EMBEDDER

__all__ = ["tiny_extractors", "tiny_gallery", "untrained"]


@contextmanager
def untrained() -> Iterator[None]:
    """Let plans that are made inside the block name weights that are not here; the networks are given to the store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANISORA_UNTRAINED", "0")
        patch.setenv("ANISORA_DEVICE", "cpu")
        yield


def tiny_extractors(seed: int = 1) -> Mapping[str, FeatureExtractor]:
    """Make the extractors of all six dimensions, in both modes; characters by their faces, and kept in their boxes."""
    pictures = RememberedPictures(PictureRecipe(longest=98, shortest=42))
    judges = {"idefics2_smooth": (Idefics2Smooth, tiny_judge(0)), "idefics2_appeal": (Idefics2Appeal, tiny_judge(1))}
    towers = {"image": tiny_regressor("image", seed), "text": tiny_regressor("text", seed)}
    motion, embedder = tiny_actionclip(), tiny_embedder()
    made: dict[str, Any] = {
        "actionclip": Actionclip(network=motion),
        "actionclip:whole": Actionclip(whole=True, network=motion),
        "image_video_regressor": ImageVideoRegressor(network=towers["image"]),
        "text_video_regressor": TextVideoRegressor(network=towers["text"]),
    }
    for mode in ("reference", "corrected"):
        for name, (kind, judge) in judges.items():
            made[named(name, mode)] = kind(mode=mode, judge=judge, pictures=pictures)
        made[named("image_video_regressor_images", mode)] = ImageVideoRegressorImages(mode, network=towers["image"])
        made[named("text_video_regressor_text", mode)] = TextVideoRegressorText(
            mode, network=towers["text"], tokenizer=tiny_tokenizer()
        )
        characters = CharacterEmbeddings(mode, "faces", "box", network=embedder)
        made[characters.info.name] = characters
    return made


def tiny_gallery() -> Gallery:
    """Make a gallery of three characters whose embeddings are drawn."""
    names = ("aoi", "aoi", "emi", "ren")
    crops = tuple(Crop(f"{place}.png", name, f"{place:064d}") for place, name in enumerate(names))
    drawn = np.random.default_rng(0).standard_normal((len(names), tiny_embedder().sizes.embedding)).astype(np.float32)
    return Gallery(crops=crops, embeddings=drawn, weights=digests_of([EMBEDDER])[EMBEDDER], preprocess=PREPROCESS)
