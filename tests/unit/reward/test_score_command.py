"""``reward score``, and the policies by which its networks are in memory."""

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from counting_extractors import MeanLevel
from numpy.typing import NDArray
from PIL import Image
from trial_metrics import make_info, registered

from anisora.harness import networks
from anisora.harness.cli import main
from anisora.harness.errors import ConfigError
from anisora.harness.features import FeatureStore
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.networks import release_networks, shared_network
from anisora.harness.protocols import Batch, FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.render import Scene, render
from anisora.harness.types import Generation, Score
from anisora.reward.metric_reward import MetricReward, reward

SPEC = "metric_reward:temporal_flickering=1,sharpness=0.01"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips in ``clips/``, a still, a folder of frames, and files that are no media."""
    made = tmp_path_factory.mktemp("scored")
    (made / "clips").mkdir()
    (made / "frames").mkdir()
    with DecoderPool() as pool:
        for seed, name in enumerate(("a", "b")):
            frames = render(Scene(action="walk", seed=seed, width=64, height=48, num_frames=5))
            pool.encode(frames, fps=24.0 if name == "a" else 12.0, path=made / "clips" / f"{name}.mkv")
    Image.fromarray(frames[0]).save(made / "still.png")
    for place, frame in enumerate(frames):
        Image.fromarray(frame).save(made / "frames" / f"{place}.png")
    for name in ("bad.png", "bad.mp4"):
        (made / name).write_text("no picture")
    return made


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(folder)
    for name in ("ANISORA_WEIGHTS", "ANISORA_UNTRAINED", "ANISORA_DEVICE"):
        monkeypatch.setenv(name, "")  # what a command sets is taken back after the test
        monkeypatch.delenv(name)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["reward", "score", *arguments])
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def data_of(run: Run, *arguments: str, code: int = 0) -> dict[str, Any]:
    found, out, _ = run(*arguments, "--json")
    assert found == code
    data: dict[str, Any] = json.loads(out)
    return data


def test_a_folder_of_clips_of_several_rates_is_scored_as_the_metrics_score_them(run: Run) -> None:
    data = data_of(run, "clips", "--reward", SPEC)
    assert data["reward"] == "metric_reward"
    assert data["weights"] == {"temporal_flickering": 1.0, "sharpness": 0.01}
    assert [video["video"] for video in data["videos"]] == ["clips/a.mkv", "clips/b.mkv"]
    for video, fps in zip(data["videos"], (24.0, 12.0), strict=True):
        with MetricReward({"temporal_flickering": 1.0, "sharpness": 0.01}) as judge:
            batch = judge([video["video"]], [""], fps=fps)
        assert video["total"] == float(batch.total[0])
        assert {name: each["value"] for name, each in video["dimensions"].items()} == {
            name: score.value for name, score in batch.scores[0].items()
        }
        assert {each["status"] for each in video["dimensions"].values()} == {"ok"}
        assert video["still"] is False
    assert (data["resident"], data["device"], data["decodes"]) == ("all", "cpu", 2)


def test_the_table_has_a_line_for_each_dimension_and_the_total(run: Run) -> None:
    code, out, err = run("clips/a.mkv", "--reward", SPEC)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Memory: no networks to load"
    assert [line.split()[:2] for line in lines[1:-1]] == [
        ["video", "dimension"],
        ["clips/a.mkv", "temporal_flickering"],
        ["clips/a.mkv", "sharpness"],
        ["clips/a.mkv", "total"],
    ]
    assert "1 videos, 1 decodes, resident all" in lines[-1]


def test_a_still_is_a_clip_of_one_frame_marked_and_its_motion_unscored(run: Run, folder: Path) -> None:
    data = data_of(run, "still.png", "--reward", SPEC)
    (video,) = data["videos"]
    assert video["still"] is True
    assert video["dimensions"]["temporal_flickering"] == {
        "value": None,
        "status": "unscored",
        "note": "still: the clip has 1 of the 2 frames that temporal_flickering needs",
    }
    sharpness = video["dimensions"]["sharpness"]
    assert sharpness["note"] == "still: scored as a clip of one frame"
    pixels = np.asarray(Image.open(folder / "still.png"))
    with MetricReward({"sharpness": 1.0}) as judge:
        batch = judge(pixels.transpose(2, 0, 1)[None, None], [""], fps=1)
    assert sharpness["value"] == batch.scores[0]["sharpness"].value
    assert video["total"] is None
    assert video["note"] == "still: a dimension could not be scored"
    (video,) = data_of(run, "still.png", "--reward", SPEC, "--dimensions", "sharpness")["videos"]
    assert video["total"] == pytest.approx(sharpness["value"])
    assert video["note"] == "still: of what one frame can be scored by"


def test_the_dimensions_of_the_anime_reward_that_need_motion_leave_a_still_unscored() -> None:
    from anisora.harness.registry import registry

    shortest = {name: registry("metrics").create(name).info.min_frames for name in ("visual_motion", "visual_appeal")}
    assert shortest == {"visual_motion": 2, "visual_appeal": 1}
    assert registry("metrics").create("visual_smoothness").info.min_frames == 2


def test_a_folder_of_frames_needs_a_rate(run: Run) -> None:
    code, _, err = run("frames", "--reward", SPEC)
    assert code == 2
    assert "has no frame rate" in err
    (video,) = data_of(run, "frames", "--fps", "12", "--reward", SPEC)["videos"]
    assert video["total"] is not None
    assert video["still"] is False


def test_a_manifest_brings_prompts_and_images_and_options_those_that_it_lacks(run: Run, folder: Path) -> None:
    seen: dict[str, tuple[str | None, int]] = {}

    class Told:
        info = make_info("trial_told")

        def score(self, item: Generation, features: FeatureReader) -> Score:
            seen[item.sample.id] = (item.sample.prompt, len(item.sample.condition.keyframes))
            return Score(sample_id=item.sample.id, seed=item.seed, value=1.0)

    lines = ["id,video,prompt,image", "one,clips/a.mkv,a girl waves,", "two,clips/b.mkv,,still.png"]
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    with registered("metrics", trial_told=Told):
        arguments = ("items.csv", "still.png", "--reward", "metric_reward:trial_told", "--prompt", "a boy runs")
        data_of(run, *arguments)
        assert seen == {"one": ("a girl waves", 0), "two": ("a boy runs", 1), "still.png": ("a boy runs", 0)}
        data_of(run, *arguments, "--image", "still.png")
        assert [count for _, count in seen.values()] == [1, 1, 1]
    code, _, err = run("clips", "--image", "nothing.png", "--reward", SPEC)
    assert code == 2
    assert "`nothing.png` does not exist; expected an image" in err


def test_what_fails_is_told_apart_by_the_exit_code(run: Run) -> None:
    data = data_of(run, "clips/a.mkv", "bad.png", "bad.mp4", "--reward", SPEC, code=3)
    good, *bad = data["videos"]
    assert good["total"] is not None
    for video in bad:
        assert {each["status"] for each in video["dimensions"].values()} == {"error"}
        assert "cannot be read (not-a-video)" in video["dimensions"]["sharpness"]["note"]
    code, out, _ = run("bad.mp4", "--reward", SPEC)
    assert code == 1
    assert "not-a-video" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--reward", SPEC), "`VIDEO` is missing"),
        (("nope.mp4", "--reward", SPEC), "`nope.mp4` does not exist"),
        (("clips", "--reward", "metric_rewart"), "'metric_rewart' is not known. Did you mean 'metric_reward'?"),
        (("clips", "--reward", "metric_reward"), "expected at least one metric name"),
        (("clips", "--reward", SPEC, "--dimensions", "sharpnes"), "Did you mean 'sharpness'?"),
        (("clips", "--reward", SPEC, "--mode", "corrected"), "`--mode` was given"),
        (("clips", "--dimensions", "visual_appel"), "Did you mean 'visual_appeal'?"),
        (("clips", "--resident", "two"), "'two' is not one of 'one', 'all'"),
    ],
)
def test_bad_input_is_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


# -- networks


class Network:
    """Adds a number to levels; counts how many of its kind are alive."""

    alive: ClassVar["weakref.WeakSet[Network]"] = weakref.WeakSet()
    built: ClassVar[list[str]] = []
    most: ClassVar[int] = 0

    def __init__(self, name: str, offset: float) -> None:
        self.offset, self.itself = offset, self  # a cycle, as modules are
        Network.alive.add(self)
        Network.built.append(name)
        Network.most = max(Network.most, len(Network.alive))


class Networked(MeanLevel):
    def parameters(self) -> dict[str, int]:
        return dict.fromkeys(self.info.weights, 10**6)

    def extract(self, batch: Batch) -> dict[str, NDArray[Any]]:
        name = self.info.name
        offset = float(len(name)) / 7
        network = shared_network(name, lambda: Network(name, offset), self.info.weights)
        return {"level": super().extract(batch)["level"] + network.offset}


class Level:
    """Mean of an extractor's level."""

    def __init__(self, extractor: str, **fields: Any) -> None:
        self.info: MetricInfo = make_info(extractor, requests=(FeatureRequest(extractor=extractor),), **fields)

    def score(self, item: Generation, features: FeatureReader) -> Score:
        (request,) = self.info.requests
        level = features.get(item, request.extractor, request.sampling)["level"]
        return Score(sample_id=item.sample.id, seed=item.seed, value=float(level.mean()))


