"""Where the reference data beside the repository is, if it is there."""

from pathlib import Path

import pytest

__all__ = ["CLIPS", "GOLDEN", "REPOSITORY", "SHARED", "needs_shared"]

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
CLIPS = SHARED / "clips"
GOLDEN = SHARED / "golden"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the folder ../shared with reference data is not there")
