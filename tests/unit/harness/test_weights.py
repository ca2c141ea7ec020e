import logging
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file as save_numpy
from shared_data import GOLDEN, needs_shared

from anisora.harness import weights
from anisora.harness.errors import ConfigError, UnknownNameError, WeightsMissing
from anisora.harness.registry import Registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.weights import (
    WeightEntry,
    digests_of,
    list_entries,
    load_state_dict,
    load_weights,
    locate,
    match_keys,
    untrained_rule,
    untrained_seed,
    weight_folders,
)

torch = pytest.importorskip("torch")

SHAPES = {"layer.weight": (3, 2), "layer.bias": (3,)}


class Malicious:
    """What a hostile checkpoint holds: unpickling it would run a command."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.trace}'",)


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    return {
        "layer.weight": np.arange(6, dtype=np.float32).reshape(3, 2),
        "layer.bias": np.ones(3, np.float32),
    }


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensors: dict[str, np.ndarray]) -> Path:
    """A real ledger of a real package, with two networks, the files of one of which exist."""
    package = tmp_path / "site" / "thirdparty_weights"
    package.mkdir(parents=True)
    folder = tmp_path / "weights"
    (folder / "nets").mkdir(parents=True)
    save_numpy(tensors, folder / "nets" / "small.safetensors")
    digest = sha256_of_file(folder / "nets" / "small.safetensors")
    (package / "weights.yaml").write_text(
        f"""
weights:
  - name: small
    purpose: a network for this test
    files: [{{path: nets/small.safetensors, sha256: {digest}}}]
    sources: [{{hub: hf, id: owner/small, revision: abc}}]
    licence: Apache-2.0
    commercial_use: true
  - name: big
    purpose: another one
    files: [{{path: nets/big-1.safetensors, bytes: 2000000}}, {{path: nets/big-2.safetensors}}]
    sources: [{{hub: url, id: "https://example.org/big"}}, {{hub: modelscope, id: owner/big}}]
    licence: CC-BY-NC-4.0
    commercial_use: false
