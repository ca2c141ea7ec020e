"""One address to one file, by the standard library alone.

What arrives goes into a part file. After an interruption the next attempt, or the next command, asks for the rest
(RFC 9110: ``Range`` with ``If-Range`` and the strong ETag of the first answer) and begins anew where the server cannot
tell that the file is still the same. Size and sha256 are checked before the caller may give the file its name.
"""

import contextlib
import fcntl
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final
from urllib import error, request
from urllib.parse import urlsplit

from anisora.harness.runfolder import sha256_of_file

__all__ = ["KEPT_FREE", "Download", "DownloadError", "Patience", "received", "shown"]

KEPT_FREE: Final = 64 << 20
"""Bytes of disk that no download takes."""

_PIECE: Final = 1 << 20
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""
_NOTEWORTHY: Final = 8 << 20
"""An attempt that brings so many bytes was no failure."""

Told = Callable[[int, int | None], None]
"""Is told how many bytes are there, and how many there will be if that is known."""


class DownloadError(Exception):
    """Why a source did not give the file, in words that follow its name."""


class _InterruptedError(Exception):
    """An attempt that may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What is wanted."""

    address: str
    bytes: int | None = None
    sha256: str | None = None
    token: str | None = None
    """Sent as ``Authorization: Bearer`` to the host of the address and to no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server is waited for."""

    timeout: float = 30.0
    """Seconds without a byte."""
    attempts: int = 5
    pause: float = 1.0
    """Seconds before the second attempt; each further one waits twice as long."""


def shown(address: str) -> str:
    """Return an address without its query, which may hold a signature."""
    return address.partition("?")[0]


