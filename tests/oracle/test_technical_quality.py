"""NIQE and BRISQUE against versions written from the papers with other tools."""

import pickletools
from importlib.metadata import distribution
from math import gamma
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import scipy.ndimage
from local_metrics import film_frame, needs
from PIL import Image

from anisora.harness.registry import registry
from anisora.harness.weights import weight_file

SHAPES = [0.2 + 0.001 * step for step in range(9801)]
RATIOS = [gamma(2 / shape) ** 2 / (gamma(1 / shape) * gamma(3 / shape)) for shape in SHAPES]


def contrast_of(plane):
    """(x - mean) / (deviation + 1), by two-dimensional correlation with zeros outside."""
    rows, columns = np.mgrid[-3:4, -3:4]
    window = np.exp(-(rows**2 + columns**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mean = scipy.ndimage.correlate(plane, window, mode="constant")
    power = scipy.ndimage.correlate(plane * plane, window, mode="constant")
    deviation = np.sqrt(np.abs(power - mean**2))
    return (plane - mean) / (deviation + 1), deviation


def half(plane):
    size = (plane.shape[1] // 2, plane.shape[0] // 2)
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BICUBIC), np.float64)


def fit(values):
    """Shape and both deviations of the asymmetric distribution."""
    left = [value for value in values.flat if value < 0]
    right = [value for value in values.flat if value > 0]
    low = (sum(value**2 for value in left) / len(left)) ** 0.5
    high = (sum(value**2 for value in right) / len(right)) ** 0.5
    ratio = (np.abs(values).sum() / values.size) ** 2 / ((values**2).sum() / values.size)
    skew = low / high
    wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = SHAPES[int(np.argmin([abs(each - wanted) for each in RATIOS]))]
    return shape, low, high


def products(contrast):
    return [
        contrast * np.roll(np.roll(contrast, down, 0), right, 1) for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))
    ]


def ranges():
    """Smallest and largest features, read from the wheel's pickle without unpickling it."""
    path = Path(str(distribution("brisque").locate_file("brisque/models/normalize.pickle")))
    numbers = [value for code, value, _ in pickletools.genops(path.read_bytes()) if code.name == "BINFLOAT"]
    assert len(numbers) == 72
    return numbers[:36], numbers[36:]


def brisque_of(luma):
    features = []
    for plane in (luma.astype(np.float64), half(luma)):
        contrast, _ = contrast_of(plane)
        variance = (contrast**2).mean()
        wanted = variance / np.abs(contrast).mean() ** 2
        features += [SHAPES[int(np.argmin([abs(1 / each - wanted) for each in RATIOS]))], variance]
        for product in products(contrast):
            shape, low, high = fit(product)
            scale = (gamma(1 / shape) / gamma(3 / shape)) ** 0.5
            features += [shape, (high - low) * gamma(2 / shape) / gamma(1 / shape) * scale, low**2, high**2]
    scaled = [-1 + 2 * (value - low) / (high - low) for value, low, high in zip(features, *ranges(), strict=True)]
    total = 155.845
    for line in weight_file("brisque-live").read_text().split("SV\n")[1].splitlines():
        weight, *pairs = line.split()
        vector = [float(pair.split(":")[1]) for pair in pairs]
        total += float(weight) * np.exp(-0.05 * sum((a - b) ** 2 for a, b in zip(scaled, vector, strict=True)))
    return total


def widths(values):
    shape, low, high = fit(values)
    scale = (gamma(1 / shape) / gamma(3 / shape)) ** 0.5
    low, high = low * scale, high * scale
    return shape, (high - low) * gamma(2 / shape) / gamma(1 / shape), low, high


def niqe_of(luma):
    plane = luma.astype(np.float64)
    first, deviation = contrast_of(plane)
    second, _ = contrast_of(half(luma))
    rows = []
    for top in range(0, plane.shape[0] - 95, 48):
        for left in range(0, plane.shape[1] - 95, 48):
            if deviation[top : top + 96, left : left + 96].mean() < 5:
                continue
            features = []
            for contrast, y, x, side in ((first, top, left, 96), (second, top // 2, left // 2, 48)):
                square = contrast[y : y + side, x : x + side]
                shape, _, low, high = widths(square)
                features += [shape, (low + high) / 2]
                for direction, product in enumerate(products(square)):
                    shape, mean, low, high = widths(product)
                    features += [shape, mean, low, high if direction < 2 else low]
            rows.append(features)
    tables = scipy.io.loadmat(weight_file("niqe-pristine"))
    difference = np.mean(rows, axis=0) - tables["pop_mu"][0]
    spread = (np.cov(np.array(rows).T) + tables["pop_cov"]) / 2
    return float(np.sqrt(difference @ np.linalg.pinv(spread, rcond=1e-12, hermitian=True) @ difference))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extractor", "oracle", "tolerance"),
    [
        pytest.param("brisque", brisque_of, 1e-3, marks=[needs("brisque"), needs("niqe")]),
        pytest.param("niqe", niqe_of, 1e-3, marks=needs("niqe")),
    ],
)
def test_the_number_is_the_one_of_the_slow_version(extractor, oracle, tolerance) -> None:
    frame = film_frame(288, 192)
    frame = np.ascontiguousarray(frame)
    made = registry("extractors").create(extractor)
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    assert made._score(frame) == pytest.approx(oracle(luma), rel=tolerance)
