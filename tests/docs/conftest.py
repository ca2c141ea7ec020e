"""The folder that the commands of the documentation find, and the cache they share, made once for all tests."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from prepared_folder import prepare


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features and demo clips, shared by all pages."""
    return shared_folder(tmp_path_factory) / "cache"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The prepared folder, made once by whichever test process comes first."""
    folder = cache.parent / "prepared"
    with locked(cache.parent):
        if not (cache.parent / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            prepare(folder, cache)
            (cache.parent / "done").touch()
    return folder


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the processes of one test run share."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = factory.getbasetemp().parent / f"documentation-{run}" if run else factory.mktemp("documentation")
    folder.mkdir(exist_ok=True)
    return folder


class locked:  # noqa: N801 - used like a function
    """Let one process at a time in."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"

    def __enter__(self) -> None:
        self._file = self._path.open("a")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()
