"""The words of a site, in English and Chinese: its own, and for the rest those of tables and reports."""

from typing import ClassVar

from anisora.leaderboards.words import Words

__all__ = ["SiteWords"]


class SiteWords(Words):
    """Texts by key in one language, as ``Words``.

    Example:
        >>> SiteWords("zh")("status_verified")
        '已核验'
    """

    packages: ClassVar[tuple[str, ...]] = ("anisora.leaderboards.site", *Words.packages)
