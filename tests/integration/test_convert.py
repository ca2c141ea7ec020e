"""`anisora convert`: official checkpoints become folders that the classes of diffusers load, or a named error."""

import json
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from official_checkpoints import (
    WAN_CONFIG,
    sat_state,
    sat_transformer,
    sat_vae,
    sat_vae_state,
    save_shards,
    wan_state,
    wan_transformer,
    wan_vae,
    wan_vae_state,
    write_releases,
    write_wan_folder,
)
from small_suite import anisora

from anisora.harness.cli import _run
from anisora.harness.runfolder import sha256_of_file

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

STEM = "diffusion_pytorch_model"


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def run_command(*words: str | Path) -> Finished:
        code = _run(["convert", *map(str, words)], debug=False)
        told = capsys.readouterr()
        return Finished(code, told.out, told.err)

    return run_command


def loaded(network: Any, folder: Path, **options: Any) -> Any:
    """Load a folder by the class of a network; every key must be there and none besides."""
    made, told = type(network).from_pretrained(folder, output_loading_info=True, **options)
    assert [told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys")] == [[], [], []]
    return made.eval()


def assert_same_state(network: Any, folder: Path) -> None:
    """Check that a folder in float32 holds the very numbers of a network, and the class's own arguments."""
    made = loaded(network, folder)
    state = network.state_dict()
    assert [key for key, tensor in made.state_dict().items() if not torch.equal(tensor, state[key])] == []
    own = {key: value for key, value in network.config.items() if not key.startswith("_")}
    assert json.loads(json.dumps({key: made.config[key] for key in own})) == json.loads(json.dumps(own))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def wan(tmp_path: Path) -> Path:
    return write_wan_folder(tmp_path / "wan", wan_transformer())


# -- what is converted


def test_a_sharded_wan_transformer_gives_the_outputs_of_the_network_that_it_came_from(run: Run, wan: Path) -> None:
    done = run(wan, "--to", "diffusers", "--out", "out", "--dtype", "float32", "--max-shard-size", "40KB")
    assert (done.code, done.err) == (0, "")
    network = wan_transformer()
    assert_same_state(network, Path("out"))
    made = loaded(network, Path("out"))
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "hidden_states": torch.randn(1, 36, 2, 4, 6, generator=generator),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 512, 24, generator=generator),
        "encoder_hidden_states_image": torch.randn(1, 257, 12, generator=generator),
    }
    with torch.no_grad():  # the numbers are the same, and lie elsewhere in memory, which changes the last bits of sums
        assert torch.allclose(made(**inputs).sample, network(**inputs).sample, rtol=1e-5, atol=1e-5)
    assert len(list(Path("out").glob(f"{STEM}-*.safetensors"))) > 2


