"""Three real clips, the largest 2002x1080: decoded once each, in little memory, with the numbers of the oracles."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flow_oracle import flow_of
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from shared_data import CLIPS
from skimage.metrics import structural_similarity
from small_suite import COMMAND, environment

from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import MetricInfo
from anisora.harness.record import RunRecord
from anisora.harness.registry import registry
from anisora.harness.runfolder import RunFolder
from anisora.harness.types import Frames

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLIPS.is_dir(), reason="the folder ../shared/clips is not there"),
]

MOST_RESIDENT_KB = 2_000_000
"""2 GB, for each process by itself."""


@dataclass(frozen=True)
class Evaluated:
    """A run over real clips: what it printed, recorded and needed."""

    printed: str
    record: RunRecord
    folder: RunFolder
    peaks: dict[int, tuple[str, int]]
    """{process: (its command, peak resident kilobytes)}"""


def descendants(root: int) -> Iterator[int]:
    waiting = [root]
    while waiting:
        process = waiting.pop()
        yield process
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                waiting += map(int, children.read_text().split())
            except OSError:  # ended since
                continue


def peak_of(process: int) -> tuple[str, int] | None:
    try:
        words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
        status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return " ".join(words)[:80], int(status["VmHWM"].split()[0])
    except (OSError, KeyError):  # ended since, and a process that has ended has no memory
        return None


def watched(command: list[str], cwd: Path) -> tuple[str, dict[int, tuple[str, int]]]:
    """Run a command and return its output with the peak memory of it and of all its children."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(ANISORA_CACHE=str(cwd / "cache")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    peaks: dict[int, tuple[str, int]] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for found in descendants(process.pid):
                peak = peak_of(found)
                if peak is not None:
                    peaks[found] = peak
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        printed, errors = process.communicate(timeout=540)
    finally:
        done.set()
        watcher.join()
    assert process.returncode == 0, errors
    return printed, peaks


def evaluated(folder: Path, *, with_truth: bool) -> Evaluated:
    rows = []
    for video in sorted((CLIPS / "video").iterdir()):
        row = {"id": video.stem, "video": str(video), "image": str(CLIPS / "image" / f"{video.stem}.png")}
        rows.append({**row, "ground_truth": str(video)} if with_truth else row)
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [*COMMAND, "evaluate", "custom", "--videos", "clips.jsonl", "--workers", "4"]
    printed, peaks = watched(command, folder)
    (run,) = (folder / "runs").iterdir()
    return Evaluated(printed=printed, record=RunFolder(run).read_record(), folder=RunFolder(run), peaks=peaks)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return evaluated(tmp_path_factory.mktemp("plain"), with_truth=False)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    return evaluated(tmp_path_factory.mktemp("complete"), with_truth=True)


def shrunk(frame: Frames) -> Frames:
    height, width = frame.shape[:2]
    factor = 256 / min(height, width)
    return np.asarray(cv2.resize(frame, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA))


def laplacian_variance(frame: Frames) -> float:
    luma = (frame.astype(np.int64) @ np.array([9798, 19235, 3735]) + (1 << 14)) >> 15
    plane = np.pad(luma, 1, mode="reflect")
    edges = plane[:-2, 1:-1] + plane[2:, 1:-1] + plane[1:-1, :-2] + plane[1:-1, 2:] - 4 * plane[1:-1, 1:-1]
    return float(edges.astype(np.float64).var())


def covering(image: Frames, height: int, width: int) -> Frames:
    factor = max(height / image.shape[0], width / image.shape[1])
    size = (max(width, round(image.shape[1] * factor)), max(height, round(image.shape[0] * factor)))
    if size != (image.shape[1], image.shape[0]):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def flow_length_and_error(first: Frames, second: Frames) -> tuple[float, float]:
    """Mean length of the flow in diagonals, and E_pair of Lai et al. 2018 with the tests of Ruder et al. 2016."""
    there, back = (flow_of(*pair).astype(np.float64) for pair in ((first, second), (second, first)))
    height, width = there.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    target = [rows + there[..., 1], columns + there[..., 0]]

    def fetch(values: NDArray[Any]) -> NDArray[np.float64]:
        return map_coordinates(values.astype(np.float64), target, order=1, mode="constant", cval=np.nan)

    returned = np.stack([fetch(back[..., axis]) for axis in (0, 1)], axis=-1)
    colours = np.stack([fetch(second[..., channel] / 255) for channel in range(3)], axis=-1)
    length = (there**2).sum(-1)
    gradient = np.zeros((height, width))
    gradient[:, :-1] += (np.diff(there, axis=1) ** 2).sum(-1)
    gradient[:-1] += (np.diff(there, axis=0) ** 2).sum(-1)
    with np.errstate(invalid="ignore"):
        visible = ((there + returned) ** 2).sum(-1) <= 0.01 * (length + (returned**2).sum(-1)) + 0.5
    visible &= (gradient <= 0.01 * length + 0.002) & np.isfinite(colours).all(-1)
    errors = ((colours - first / 255) ** 2).sum(-1)[visible] / 3
    return float(np.sqrt(length).mean() / np.hypot(height, width)), float(errors.mean())


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, float]]:
    """{metric: {item: value}}, computed from the frames as they come out of the decoder."""
    found: dict[str, dict[str, float]] = {}
    with DecoderPool() as pool:
        for video in sorted((CLIPS / "video").iterdir()):
            image = pool.read_image(CLIPS / "image" / f"{video.stem}.png")
            for metric, value in oracle(pool, video, image).items():
                found.setdefault(metric, {})[video.stem] = value
    return found


