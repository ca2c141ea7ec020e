"""i2v_background against VBench's own code with the same seeded weights.

The case's tolerance alone would pass another GELU: with seeded weights it moves the score by less than 1e-5. The right
network is nearer by far, and the bound here lies between. Epsilons and the adapter have tests of the network alone.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shared_data import REPOSITORY

from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.metrics.extractors.dreamsim_ensemble import squashed_recipe
from anisora.metrics.golden.i2v_background import TAGS, dreamsim_state
from anisora.metrics.networks.dreamsim import TOWERS, DreamSim
from anisora.metrics.vbench.image_similarity import image_similarity_score

CASE = REPOSITORY / "tests" / "data" / "vbench"
BLINK = "a blinking gradient with a hard cut"
BOUND = 1e-6

pytestmark = [pytest.mark.parity, pytest.mark.slow]

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

Parts = dict[str, Any]
"""{tower: (pictures, features)}; the image is the first picture"""


@pytest.mark.long
def test_every_known_mistake_is_farther_from_vbench_than_we_are() -> None:
    videos = json.loads((CASE / "expected.json").read_text())["dims"]["i2v_background"]["videos"]
    expected = next(video["score"] for video in videos if video["name"].startswith(BLINK))
    with DecoderPool() as pool:
        frames, _ = pool.read_frames(clip_at(CASE / "clips" / "video" / f"{BLINK}-0.mp4", None))
    image = np.array(Image.open(CASE / "clips" / "image" / f"{BLINK}.png").convert("RGB"))
    recipe = squashed_recipe("tv017")
    pixels = torch.cat([recipe.picture(image), recipe(frames)])
    network = DreamSim({part: dreamsim_state(part, 0) for part in TAGS})
    right = {name: features(network, name, pixels) for name in TOWERS}

    def error(parts: Parts, *, centre: bool = True, first: int = 0) -> float:
        joined = torch.cat([parts[name] for name in TOWERS], dim=1)
        embedded = (joined - joined.mean(dim=1, keepdim=True) if centre else joined).numpy()
        return abs(image_similarity_score(embedded[0], embedded[1 + first :])[0] - expected)

    def changed(name: str, change: Callable[[Any], None]) -> Parts:
        change(network.towers[name])
        return {**right, name: features(network, name, pixels)}

    assert error(right) < BOUND
    assert error(right, centre=False) > BOUND
    assert error(right, first=1) > BOUND
    of_tensor = recipe(image[None])
    resized = {name: torch.cat([features(network, name, of_tensor), right[name][1:]]) for name in TOWERS}
    assert error(resized) > BOUND, "the image resized as a tensor"
    legacy = squashed_recipe("legacy")(frames)
    aliased = {name: torch.cat([right[name][:1], features(network, name, legacy)]) for name in TOWERS}
    assert error(aliased) > BOUND, "frames resized without antialiasing"
    normed = network.towers["dino"].norm(right["dino"]).detach()
    assert error({**right, "dino": normed}) > BOUND, "DINO's class token after the last norm"
    assert error(changed("clip", quick_or_exact)) > BOUND
    assert error(changed("open_clip", quick_or_exact)) > BOUND


def features(network: DreamSim, name: str, pixels: Any) -> Any:
    with torch.inference_mode():
        return torch.cat([network._features(name, batch).cpu() for batch in pixels.split(4)])


def quick_or_exact(tower: Any) -> None:
    """Give a tower the GELU that it does not have."""
    from timm.layers import QuickGELU

    for block in tower.blocks:
        block.mlp.act = QuickGELU() if isinstance(block.mlp.act, torch.nn.GELU) else torch.nn.GELU()
