"""Filmstrips: frames of real clips, which clips they take, and what they draw."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_systems import drawn_systems
from PIL import Image
from scored_systems import TRUTH

from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.types import Clip, Frames
from anisora.leaderboards.report.choice import Choice, Kind
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import figure_style
from anisora.leaderboards.report.paper_figures.figure_data import FigureWords, Omission
from anisora.leaderboards.report.paper_figures.filmstrip import MOST, Filmstrip, data_of, draw

SAY = FigureWords("en")
MEANS = {"alpha": 0.4, "beta": 0.6, TRUTH: 0.5}


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as made:
        yield made


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, pool: DecoderPool) -> dict[tuple[str, str], Clip]:
    """Clips of three systems: two items, of different length and size."""
    folder, made = tmp_path_factory.mktemp("clips"), {}
    for at, model in enumerate(MEANS):
        for item, shape in (("walk", (11, 48, 64)), ("run", (4 + at, 64, 400))):
            frames = np.random.default_rng(at).integers(0, 256, (*shape, 3), np.uint8)
            path = folder / f"{model}-{item}.mkv"
            pool.encode(frames, fps=12.0, path=path, encoder="ffv1")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            made[f"smoke-{model}", item] = Clip(path=path, digest=digest)
    return made


def chosen(*pairs: tuple[str, Kind]) -> tuple[Choice, ...]:
    return tuple(Choice(item=item, kind=kind, quality=0.5, dispute=0.1) for item, kind in pairs)


def report(clips: dict[tuple[str, str], Clip], *pairs: tuple[str, Kind]) -> ReportData:
    return drawn_systems(MEANS).report(clips=clips, choices=chosen(*(pairs or [("walk", "best"), ("run", "worst")])))


def frames_of(strip: bytes, count: int = 6) -> list[Frames]:
    with Image.open(io.BytesIO(strip)) as image:
        assert image.format == "PNG"
        return np.split(np.asarray(image.convert("RGB")), count, axis=1)


def test_frames_are_those_of_the_clips_evenly_spaced(clips: dict[tuple[str, str], Clip], pool: DecoderPool) -> None:
    film, _ = data_of(report(clips), SAY)
    assert isinstance(film, Filmstrip)
    assert (film.item, film.kind) == ("walk", "best")
    assert film.heads == tuple(f"frame {at}" for at in (0, 2, 4, 6, 8, 10))
    assert [row.system.label for row in film.rows] == [TRUTH, "alpha", "beta"]
    for row in film.rows:
        clip = clips[row.system.run_id, "walk"]
        frames, _ = pool.read_frames(clip)
        assert row.clip_sha256 == hashlib.sha256(clip.path.read_bytes()).hexdigest()
        assert (row.frames, row.clip_frames) == ((0, 2, 4, 6, 8, 10), 11)
        for index, shown in zip(row.frames, frames_of(row.strip), strict=True):
            assert np.array_equal(shown, frames[index])


def test_large_frames_are_made_small_and_short_clips_repeat_theirs(clips: dict[tuple[str, str], Clip]) -> None:
    _, film = data_of(report(clips), SAY)
    assert isinstance(film, Filmstrip)
    assert film.heads == ("0 %", "20 %", "40 %", "60 %", "80 %", "100 %")  # lengths differ
    lengths = {row.system.label: (row.clip_frames, row.frames) for row in film.rows}
    assert lengths["alpha"] == (4, (0, 1, 1, 2, 2, 3))
    assert lengths[TRUTH] == (6, (0, 1, 2, 3, 4, 5))
    assert {frame.shape for row in film.rows for frame in frames_of(row.strip)} == {(29, 180, 3)}


def test_the_first_item_of_each_kind_is_shown(clips: dict[tuple[str, str], Clip]) -> None:
    films = data_of(report(clips, ("walk", "best"), ("run", "best"), ("run", "disputed")), SAY)
    assert [(film.item, film.kind) for film in films] == [("walk", "best"), ("run", "disputed")]


def test_clips_that_are_absent_or_damaged_are_left_out_and_counted(
    clips: dict[tuple[str, str], Clip], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(b"no video")
    some = {**clips, ("smoke-alpha", "walk"): Clip(path=damaged, digest="0" * 64)}
    del some["smoke-beta", "walk"]
    film, other = data_of(report(some), SAY)
    assert [row.system.label for row in film.rows] == [TRUTH]
    assert "Clips that are not on this machine or cannot be read: 2." in film.note
    assert len(other.rows) == 3
    assert "cannot be read" not in other.note


def test_items_without_clips_have_no_filmstrip_and_say_so(clips: dict[tuple[str, str], Clip]) -> None:
    assert data_of(report({}), SAY) == [Omission(figure="filmstrip", reason=SAY("film_omitted"))]
    walks = {key: clip for key, clip in clips.items() if key[1] == "walk"}
    film, other = data_of(report(walks), SAY)
    assert isinstance(film, Filmstrip)
    assert other == Omission(figure="filmstrip", reason="No clip of run is on this machine.")


def test_a_page_has_room_for_so_many_systems(clips: dict[tuple[str, str], Clip]) -> None:
    means = {f"m{at:02}": 0.01 * at for at in range(MOST + 2)} | {TRUTH: 0.5}
    clip = clips[f"smoke-{TRUTH}", "walk"]
    scored = drawn_systems(means)
    every = {(row.run_id, "walk"): clip for row in scored.table.rows}
    counted: list[int] = []
    (film,) = data_of(
        scored.report(clips=every, choices=chosen(("walk", "best"))), SAY, advance=lambda: counted.append(1)
    )
    assert len(film.rows) == MOST + 1
    assert f"The best {MOST} of {MOST + 2} systems are shown" in film.note
    assert len(counted) == 1  # equal clips are read once


def test_frames_are_drawn_in_lines_in_their_shape(clips: dict[tuple[str, str], Clip]) -> None:
    film, _ = data_of(report(clips), SAY)
    with figure_style():
        figure = draw(film)
    assert len(figure.axes) == 3 * 6
    shown = [axes.images[0].get_array() for axes in figure.axes]
    wanted = [frame for row in film.rows for frame in frames_of(row.strip)]
    assert all(np.array_equal(one, other) for one, other in zip(shown, wanted, strict=True))
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        place = axes.get_position()
        assert place.height * height / (place.width * width) == pytest.approx(48 / 64)
        assert 0 <= place.x0 < place.x1 <= 1
        assert 0 <= place.y0 < place.y1 <= 1
    texts = [text.get_text() for text in figure.texts]
    assert {"frame 10", TRUTH, "alpha", "beta"} <= set(texts)


@pytest.mark.parametrize(
    ("strip", "message"),
    [
        (b"GIF89a", "is no PNG that can be read"),
        (b"", "is no PNG that can be read"),
        ((3000, 2000), "has 3000 x 2000 pixels; expected 4000000 at most"),
        ((5, 4), "is 5 pixels wide; expected 6 frames"),
    ],
)
def test_a_strip_that_is_no_picture_is_refused(
    clips: dict[tuple[str, str], Clip], strip: bytes | tuple[int, int], message: str
) -> None:
    film, _ = data_of(report(clips), SAY)
    if isinstance(strip, tuple):
        packed = io.BytesIO()
        Image.new("RGB", strip).save(packed, "PNG")
        strip = packed.getvalue()
    row = film.rows[0].model_copy(update={"strip": strip})
    with figure_style(), pytest.raises(DataError, match=message):
        draw(film.model_copy(update={"rows": (row,)}))
