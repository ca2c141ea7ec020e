"""Models read from folders of diffusers: the same frames as from memory, and faults told by name."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_folders import tiny_parts, write_folder
from official_checkpoints import sat_state, wan_vae_state, write_wan_folder
from tiny_models import NO_SETTINGS, RELEASED, posed, tiny_model

from anisora.harness.errors import AnisoraError, ConfigError, WeightsMissing
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Frames

SMALL = GenerationSettings(height=64, width=112, num_frames=9, steps=2)


def assert_same(ours: Frames, expected: Frames) -> None:
    """Equal but for the last bits: tensors that are mapped from a file lie otherwise in memory."""
    assert ours.shape == expected.shape
    assert np.abs(ours.astype(np.int16) - expected).max() <= 1


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


@pytest.fixture(scope="module")
def v3_2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("v3.2"), tiny_parts("anisora-v3.2"))


@pytest.mark.parametrize("name", ["anisora-v1", "anisora-v3", "anisora-v3.2"])
def test_a_folder_gives_the_frames_that_its_networks_give_in_memory(
    tmp_path: Path, pool: DecoderPool, name: str
) -> None:
    track = sorted(RELEASED[name].tracks)[0]
    sample = posed(tmp_path / "sample", track)
    folder = write_folder(tmp_path / "weights", tiny_parts(name))
    model = registry("models").create(f"{name}:weights={folder}")
    assert not model.info.untrained
    assert "at once" in model.prepare(settings=SMALL)
    assert model.weights() == {
        f"{path.parent.name}/{path.name}": sha256_of_file(path) for path in folder.rglob("*.safetensors")
    }
    ours = model.generate(sample, seed=3, settings=SMALL, reader=pool).frames
    expected = tiny_model(name).generate(sample, seed=3, settings=NO_SETTINGS, reader=pool).frames
    assert_same(ours, expected)


def test_parts_come_from_the_release_s_folder_and_from_that_of_its_base(
    tmp_path: Path, pool: DecoderPool, v3_2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = RELEASED["anisora-v3.2"]
    own, companions = tmp_path / released.folder, tmp_path / released.companions
    shutil.copytree(v3_2, companions)
    own.mkdir()
    for part in ("transformer", "transformer_2"):
        (companions / part).rename(own / part)
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    sample = posed(tmp_path / "sample", "i2v")
    frames = registry("models").create("anisora-v3.2").generate(sample, seed=0, settings=SMALL, reader=pool).frames
    expected = tiny_model("anisora-v3.2").generate(sample, seed=0, settings=NO_SETTINGS, reader=pool).frames
    assert_same(frames, expected)
    shutil.rmtree(own / "transformer_2")
    with pytest.raises(WeightsMissing, match=r"lacks 1 of 5 parts: V3\.2/transformer_2"):
        registry("models").create("anisora-v3.2").prepare(settings=SMALL)


def _lose_a_key(part: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = next(part.glob("*.safetensors"))
    state = load_file(file)
    del state["proj_out.bias"]
    save_file(state, file)


def _change_the_config(part: Path) -> None:
    config = json.loads((part / "config.json").read_text())
    (part / "config.json").write_text(json.dumps({**config, "num_layers": 3}))


def _cut(part: Path) -> None:
    file = next(part.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])


def _no_json(part: Path) -> None:
    (part / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "error", "told"),
    [
        (_lose_a_key, ConfigError, r"1 tensors are missing, unknown or of another shape, the first are proj_out\.bias"),
        (_change_the_config, ConfigError, r"blocks\.2\."),
        (_cut, AnisoraError, r"transformer"),
        (_no_json, ConfigError, r"cannot be read"),
    ],
)
def test_a_damaged_folder_is_told_by_name(
    tmp_path: Path, pool: DecoderPool, v3_2: Path, damage: object, error: type[AnisoraError], told: str
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(v3_2, folder)
    damage(folder / "transformer")  # type: ignore[operator]
    sample = posed(tmp_path / "sample", "i2v")
    with pytest.raises(error, match=told) as caught:
        registry("models").create(f"anisora-v3.2:weights={folder}").generate(
            sample, seed=0, settings=SMALL, reader=pool
        )
    assert "\n" not in str(caught.value)


def write_companions(folder: Path, parts: dict[str, Any], *names: str) -> Path:
    return write_folder(folder, {name: parts[name] for name in names if name in parts})


def test_wan_as_published_gives_the_frames_of_its_networks(
    tmp_path: Path, pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    for name in ("anisora-v3", "anisora-v3.2"):
        parts, released = tiny_parts(name), RELEASED[name]
        own = tmp_path / released.folder
        folders = ("high_noise_model", "low_noise_model") if "transformer_2" in parts else (".",)
        for place, part in zip(folders, ("transformer", "transformer_2"), strict=False):
            (own / place).mkdir(parents=True, exist_ok=True)
            write_wan_folder(own / place, parts[part], shards=3)
        torch_save(wan_vae_state(parts["vae"]), own / "Wan2.1_VAE.pth")
        write_companions(tmp_path / released.companions, parts, "text_encoder", "tokenizer", "image_encoder")
        sample = posed(tmp_path / "sample", "keyframe")
        model = registry("models").create(name)
        model.prepare(settings=SMALL)
        ours = model.generate(sample, seed=5, settings=SMALL, reader=pool).frames
        assert_same(ours, tiny_model(name).generate(sample, seed=5, settings=NO_SETTINGS, reader=pool).frames)


def test_sat_as_published_gives_the_frames_of_its_networks(
    tmp_path: Path, pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    parts, released = tiny_parts("anisora-v1"), RELEASED["anisora-v1"]
    own = tmp_path / released.folder / "1000"
    own.mkdir(parents=True)
    torch_save({"module": sat_state(parts["transformer"])}, own / "mp_rank_00_model_states.pt")
    write_companions(tmp_path / released.companions, parts, "vae", "text_encoder", "tokenizer")
    sample = posed(tmp_path / "sample", "keyframe")
    model = registry("models").create("anisora-v1")
    model.prepare(settings=SMALL)
    ours = model.generate(sample, seed=5, settings=SMALL, reader=pool).frames
    assert_same(ours, tiny_model("anisora-v1").generate(sample, seed=5, settings=NO_SETTINGS, reader=pool).frames)


def torch_save(content: object, path: Path) -> None:
    import torch

    torch.save(content, path)


def test_learned_positions_that_are_zero_are_left_out_and_others_refused(tmp_path: Path, pool: DecoderPool) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = write_folder(tmp_path / "weights", tiny_parts("anisora-v1"))
    file, config = (folder / "transformer" / name for name in ("diffusion_pytorch_model.safetensors", "config.json"))
    config.write_text(json.dumps({**json.loads(config.read_text()), "use_learned_positional_embeddings": True}))
    tokens = 226 + 3 * 4 * 7
    save_file({**load_file(file), "patch_embed.pos_embedding": torch.zeros(1, tokens, 64)}, file)
    sample = posed(tmp_path / "sample", "last")
    model = registry("models").create(f"anisora-v1:weights={folder}")
    ours = model.generate(sample, seed=2, settings=SMALL, reader=pool).frames
    assert_same(ours, tiny_model("anisora-v1").generate(sample, seed=2, settings=NO_SETTINGS, reader=pool).frames)
    save_file({**load_file(file), "patch_embed.pos_embedding": torch.ones(1, tokens, 64)}, file)
    with pytest.raises(ConfigError, match=r"numbers other than 0 in 'patch_embed\.pos_embedding'; expected zeros"):
        registry("models").create(f"anisora-v1:weights={folder}").generate(sample, seed=2, settings=SMALL, reader=pool)


def test_why_a_folder_holds_nothing_is_told(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"something.else": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsMissing, match=r"lacks 5 of 5 parts.*has keys such as 'something\.else'"):
        registry("models").create(f"anisora-v3.2:weights={tmp_path}").prepare(settings=SMALL)
