"""The systems that are not run here, as data: whole, in the catalog, and joined to the published tables."""

import re
from datetime import date

import pytest

from anisora.harness.protocols import RecordedGenerator
from anisora.harness.registry import registry
from anisora.harness.types import Sample
from anisora.leaderboards.published.systems import published_rows
from anisora.leaderboards.published.tables import published_tables
from anisora.models.recorded_systems import RECORDED, recorded_systems


def test_the_catalog_has_exactly_the_systems_of_the_file() -> None:
    names = [name for name in registry("models").names() if name.startswith(RECORDED)]
    assert names == sorted(f"{RECORDED}{name}" for name in recorded_systems())


@pytest.mark.parametrize("name", sorted(recorded_systems()))
def test_a_system_is_a_recorded_model_without_clips(name: str) -> None:
    model = registry("models").create(f"{RECORDED}{name}")
    assert isinstance(model, RecordedGenerator)
    assert model.locate(Sample(id="walk"), seed=0) is None
    system = model.info.system
    assert system is not None
    assert system.title in model.info.summary
    assert all(re.fullmatch(r"https://\S+", source) for source in system.sources)
    assert system.sources
    assert not system.obtain.endswith(".")
    assert "\n" not in system.obtain
    if system.accessed != "unverified":
        assert date.fromisoformat(system.accessed) <= date.today()
    if system.access == "api":
        assert "API only" in model.info.licence
        assert system.weights == ()
        assert not model.info.commercial_use


@pytest.mark.parametrize("name", sorted(recorded_systems()))
def test_a_system_has_a_row_in_every_published_table(name: str) -> None:
    published = recorded_systems()[name].system.published
    assert published is not None
    assert [table.suite for table, _ in published_rows(published)] == [table.suite for table in published_tables()]


def test_every_published_system_that_is_no_variant_is_a_model_by_its_name() -> None:
    joined = {entry.system.published for entry in recorded_systems().values()} | set(registry("models").names())
    rows = {row.model for table in published_tables() for row in table.rows}
    assert rows - joined == {"anisora-v1-interpolation", "anisora-v1-keyframe"}, "V1 under other conditions"


def test_ground_truth_is_no_system() -> None:
    assert published_rows("ground-truth") == ()
    assert published_rows("somebody/else") == ()