def oracle(pool: DecoderPool, video: Path, image: Frames) -> dict[str, float]:
    jumps, details, moves, warps = [], [], [], []
    before: Frames | None = None
    fidelity = float("nan")
    with pool.open(clip_at(video, None)) as stream:
        for _, frames in stream:
            for frame in frames:
                now = frame.copy()  # the window is overwritten by the next one
                details.append(laplacian_variance(now))
                if before is None:
                    fidelity = structural_similarity(
                        now,
                        covering(image, *now.shape[:2]),
                        gaussian_weights=True,
                        sigma=1.5,
                        use_sample_covariance=False,
                        channel_axis=-1,
                        data_range=255,
                    )
                else:
                    jumps.append(int(cv2.absdiff(now, before).sum(dtype=np.int64)) / now.size)
                    length, error = flow_length_and_error(shrunk(before), shrunk(now))
                    moves.append(length)
                    warps.append(error)
                before = now
    assert stream.info.num_frames == len(details)
    return {
        "temporal_flickering": (255.0 - float(np.mean(jumps))) / 255.0,
        "sharpness": float(np.mean(details)),
        "condition_fidelity": fidelity,
        "flow_magnitude": float(np.mean(moves)) * stream.info.fps,
        "warping_error": float(np.mean(warps)),
    }


def values_of(run: Evaluated) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for row in run.folder.read_scores():
        found.setdefault(row.metric, {})[row.item_id] = row.value
    return found


ORACLES = ("temporal_flickering", "sharpness", "condition_fidelity", "flow_magnitude", "warping_error")


def core_infos() -> list[MetricInfo]:
    infos = [registry("metrics").create(name).info for name in registry("metrics").names()]
    return [info for info in infos if info.group == "core"]


def test_each_clip_is_decoded_once_and_every_metric_is_there(plain: Evaluated) -> None:
    assert plain.record.counters.decodes == 3
    assert plain.record.counters.redecodes == 0
    assert plain.record.counters.frames == 132 + 49 + 49
    lacking = {"ground_truth": "no item has a ground truth", "region_mask": "no item has a region mask"}
    needs = {info.name: info.needs & set(lacking) for info in core_infos()}
    assert plain.record.excluded == {name: lacking[min(words)] for name, words in needs.items() if words}
    assert {"psnr", "ssim"} <= set(plain.record.excluded)
    scored = {result.metric: result.scored for result in plain.record.results}
    assert set(scored) == {name for name, words in needs.items() if not words}
    assert {name: scored[name] for name in ORACLES} == dict.fromkeys(ORACLES, 3)


@pytest.mark.parametrize("metric", ORACLES)
def test_every_number_is_that_of_its_oracle(
    metric: str, plain: Evaluated, expected: dict[str, dict[str, float]]
) -> None:
    found = values_of(plain)[metric]
    assert found == pytest.approx(expected[metric], rel=1e-9)
    mean = sum(expected[metric].values()) / 3
    result = plain.record.result(metric)
    assert result is not None
    assert result.value == pytest.approx(mean, rel=1e-9)
    (line,) = (line for line in plain.printed.splitlines() if line.strip().startswith(f"{metric} "))
    assert f" {mean:.6g} " in line


def test_what_the_oracles_call_shrinking_is_the_mean_over_each_area() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (768, 960, 3), np.uint8)
    means = frame.reshape(256, 3, 320, 3, 3).mean((1, 3))
    assert np.abs(shrunk(frame) - means).max() <= 0.5


@pytest.mark.parametrize("name", ["plain", "complete"])
def test_no_process_needs_two_gigabytes(name: str, request: pytest.FixtureRequest) -> None:
    run: Evaluated = request.getfixturevalue(name)
    assert len(run.peaks) >= 2, "the command and its decoders"
    assert all(peak < MOST_RESIDENT_KB for _, peak in run.peaks.values()), run.peaks
    assert max(peak for _, peak in run.peaks.values()) > 100_000, "the watch saw no work"


def test_a_clip_compared_with_itself_is_decoded_once_and_is_perfect(complete: Evaluated) -> None:
    values = values_of(complete)
    assert complete.record.counters.decodes == 3
    assert set(values["ssim"].values()) == {1.0}
    assert set(complete.record.excluded) == {info.name for info in core_infos() if "region_mask" in info.needs}
    assert {"psnr", "ssim"} <= {result.metric for result in complete.record.results}
