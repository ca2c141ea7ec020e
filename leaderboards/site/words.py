"""The words of a site, in English and Chinese: its own, and for the rest those of tables and reports."""

from functools import cache
from importlib.resources import files

from anisora.leaderboards.words import Words

__all__ = ["SiteWords", "site_texts"]


class SiteWords(Words):
    """Texts by key in one language, as ``Words``.

    Example:
        >>> SiteWords("zh")("status_verified")
        '已核验'
    """

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key."""
        own = site_texts().get(key)
        return super().__call__(key, **values) if own is None else own[self.language].format(**values)


@cache
def site_texts() -> dict[str, dict[str, str]]:
    """Return {key: {language: text}} of the site's own words."""
    import yaml

    content = files("anisora.leaderboards.site").joinpath("words.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(content)
    return loaded
