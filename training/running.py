"""A training from its configuration to the exported model: what all ways to train do before and after the loop."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from anisora.harness.device import Dtype, exact_float32, seed_everything
from anisora.harness.errors import ConfigError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.progress import announce, progress
from anisora.harness.protocols import TrainingLogger
from anisora.harness.runfolder import write_atomically
from anisora.harness.training_folder import CONFIG, MAY_DIFFER
from anisora.harness.weights import cache_folder
from anisora.training.accelerating import accelerator_of_process, dtype_of
from anisora.training.adaptation import adapt, trained_parameters
from anisora.training.audit_watch import AUDIT_FILES
from anisora.training.audited_samples import audited_samples
from anisora.training.buckets import Bucket
from anisora.training.config import GrpoConfig, PreferenceConfig, TrainingConfig, settings_of
from anisora.training.encodings import Encodings
from anisora.training.export import MODEL, export_model
from anisora.training.families.family import Family
from anisora.training.families.opening import check_flow_matching, open_family, trainable_model
from anisora.training.live_logging import live_logging
from anisora.training.loop import Method, Rates, Watcher, share_of, train_loop
from anisora.training.losses.preference import FLOW_DPO_BETA, GAPO_BETA
from anisora.training.posed_items import FIRST_FRAMES
from anisora.training.run_record import record_training
from anisora.training.sample_clips import SAMPLES
from anisora.training.surroundings import Surroundings
from anisora.training.watching import watching

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["run_training"]

Config = TypeVar("Config", bound=TrainingConfig)


def run_training(
    asked: Config,
    make: "Callable[[Surroundings[Config]], Method]",
    *,
    cache: Path | None = None,
    fresh: bool = False,
    quiet: bool = True,
    loggers: Sequence[TrainingLogger] = (),
) -> Path:
    """Train as asked, from the newest checkpoint of the run folder on; return the folder of the trained model.

    Args:
        asked: What to do.
        make: Makes the way to train, and encodes what it needs.
        cache: Where encoded clips are kept; the cache's folder by default.
        fresh: Begin again in a folder that has checkpoints.
        quiet: Say nothing.
        loggers: Are told of it, by the first process.

    Raises:
        ConfigError: The configuration does not fit the model, or the run folder is of another one.
        WeightsMissing: Parts of the model are absent.
        DataError: There is nothing to train on.
        RecordError: A checkpoint is damaged, the cache cannot be written, or a logger did not take what is done.
        TrainingStopped: The audit ended it before the last step.
    """
    _, model = trainable_model(asked.model, asked.expert)
    if isinstance(asked, GrpoConfig):
        check_flow_matching(asked.model, model)
    accelerator, device = accelerator_of_process()
    is_shown = accelerator.is_main_process and not quiet
    dtype = dtype_of(asked.dtype, device)
    exact_float32()
    family = open_family(
        asked.model,
        expert=asked.expert,
        shift=asked.shift,
        device=device,
        dtype=dtype,
        is_full=asked.lora is None,
    )
    config = _resolved(asked, family)
    share = share_of(config, accelerator.process_index, accelerator.num_processes)
    buckets = tuple(Bucket(*each) for each in config.buckets or ())
    if accelerator.is_main_process:
        _claim(config, fresh=fresh)
        record_training(
            config,
            family,
            model.weights(),
            processes=accelerator.num_processes,
            device=str(accelerator.device),
            fresh=fresh,
        )
    accelerator.wait_for_everyone()
    with DecoderPool() as reader:
        assert config.fps is not None
        assert config.skip_frames is not None
        folder = cache_folder() / "training" if cache is None else cache
        encodings = Encodings(family, folder, reader, fps=config.fps, skipped=config.skip_frames)
        given = Surroundings(
            config=config,
            family=family,
            encodings=encodings,
            reader=reader,
            share=share,
            buckets=buckets,
            device=accelerator.device,
            is_bfloat16=dtype == "bfloat16",
            wait_for_everyone=accelerator.wait_for_everyone,
            gather=lambda rows: accelerator.gather(rows.to(accelerator.device)),
            any_of=lambda said: _any_of(accelerator, said=said),
            is_shown=is_shown,
        )
        method = make(given)
        family.forget_text()
        try:
            with (
                watching(given, method) as watchers,
                live_logging(config.out, loggers if accelerator.is_main_process else ()) as logged,
            ):
                return _train(config, family, method, accelerator, dtype, watchers, is_shown=is_shown, logged=logged)
        finally:
            method.close()


def _train(
    config: TrainingConfig,
    family: Family,
    method: Method,
    accelerator: "Accelerator",
    dtype: Dtype,
    watchers: Sequence[Watcher],
    *,
    is_shown: bool,
    logged: Callable[[], None],
) -> Path:
    from anisora.training.velocity_network import VelocityNetwork

    seed_everything(config.seed)
    adapt(family.network, config.lora)
    if config.gradient_checkpointing:
        family.network.enable_gradient_checkpointing()
    network = VelocityNetwork(family, is_bfloat16=dtype == "bfloat16").to(accelerator.device)
    network.train()
    if is_shown:
        trained = sum(each.numel() for each in trained_parameters(family.network).values())
        announce(
            f"Training {trained:,} weights of {family.name} on {accelerator.num_processes} x {accelerator.device}."
        )
    assert config.learning_rate is not None
    assert config.gradient_clip is not None
    rates = Rates(config.learning_rate, config.gradient_clip)
    with progress("train", config.steps, shown=is_shown, unit="steps") as advance:

        def told() -> None:
            advance()
            logged()

        average = train_loop(config, method, network, accelerator, rates, told=told, watchers=watchers)
    if accelerator.is_main_process:
        card = {
            "base": config.model,
            "untrained": family.is_untrained,
            "licence": family.released.licence,
            "configuration": settings_of(config),
        }
        with _averaged(average):
            export_model(family, config.lora, config.out, card)
    accelerator.wait_for_everyone()
    return config.out / MODEL


@contextmanager
def _averaged(average: Any) -> Iterator[None]:  # noqa: ANN401 - a MovingAverage or None
    if average is None:
        yield
        return
    with average.in_place():
        yield


def _any_of(accelerator: "Accelerator", *, said: bool) -> bool:
    import torch

    return bool(accelerator.gather(torch.tensor([said], device=accelerator.device)).any())


def _resolved(config: Config, family: Family) -> Config:
    """Return a configuration without open ends.

    Raises:
        ConfigError: A size is none of the model's, or an audit cannot judge by the sample clips.
    """
    recipe = family.recipe
    defaults = {
        "learning_rate": recipe.learning_rate,
        "gradient_clip": recipe.gradient_clip,
        "text_dropout": recipe.text_dropout,
        "condition_dropout": recipe.condition_dropout,
        # Made clips begin at once, and so does what is to be made.
        "skip_frames": 0 if isinstance(config, PreferenceConfig | GrpoConfig) else recipe.skip_frames,
        "guides": recipe.guides,
        "guide_noise": recipe.guide_noise,
        "beta": FLOW_DPO_BETA if isinstance(config, PreferenceConfig) and config.loss == "dpo" else GAPO_BETA,
        "fps": family.released.fps,
        "buckets": (family.default_bucket(),),
    }
    open_ends = {
        name: value
        for name, value in defaults.items()
        if name in type(config).model_fields and getattr(config, name) is None
    }
    found = config.model_copy(update={**open_ends, "samples": audited_samples(config)})
    for bucket in found.buckets or ():
        family.check_bucket(bucket)
    return found


def _claim(config: TrainingConfig, *, fresh: bool) -> None:
    """Write the configuration into the run folder, unless it is there already.

    Raises:
        ConfigError: Another one is there, or something that is no run.
    """
    import shutil

    path = config.out / CONFIG
    said = settings_of(config)
    if config.out.exists() and not config.out.is_dir():
        raise ConfigError(f"`out` got `{config.out}`, which is a file; expected a folder. Choose another one.")
    if path.is_file():
        if fresh:
            for name in ("checkpoints", MODEL, SAMPLES, FIRST_FRAMES):
                shutil.rmtree(config.out / name, ignore_errors=True)
            for name in AUDIT_FILES:
                (config.out / name).unlink(missing_ok=True)
        else:
            before = yaml.safe_load(path.read_text(encoding="utf-8"))
            other = sorted(
                name
                for name in said.keys() | before.keys()
                if name not in MAY_DIFFER and said.get(name) != before.get(name)
            )
            if other:
                name = other[0]
                raise ConfigError(
                    f"`{config.out}` was begun with `{name}` {before.get(name)!r}, and now it is {said.get(name)!r}; "
                    "expected the same. Choose another `out`, or begin again with --fresh."
                )
    elif config.out.is_dir() and any(config.out.iterdir()):
        raise ConfigError(
            f"`out` got `{config.out}`, which has files but no {CONFIG}; expected a run folder or a new one. Choose "
            "another one."
        )
    with write_atomically(path, "checkpoint") as file:
        file.write(yaml.safe_dump(said, allow_unicode=True, sort_keys=False).encode())
