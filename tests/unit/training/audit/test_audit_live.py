"""A live audit on few rendered clips: alarms, when they began, when to stop, and what is held out."""

from collections.abc import Iterator

import numpy as np
import pytest
from audited_clips import ClipSet, Stage, as_clips, hacked

from anisora.harness.errors import ConfigError, DataError
from anisora.training.audit.held_out import held_out_metrics, optimised_metrics
from anisora.training.audit.live import LiveAudit
from anisora.training.audit.settings import AuditConfig

ITEMS = 8
CONFIG = AuditConfig(held_out=("temporal_flickering",), stop=True, patience=2, kl_limit=0.5)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(ITEMS)


@pytest.fixture(scope="module")
def after(stage: Stage) -> ClipSet:
    return stage.again(stage.names, 0, 2)


@pytest.fixture(scope="module")
def audit(stage: Stage, after: ClipSet) -> Iterator[LiveAudit]:
    """One that has looked at a training that was calm, saturated its clips more and more, and froze them at last."""
    with LiveAudit(as_clips(stage.base(stage.names, 0, 2), stage.prompts), config=CONFIG) as audit:
        audit.look(10, as_clips(after))
        for step, strength in ((20, 0.5), (30, 0.75)):
            audit.look(step, as_clips(hacked("saturation", strength, after, np.empty(0))))
        yield audit


def test_a_calm_look_has_no_alarm(audit: LiveAudit) -> None:
    assert audit.result().looks[0].raised == ()


def test_an_alarm_says_what_changed_since_when_and_shows_clips(audit: LiveAudit) -> None:
    (alarm,) = audit.result().alarms
    assert (alarm.signal, alarm.direction, alarm.began, alarm.step, alarm.looks) == ("saturation", "rose", 20, 30, 2)
    assert alarm.stands
    assert alarm.times > 2
    assert alarm.low is not None
    assert alarm.low > 0
    assert len(alarm.worst) == 3
    look = audit.result().looks[-1]
    assert {(pair.item, pair.seed) for pair in alarm.worst} == look.evidence.keys()


def test_a_training_is_stopped_where_it_was_asked_to_and_an_alarm_has_held(audit: LiveAudit, stage: Stage) -> None:
    assert audit.should_stop
    patient = AuditConfig(held_out=(), stop=False)
    base = as_clips(stage.base(stage.names[:6], 0, 1))
    with LiveAudit(base, config=patient) as other:
        other.look(1, as_clips(hacked("saturation", 1.0, stage.base(stage.names[:6], 0, 1), np.empty(0))))
        assert [alarm.signal for alarm in other.result().alarms] == ["saturation"]
        assert not other.should_stop
        assert other.result().notes == (
            "no reward is held out: none of another kind than the optimised ones can be computed here",
            "one seed an item; diversity and prompt specificity need two",
            "no value on these clips: prompt_specificity, diversity",
        )


def test_kl_above_its_limit_is_an_alarm(stage: Stage) -> None:
    clips = as_clips(stage.base(stage.names[:6], 0, 1))
    log = [{"step": step, "kl": 0.05 * step} for step in range(1, 31)]
    with LiveAudit(clips, config=AuditConfig(held_out=(), kl_limit=0.5)) as audit:
        assert audit.look(10, clips, log) == []
        (alarm,) = audit.look(20, clips, log)
    assert (alarm.signal, alarm.began, alarm.times) == ("kl", 20, pytest.approx(0.775 / 0.5))


def test_clips_of_other_items_and_twice_the_same_are_refused(audit: LiveAudit, after: ClipSet) -> None:
    clips = as_clips(after)
    with pytest.raises(DataError, match="twice"):
        audit.look(40, [clips[0], clips[0]])
    with pytest.raises(DataError, match="Sample both with the same items and seeds"):
        audit.look(40, as_clips({("elsewhere", 0): next(iter(after.values()))}))
    with pytest.raises(DataError, match="is empty"):
        audit.look(40, [])


def test_held_out_rewards_are_of_another_kind(after: ClipSet) -> None:
    samples = [clip.generation().sample for clip in as_clips(after)]
    assert held_out_metrics(["feature_consistency"], samples) == (
        "line_stability",
        "temporal_flickering",
        "warping_error",
    )
    assert set(held_out_metrics(["sharpness"], samples)) <= {
        "feature_consistency",
        "technical_quality_brisque",
        "technical_quality_niqe",
    }
    assert "warping_error" not in held_out_metrics(["warping_error", "feature_consistency"], samples)
    log = [{"step": 1, "loss": 1.0}, {"step": 2, "reward/calm/temporal_flickering/mean": 1.0, "reward/total/mean": 2.0}]
    assert optimised_metrics(log) == ("temporal_flickering",)


def test_an_optimised_metric_cannot_be_held_out(after: ClipSet) -> None:
    with pytest.raises(ConfigError, match="which is optimised"):
        LiveAudit(as_clips(after), config=CONFIG, optimised=["temporal_flickering"])
