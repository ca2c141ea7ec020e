"""A record as it may leave this machine: without the paths of this machine, and equal in all that counts."""

import re
from collections.abc import Mapping
from typing import Any, Final

from anisora.harness.errors import RecordError
from anisora.harness.record import Protocol, RunRecord, digest_of

__all__ = ["content_digest", "publishable", "without_paths"]

# An absolute path of two parts or more; `https://a/b` and `ffv1/bgr0` are none.
_PATH: Final = re.compile(r"(?<![\w.:/\\-])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\`'\"<>|,;=()]+[/\\])+([^\s/\\`'\"<>|,;=()]*)")
_NOT_CONTENT: Final = {"started", "finished", "environment", "counters", "timings", "files", "git"}


def without_paths(text: str) -> str:
    """Return a text in which absolute paths are shortened to their last part.

    Example:
        >>> without_paths("no frames in `/home/a/clips/x.mp4`, ffv1/bgr0")
        'no frames in `x.mp4`, ffv1/bgr0'
    """
    return _PATH.sub(lambda found: found[1], text)


def publishable(record: RunRecord) -> RunRecord:
    """Return a record without folders of clips and without absolute paths.

    ``spec.videos`` is emptied; a suite that was read from a file is named by its name; other absolute paths are
    shortened to their last part. The protocol is left as it is, and with it the fingerprint.

    Raises:
        RecordError: The protocol itself holds a path, which cannot be taken out without changing the fingerprint.
    """
    held = _first_path(record.protocol)
    if held is not None:
        field, value = held
        raise RecordError(
            f"Run `{record.run_id}` has the path {value!r} in the protocol field `{field}`; expected a name; a bundle "
            "would publish it. Score the clips again with relative names."
        )
    content = _shortened(record.model_dump(exclude={"protocol"}))
    content["spec"] |= {"videos": [], "system": 0, "suite_source": record.spec.suite}
    return RunRecord.model_validate({**content, "protocol": record.protocol})


def content_digest(record: RunRecord) -> str:
    """Return the sha256 of what a run says: asked, results, protocol, weights; not when and where it was made."""
    return digest_of(publishable(record).model_dump(mode="json", exclude=_NOT_CONTENT))


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return without_paths(value)
    if isinstance(value, Mapping):
        return {without_paths(str(name)): _shortened(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(part) for part in value]
    return value


def _first_path(protocol: Protocol) -> tuple[str, str] | None:
    fields: dict[str, Any] = dict(protocol.fields)
    for metric, entry in protocol.metrics.items():
        fields |= {f"{metric}.{name}": value for name, value in entry.items()}
    for name, value in sorted(fields.items()):
        text = next((text for text in _texts(value) if without_paths(text) != text), None)
        if text is not None:
            return name, text
    return None


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for name, part in value.items() for text in (str(name), *_texts(part))]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return []