NETWORKS = {"trial_one": "dino-vitb16", "trial_two__": "clip-vit-b32", "trial_three____": "actionclip-motion"}


@contextmanager
def three_networks() -> Iterator[None]:
    """Register a metric for each of three networks, and a second metric for the first."""
    extractors = {
        name: (lambda name=name, weights=weights: Networked(name=name, weights=(weights,)))
        for name, weights in NETWORKS.items()
    }
    metrics = {name: (lambda name=name: Level(name)) for name in NETWORKS}
    metrics["trial_again"] = lambda: Level("trial_one")
    release_networks()
    with registered("extractors", **extractors), registered("metrics", **metrics):
        yield


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, float]]:
    monkeypatch.setenv("ANISORA_CACHE", str(tmp_path))
    monkeypatch.setenv("ANISORA_UNTRAINED", "11")
    monkeypatch.setenv("ANISORA_DEVICE", "cpu")
    with three_networks():
        gc.collect()
        Network.built, Network.most = [], len(Network.alive)
        assert Network.most == 0
        yield dict.fromkeys([*NETWORKS, "trial_again", "sharpness"], 1.0)
    release_networks()


@pytest.fixture(scope="module")
def videos() -> np.ndarray:
    drawn = [render(Scene(action="walk", seed=seed, width=64, height=48, num_frames=5)) for seed in (0, 1, 2)]
    return np.stack([frames.transpose(0, 3, 1, 2) for frames in drawn])


