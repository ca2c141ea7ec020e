"""A real browser for tests of pages: Chromium, installed apart, driven by Playwright."""

import importlib.util
import shutil
from typing import Final

import pytest

__all__ = ["CHROMIUM", "DESKTOP", "NEEDS_CHROMIUM", "PHONE"]

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS_CHROMIUM: Final = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor chromium-browser is on the PATH"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]
"""Marks of a module whose tests open pages."""

PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 900}
"""CSS pixels."""
