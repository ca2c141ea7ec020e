import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anisora.training.random_states import unchanged_random_states  # noqa: E402


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.normal()), float(torch.rand(()))


def test_what_is_drawn_inside_changes_nothing_that_is_drawn_after() -> None:
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    np.random.normal()  # a normal number in store is a part of the state
    with unchanged_random_states(torch.device("cpu")):
        first = drawn()
        torch.nn.Linear(2, 2)
    assert drawn() == first
    with pytest.raises(ValueError, match="within"), unchanged_random_states(torch.device("cpu")):
        second = drawn()
        raise ValueError("within")
    assert drawn() == second
