"""Looks in a file: the same after reading, and refused where they are damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
from audited_clips import Stage, as_clips, hacked

from anisora.harness.errors import RecordError
from anisora.training.audit.live import LiveAudit
from anisora.training.audit.looks_file import LOOKS, digest_of_look, entry_of, look_of, optimised_before
from anisora.training.audit.settings import AuditConfig


def test_a_look_is_the_same_after_it_was_written_and_an_audit_remembers_it(tmp_path: Path) -> None:
    stage = Stage(6)
    base = stage.base(stage.names, 0, 1)
    clips = as_clips(hacked("saturation", 1.0, base, np.empty(0)))
    config = AuditConfig(held_out=("temporal_flickering",), stop=True, patience=1, kl_limit=0.5)
    with LiveAudit(as_clips(base), config=config) as audit:
        audit.look(10, clips, [{"step": 9, "kl": 0.7}])
        found = audit.result()
    (look,) = found.looks
    digest = digest_of_look(as_clips(base), clips, found.signals, found.level)
    line = json.loads(json.dumps(entry_of(look, digest, ["sharpness"])))
    assert line["digest"] == digest
    again = look_of(line, clips, 0.5, list(found.signals))
    assert again == look
    with LiveAudit(as_clips(base), config=config) as other:
        other.remember(again)
        assert other.result().alarms == found.alarms
        assert [alarm.signal for alarm in other.stopping] == ["saturation", "kl"]
    (tmp_path / LOOKS).write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert optimised_before(tmp_path) == ("sharpness",)
    assert optimised_before(tmp_path / "elsewhere") == ()
    for damaged in ({**line, "findings": {}}, {**line, "evidence": [["nobody", 0]]}):
        with pytest.raises(RecordError, match=r"`audit\.jsonl` is damaged in the line of step 10"):
            look_of(damaged, clips, 0.5, list(found.signals))


def test_other_thresholds_are_another_look() -> None:
    stage = Stage(1)
    clips = as_clips(stage.base(stage.names, 0, 1))
    with LiveAudit(clips, config=AuditConfig(held_out=())) as audit:
        signals = audit.result().signals
    with LiveAudit(clips, config=AuditConfig(held_out=(), least={"motion": 0.3})) as audit:
        others = audit.result().signals
    digests = {digest_of_look(clips, clips, each, level) for each in (signals, others) for level in (0.01, 0.02)}
    assert len(digests) == 4
