"""Our MUSIQ against the class it stands for, pyiqa's, under the same seeded weights."""

from importlib import import_module

import numpy as np
import pytest

from anisora.metrics.golden.imaging_quality import musiq_state
from anisora.metrics.networks.musiq import LAYERS, Musiq

torch = pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("layers", [1, pytest.param(LAYERS, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("height", "width"), [(70, 101), (288, 512)])
def test_our_musiq_equals_that_of_pyiqa(layers: int, height: int, width: int) -> None:
    pytest.importorskip("pyiqa", reason="pyiqa is not installed (extra iqa)")
    state = musiq_state(0, layers=layers)
    theirs = import_module("pyiqa.archs.musiq_arch").MUSIQ(pretrained=False, num_layers=layers)
    theirs.load_state_dict(state)
    theirs.eval()
    pixels = torch.from_numpy(np.random.default_rng(0).random((1, 3, height, width), dtype=np.float32))
    with torch.no_grad():
        expected = theirs(pixels).reshape(-1).numpy()
    assert abs(expected - 50).max() < 100
    np.testing.assert_allclose(Musiq(state, layers=layers)(pixels).numpy(), expected, rtol=0, atol=1e-4)
