"""Sample clips of a training that is audited: enough of them to judge by."""

from typing import Any, Final

from anisora.harness.errors import ConfigError
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS
from anisora.training.config import SamplesConfig, TrainingConfig

__all__ = ["ITEMS", "audited_samples", "check_audited_items"]

ITEMS: Final = 12
"""Below this number, only large changes are found."""
_SEEDS: Final = 2
"""What diversity and prompts are judged by: clips of one prompt that differ by their seeds."""
_EVERY: Final = 200


def audited_samples(config: TrainingConfig) -> SamplesConfig | None:
    """Return the sample clips of a training: where it is audited, what was not said is as an audit needs it.

    Raises:
        ConfigError: What was said rules an audit out.
    """
    asked = config.samples
    if config.audit is None:
        return asked
    if asked is None:
        if "samples" in config.model_fields_set:
            raise ConfigError(
                "`samples` got null with `audit`, which looks at them; expected clips that are drawn on the way. Leave "
                f"`samples` out for {ITEMS} items with {_SEEDS} seeds, or leave `audit` out."
            )
        return SamplesConfig(every=_EVERY, items=ITEMS, seeds=_SEEDS, steps=None, guidance=None)
    said: dict[str, Any] = {name: getattr(asked, name) for name in asked.model_fields_set}
    items = said.get("items", ITEMS)
    if items < MIN_CLUSTERS:
        raise ConfigError(
            f"`samples.items` got {items} with `audit`; expected {MIN_CLUSTERS} or more, below which nothing is "
            f"judged, and better {ITEMS}. Correct it, or leave it out."
        )
    of_method = type(config).model_fields["samples"].default
    every = _EVERY if of_method is None else of_method.every
    return SamplesConfig.model_validate({"every": every, "items": ITEMS, "seeds": _SEEDS, **said})


def check_audited_items(count: int) -> None:
    """Refuse a training whose data have too few items for an audit.

    Raises:
        ConfigError: Nothing could be judged.
    """
    if count < MIN_CLUSTERS:
        raise ConfigError(
            f"`audit` got {count} items to draw sample clips of; expected {MIN_CLUSTERS} or more, below which nothing "
            f"is judged, and better {ITEMS}. Train on more items, or leave `audit` out."
        )
