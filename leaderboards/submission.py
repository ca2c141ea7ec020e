"""Where the numbers of a run come from, and whether whoever gave them has taken them back."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from anisora.harness.errors import ConfigError

__all__ = ["CLAIMS", "STATUSES", "Claim", "Status", "Submission", "check_claim", "withdrawn_note"]

Claim = Literal["reported", "re-scored", "verified"]
"""What the maintainer of a board says of a run that came as a bundle."""

Status = Literal["local", "reported", "re-scored", "verified"]
CLAIMS: Final[tuple[str, ...]] = get_args(Claim)
STATUSES: Final[tuple[str, ...]] = get_args(Status)

_WITHDRAWN: Final = {
    "en": ("{count} run that was withdrawn not shown.", "{count} runs that were withdrawn not shown."),
    "zh": ("{count} 次已撤回的运行未显示。", "{count} 次已撤回的运行未显示。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a board knows of a run beside its record."""

    run_id: str
    status: Status = "local"
    """``local``: scored by whoever keeps the board. ``reported``: the bundle of somebody else, not looked at further.
    ``re-scored``: the maintainer scored the same clips again. ``verified``: the maintainer made the clips, too."""
    note: str = ""
    """Who checked the run and how."""
    date: str = ""
    """When the status was given, ISO 8601, UTC."""
    sha256: str | None = None
    """Of the bundle the run came in; None for a run that was made here."""
    withdrawn: str | None = None
    """When the run was withdrawn, ISO 8601, UTC; None while it stands."""
    reason: str = ""
    """Why it was withdrawn."""


def check_claim(status: str, note: str) -> None:
    """Refuse a claim without the words that support it.

    Raises:
        ConfigError: The status is not one of CLAIMS, or is more than ``reported`` and has no note.
    """
    if status not in CLAIMS:
        raise ConfigError(f"`--status` got {status!r}; expected one of {', '.join(CLAIMS)}.")
    if status != "reported" and not note.strip():
        raise ConfigError(
            f"`--status {status}` needs a `--note`, which is empty; say who checked the run and how, such as "
            '--note "scored again by A. Example from the clips".'
        )


def withdrawn_note(count: int, language: str) -> str:
    """Return the footnote of a table without its withdrawn runs."""
    one, more = _WITHDRAWN[language]
    return (one if count == 1 else more).format(count=count)