def test_scores_are_the_same_bits_under_both_policies(three: dict[str, float], videos: np.ndarray) -> None:
    with MetricReward(three, resident="all") as judge:
        together = judge(videos, [""] * 3, fps=24)
        assert (Network.most, sorted(Network.built)) == (3, sorted(NETWORKS))
        fingerprint = judge.info.fingerprint
    with MetricReward(three, resident="one") as judge:
        alone = judge(videos, [""] * 3, fps=24)
        assert judge.info.fingerprint == fingerprint
    assert alone.scores == together.scores
    assert [list(row) for row in alone.scores] == [list(row) for row in together.scores]
    assert np.array_equal(alone.total, together.total)
    assert together.valid.all()


def test_one_network_at_most_is_alive_under_one_and_each_is_built_once_a_batch(
    three: dict[str, float], videos: np.ndarray
) -> None:
    with MetricReward(three, resident="one") as judge:
        assert Network.built == []  # nothing is loaded before it is needed
        judge(videos, [""] * 3, fps=24)
        assert Network.most == 1
        assert Network.built == list(NETWORKS)
        assert len(Network.alive) == 1
        judge(videos, [""] * 3, fps=24)
    assert Network.most == 1
    assert Network.built == [*NETWORKS, *NETWORKS]


def test_only_what_is_asked_for_is_loaded(three: dict[str, float], videos: np.ndarray) -> None:
    with MetricReward(["trial_one", "trial_again"]) as judge:
        judge(videos, [""] * 3, fps=24)
    assert Network.built == ["trial_one"]


def test_a_network_of_the_group_stays_from_batch_to_batch(three: dict[str, float], videos: np.ndarray) -> None:
    with MetricReward({"trial_one": 1.0, "sharpness": 1.0}, resident="one") as judge:
        for _ in range(2):
            judge(videos, [""] * 3, fps=24)
    assert Network.built == ["trial_one"]


