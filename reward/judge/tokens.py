"""How a text with markers of pictures becomes tokens, as Idefics2's processor does it."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError, WeightsMissing

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["FAKE", "IMAGE", "TOKENIZER_FILE", "expanded", "read_tokenizer", "token_ids"]

IMAGE: Final = "<image>"
FAKE: Final = "<fake_token_around_image>"
"""Stands before and after a picture's tokens."""
TOKENIZER_FILE: Final = "tokenizer.json"


def expanded(text: str, latents: int) -> str:
    """Return the text with each marker made a picture's tokens between two boundaries.

    Pictures that touch share the boundary between them; with a space between them each keeps its own. Pictures are
    never split into quarters, which would make five of each.

    Args:
        text: With ``<image>`` for each picture.
        latents: Tokens of a picture.
    """
    return text.replace(IMAGE, f"{FAKE}{IMAGE * latents}{FAKE}").replace(FAKE + FAKE, FAKE)


def token_ids(tokenizer: "Tokenizer", text: str, latents: int) -> list[int]:
    """Return the ids of a text with pictures, whole, with what the tokenizer puts before it.

    Raises:
        ConfigError: A marker or a boundary is no single token of this tokenizer.
    """
    picture, boundary = tokenizer.token_to_id(IMAGE), tokenizer.token_to_id(FAKE)
    if picture is None or boundary is None:
        lacking = IMAGE if picture is None else FAKE
        raise ConfigError(
            f"The tokenizer does not know {lacking!r}; expected that of an Idefics2 checkpoint. Fetch it again."
        )
    ids: list[int] = tokenizer.encode(expanded(text, latents)).ids
    found, needed = ids.count(picture), text.count(IMAGE) * latents
    if found != needed:
        raise ConfigError(f"The tokenizer made {found} tokens of {IMAGE!r}; expected {needed}. Fetch it again.")
    return ids


def read_tokenizer(path: Path) -> "Tokenizer":
    """Return the tokenizer of a ``tokenizer.json``: a file of tables, in which there is no code and no address.

    Raises:
        WeightsMissing: The file does not exist or is damaged.
    """
    from tokenizers import Tokenizer

    if not path.is_file():
        raise WeightsMissing(f"Tokenizer `{path}` does not exist; put the checkpoint's {TOKENIZER_FILE} there.")
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise WeightsMissing(f"Tokenizer `{path}` is damaged ({error}); fetch the file again.") from error
    # What training set here is kept in the file; the release's processor sets neither.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
