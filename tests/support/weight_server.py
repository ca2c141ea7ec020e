"""An HTTP server on this machine that gives files as hubs do, and fails as networks do; and ledgers that name them."""

import hashlib
import re
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

__all__ = ["WeightServer", "ledger_text", "serving"]


@dataclass
class WeightServer:
    """What the server has, how it behaves, and what it was asked for."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    """Another ETag than the quoted sha256."""
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Answered one by one before the file is given."""
    cuts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Bytes after which the connections, one by one, are cut."""
    headers: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Sent in place of the true ones; an empty text leaves one out."""
    ranges: bool = True
    stalled: threading.Event | None = None
    """Waited for where a connection would be cut."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    """{path: bytes of bodies}"""

    def address(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    state: WeightServer

    def do_GET(self) -> None:
        state, path = self.state, self.path.partition("?")[0]
        state.requests.append((path, {name.lower(): value for name, value in self.headers.items()}))
        if path in state.redirects:
            self._answer(302, {"Location": state.redirects[path], "Content-Length": "0"})
        elif state.statuses[path] or path not in state.files:
            self._answer(state.statuses[path].pop(0) if state.statuses[path] else 404, {"Content-Length": "0"})
        else:
            self._give(path, state.files[path])

    def _give(self, path: str, body: bytes) -> None:
        state = self.state
        etag = state.etags.get(path, f'"{hashlib.sha256(body).hexdigest()}"')
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = 0
        status, headers = 200, {"ETag": etag, "Content-Type": "application/octet-stream"}
        if wanted and state.ranges and self.headers.get("If-Range") == etag:
            start = int(wanted[1])
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            if start >= len(body):
                self._answer(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
                return
        headers["Content-Length"] = str(len(body) - start)
        headers.update(state.headers[path])
        self._answer(status, headers)
        rest = body[start:]
        cut = state.cuts[path].pop(0) if state.cuts[path] else None
        self.close_connection = cut is not None or "Content-Length" in state.headers[path]
        for at in range(0, len(rest[:cut]), 4096):
            piece = rest[:cut][at : at + 4096]
            try:
                self.wfile.write(piece)
            except OSError:  # the client has seen enough
                self.close_connection = True
                return
            state.sent[path] += len(piece)
        if cut is not None:
            if state.stalled is not None:
                state.stalled.wait(60)
            self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that went away is expected."""


@contextmanager
def serving() -> Iterator[WeightServer]:
    """Serve on a free port until the block ends."""
    state = WeightServer()
    handler = type("Handler", (_Handler,), {"state": state})
    with _Server(("127.0.0.1", 0), handler) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield state
        if state.stalled is not None:
            state.stalled.set()
        server.shutdown()
        thread.join()


def ledger_text(*entries: dict[str, Any]) -> str:
    """Return a ledger of entries that give no more than a name, files and sources."""
    common = {"purpose": "a network for this test", "licence": "Apache-2.0", "commercial_use": True}
    return yaml.safe_dump({"weights": [{**common, **entry} for entry in entries]})
