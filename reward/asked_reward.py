"""A reward as it is asked for: one specification, or several with names and weights, in a file or as words."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from anisora.harness.errors import ConfigError
from anisora.harness.protocols import RewardModel
from anisora.reward.combined_reward import CombinedReward
from anisora.reward.metric_reward import reward

__all__ = ["asked_reward", "reward_of"]

_NAMED: Final = re.compile(r"([A-Za-z_][\w-]*)=(.+)", re.DOTALL)
"""``NAME=SPEC``; in ``metric_reward:sharpness=1`` a colon comes before the ``=``."""


def reward_of(
    asked: str | Mapping[str, str], weights: Mapping[str, float] | None = None, *, constants: Path | None = None
) -> RewardModel:
    """Make the reward of a configuration; it is closed by who uses it.

    Args:
        asked: One specification, or {name: specification}.
        weights: {name: weight} of several; 1 where left out.
        constants: What the dimensions of each are normalised by.

    Raises:
        UnknownNameError: There is no such reward or metric.
        ConfigError: Weights or constants do not fit it.
        DataError: The constants cannot be read.
    """
    if not isinstance(asked, str):
        return CombinedReward(asked, weights, constants=constants)
    if weights is not None:
        raise ConfigError(
            f"`weights` got {dict(weights)} for one reward, {asked!r}; expected them beside several, {{name: reward}}. "
            "Write the weights of metrics into it: metric_reward:sharpness=1,warping_error=-1."
        )
    return reward(asked, constants=constants)


def asked_reward(specs: Sequence[str], weights: Sequence[str] = (), *, constants: Path | None = None) -> RewardModel:
    """Make a reward of the words of a command line.

    Args:
        specs: One ``SPEC``, or one or more ``NAME=SPEC``.
        weights: ``NAME=NUMBER`` for some of those that have names; 1 where left out.
        constants: What the dimensions of each are normalised by.

    Raises:
        ConfigError: There is none, several have no names or one name, or a weight is of none of them.
        UnknownNameError: There is no such reward.
        DataError: The constants cannot be read.
    """
    if len(specs) == 1 and _NAMED.fullmatch(specs[0]) is None:
        if weights:
            raise ConfigError(
                f"`--weight` got {weights[0]!r} for the one reward {specs[0]!r}, whose weight changes nothing; leave "
                "it out, or give several as --reward NAME=SPEC."
            )
        return reward_of(specs[0], constants=constants)
    named: dict[str, str] = {}
    for text in specs:
        found = _NAMED.fullmatch(text)
        if found is None or found[1] in named:
            raise ConfigError(
                f"`--reward` got {text!r} beside others; expected NAME=SPEC with a name of its own, such as "
                "calm=metric_reward:temporal_flickering=1."
            )
        named[found[1]] = found[2]
    if not named:
        raise ConfigError("`--reward` is missing; expected a reward, such as metric_reward:temporal_flickering=1.")
    return reward_of(named, dict(map(_weight, weights)), constants=constants)


def _weight(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        problem = "expected NAME=NUMBER, such as calm=0.5" if equals else "expected NAME=NUMBER"
        raise ConfigError(f"`--weight` got {text!r}; {problem}. Correct it.") from None
