"""Pictures as tokens, against transformers' own processor, and tokenizers that cannot be right."""

import json
from pathlib import Path

import pytest
from tiny_judge import SIZES, word_tokenizer

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.reward.judge.tokens import FAKE, IMAGE, expanded, read_tokenizer, token_ids

pytest.importorskip("tokenizers")

A, B = 2, 3  # the letters' ids
BOUNDARY, PICTURE = SIZES.image_token - 1, SIZES.image_token


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<image> <image> ", "FIIF FIIF "),
        ("a <image><image> b", "a FIIFIIF b"),
        ("a<image>b", "aFIIFb"),
        ("nothing", "nothing"),
        ("<image><image><image>", "FIIFIIFIIF"),
    ],
)
def test_pictures_share_a_boundary_only_where_they_touch(text: str, expected: str) -> None:
    assert expanded(text, 2).replace(FAKE, "F").replace(IMAGE, "I") == expected


@pytest.mark.parametrize("text", ["a <image> <image> ", "<image><image>", "b a", "<image> a<image> "])
def test_the_ids_are_those_of_the_processor(text: str) -> None:
    transformers = pytest.importorskip("transformers")
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=word_tokenizer(), bos_token="<s>")
    pictures = transformers.Idefics2ImageProcessorPil(do_image_splitting=False)
    processor = transformers.Idefics2Processor(pictures, wrapped, image_seq_len=2)
    assert token_ids(word_tokenizer(), text, 2) == processor(text=text)["input_ids"][0]


def test_what_the_tokenizer_puts_before_a_text_stays() -> None:
    assert token_ids(word_tokenizer(), "a<image>b", 2) == [0, A, BOUNDARY, PICTURE, PICTURE, BOUNDARY, B]


def test_neither_truncation_nor_padding_of_the_training_is_taken_over(tmp_path: Path) -> None:
    tokenizer = word_tokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    assert saved["truncation"] is not None
    assert saved["padding"] is not None
    ids = token_ids(read_tokenizer(tmp_path / "tokenizer.json"), "a<image>b", 2)
    assert ids == [0, A, BOUNDARY, PICTURE, PICTURE, BOUNDARY, B]


def test_a_tokenizer_without_the_markers_is_refused() -> None:
    from tokenizers import Tokenizer, models

    plain = Tokenizer(models.WordLevel({"a": 0, IMAGE: 1}, unk_token="a"))
    with pytest.raises(ConfigError, match="does not know '<fake_token_around_image>'"):
        token_ids(plain, "a", 2)
    apart = Tokenizer(models.WordLevel({"a": 0, IMAGE: 1, FAKE: 2}, unk_token="a"))  # known, and never found in a text
    with pytest.raises(ConfigError, match="made 0 tokens of '<image>'; expected 2"):
        token_ids(apart, "a <image>", 2)


def test_a_tokenizer_that_is_absent_or_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(WeightsMissing, match=r"tokenizer.json` does not exist"):
        read_tokenizer(path)
    path.write_text('{"model": {}}')
    with pytest.raises(WeightsMissing, match=r"tokenizer.json` is damaged"):
        read_tokenizer(path)
