"""Reads a JSON file that is a list of objects, as VBench writes its lists."""

import json
from pathlib import Path
from typing import Any

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import shortened, unreadable_path
from anisora.harness.inputs.tabular import MAX_BYTES

__all__ = ["read_json_objects"]


def read_json_objects(path: Path, expected: str) -> list[dict[str, Any]]:
    """Read the objects of a list.

    Args:
        path: The file.
        expected: What the file should be, for messages.

    Raises:
        DataError: It cannot be read, is too large, no JSON in UTF-8, or no list of at least one object.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"`{path}` has {path.stat().st_size} bytes; expected at most {MAX_BYTES}; split it.")
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise unreadable_path(path, error) from error
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"`{path}` is not JSON in UTF-8 ({shortened(reason)}); expected {expected}; write it again."
        ) from None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"`{path}` got {shortened(entries)}; expected {expected}; write it again.")
    return entries
