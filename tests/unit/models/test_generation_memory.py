"""What a clip takes of a device's memory, told before it is made."""

import re
from pathlib import Path

import pytest
from shared_data import REPOSITORY
from tiny_models import NO_SETTINGS, RELEASED

from anisora.harness.errors import ConfigError
from anisora.harness.memory_estimate import gigabytes
from anisora.harness.registry import registry
from anisora.models.generation_memory import (
    ComponentMemory,
    GenerationMemory,
    decoder_working,
    transformer_working,
)

GB = 10**9
MEMORY = GenerationMemory(
    components={
        "transformer": ComponentMemory(weights=30 * GB, working=4 * GB, layer=1 * GB),
        "vae": ComponentMemory(weights=1 * GB, working=10 * GB, working_tiled=2 * GB),
        "text_encoder": ComponentMemory(weights=11 * GB, working=0),
    }
)


@pytest.mark.parametrize(
    ("offload", "tiling", "needed"),
    [
        ("none", False, 42 + 10),
        ("none", True, 42 + 4),
        ("model", False, 34),
        ("model", True, 34),
        ("group", False, 11),
        ("group", True, 11),
    ],
)
def test_what_is_there_at_once_depends_on_what_stays(offload: str, tiling: bool, needed: int) -> None:
    assert MEMORY.needed(offload, tiling=tiling) == pytest.approx(1.1 * needed * GB)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("free", "told"),
    [
        (51, r"offload=model in the model's specification would fit \(37\.4 GB\)"),
        (13, r"offload=group in the model's specification would fit \(12\.1 GB\)"),
        (8, r"the least is 12\.1 GB at this size: ask for fewer --num-frames"),
    ],
)
def test_what_cannot_fit_is_refused_with_what_would(free: int, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        MEMORY.check_fits("none", device="cuda:0", free=free * GB)


def test_tiles_come_last_since_they_change_the_pixels() -> None:
    components = {**MEMORY.components, "text_encoder": ComponentMemory(weights=1 * GB, working=0)}
    with pytest.raises(ConfigError, match=r"offload=group,tiling in the model's specification would fit \(5\.5 GB\)"):
        GenerationMemory(components=components).check_fits("none", device="cuda:0", free=9 * GB)


def test_on_the_cpu_there_is_nothing_to_offload_from() -> None:
    with pytest.raises(ConfigError, match=r"the least is 50\.6 GB"):
        MEMORY.check_fits("none", device="cpu", free=40 * GB)


@pytest.mark.parametrize("free", [None, 100 * GB])
def test_what_fits_or_is_not_known_is_not_refused(free: int | None) -> None:
    MEMORY.check_fits("none", device="cuda:0", free=free)


def test_the_line_for_people_has_every_network_the_sum_and_what_is_free() -> None:
    assert MEMORY.text("none", device="cuda:0", free=80 * GB) == (
        "transformer 30.0 GB, vae 1.0 GB, text_encoder 11.0 GB; at most 57.2 GB at once; free on cuda:0: 80.0 GB"
    )


def test_twice_the_tokens_take_twice_the_memory_and_a_short_clip_of_the_decoder_no_less_than_its_chunk() -> None:
    once = transformer_working(100, 64, 128, "bfloat16")
    assert transformer_working(200, 64, 128, "bfloat16") == 2 * once
    assert transformer_working(100, 64, 128, "bfloat16", batch=2) == 2 * once
    assert transformer_working(100, 64, 128, "float32") < 2 * once, "its normalised copy is float32 in both"
    short, long = (decoder_working(64, 96, frames, 16, 4, "float32") for frames in (9, 81))
    assert long - short == 2 * 3 * 72 * 64 * 96 * 4


def test_the_page_has_the_figures_that_the_adapters_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.:=-]+)` \| ([\d.]+ GB) \| ([\d.]+ GB) \| ([\d.]+ GB) \|$", page, re.MULTILINE)
    assert len(rows) >= 5
    for spec, *figures in rows:
        model = registry("models").create(spec)
        memory = model.memory(model.settings(NO_SETTINGS), "bfloat16", published=True)
        assert [gigabytes(memory.needed(offload)) for offload in ("none", "model", "group")] == figures, spec
    sizes = dict(re.findall(r"^\| `([\w.-]+)` \| .* \| ([\d.]+ GB) \|$", page.partition("## Where")[0], re.MULTILINE))
    assert sorted(sizes) == sorted(RELEASED)
    for name, size in sizes.items():
        model = registry("models").create(name)
        parts = model.memory(model.settings(NO_SETTINGS), "bfloat16", published=True).components
        assert gigabytes(sum(part.weights for key, part in parts.items() if key.startswith("transformer"))) == size


def test_an_impossible_request_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anisora.models.generator.free_memory", lambda _: 10_000_000)
    model = registry("models").create("anisora-v1:tiny")
    with pytest.raises(ConfigError, match=r"on cpu, which has 10\.0 MB free"):
        model.prepare(settings=NO_SETTINGS)
