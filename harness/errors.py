"""What can go wrong, by name.

    AnisoraError
    ├── ConfigError            an option, specification or file says something that cannot be
    │   └── UnknownNameError   a name that no registry knows; carries the nearest one
    ├── DataError              a suite, manifest or folder of clips does not fit together
    ├── WeightsMissing         weight files that are not where they are looked for
    ├── DeviceUnavailable      a device that this machine does not have
    ├── VideoUnreadable        one clip or image that cannot be decoded, with the reason
    ├── MetricError            a metric or extractor broke its contract
    ├── RecordError            a run folder or leaderboard that is damaged, locked or does not match
    ├── TrainingStopped        a training that was asked to end where something is wrong, and did
    └── MissingExtra           an optional dependency, with the command that installs it

A message names the thing in backticks, the value seen, what was expected and the next step, on one line.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "AnisoraError",
    "ConfigError",
    "DataError",
    "DeviceUnavailable",
    "MetricError",
    "MissingExtra",
    "RecordError",
    "TrainingStopped",
    "UnknownNameError",
    "VideoUnreadable",
    "WeightsMissing",
    "nearest",
]


class AnisoraError(Exception):
    """Something the user can act on; printed as one line without a traceback."""

    exit_code = 2


class ConfigError(AnisoraError):
    """An option, specification or file says something that cannot be."""


class UnknownNameError(ConfigError):
    """A name that no registry knows."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        """Build the message from the kind of thing, the name given and the names that exist."""
        self.kind, self.name, self.suggestion = kind, name, nearest(name, known)
        guess = f" Did you mean {self.suggestion!r}?" if self.suggestion else ""
        super().__init__(f"{kind.capitalize()} {name!r} is not known.{guess} {hint}".rstrip())


class DataError(AnisoraError):
    """A suite, manifest or folder of clips does not fit together."""


class WeightsMissing(AnisoraError):
    """Weight files that are not where they are looked for."""


class DeviceUnavailable(AnisoraError):
    """A device that this machine does not have."""


class VideoUnreadable(AnisoraError):
    """One clip or image that cannot be decoded; ``reason`` is a short stable word.

    Reasons: ``missing``, ``not-a-video``, ``no-video-stream``, ``no-frames``, ``no-frame-rate``, ``damaged``,
    ``too-large`` (bytes), ``too-many-pixels``, ``too-many-frames``, ``memory-limit``, ``cpu-limit``, ``time-limit``,
    ``decoder-died``, ``unsupported``.
    """

    exit_code = 1

    def __init__(self, path: object, reason: str, detail: str) -> None:
        """Name the file, the stable reason and what was seen."""
        self.path, self.reason, self.detail = str(path), reason, detail
        super().__init__(f"Video `{path}` cannot be read ({reason}): {detail}")


class MetricError(AnisoraError):
    """A metric or extractor broke its contract."""

    exit_code = 1


class RecordError(AnisoraError):
    """A run folder or leaderboard that is damaged, locked or does not match."""

    exit_code = 1


class TrainingStopped(AnisoraError):
    """A training that ended before its last step, as it was asked to; what is done is kept."""

    exit_code = 1


class MissingExtra(AnisoraError):
    """An optional dependency is not installed."""

    def __init__(self, thing: str, extra: str) -> None:
        """Name what was asked for and the extra that brings it."""
        super().__init__(
            f"{thing} needs the extra {extra!r}, which is not installed. "
            f'Run: pip install -c constraints.txt "anisora-harness[{extra}]"'
        )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to ``name``, or None if none is close."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None