def _origin(address: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address that may be opened.

    Raises:
        DownloadError: It is neither https, nor http on this machine, or it carries a password.
    """
    try:
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as wrong:
        raise DownloadError(f"the address {shown(address)!r} cannot be read ({wrong})") from wrong
    if "@" in parts.netloc:
        raise DownloadError(f"the address of {host!r} holds a user or password; expected none (HF_TOKEN is for tokens)")
    if not host or not (scheme == "https" or (scheme == "http" and host in _LOOPBACK)):
        raise DownloadError(f"the address {shown(address)!r} is refused; expected https, or http on 127.0.0.1")
    return scheme, host, port


class _Redirects(request.HTTPRedirectHandler):
    """Follows redirects to addresses that may be opened, and takes the token to no other host."""

    def redirect_request(
        self,
        req: request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage | Message,
        newurl: str,
    ) -> request.Request | None:
        before = _origin(req.full_url)
        try:
            after = _origin(newurl)
            if after[0] != "https" and before[0] == "https":
                raise DownloadError(f"the address {shown(newurl)!r} is refused; expected https")
        except DownloadError as wrong:
            fp.close()
            raise DownloadError(f"redirects, but {wrong}") from wrong
        following = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if following is not None and after != before:
            following.remove_header("Authorization")
        return following


@contextlib.contextmanager
def received(
    wanted: Download, part: Path, *, told: Told = lambda _, __: None, patience: Patience | None = None
) -> Iterator[str]:
    """Download into a part file; inside the block it is whole and checked, and nobody else writes to it.

    Args:
        wanted: The address, and what is known of the file.
        part: Where the bytes go; kept after an interruption, removed when the content is wrong.
        told: Is told of progress.
        patience: How long to wait and how often to try.

    Yields:
        The sha256.

    Raises:
        DownloadError: The source does not give the file; the text says why.
        OSError: The part file cannot be written.
    """
    _origin(wanted.address)
    part.parent.mkdir(parents=True, exist_ok=True)
    note = part.with_name(f"{part.name}.json")
    with _only_writer(part) as file:
        try:
            _fill(wanted, file, note, told, patience or Patience())
            digest = sha256_of_file(part)
            if wanted.sha256 is not None and digest != wanted.sha256:
                part.unlink()
                raise DownloadError(f"gave a file of sha256 {digest}, expected {wanted.sha256}; it was removed")
            yield digest
        finally:
            if _size(file) == 0:
                part.unlink(missing_ok=True)
            if not part.exists():
                note.unlink(missing_ok=True)


@contextlib.contextmanager
def _only_writer(part: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have given the file its final name between opening and locking.
            if not part.exists() or not os.path.samestat(os.fstat(file.fileno()), part.stat()):
                raise BlockingIOError
        except BlockingIOError as busy:
            raise DownloadError(f"another process is writing `{part}`; wait for it") from busy
        yield file


def _fill(wanted: Download, file: IO[bytes], note: Path, told: Told, patience: Patience) -> None:
    failures = 0
    while True:
        before = _size(file)
        try:
            if not _is_whole(wanted, file, note):
                _attempt(wanted, file, note, told, patience.timeout)
            file.flush()
            os.fsync(file.fileno())
            return
        except _InterruptedError as stopped:
            failures = 0 if _size(file) - before >= _NOTEWORTHY else failures + 1
            if failures >= patience.attempts:
                raise DownloadError(f"{stopped}, {failures} times; the same command goes on from there") from stopped
            time.sleep(patience.pause * 2 ** max(failures - 1, 0))


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)


def _read_note(wanted: Download, note: Path) -> dict[str, Any]:
    """Return what an earlier answer said of the part file, if it was from the same address."""
    with contextlib.suppress(OSError, ValueError):
        noted = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(noted, dict) and noted.get("address") == wanted.address and isinstance(noted.get("etag"), str):
            return noted
    return {}


def _is_whole(wanted: Download, file: IO[bytes], note: Path) -> bool:
    """Return whether an earlier process died after the last byte."""
    noted = _read_note(wanted, note)
    expected = wanted.bytes if wanted.bytes is not None else noted.get("bytes")
    return bool(noted) and expected is not None and _size(file) == expected


def _attempt(wanted: Download, file: IO[bytes], note: Path, told: Told, timeout: float) -> None:
    etag = _read_note(wanted, note).get("etag", "")
    start = _size(file) if etag else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "anisora-harness"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": etag}
    if wanted.token:
        headers["Authorization"] = f"Bearer {wanted.token}"
    try:
        with _open(request.Request(wanted.address, headers=headers), timeout) as answer:  # noqa: S310 - checked
            _take(wanted, answer, start, file, note, told)
    except error.HTTPError as refused:
        with refused:
            if refused.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                note.unlink(missing_ok=True)  # what is there is not the beginning of that file
                raise _InterruptedError("has no such part of the file") from refused
            raise _refusal(refused, wanted) from refused
    except (error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as broken:
        reason = getattr(broken, "reason", None) or broken
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DownloadError(f"has a certificate that is not trusted ({reason.verify_message})") from broken
        if isinstance(reason, socket.gaierror | ConnectionRefusedError):
            raise DownloadError(f"cannot be reached ({reason.strerror})") from broken
        raise _InterruptedError(f"broke off ({' '.join(str(reason).split()) or type(broken).__name__})") from broken


def _open(wanted: request.Request, timeout: float) -> Any:  # noqa: ANN401 - an HTTPResponse
    # A proxy is for other machines.
    proxies: dict[str, str] | None = {} if _origin(wanted.full_url)[1] in _LOOPBACK else None
    return request.build_opener(request.ProxyHandler(proxies), _Redirects()).open(wanted, timeout=timeout)


def _refusal(refused: error.HTTPError, wanted: Download) -> Exception:
    status = f"{refused.code} {refused.reason}".strip()
    if refused.code in _PASSING:
        return _InterruptedError(f"answered {status}")
    if refused.code in (401, 403):
        token = "the token of HF_TOKEN is not enough" if wanted.token else "it may need a token (HF_TOKEN)"
        return DownloadError(f"answered {status}: {token}, or its terms must be accepted on its page first")
    return DownloadError(f"answered {status}")


def _take(wanted: Download, answer: Any, start: int, file: IO[bytes], note: Path, told: Told) -> None:  # noqa: ANN401
    """Write the body of an answer behind what is there, or in its place."""
    headers = answer.headers
    encoding = headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DownloadError(f"sends the file encoded as {encoding!r}; expected it as it is")
    if wanted.sha256 is None and headers.get_content_type() == "text/html":
        raise DownloadError("sends a web page; expected a file")
    if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            note.unlink(missing_ok=True)
            raise _InterruptedError("sends another part of the file than the one asked for")
    else:
        start = 0
    length = headers.get("Content-Length", "")
    total = start + int(length) if re.fullmatch(r"\d{1,18}", length) else None
    if wanted.bytes is not None and total is not None and total != wanted.bytes:
        raise DownloadError(f"has a file of {total} bytes, expected {wanted.bytes}")
    size = wanted.bytes if wanted.bytes is not None else total
    room = max(0, shutil.disk_usage(note.parent).free - KEPT_FREE)
    if size is not None and size - start > room:
        raise DownloadError(f"has {size - start} bytes more, and the disk of `{note.parent}` has room for {room}")
    file.truncate(start)
    _write_note(wanted, headers.get("ETag", ""), total, note)
    _copy(answer, file, start, size, start + room, told)


def _write_note(wanted: Download, etag: str, total: int | None, note: Path) -> None:
    if not re.fullmatch(r'"[\x21\x23-\x7e]*"', etag):  # a weak one does not vouch for bytes
        note.unlink(missing_ok=True)
        return
    note.write_text(json.dumps({"address": wanted.address, "etag": etag, "bytes": total}), encoding="utf-8")


def _copy(answer: Any, file: IO[bytes], start: int, size: int | None, most: int, told: Told) -> None:  # noqa: ANN401
    at = file.seek(start)
    told(at, size)
    while piece := answer.read1(_PIECE):
        at += len(piece)
        if at > (most if size is None else size):
            file.truncate(0)
            raise DownloadError(f"sends more than {most if size is None else size} bytes; stopped, and removed")
        file.write(piece)
        told(at, size)
    if size is not None and at < size:
        raise _InterruptedError(f"broke off after {at} of {size} bytes")
