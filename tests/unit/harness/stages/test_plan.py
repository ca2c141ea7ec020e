from collections.abc import Iterator

import pytest
from trial_metrics import TrialMetric, make_sample, registered

from anisora.harness.errors import ConfigError, DeviceUnavailable, UnknownNameError
from anisora.harness.protocols import FeatureRequest
from anisora.harness.stages.plan import metric_names, missing_needs, plan_metrics
from anisora.harness.types import Condition, FrameSampling

FULL = make_sample()
BARE = make_sample("bare", prompt=None, condition=Condition(), ground_truth=None)


@pytest.fixture(autouse=True)
def _trial_metrics() -> Iterator[None]:
    with registered(
        "metrics",
        trial_free=lambda: TrialMetric(name="trial_free"),
        trial_prompted=lambda: TrialMetric(name="trial_prompted", needs=frozenset({"prompt", "keyframes"})),
        trial_closed=lambda: TrialMetric(
            name="trial_closed", commercial_use=False, licence="CC-BY-NC-4.0", needs=frozenset({"prompt"})
        ),
    ):
        yield


def test_groups_stand_for_their_metrics_and_names_for_themselves() -> None:
    group = ["trial_closed", "trial_free", "trial_prompted"]
    assert metric_names(["trial"]) == group
    assert metric_names(["trial_free", "trial", "psnr"]) == ["psnr", *group]
    assert set(metric_names(["core"])) < set(metric_names(["all"]))
    assert "trial_free" not in metric_names(["core"])


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'trial_fre' is not known.*'trial_free'"):
        metric_names(["trial", "trial_fre"])


def test_what_an_item_lacks_is_told_in_words() -> None:
    needs = frozenset({"prompt", "keyframes", "ground_truth", "region_mask"})
    assert missing_needs(BARE, needs) == ["prompt", "conditioning image", "ground truth", "region mask"]
    assert missing_needs(FULL, needs) == ["region mask"]
    assert missing_needs(BARE, frozenset()) == []


def test_metrics_that_no_item_has_the_inputs_for_are_left_out_on_request() -> None:
    names = ["trial_free", "trial_prompted"]
    plan = plan_metrics(names, [BARE], leave_out=True)
    assert list(plan.metrics) == ["trial_free"]
    assert plan.excluded == {"trial_prompted": "no item has a conditioning image or prompt"}
    assert list(plan_metrics(names, [BARE], leave_out=False).metrics) == names
    assert list(plan_metrics(names, [BARE, FULL], leave_out=True).metrics) == names


def test_a_run_of_nothing_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"No metric is left to compute: trial_closed: no item has a prompt\."):
        plan_metrics(["trial_closed"], [BARE], leave_out=True)


def test_a_licence_that_forbids_commercial_use_is_refused_on_request_alone() -> None:
    assert "trial_closed" in plan_metrics(["trial_closed"], [FULL], leave_out=False).metrics
    with pytest.raises(ConfigError, match=r"`--commercial-ok` forbids trial_closed: .*--metrics"):
        plan_metrics(["trial_free", "trial_closed"], [FULL], leave_out=False, commercial_only=True)


def test_what_is_left_out_has_no_licence_to_refuse() -> None:
    plan = plan_metrics(["trial_free", "trial_closed"], [BARE], leave_out=True, commercial_only=True)
    assert list(plan.metrics) == ["trial_free"]


def test_metrics_share_the_features_they_ask_for() -> None:
    plan = plan_metrics(["flow_magnitude", "warping_error", "sharpness"], [FULL], leave_out=False)
    assert [request.extractor for request in plan.requests] == ["dis_flow", "frame_statistics"]


def test_the_protocol_of_a_metric_has_all_that_changes_its_numbers() -> None:
    (entry,) = plan_metrics(["sharpness"], [FULL], leave_out=False).protocol.values()
    assert entry["version"] == 1
    features = entry["frame_statistics"]
    assert isinstance(features, dict)
    assert set(features) == {"version", "sampling", "preprocess", "weights"}
    assert features["sampling"] == "all"


def test_the_fingerprint_of_a_metric_changes_with_version_and_sampling_alone() -> None:
    def fingerprint(**fields: object) -> str:
        with registered("metrics", trial_other=lambda: TrialMetric(name="trial_other", **fields)):
            return plan_metrics(["trial_other"], [FULL], leave_out=False).fingerprint("trial_other")

    request = FeatureRequest(extractor="frame_statistics")
    halved = FeatureRequest(extractor="frame_statistics", sampling=FrameSampling(mode="stride", stride=2))
    plain = fingerprint(requests=(request,))
    assert fingerprint(requests=(request,), title="Renamed", direction="lower") == plain
    others = {fingerprint(), fingerprint(requests=(halved,)), fingerprint(requests=(request,), version=2)}
    assert len(others | {plain}) == 4


def test_the_device_of_metrics_is_chosen_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANISORA_DEVICE", raising=False)
    assert plan_metrics(["psnr"], [], leave_out=False).device == "cpu"
    monkeypatch.setenv("ANISORA_UNTRAINED", "0")
    monkeypatch.setenv("ANISORA_DEVICE", "cpu")
    assert plan_metrics(["subject_consistency"], [], leave_out=False).device == "cpu"
    monkeypatch.setenv("ANISORA_DEVICE", "cuda:97")
    with pytest.raises(DeviceUnavailable, match="cuda:97"):
        plan_metrics(["subject_consistency"], [], leave_out=False)
    assert plan_metrics(["psnr"], [], leave_out=False).device == "cpu"  # runs nowhere else