"""
    )
    monkeypatch.syspath_prepend(tmp_path / "site")
    registered = Registry("ledgers", {"thirdparty": "thirdparty_weights:weights.yaml"})
    monkeypatch.setattr(weights, "registry", lambda _: registered)
    weights._entries.cache_clear()
    yield folder
    weights._entries.cache_clear()


def test_a_ledger_lists_its_entries_with_licence_and_sources(ledger: Path) -> None:
    entries = list_entries()
    assert [entry.name for entry in entries] == ["big", "small"]
    assert [str(source) for source in entries[1].sources] == ["hf:owner/small@abc"]
    assert not entries[0].commercial_use


def test_the_ledgers_of_the_installed_folders_are_valid() -> None:
    weights._entries.cache_clear()
    names = [entry.name for entry in list_entries()]
    assert names == sorted(set(names))


def test_a_ledger_with_an_unknown_key_names_the_place(ledger: Path, tmp_path: Path) -> None:
    path = tmp_path / "site" / "thirdparty_weights" / "weights.yaml"
    path.write_text(path.read_text().replace("licence: Apache-2.0", "license: Apache-2.0"))
    with pytest.raises(ConfigError, match=r"thirdparty_weights:weights.yaml.*weights\.0\.licen[cs]e"):
        list_entries()


def test_a_file_outside_the_weights_folder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"below the weights folder"):
        WeightEntry.model_validate(
            {
                "name": "x",
                "purpose": "",
                "files": [{"path": "../x.pt"}],
                "licence": "",
                "commercial_use": True,
            }
        )


def test_files_are_found_in_the_named_folder_and_then_in_the_cache(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate(["small"], folder=ledger)["small"]["nets/small.safetensors"].parent.parent == ledger
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))  # the same folder, as `weights` of the cache
    assert weight_folders() == [ledger]
    assert set(locate(["small"])) == {"small"}
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path / "site"))
    assert weight_folders() == [tmp_path / "site", ledger]
    assert set(locate(["small"])) == {"small"}


def test_missing_files_are_told_all_at_once_with_where_to_get_them(ledger: Path) -> None:
    with pytest.raises(WeightsMissing) as caught:
        locate(["small", "big"], folder=ledger)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "2 weight file(s)",
        str(ledger),
        "big-1.safetensors",
        "2.0 MB",
        "big-2.safetensors",
        "url:https://example.org/big",
        "modelscope:owner/big",
    ):
        assert part in message
    assert "small" not in message


def test_a_file_that_differs_from_its_ledger_is_not_used(ledger: Path) -> None:
    path = ledger / "nets" / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsMissing, match=r"small\.safetensors` has sha256 \w{12}…, expected"):
        load_weights("small", SHAPES, folder=ledger)


def test_a_folder_that_does_not_exist_is_named(ledger: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"`--weights` got .*nowhere"):
        weight_folders(ledger / "nowhere")


def test_an_unknown_name_gets_the_nearest(ledger: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'small'"):
        locate(["smal"], folder=ledger)


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_loading_gives_the_tensors_of_the_file(ledger: Path, tensors: dict[str, np.ndarray], framework: str) -> None:
    loaded = load_weights("small", SHAPES, folder=ledger, framework=framework)
    assert list(loaded) == list(SHAPES)
    for key, array in tensors.items():
        assert np.array_equal(np.asarray(loaded[key]), array)


def test_a_record_gets_the_digest_of_the_file(ledger: Path) -> None:
    assert digests_of(["small"], folder=ledger) == {"small": sha256_of_file(ledger / "nets" / "small.safetensors")}
    assert digests_of([]) == {}


def test_several_files_have_one_digest_that_depends_on_each(ledger: Path) -> None:
    for number in (1, 2):
        save_numpy({"x": np.full(1, number, np.float32)}, ledger / "nets" / f"big-{number}.safetensors")
    entry = next(entry for entry in list_entries() if entry.name == "big")
    path = ledger / entry.files[0].path
    path.write_bytes(path.read_bytes().ljust(2_000_000, b"\0"))  # the size that the ledger tells
    before = digests_of(["big"], folder=ledger)["big"]
    save_numpy({"x": np.zeros(1, np.float32)}, ledger / "nets" / "big-2.safetensors")
    assert digests_of(["big"], folder=ledger)["big"] != before


def test_a_checkpoint_that_would_run_a_command_is_refused_and_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    torch.save({"layer": torch.zeros(1), "extra": Malicious(trace)}, tmp_path / "hostile.pt")
    with pytest.raises(ConfigError, match=r"hostile\.pt` hold the object '\w+\.system', .* nothing was run"):
        load_state_dict(tmp_path / "hostile.pt")
    assert not trace.exists()


def test_the_hostile_checkpoint_of_these_tests_is_truly_hostile(tmp_path: Path) -> None:
    # Were it harmless, the test above would prove nothing.
    trace = tmp_path / "executed"
    torch.save({"extra": Malicious(trace)}, tmp_path / "hostile.pt")
    torch.load(tmp_path / "hostile.pt", weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_bare_pickle_is_refused_and_does_not_run(tmp_path: Path, protocol: int) -> None:
    import pickle  # noqa: TID251

    trace = tmp_path / "executed"
    (tmp_path / "hostile.bin").write_bytes(pickle.dumps(Malicious(trace), protocol=protocol))
    with pytest.raises((ConfigError, WeightsMissing), match=r"hostile\.bin"):
        load_state_dict(tmp_path / "hostile.bin")
    assert not trace.exists()


def test_a_pickled_module_is_refused_by_the_name_of_its_class(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(ConfigError, match=r"hold the object 'torch\.nn\.modules\.linear\.Linear'"):
        load_state_dict(tmp_path / "module.pth")


def test_training_options_in_a_checkpoint_are_read_only_where_they_are_allowed(tmp_path: Path) -> None:
    import argparse

    path = tmp_path / "trained.pt"
    torch.save({"model": {"bias": torch.ones(2)}, "args": argparse.Namespace(steps=4)}, path)
    with pytest.raises(ConfigError, match=r"'argparse\.Namespace'"):
        load_state_dict(path, inside="model")
    loaded = load_state_dict(path, inside="model", safe_globals=["argparse.Namespace"])
    assert torch.equal(loaded["bias"], torch.ones(2))
    with pytest.raises(ConfigError, match=r"`safe_globals` got 'os.system'"):
        load_state_dict(path, inside="model", safe_globals=["os.system"])


def test_a_numpy_scalar_in_a_checkpoint_is_read_where_it_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    torch.save({"model": {"bias": torch.ones(2)}, "best": np.float64(0.5)}, path)
    allowed = ["numpy._core.multiarray.scalar", "numpy.dtype"]
    assert list(load_state_dict(path, inside="model", safe_globals=allowed)) == ["bias"]


def test_a_checkpoint_with_more_than_tensors_says_which_key(tmp_path: Path) -> None:
    torch.save({"params": {"bias": torch.ones(2)}, "epoch": 3}, tmp_path / "nested.pt")
    with pytest.raises(ConfigError, match=r"2 of 2 keys that are no tensor, the first 'params'.*`inside`"):
        load_state_dict(tmp_path / "nested.pt")
    with pytest.raises(ConfigError, match=r"no 'state_dict' at the top; they hold \['epoch', 'params'\]"):
        load_state_dict(tmp_path / "nested.pt", inside="state_dict")


@pytest.mark.parametrize("name", ["cut.pt", "cut.safetensors", "empty.pt", "empty.safetensors", "junk.pth"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, tensors: dict[str, np.ndarray]) -> None:
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_numpy(tensors, path)
    else:
        torch.save({key: torch.from_numpy(array) for key, array in tensors.items()}, path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "junk": b"hello " * 40}[path.stem])
    with pytest.raises(WeightsMissing, match=f"{path.stem}.*damaged"):
        load_state_dict(path)


def test_a_file_of_another_kind_is_refused_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"suffix '\.onnx'"):
        load_state_dict(tmp_path / "model.onnx")
    with pytest.raises(WeightsMissing, match=r"do not exist"):
        load_state_dict(tmp_path / "absent.safetensors")


def test_numbers_that_numpy_does_not_have_are_an_error_of_the_request(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1, dtype=torch.bfloat16)}, tmp_path / "half.pt")
    with pytest.raises(ConfigError, match=r"'x' as torch.bfloat16"):
        load_state_dict(tmp_path / "half.pt", framework="numpy")
    assert load_state_dict(tmp_path / "half.pt")["x"].dtype == torch.bfloat16


def test_an_old_torch_is_warned_about_for_pickled_files(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        weights._warn_about_old_torch(Path("x.pt"), "2.10.0+cpu")
        assert caplog.records == []
        weights._warn_about_old_torch(Path("x.pt"), "2.9.1")
    assert "torch is 2.9.1" in caplog.text


def test_keys_are_matched_without_remainder() -> None:
    state = {"module.a": np.zeros((2, 3)), "module.b": np.zeros(4), "optimizer.step": np.zeros(1)}
    strip = str.removeprefix

    def rename(key: str) -> str:
        return strip(key, "module.")

    matched = match_keys(state, {"b": (4,), "a": (2, 3)}, rename=rename, superfluous=["optimizer.*"])
    assert {key: array.shape for key, array in matched.items()} == {"b": (4,), "a": (2, 3)}
    with pytest.raises(ConfigError, match=r"net\.pt` do not fit .* 1 unexpected \(optimizer\.step\)\."):
        match_keys(state, {"a": (2, 3), "b": (4,)}, rename=rename, source="net.pt")


def test_every_kind_of_mismatch_is_counted_and_named() -> None:
    state = {f"extra.{index}": np.zeros(1) for index in range(5)} | {"a": np.zeros((2, 2))}
    with pytest.raises(ConfigError) as caught:
        match_keys(state, {"a": (2, 3), "b": (1,)})
    message = str(caught.value)
    assert "1 missing (b)" in message
    assert "5 unexpected (extra.0, extra.1, extra.2, …)" in message
    assert "1 of another shape (a (2, 2) for (2, 3))" in message


def test_two_keys_that_become_one_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"two keys for 'a', one is 'b'"):
        match_keys({"a": np.zeros(1), "b": np.zeros(1)}, {"a": (1,)}, rename={"b": "a"})


def test_the_untrained_switch_reads_no_file_and_says_so(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert untrained_seed() is None
    monkeypatch.setenv("ANISORA_UNTRAINED", "7")
    first = load_weights("big", SHAPES, framework="numpy", folder=tmp_path)
    again = load_weights("big", SHAPES, framework="numpy", folder=tmp_path)
    assert digests_of(["big", "small"]) == dict.fromkeys(("big", "small"), "untrained:named-normal-1:7")
    assert all(np.array_equal(first[key], again[key]) for key in SHAPES)
    monkeypatch.setenv("ANISORA_UNTRAINED", "8")
    other = load_weights("big", SHAPES, framework="torch", folder=tmp_path)
    assert other["layer.weight"].dtype == torch.float32
    assert not np.array_equal(first["layer.weight"], other["layer.weight"].numpy())
    monkeypatch.setenv("ANISORA_UNTRAINED", "yes")
    with pytest.raises(ConfigError, match=r"`ANISORA_UNTRAINED` got 'yes'"):
        untrained_seed()


def test_untrained_tensors_depend_on_their_own_name_alone() -> None:
    both = untrained_rule({"a": (4, 3), "b": (4, 3)}, tag="net", seed=0)
    alone = untrained_rule({"b": (4, 3)}, tag="net", seed=0)
    assert np.array_equal(both["b"], alone["b"])
    assert not np.array_equal(both["a"], both["b"])
    assert not np.array_equal(alone["b"], untrained_rule({"b": (4, 3)}, tag="other", seed=0)["b"])


def test_untrained_tensors_have_the_scale_of_what_they_stand_for() -> None:
    shapes = {
        "n.weight": (4000,),
        "n.bias": (4000,),
        "n.running_var": (4000,),
        "n.running_mean": (4000,),
        "pos_embed": (1, 4000),
        "w.weight": (1000, 400),
        "scalar": (),
    }
    drawn = untrained_rule(shapes, tag="t", seed=1)
    assert {key: array.shape for key, array in drawn.items()} == shapes
    spread = {key: float(array.std()) for key, array in drawn.items()}
    assert spread["n.weight"] == pytest.approx(0.1, rel=0.1)
    assert float(drawn["n.weight"].mean()) == pytest.approx(1.0, abs=0.01)
    assert spread["n.bias"] == pytest.approx(0.02, rel=0.1)
    assert float(drawn["n.running_var"].min()) >= 1.0
    assert spread["n.running_mean"] == pytest.approx(0.1, rel=0.1)
    assert spread["pos_embed"] == pytest.approx(0.1, rel=0.1)
    assert spread["w.weight"] == pytest.approx(1 / 20, rel=0.05)


@needs_shared
def test_untrained_tensors_equal_those_of_the_golden_data() -> None:
    import json
    import runpy

    theirs = runpy.run_path(str(GOLDEN / "vbench" / "seeded_fill.py"))
    linear = json.loads((GOLDEN / "vbench" / "weights.json").read_text())["aesthetic"]
    assert linear["params"] == 769
    shapes = {
        "blocks.0.attn.qkv.weight": (12, 4),
        "blocks.0.norm1.weight": (4,),
        "blocks.0.norm1.bias": (4,),
        "pos_embed": (1, 5, 4),
        "bn.running_var": (6,),
        "bn.running_mean": (6,),
    }
    ours = untrained_rule(shapes, tag="dino_vitb16", seed=3)
    for key, shape in shapes.items():
        assert np.array_equal(ours[key], theirs["tensor"](3, "dino_vitb16", key, shape).numpy())
