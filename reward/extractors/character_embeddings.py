"""The characters of a clip as the identity embedder sees them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import ConfigError, MetricError
from anisora.harness.extras import require_extra
from anisora.harness.networks import shared_network
from anisora.harness.protocols import Batch, ExtractorInfo
from anisora.harness.registry import Spec
from anisora.harness.types import Frames
from anisora.reward.character.box_masks import BoxMasks
from anisora.reward.character.mask_crop import CROPS_PER_OBJECT, RECIPES
from anisora.reward.character.tracks import (
    CharacterDetector,
    CharacterTracker,
    TrackedCharacters,
    boxes_of,
    tracked_characters,
)
from anisora.reward.mode import Mode, read_mode
from anisora.reward.networks.grounding_dino import WEIGHTS as DETECTOR
from anisora.reward.networks.identity_embedder import WEIGHTS as EMBEDDER
from anisora.reward.networks.identity_embedder import IdentityEmbedder
from anisora.reward.networks.sam2_video import WEIGHTS as TRACKER

if TYPE_CHECKING:
    import torch

__all__ = ["CharacterEmbeddings", "Detector", "Tracker", "box_finder", "follower", "read_choice"]

Detector = Literal["grounding_dino", "faces"]
"""``grounding_dino``: what the text "character." names. ``faces``: figures around the faces that animeface finds."""
Tracker = Literal["samurai", "sam2", "box"]
"""``samurai``: SAM 2.1 with SAMURAI's choices. ``sam2``: without them. ``box``: the box itself, in every frame."""

_FACES: Final = "animeface"
_DETECTOR_WEIGHTS: Final[dict[Detector, tuple[str, ...]]] = {"grounding_dino": (DETECTOR,), "faces": (_FACES,)}
_TRACKER_WEIGHTS: Final[dict[Tracker, tuple[str, ...]]] = {"samurai": (TRACKER,), "sam2": (TRACKER,), "box": ()}


def read_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse what is not among the known words of an argument.

    Raises:
        ConfigError: It is not.
    """
    if value not in known:
        raise ConfigError(f"`{name}` got {value!r}; expected one of {', '.join(known)}.")


class CharacterEmbeddings:
    """Per clip: boxes of characters, the frames in which each is seen, and eight embeddings of each that is kept.

    All characters of a clip are followed at once, over all of its frames, which are held in memory for it: 3 bytes a
    pixel, and 2 for the map of who is where.
    """

    def __init__(
        self,
        mode: str = "reference",
        detector: Detector = "grounding_dino",
        tracker: Tracker = "samurai",
        *,
        network: IdentityEmbedder | None = None,
        boxes: CharacterDetector | None = None,
        masks: CharacterTracker | None = None,
    ) -> None:
        """Choose the networks; none is loaded yet.

        Args:
            mode: ``reference`` or ``corrected``; see ``character/tracks.py``.
            detector: What finds characters in the conditioning image.
            tracker: What follows them.
            network: The embedder, in place of the ledger's.
            boxes: A detector in place of the ledger's.
            masks: A tracker in place of the ledger's.

        Raises:
            ConfigError: There is no such mode, detector or tracker.
        """
        self._mode: Mode = read_mode(mode)
        read_choice("detector", detector, get_args(Detector))
        read_choice("tracker", tracker, get_args(Tracker))
        self._detector, self._tracker = detector, tracker
        self._network, self._boxes, self._masks = network, boxes, masks
        given = {"mode": self._mode, "detector": detector, "tracker": tracker}
        defaults = {"mode": "reference", "detector": "grounding_dino", "tracker": "samurai"}
        self.info = ExtractorInfo(
            name=str(Spec("character_embeddings", {key: given[key] for key in given if given[key] != defaults[key]})),
            version=1,
            window=0,
            preprocess=f"{detector}-{tracker}-{self._mode}-crops-pillow-{RECIPES['query'].id}",
            needs=frozenset({"keyframes"}),
            weights=(*_DETECTOR_WEIGHTS[detector], EMBEDDER, *_TRACKER_WEIGHTS[tracker]),
            extra="models",
            distributions=("torch", "transformers"),
            summary="embeddings of eight crops of each character that the conditioning image shows",
        )

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        """Return ``boxes`` (B, n, 4), ``seen`` (B, n) frames and ``embeddings`` (B, kept, 8, D).

        Raises:
            MetricError: No image is at position 0.
        """
        require_extra(self.info)
        image = next((picture for position, picture in batch.images if position == 0.0), None)
        if image is None:
            raise MetricError(
                "Extractor `character_embeddings` got no image at position 0; give the item a first frame."
            )
        rows = [self._of_clip(frames, image) for frames in batch.frames]
        return {key: np.stack([row[key] for row in rows]) for key in rows[0]}

    def _of_clip(self, frames: Frames, image: Frames) -> dict[str, NDArray[Any]]:
        boxes = boxes_of(image, frames, self._boxes or box_finder(self._detector))
        embedder = self._network or shared_network("identity_embedder", IdentityEmbedder, (EMBEDDER,))
        width = embedder.sizes.embedding
        found = (
            tracked_characters(frames, boxes, self._masks or follower(self._tracker), mode=self._mode)
            if len(boxes)
            else None
        )
        kept = found.characters if found else ()
        embeddings = np.zeros((len(kept), CROPS_PER_OBJECT, width), np.float32)
        for place, character in enumerate(kept):
            embeddings[place] = embedder(_pixels(character.images, embedder.sizes.vision.image_size)).numpy()
        return {"boxes": boxes, "seen": _seen(found, len(boxes)), "embeddings": embeddings}


def box_finder(detector: str) -> CharacterDetector:
    """Return the detector of a name, loaded with its first picture or here.

    Raises:
        ConfigError: There is none.
        WeightsMissing: Its weights are absent.
    """
    read_choice("detector", detector, get_args(Detector))
    if detector == "faces":
        from anisora.reward.character.face_boxes import FaceBoxes

        made: CharacterDetector = shared_network("face_boxes", FaceBoxes, (_FACES,))
        return made
    from anisora.reward.networks.grounding_dino import GroundingDino

    network: CharacterDetector = shared_network("grounding_dino", GroundingDino, (DETECTOR,))
    return network


def follower(tracker: str) -> CharacterTracker:
    """Return the tracker of a name.

    Raises:
        ConfigError: There is none.
        WeightsMissing: Its weights are absent.
    """
    read_choice("tracker", tracker, get_args(Tracker))
    if tracker == "box":
        return BoxMasks()
    from anisora.reward.networks.sam2_video import Sam2Video

    selection: Literal["samurai", "plain"] = "samurai" if tracker == "samurai" else "plain"
    network: CharacterTracker = shared_network(
        f"sam2_video-{selection}", lambda: Sam2Video(selection=selection), (TRACKER,)
    )
    return network


def _pixels(images: tuple[Frames, ...], side: int) -> "torch.Tensor":
    """Return (N, 3, side, side) of crops."""
    import torch

    recipe = replace(RECIPES["query"], side=side)
    return torch.cat([recipe.picture(image) for image in images])


def _seen(found: TrackedCharacters | None, count: int) -> NDArray[np.int64]:
    return np.zeros(count, np.int64) if found is None else np.array(found.seen, np.int64)
