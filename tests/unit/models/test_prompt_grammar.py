"""Lines as each release reads them, and lines written for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.inputs.prompt_lists import parse_prompt_line, split_score_suffix
from anisora.models.prompt_grammar import GRAMMARS, mask_video_of, parse_line, recommended_prompt, write_line

WITHOUT_POSITIONS = [name for name, grammar in GRAMMARS.items() if grammar.positions == "none"]
WITH_POSITIONS = [name for name in GRAMMARS if name not in WITHOUT_POSITIONS]


@pytest.mark.parametrize("release", GRAMMARS)
def test_spaces_and_carriage_returns_are_kept_and_line_feeds_are_not(release: str) -> None:
    end = "" if release in WITHOUT_POSITIONS else "&&0\r"
    line = parse_line(f" A cat. @@ a.png \r{end}\n", release)
    assert (line.prompt, line.images, line.positions) == (" A cat. ", (" a.png \r",), (0.0,))
    assert line.sent == line.prompt + GRAMMARS[release].appended


@pytest.mark.parametrize("release", WITHOUT_POSITIONS)
def test_all_behind_the_mark_is_one_path_where_there_are_no_positions(release: str) -> None:
    assert parse_line("A && B.@@a,b.png&&0,1", release).images == ("a,b.png&&0,1",)


@pytest.mark.parametrize(
    ("release", "line", "words"),
    [
        ("v1", "A cat.", "has '@@' 0 times where release 'v1' expects it once"),
        ("v2", "A@@B@@a.png", "has '@@' 2 times"),
        ("v3", "A cat.@@a.png", "has '&&' 0 times"),
        ("v3", "A && B.@@a.png&&0", "has '&&' 2 times"),
        ("v3.2", "A cat.@@a.png&&0&&1", "has '&&' 2 times"),
        ("v3.2", "A cat.@@a.png,b.png", "has 2 images and 1 positions"),
        ("v3.2", "A cat.@@a.png&&0,1", "has 1 images and 2 positions"),
        ("v3", "A cat.@@a.png&&", "has the position ''; expected a number from 0 to 1"),
        ("any-mask", "", "has '@@' 0 times"),
    ],
)
def test_a_line_that_stops_the_script_is_refused_in_one_line(release: str, line: str, words: str) -> None:
    with pytest.raises(DataError, match="expect") as caught:
        parse_line(line, release)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_v3_reads_numbers_of_images_and_positions_that_differ() -> None:
    line = parse_line("A.@@a.png,b.png&&0.5", "v3")
    assert (line.images, line.positions) == (("a.png", "b.png"), (0.5,))


def test_numbers_are_whatever_python_reads_as_one() -> None:
    assert parse_line("A.@@a,b,c&& 1e-1 , .25,2", "v3.2").positions == (0.1, 0.25, 2.0)


def test_an_unknown_release_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Release 'v3\.3' is not known\. Did you mean 'v3(\.2)?'"):
        parse_line("A.@@a", "v3.3")


paths = st.text(st.characters(exclude_characters="@&,\n", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
prompts = st.text(st.characters(exclude_characters="@&\n", exclude_categories=["C"]), max_size=20)


@given(
    release=st.sampled_from(WITH_POSITIONS),
    prompt=prompts,
    placed=st.lists(st.tuples(paths, st.floats(0, 1)), min_size=1, max_size=4),
)
def test_what_is_written_is_read_back(release: str, prompt: str, placed: list[tuple[str, float]]) -> None:
    images, positions = tuple(path for path, _ in placed), tuple(position for _, position in placed)
    line = write_line(prompt, images, positions, release)
    read = parse_line(f"{line}\n", release)
    assert (read.prompt, read.images, read.positions) == (prompt, images, positions)


@given(prompt=prompts, path=paths)
def test_one_line_serves_v32_and_the_reader_of_all_releases(prompt: str, path: str) -> None:
    read = parse_prompt_line(write_line(prompt, (path,), (0.5,), "v3.2"))
    assert (read.images, read.positions) == ((path,), (0.5,))
    assert (read.prompt, read.suffix) == split_score_suffix(prompt)


@pytest.mark.parametrize(
    ("release", "prompt", "images", "positions"),
    [
        ("v3", "A.", ("a,b.png",), (0.0,)),
        ("v3.2", "A.", ("a&&b.png",), (0.0,)),
        ("v2", "A.", ("a@@b.png",), (0.0,)),
        ("v2", "A@@B.", ("a.png",), (0.0,)),
        ("v3", "A && B.", ("a.png",), (0.0,)),
        ("v2", "A.", ("a.png",), (0.5,)),
        ("v1", "A.", ("a.png", "b.png"), (0.0, 1.0)),
        ("v3", "A.\nB.", ("a.png",), (0.0,)),
        ("v3.2", "A.", ("a.png",), (float("nan"),)),
    ],
)
def test_what_no_line_can_say_is_refused(
    release: str, prompt: str, images: tuple[str, ...], positions: tuple[float, ...]
) -> None:
    with pytest.raises(DataError, match=f"is not read back as it was meant by release '{release}'"):
        write_line(prompt, images, positions, release)


def test_a_comma_and_a_mark_in_a_prompt_are_read_where_the_script_does() -> None:
    assert write_line("A, B && C.", ("a.png",), (0.0,), "v3.2") == "A, B && C.@@a.png&&0.0"
    assert write_line("A.", ("a,b.png",), (0.0,), "v2") == "A.@@a,b.png"


@pytest.mark.parametrize(("images", "positions"), [((), ()), (("a.png",), ()), (("a.png",), (0.0, 1.0))])
def test_each_image_needs_a_position(images: tuple[str, ...], positions: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="expected as many, at least one"):
        write_line("A.", images, positions, "v3.2")


def test_the_suffixes_are_those_of_the_authors_examples() -> None:
    assert recommended_prompt("A.", "v1") == "A. aesthetic score: 5.5. motion score: 0.7."
    assert recommended_prompt("A.", "v3.2", motion=2.5) == (
        "A. aesthetic score: 5.5. motion score: 2.5. There is no text in the video."
    )
    sent = parse_line(f"{recommended_prompt('A.', 'v3')}@@a.png&&0", "v3").sent
    assert sent.count("There is no text in the video.") == 2  # the script appends it whatever the prompt says


@pytest.mark.parametrize("release", GRAMMARS)
def test_a_suffix_is_not_added_twice_and_is_taken_off_again(release: str) -> None:
    prompt = recommended_prompt("A girl waves.", release)
    assert recommended_prompt(prompt, release) == prompt
    assert split_score_suffix(prompt)[0] == "A girl waves."


@pytest.mark.parametrize(("release", "motion"), [("v1", 2.0), ("v2", 0.7), ("v3", 1.3), ("v3.2", float("nan"))])
def test_a_motion_score_on_another_releases_scale_is_refused(release: str, motion: float) -> None:
    with pytest.raises(ConfigError, match=f"`motion` got {motion!r}; expected .*, the range of release '{release}'"):
        recommended_prompt("A.", release, motion=motion)


def test_the_mask_lies_beside_its_video() -> None:
    assert mask_video_of("a.mp4/b.mp4") == "a.mp4/b_mask.mp4"
    with pytest.raises(DataError, match=r"`a\.webm` is no \.mp4; release 'any-mask' expects one"):
        mask_video_of("a.webm")