def test_a_sat_file_gives_the_outputs_of_the_network_that_it_came_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "5B" / "1000").mkdir(parents=True)
    (tmp_path / "5B" / "latest").write_text("1000")
    network = sat_transformer()
    content = {"module": sat_state(network), "epoch": 3, "rng": torch.zeros(1)}
    torch.save(content, tmp_path / "5B" / "1000" / "mp_rank_00_model_states.pt")
    done = run("5B", "--out", "out", "--dtype", "float32")
    assert (done.code, len(done.err.splitlines())) == (0, 1)
    assert "model_states.pt`, as CogVideoXTransformer3DModel does without: model.diffusion_model.mixins.pos" in done.err
    left_out = json.loads(Path("out/conversion.json").read_text())["left_out"]
    assert len(left_out) == 6
    assert {"conditioner.embedders.0.x", "model.diffusion_model.transformer.position_embeddings.weight"} < {*left_out}
    assert_same_state(network, Path("out"))
    made = loaded(network, Path("out"))
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "hidden_states": torch.randn(1, 3, 32, 4, 6, generator=generator),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 226, 12, generator=generator),
        "image_rotary_emb": (torch.randn(18, 16, generator=generator), torch.randn(18, 16, generator=generator)),
    }
    with torch.no_grad():  # the numbers are the same, and lie elsewhere in memory, which changes the last bits of sums
        assert torch.allclose(made(**inputs).sample, network(**inputs).sample, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inside", [None, "state_dict"])
def test_vaes_keep_float32_and_their_numbers(run: Run, tmp_path: Path, inside: str | None) -> None:
    for name, network, state, left_out in (
        ("Wan2.1_VAE.pth", wan_vae(), wan_vae_state(wan_vae()), []),
        ("videokl_ch16_long_20w.pt", sat_vae(), sat_vae_state(sat_vae()), ["loss.logvar"]),
    ):
        torch.save({inside: state} if inside else state, tmp_path / name)
        done = run(name, "--out", f"{name}.out", *(["--inside", inside] if inside else []))
        assert (done.code, bool(done.err)) == (0, bool(left_out))
        assert json.loads((tmp_path / f"{name}.out" / "conversion.json").read_text())["left_out"] == left_out
        assert_same_state(network, tmp_path / f"{name}.out")


def test_a_release_becomes_a_folder_for_each_network_and_other_files_are_told(run: Run, tmp_path: Path) -> None:
    top = tmp_path / "V3.2"
    high, low = (wan_transformer(has_image_branch=False, seed=seed) for seed in (5, 6))
    write_wan_folder(top / "high_noise_model", high)
    write_wan_folder(top / "low_noise_model", low, shards=2)
    torch.save(wan_vae_state(wan_vae()), top / "Wan2.1_VAE.pth")
    (top / "models_t5_umt5-xxl-enc-bf16.pth").write_bytes(b"never opened")
    (top / "google" / "umt5-xxl").mkdir(parents=True)
    (top / "google" / "umt5-xxl" / "tokenizer.json").write_text("{}")
    torch.save({"shared.weight": torch.ones(2), "lm_head.weight": torch.ones(2)}, top / "other.pt")
    done = run("V3.2", "--out", "out", "--dtype", "float32")
    assert done.code == 0, done.err
    assert names_in(tmp_path / "out") == ["transformer", "transformer_2", "vae"]
    for folder, network in (("transformer", high), ("transformer_2", low), ("vae", wan_vae())):
        assert_same_state(network, tmp_path / "out" / folder)
    assert len(done.err.splitlines()) == 2
    assert "models_t5_umt5-xxl-enc-bf16.pth`: the text encoder" in done.err
    assert "other.pt`: Checkpoint" in done.err


def test_a_release_of_one_transformer_has_its_vae_beside_it(run: Run, tmp_path: Path) -> None:
    write_releases(tmp_path / "Index-anisora")
    assert run("Index-anisora/V3", "--out", "out", "--dtype", "float32").code == 0
    assert_same_state(wan_transformer(), tmp_path / "out" / "transformer")
    assert_same_state(wan_vae(), tmp_path / "out" / "vae")
    only = run("Index-anisora/V3", "--out", "only", "--layout", "wan-vae")
    assert only.code == 0, only.err
    assert_same_state(wan_vae(), tmp_path / "only")
    assert "config.json" in names_in(tmp_path / "only")


def test_the_default_is_bfloat16_but_for_the_modules_that_diffusers_keeps(run: Run, wan: Path) -> None:
    assert run(wan, "--out", "out").code == 0
    from safetensors.torch import load_file

    network, state = wan_transformer(), load_file(Path("out") / f"{STEM}.safetensors")
    kept = {key for key, tensor in state.items() if tensor.dtype == torch.float32}
    assert {key for key, tensor in state.items() if tensor.dtype == torch.bfloat16} == state.keys() - kept
    assert kept == {key for key in state if set(key.split(".")) & set(network._keep_in_fp32_modules)}
    assert "condition_embedder.time_embedder.linear_1.weight" in kept
    for key, tensor in network.state_dict().items():
        assert torch.equal(state[key], tensor.to(state[key].dtype)), key
    made = loaded(network, Path("out"), torch_dtype=torch.bfloat16)
    assert {key for key, tensor in made.state_dict().items() if tensor.dtype == torch.float32} == kept


def test_files_are_those_that_diffusers_itself_would_write(run: Run, wan: Path, tmp_path: Path) -> None:
    wan_transformer().save_pretrained(tmp_path / "saved", max_shard_size="40KB")
    assert run(wan, "--out", "out", "--dtype", "float32", "--max-shard-size", "40KB").code == 0
    written = contents(tmp_path / "out")
    written.pop("conversion.json")
    saved = contents(tmp_path / "saved")
    config = json.loads(saved.pop("config.json"))
    assert json.loads(written.pop("config.json")) == config
    assert written == saved
    assert len(written) > 3


def test_one_file_its_shards_and_pickles_of_both_give_the_same_bytes(run: Run, tmp_path: Path) -> None:
    state = wan_state(wan_transformer())
    save_shards(tmp_path / "three", state, 3)
    save_shards(tmp_path / "pickled", state, 2, stem="pytorch_model", pickled=True)
    save_shards(tmp_path / "prefixed", {f"model.diffusion_model.{key}": each for key, each in state.items()}, 2)
    (tmp_path / "one").mkdir()
    torch.save(dict(reversed(state.items())), tmp_path / "one" / "model.pt")
    (tmp_path / "config.json").write_text(json.dumps(WAN_CONFIG))
    made = []
    for name in ("three", "pickled", "prefixed", "one/model.pt", f"three/{STEM}.safetensors.index.json"):
        out = f"out{len(made)}"
        done = run(name, "--out", out, "--config", "config.json", "--max-shard-size", "40KB")
        assert done.code == 0, done.err
        made.append(contents(tmp_path / out))
        record = json.loads(made[-1].pop("conversion.json"))
        assert [each["name"] for each in record["sources"]] == [
            path.name for path in sorted((tmp_path / name.partition("/")[0]).iterdir()) if path.suffix != ".json"
        ]
    assert [each == made[0] for each in made] == [True] * 5


def test_the_record_says_what_was_made_of_what(run: Run, wan: Path) -> None:
    done = run(wan, "--out", "out", "--max-shard-size", "40KB")
    record = json.loads(Path("out/conversion.json").read_text())
    assert (record["network"], record["layout"], record["dtype"]) == ("WanTransformer3DModel", "wan", "bfloat16")
    for folder, listed in ((wan, record["sources"]), (Path("out"), record["files"])):
        assert len(listed) > 2
        for each in listed:
            path = folder / each["name"]
            assert (each["bytes"], each["sha256"]) == (path.stat().st_size, sha256_of_file(path))
    assert names_in(Path("out")) == sorted(["conversion.json", *(each["name"] for each in record["files"])])
    assert all(f"{each['name']}: sha256 {each['sha256']}" in done.out for each in record["files"])


def test_a_dry_run_checks_and_tells_the_sizes_and_writes_nothing(run: Run, wan: Path, tmp_path: Path) -> None:
    before = names_in(tmp_path)
    told = run(wan, "--out", "out", "--dry-run", "--max-shard-size", "40KB")
    assert (told.code, names_in(tmp_path)) == (0, before)
    assert "WanTransformer3DModel, 87 tensors in bfloat16" in told.out
    done = run(wan, "--out", "out", "--max-shard-size", "40KB")
    assert done.out.splitlines()[0] == told.out.strip()
    total = sum(path.stat().st_size for path in Path("out").glob("*.safetensors"))
    assert f"{total / 1e6:.1f} MB in {len(list(Path('out').glob('*.safetensors')))} files" in told.out


def test_an_empty_folder_is_taken_and_one_with_something_in_it_is_not(run: Run, wan: Path) -> None:
    Path("empty").mkdir()
    assert run(wan, "--out", "empty").code == 0
    before = contents(Path("empty"))
    again = run(wan, "--out", "empty")
    assert (again.code, contents(Path("empty"))) == (2, before)
    assert "`--out` got `empty`, where something is already" in again.err


# -- what is refused


def refused(run: Run, tmp_path: Path, *words: str | Path) -> str:
    """Run a command that must be refused by one line, and must leave nothing behind; return the line."""
    before = contents(tmp_path)
    done = run(*words, "--out", "out")
    assert (done.code, len(done.err.splitlines())) == (2, 1), (done.out, done.err)
    assert contents(tmp_path) == before
    assert not Path("out").exists()
    assert not Path(".out.part").exists()
    return done.err


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda state: state.pop(key)


def shaped(key: str, *shape: int) -> Callable[[dict[str, Any]], object]:
    return lambda state: state.update({key: torch.zeros(*shape)})


WRONG_WAN: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a key that is missing": (without("blocks.1.ffn.0.bias"), "lacks 'blocks.1.ffn.net.0.proj.bias'"),
    "a key that tells a size and is missing": (
        without("head.head.weight"),
        "no such tensor for 'head.head.weight', from which a size of the network is read",
    ),
    "a key of no network": (shaped("blocks.0.self_attn.lora_A", 2), "has the key 'blocks.0.self_attn.lora_A'"),
    "a block that is there in part": (
        lambda state: [state.pop(key) for key in list(state) if key.startswith("blocks.1.") and "ffn" not in key],
        "lacks 'blocks.1.attn1.norm_k.weight'",
    ),
    "a shape": (
        shaped("blocks.1.cross_attn.v.weight", 32, 31),
        "has other shapes for 'blocks.1.attn2.to_v.weight' ((32, 31), expected (32, 32))",
    ),
    "a network twice": (
        shaped("model.diffusion_model.head.head.bias", 64),
        "has 'head.head.bias' and 'model.diffusion_model.head.head.bias', and both become 'proj_out.bias'",
    ),
    "the layers of a deeper network": (
        lambda state: state.update(wan_state(wan_transformer(layers=3))),
        "Configuration has `num_layers` 2, and the tensors have 3",
    ),
}


