"""Whatever is registered, accepted or written is documented; what is documented is there."""

import re
from pathlib import Path

import pytest
from documentation import generator
from shared_data import REPOSITORY

import anisora
from anisora.harness.inputs.manifest_rows import COLUMNS
from anisora.harness.media.decoder import IMAGE_SUFFIXES, REASONS, VIDEO_SUFFIXES
from anisora.harness.registry import registry
from anisora.harness.runfolder import RunFolder, ScoreRow

DOCS = REPOSITORY / "docs"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS += ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")


def damages() -> list[str]:
    """Return every registered model that damages ground truth."""
    return [name for name in registry("models").names() if name.startswith("damage/")]


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def first_cells(name: str, pattern: str) -> list[str]:
    """Return what the pattern finds at the start of the rows of a page's tables."""
    return re.findall(rf"^\| {pattern} \|", read(name), re.MULTILINE)


@pytest.mark.parametrize(("kind", "folder"), [("metrics", "metrics"), ("suites", "suites"), ("importers", "datasets")])
def test_every_metric_suite_and_importer_has_a_page_and_every_page_a_subject(kind: str, folder: str) -> None:
    assert sorted(path.stem for path in (DOCS / folder).glob("*.md")) == registry(kind).names()


@pytest.mark.parametrize("kind", ["metrics", "extractors", "models", "suites"])
def test_everything_registered_is_in_the_index(kind: str) -> None:
    index = read("docs/index.md")
    assert [name for name in registry(kind).names() if f"`{name}`" not in index] == []


def test_every_page_of_a_data_set_is_in_the_index_and_its_importer_in_the_help() -> None:
    index, page = read("docs/index.md"), read("docs/commands.md")
    section = page.partition("### anisora suite import\n")[2].partition("\n### ")[0]
    for name in registry("importers").names():
        assert f"(datasets/{name}.md)" in index
        assert f"(datasets/{name}.md)" in section
        assert f"anisora suite import {name}" in section


def test_every_reward_and_dataset_is_named_somewhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")) + read("README.md")
    names = [*registry("rewards").names(), *registry("datasets").names()]
    assert [name for name in names if name not in text] == []


def test_the_page_of_damages_lists_each_with_the_words_of_the_program() -> None:
    rows = dict(re.findall(r"^\| `(damage/[a-z-]+)` \| ([^|]+) \|", read("docs/damages.md"), re.MULTILINE))
    assert rows == {name: registry("models").create(name).info.summary for name in damages()}
    assert list(rows) == damages()


def test_what_should_get_worse_are_metrics() -> None:
    named = re.findall(r"^\| `damage/[^|]+\|[^|]+\| ([^|]+) \|", read("docs/damages.md"), re.MULTILINE)
    assert len(named) == len(damages())
    assert {name for cell in named for name in re.findall(r"`(\w+)`", cell)} <= set(registry("metrics").names())


def test_every_command_has_a_section_with_its_help() -> None:
    page = read("docs/commands.md")
    words = [words for words, _, _ in generator().commands()]
    assert len(words) > len(registry("commands").names())
    sections = re.findall(r"^###? anisora (.+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(found for found in words if found)
    assert sorted(re.findall(r"<!-- generated: help ?([^>]*) -->", page)) == sorted(words)


def test_the_page_on_decoding_names_every_reason_and_no_other() -> None:
    section = read("docs/decoding.md").partition("## Reasons")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == sorted(REASONS)


def test_the_page_on_inputs_names_every_suffix_and_column() -> None:
    page = read("docs/inputs.md")
    assert [suffix for suffix in sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES) if f"`{suffix}`" not in page] == []
    assert sorted(first_cells("docs/inputs.md", "`([a-z_]+)`")) == sorted(COLUMNS)


def test_the_page_on_concepts_names_every_file_and_status_of_a_run() -> None:
    page = read("docs/concepts.md")
    folder = RunFolder(Path("run"))
    paths = [value for value in vars(folder).values() if isinstance(value, Path) and value != folder.path]
    assert len(paths) > 6
    assert [path.name for path in paths if f"`{path.name}" not in page] == []
    assert first_cells("docs/concepts.md", "`(ok|unscored|error)`") == ["ok", "unscored", "error"]
    row = next(line for line in page.splitlines() if line.startswith("| `scores.parquet`")).lower()
    words = [name.removesuffix("_id").removeprefix("metric_") for name in ScoreRow.__slots__]
    assert [word for word in words if word not in row] == []


def test_every_public_name_of_the_package_is_on_the_page_on_python() -> None:
    listed = re.findall(r"^\| `anisora\.(\w+)` \|", read("docs/python.md"), re.MULTILINE)
    assert sorted(listed) == sorted(anisora.__all__)


def test_the_readme_counts_the_damages_rightly() -> None:
    status = " ".join(read("README.md").partition("## Status")[2].split())
    assert f"{NUMBERS[len(damages())]} damages" in status


def test_the_readme_is_of_this_version() -> None:
    for name in ("README.md", "README.zh.md"):
        assert set(re.findall(r"\b\d+\.\d+\.\d+\b", read(name))) == {anisora.__version__}, name


def test_the_citation_is_of_this_version() -> None:
    import yaml

    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == anisora.__version__
    assert citation["license"] == "Apache-2.0"
    assert citation["authors"] == [{"name": "anisora-harness contributors"}]


def test_the_changelog_names_every_command_of_the_first_version() -> None:
    section = read("CHANGELOG.md").partition("## [0.1.0]")[2].partition("\n## [")[0]
    assert [name for name in registry("commands").names() if name not in section] == []
