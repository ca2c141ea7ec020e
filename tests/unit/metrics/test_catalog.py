"""That every metric is documented, and that names agree everywhere."""

import re
import subprocess
import sys

import pytest
from shared_data import REPOSITORY

from anisora.harness.registry import registry

PAGES = REPOSITORY / "docs" / "metrics"


def facts_of(page: str) -> dict[str, str]:
    """The table at the top of a page: fact to value."""
    return dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", page, flags=re.MULTILINE))


@pytest.mark.parametrize("name", registry("metrics").names())
def test_every_metric_has_a_page_that_says_what_its_info_says(name: str) -> None:
    info = registry("metrics").create(name).info
    path = PAGES / f"{name}.md"
    assert path.is_file(), f"write docs/metrics/{name}.md"
    page = path.read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    facts = facts_of(page)
    assert facts["version"] == str(info.version)
    assert facts["direction"] == info.direction
    assert facts["source"] == info.source
    assert facts["unit"] == (info.unit or "none")
    assert facts["range"] == " to ".join(format(bound, "g") for bound in info.value_range)
    assert facts["needs"] == (", ".join(sorted(info.needs)) or "nothing but the clip")
    extractors = ", ".join(f"`{request.extractor}`" for request in info.requests)
    assert facts["extractor"] == (extractors or "that of the head")
    for section in ("## What it measures", "## Formula", "## Left unscored", "## Known limits"):
        assert section in page, f"docs/metrics/{name}.md lacks {section!r}"


def test_every_page_belongs_to_a_metric() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} - {"README"} <= set(registry("metrics").names())


@pytest.mark.parametrize("kind", ["metrics", "extractors"])
def test_names_files_and_classes_agree(kind: str) -> None:
    for name in registry(kind).names():
        made = registry(kind).create(name)
        assert made.info.name == name
        assert type(made).__module__.rpartition(".")[2] == name
        assert type(made).__name__ == "".join(word.capitalize() for word in name.split("_"))


def test_every_extractor_is_used_by_a_metric() -> None:
    used = {
        request.extractor.partition(":")[0]
        for name in registry("metrics").names()
        for request in registry("metrics").create(name).info.requests
    }
    assert used == set(registry("extractors").names())


def test_listing_the_metrics_loads_neither_opencv_nor_scipy() -> None:
    code = (
        "import sys; from anisora.harness.registry import registry\n"
        "for kind in ('metrics', 'extractors'):\n"
        "    for name in registry(kind).names(): registry(kind).create(name)\n"
        "assert not {'cv2', 'scipy', 'torch', 'pandas'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)
