"""A training of two processes on this machine, as torchrun starts them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from small_suite import environment

__all__ = ["start_two", "train_command"]


def train_command(method: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the command line of a training, each field given by ``--set``."""
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    return [sys.executable, "-c", "from anisora.harness.cli import main; main()", "train", method, *words]


def start_two(method: str, settings: Mapping[str, Any], cache: Path, code: int = 0) -> list[str]:
    """Train with two processes, and wait for them to end; return what they told.

    Args:
        method: ``supervised`` and so on.
        settings: Fields of the configuration.
        cache: Where encoded clips are kept.
        code: Exit code of both.
    """
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = int(bound.getsockname()[1])
    surroundings = environment(ANISORA_CACHE=str(cache), PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ANISORA_DEVICE": "cpu"}
    processes = [
        subprocess.Popen(
            train_command(method, settings),
            env={**surroundings, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [code, code], told
    return told
