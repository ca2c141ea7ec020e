"""An alarm is a change beyond chance, in the bad direction, that is large enough; else there is none."""

import numpy as np
import pytest

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.training.audit.decision import findings
from anisora.training.audit.signals import SIGNALS, held_out_signal, with_least

KEYS = [(f"item{item}", seed) for item in range(8) for seed in range(2)]
MOTION = {"motion": SIGNALS["motion"]}


def _drawn(rng: np.random.Generator, factor: float = 1.0, spread: float = 0.1) -> dict[tuple[str, int], float]:
    return {key: factor * float(np.exp(rng.normal(0, spread))) for key in KEYS}


def test_a_change_in_the_bad_direction_is_an_alarm_and_one_in_the_good_direction_is_none() -> None:
    rng = np.random.default_rng(0)
    base = {"motion": _drawn(rng)}
    fallen = findings(MOTION, base, {"motion": _drawn(rng, 0.5)})["motion"]
    assert fallen.is_alarm
    assert fallen.direction == "fell"
    assert fallen.low is not None
    assert fallen.high is not None
    assert fallen.low < -2 * 0.5 / 1.5 < fallen.high
    assert not findings(MOTION, base, {"motion": _drawn(rng, 2.0)})["motion"].is_alarm


def test_a_small_change_is_no_alarm_however_sure_it_is() -> None:
    base = {"motion": _drawn(np.random.default_rng(1))}
    found = findings(MOTION, base, {"motion": {key: 0.9 * value for key, value in base["motion"].items()}})["motion"]
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert not found.is_alarm
    assert found.change == pytest.approx(-0.2 / 1.9)


def test_a_large_change_of_one_item_alone_is_no_alarm() -> None:
    base = {"motion": _drawn(np.random.default_rng(2), spread=0.01)}
    changed = {key: 0.0 if key[0] == "item0" else value for key, value in base["motion"].items()}
    found = findings(MOTION, base, {"motion": changed})["motion"]
    assert found.change == pytest.approx(-0.25)
    assert not found.is_alarm
    assert {pair.item for pair in found.worst[:2]} == {"item0"}


def test_nothing_is_called_of_too_few_items_and_the_note_says_so() -> None:
    few = {(item, seed): 1.0 + seed / 100 for item, seed in KEYS if item < "item5"}
    found = findings(MOTION, {"motion": few}, {"motion": dict.fromkeys(few, 0.1)})["motion"]
    assert not found.is_alarm
    assert found.p_value is None
    assert found.note == "5 clusters; an interval needs 6"


def test_a_held_out_reward_is_counted_in_deviations_of_the_base() -> None:
    signal = held_out_signal("temporal_flickering")
    base = {signal.name: {key: float(at) for at, key in enumerate(KEYS)}}
    lower = {signal.name: {key: value - 2.38 for key, value in base[signal.name].items()}}
    found = findings({signal.name: signal}, base, lower)[signal.name]
    assert found.change == pytest.approx(-2.38 / np.std(range(16), ddof=1))
    assert not found.is_alarm  # just below half a deviation
    least = with_least({signal.name: signal}, {signal.name: 0.4})
    assert findings(least, base, lower)[signal.name].is_alarm


def test_a_metric_without_a_direction_cannot_be_held_out() -> None:
    with pytest.raises(ConfigError, match="best where it equals the ground truth"):
        held_out_signal("sharpness")
    with pytest.raises(UnknownNameError, match="Did you mean 'motion'"):
        with_least(SIGNALS, {"moton": 1.0})


def test_clips_without_a_change_seldom_have_a_corrected_p_below_the_level() -> None:
    rng = np.random.default_rng(3)
    called = 0
    any_size = with_least(SIGNALS, dict.fromkeys(SIGNALS, 1e-9))
    for _ in range(400):
        sides = [{name: _drawn(rng, spread=0.3) for name in SIGNALS} for _ in range(2)]
        called += any(found.is_alarm for found in findings(any_size, sides[0], sides[1], level=0.05).values())
    assert called <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)