@pytest.mark.parametrize("name", WRONG_WAN)
def test_wrong_missing_and_extra_keys_are_refused_by_name(run: Run, tmp_path: Path, name: str) -> None:
    spoil, message = WRONG_WAN[name]
    state = wan_state(wan_transformer())
    spoil(state)
    save_shards(tmp_path / "wan", state, 2)
    (tmp_path / "wan" / "config.json").write_text(json.dumps(WAN_CONFIG))
    assert message in refused(run, tmp_path, "wan")


def test_positions_that_were_learned_are_refused_by_name(run: Run, tmp_path: Path) -> None:
    state = sat_state(sat_transformer())
    state["model.diffusion_model.mixins.pos_embed.pos_embedding"][0, 5, 7] = 1e-3
    torch.save({"module": state}, tmp_path / "x.pt")
    told = refused(run, tmp_path, "x.pt")
    assert "numbers other than 0 in 'model.diffusion_model.mixins.pos_embed.pos_embedding'" in told


def test_numbers_that_the_format_cannot_hold_are_refused_and_what_was_written_is_removed(
    run: Run, tmp_path: Path
) -> None:
    state = wan_state(wan_transformer())
    state["blocks.1.ffn.2.weight"][0, 0] = 1e6
    save_shards(tmp_path / "wan", state, 2)
    (tmp_path / "wan" / "config.json").write_text(json.dumps(WAN_CONFIG))
    before = contents(tmp_path)
    done = run("wan", "--out", "out", "--dtype", "float16", "--max-shard-size", "20KB")
    assert done.code == 2
    assert "in 'blocks.1.ffn.2.weight' that are too large for float16" in done.err
    assert contents(tmp_path) == before


