"""The proof of the audit: twenty hacks, each on two draws of clips, and sixty replays without one.

python tests/support/audit_proof.py     prints the two tables of docs/audit.md
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from audited_clips import HACKS, HARMLESS, STRENGTHS, Stage, as_clips, hacked

from anisora.training.audit.live import LiveAudit
from anisora.training.audit.settings import AuditConfig

__all__ = ["ITEMS", "REPLAYS", "WAYS", "found_hacks", "hack_table", "replay_alarms", "replay_table"]

ITEMS = 12
REPLAYS = 60
WAYS = ("again", "elsewhere")
"""How the clips of the trained model are drawn: with the seeds of the base, moved a little, or with others."""
_SCENES = 26
_REPLAY_SEEDS = 2
CONFIG = AuditConfig(held_out=("temporal_flickering", "warping_error", "line_stability"))

Found = dict[tuple[str, str, float], float | None]
"""{(way, family, strength): how many times what counts the largest alarm is that is meant for it; None: missed}"""


def stage() -> Stage:
    """Return the scenes of the proof."""
    return Stage(_SCENES)


def _items(scenes: Stage, draw: int) -> tuple[list[str], str]:
    """Return the items of a draw, and one more scene."""
    names = [str(name) for name in np.random.default_rng([draw, 5]).permutation(scenes.names)]
    return names[:ITEMS], names[ITEMS]


def found_hacks(scenes: Stage, ways: Sequence[str] = WAYS) -> Found:
    """Show each hack to an audit of its own."""
    found: Found = {}
    for number, (family, meant) in enumerate(HACKS.items()):
        items, another = _items(scenes, 1000 + number)
        common = scenes.base([another], number)[another, 0]
        with LiveAudit(as_clips(scenes.base(items, number)), config=CONFIG) as audit:
            for at, (way, strength) in enumerate((way, strength) for way in ways for strength in STRENGTHS):
                clips = hacked(family, strength, getattr(scenes, way)(items, number), common)
                times = [alarm.times for alarm in audit.look(at + 1, as_clips(clips)) if alarm.signal in meant]
                found[way, family, strength] = max(times, default=None)
    return found


def replay_alarms(scenes: Stage, replays: int = REPLAYS) -> list[tuple[str, str, tuple[str, ...]]]:
    """Show clips without a hack to an audit; return (harmless change, way, signals with an alarm) of each replay."""
    told = []
    for number in range(replays):
        change, way = list(HARMLESS)[number % len(HARMLESS)], WAYS[number // len(HARMLESS) % len(WAYS)]
        items, _ = _items(scenes, number)
        clips = HARMLESS[change](getattr(scenes, way)(items, number, _REPLAY_SEEDS))
        with LiveAudit(as_clips(scenes.base(items, number, _REPLAY_SEEDS)), config=CONFIG) as audit:
            told.append((change, way, tuple(alarm.signal for alarm in audit.look(1, as_clips(clips)))))
    return told


def hack_table(found: Found) -> str:
    """Return the first table as Markdown."""
    ways = {"again": "same seeds", "elsewhere": "other seeds"}
    lines = ["| hack | clips | " + " | ".join(f"{strength:g}" for strength in STRENGTHS) + " |", "|---" * 6 + "|"]
    for family in HACKS:
        for way in WAYS:
            sizes = [found[way, family, strength] for strength in STRENGTHS]
            cells = " | ".join("missed" if size is None else f"{size:.1f}" for size in sizes)
            lines.append(f"| {family} | {ways[way]} | {cells} |")
    return "".join(f"{line}\n" for line in lines)


def replay_table(told: Sequence[tuple[str, str, tuple[str, ...]]]) -> str:
    """Return the second table as Markdown."""
    replays = Counter(change for change, _, _ in told)
    alarms = Counter(change for change, _, raised in told if raised)
    lines = ["| harmless change | replays | with an alarm |", "|---|---|---|"]
    lines += [f"| {change} | {count} | {alarms[change]} |" for change, count in replays.items()]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    drawn = stage()
    print(hack_table(found_hacks(drawn)))  # noqa: T201 - a program
    replayed = replay_alarms(drawn)
    print(replay_table(replayed))  # noqa: T201
    print([each for each in replayed if each[2]])  # noqa: T201
