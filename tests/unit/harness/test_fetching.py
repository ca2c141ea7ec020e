"""Downloads from a real server on this machine, whole and broken."""

import fcntl
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.request import Request

import numpy as np
import pytest
from weight_server import WeightServer, ledger_text, serving

from anisora.harness import weights
from anisora.harness.downloading import DownloadError, Patience, _Redirects
from anisora.harness.errors import ConfigError, UnknownNameError, WeightsMissing
from anisora.harness.fetching import Fetched, address_of, check_room, fetch, names_for, plan_fetch
from anisora.harness.registry import Registry
from anisora.harness.weights import WeightEntry, WeightFile, WeightSource, locate

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
FILE = {"path": "nets/small.bin", "sha256": SHA256, "bytes": len(BODY)}
AT_ONCE = Patience(timeout=10, attempts=3, pause=0)
ONCE = Patience(timeout=10, attempts=1, pause=0)

Ledger = Callable[..., None]


@pytest.fixture
def server() -> Iterator[WeightServer]:
    with serving() as started:
        started.files["/small.bin"] = BODY
        yield started


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Writes the ledger of an installed package; the cache is empty and no variable of the user is seen."""
    package = tmp_path / "site" / "fetched_weights"
    package.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "HF_ENDPOINT", "MODELSCOPE_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(weights, "registry", lambda _: Registry("ledgers", {"x": "fetched_weights:weights.yaml"}))

    def write(*entries: dict[str, Any]) -> None:
        (package / "weights.yaml").write_text(ledger_text(*entries))
        weights._entries.cache_clear()

    yield write
    weights._entries.cache_clear()


def entry_with(*sources: dict[str, Any], **file: Any) -> dict[str, Any]:
    given = {key: value for key, value in {**FILE, **file}.items() if value is not None}
    return {"name": "small", "files": [given], "sources": list(sources)}


def url(server: WeightServer, path: str = "/small.bin", **more: Any) -> dict[str, Any]:
    return {"hub": "url", "id": server.address(path), **more}


def fetch_all(*names: str, patience: Patience = AT_ONCE, hub: Any = "auto") -> list[Fetched]:
    return list(fetch(plan_fetch(names or ("small",), hub=hub), patience=patience))


def nets(tmp_path: Path) -> list[str]:
    folder = tmp_path / "cache" / "weights" / "nets"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def told(fetched: list[Fetched]) -> str:
    (only,) = fetched
    assert only.sha256 is None
    return " | ".join(only.reasons)


# -- whole


def test_a_file_arrives_whole_and_is_found_by_a_run(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    steps: list[tuple[int, int | None]] = []
    (done,) = fetch(plan_fetch(["small"]), told=lambda _, at, total: steps.append((at, total)))
    assert (done.sha256, done.reasons) == (SHA256, ())
    assert steps[0] == (0, len(BODY))
    assert steps[-1] == (len(BODY), len(BODY))
    assert nets(tmp_path) == ["small.bin"]
    assert locate(["small"])["small"]["nets/small.bin"].read_bytes() == BODY
    again = plan_fetch(["small"])
    assert (again.present, again.downloads) == (1, ())


def test_a_file_may_go_into_a_named_folder(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    (tmp_path / "own").mkdir()
    list(fetch(plan_fetch(["small"], folder=tmp_path / "own")))
    assert (tmp_path / "own" / "nets" / "small.bin").read_bytes() == BODY
    assert nets(tmp_path) == []


def test_a_damaged_file_is_replaced(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    path = tmp_path / "cache" / "weights" / "nets" / "small.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY[:-1] + b"x")
    (item,) = plan_fetch(["small"]).wanted
    assert "has sha256" in item.problem
    fetch_all()
    assert path.read_bytes() == BODY


def test_a_plan_asks_no_server_and_writes_nothing(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    plan = plan_fetch(["small"])
    assert (len(plan.downloads), plan.bytes, plan.unknown) == (1, len(BODY), 0)
    assert server.requests == []
    assert not (tmp_path / "cache").exists()


def test_a_file_without_a_known_digest_gets_one_to_compare(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server), sha256=None, bytes=None))
    assert plan_fetch(["small"]).unknown == 1
    assert [done.sha256 for done in fetch_all()] == [SHA256]


def test_a_web_page_is_no_file(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server), sha256=None, bytes=None))
    server.headers["/small.bin"] = {"Content-Type": "text/html; charset=utf-8"}
    assert "sends a web page" in told(fetch_all())
    assert nets(tmp_path) == []


# -- interrupted


def test_a_cut_connection_costs_no_byte_twice(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server)))
    server.cuts["/small.bin"] = [100_000, 50_000]
    (done,) = fetch_all()
    assert done.sha256 == SHA256
    assert [headers.get("range") for _, headers in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent["/small.bin"] == len(BODY)


def test_the_next_command_goes_on_where_the_last_one_was_cut(
    ledger: Ledger, server: WeightServer, tmp_path: Path
) -> None:
    ledger(entry_with(url(server)))
    server.cuts["/small.bin"] = [100_000]
    assert "broke off after 100000 of 300000 bytes, 1 times" in told(fetch_all(patience=ONCE))
    assert nets(tmp_path) == ["small.bin.part", "small.bin.part.json"]
    assert plan_fetch(["small"]).bytes == 200_000
    server.sent.clear()
    (done,) = fetch_all(patience=ONCE)
    assert (done.sha256, server.sent["/small.bin"]) == (SHA256, 200_000)
    assert server.requests[-1][1]["if-range"] == f'"{SHA256}"'
    assert nets(tmp_path) == ["small.bin"]


def test_a_file_that_changed_meanwhile_is_begun_anew(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server)))
    server.files["/small.bin"] = BODY[::-1]
    server.cuts["/small.bin"] = [100_000]
    fetch_all(patience=ONCE)
    server.files["/small.bin"] = BODY
    server.sent.clear()
    (done,) = fetch_all(patience=ONCE)
    assert (done.sha256, server.sent["/small.bin"]) == (SHA256, len(BODY))


def test_a_server_without_ranges_begins_anew(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server)))
    server.ranges = False
    server.cuts["/small.bin"] = [100_000]
    (done,) = fetch_all()
    assert (done.sha256, server.sent["/small.bin"]) == (SHA256, len(BODY) + 100_000)


@pytest.mark.parametrize("etag", ['W/"1"', "unquoted", ""])
def test_nothing_is_resumed_without_a_strong_etag(ledger: Ledger, server: WeightServer, etag: str) -> None:
    ledger(entry_with(url(server)))
    server.etags["/small.bin"] = etag
    server.cuts["/small.bin"] = [100_000]
    (done,) = fetch_all()
    assert done.sha256 == SHA256
    assert all("range" not in headers for _, headers in server.requests)


def test_a_server_that_sends_another_part_is_asked_anew(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server)))
    server.cuts["/small.bin"] = [100_000]
    fetch_all(patience=ONCE)
    server.headers["/small.bin"] = {"Content-Range": "bytes 7-299999/300000"}
    (done,) = fetch_all()
    assert done.sha256 == SHA256
    assert "range" not in server.requests[-1][1]


def test_what_one_source_began_is_not_ended_by_another(ledger: Ledger, server: WeightServer) -> None:
    server.files["/mirror.bin"] = BODY
    server.cuts["/small.bin"] = [100_000]
    ledger(entry_with(url(server), url(server, "/mirror.bin")))
    (done,) = fetch_all(patience=ONCE)
    assert (done.sha256, server.sent["/mirror.bin"]) == (SHA256, len(BODY))
    assert "range" not in server.requests[-1][1]


def test_a_part_that_is_whole_is_not_asked_for(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    server.cuts["/small.bin"] = [100_000]
    fetch_all(patience=ONCE)
    (tmp_path / "cache" / "weights" / "nets" / "small.bin.part").write_bytes(BODY)
    asked = len(server.requests)
    (done,) = fetch_all()
    assert (done.sha256, len(server.requests)) == (SHA256, asked)


def test_a_part_longer_than_the_file_is_begun_anew(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    server.cuts["/small.bin"] = [100_000]
    fetch_all(patience=ONCE)
    (tmp_path / "cache" / "weights" / "nets" / "small.bin.part").write_bytes(BODY + b"more")
    (done,) = fetch_all()
    assert done.sha256 == SHA256


def test_two_processes_do_not_write_one_part(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    part = tmp_path / "cache" / "weights" / "nets" / "small.bin.part"
    part.parent.mkdir(parents=True)
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "another process is writing" in told(fetch_all())
    assert server.requests == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(ledger: Ledger, server: WeightServer, status: int) -> None:
    ledger(entry_with(url(server)))
    server.statuses["/small.bin"] = [status]
    assert [done.sha256 for done in fetch_all()] == [SHA256]
    server.statuses["/small.bin"] = [status] * 3


def test_a_server_that_is_not_there_is_not_waited_for(ledger: Ledger) -> None:
    with serving() as gone:
        pass
    ledger(entry_with(url(gone)))
    assert "cannot be reached (Connection refused)" in told(fetch_all(patience=Patience(pause=60)))


# -- refused


def test_a_wrong_sha256_is_refused_by_name_and_nothing_is_left(
    ledger: Ledger, server: WeightServer, tmp_path: Path
) -> None:
    ledger(entry_with(url(server)))
    wrong = server.files["/small.bin"] = BODY[:-1] + b"x"
    reason = told(fetch_all())
    assert f"{server.address('/small.bin')}) gave a file of sha256" in reason
    assert f"{hashlib.sha256(wrong).hexdigest()}, expected {SHA256}; it was removed" in reason
    assert nets(tmp_path) == []


def test_a_wrong_size_is_refused_before_the_body(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    server.files["/small.bin"] = BODY * 20
    assert f"has a file of {20 * len(BODY)} bytes, expected {len(BODY)}" in told(fetch_all())
    assert server.sent["/small.bin"] < 20 * len(BODY)
    assert nets(tmp_path) == []


def test_a_body_without_end_is_stopped(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    ledger(entry_with(url(server)))
    server.files["/small.bin"] = BODY * 20
    server.headers["/small.bin"] = {"Content-Length": ""}
    assert "sends more than 300000 bytes" in told(fetch_all())
    assert nets(tmp_path) == []


def test_the_next_source_is_tried(ledger: Ledger, server: WeightServer) -> None:
    server.files["/damaged.bin"] = BODY[:-1] + b"x"
    ledger(entry_with(url(server, "/absent.bin"), url(server, "/damaged.bin"), url(server)))
    (done,) = fetch_all()
    assert done.sha256 == SHA256
    assert str(done.source) == f"url:{server.address('/small.bin')}"
    assert ["answered 404" in done.reasons[0], "of sha256" in done.reasons[1]] == [True, True]


def test_what_one_file_lacks_does_not_stop_the_next(ledger: Ledger, server: WeightServer) -> None:
    absent = {"name": "absent", "files": [{"path": "nets/absent.bin"}], "sources": [url(server, "/absent.bin")]}
    ledger(absent, entry_with(url(server)))
    assert [done.sha256 for done in fetch_all("absent", "small")] == [None, SHA256]


def test_what_does_not_fit_is_refused_before_a_server_is_asked(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server), bytes=10**16))
    with pytest.raises(WeightsMissing, match=r"10,000,000,000,000,000 bytes do not fit into .* are free"):
        check_room(plan_fetch(["small"]))
    with pytest.raises(WeightsMissing, match="do not fit"):
        fetch_all()
    assert server.requests == []


def test_what_a_server_says_is_too_large_is_refused_before_the_body(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server), sha256=None, bytes=None))
    server.headers["/small.bin"] = {"Content-Length": str(10**16)}
    assert f"has {10**16} bytes more, and the disk of" in told(fetch_all())


@pytest.mark.parametrize("variable", ["ANISORA_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_means_offline(
    ledger: Ledger, server: WeightServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    ledger(entry_with(url(server)))
    monkeypatch.setenv(variable, "1")
    with pytest.raises(WeightsMissing, match=f"`{variable}` is set, so nothing is downloaded"):
        fetch_all()
    assert server.requests == []
    monkeypatch.setenv(variable, "0")
    assert [done.sha256 for done in fetch_all()] == [SHA256]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://example.org/x", "expected https"),
        ("ftp://example.org/x", "expected https"),
        ("file:///etc/passwd", "expected https"),
        ("https://user:secret@example.org/x", "holds a user or password"),
        ("https://[broken/x", "cannot be read"),
    ],
)
def test_addresses_of_other_kinds_are_refused(ledger: Ledger, address: str, reason: str) -> None:
    ledger(entry_with({"hub": "url", "id": address}))
    message = told(fetch_all())
    assert reason in message


@pytest.mark.parametrize("target", ["http://example.org/x", "file:///etc/passwd", "ftp://example.org/x"])
def test_redirects_to_other_kinds_of_addresses_are_refused(
    ledger: Ledger, server: WeightServer, target: str, tmp_path: Path
) -> None:
    ledger(entry_with(url(server, "/moved.bin")))
    server.redirects["/moved.bin"] = target
    reason = told(fetch_all())
    # The standard library refuses some kinds by itself.
    assert f"redirects, but the address {target!r} is refused" in reason or "is not allowed" in reason
    assert nets(tmp_path) == []


def test_a_redirect_leads_from_https_to_nothing_else() -> None:
    asked = Request("https://example.org/x")
    with pytest.raises(DownloadError, match="expected https"):
        _Redirects().redirect_request(asked, io.BytesIO(), 302, "Found", Message(), "http://127.0.0.1/x")
    followed = _Redirects().redirect_request(asked, io.BytesIO(), 302, "Found", Message(), "https://example.net/y")
    assert followed is not None
    assert followed.full_url == "https://example.net/y"


# -- hubs


def hub_source(hub: str, **more: Any) -> WeightSource:
    return WeightSource.model_validate({"hub": hub, "id": "owner/name", **more})


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (hub_source("hf"), "https://huggingface.co/owner/name/resolve/main/nets/a%2Bb.bin"),
        (hub_source("hf", revision="v/1"), "https://huggingface.co/owner/name/resolve/v%2F1/nets/a%2Bb.bin"),
        (hub_source("hf", path="c d.bin"), "https://huggingface.co/owner/name/resolve/main/c%20d.bin"),
        (hub_source("modelscope"), "https://modelscope.cn/models/owner/name/resolve/master/nets/a%2Bb.bin"),
        (WeightSource(hub="url", id="https://example.org/x"), "https://example.org/x"),
    ],
)
def test_the_address_of_each_hub(ledger: Ledger, source: WeightSource, address: str) -> None:
    assert address_of(source, WeightFile(path="nets/a+b.bin")) == address


def test_mirrors_are_named_by_variables(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hf-mirror.com/")
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "www.modelscope.ai")
    file = WeightFile(path="x.bin")
    assert address_of(hub_source("hf"), file) == "https://hf-mirror.com/owner/name/resolve/main/x.bin"
    assert address_of(hub_source("modelscope"), file).startswith("https://www.modelscope.ai/models/owner/name/")


@pytest.fixture
def hubs(ledger: Ledger, server: WeightServer, monkeypatch: pytest.MonkeyPatch) -> WeightServer:
    """One server that is both hubs, and an entry that is on both."""
    monkeypatch.setenv("HF_ENDPOINT", server.address(""))
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.address(""))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server.files["/owner/small/resolve/main/small.bin"] = BODY
    server.files["/models/own/small/resolve/master/nets/small.bin"] = BODY
    hugging_face = {"hub": "hf", "id": "owner/small", "path": "small.bin"}
    ledger(entry_with(hugging_face, {"hub": "modelscope", "id": "own/small"}, url(server)))
    return server


@pytest.mark.parametrize(
    ("hub", "asked"),
    [("auto", "/owner/small/resolve/main"), ("hf", "/owner/small"), ("modelscope", "/models/own/small")],
)
def test_a_hub_can_be_chosen(hubs: WeightServer, hub: str, asked: str) -> None:
    fetch_all(hub=hub)
    assert [path.startswith(asked) for path, _ in hubs.requests] == [True]


def test_the_token_is_for_the_first_hub_alone(hubs: WeightServer) -> None:
    hubs.files["/owner/small/resolve/main/small.bin"] = BODY[::-1]
    hubs.files["/models/own/small/resolve/master/nets/small.bin"] = BODY[::-1]
    fetch_all()
    assert [headers.get("authorization") for _, headers in hubs.requests] == ["Bearer hf_secret", None, None]


def test_the_token_is_taken_to_no_other_host(hubs: WeightServer) -> None:
    with serving() as storage:
        storage.files["/blob"] = BODY
        hubs.redirects["/owner/small/resolve/main/small.bin"] = "/renamed"
        hubs.redirects["/renamed"] = storage.address("/blob?signature=secret", host="localhost")
        (done,) = fetch_all()
    assert done.sha256 == SHA256
    assert [headers.get("authorization") for _, headers in hubs.requests] == ["Bearer hf_secret"] * 2
    assert [headers.get("authorization") for _, headers in storage.requests] == [None]


def test_a_token_comes_back_from_no_detour(hubs: WeightServer) -> None:
    with serving() as other:
        other.redirects["/detour"] = hubs.address("/small.bin")
        hubs.redirects["/owner/small/resolve/main/small.bin"] = other.address("/detour")
        fetch_all()
    assert [headers.get("authorization") for _, headers in hubs.requests] == ["Bearer hf_secret", None]


@pytest.mark.parametrize(("token", "advice"), [("hf_secret", "is not enough"), ("", "may need a token")])
def test_a_gated_file_says_what_it_needs(
    hubs: WeightServer, monkeypatch: pytest.MonkeyPatch, token: str, advice: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    hubs.statuses["/owner/small/resolve/main/small.bin"] = [403]
    (done,) = fetch_all()
    assert advice in done.reasons[0]
    assert "hf_secret" not in done.reasons[0]


def test_a_token_that_would_add_a_header_is_refused(hubs: WeightServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "a\r\nX-Evil: 1")
    with pytest.raises(ConfigError, match="`HF_TOKEN` holds characters") as caught:
        fetch_all()
    assert "Evil" not in str(caught.value)
    assert hubs.requests == []


# -- archives


def zipped(members: dict[str, bytes], *, link: str | None = None) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name == link else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return made.getvalue()


def test_a_member_of_an_archive_is_the_file_and_nothing_else_is_written(
    ledger: Ledger, server: WeightServer, tmp_path: Path
) -> None:
    ledger(entry_with(url(server, "/all.zip", archive_member="models/small.bin")))
    server.files["/all.zip"] = zipped({"../escaped": b"x", "/absolute": b"x", "models/small.bin": BODY})
    assert [done.sha256 for done in fetch_all()] == [SHA256]
    assert nets(tmp_path) == ["small.bin"]
    assert [path.name for path in (tmp_path / "cache" / "weights").iterdir()] == ["nets"]
    assert [path for path in tmp_path.rglob("*") if path.name in ("escaped", "absolute")] == []


def test_two_files_of_one_archive_are_downloaded_once(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    names = ("a.bin", "b.bin")
    sources = [url(server, "/all.zip", file=f"nets/{name}", archive_member=name) for name in names]
    ledger({"name": "two", "files": [{"path": f"nets/{name}"} for name in names], "sources": sources})
    server.files["/all.zip"] = zipped({"a.bin": BODY, "b.bin": BODY[::-1]})
    assert [done.sha256 for done in fetch_all("two")] == [SHA256, hashlib.sha256(BODY[::-1]).hexdigest()]
    assert server.sent["/all.zip"] == len(server.files["/all.zip"])
    assert [path.name for path in (tmp_path / "cache" / "weights").iterdir()] == ["nets"]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (zipped({"other": BODY}), "has 'small.bin' 0 times"),
        (zipped({"small.bin": BODY}, link="small.bin"), "as a link or folder"),
        (zipped({"small.bin": bytes(10_000_000)}), "of 10000000 bytes, expected 300000"),
        (zipped({"small.bin": BODY[::-1]}), "of sha256"),
        (zipped({"small.bin": BODY})[:-40], "no zip file that can be read"),
        (zipped({"small.bin": BODY}).replace(BODY[1000:1020], bytes(20)), "no zip file that can be read"),
        (b"PK\x03\x04 no zip", "no zip file that can be read"),
    ],
    ids=["absent", "link", "bomb", "other content", "cut", "damaged", "junk"],
)
def test_an_archive_that_is_not_what_it_should_be_is_refused_and_removed(
    ledger: Ledger, server: WeightServer, tmp_path: Path, archive: bytes, reason: str
) -> None:
    ledger(entry_with(url(server, "/all.zip", archive_member="small.bin")))
    server.files["/all.zip"] = archive
    assert reason in told(fetch_all())
    assert nets(tmp_path) == []
    assert list((tmp_path / "cache" / "weights").glob("*.part*")) == []


def test_a_bomb_is_refused_where_the_ledger_knows_no_size(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server, "/all.zip", archive_member="small.bin"), sha256=None, bytes=None))
    server.files["/all.zip"] = zipped({"small.bin": bytes(50_000_000)})
    assert "of 50000000 bytes, expected" in told(fetch_all())


# -- ledgers, names and what cannot be fetched


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ({"hub": "hf", "id": "a/b", "file": "c.bin"}, "expected one of"),
        ({"hub": "hf", "id": "a/b", "path": "c.bin"}, "expected `file` to say which"),
        ({"hub": "url", "id": "https://x", "file": "a.bin", "path": "c.bin"}, "in the address"),
        ({"hub": "wheel", "id": "x", "file": "a.bin", "archive_member": "c.bin"}, "expected `path`"),
        ({"hub": "hf", "id": "a/b", "file": "a.bin", "path": "../c.bin"}, "must be a path below"),
        ({"hub": "url", "id": "https://x", "file": "a.bin", "archive_member": "/c.bin"}, "must be a path below"),
    ],
)
def test_a_source_that_makes_no_sense_is_named(source: dict[str, str], reason: str) -> None:
    entry = {"name": "x", "purpose": "", "files": [{"path": "a.bin"}, {"path": "b.bin"}], "sources": [source]}
    with pytest.raises(ValueError, match=reason):
        WeightEntry.model_validate({**entry, "licence": "", "commercial_use": True})


def test_each_file_has_its_own_sources(ledger: Ledger, server: WeightServer, tmp_path: Path) -> None:
    server.files["/b"] = b"b"
    files = [{"path": "nets/a.bin"}, {"path": "nets/b.bin"}]
    sources = [url(server, file="nets/a.bin"), url(server, "/b", file="nets/b.bin")]
    ledger({"name": "two", "files": files, "sources": sources})
    fetch_all("two")
    assert nets(tmp_path) == ["a.bin", "b.bin"]
    assert (tmp_path / "cache" / "weights" / "nets" / "b.bin").read_bytes() == b"b"
    assert len(server.requests) == 2


def test_what_only_a_wheel_has_is_told_with_the_command(ledger: Ledger) -> None:
    ledger(entry_with({"hub": "wheel", "id": "never-installed", "revision": "1.2"}))
    (item,) = plan_fetch(["small"]).wanted
    assert item.sources == ()
    assert item.advice() == "comes with `pip install --no-deps never-installed==1.2`"


def test_what_is_not_on_the_chosen_hub_is_told(ledger: Ledger) -> None:
    ledger(entry_with({"hub": "hf", "id": "owner/small"}))
    (item,) = plan_fetch(["small"], hub="modelscope").wanted
    assert item.advice() == "is not on that hub; --hub auto takes it from hf:owner/small"


def test_what_has_no_source_is_told_with_its_place(ledger: Ledger, tmp_path: Path) -> None:
    ledger(entry_with())
    (item,) = plan_fetch(["small"]).wanted
    path = tmp_path / "cache" / "weights" / "nets" / "small.bin"
    assert item.advice() == f"cannot be fetched from here; get it from its authors and put it at `{path}`"


def test_a_file_for_other_machines_is_not_wanted(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server), platform="plan9-mips"))
    plan = plan_fetch(["small"])
    assert (plan.wanted, len(plan.elsewhere)) == ((), 1)


def test_a_run_without_its_weights_is_told_the_command_and_the_places(ledger: Ledger, tmp_path: Path) -> None:
    wheel = {"name": "brought", "files": [{"path": "b.txt"}], "sources": [{"hub": "wheel", "id": "never-installed"}]}
    ledger(entry_with({"hub": "hf", "id": "owner/small"}), wheel)
    with pytest.raises(WeightsMissing) as caught:
        locate(["small", "brought"])
    message = str(caught.value)
    assert "Run `anisora weights fetch small`, or put the files there by hand, under these paths" in message
    assert f"`{tmp_path / 'cache' / 'weights'}`" in message
    assert "nets/small.bin (missing, 0.3 MB; from hf:owner/small)" in message
    assert "`pip install --no-deps never-installed`" in message
    assert "\n" not in message


def test_weights_are_asked_for_by_name_by_metric_or_all(ledger: Ledger, server: WeightServer) -> None:
    ledger(entry_with(url(server)))
    assert names_for([]) == ["small"]
    assert names_for(["small", "small"]) == ["small"]
    with pytest.raises(UnknownNameError, match="Did you mean 'small'"):
        names_for(["smal"])
    with pytest.raises(UnknownNameError, match="Did you mean 'sharpness'"):
        names_for([], ["sharpnes"])


def test_a_metric_names_the_weights_of_its_extractors() -> None:
    assert names_for([], ["scene_cut_rate"]) == ["transnet-v2"]
    assert names_for([], ["sharpness"]) == []
