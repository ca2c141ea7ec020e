import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from counting_extractors import MeanLevel
from trial_metrics import TrialMetric, registered

from anisora.harness import device as devices
from anisora.harness.device import Device, free_memory
from anisora.harness.errors import ConfigError
from anisora.harness.host_memory import free_of_group, free_of_machine
from anisora.harness.memory_estimate import GroupMemory, MemoryEstimate, NetworkMemory, gigabytes
from anisora.harness.network_sizes import estimate_memory, safetensors_parameters
from anisora.harness.protocols import FeatureRequest
from anisora.harness.residency import network_groups, read_resident
from anisora.harness.weights import LedgerFile, WeightEntry, WeightFile, entry_of

GB = 10**9
SMOOTH = NetworkMemory("smooth", 16 * GB, "bfloat16")
APPEAL = NetworkMemory("appeal", 17 * GB, "bfloat16")
TEXT = NetworkMemory("text", 1 * GB)
THREE = MemoryEstimate(
    (
        GroupMemory(("smoothness",), (SMOOTH,)),
        GroupMemory(("appeal:mode=corrected",), (APPEAL, TEXT)),
        GroupMemory(("text", "sharpness"), (TEXT,)),
    )
)


def test_one_at_a_time_takes_the_largest_group_and_all_takes_each_network_once() -> None:
    assert THREE.needed("one") == 18 * GB
    assert THREE.needed("all") == 34 * GB
    assert MemoryEstimate(()).needed("one") == MemoryEstimate(()).needed("all") == 0


def test_the_line_names_networks_formats_and_what_is_free() -> None:
    assert THREE.text(device="cuda:0", free=23 * GB) == (
        "smooth 16.0 GB in bfloat16, appeal 17.0 GB in bfloat16, text 1.0 GB in float32; "
        "one at a time: 18.0 GB, all: 34.0 GB; free on cuda:0: 23.0 GB"
    )
    assert MemoryEstimate((GroupMemory(("sharpness",), ()),)).text(device="cpu", free=None) == "no networks to load"
    unknown = MemoryEstimate((GroupMemory(("a",), (NetworkMemory("odd", None),)),))
    assert unknown.text(device="cpu", free=None) == (
        "odd of unknown size in float32; one at a time: 0.0 MB, all: 0.0 MB; free on cpu: unknown"
    )


def test_what_fits_is_not_refused() -> None:
    THREE.check_fits("all", device="cuda:0", free=34 * GB)
    THREE.check_fits("one", device="cuda:0", free=18 * GB)
    THREE.check_fits("all", device="cuda:0", free=None)  # nothing is known, so nothing is refused


def test_all_that_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(ConfigError) as caught:
        THREE.check_fits("all", device="cuda:0", free=23 * GB, others={"cpu": 64 * GB, "cuda:1": 2 * GB, "npu:0": None})
    assert str(caught.value) == (
        "`--resident all` needs 34.0 GB for networks, and cuda:0 has 23.0 GB free; expected no more; what would fit: "
        "--resident one (18.0 GB), or --device cpu (64.0 GB free)."
    )


def test_one_that_does_not_fit_is_refused_with_the_dimensions_that_do() -> None:
    with pytest.raises(ConfigError, match="what would fit: --dimensions smoothness,text,sharpness with --resident one"):
        THREE.check_fits("one", device="cuda:0", free=17 * GB)
    with pytest.raises(ConfigError, match=r"nothing of it would fit here: .* take a device with 18\.0 GB free"):
        THREE.check_fits("one", device="cuda:0", free=GB // 2)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 MB"), (4_200_000, "4.2 MB"), (10**8, "0.1 GB"), (16_543_000_000, "16.5 GB")]
)
def test_bytes_are_told_in_powers_of_ten(size: int, text: str) -> None:
    assert gigabytes(size) == text


# -- where the sizes come from


def write_safetensors(path: Path, **tensors: np.ndarray) -> Path:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def test_numbers_are_counted_in_the_header_of_a_file(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", a=np.zeros((3, 5), np.float16), b=np.zeros(2, np.float32))
    assert safetensors_parameters(path) == 17
    for content in (b"", b"x" * 50, (3).to_bytes(8, "little") + b"[1]", (2**60).to_bytes(8, "little")):
        path.write_bytes(content)
        assert safetensors_parameters(path) is None
    header = json.dumps({"__metadata__": {"a": "b"}, "x": {"shape": [2, 2]}, "y": {}, "z": 3}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)  # tensors without a place in the file
    assert safetensors_parameters(path) is None


class Counted(MeanLevel):
    def parameters(self) -> dict[str, int]:
        return {"image-video-regressor": 1000}


def metric_of(extractor: str) -> TrialMetric:
    return TrialMetric(name=extractor, requests=(FeatureRequest(extractor=extractor),))


def sizes_of(extractor: MeanLevel, device: Device) -> dict[str, int | None]:
    with registered("extractors", trial_counted=lambda: extractor):
        groups = network_groups({"m": metric_of("trial_counted")})
        return {network.name: network.size for network in estimate_memory(groups, device).networks}


def test_a_file_counts_at_the_width_of_its_network_and_shapes_where_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))
    (name,) = ("image-video-regressor",)
    narrow = Counted(weights=(name,), dtype="bfloat16")
    assert sizes_of(narrow, Device()) == {name: 2000}
    assert sizes_of(Counted(weights=(name,)), Device()) == {name: 4000}
    assert sizes_of(MeanLevel(weights=(name,)), Device()) == {name: None}
    file = tmp_path / "weights" / entry_of(name).files[0].path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"p" * 70)  # a pickled checkpoint: as large as its file
    assert sizes_of(narrow, Device()) == {name: 70}
    file = tmp_path / "weights" / entry_of("sam2.1-hiera-base-plus").files[0].path
    write_safetensors(file, a=np.zeros(6, np.float32))
    assert sizes_of(MeanLevel(weights=("sam2.1-hiera-base-plus",), dtype="bfloat16"), Device()) == {
        "sam2.1-hiera-base-plus": 12
    }


