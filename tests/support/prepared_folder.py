"""The folder in which the documentation's commands run: what a page may take for granted, as files.

    my_clips/, A/         seven rendered clips, clip0.mp4 to clip6.mp4; those of A/ are the same
    B/                    the same seven, blurred
    outputs/v2/           what a system made of the suite demo, walk-a.mp4 and so on: a slightly noisy ground truth
    runs/demo/            what ``make demo`` leaves: the output of ``anisora demo``
    figures/forest.json   the data of the demo's forest plot

Help texts find in addition:

    runs/demo-my-model-0123456789/   a finished run of outputs/v2/
    runs/demo-seeds-0123456789/      clips of two items, two each
    runs/style/                      a training of two steps
    leaderboard.duckdb               a copy of runs/demo/leaderboard.duckdb
    trained.pth                      a checkpoint of a training: tensors and options
    vbench_eval_results.json         a result file as VBench writes it
    results.md, paper.tex            the published table of VBench, and the demo's table from its leaderboard
    characters/                      two pictures each of two characters, and gallery.safetensors, as if made of them
    pairs.jsonl                      a preference pair of clips in outputs/v2/
    ratings.csv, scores.csv          made-up ratings and scores of the clips in outputs/v2/

Some pages have a folder of their own: that on inputs, see ``prepare_inputs``, that on training, see
``prepare_pairs``, that on heads, see ``prepare_rated_clips``, and those on data sets, see ``prepare_benchmark``,
``prepare_vbench_i2v`` and ``prepare_showcase``.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from anisora_folder import write_anisora_folder
from documentation import rated_clips
from official_checkpoints import write_releases
from showcase_folder import write_showcase_folder
from small_suite import anisora, only_run
from training_clips import write_clips
from vbench_i2v_folder import write_vbench_i2v_folder

from anisora.datasets.demo import DemoDataset
from anisora.datasets.showcase_13.items import known_examples
from anisora.harness.degrade import degrade
from anisora.harness.inputs.importer import import_suite
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import Scene, prompt_of, render
from anisora.harness.types import Frames

__all__ = [
    "DATA_SETS",
    "NAMED_RUN",
    "add_named_run",
    "prepare",
    "prepare_benchmark",
    "prepare_inputs",
    "prepare_models",
    "prepare_pairs",
    "prepare_rated_clips",
    "prepare_showcase",
    "prepare_vbench_i2v",
    "prepare_weights",
]

NAMED_RUN = "demo-my-model-0123456789"
"""The run that help texts name."""

DATA_SETS: dict[str, Callable[[Path], object]] = {
    "AniSora-Benchmark": write_anisora_folder,
    "assets": write_showcase_folder,
    "vbench2_beta_i2v": write_vbench_i2v_folder,
}
"""{folder of a data set, as its page and a help text name it: what writes it}"""

_ENCODER = "h264:crf=10"
_ACTIONS = ("walk", "run", "jump", "wave", "talk", "turn", "bow")


def prepare(folder: Path, cache: Path) -> Path:
    """Write what the READMEs and the help texts take for granted; return the folder."""
    folder.mkdir(parents=True)
    scenes = [Scene(action=action, seed=at, width=96, height=64, num_frames=8) for at, action in enumerate(_ACTIONS)]
    drawn = [render(scene) for scene in scenes]
    blurred = [degrade("blur", frames, severity=0.5) for frames in drawn]
    with DecoderPool() as pool:
        for name, clips in (("my_clips", drawn), ("A", drawn), ("B", blurred)):
            _write(pool, folder / name, [(f"clip{at}", frames, 24.0) for at, frames in enumerate(clips)])
    anisora(["demo"], cwd=folder, check=True, timeout=900, ANISORA_CACHE=str(cache))
    _write_figure_data(folder)
    with DecoderPool() as pool:
        made = []
        for sample in DemoDataset(str(cache / "demo-v3")):
            assert sample.ground_truth is not None
            frames, info = pool.read_frames(sample.ground_truth)
            made.append((sample.id, degrade("noise", frames, severity=0.1), info.fps))
        _write(pool, folder / "outputs" / "v2", made)
    arguments = ["evaluate", "demo", "--videos", "outputs/v2", "--model", "my-model", "--out", "made/scored"]
    arguments += ["--metrics", "temporal_flickering,sharpness,flow_magnitude,feature_consistency"]  # some: it is rerun
    noisy = ["generate", "demo", "--model", "damage/noise", "--seeds", "0,1", "--limit", "2", "--out", "made/seeds"]
    training = ["train", "supervised", "--model", "anisora-v3:tiny", "--data", "demo", "--steps", "2", "--out"]
    for words in (arguments, noisy, [*training, "made/style", "--set", "lora.rank=4"]):
        anisora([*words, "--db", "off"], cwd=folder, check=True, timeout=600, ANISORA_CACHE=str(cache))
    return folder


def _write_figure_data(folder: Path) -> None:
    """Write ``figures/forest.json``, which a report in the style of papers has."""
    from anisora.harness.suite import load_suite
    from anisora.leaderboards.effects import effect_matrix
    from anisora.leaderboards.report.data import ReportData
    from anisora.leaderboards.report.paper_figures.figure_data import FigureWords
    from anisora.leaderboards.report.paper_figures.figure_file import write_figure
    from anisora.leaderboards.report.paper_figures.forest import Forest, data_of
    from anisora.leaderboards.store import Leaderboard

    with Leaderboard.open(folder / "runs" / "demo" / "leaderboard.duckdb") as board:
        table = board.build_table("demo", load_suite("demo").columns)
        scores = {row.run_id: board.scores(row.run_id) for row in table.rows}
    data = ReportData(
        suite=None,
        table=table,
        matrix=effect_matrix(table, scores),
        breakdowns=(),
        choices=(),
        records={},
        samples={},
        clips={},
        scores=scores,
    )
    made = data_of(data, FigureWords("en"))
    assert isinstance(made, Forest)
    (folder / "figures").mkdir()
    write_figure(folder / "figures" / "forest.json", made)


def add_named_run(folder: Path) -> None:
    """Give a copy of the prepared folder the run and the leaderboard that help texts name."""
    shutil.copytree(only_run(folder / "made" / "scored"), folder / "runs" / NAMED_RUN)
    shutil.copytree(only_run(folder / "made" / "seeds"), folder / "runs" / "demo-seeds-0123456789")
    shutil.copytree(folder / "made" / "style", folder / "runs" / "style")
    shutil.copy(folder / "runs" / "demo" / "leaderboard.duckdb", folder)
    _write_checkpoint(folder)
    _write_gallery(folder)
    _write_tables(folder)
    write_releases(folder / "Index-anisora")
    names = sorted(path.stem for path in (folder / "outputs" / "v2").iterdir())
    _write_pair(folder, f"outputs/v2/{names[0]}.mp4", f"outputs/v2/{names[1]}.mp4")
    ratings = [f"{name},{1 + at % 5}" for at, name in enumerate(names)]
    scores = [f"{name},{0.9 - 0.01 * at}" for at, name in enumerate(names)]
    (folder / "ratings.csv").write_text("\n".join(["sample_id,rating", *ratings]) + "\n", encoding="utf-8")
    lines = ["sample_id,temporal_flickering", *scores]
    (folder / "scores.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    results = {"temporal_flickering": [0.95, [{"video_path": "a.mp4", "video_results": 0.95}]]}
    (folder / "vbench_eval_results.json").write_text(json.dumps(results), encoding="utf-8")


def _write_tables(folder: Path) -> None:
    """Write ``results.md`` and ``paper.tex``, in which there is nothing to flag."""
    from anisora.leaderboards.commands import columns_of_suite, open_leaderboard
    from anisora.leaderboards.published.rendering import render_published
    from anisora.leaderboards.published.tables import published_table
    from anisora.leaderboards.render import render

    table = open_leaderboard(folder / "leaderboard.duckdb").build_table("demo", columns_of_suite("demo", None))
    (folder / "paper.tex").write_text(render(table, "latex"), encoding="utf-8")
    published = render_published(published_table("vbench-i2v-8"), "markdown")
    (folder / "results.md").write_text(published, encoding="utf-8")


def _write_gallery(folder: Path) -> None:
    """Write ``characters/`` and ``gallery.safetensors``, whose embeddings are drawn."""
    from PIL import Image

    from anisora.reward.character.gallery import PREPROCESS, Gallery, save_gallery
    from anisora.reward.character.gallery_listing import crops_of_folders

    for seed, name in enumerate(("Aoi", "Ren")):
        (folder / "characters" / name).mkdir(parents=True)
        frames = render(Scene(action="wave", seed=seed, width=64, height=64, num_frames=2))
        for place, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / "characters" / name / f"{place}.png")
    crops = tuple(crops_of_folders(folder / "characters"))
    drawn = np.random.default_rng(0).standard_normal((len(crops), 256)).astype(np.float32)
    made = Gallery(crops=crops, embeddings=drawn, weights="0" * 64, preprocess=PREPROCESS)
    save_gallery(made, folder / "gallery.safetensors")


def prepare_rated_clips(folder: Path) -> Path:
    """Write what the page on heads takes for granted: ``rated/``, as docs/rated_clips.py writes it, of few scenes."""
    folder.mkdir(parents=True)
    rated_clips().write_rated_clips(folder / "rated", 12, width=96, height=64)
    return folder


def prepare_benchmark(folder: Path) -> Path:
    """Write what the page on the AniSora benchmark takes for granted: its folder, and ``outputs/v2/``."""
    write_anisora_folder(folder / "AniSora-Benchmark")
    shutil.copytree(folder / "AniSora-Benchmark" / "videos", folder / "outputs" / "v2")
    return folder


def prepare_vbench_i2v(folder: Path) -> Path:
    """Write what the page on VBench-I2V takes for granted: its folder, and in ``outputs/v2/`` clips of two prompts."""
    prompts = write_vbench_i2v_folder(folder / "vbench2_beta_i2v")[:2]
    _write_made_clips(folder / "outputs" / "v2", [f"{prompt}-{index}" for prompt in prompts for index in range(5)])
    return folder


def prepare_showcase(folder: Path) -> Path:
    """Write what the page on the showcase takes for granted: ``assets/``, and ``outputs/v2/``."""
    write_showcase_folder(folder / "assets")
    _write_made_clips(folder / "outputs" / "v2", [example.id for example in known_examples().items])
    return folder


def _write_made_clips(folder: Path, names: Sequence[str]) -> None:
    frames = render(Scene(action="walk", seed=0, width=96, height=64, num_frames=6))
    noisy = [degrade("noise", frames, severity=0.1 + 0.01 * place) for place in range(len(names))]
    with DecoderPool() as pool:
        _write(pool, folder, list(zip(names, noisy, [16.0] * len(names), strict=True)))


def prepare_models(folder: Path) -> Path:
    """Write what the page on models takes for granted: ``Index-anisora/`` of tiny networks, ``outputs/vidu-1.5/``."""
    folder.mkdir(parents=True)
    write_releases(folder / "Index-anisora")
    _write_made_clips(folder / "outputs" / "vidu-1.5", ["walk-a", "walk-b"])
    return folder


def prepare_pairs(folder: Path) -> Path:
    """Write what the page on training takes for granted: ``pairs.jsonl`` of two clips."""
    write_clips(folder, count=2, num_frames=16)
    _write_pair(folder, "walk.mp4", "run.mp4")
    return folder


def _write_pair(folder: Path, winner: str, loser: str) -> None:
    pair = {"prompt": "A girl walks.", "winner": winner, "loser": loser, "winner_reward": 82, "loser_reward": 41}
    (folder / "pairs.jsonl").write_text(json.dumps(pair) + "\n", encoding="utf-8")


def prepare_weights(folder: Path) -> Path:
    """Write what the page on weights takes for granted: ``trained.pth``."""
    folder.mkdir(parents=True)
    _write_checkpoint(folder)
    return folder


def _write_checkpoint(folder: Path) -> None:
    """Write ``trained.pth``: tensors under ``model``, beside options that are no tensors."""
    import argparse

    import torch

    checkpoint = {"model": {"layer.weight": torch.ones(2, 3)}, "options": argparse.Namespace(epochs=3)}
    torch.save(checkpoint, folder / "trained.pth")


def prepare_inputs(folder: Path) -> Path:
    """Write what the page on inputs takes for granted; return the folder.

    clips/               smile-01.mkv, wave-02.mkv, bow-03.mkv with first frames (.png) and prompts (.txt) beside them
    suites/my-suite.yaml  imported from clips/
    outputs/v1/, v2/     {id}.mp4; outputs/v2.jsonl: a manifest of v2; outputs/numbered/: 0000.mp4 and so on
    results/             VBench's list of {prompt}-0.mp4
    """
    from PIL import Image

    folder.mkdir(parents=True)
    (folder / "suites").mkdir()
    names = ("bow-03", "smile-01", "wave-02")
    scenes = [
        Scene(action=action, seed=at, width=96, height=64, num_frames=6)
        for at, action in enumerate(("bow", "talk", "wave"))
    ]
    prompts = [prompt_of(scene) for scene in scenes]
    drawn = [render(scene) for scene in scenes]
    noisy = [degrade("noise", frames, severity=0.2) for frames in drawn]
    with DecoderPool() as pool:
        _write(pool, folder / "clips", [(name, frames, 24.0) for name, frames in zip(names, drawn, strict=True)])
        for system, clips in (("v1", drawn), ("v2", noisy)):
            _write(pool, folder / "outputs" / system, list(zip(names, clips, [24.0] * 3, strict=True)))
        numbered = [(f"{at:04d}", frames, 24.0) for at, frames in enumerate(noisy)]
        _write(pool, folder / "outputs" / "numbered", numbered)
        by_prompt = [(f"{prompt}-0", frames, 24.0) for prompt, frames in zip(prompts, noisy, strict=True)]
        _write(pool, folder / "results" / "v2", by_prompt)
    for name, prompt, frames in zip(names, prompts, drawn, strict=True):
        Image.fromarray(frames[0]).save(folder / "clips" / f"{name}.png")
        (folder / "clips" / f"{name}.txt").write_text(prompt, encoding="utf-8")
    import_suite(folder / "clips", "my-suite", folder / "suites")
    rows = [json.dumps({"id": name, "video": f"v2/{name}.mp4"}) for name in names]
    (folder / "outputs" / "v2.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    entries = [
        {"prompt_en": prompt, "dimension": ["temporal_flickering"], "video_list": [f"v2/{prompt}-0.mp4"]}
        for prompt in prompts
    ]
    (folder / "results" / "v2_full_info.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def _write(pool: DecoderPool, folder: Path, clips: Sequence[tuple[str, Frames, float]]) -> None:
    folder.mkdir(parents=True)
    for name, frames, fps in clips:
        pool.encode(np.ascontiguousarray(frames), fps=fps, path=folder / f"{name}.mp4", encoder=_ENCODER)
