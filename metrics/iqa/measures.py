"""The measures of pyiqa that need no weights, and why the others are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final

from anisora.harness.errors import ConfigError, nearest
from anisora.harness.extras import missing_distributions
from anisora.harness.protocols import Direction

__all__ = ["DEFAULT", "DISTRIBUTIONS", "EXTRA", "LICENCE", "MEASURES", "Measure", "measure_named", "value_range"]

EXTRA: Final = "iqa"
DISTRIBUTIONS: Final = ("pyiqa", "einops", "timm", "torch", "torchvision")
LICENCE: Final = "PolyForm-Noncommercial-1.0.0"

DEFAULT: Final = "piqe"
"""What ``pyiqa`` without a name stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What pyiqa says of a measure, in ``default_model_configs.py``."""

    compares: bool
    """Its mode is ``FR``: it compares a picture with a reference; else ``NR``, it sees the picture alone."""
    lower_better: bool = False
    score_range: str
    """Two bounds; one that begins with ``~`` is a rough estimate."""

    @property
    def direction(self) -> Direction:
        """``lower`` or ``higher``."""
        return "lower" if self.lower_better else "higher"


MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "cw_ssim": Measure(compares=True, score_range="0, 1"),
        "entropy": Measure(compares=False, score_range="0, 8"),
        "fsim": Measure(compares=True, score_range="0, 1"),
        "gmsd": Measure(compares=True, lower_better=True, score_range="0, ~1"),
        "mad": Measure(compares=True, lower_better=True, score_range="0, ~"),
        "ms_ssim": Measure(compares=True, score_range="0, 1"),
        "nlpd": Measure(compares=True, lower_better=True, score_range="0, 1"),
        "piqe": Measure(compares=False, lower_better=True, score_range="0, 100"),
        "psnr": Measure(compares=True, score_range="~0, ~40"),
        "psnry": Measure(compares=True, score_range="~0, ~60"),
        "ssim": Measure(compares=True, score_range="0, 1"),
        "ssimc": Measure(compares=True, score_range="0, 1"),
        "vif": Measure(compares=True, score_range="0, ~1"),
        "vsi": Measure(compares=True, score_range="0, ~1"),
    }
)
"""Those of pyiqa 0.1.16 that are formulas and tables alone. They are listed here, since naming them must not import
pyiqa."""

_OURS: Final = {
    "brisque": "technical_quality_brisque",
    "musiq-spaq": "imaging_quality",
    "niqe": "technical_quality_niqe",
}
"""{measure that needs weights: the metric here that computes it}"""


def value_range(score_range: str) -> tuple[float, float]:
    """Return the bounds of a measure; an estimate is no bound.

    Example:
        >>> value_range("0, ~1")
        (0.0, inf)
    """
    low, high = (part.strip() for part in score_range.split(","))
    return (
        -float("inf") if low.startswith("~") else float(low),
        float("inf") if high.startswith("~") else float(high),
    )


def measure_named(words: Mapping[str, object]) -> str:
    """Return the measure that the arguments of ``pyiqa:NAME`` mean.

    Args:
        words: {name: True}; without any, DEFAULT is meant.

    Raises:
        ConfigError: They are not one bare word, or the measure is not served; the message says why.
    """
    if not words:
        return DEFAULT
    word, value = next(iter(words.items()))
    if len(words) > 1 or value is not True:
        given = ",".join(key if value is True else f"{key}={value}" for key, value in words.items())
        raise ConfigError(f"Metric 'pyiqa' got {given!r}; expected the name of one measure, such as pyiqa:{DEFAULT}.")
    if word not in MEASURES:
        raise _refusal(word)
    return word


def _refusal(word: str) -> ConfigError:
    """Return the error for a measure that is not served, with the file of weights that pyiqa would fetch."""
    served = f"it serves {', '.join(MEASURES)}"
    guess = nearest(word, MEASURES)
    found = _configured(word)
    if found is None:
        hint = f"did you mean 'pyiqa:{guess}'? " if guess else ""
        return ConfigError(f"Metric 'pyiqa:{word}' is not served by the bridge; {hint}{served}.")
    name, file = found
    ours = _OURS.get(name)
    instead = f"use `{ours}`, its counterpart here; " if ours else ""
    return ConfigError(
        f"Metric 'pyiqa:{word}' needs weights{f' ({file})' if file else ''} that pyiqa downloads by itself and reads "
        f"as pickles; the bridge downloads nothing and is for measures without weights; {instead}{served}."
    )


def _configured(word: str) -> tuple[str, str] | None:
    """Return the measure of pyiqa with this name and its file of weights, "" if unknown; None if there is none.

    Only what is installed is known, and the three that this package computes itself. A word of the command line has
    ``_`` where the name has ``-``.
    """
    spelled = {name.replace("-", "_"): name for name in _OURS}
    if missing_distributions(DISTRIBUTIONS):
        return (spelled[word], "") if word in spelled else None
    configs = import_module("pyiqa.default_model_configs").DEFAULT_CONFIGS
    name = {known.replace("-", "_"): known for known in configs}.get(word)
    return None if name is None else (name, _weights_file(configs[name]["metric_opts"]))


def _weights_file(options: Mapping[str, object]) -> str:
    """Return the name of the file that a network of pyiqa is filled from, "" where its module does not say."""
    try:
        module = import_module(f"pyiqa.archs.{str(options['type']).lower()}_arch")
    except ImportError:  # of another name, or in want of packages that a formula does not need
        return ""
    urls = getattr(module, "default_model_urls", {})
    words = [value for key, value in options.items() if isinstance(value, str) and key != "type"]
    url = next((urls[word] for word in words if word in urls), "")
    if not url and not words:
        url = urls.get("url", "")
    if not url and len(set(urls.values())) == 1:
        (url,) = set(urls.values())
    return str(url).rpartition("/")[2]
