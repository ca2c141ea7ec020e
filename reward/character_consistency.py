"""Whether the characters of a clip are still who they were, as the anime reward has it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError, DataError, VideoUnreadable, nearest
from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.registry import Spec, registry
from anisora.harness.types import FrameSampling, Generation, Sample, Score
from anisora.metrics.scoring import scored, unscored
from anisora.reward.character.gallery import Gallery, load_gallery
from anisora.reward.character.gallery_score import gallery_score, identities_of
from anisora.reward.character.mask_crop import CROPS_PER_OBJECT
from anisora.reward.character.tracks import seen_too_rarely
from anisora.reward.mode import read_mode
from anisora.reward.networks.identity_embedder import WEIGHTS as EMBEDDER
from anisora.reward.regressor_score import LICENCE

__all__ = ["VARIABLE", "CharacterConsistency", "expected_characters"]

VARIABLE: Final = "ANISORA_GALLERY"
"""Names the gallery where the metric's argument does not."""
_COLUMN: Final = "characters"
_SOURCE: Final = "AniSora, reward/character/BLIP/infer_retrieval_pretrain_v2.py"


class CharacterConsistency:
    """How surely a gallery of known characters recognises those of a clip.

    ``reference``: the probability of whoever is likeliest, right or wrong, so that it tells how surely somebody is
    recognised. ``corrected``: the probability that it is one of the characters that the item names.
    """

    def __init__(
        self,
        gallery: Any = "",  # noqa: ANN401 - a specification makes numbers of digits
        mode: str = "reference",
        detector: str = "grounding_dino",
        tracker: str = "samurai",
        *,
        known: Gallery | None = None,
    ) -> None:
        """Read the gallery; what is wrong with it is kept as the obstacle of ``info``.

        Args:
            gallery: File that ``anisora reward gallery build`` wrote; else that of the variable ANISORA_GALLERY.
            mode: ``reference`` or ``corrected``.
            detector: ``grounding_dino`` or ``faces``.
            tracker: ``samurai``, ``sam2`` or ``box``.
            known: A gallery in place of a file.

        Raises:
            ConfigError: There is no such mode, detector or tracker.
        """
        self._mode = read_mode(mode)
        words = {"detector": detector, "mode": self._mode, "tracker": tracker}
        defaults = {"detector": "grounding_dino", "mode": "reference", "tracker": "samurai"}
        spoken = {key: value for key, value in words.items() if value != defaults[key]}
        extractor = str(Spec("character_embeddings", spoken))
        registry("extractors").create(extractor)  # a word that is not known is told now
        path = str(gallery) or os.environ.get(VARIABLE, "")
        name = str(Spec("character_consistency", {**spoken, **({"gallery": str(gallery)} if gallery else {})}))
        obstacle = ""
        self._gallery: Gallery | None = known
        if known is None:
            try:
                self._gallery = _read(path)
            except (ConfigError, DataError) as error:
                obstacle = str(error)
        digests = (("gallery", self._gallery.digest),) if self._gallery else ()
        self.info = MetricInfo(
            name=name,
            title="Character consistency",
            version=1,
            direction="higher",
            value_range=(0.0, 1.0),
            requests=(FeatureRequest(extractor=extractor, sampling=FrameSampling()),),
            source=_SOURCE,
            group="reward",
            needs=frozenset({"keyframes"}),
            min_frames=CROPS_PER_OBJECT,
            licence=LICENCE,
            commercial_use=False,
            mode=self._mode,
            obstacle=obstacle,
            files=digests,
            fitted_on=((EMBEDDER, self._gallery.weights),) if self._gallery and known is None else (),
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip.

        ``parts["characters"]`` has the score of each character, ``parts["seen"]`` in how many frames that of each box
        is seen; the note names whom the gallery takes them for.

        Returns:
            Value in 0..1, or None where there is no image at the beginning, no character is found or seen often enough,
            or, in mode ``corrected``, the item does not name its characters or names one that the gallery lacks.

        Raises:
            ConfigError: There is no gallery.
        """
        if self._gallery is None:
            raise ConfigError(self.info.obstacle)
        if 0.0 not in item.sample.condition.positions:
            return unscored(item, "no image is at position 0; add the first frame to the manifest")
        expected: tuple[str, ...] = ()
        if self._mode == "corrected":
            expected = expected_characters(item.sample)
            if reason := _unknown(expected, self._gallery):
                return unscored(item, reason)
        request = self.info.requests[0]
        try:
            found = features.get(item, request.extractor, request.sampling)
        except VideoUnreadable as error:  # not the clip's fault, whose frames were read
            return unscored(
                item, f"the conditioning image cannot be read ({error.reason}: {error.detail}); replace the file"
            )
        embeddings, seen = found["embeddings"][0], found["seen"][0].tolist()
        if not seen:
            return unscored(
                item, "no character was found in the conditioning image; look at it, or take another detector"
            )
        if not len(embeddings):
            total = features.stream(item).num_frames
            return unscored(
                item, "; ".join(seen_too_rarely(number, count, total) for number, count in enumerate(seen, start=1))
            )
        result = gallery_score(
            embeddings, self._gallery.embeddings, self._gallery.names, mode=self._mode, expected=expected
        )
        left_out = len(seen) - len(embeddings)
        note = "taken for " + ", ".join(result.winners) + (f"; {left_out} left out" if left_out else "")
        parts = {"characters": list(result.object_scores), "seen": [float(count) for count in seen]}
        return scored(item, result.score, parts=parts, note=note)


def expected_characters(sample: Sample) -> tuple[str, ...]:
    """Return who is to be seen in a clip: the column ``characters`` of the manifest, a list or names between ``;``."""
    named = sample.metadata.get(_COLUMN, ())
    names: Sequence[Any] = named.split(";") if isinstance(named, str) else named
    return tuple(str(name).strip() for name in names if str(name).strip())


def _unknown(expected: Sequence[str], gallery: Gallery) -> str:
    if not expected:
        return f"the item does not say whom it shows; add the column `{_COLUMN}` to the manifest, or use mode=reference"
    known = gallery.identities
    for name in identities_of(expected):
        if name not in known:
            close = nearest(name, known)
            guess = f"; did you mean {close!r}?" if close else ""
            return f"{name!r} is not in the gallery of {len(known)} characters{guess} Add pictures to the gallery"
    return ""


def _read(path: str) -> Gallery:
    if not path:
        raise ConfigError(
            "Metric `character_consistency` needs a gallery of known characters: build one with `anisora reward "
            f"gallery build` and write character_consistency:gallery=FILE, or set {VARIABLE}."
        )
    return load_gallery(Path(path))
