"""What all diffusion adapters share: settings, tracks, prompts, and that the inputs reach the frames."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import NO_SETTINGS, RELEASED, TRACKS, posed, tiny_model, write_mask

from anisora.harness.device import Device
from anisora.harness.errors import AnisoraError, ConfigError, DataError, WeightsMissing
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.protocols import GenerationSettings, PreparingGenerator, SelectiveGenerator
from anisora.harness.registry import registry
from anisora.harness.types import Condition, Frames, Sample
from anisora.models.generator import DiffusionGenerator, RunsOn, track_of


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as opened:
        yield opened


_MODELS: dict[str, DiffusionGenerator[object]] = {}


def frames_of(name: str, sample: Sample, pool: DecoderPool, *, seed: int = 0, **settings: Any) -> Frames:
    """Frames of a tiny model that is made once."""
    model = _MODELS.setdefault(name, tiny_model(name))
    return model.generate(sample, seed=seed, settings=GenerationSettings(**settings), reader=pool).frames


def distance(left: Frames, right: Frames) -> float:
    return float(np.abs(left.astype(np.int16) - right).mean())


def test_every_model_is_selective_and_can_be_prepared() -> None:
    for name in RELEASED:
        model = tiny_model(name)
        assert isinstance(model, SelectiveGenerator)
        assert isinstance(model, PreparingGenerator)
        assert model.info.untrained
        assert model.info.tasks == RELEASED[name].tracks


@pytest.mark.parametrize(
    ("name", "track"),
    [("anisora-v1", "keyframe"), ("cogvideox-5b", "i2v"), ("anisora-v3", "keyframe"), ("anisora-v3.2", "mid")],
)
def test_prompt_image_position_and_seed_reach_the_frames(
    tmp_path: Path, pool: DecoderPool, name: str, track: str
) -> None:
    sample = posed(tmp_path / "a", track)
    frames = frames_of(name, sample, pool)
    assert frames.dtype == np.uint8
    assert frames.shape[0] == 9
    assert np.array_equal(frames, frames_of(name, sample, pool)), "the same again"
    others = {
        "prompt": replace(sample, prompt="A dragon flies over a city at night."),
        "first image": posed(tmp_path / "b", track, seeds=(5, 2)),
    }
    if track == "keyframe":
        others["second image"] = posed(tmp_path / "c", track, seeds=(1, 6))
        (_, first), (_, second) = sample.condition.keyframes
        others["positions"] = replace(sample, condition=Condition(keyframes=((0.0, second), (1.0, first))))
    for what, other in others.items():
        assert distance(frames, frames_of(name, other, pool)) > 0, what
    assert distance(frames, frames_of(name, sample, pool, seed=1)) > 0


def test_image_and_mask_reach_the_frames_of_the_any_mask_release(tmp_path: Path, pool: DecoderPool) -> None:
    sample = posed(tmp_path / "a", "region")
    frames = frames_of("anisora-anymask", sample, pool)
    for other in (
        posed(tmp_path / "b", "region", moving=slice(56, 112)),
        posed(tmp_path / "c", "region", seeds=(7,)),
        posed(tmp_path / "d", "region", prompt="Rain falls."),
    ):
        assert distance(frames, frames_of("anisora-anymask", other, pool)) > 0


def test_a_mask_may_be_a_video_of_as_many_frames(tmp_path: Path, pool: DecoderPool) -> None:
    sample = posed(tmp_path, "region")
    still = frames_of("anisora-anymask", sample, pool)
    moving = np.zeros((9, 64, 112, 3), np.uint8)
    moving[:, :, :56] = 255
    pool.encode(moving, fps=16.0, path=tmp_path / "mask.mkv", encoder="ffv1")
    condition = replace(sample.condition, region_mask=tmp_path / "mask.mkv")
    assert np.array_equal(frames_of("anisora-anymask", replace(sample, condition=condition), pool), still)
    with pytest.raises(DataError, match=r"region mask of 9 frames for a clip of 5"):
        frames_of("anisora-anymask", replace(sample, condition=condition), pool, num_frames=5)


def test_a_temporal_mask_keeps_the_ground_truth(tmp_path: Path, pool: DecoderPool) -> None:
    from anisora.harness.types import Clip

    paths = []
    for seed in (0, 1):
        shade = np.random.default_rng(seed).integers(0, 256, (12, 8, 14, 3), np.uint8).repeat(8, 1).repeat(8, 2)
        paths.append(tmp_path / f"{seed}.mkv")
        pool.encode(shade, fps=16.0, path=paths[-1], encoder="ffv1")
    model = tiny_model("anisora-anymask", mask="temporal")
    samples = [posed(tmp_path, "region", ground_truth=Clip(path=path, digest="")) for path in paths]
    made = [model.generate(each, seed=0, settings=NO_SETTINGS, reader=pool).frames for each in samples]
    assert distance(made[0], made[1]) > 0
    assert model.refuses(posed(tmp_path, "region"), settings=NO_SETTINGS) == (
        "has no ground truth, of which mask=temporal keeps every eighth frame; add it or leave mask out"
    )
    with pytest.raises(DataError, match=r"ground truth of 12 frames at 16 a second; expected 17 at 16"):
        model.generate(samples[0], seed=0, settings=GenerationSettings(num_frames=17), reader=pool)


@pytest.mark.parametrize(
    ("condition", "track"),
    [((0.0,), "i2v"), ((1.0,), "last"), ((0.4,), "mid"), ((0.0, 0.5), "keyframe"), ((), "nothing")],
)
def test_the_track_of_a_condition_follows_from_its_positions(
    tmp_path: Path, condition: tuple[float, ...], track: str
) -> None:
    image = posed(tmp_path, "i2v").condition.keyframes[0][1]
    assert track_of(Condition(keyframes=tuple((position, image) for position in condition))) == track


@pytest.mark.parametrize(
    ("name", "track", "told"),
    [
        (
            "anisora-v2",
            "last",
            "is posed as 'last', and model 'anisora-v2' serves i2v; choose a track with SUITE@TRACK",
        ),
        ("anisora-anymask", "i2v", "is posed as 'i2v', and model 'anisora-anymask' serves region"),
        ("anisora-v3", "region", "is posed as 'region', and model 'anisora-v3' serves i2v, keyframe, last, mid"),
    ],
)
def test_a_sample_on_another_track_is_refused_by_name(tmp_path: Path, name: str, track: str, told: str) -> None:
    reason = tiny_model(name).refuses(posed(tmp_path, track), settings=NO_SETTINGS)
    assert reason is not None
    assert told in reason


def test_a_sample_without_prompt_or_image_is_refused(tmp_path: Path) -> None:
    model, sample = tiny_model("anisora-v3"), posed(tmp_path, "i2v")
    assert "has no prompt" in str(model.refuses(replace(sample, prompt=None), settings=NO_SETTINGS))
    assert "has no conditioning image" in str(
        model.refuses(replace(sample, condition=Condition()), settings=NO_SETTINGS)
    )


def test_what_is_asked_for_goes_before_the_specification_and_that_before_the_release() -> None:
    plain = registry("models").create("anisora-v2:suffix=none")
    assert [plain.settings(NO_SETTINGS).steps, plain.settings(NO_SETTINGS).shift] == [40, 5.0]
    given = registry("models").create("anisora-v2:steps=20,guidance=3,shift=4")
    assert (given.settings(NO_SETTINGS).steps, given.settings(NO_SETTINGS).guidance) == (20, 3)
    assert given.settings(NO_SETTINGS).shift == 4
    asked = given.settings(GenerationSettings(steps=30, guidance=2.0, shift=2.0, height=480, width=832, num_frames=81))
    assert (asked.steps, asked.guidance, asked.shift) == (30, 2.0, 2.0)
    assert (asked.height, asked.width, asked.num_frames) == (480, 832, 81)


def test_small_sizes_of_the_base_have_a_shift_of_their_own_and_distilled_lists_that_of_theirs() -> None:
    model = registry("models").create("anisora-v2")
    small = GenerationSettings(height=480, width=832)
    assert model.settings(small).shift == 3.0
    assert model.settings(replace(small, steps=16)).shift == 5.0
    schedule = model.schedule(model.settings(replace(small, steps=12)))
    assert (schedule.solver, len(schedule.sigmas)) == ("euler", 12)
    assert model.schedule(model.settings(NO_SETTINGS)).solver == "unipc"
    with pytest.raises(ConfigError, match=r"`shift` got 3 with 16 steps, whose list was found for 5"):
        model.settings(GenerationSettings(steps=16, shift=3.0))


@pytest.mark.parametrize(
    ("spec", "settings", "told"),
    [
        ("anisora-v3:tiny", {"num_frames": 10}, "expected a multiple of 8 plus 1. Ask for 9 or 17"),
        ("wan-2.1:tiny", {"num_frames": 10}, "expected a multiple of 4 plus 1. Ask for 9 or 13"),
        ("anisora-v3:tiny", {"height": 64}, "expected both or neither"),
        ("anisora-v3:tiny", {"fps": 24.0}, "which was trained at 16"),
        ("anisora-v1:tiny", {"height": 60, "width": 100}, "expected multiples of 16. Ask for 48 and 96"),
        ("anisora-v1:tiny", {"guidance": 3.0}, "leave both out"),
    ],
)
def test_settings_that_are_none_of_the_model_s_are_refused(spec: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        registry("models").create(spec).settings(GenerationSettings(**settings))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("anisora-v3:suffix=long", "`suffix` got 'long'; expected one of recommended, none"),
        ("anisora-v3:motion=9", "expected 2 to 4"),
        ("anisora-v3:motion=3,suffix=none", "whose prompts get no score here"),
        ("wan-2.1:motion=3", "whose prompts get no score here"),
        ("anisora-v3:tiny,weights=x", "with `tiny`, which has random ones"),
        ("anisora-v3:mask=temporal", "which takes no mask"),
        ("anisora-anymask:mask=other", "expected spatial or temporal"),
        ("anisora-v1:preset=3090", "expected one of 4090"),
        ("anisora-v1:cache=other", "expected one of none, fastercache"),
        ("anisora-v1:shift=3", "has no argument 'shift'"),
    ],
)
def test_a_specification_that_makes_no_sense_is_refused(spec: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        registry("models").create(spec)


def test_the_preset_of_a_small_card_is_the_authors_size() -> None:
    resolved = registry("models").create("anisora-v1:preset=4090").settings(NO_SETTINGS)
    assert (resolved.height, resolved.width, resolved.num_frames) == (640, 1088, 49)


@pytest.mark.parametrize(
    ("spec", "sent"),
    [
        ("anisora-v1:tiny", "Rain. aesthetic score: 5.5. motion score: 0.7."),
        ("anisora-v1:tiny,motion=1", "Rain. aesthetic score: 5.5. motion score: 1.0."),
        (
            "anisora-v2:tiny",
            "Rain. aesthetic score: 5.5. motion score: 1.3. The video has no subtitles. There is no text in the video.",
        ),
        ("anisora-v3.2:tiny,motion=4", "Rain. aesthetic score: 5.5. motion score: 4.0. There is no text in the video."),
        ("anisora-v3:tiny,suffix=none", "Rain."),
        ("wan-2.1:tiny", "Rain."),
        ("cogvideox-5b:tiny", "Rain."),
    ],
)
def test_prompts_get_the_suffix_of_their_release(tmp_path: Path, spec: str, sent: str) -> None:
    model = registry("models").create(spec)
    assert model.prompt(posed(tmp_path, "i2v", prompt="Rain.")) == sent
    rewriting = dict(model.info.protocol)["prompt_rewriting"]
    assert (rewriting == "none") == (sent == "Rain.")


def test_the_sample_s_own_motion_score_is_used_where_none_is_asked_for(tmp_path: Path) -> None:
    sample = posed(tmp_path, "i2v", prompt="Rain.")
    sample = replace(sample, condition=replace(sample.condition, motion_score=2.5))
    assert "motion score: 2.5." in tiny_model("anisora-v3").prompt(sample)
    assert "motion score: 4.0." in tiny_model("anisora-v3", motion=4).prompt(sample)


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_absent_weights_are_all_named_with_where_to_get_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANISORA_WEIGHTS", str(tmp_path))
    model = registry("models").create(name)
    with pytest.raises(WeightsMissing) as caught:
        model.prepare(settings=NO_SETTINGS)
    released, told = RELEASED[name], str(caught.value)
    assert f"{released.folder}/transformer" in told
    assert f"{released.companions}/text_encoder" in told
    assert str(tmp_path) in told
    assert all(source in told for source in released.sources)
    assert "\n" not in told


@pytest.mark.parametrize(("weights", "told"), [("absent/folder", "no folder"), ("hf:a/b", "without a revision")])
def test_weights_that_cannot_be_meant_are_refused(weights: str, told: str) -> None:
    with pytest.raises(AnisoraError, match=told):
        registry("models").create(f"anisora-v3:weights={weights}").prepare(settings=NO_SETTINGS)


def test_two_devices_give_the_clips_that_one_gives(
    tmp_path: Path, pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    samples = [posed(tmp_path / str(seed), "i2v", seeds=(seed,)) for seed in range(4)]
    expected = [frames_of("anisora-v3.2", sample, pool) for sample in samples]
    # torch takes any number for the CPU.
    monkeypatch.setattr(RunsOn, "device_list", lambda _: [Device("cpu", 0), Device("cpu", 1)])
    model = tiny_model("anisora-v3.2", devices=2)
    with ThreadPoolExecutor(3) as workers:
        made = list(workers.map(lambda each: model.generate(each, seed=0, settings=NO_SETTINGS, reader=pool), samples))
    assert {each.details["device"] for each in made} == {"cpu:0", "cpu:1"}
    for each, frames in zip(made, expected, strict=True):
        assert np.array_equal(each.frames, frames)


def test_more_devices_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANISORA_DEVICE", "cpu")
    with pytest.raises(ConfigError, match=r"`devices` got 2; expected 1 to 1, the cpu devices from `cpu` on"):
        tiny_model("anisora-v3", devices=2).prepare(settings=NO_SETTINGS)


def test_the_mask_of_the_support_module_covers_what_it_says(tmp_path: Path, pool: DecoderPool) -> None:
    mask = pool.read_image(write_mask(tmp_path / "m.png", slice(0, 56)))
    assert [mask[:, :56].min(), mask[:, 56:].max()] == [255, 0]


def test_all_tracks_of_the_suite_are_served_by_some_model() -> None:
    assert {track for _, track in TRACKS} == {"i2v", "last", "mid", "keyframe", "region"}
