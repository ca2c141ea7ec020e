"""Names, files and classes of the reward's metrics agree, and each has a page that says what its info says."""

import re

import pytest
from shared_data import REPOSITORY

from anisora.harness.registry import registry
from anisora.reward.catalog import CATALOG

PAGES = REPOSITORY / "docs" / "metrics"


@pytest.mark.parametrize("name", sorted(CATALOG["metrics"]))
def test_every_metric_has_a_page_that_says_what_its_info_says(name: str) -> None:
    info = registry("metrics").create(name).info
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    facts = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", page, flags=re.MULTILINE))
    assert page.startswith(f"# {name}\n")
    assert facts == {
        "fact": "value",
        "title": info.title,
        "group": info.group,
        "version": str(info.version),
        "direction": info.direction,
        "range": " to ".join(format(bound, "g") for bound in info.value_range),
        "unit": info.unit or "none",
        "needs": ", ".join(sorted(info.needs)) or "nothing but the clip",
        "extractor": ", ".join(f"`{request.extractor}`" for request in info.requests),
        "source": info.source,
    }
    for section in ("## What it measures", "## Formula", "## Left unscored", "## Known limits"):
        assert section in page


@pytest.mark.parametrize("kind", ["metrics", "extractors"])
def test_names_files_and_classes_agree(kind: str) -> None:
    for name in CATALOG[kind]:
        made = registry(kind).create(name)
        assert made.info.name == name
        assert type(made).__module__.rpartition(".")[2] == name
        assert type(made).__name__ == "".join(word.capitalize() for word in name.split("_"))


def test_every_extractor_is_used_by_a_metric() -> None:
    infos = [registry("metrics").create(name).info for name in CATALOG["metrics"]]
    assert {request.extractor for info in infos for request in info.requests} == set(CATALOG["extractors"])
