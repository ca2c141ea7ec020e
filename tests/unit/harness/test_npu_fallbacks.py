"""What the CPU computes for an NPU: on the stand-in, whose operators can be taken away."""

from typing import Any

import pytest
from npu_machine import python

from anisora.harness.npu_fallbacks import FALLBACKS

pytest.importorskip("torch")

PROGRAM = """
import json, logging
logging.basicConfig(level="ERROR")
import torch
from anisora.harness.device import describe, exact_float32, in_float64, resolve, seed_everything
from anisora.harness.npu_fallbacks import used_fallbacks

device = resolve("npu").torch_device()
seed_everything(7)
exact_float32()
generator = torch.Generator().manual_seed(0)
pixels = torch.randn(2, 3, 6, 6, generator=generator)
interpolate = torch.nn.functional.interpolate
steps = {
    "product": lambda x: x.flatten(1) @ x.flatten(1).t(),
    "spectrum": lambda x: torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1)).abs(),
    "filtered": lambda x: torch.fft.ifft2(torch.fft.fft2(x)).real,
    "bicubic": lambda x: interpolate(x, scale_factor=1.7, mode="bicubic", align_corners=False),
    "relu": torch.relu,
    "in place": lambda x: torch.relu_(x.clone()),
    "into": lambda x: torch.bmm(x[0], x[0], out=torch.empty_like(x[0])),
    "several": lambda x: torch.stack(torch.std_mean(x, dim=-1)),
    "float64": lambda x: in_float64(x.flatten(1)) @ in_float64(x.flatten(1)).t(),
}
found = {}
for name, step in steps.items():
    before = set(used_fallbacks())
    with torch.inference_mode():
        here, there = step(pixels), step(pixels.to(device))
    found[name] = [torch.equal(here, there.cpu()), there.device.type, sorted(set(used_fallbacks()) - before)]
import torch_npu
options = {name: getattr(torch.npu, name).given for name in ("config", "matmul", "conv")}
told = describe()
print(json.dumps([found, options, torch_npu.seeds, told["npu_fallbacks"], told["versions"]["torch-npu"]]))
"""


@pytest.fixture(scope="module")
def told() -> list[Any]:
    found: list[Any] = python(PROGRAM, missing=["aten::relu", "aten::relu_", "aten::bmm", "aten::std_mean"])
    return found


def test_what_an_npu_lacks_gives_the_numbers_of_the_cpu_and_is_told(told: list[Any]) -> None:
    steps, used = told[0], told[3]
    assert [name for name, (same, _, _) in steps.items() if not same] == []
    assert {name: new for name, (_, _, new) in steps.items()} == {
        "product": [],
        "spectrum": ["aten::_fft_c2c", "aten::roll"],
        "filtered": [],
        "bicubic": ["aten::upsample_bicubic2d"],
        "relu": ["aten::relu"],
        "in place": ["aten::relu_"],
        "into": ["aten::bmm.out"],
        "several": ["aten::std_mean.correction"],
        "float64": ["float64"],
    }
    assert used == sorted({name for _, _, new in steps.values() for name in new})


def test_results_are_where_the_tensors_were(told: list[Any]) -> None:
    assert {name: place for name, (_, place, _) in told[0].items() if place != "npu"} == {"float64": "cpu"}


def test_an_npu_is_set_up_before_anything_is_computed(told: list[Any]) -> None:
    _, options, seeds, _, version = told
    assert options == {
        "config": {"allow_internal_format": False},
        "matmul": {"allow_hf32": False},
        "conv": {"allow_hf32": False},
    }
    assert set(seeds) == {7}
    assert version == "0.0.0+stand.in"


def test_the_table_gives_a_reason_for_each() -> None:
    assert all(name == "float64" or name.startswith("aten::") for name in FALLBACKS)
    assert all(reason and not reason.endswith(".") for reason in FALLBACKS.values())


def test_the_stand_in_refuses_what_a_device_refuses() -> None:
    program = """
import json, torch, torch_npu
x = torch.ones(2, 2).to("npu:0")
told = []
for call in (lambda: x + torch.ones(2, 2), lambda: x.double() @ x.double()):
    try:
        call()
        told.append("done")
    except RuntimeError as error:
        told.append(str(error))
print(json.dumps([told, torch_npu.sent]))
"""
    (mixed, double), sent = python(program)
    assert "same device, but aten::add.Tensor found npu:0 and cpu" in mixed
    assert "aten::mm of the stand-in is not implemented for DT_DOUBLE" in double
    assert sent == 1
