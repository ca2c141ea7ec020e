"""Optional dependencies: which are installed, and the one line for those that are not."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution

from anisora.harness.errors import MissingExtra
from anisora.harness.protocols import ExtractorInfo

__all__ = ["missing_distributions", "require_extra"]


def missing_distributions(names: Iterable[str]) -> list[str]:
    """Return which of these distributions are not installed; nothing is imported.

    Example:
        >>> missing_distributions(["numpy", "no-such-distribution"])
        ['no-such-distribution']
    """
    return [name for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def require_extra(info: ExtractorInfo, thing: str = "") -> None:
    """Do nothing where an extractor can run.

    Args:
        info: Of the extractor.
        thing: What to call it in the message; by default the extractor.

    Raises:
        MissingExtra: Distributions that it needs are absent; the message has the command that installs them.
    """
    if missing_distributions(info.distributions):
        raise MissingExtra(thing or f"Extractor `{info.name}`", info.extra)
