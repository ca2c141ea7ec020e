"""Captions to word-pieces: case and accents, cutting, filling, the added words, and where the vocabulary is from."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.reward.networks.caption_tokenizer import CaptionTokenizer

pytest.importorskip("torch")
pytest.importorskip("transformers")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "a", "girl", "##s", "nausicaa", "runs", ",", "雨"]
START, END = WORDS.index("[CLS]"), WORDS.index("[SEP]")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> CaptionTokenizer:
    path = tmp_path_factory.mktemp("bert") / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return CaptionTokenizer(path)


def words(tokenizer: CaptionTokenizer, caption: str, **more) -> list[str]:
    ids, mask = tokenizer(caption, **{"length": 30, "fill": False, **more})
    assert ids.shape == mask.shape
    return [[*WORDS, "[DEC]", "[ENC]"][number] for number in ids[0].tolist()]


def test_case_and_accents_do_not_matter_and_words_fall_into_pieces(tokenizer) -> None:
    assert words(tokenizer, "A GIRL,  Nausicaä") == ["[CLS]", "a", "girl", ",", "nausicaa", "[SEP]"]
    assert words(tokenizer, "girls runs雨") == ["[CLS]", "girl", "##s", "runs", "雨", "[SEP]"]
    assert words(tokenizer, "zebra") == ["[CLS]", "[UNK]", "[SEP]"]


def test_captions_are_filled_up_and_cut_to_28_pieces(tokenizer) -> None:
    ids, mask = tokenizer("a girl", length=30, fill=True)
    assert ids.shape == (1, 30)
    assert ids[0].tolist() == [START, WORDS.index("a"), WORDS.index("girl"), END, *[0] * 26]
    assert mask[0].tolist() == [1] * 4 + [0] * 26
    ids, mask = tokenizer("a girl " * 20 + "runs", length=30, fill=True)
    assert ids.shape == (1, 30)
    assert int(mask.sum()) == 30
    assert ids[0, -1] == END
    assert words(tokenizer, "a girl " * 20 + "runs", length=512)[-2] == "runs"
    assert tokenizer.count("a girl " * 20 + "runs") == 41


def test_the_added_words_lie_behind_the_vocabulary(tokenizer) -> None:
    assert len(tokenizer) == len(WORDS) + 2
    ids, _ = tokenizer("a [ENC] girl [DEC]", length=30, fill=False)
    assert ids[0].tolist() == [START, WORDS.index("a"), len(WORDS) + 1, WORDS.index("girl"), len(WORDS), END]


def test_in_berts_vocabulary_they_are_30522_and_30523() -> None:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *(f"w{at}" for at in range(30517))])}
    full = CaptionTokenizer(vocabulary)
    ids, _ = full("[DEC][ENC]", length=30, fill=False)
    assert ids[0, 1:3].tolist() == [30522, 30523]
    assert len(full) == 30524


def test_many_threads_get_what_one_gets(tokenizer) -> None:
    work = [("a girl " * times, length, fill) for times in range(1, 20) for length in (9, 30) for fill in (True, False)]

    def read(one):
        ids, _ = tokenizer(one[0], length=one[1], fill=one[2])
        return ids.tolist()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, work)) == [read(one) for one in work]


def test_a_vocabulary_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"1 word-pieces lacks \[PAD\], \[UNK\]"):
        CaptionTokenizer({"a": 0})


def test_a_vocabulary_that_is_not_there_is_missing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="bert-base-uncased-vocabulary"):
        CaptionTokenizer()
    path = tmp_path / "reward" / "weights" / "bert-base-uncased" / "vocab.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(WORDS), encoding="utf-8")
    assert len(CaptionTokenizer()) == len(WORDS) + 2


def test_untrained_networks_read_characters(monkeypatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "0")
    tokenizer = CaptionTokenizer()
    ids, _ = tokenizer("Walk", length=30, fill=False)
    assert ids.shape == (1, 6)
    assert 1 not in ids
    assert tokenizer.count("a b") == 2
