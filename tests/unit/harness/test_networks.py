import pytest
from trial_metrics import make_item

from anisora.harness.device import Device, compute_device
from anisora.harness.errors import ConfigError, DeviceUnavailable
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.networks import filled, inference, shapes_of, shared_network, without_numbers
from anisora.harness.protocols import FeatureRequest

torch = pytest.importorskip("torch")


def layer() -> "torch.nn.Module":
    with without_numbers():
        return torch.nn.Linear(3, 2)


def test_a_module_is_made_without_numbers_and_filled_under_its_keys() -> None:
    module = layer()
    assert module.weight.is_meta
    assert shapes_of(module) == {"weight": (2, 3), "bias": (2,)}
    state = {"net.weight": torch.ones(2, 3, dtype=torch.float16), "net.bias": torch.zeros(2), "unused": torch.ones(1)}
    made = filled(module, "layer", state=state, rename=lambda key: key.removeprefix("net."), superfluous=["unused"])
    assert made.weight.dtype == torch.float32
    assert made.weight.tolist() == [[1.0] * 3] * 2
    assert not any(parameter.requires_grad for parameter in made.parameters())
    assert not made.training


def test_missing_and_superfluous_keys_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"1 missing \(bias\); 1 unexpected \(other\)"):
        filled(layer(), "layer", state={"weight": torch.ones(2, 3), "other": torch.ones(1)})
    with pytest.raises(ConfigError, match="1 of another shape"):
        filled(layer(), "layer", state={"weight": torch.ones(3, 2), "bias": torch.ones(2)})


def test_no_gradients_are_kept() -> None:
    made = torch.nn.Linear(3, 2)
    with inference():
        assert not made(torch.ones(1, 3)).requires_grad


def test_a_network_is_made_once_for_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def build() -> object:
        made.append(object())
        return made[-1]

    monkeypatch.setenv("ANISORA_UNTRAINED", "11")
    first = shared_network("a test", build, ["dino-vitb16"])
    assert shared_network("a test", build, ["dino-vitb16"]) is first
    monkeypatch.setenv("ANISORA_UNTRAINED", "12")  # other numbers, another network
    assert shared_network("a test", build, ["dino-vitb16"]) is not first
    assert len(made) == 2


def test_the_device_of_networks_is_named_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_DEVICE", "cpu")
    assert str(compute_device()) == "cpu"
    monkeypatch.setenv("ANISORA_DEVICE", "gpu")
    with pytest.raises(ConfigError, match="'gpu'"):
        compute_device()
    monkeypatch.setenv("ANISORA_DEVICE", "cuda:97")
    with pytest.raises(DeviceUnavailable, match="cuda:97"):
        compute_device()


def test_features_of_another_kind_of_device_are_not_taken_for_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_DEVICE", "cpu")
    with FeatureStore(pool=DecoderPool()) as store:
        request = {name: FeatureRequest(extractor=name) for name in ("dino_vitb16", "frame_statistics")}
        on_cpu = {name: store._key(make_item(), each, None) for name, each in request.items()}
        monkeypatch.setattr("anisora.harness.features.compute_device", lambda: Device("cuda", 0))
        on_cuda = {name: store._key(make_item(), each, None) for name, each in request.items()}
    assert on_cpu["dino_vitb16"] != on_cuda["dino_vitb16"]
    assert on_cpu["frame_statistics"] == on_cuda["frame_statistics"]  # runs nowhere else
