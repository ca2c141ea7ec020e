import json
import time

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.errors import DataError
from anisora.harness.inputs.prompt_lists import parse_prompt_line, read_prompt_list, split_score_suffix


def test_a_line_is_prompt_images_and_positions():
    line = parse_prompt_line("A && B. motion score: 1.3.@@img/a.png,img/b.png&& 0 , 1e-1")
    assert (line.prompt, line.suffix) == ("A && B.", "motion score: 1.3.")
    assert (line.images, line.positions) == (("img/a.png", "img/b.png"), (0.0, 0.1))
    assert parse_prompt_line("A cat runs.@@a.png").positions == ()
    assert parse_prompt_line("A cat runs.@@a.png&&0,1").positions == (0.0, 1.0)  # frames of the clip are asked for


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("A cat runs.", "has 0 times '@@'"),
        ("A cat @@ runs.@@a.png", "has 2 times '@@'"),
        ("A cat runs.@@a.png&&0&&1", "has 2 times '&&'"),
        ("A cat runs.@@", "has '' after '@@'; expected the path of an image"),
        ("A cat runs.@@a.png,&&0,1", "expected the path of an image"),
        ("A cat runs.@@a.png,b.png&&0", "has 2 images and 1 positions"),
        ("A cat runs.@@a.png,b.png", "has 2 images and 0 positions"),
        ("A cat runs.@@a.png&&x", "has the position 'x'; expected a number from 0 to 1"),
        ("A cat\x1b[2J runs.@@a.png", "has control characters"),
    ],
)
def test_what_is_no_line_is_refused(line, words):
    with pytest.raises(ValueError, match="expected") as caught:
        parse_prompt_line(line)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "suffix",
    [
        "aesthetic score: 5.5. motion score: 1.3. The video has no subtitles.",
        "aesthetic score: 5.5. motion score: 3.0. There is no text in the video.",
        "motion score: 2.",
        "aesthetic score: 5.5, motion score: 10, camera motion: pan left",
        "Aesthetic Score: 4.7. camera motion: tilt up. THERE IS NO TEXT IN THE VIDEO",
    ],
)
def test_the_suffix_is_kept_apart(suffix):
    prompt = "In this video, a girl waves; the motion score: 3. of the judges is shown."
    assert split_score_suffix(f"{prompt} {suffix}") == (prompt, suffix)
    assert split_score_suffix(f" {prompt}{suffix} ") == (prompt, suffix)
    assert split_score_suffix(suffix) == ("", suffix)
    assert split_score_suffix(prompt) == (prompt, "")


def test_a_long_prompt_is_split_quickly():
    start = time.perf_counter()
    assert split_score_suffix("a " * 50_000 + "." + " motion score: 1." * 500)[1].count("score") == 500
    assert split_score_suffix(" " * 100_000 + ".")[1] == ""
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_both_encodings_are_told_apart(tmp_path, encoding):
    path = tmp_path / "list.txt"
    path.write_bytes("她微笑。@@a.png\r\n\r\nA cat.@@b.png\n 她挥手。@@c.png".encode(encoding))
    found = read_prompt_list(path)
    assert found.encoding == encoding.removesuffix("-sig")
    assert found.lines == ((1, "她微笑。@@a.png"), (3, "A cat.@@b.png"), (4, " 她挥手。@@c.png"))
    assert found.undecodable == ()


def test_a_damaged_line_does_not_change_the_encoding_of_the_others(tmp_path):
    path = tmp_path / "list.txt"
    # In GBK, the two bytes of ä are a character as well.
    path.write_bytes("Nausicaä runs.@@a.png\nNausicaä waves.@@b.png\n".encode() + b"Nausica\xe4 sits.@@c.png\n")
    found = read_prompt_list(path)
    assert (found.encoding, found.undecodable) == ("utf-8", (3,))
    assert [line for _, line in found.lines] == ["Nausicaä runs.@@a.png", "Nausicaä waves.@@b.png"]
    path.write_bytes("她微笑。@@a.png\n她挥手。@@b.png\n".encode("gbk") + b"\xff\xff@@c.png\n")
    found = read_prompt_list(path)
    assert (found.encoding, found.undecodable) == ("gbk", (3,))


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt` cannot be read"):
        read_prompt_list(tmp_path / "none.txt")


@needs_shared
def test_lines_mean_what_they_mean_to_the_scripts():
    expected = json.loads((GOLDEN / "c11_prompt_grammar" / "expected.json").read_text(encoding="utf-8"))
    for row in expected["line_v32"]:
        if "error" in row["out"]:
            # One image with several positions is read here: V3 takes it.
            if row["line"].count("png") == 1 and row["out"]["error"] == "AssertionError":
                assert len(parse_prompt_line(row["line"]).positions) > 1
                continue
            with pytest.raises(ValueError, match="expected"):
                parse_prompt_line(row["line"])
            continue
        found = parse_prompt_line(row["line"])
        assert found.prompt == row["out"]["prompt"].strip()
        assert list(found.images) == row["out"]["images"]
        assert list(found.positions or (0.0,)) == row["out"]["positions"]
    read_by_v3 = [row for row in expected["line_v3"] if "error" not in row["out"]]
    assert read_by_v3
    for row in read_by_v3:
        if len(row["out"]["images"]) in (1, len(row["out"]["positions"])):
            found = parse_prompt_line(row["line"])
            assert list(found.images) == row["out"]["images"]
            assert list(found.positions) == row["out"]["positions"]
    for row in expected["line_v2"]:
        if "error" not in row["out"] and "&&" not in row["line"]:
            assert parse_prompt_line(row["line"]).images == (row["out"]["image"],)
