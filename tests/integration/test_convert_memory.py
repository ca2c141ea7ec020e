"""A conversion of many shards holds about one tensor in memory, not a shard.

It runs in a process of its own, which asks the kernel for the most memory that it held above what it had when all
modules were imported and a network of these sizes had been built without numbers.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SHARDS = 4
WIDTH, HEADS, LAYERS = 512, 4, 7


def big_network() -> Any:
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(
        num_attention_heads=HEADS,
        attention_head_dim=WIDTH // HEADS,
        in_channels=36,
        out_channels=16,
        text_dim=512,
        ffn_dim=4 * WIDTH,
        num_layers=LAYERS,
        image_dim=128,
        added_kv_proj_dim=WIDTH,
    )


def memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def measure(checkpoint: str, out: str, dtype: str, size: str) -> int:
    """Return the most bytes that a conversion held above what the process held before."""
    from anisora.harness.cli import _run

    assert _run(["convert", checkpoint, "--out", out, "--dry-run"], debug=True) == 0
    Path("/proc/self/clear_refs").write_text("5")  # forget the most memory held so far
    before = memory("VmRSS")
    words = ["convert", checkpoint, "--out", out, "--dtype", dtype, "--max-shard-size", size]
    assert _run(words, debug=True) == 0
    return memory("VmHWM") - before


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from official_checkpoints import wan_state

    with torch.device("meta"):
        network = big_network()
    network.to_empty(device="cpu")
    for tensor in network.state_dict().values():
        tensor.fill_(0.5)
    return wan_state(network)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory held from Linux's /proc")
@pytest.mark.parametrize(("pickled", "dtype"), [(False, "bfloat16"), (False, "float32"), (True, "float32")])
def test_the_peak_is_below_one_shard(tmp_path: Path, state: dict[str, Any], pickled: bool, dtype: str) -> None:
    from official_checkpoints import save_shards

    save_shards(tmp_path / "big", state, SHARDS, pickled=pickled)
    shards = [path.stat().st_size for path in (tmp_path / "big").iterdir() if path.suffix != ".json"]
    assert len(shards) == SHARDS
    assert min(shards) > 30 * 10**6
    child = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "big"), str(tmp_path / "out"), dtype, "33MB"],
        # Large arrays are given back at once: what the allocator keeps in pieces says nothing of the code.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    most = json.loads(child.stdout.splitlines()[-1])
    largest = max(4 * tensor.numel() for tensor in state.values())
    sys.stdout.write(
        f"\n{dtype}, {'pickled' if pickled else 'safetensors'}: {most / 1e6:.1f} MB held for shards of "
        f"{max(shards) / 1e6:.1f} MB and a largest tensor of {largest / 1e6:.1f} MB\n"
    )
    assert most < max(shards)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(*sys.argv[1:])))
