"""Short names of systems."""

import pytest

from anisora.leaderboards.report.paper_figures.labels import LONGEST, short_labels

LONG = ":steps=8,guidance=4.5,shift=3,resolution=720p"


def test_short_names_stay_as_they_are() -> None:
    names = ["a", "b" * LONGEST, "", "a"]
    assert short_labels(names) == names


def test_a_long_name_loses_its_middle() -> None:
    (label,) = short_labels(["start" + "x" * 90 + "end"])
    assert len(label) < LONGEST
    assert label.startswith("start")
    assert label.endswith("end")
    assert "…" in label


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (
            [f"anisora-distilled-tuned-{at}{LONG}" for at in (1, 2)],
            ["anisora-distilled-tuned-1…", "anisora-distilled-tuned-2…"],
        ),
        (
            [f"{LONG}-{'y' * 30}-with-{at}-inside-it-and-the-same-end" for at in (1, 2)],
            ["…1-inside-it-and-the-same-end", "…2-inside-it-and-the-same-end"],
        ),
    ],
)
def test_names_that_would_become_alike_lose_what_they_share(names: list[str], labels: list[str]) -> None:
    found = short_labels([*names, "other"])
    assert len(set(found)) == 3
    assert found == [*labels, "other"]


def test_names_that_are_alike_stay_alike() -> None:
    assert len(set(short_labels([f"same{LONG}{LONG}"] * 3))) == 1
