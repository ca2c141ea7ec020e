"""A thousand planted errors are found, and two hundred right tables are left alone."""

from collections import Counter
from itertools import count, cycle

from claim_tables import ERRORS, WRITERS, Drawn, draw, planted

from anisora.leaderboards.claims.check import check_document, parsed
from anisora.leaderboards.claims.findings import Report

PLANTED = 1_000
RIGHT = 200


def report_of(drawn: Drawn, name: str) -> Report:
    return check_document(parsed(WRITERS[name](drawn.printed), name), drawn.known)


def test_every_planted_error_is_flagged_where_it_is_and_nothing_else() -> None:
    seeds, wrong, met = count(), [], Counter[tuple[str, str]]()
    names = list(WRITERS)
    for place in range(PLANTED):
        name, kind = names[place % len(names)], ERRORS[place // len(names) % len(ERRORS)]
        seed, drawn = next((seed, drawn) for seed in seeds if (drawn := planted(seed, kind)) is not None)
        found = {(it.kind, it.row, it.column) for it in report_of(drawn, name).flagged}
        spaced = {(kind, " ".join(row.split()), column) for kind, row, column in drawn.planted_at}
        met[name, kind] += 1
        # Of rows that are swapped, one or more are told to belong elsewhere.
        is_right = bool(found) and found <= spaced if kind == "order" else found == spaced
        if not is_right:
            wrong.append((seed, name, kind, found))
    assert wrong == []
    assert min(met[name, kind] for name in names for kind in ERRORS) > 60


def test_right_tables_are_not_flagged() -> None:
    wrong = []
    for seed, name in zip(range(RIGHT), cycle(WRITERS), strict=False):
        report = report_of(draw(seed), name)
        assert len(report.tables) == 1, (seed, name)
        wrong += [(seed, name, found.message) for found in report.flagged]
    assert wrong == []
