from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError
from anisora.models.untrained import TRAINING_CARD, came_from_random_numbers


@pytest.mark.parametrize(("said", "untrained"), [("true", True), ("false", False)])
def test_the_card_of_a_training_says_where_its_network_comes_from(tmp_path: Path, said: str, untrained: bool) -> None:
    (tmp_path / TRAINING_CARD).write_text(f'{{"untrained": {said}}}')
    assert came_from_random_numbers(str(tmp_path)) is untrained


@pytest.mark.parametrize("card", ["", "{", "[]", "{}", "1"])
def test_a_card_that_does_not_say_so_is_no_proof_of_a_training(tmp_path: Path, card: str) -> None:
    (tmp_path / TRAINING_CARD).write_text(card)
    with pytest.raises(ConfigError, match=r"does not say whether the network came from random numbers"):
        came_from_random_numbers(str(tmp_path))


def test_a_folder_that_no_training_wrote_has_no_card(tmp_path: Path) -> None:
    assert not came_from_random_numbers(str(tmp_path))
    assert not came_from_random_numbers("")
