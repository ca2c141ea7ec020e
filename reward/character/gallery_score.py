"""How sure a gallery of known characters is about who is seen in a clip.

Each frame of each character is compared with every picture of the gallery by a plain dot product of features; the mean
over the pictures of one identity goes through a softmax over identities, and the probabilities are averaged over the
frames. What is taken from them is a matter of the mode:

- ``reference``: the probability of whoever wins, right or wrong. It tells how surely a character is recognised, not
  whether it is the one that was asked for: a clip in which a well known character replaces another scores high.
- ``corrected``: the probability that the character is one of those the clip is annotated with.

Reference: reward/character/BLIP/infer_retrieval_pretrain_v2.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anisora.harness.errors import DataError, MetricError, nearest
from anisora.reward.mode import Mode, read_mode

__all__ = ["GalleryScore", "gallery_score", "identities_of", "identity_probabilities"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryScore:
    """What the gallery says about one clip."""

    score: float
    """Mean of ``object_scores``, 0..1; higher is better."""
    object_scores: tuple[float, ...]
    """One for each character in the clip, 0..1."""
    winners: tuple[str, ...]
    """The likeliest identity of each character, whether it is the right one or not."""
    identities: tuple[str, ...]
    """Those of the gallery, in the order of the columns of ``probabilities``."""
    probabilities: FloatArray
    """(objects, identities), each row sums to 1."""


def identities_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the identities that a gallery's names stand for, in the order in which they appear first.

    Names differ in case only: one identity. Spaces at the ends are kept, so that "Misty" and "Misty " are two, as they
    are in the published gallery's scores.
    """
    return tuple(dict.fromkeys(name.lower() for name in names))


def identity_probabilities(
    queries: NDArray[np.floating], gallery: NDArray[np.floating], names: Sequence[str]
) -> FloatArray:
    """Return how likely each character of a clip is each identity of a gallery.

    Args:
        queries: (objects, frames, D) features of the characters, not normalised.
        gallery: (pictures, D) features, not normalised.
        names: One for each picture of the gallery.

    Returns:
        (objects, identities), in the order of ``identities_of(names)``; each row sums to 1.

    Raises:
        MetricError: The shapes do not fit together, there is no character, no frame, or a number that is not finite.
        DataError: The gallery has fewer than two identities: any character would be sure to be the only one.
    """
    _check(queries, gallery, names)
    identities = identities_of(names)
    if len(identities) < 2:
        raise DataError(
            f"`gallery` has {len(identities)} identity ({', '.join(identities)}); expected two or more, since the only "
            "one would always win with probability 1. Add pictures of other characters."
        )
    columns = {identity: column for column, identity in enumerate(identities)}
    members = np.zeros((len(names), len(identities)))
    members[np.arange(len(names)), [columns[name.lower()] for name in names]] = 1.0
    members /= members.sum(axis=0)
    likeness = np.asarray(queries, np.float64) @ np.asarray(gallery, np.float64).T @ members
    exponentials = np.exp(likeness - likeness.max(axis=-1, keepdims=True))
    frames = exponentials / exponentials.sum(axis=-1, keepdims=True)
    mean: FloatArray = frames.mean(axis=1)
    return mean


def gallery_score(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    names: Sequence[str],
    *,
    mode: Mode = "reference",
    expected: Sequence[str] = (),
) -> GalleryScore:
    """Score one clip against a gallery.

    Args:
        queries: (objects, frames, D) features of the characters, not normalised. A clip without characters has no
            score: the caller tells so, with the reason.
        gallery: (pictures, D) features, not normalised.
        names: One for each picture of the gallery.
        mode: ``reference`` takes the probability of the winner, ``corrected`` that of the expected identities together.
        expected: Names of the characters that the clip is annotated with; needed by ``corrected`` alone. Their case
            does not matter, nor does naming one twice.

    Raises:
        ConfigError: There is no such mode.
        MetricError: The shapes do not fit together, there is no character, no frame, or a number that is not finite.
        DataError: The gallery has fewer than two identities, or ``corrected`` lacks expected names or gets one that the
            gallery does not know.
    """
    read_mode(mode)
    probabilities = identity_probabilities(queries, gallery, names)
    identities = identities_of(names)
    if mode == "reference":
        scores = probabilities.max(axis=1)
    else:
        scores = probabilities[:, _columns_of(expected, identities)].sum(axis=1)
    return GalleryScore(
        score=float(scores.mean()),
        object_scores=tuple(scores.tolist()),
        winners=tuple(identities[column] for column in probabilities.argmax(axis=1)),
        identities=identities,
        probabilities=probabilities,
    )


def _columns_of(expected: Sequence[str], identities: Sequence[str]) -> list[int]:
    wanted = identities_of(expected)
    if not wanted:
        raise DataError("`expected` is empty; expected the characters of the clip. Name them, or use mode reference.")
    for name in wanted:
        if name not in identities:
            close = nearest(name, identities)
            guess = f" Did you mean {close!r}?" if close else ""
            raise DataError(f"`expected` names {name!r}, which the gallery of {len(identities)} lacks.{guess}")
    return [identities.index(name) for name in wanted]


def _check(queries: NDArray[np.floating], gallery: NDArray[np.floating], names: Sequence[str]) -> None:
    if queries.ndim != 3 or 0 in queries.shape:
        raise MetricError(
            f"`queries` has shape {queries.shape}; expected (objects, frames, D), none of them 0. Leave clips without "
            "characters unscored."
        )
    if gallery.ndim != 2 or gallery.shape[1] != queries.shape[2]:
        raise MetricError(
            f"`gallery` has shape {gallery.shape}; expected (pictures, {queries.shape[2]}), as wide as the queries. "
            "Embed both by the same network."
        )
    if len(names) != len(gallery):
        raise MetricError(f"`names` has {len(names)} entries; expected {len(gallery)}, one for each gallery picture.")
    for what, features in (("queries", queries), ("gallery", gallery)):
        count = int(np.count_nonzero(~np.isfinite(features)))
        if count:
            raise MetricError(f"`{what}` has {count} numbers that are not finite; expected none. Check the embedder.")
