"""Recognition by a gallery: against a slow computation in plain Python, and what the two modes tell."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError, MetricError
from anisora.reward.character.gallery_score import gallery_score, identities_of, identity_probabilities

NAMES = ["Belle", "tom", "BELLE", "Homer", "tom "]
IDENTITIES = ("belle", "tom", "homer", "tom ")


def features(seed: int, objects: int = 3, frames: int = 4, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    queries = draw.standard_normal((objects, frames, width)).astype(np.float32)
    return queries, draw.standard_normal((len(NAMES), width)).astype(np.float32)


def slow(queries: np.ndarray, gallery: np.ndarray) -> list[list[float]]:
    found = []
    for character in queries.tolist():
        total = [0.0] * len(IDENTITIES)
        for frame in character:
            means = []
            for identity in IDENTITIES:
                dots = [
                    sum(a * b for a, b in zip(frame, picture, strict=True))
                    for picture, name in zip(gallery.tolist(), NAMES, strict=True)
                    if name.lower() == identity
                ]
                means.append(sum(dots) / len(dots))
            exponentials = [math.exp(mean) for mean in means]
            total = [t + e / sum(exponentials) for t, e in zip(total, exponentials, strict=True)]
        found.append([t / len(character) for t in total])
    return found


@given(seed=st.integers(0, 2**32), objects=st.integers(1, 4), frames=st.integers(1, 8), width=st.integers(1, 9))
def test_it_is_what_plain_python_computes(seed: int, objects: int, frames: int, width: int) -> None:
    queries, gallery = features(seed, objects, frames, width)
    found = identity_probabilities(queries, gallery, NAMES)
    np.testing.assert_allclose(found, slow(queries, gallery), atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)


@given(seed=st.integers(0, 2**32), order=st.permutations(range(len(NAMES))))
def test_the_order_of_the_gallery_does_not_matter(seed: int, order: list[int]) -> None:
    queries, gallery = features(seed)
    first = gallery_score(queries, gallery, NAMES)
    other = gallery_score(queries, gallery[order], [NAMES[index] for index in order])
    assert other.score == pytest.approx(first.score)
    assert other.winners == first.winners


def test_identities_differ_by_spaces_and_not_by_case() -> None:
    assert identities_of(NAMES) == IDENTITIES


def test_large_features_do_not_overflow() -> None:
    queries, gallery = features(1)
    found = gallery_score(queries * 1e4, gallery * 1e4, NAMES)
    assert 1 / len(IDENTITIES) < found.score <= 1


def test_the_reference_rewards_the_wrong_character_and_the_corrected_mode_does_not() -> None:
    gallery = 6 * np.eye(len(NAMES), dtype=np.float32)
    queries = np.broadcast_to(gallery[3], (1, 8, len(NAMES)))
    taken = gallery_score(queries, gallery, NAMES)
    assert taken.winners == ("homer",)
    assert taken.score > 0.99
    wrong = gallery_score(queries, gallery, NAMES, mode="corrected", expected=["Belle"])
    assert wrong.winners == ("homer",)
    assert wrong.score < 0.01
    right = gallery_score(queries, gallery, NAMES, mode="corrected", expected=["HOMER"])
    assert right.score == taken.score


@given(seed=st.integers(0, 2**32))
def test_the_corrected_score_is_that_of_the_expected_together(seed: int) -> None:
    queries, gallery = features(seed)
    chances = identity_probabilities(queries, gallery, NAMES)
    found = gallery_score(queries, gallery, NAMES, mode="corrected", expected=["Tom", "belle", "TOM"])
    np.testing.assert_allclose(found.object_scores, chances[:, 0] + chances[:, 1])
    assert found.score == pytest.approx(np.mean(found.object_scores))
    everyone = gallery_score(queries, gallery, NAMES, mode="corrected", expected=NAMES)
    assert everyone.score == pytest.approx(1)


def test_the_score_is_the_mean_over_the_characters() -> None:
    queries, gallery = features(3)
    found = gallery_score(queries, gallery, NAMES)
    singles = [gallery_score(queries[index : index + 1], gallery, NAMES).score for index in range(len(queries))]
    assert found.object_scores == pytest.approx(singles)
    assert found.score == pytest.approx(np.mean(singles))


def test_a_gallery_of_one_identity_is_an_error() -> None:
    queries, gallery = features(0)
    with pytest.raises(DataError, match=r"has 1 identity \(tom\); expected two or more"):
        gallery_score(queries, gallery, ["tom"] * len(NAMES))


def test_expected_names_are_needed_and_must_be_known() -> None:
    queries, gallery = features(0)
    with pytest.raises(DataError, match="`expected` is empty"):
        gallery_score(queries, gallery, NAMES, mode="corrected")
    with pytest.raises(DataError, match=r"names 'bele', which the gallery of 4 lacks\. Did you mean 'belle'"):
        gallery_score(queries, gallery, NAMES, mode="corrected", expected=["Bele"])
    with pytest.raises(ConfigError, match="`mode` got 'strict'; expected one of reference, corrected"):
        gallery_score(queries, gallery, NAMES, mode="strict")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("queries", "gallery", "names", "message"),
    [
        ((0, 8, 5), (5, 5), 5, r"`queries` has shape \(0, 8, 5\)"),
        ((2, 0, 5), (5, 5), 5, "expected .objects, frames, D., none of them 0"),
        ((8, 5), (5, 5), 5, r"`queries` has shape \(8, 5\)"),
        ((2, 8, 5), (5, 4), 5, r"`gallery` has shape \(5, 4\); expected \(pictures, 5\)"),
        ((2, 8, 5), (5,), 5, r"`gallery` has shape \(5,\)"),
        ((2, 8, 5), (4, 5), 5, "`names` has 5 entries; expected 4"),
    ],
)
def test_shapes_that_do_not_fit_are_errors(
    queries: tuple[int, ...], gallery: tuple[int, ...], names: int, message: str
) -> None:
    with pytest.raises(MetricError, match=message):
        gallery_score(np.ones(queries), np.ones(gallery), NAMES[:names])


@pytest.mark.parametrize("what", ["queries", "gallery"])
def test_numbers_that_are_not_finite_are_errors(what: str) -> None:
    queries, gallery = features(0)
    (queries if what == "queries" else gallery).flat[2] = np.nan
    with pytest.raises(MetricError, match=f"`{what}` has 1 numbers that are not finite"):
        gallery_score(queries, gallery, NAMES)
