"""Options, isolation and determinism for all tests."""

import os

# Before numpy or torch are imported: two threads of each of two test processes contend, and gain nothing.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")

from collections.abc import Iterator

import pytest

import anisora  # noqa: F401 - before any test, since it prepares the import of torchvision


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked slow as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-slow"):
        return
    skip = pytest.mark.skip(reason="slow; run with --run-slow (make test-slow)")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the user's settings, or fills the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ANISORA_") and name != "ANISORA_FUZZ_FILES"]:
            patch.delenv(name)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("ANISORA_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("ANISORA_NO_MLFLOW", "1")  # its import is most of a small run's time; its own tests ask for it
        yield
