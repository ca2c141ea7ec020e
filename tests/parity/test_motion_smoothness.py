"""motion_smoothness against VBench's own code with the same seeded weights: each way to read the correlation."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shared_data import REPOSITORY

from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import Batch
from anisora.harness.types import Frames, StreamInfo
from anisora.harness.weights import Tensors
from anisora.metrics.extractors.amt_s import AmtS as Extractor
from anisora.metrics.golden.dimension import compare_dimension
from anisora.metrics.golden.motion_smoothness import DIMENSION, amt_state

pytestmark = [pytest.mark.parity, pytest.mark.slow]

torch = pytest.importorskip("torch")

from anisora.metrics.networks import amt  # noqa: E402 - imports torch

CASE = REPOSITORY / "tests" / "data" / "vbench"
BALL = "A red ball rolls over a checkerboard-0.mp4"
BLINK = "a blinking gradient with a hard cut-0.mp4"  # 150x202: the only clip here that is padded
TOLERANCE = json.loads((CASE / "case.json").read_text())["tolerance"]["motion_smoothness"]
WAYS = {"volume": 1 << 40, "products": 0}


@pytest.fixture(scope="module")
def frames() -> dict[str, Frames]:
    with DecoderPool() as pool:
        return {
            name: np.array(pool.read_frames(clip_at(CASE / "clips" / "video" / name, None))[0])
            for name in (BALL, BLINK)
        }


def expected(name: str) -> float:
    videos = json.loads((CASE / "expected.json").read_text())["dims"]["motion_smoothness"]["videos"]
    return float(next(video["score"] for video in videos if video["name"] == name))


def smoothness(network: amt.AmtS, clip: Frames) -> float:
    starts = range(0, len(clip) - 2, 2)
    stream = StreamInfo(fps=8.0, num_frames=len(clip), height=0, width=0, codec="x", pixel_format="y")
    windows = np.stack([clip[start : start + 3] for start in starts])
    indices = np.array([[start, start + 1, start + 2] for start in starts])
    errors = Extractor(network=network).extract(Batch(frames=windows, indices=indices, stream=stream))
    return float(1 - errors["mean_absolute"].mean() / 255)


@pytest.mark.parametrize("way", WAYS)
def test_either_way_to_read_the_correlation_gives_vbenchs_numbers(way: str) -> None:
    forced = replace(
        DIMENSION,
        extractors=lambda states: {
            "amt_s": Extractor(network=amt.AmtS(states["amt_s"], volume_bytes=WAYS[way])),
        },
    )
    case = json.loads((CASE / "case.json").read_text())
    comparisons = compare_dimension(CASE, case, "motion_smoothness", forced)
    assert len(comparisons) == 6  # the weights, two of each of the two clips, the aggregate
    assert [str(comparison) for comparison in comparisons if not comparison.passed] == []


def test_the_two_ways_differ_by_rounding_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    pair = [torch.rand(1, 3, 128, 144, generator=generator, dtype=torch.float64) for _ in range(2)]
    modules = [amt.AmtS(amt_state(0), volume_bytes=size).module.double() for size in WAYS.values()]
    with torch.inference_mode():
        kept, read = (module(*pair) for module in modules)
    torch.testing.assert_close(kept, read, rtol=0, atol=1e-11)


def _windows_with_rows_first(state: Tensors) -> Tensors:
    """The weights with which this network reads windows as one would whose slow index moves y."""
    return {
        key: value.view(-1, 8, 7, 7, 1, 1).transpose(2, 3).reshape(value.shape)
        if key.endswith("convc1.weight")
        else value
        for key, value in state.items()
    }


def _motion_before_correlation(state: Tensors) -> Tensors:
    """The weights with which this network joins the two as one would that has the 20 channels of motion first."""
    return {
        key: value.roll(-20, dims=1) if key.startswith("update") and key.endswith(".conv.weight") else value
        for key, value in state.items()
    }


def _backward_windows_first(state: Tensors) -> Tensors:
    return {key: value.roll(196, dims=1) if key.endswith("convc1.weight") else value for key, value in state.items()}


@pytest.mark.parametrize("wrong", [_windows_with_rows_first, _motion_before_correlation, _backward_windows_first])
def test_another_order_of_channels_is_seen(frames: dict[str, Frames], wrong: Callable[[Tensors], Tensors]) -> None:
    state = amt_state(0)
    assert abs(smoothness(amt.AmtS(state), frames[BALL]) - expected(BALL)) <= TOLERANCE
    assert abs(smoothness(amt.AmtS(wrong(state)), frames[BALL]) - expected(BALL)) > 2 * TOLERANCE


class _Rounding(amt.AmtS):
    """Levels that are nearest, not cut: the quarter keeps what is cut later at the level."""

    def __call__(self, first: Any, second: Any) -> Any:
        return ((super().__call__(first, second) * 255).round() + 0.25) / 255


def test_rounding_to_the_nearest_level_is_seen(frames: dict[str, Frames]) -> None:
    assert abs(smoothness(_Rounding(amt_state(0)), frames[BALL]) - expected(BALL)) > 2 * TOLERANCE


def test_black_beyond_the_border_is_seen(frames: dict[str, Frames], monkeypatch: pytest.MonkeyPatch) -> None:
    network, right = amt.AmtS(amt_state(0)), torch.nn.functional.grid_sample
    assert abs(smoothness(network, frames[BLINK]) - expected(BLINK)) <= TOLERANCE

    def black(picture: Any, grid: Any, **choices: Any) -> Any:
        return right(picture, grid, **{**choices, "padding_mode": "zeros"})

    monkeypatch.setattr(amt, "grid_sample", black)
    assert abs(smoothness(network, frames[BLINK]) - expected(BLINK)) > 2 * TOLERANCE


def test_padding_at_the_end_alone_is_seen(frames: dict[str, Frames], monkeypatch: pytest.MonkeyPatch) -> None:
    network = amt.AmtS(amt_state(0))

    def at_the_end(pixels: Any, multiple: int) -> Any:
        rows, columns = -pixels.shape[2] % multiple, -pixels.shape[3] % multiple
        return torch.nn.functional.pad(pixels, (0, columns, 0, rows), mode="replicate")

    monkeypatch.setattr(amt, "padded", at_the_end)
    assert abs(smoothness(network, frames[BLINK]) - expected(BLINK)) > 2 * TOLERANCE


def test_windows_that_start_at_the_second_frame_are_seen(frames: dict[str, Frames]) -> None:
    assert abs(smoothness(amt.AmtS(amt_state(0)), frames[BALL][1:]) - expected(BALL)) > 2 * TOLERANCE