def test_decodes_are_told_once_for_all_and_once_a_group(three: dict[str, float], folder: Path) -> None:
    paths = [folder / "clips" / "a.mkv"]
    for policy, decodes in (("all", 1), ("one", 3)):
        with MetricReward(three, resident=policy) as judge:
            assert judge(paths, [""], fps=24).decodes == decodes
            assert len(judge.groups) == 3


def test_a_store_that_is_handed_in_serves_both_policies(three: dict[str, float], videos: np.ndarray) -> None:
    extractors = {name: Networked(name=name, weights=(weights,)) for name, weights in NETWORKS.items()}
    with FeatureStore(pool=DecoderPool(), extractors=extractors) as store:
        batches = [
            MetricReward(three, features=store, resident=policy)(videos, [""] * 3, fps=24) for policy in ("all", "one")
        ]
    assert batches[0].scores == batches[1].scores
    assert extractors["trial_one"].shapes  # the extractor that was handed in did the work


def test_a_wrong_rate_and_a_failing_metric_are_told_as_ever_under_one(three: dict[str, float], folder: Path) -> None:
    from anisora.harness.errors import DataError

    with MetricReward(three, resident="one") as judge:
        with pytest.raises(DataError, match="`fps` got 16, but video"):
            judge([folder / "clips" / "a.mkv"], [""], fps=16)
        batch = judge([folder / "bad.mp4"], [""], fps=16)
    assert batch.failed == (frozenset(three),)
    assert not batch.valid.any()


def test_released_networks_are_gone_and_others_stay(monkeypatch: pytest.MonkeyPatch, three: dict[str, float]) -> None:
    for name, weights in NETWORKS.items():
        shared_network(name, lambda name=name: Network(name, 0.0), (weights,))
    release_networks(keep=["dino-vitb16", "clip-vit-b32"])
    assert len(Network.alive) == 2
    monkeypatch.setenv("ANISORA_UNTRAINED", "12")  # of other numbers: none of these is asked for again
    release_networks(keep=list(NETWORKS.values()))
    assert len(Network.alive) == 0
    assert networks._networks == {}


def test_every_reward_takes_the_policy(three: dict[str, float]) -> None:
    assert reward("metric_reward:sharpness=1", resident="one").info.dimensions == ("sharpness",)
    with pytest.raises(ConfigError, match="`resident` got 'none'"):
        reward("metric_reward:sharpness=1", resident="none")


def test_the_command_tells_memory_and_policy_and_scores_alike(three: dict[str, float], run: Run) -> None:
    spec = "metric_reward:" + ",".join(f"{name}=1" for name in three)
    arguments = ("clips", "--reward", spec, "--untrained", "11", "--device", "cpu")
    both = [data_of(run, *arguments, "--resident", policy) for policy in ("all", "one")]
    assert both[0]["videos"] == both[1]["videos"]
    assert [data["decodes"] for data in both] == [2, 6]
    memory = both[1]["memory"]
    assert set(memory["networks"]) == set(NETWORKS.values())
    assert {network["dtype"] for network in memory["networks"].values()} == {"float32"}
    assert memory["needed"]["one"] == 4 * 10**6
    code, out, _ = run(*arguments, "--resident", "one")
    assert code == 0
    assert out.startswith("Memory: dino-vitb16 ")
    assert "one at a time: " in out.splitlines()[0]
    assert "free on cpu: " in out.splitlines()[0]


def test_a_request_that_cannot_fit_is_refused_before_anything_is_loaded(
    three: dict[str, float], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anisora.harness.device.free_memory", lambda _: 5 * 10**6)
    spec = "metric_reward:" + ",".join(f"{name}=1" for name in three)
    arguments = ("clips", "--reward", spec, "--untrained", "11", "--device", "cpu")
    code, out, err = run(*arguments)
    assert code == 2
    assert out.startswith("Memory: dino-vitb16 4.0 MB in float32, ")
    assert out.count("\n") == 1
    assert "`--resident all` needs 12.0 MB for networks, and cpu has 5.0 MB free" in err
    assert "what would fit: --resident one (4.0 MB)" in err
    assert err.count("\n") == 1
    assert Network.built == []
    assert run(*arguments, "--resident", "one")[0] == 0
