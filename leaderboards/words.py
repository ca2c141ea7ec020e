"""The words of tables and reports, in English and Chinese; the texts themselves are in ``words.yaml``."""

from functools import cache
from importlib.resources import files
from typing import ClassVar, Final, Literal, cast, get_args

from anisora.harness.errors import ConfigError

__all__ = ["LANGUAGES", "Language", "Words", "texts"]

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[str, ...]] = get_args(Language)

_PACKAGE: Final = "anisora.leaderboards"


class Words:
    """Texts by key in one language; ``words("items", count=3)`` fills in what a text leaves open.

    Example:
        >>> Words("zh")("held", held=3, count=4)
        '事先写下的 4 项预期中，3 项成立。'
    """

    packages: ClassVar[tuple[str, ...]] = (_PACKAGE,)
    """Whose ``words.yaml`` is looked into, the first that has a key."""

    def __init__(self, language: str) -> None:
        """Choose a language.

        Raises:
            ConfigError: It is not one of LANGUAGES.
        """
        if language not in LANGUAGES:
            raise ConfigError(f"`--lang` got {language!r}; expected one of {', '.join(LANGUAGES)}.")
        self.language = cast("Language", language)

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key."""
        found = next((texts(package)[key] for package in self.packages if key in texts(package)), None)
        if found is None:
            raise KeyError(key)
        return found[self.language].format(**values)


@cache
def texts(package: str = _PACKAGE) -> dict[str, dict[str, str]]:
    """Return {key: {language: text}} of the ``words.yaml`` in a package."""
    import yaml

    content = files(package).joinpath("words.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(content)
    return loaded