def test_the_ledgers_bytes_count_where_no_file_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def files_of(entry: WeightEntry) -> list[LedgerFile]:
        told = (("a.pth", 70), ("b.pth", 30), ("words.txt", 5))
        return [LedgerFile(entry, WeightFile(path=path, bytes=size), (), None) for path, size in told]

    monkeypatch.setattr("anisora.harness.network_sizes.files_of", files_of)
    assert sizes_of(Counted(weights=("image-video-regressor",)), Device()) == {"image-video-regressor": 100}


def test_networks_that_only_run_on_the_cpu_take_nothing_of_another_device() -> None:
    extractor = Counted(weights=("image-video-regressor",))
    assert sizes_of(extractor, Device("cuda", 0)) == {}
    assert sizes_of(Counted(weights=("image-video-regressor",), extra="models"), Device("cuda", 0)) != {}


def test_the_judges_of_the_anime_reward_take_16_and_a_half_gigabytes_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))
    names = ("idefics2_smooth", "idefics2_appeal", "image_video_regressor")
    groups = network_groups({name: metric_of(name) for name in names})
    estimate = estimate_memory(groups, Device("cuda", 0))
    assert [network.dtype for network in estimate.networks] == ["bfloat16", "bfloat16", "float32"]
    assert 16.4e9 < estimate.needed("one") < 16.7e9
    assert 33.0e9 < estimate.needed("all") < 33.8e9


# -- groups


def test_metrics_are_grouped_by_the_networks_they_need_and_not_by_the_texts() -> None:
    extractors = {
        "trial_a": lambda: MeanLevel(weights=("idefics2-smooth", "judge-prompt")),
        "trial_b": lambda: MeanLevel(weights=("idefics2-appeal", "judge-prompt")),
        "trial_ac": lambda: MeanLevel(weights=("dino-vitb16", "idefics2-smooth")),
        "trial_none": lambda: MeanLevel(),
    }
    order = ("trial_none", "trial_a", "trial_b", "trial_ac")
    with registered("extractors", **extractors):
        groups = network_groups({name: metric_of(name) for name in order})
        alone = network_groups({"trial_none": metric_of("trial_none")})
    assert [group.metrics for group in groups] == [("trial_none", "trial_b"), ("trial_a", "trial_ac")]
    assert groups[-1].weights == {"idefics2-smooth", "judge-prompt", "dino-vitb16"}
    assert [group.metrics for group in alone] == [("trial_none",)]
    assert alone[0].weights == frozenset()


def test_an_unknown_policy_is_refused() -> None:
    assert read_resident("one") == "one"
    with pytest.raises(ConfigError, match="`resident` got 'two'; expected one of one, all"):
        read_resident("two")


# -- free memory


def test_the_memory_of_this_machine_is_known_or_none() -> None:
    free = free_memory(Device())
    assert free is None or free > 0


def test_the_limit_of_a_container_counts_and_cached_files_are_free(tmp_path: Path) -> None:
    assert free_of_group(tmp_path) is None
    for name, text in (("memory.max", "1000"), ("memory.current", "700"), ("memory.stat", "anon 5\ninactive_file 250")):
        (tmp_path / name).write_text(text + "\n")
    assert free_of_group(tmp_path) == 550
    (tmp_path / "memory.max").write_text("max\n")
    assert free_of_group(tmp_path) is None
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 9 kB\nMemAvailable:    7 kB\n")
    assert free_of_machine(file) == 7 * 1024
    assert free_of_machine(tmp_path / "none") is None


def test_an_accelerator_is_asked_by_its_index_and_its_cache_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    emptied: list[str] = []

    def backend(name: str) -> SimpleNamespace:
        empty: Callable[[], None] = lambda: emptied.append(name)  # noqa: E731
        return SimpleNamespace(
            mem_get_info=lambda index: (index * GB, 99 * GB),
            is_initialized=lambda: True,
            empty_cache=empty,
            config=SimpleNamespace(),
        )

    monkeypatch.setattr(torch, "cuda", backend("cuda"))
    monkeypatch.setattr(torch, "npu", backend("npu"), raising=False)
    monkeypatch.setitem(sys.modules, "torch_npu", ModuleType("torch_npu"))
    assert free_memory(Device("cuda", 2)) == 2 * GB
    assert free_memory(Device("npu", 3)) == 3 * GB
    devices.empty_cache()
    assert emptied == ["cuda", "npu"]
