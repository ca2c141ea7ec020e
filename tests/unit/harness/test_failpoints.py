"""Failpoints: they act where they are named, and every name is called somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from anisora.harness.errors import ConfigError
from anisora.harness.failpoints import FAILPOINTS, failpoint

ROOT = Path(__file__).parents[3]


def test_without_the_variable_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANISORA_FAILPOINT", raising=False)
    for name in FAILPOINTS:
        failpoint(name)


def test_a_full_disk_is_raised_at_the_named_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_FAILPOINT", "record.before_write:enospc")
    failpoint("record.after_write")
    with pytest.raises(OSError, match="No space left on device"):
        failpoint("record.before_write")


def test_kill_is_sigkill_at_the_nth_passage() -> None:
    code = (
        "from anisora.harness.failpoints import failpoint\n"
        "for place in range(3):\n    print(place, flush=True); failpoint('clips.after_flush')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"ANISORA_FAILPOINT": "clips.after_flush:kill:2"},
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stdout.split()) == (-9, [b"0", b"1"])


@pytest.mark.parametrize("setting", ["nowhere.at_all:kill", "record.after_write:explode", "record.after_write"])
def test_a_setting_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("ANISORA_FAILPOINT", setting)
    with pytest.raises(ConfigError, match="ANISORA_FAILPOINT"):
        failpoint("record.after_write")


def test_every_name_is_called_somewhere_in_the_source() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("harness", "leaderboards", "models", "training")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "failpoints.py"
    )
    called = set(re.findall(r'failpoint\("([\w.]+)"\)', source))
    stages = set(re.findall(r'failpoint\(f"\{name\}\.(\w+)"\)', source))
    kinds = set(re.findall(r'(?:write_atomically|commit_media)\([^\n]*?"(\w+)"[,)]', source))
    kinds |= set(re.findall(r'_write_parquet\([^\n]*?"(\w+)",', source))
    called |= {f"{kind}.{stage}" for kind in kinds for stage in stages}
    assert set(FAILPOINTS) <= called
