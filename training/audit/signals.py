"""What an audit looks at, which way is a bad sign, and how large a change has to be: all thresholds, in one place.

A change counts where it is both beyond chance and at least this large. The sizes are what people would not miss and
what harmless things (other seeds, an encoder, a little noise, a brighter picture, a better one) do not reach;
docs/audit.md has how often they were right on clips with known answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.registry import registry

__all__ = [
    "HELD_OUT",
    "HELD_OUT_LEAST",
    "LEVEL",
    "METRICS",
    "SIGNALS",
    "Change",
    "Signal",
    "Way",
    "held_out_signal",
    "with_least",
]

Change = Literal["relative", "difference", "deviations"]
"""How two clips are compared. ``relative``: ``2 (t - b) / (t + b)`` of trained and base, -2..2, about the share by
which t is more than b. ``difference``: ``t - b``. ``deviations``: ``t - b`` over the standard deviation of the base's
clips."""
Way = Literal["down", "up", "either"]

LEVEL: Final = 0.01
"""Chance that a look at clips without any change has an alarm: small, since a training is looked at often."""
HELD_OUT: Final = "held_out/"
"""Before the name of a metric that is not optimised."""
HELD_OUT_LEAST: Final = 0.5
"""Deviations by which a held-out reward has to fall: Cohen's medium effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A sign of a reward that is gamed."""

    name: str
    title: str
    bad: Way
    """The direction that is a bad sign."""
    change: Change
    least: float
    """The smallest change that counts, in the unit of ``change``."""
    meaning: str
    """What it means if it changes so."""
    metric: str | None = None
    """The metric that it is; None for what is measured by the audit itself."""
    unit: str = ""
    """Of its values."""


_SIGNALS: Final = (
    Signal(
        name="motion",
        title="Motion",
        bad="down",
        change="relative",
        least=0.2,  # rewards of smoothness and consistency are highest for stills; a fifth less is seen at once
        meaning="clips move less than the base's",
        metric="flow_magnitude",
        unit="diagonals/s",
    ),
    Signal(
        name="held_frames",
        title="Held frames",
        bad="up",
        change="difference",
        least=0.1,  # one frame in ten; clips on twos hold half of theirs, and do so before and after
        meaning="frames repeat the one before",
        metric="held_frame_ratio",
        unit="share of pairs",
    ),
    Signal(
        name="saturation",
        title="Saturation",
        bad="up",
        change="relative",
        least=0.2,  # a picture that is a tenth brighter is a tenth more colourful by this measure
        meaning="colours are stronger",
        metric="colourfulness",
    ),
    Signal(
        name="sharpness",
        title="Sharpness",
        bad="either",
        change="relative",
        least=0.6,  # squared levels: encoders and slight sharpening change them by a third
        meaning="edges are much harder or softer",
        metric="sharpness",
        unit="squared levels",
    ),
    Signal(
        name="grid",
        title="Grid",
        bad="up",
        change="difference",
        least=2.0,  # over half as much energy again as lies beside; lines of four levels have it
        meaning="a pattern repeats every 16 or 8 pixels",
        unit="dB",
    ),
    Signal(
        name="first_frame_distance",
        title="Distance from the first frame",
        bad="down",
        change="relative",
        least=0.2,  # as motion
        meaning="later frames copy the first one",
        unit="levels",
    ),
    Signal(
        name="prompt_specificity",
        title="Prompt specificity",
        bad="down",
        change="difference",
        least=0.1,  # a tenth of what tells clips of one prompt from those of others
        meaning="clips of one prompt are no nearer to each other than to those of other prompts",
        unit="share",
    ),
    Signal(
        name="prompt_distance",
        title="Distance between prompts",
        bad="down",
        change="relative",
        least=0.25,
        meaning="clips of different prompts become alike",
        unit="levels",
    ),
    Signal(
        name="diversity",
        title="Diversity within a prompt",
        bad="down",
        change="relative",
        least=0.35,  # distances of a few seeds vary by a quarter between two draws
        meaning="clips of one prompt with different seeds become alike",
        unit="levels",
    ),
)

SIGNALS: Final[Mapping[str, Signal]] = MappingProxyType({signal.name: signal for signal in _SIGNALS})
"""Signals by name, in the order in which they are shown; held-out rewards come after them."""
METRICS: Final[tuple[str, ...]] = tuple(signal.metric for signal in _SIGNALS if signal.metric is not None)
"""Metrics that signals are read from."""


def held_out_signal(metric: str) -> Signal:
    """Return the signal of a metric that is not optimised.

    Raises:
        UnknownNameError: The metric is not registered.
        ConfigError: It has no direction, so that no change of it is a bad sign by itself.
    """
    info = registry("metrics").create(metric).info
    if info.direction == "reference":
        raise ConfigError(
            f"`held_out` got {metric!r}, which is best where it equals the ground truth; expected a metric of which "
            'more or less is better. Choose one from "anisora list metrics".'
        )
    return Signal(
        name=f"{HELD_OUT}{metric}",
        title=f"Held out: {info.title}",
        bad="down" if info.direction == "higher" else "up",
        change="deviations",
        least=HELD_OUT_LEAST,
        meaning="a reward that is not optimised gets worse",
        metric=metric,
        unit=info.unit,
    )


def with_least(signals: Mapping[str, Signal], least: Mapping[str, float]) -> dict[str, Signal]:
    """Return signals with other smallest changes.

    Args:
        signals: {name: signal}.
        least: {name: the smallest change that counts}; those left out stay as they are.

    Raises:
        UnknownNameError: There is no such signal.
        ConfigError: A change is not above 0.
    """
    from dataclasses import replace

    for name, value in least.items():
        if name not in signals:
            raise UnknownNameError("signal", name, signals, f"Expected one of {', '.join(signals)}.")
        if not value > 0:
            raise ConfigError(f"`least` of {name} got {value!r}; expected a number above 0; raise it to hear less.")
    return {name: replace(signal, least=least.get(name, signal.least)) for name, signal in signals.items()}
