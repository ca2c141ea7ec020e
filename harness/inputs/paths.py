"""What to say about a path that does not exist or cannot be read."""

from pathlib import Path

from anisora.harness.errors import ConfigError, DataError, nearest

__all__ = ["missing_path", "path_exists", "shortened", "unreadable_path", "write_new"]


def shortened(value: object, length: int = 80) -> str:
    """Return the ``repr`` of a value, cut in the middle, so that a message stays one readable line."""
    text = repr(value)
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def missing_path(path: Path, expected: str) -> DataError:
    """Return the error for a path that is not there, with the nearest name that is, or is of another kind.

    Args:
        path: What was asked for.
        expected: What should have been there, such as ``a folder of videos``.
    """
    existing = path.absolute()
    wanted = existing.name
    if path_exists(path):
        kind = "a folder" if path.is_dir() else "no folder"
        return DataError(f"`{path}` is {kind}; expected {expected}; correct the path.")
    while existing != existing.parent and not path_exists(existing):
        wanted, existing = existing.name, existing.parent
    guess = nearest(wanted, _names_in(existing))
    hint = f"did you mean `{existing / guess}`?" if guess else f"`{existing}` has no {shortened(wanted)}."
    return DataError(f"`{path}` does not exist; expected {expected}; {hint}")


def _names_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:  # not a folder, or not ours to read: there is nothing to suggest
        return []


def unreadable_path(path: Path, error: OSError) -> DataError:
    """Return the error for a path that is there and cannot be read."""
    return DataError(f"`{path}` cannot be read: {error.strerror or error}; check its permissions.")


def path_exists(path: Path) -> bool:
    """Return whether a path exists; one that cannot even be asked for is an error that names it."""
    try:
        return path.exists()
    except OSError as error:  # a name longer than the file system allows, a folder that may not be searched
        raise unreadable_path(path, error) from error


def write_new(path: Path, text: str) -> None:
    """Write a text file that must not be there yet, in UTF-8.

    Raises:
        ConfigError: It is there already, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"`{path}` is there already; expected a new file; remove it or choose another name."
        ) from None
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {error.strerror}; choose another folder.") from error
