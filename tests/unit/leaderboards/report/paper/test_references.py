import re
from dataclasses import replace

import pytest
import yaml
from scored_systems import TRUTH, Scored
from shared_data import REPOSITORY

from anisora.harness.errors import MissingExtra
from anisora.harness.registry import registry
from anisora.harness.weights import list_entries
from anisora.leaderboards.published.tables import published_table
from anisora.leaderboards.report.paper.references import (
    Citation,
    Reference,
    bibliography_text,
    bibtex,
    cited_by,
    references,
    source_reference,
)

ITEMS = [f"item-{at}" for at in range(8)]
OWN = ("this project", "pyiqa")
"""Sources that are no publication."""


def sources() -> dict[str, str]:
    """Return {metric: what it says of its source}."""
    found = {}
    for name in registry("metrics").names():
        try:
            found[name] = registry("metrics").create(name).info.source
        except MissingExtra:
            continue
    return found


def of_metric(name: str) -> list[Reference]:
    return [entry for entry in references().values() if name in entry.of.metrics]


def test_everything_that_is_cited_for_is_known() -> None:
    of = [entry.of for entry in references().values()]
    assert {name for it in of for name in it.metrics} <= set(registry("metrics").names())
    assert {name for it in of for name in it.weights} <= {entry.name for entry in list_entries()}
    datasets = {"anisora-948"}  # of the benchmark's own clips, which `suite import` names so
    assert {name for it in of for name in it.suites} <= {*registry("suites").names(), *datasets}
    methods = {"anisora-harness", "clustered t", "clustered Wilson", "max-T"}
    assert {name for it in of for name in it.methods} == methods
    assert all(it.metrics or it.weights or it.suites or it.methods for it in of)


def test_every_metric_with_a_published_source_cites_it() -> None:
    lacking = [name for name, source in sources().items() if not source.startswith(OWN) and not of_metric(name)]
    assert lacking == []


def test_every_preprint_that_a_metric_names_is_cited_for_it() -> None:
    named = {name: set(re.findall(r"arXiv (\d{4}\.\d{4,5})", source)) for name, source in sources().items()}
    assert sum(map(bool, named.values())) >= 4
    for name, identifiers in named.items():
        assert identifiers <= {entry.arxiv for entry in of_metric(name)}, name


def test_the_papers_of_the_benchmark_are_those_of_the_citation_file() -> None:
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))["references"]
    titles = {entry.title: entry for entry in references().values()}
    for paper in cited:
        assert titles[paper["title"]].year == paper["year"]
        assert paper["url"] == f"https://arxiv.org/abs/{titles[paper['title']].arxiv}"


def scored(*metrics: str) -> Scored:
    """Two systems and the ground truth, each with a column a metric."""
    values = {metric: {item: at / 10 for at, item in enumerate(ITEMS)} for metric in metrics}
    return Scored({model: values for model in ("one", "two", TRUTH)})


def test_only_what_the_runs_used_is_cited() -> None:
    report = scored("ssim", "held_frame_ratio").report()
    found = {citation.key: citation.subjects for citation in cited_by(report)}
    assert found == {
        "anisora-harness": ("anisora-harness",),
        "wang2004image": ("ssim",),
        "bell2002bias": ("clustered t",),
    }


def test_weights_and_suites_are_cited_too_and_no_test_that_was_not_made() -> None:
    report = scored("psnr").report()
    weights = {"efficientnet-lite0": "0" * 64, "of-somebody": "1" * 64}
    records = {
        run: record.model_copy(
            update={"weights": weights, "spec": record.spec.model_copy(update={"suite": "demo"})},
        )
        for run, record in report.records.items()
    }
    used = {citation.key: citation.subjects for citation in cited_by(replace(report, records=records))}
    assert used["tan2019efficientnet"] == ("efficientnet-lite0",)
    assert used["blender2008bunny"] == ("demo",)
    assert "westfall1993resampling" not in used


def test_a_column_without_intervals_cites_no_method_for_them() -> None:
    few = {item: 0.5 for item in ITEMS[:2]}
    report = Scored({"one": {"ssim": few}}).report(matrix=None)
    assert {citation.key for citation in cited_by(report)} == {"anisora-harness", "wang2004image"}


def test_bibtex_is_ascii_balanced_and_keeps_capitals_and_accents() -> None:
    every = [Citation(key, entry, ()) for key, entry in references().items()]
    text = bibtex(every)
    assert text.isascii()
    assert text.count("{") == text.count("}")
    assert re.findall(r"^@(\w+)\{([^,]+),$", text, re.MULTILINE) == [(it.reference.kind, it.key) for it in every]
    assert r"author = {Tom{\'{a}}{\v{s}} Sou{\v{c}}ek and Jakub Loko{\v{c}}}," in text
    assert "author = {Till Kroeger and Radu Timofte and Dengxin Dai and Luc {Van Gool}}," in text
    assert "title = {{VBench: Comprehensive Benchmark Suite for Video Generative Models}}," in text
    assert "pages = {600--612}," in text
    assert "journal = {arXiv preprint arXiv:2412.10255}," in text
    assert "  eprint = {1603.03590},\n  archiveprefix = {arXiv},\n" in text


def test_a_line_of_a_bibliography_has_authors_title_and_where() -> None:
    every = {key: Citation(key, entry, ()) for key, entry in references().items()}
    lines = bibliography_text(
        [every["huynhthu2008scope"], every["laurencon2024matters"], every["radford2021learning"]], as_latex=False
    )
    assert lines == [
        "Quan Huynh-Thu, Mohammed Ghanbari. Scope of Validity of PSNR in Image/Video Quality Assessment. Electronics "
        "Letters, 44(13), 800–801, 2008.",
        "Hugo Laurençon, Léo Tronchon, Matthieu Cord, Victor Sanh. What Matters When Building Vision-Language Models? "
        "arXiv:2405.02246, 2024.",
        "Alec Radford, Jong Wook Kim, Chris Hallacy, Aditya Ramesh, Gabriel Goh and others. Learning Transferable "
        "Visual Models From Natural Language Supervision. International Conference on Machine Learning, "
        "arXiv:2103.00020, 2021.",
    ]
    (line,) = bibliography_text([every["huynhthu2008scope"]], as_latex=True)
    assert r"44(13), 800\textendash{}801, 2008." in line


@pytest.mark.parametrize("suite", ["anisora-7", "vbench-i2v-8"])
def test_a_published_table_cites_where_it_was_read(suite: str) -> None:
    table = published_table(suite)
    citation = source_reference(table)
    assert (citation.key, citation.subjects) == (f"source-{suite}", (suite,))
    assert citation.reference.url == table.source.url
    assert bibliography_text([citation], as_latex=False) == [
        f"bilibili. README of Index-anisora. {table.source.url}, 2025."
    ]
