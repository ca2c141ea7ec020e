"""The words of tables and reports, in English and Chinese; the texts themselves are in ``words.yaml``."""

from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

from anisora.harness.errors import ConfigError

__all__ = ["LANGUAGES", "Language", "Words", "texts"]

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[str, ...]] = get_args(Language)


class Words:
    """Texts by key in one language; ``words("items", count=3)`` fills in what a text leaves open.

    Example:
        >>> Words("zh")("held", held=3, count=4)
        '事先写下的 4 项预期中，3 项成立。'
    """

    def __init__(self, language: str) -> None:
        """Choose a language.

        Raises:
            ConfigError: It is not one of LANGUAGES.
        """
        if language not in LANGUAGES:
            raise ConfigError(f"`--lang` got {language!r}; expected one of {', '.join(LANGUAGES)}.")
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key."""
        return texts()[key][self.language].format(**values)


@cache
def texts() -> dict[str, dict[str, str]]:
    """Return {key: {language: text}}."""
    import yaml

    content = files("anisora.leaderboards").joinpath("words.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(content)
    return loaded
