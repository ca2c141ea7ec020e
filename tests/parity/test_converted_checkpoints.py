"""What `anisora convert` writes of the reference's own weights gives, in diffusers' class, the reference's outputs."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shared_data import GOLDEN, needs_shared

from anisora.harness.cli import _run
from anisora.harness.weights import load_state_dict

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

pytestmark = [pytest.mark.parity, needs_shared]


def converted(case: str, folder: Path) -> Path:
    """Convert the weights of a case with the configuration beside, in the reference's names, and return the folder."""
    (folder / "official").mkdir()
    shutil.copy(GOLDEN / case / "weights.safetensors", folder / "official")
    config = json.loads((GOLDEN / case / "case.json").read_text())["config"]
    (folder / "official" / "config.json").write_text(json.dumps(config))
    words = ["convert", str(folder / "official"), "--out", str(folder / "out"), "--dtype", "float32"]
    assert _run([*words, "--max-shard-size", "300KB"], debug=False) == 0
    return folder / "out"


def items(case: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield (inputs of one item without its number, the reference's output)."""
    inputs, expected = (load_state_dict(GOLDEN / case / f"{name}.safetensors") for name in ("inputs", "expected"))
    for name in sorted(expected):
        number = name.rpartition("_")[2]
        suffix = f"_{number}"
        yield {key.removesuffix(suffix): each for key, each in inputs.items() if key.endswith(suffix)}, expected[name]


@pytest.mark.parametrize("case", ["gen_wan21_dit", "gen_wan22_dit_noclip"])
def test_a_transformer_of_wan(case: str, tmp_path: Path) -> None:
    network = diffusers.WanTransformer3DModel.from_pretrained(converted(case, tmp_path))
    for given, expected in items(case):
        text = given["context"]
        padded = torch.nn.functional.pad(text, (0, 0, 0, 512 - len(text)))
        image = given.get("clip_feature")
        with torch.inference_mode():
            made = network(
                hidden_states=torch.cat([given["latent"], given["y"]])[None],
                timestep=given["timestep"],
                encoder_hidden_states=padded[None],
                encoder_hidden_states_image=image,
            ).sample[0]
        assert torch.allclose(made, expected, rtol=1e-4, atol=2e-5)


def test_the_transformer_of_sat(tmp_path: Path) -> None:
    from diffusers.models.embeddings import get_3d_rotary_pos_embed

    from anisora.models.cogvideox.networks import NormEpsilons, set_epsilons

    case = "gen_v1_sat_dit"
    network = diffusers.CogVideoXTransformer3DModel.from_pretrained(converted(case, tmp_path))
    set_epsilons(network, NormEpsilons())
    for given, expected in items(case):
        frames, _, height, width = given["x"].shape[1:]
        grid = (height // network.config.patch_size, width // network.config.patch_size)
        rotary = get_3d_rotary_pos_embed(network.config.attention_head_dim, ((0, 0), grid), grid, frames)
        with torch.inference_mode():
            made = network(given["x"], given["context"], given["timestep"], image_rotary_emb=rotary).sample
        assert torch.allclose(made, expected, rtol=1e-6, atol=4e-6)