def test_a_truncated_shard_is_refused_by_name_wherever_it_is_cut(run: Run, wan: Path, tmp_path: Path) -> None:
    shard = wan / f"{STEM}-00002-of-00003.safetensors"
    whole = shard.read_bytes()
    for kept in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        shard.write_bytes(whole[:kept])
        assert f"{shard.name}` are cut off or damaged" in refused(run, tmp_path, "wan")


def test_a_truncated_pickle_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    torch.save({"module": sat_state(sat_transformer())}, tmp_path / "x.pt")
    whole = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(whole[: len(whole) // 2])
    assert "x.pt` are damaged or no checkpoint" in refused(run, tmp_path, "x.pt")


def test_index_and_shards_that_disagree_are_refused_by_name(run: Run, wan: Path, tmp_path: Path) -> None:
    index, second = wan / f"{STEM}.safetensors.index.json", wan / f"{STEM}-00002-of-00003.safetensors"
    whole = json.loads(index.read_text())

    def told(change: Callable[[dict[str, str]], object]) -> str:
        places = dict(whole["weight_map"])
        change(places)
        index.write_text(json.dumps({"weight_map": places}))
        return refused(run, tmp_path, "wan")

    key = next(key for key, name in whole["weight_map"].items() if name == second.name)
    assert f"00002-of-00003.safetensors' holds, against the index, '{key}'".replace("' holds", "` holds") in told(
        lambda places: places.pop(key)
    )
    assert f"lacks '{key}'" in told(lambda places: places.update({key: f"{STEM}-00001-of-00003.safetensors"}))
    of_second = [name for name, place in whole["weight_map"].items() if place == second.name]
    assert f"does not name '{second.name}', which lies beside it" in told(
        lambda places: [places.pop(name) for name in of_second]
    )
    assert "names the shard '../x.safetensors'" in told(lambda places: places.update(x="../x.safetensors"))
    index.write_text(json.dumps(whole))
    second.rename(tmp_path / "elsewhere")
    assert f"names 3 shards, and 1 are not there: '{second.name}'" in refused(run, tmp_path, "wan")
    index.write_text("{")
    assert "is no JSON with a weight_map" in refused(run, tmp_path, "wan")
    index.unlink()
    assert f"is a shard, and its index {STEM}.safetensors.index.json is not beside it" in refused(run, tmp_path, "wan")


def test_a_single_shard_is_refused_with_the_name_of_the_index(run: Run, wan: Path, tmp_path: Path) -> None:
    told = refused(run, tmp_path, wan / f"{STEM}-00001-of-00003.safetensors")
    assert f"is one shard of several; name their index `{wan / STEM}.safetensors.index.json`" in told


def test_what_is_no_official_checkpoint_is_refused_by_name(run: Run, wan: Path, tmp_path: Path) -> None:
    wan_transformer().save_pretrained(tmp_path / "saved")
    assert "is in the layout of diffusers already" in refused(run, tmp_path, "saved")
    torch.save({"shared.weight": torch.ones(1)}, tmp_path / "t5.pt")
    assert "has keys such as 'shared.weight'; expected those of one of the layouts wan, wan-vae" in refused(
        run, tmp_path, "t5.pt"
    )
    (tmp_path / "nothing").mkdir()
    assert "holds no network that is converted (no file with tensors)" in refused(run, tmp_path, "nothing")
    assert "`absent` does not exist" in refused(run, tmp_path, "absent")
    assert "no such tensor for 'encoder.conv_in.conv.weight'" in refused(run, tmp_path, "wan", "--layout", "sat-vae")
    (tmp_path / "note.txt").write_text("x")
    assert "note.txt` is of no known kind" in refused(run, tmp_path, "note.txt")


def test_two_networks_for_one_place_are_refused_by_name(run: Run, wan: Path, tmp_path: Path) -> None:
    shutil.copytree(wan, tmp_path / "both" / "one")
    shutil.copytree(wan, tmp_path / "both" / "two")
    assert "holds two networks for transformer/" in refused(run, tmp_path, "both")


def test_a_width_of_no_published_network_asks_for_the_configuration(run: Run, wan: Path, tmp_path: Path) -> None:
    (wan / "config.json").rename(tmp_path / "config.json")
    assert "has a width of 32; without its config.json a multiple of 128" in refused(run, tmp_path, "wan")
    assert "Configuration `wan.json` cannot be read" in refused(run, tmp_path, "wan", "--config", "wan.json")
    assert run("wan", "--out", "out", "--config", "config.json").code == 0


def test_a_configuration_is_refused_where_the_tensors_tell_everything(run: Run, tmp_path: Path) -> None:
    torch.save({"module": sat_state(sat_transformer())}, tmp_path / "x.pt")
    (tmp_path / "config.json").write_text("{}")
    told = refused(run, tmp_path, "x.pt", "--config", "config.json")
    assert "`--config` got `config.json` for a checkpoint of layout sat" in told


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    run: Run, wan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    assert "where 1.0 MB are free; expected " in refused(run, tmp_path, wan)
    assert "where 1.0 MB are free" in refused(run, tmp_path, wan, "--dry-run")


@pytest.mark.parametrize("size", ["0", "-1", "5 apples", "", "1e9"])
def test_a_size_that_is_none_is_refused(run: Run, wan: Path, tmp_path: Path, size: str) -> None:
    assert "expected a size such as 5GB" in refused(run, tmp_path, wan, "--max-shard-size", size)


# -- interrupted


WORDS = ("wan", "--out", "out", "--max-shard-size", "40KB")


@pytest.fixture
def undisturbed(run: Run, wan: Path, tmp_path: Path) -> dict[str, bytes]:
    assert run(wan, "--out", "undisturbed", *WORDS[3:]).code == 0
    return contents(tmp_path / "undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize("place", ["before_write", "after_write", "after_flush", "after_rename"])
def test_a_killed_conversion_leaves_nothing_that_looks_complete_and_ends_in_the_same_bytes(
    tmp_path: Path, run: Run, undisturbed: dict[str, bytes], place: str
) -> None:
    killed = anisora(["convert", *WORDS], cwd=tmp_path, ANISORA_FAILPOINT=f"network.{place}:kill:3")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    left = contents(tmp_path / ".out.part")
    assert left != {}
    assert "config.json" not in left
    assert run(*WORDS).code == 0
    assert names_in(tmp_path) == ["out", "undisturbed", "wan"]
    assert contents(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("action", ["enospc", "erofs"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, run: Run, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    for place in ("before_write", "after_write", "after_flush", "after_rename"):
        monkeypatch.setenv("ANISORA_FAILPOINT", f"network.{place}:{action}")
        stopped = run(*WORDS)
        assert (stopped.code, len(stopped.err.splitlines())) == (1, 1)
        assert ("No space left" if action == "enospc" else "Read-only file system") in stopped.err
        assert names_in(tmp_path) == ["undisturbed", "wan"]
    monkeypatch.delenv("ANISORA_FAILPOINT")
    assert run(*WORDS).code == 0
    assert contents(tmp_path / "out") == undisturbed
