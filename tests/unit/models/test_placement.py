"""Which network is on the device; the meta device stands for an accelerator, since moving there can be seen."""

from typing import Any

import pytest

from anisora.harness.device import Device
from anisora.harness.errors import ConfigError
from anisora.models.placement import Placement


class OnMeta(Placement):
    """A placement whose device is torch's meta device."""

    def __init__(self, offload: Any) -> None:
        super().__init__(Device(), "none")
        import torch

        self.offload, self.torch_device = offload, torch.device("meta")


def network() -> Any:
    import torch

    return torch.nn.Linear(2, 2)


def where(module: Any) -> str:
    return str(next(module.parameters()).device)


def test_without_offloading_networks_come_and_stay() -> None:
    placement, first, second = OnMeta("none"), network(), network()
    assert placement.ready(first) is first
    placement.ready(second)
    assert [where(first), where(second)] == ["meta", "meta"]


def test_with_offloading_the_one_before_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    first, second = network(), network()
    monkeypatch.setattr(type(first), "to", lambda self, device: left.append((self is first, str(device))) or self)
    placement = OnMeta("model")
    placement.ready(first)
    placement.ready(first)
    placement.ready(second)
    assert left == [(True, "meta"), (True, "cpu"), (False, "meta")]


def test_ways_that_do_not_exist_and_nothing_to_offload_from_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"`offload` got 'half'; expected one of none, model, group"):
        Placement(Device(), "half")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"`offload` got 'model' on the cpu, where the networks lie anyway"):
        Placement(Device(), "model")
