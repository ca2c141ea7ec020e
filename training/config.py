"""What a training is asked to do: a YAML file, checked key by key; what it does not say is as the authors trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError

from anisora.harness.errors import ConfigError, nearest
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path
from anisora.training.audit.settings import AuditConfig

__all__ = [
    "GrpoConfig",
    "LoraConfig",
    "OnlineConfig",
    "PreferenceConfig",
    "SamplesConfig",
    "SupervisedConfig",
    "TrainingConfig",
    "read_config",
    "settings_of",
    "template",
]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[StrictInt, Field(ge=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(gt=0, lt=1)]
_OF_THE_AUTHORS: Final = "; that of the model's own training where it is left out"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoraConfig(_Strict):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685)."""

    rank: Count = Field(32, description="Of the update of each matrix.")
    alpha: Positive | None = Field(None, description="The update is multiplied by alpha / rank; the rank by default.")
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("to_q", "to_k", "to_v", "to_out.0"), description="Ends of the names of the layers that are adapted."
    )


class SamplesConfig(_Strict):
    """Clips that show what the weights have become, always of the same prompts, first frames and seeds."""

    every: Count | None = Field(
        None, description="Steps from some to the next; null for those before the first step and after the last alone."
    )
    items: Count = Field(4, description="How many items of the data are shown, from the first.")
    seeds: Count = Field(1, description="Clips of each: with seeds 0, 1, ...")
    steps: Count | None = Field(None, description="Of sampling; the model's own number by default.")
    guidance: Positive | None = Field(None, description="Of the prompt; the model's own by default.")


def _switch(said: object) -> object:
    """Let ``audit: true`` stand for an audit as it is by default."""
    return {} if said is True else None if said is False else said


class TrainingConfig(_Strict):
    """What all ways to train have in common."""

    model: str = Field(
        description="The model to begin with: `anisora-v3`, `anisora-v1:weights=DIR`, `anisora-v3:tiny`."
    )
    out: Path = Field(description="The run folder; the same command goes on in it where it was stopped.")
    steps: Count = Field(description="Updates of the weights.")
    expert: Literal["high", "low"] | None = Field(
        None, description="Which of two networks is trained, for models that have two."
    )
    lora: LoraConfig | None = Field(
        None, description="Adapters to train; all weights are trained where it is left out."
    )
    batch_size: Count = Field(1, description="Samples a step, of all devices together.")
    gradient_accumulation_steps: Count = Field(1, description="Parts into which a device cuts its samples of a step.")
    learning_rate: Positive | None = Field(None, description=f"Of AdamW{_OF_THE_AUTHORS}.")
    warmup_steps: Annotated[StrictInt, Field(ge=0)] = Field(0, description="Over which the learning rate rises.")
    betas: tuple[Chance, Chance] = Field((0.9, 0.95), description="Of AdamW.")
    epsilon: Positive = Field(1e-8, description="Of AdamW.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(1e-4, description="Of AdamW.")
    gradient_clip: Positive | None = Field(None, description=f"Longest gradient{_OF_THE_AUTHORS}.")
    ema_decay: Decay | None = Field(None, description="Of the moving average of the weights that is exported, if any.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Number format of computing; trained weights are kept in float32."
    )
    gradient_checkpointing: bool = Field(True, description="Compute activations again in place of keeping them.")
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] = Field(0, description="Of everything that is drawn.")
    save_every: Count = Field(200, description="Steps from one checkpoint to the next.")
    keep: Count = Field(2, description="Newest checkpoints that are kept.")
    buckets: Annotated[tuple[tuple[Count, Count, Count], ...], Field(min_length=1)] | None = Field(
        None, description="Sizes of clips, [height, width, frames]; the model's own by default."
    )
    fps: Positive | None = Field(None, description="Frames a second of the clips; the model's own by default.")
    skip_frames: Annotated[StrictInt, Field(ge=0)] | None = Field(
        None, description=f"Frames left out at the beginning of each video{_OF_THE_AUTHORS}."
    )
    shift: Positive | None = Field(None, description="Of the levels of noise of Wan's networks; 5 by default.")
    text_dropout: Chance | None = Field(None, description=f"How often the prompt is left out{_OF_THE_AUTHORS}.")
    condition_dropout: Chance | None = Field(None, description=f"How often the images are{_OF_THE_AUTHORS}.")
    samples: SamplesConfig | None = Field(None, description="Clips that are drawn on the way, to be looked at, if any.")
    audit: Annotated[AuditConfig | None, BeforeValidator(_switch)] = Field(
        None, description="Look at these clips for signs of a gamed reward; `audit: true` is an audit by its defaults."
    )


class SupervisedConfig(TrainingConfig):
    """Training on clips."""

    data: str = Field(description="A manifest, a JSON list with `hdfs_path` and `caption`, or a suite.")
    guides: Literal["first", "random"] | None = Field(
        None, description=f"Frames that are given: the first, or random ones{_OF_THE_AUTHORS}."
    )


class OnlineConfig(_Strict):
    """Pairs that the network in training draws: of each group, the best clip and the worst."""

    data: str = Field(description="Prompts with a first image: a manifest, a suite, or a JSON list of videos.")
    reward: str | dict[str, str] = Field(description="What tells better from worse; several are {name: reward}.")
    weights: dict[str, float] | None = Field(None, description="{name: weight} of several rewards; 1 by default.")
    constants: Path | None = Field(None, description="A file of anisora reward constants, to normalise by.")
    invalid: Literal["skip", "stop"] = Field("skip", description="Whether clips without a reward are left out.")
    group_size: Annotated[StrictInt, Field(ge=2)] = Field(4, description="Clips of one prompt.")
    every: Count = Field(1, description="Steps that train on the pairs of one drawing.")
    steps: Count | None = Field(None, description="Of sampling; the model's own number by default.")
    guidance: Positive | None = Field(None, description="Of the prompt; the model's own by default.")
    low: float = Field(0.0, description="The reward that is a score of 0, for gapo.")
    high: float = Field(1.0, description="The reward that is the highest score, for gapo.")


class PreferenceConfig(TrainingConfig):
    """Training on pairs of a better clip and a worse one."""

    pairs: Path | None = Field(
        None, description="JSON lines of seeds or of files, or a JSON list with `vae_path`, `w_score` and `l_score`."
    )
    online: OnlineConfig | None = Field(None, description="In place of `pairs`: draw them from the network.")
    run: Path | None = Field(None, description="The run folder that has the clips of seeds.")
    loss: Literal["gapo", "dpo"] = Field("gapo", description="With the gap of the scores as a factor, or without.")
    beta: Positive | None = Field(None, description="How near the reference stays; 5000 for gapo and 100 for dpo.")
    gap_base: Annotated[float, Field(gt=1)] = Field(2.0, description="Of gapo's factor.")
    score_scale: Positive = Field(100.0, description="The highest score.")
    guide_noise: bool | None = Field(
        None, description="Whether noise is added to the first frame; for models on CogVideoX by default."
    )


class GrpoConfig(TrainingConfig):
    """Training by rewards of clips that the network draws (GRPO), for networks of flow matching."""

    data: str = Field(description="Prompts with a first image: a manifest, a suite, or a JSON list of videos.")
    reward: str | dict[str, str] = Field(
        description="What is maximised: a reward such as metric_reward:sharpness=1, or {name: reward} of several."
    )
    weights: dict[str, float] | None = Field(None, description="{name: weight} of several rewards; 1 by default.")
    constants: Path | None = Field(
        None, description="By which dimensions are normalised: a file of anisora reward constants."
    )
    invalid: Literal["skip", "stop"] | float = Field(
        "skip", description="What clips without a reward get: no advantage, an end of the training, or this reward."
    )
    mixing: Literal["total", "dimensions"] = Field(
        "total", description="Advantages of the total, or the weighted sum of those of each dimension for itself."
    )
    batch_size: Count = Field(8, description="Clips drawn at a time, of all devices together: whole groups.")
    group_size: Annotated[StrictInt, Field(ge=2)] = Field(8, description="Clips of one prompt, which are compared.")
    sampler: Literal["flow_grpo", "dance_grpo"] = Field("flow_grpo", description="Whose steps with noise are taken.")
    sampling_steps: Annotated[StrictInt, Field(ge=2)] = Field(10, description="Of sampling.")
    noise_level: Positive | None = Field(None, description="Of these steps; 0.7 for flow_grpo, 0.3 for dance_grpo.")
    timestep_fraction: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Of sampling steps that are trained: the first 0.99 of flow_grpo, any 0.6 of dance_grpo."
    )
    noise_everywhere: bool = Field(True, description="Whether steps that are not trained have noise as well.")
    same_noise: bool | None = Field(
        None, description="Whether the clips of a group begin from one noise; those of dance_grpo do by default."
    )
    shift: Positive | None = Field(None, description="Of the levels of noise of sampling; the model's own by default.")
    guidance: Positive | None = Field(None, description="Of the prompt, in sampling and training; the model's own.")
    clip_range: Annotated[float, Field(gt=0, lt=1)] = Field(1e-4, description="How far ratios count: 1 - c to 1 + c.")
    advantage_limit: Positive = Field(5.0, description="Where advantages are cut.")
    kl_weight: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Of the penalty for leaving the first network; 0.04 for flow_grpo, 0 for dance_grpo."
    )
    kl_logged: bool = Field(True, description="Whether that distance is measured where its weight is 0, too.")
    updates_per_sampling: Count = Field(1, description="Steps that train on the same clips.")
    trajectories: Literal["cpu", "device"] = Field("cpu", description="Where states wait for their training.")
    samples: SamplesConfig | None = Field(
        SamplesConfig.model_validate({"every": 50}),
        description="Clips that are drawn on the way to look at, if any.",
    )


Config = TypeVar("Config", bound=TrainingConfig)
_PATHS: Final = ("out", "pairs", "run", "constants")


def read_config(kind: type[Config], path: Path | None, given: Mapping[str, Any]) -> Config:
    """Read a configuration.

    Args:
        kind: The way to train.
        path: A YAML file; its relative paths are relative to its folder. None for what is given alone.
        given: {field: value} in place of the file's, with ``lora.rank`` for a field of a part; relative paths are
            relative to the working folder.

    Raises:
        DataError: The file does not exist or cannot be read.
        ConfigError: It says something that cannot be; the message has the field and the nearest known one.
    """
    said = {} if path is None else _from_folder(_read_yaml(path), path.parent)
    for name, value in given.items():
        if value is True and isinstance(said.get(name), dict):
            continue  # switched on, and more is said of it
        part, dot, inner = name.partition(".")
        if dot:
            below = said.get(part)
            value, name = {**(below if isinstance(below, dict) else {}), inner: value}, part
        said[name] = value
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        where = "The configuration" if path is None else f"`{path}`"
        raise ConfigError(f"{where}: {_one_line(error, kind)}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path_exists(path) or not path.is_file():
        raise missing_path(path, 'a configuration, as "anisora train template" prints it')
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable_path(path, error) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(
            f"`{path}` is not YAML ({reason}); expected `field: value` lines; correct the file."
        ) from None
    if not isinstance(said, dict):
        raise ConfigError(f"`{path}` got {shortened(said)}; expected `field: value` lines; correct the file.")
    return {str(name): value for name, value in said.items()}


def _from_folder(said: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a file says, its relative paths as they are from here."""
    found: dict[str, Any] = {
        name: str(folder / value) for name, value in said.items() if name in _PATHS and isinstance(value, str)
    }
    if isinstance(online := said.get("online"), dict):
        found["online"] = _from_folder(online, folder)
    data = said.get("data")
    if isinstance(data, str) and (folder / data).is_file():  # else it is the name of a suite
        found["data"] = str(folder / data)
    return {**said, **found}


def _one_line(error: ValidationError, kind: type[BaseModel]) -> str:
    errors = error.errors(include_url=False)
    # A misspelt key is two mistakes, one that is missing and one that is too much: the second one tells more.
    first = next((entry for entry in errors if entry["type"] == "extra_forbidden"), errors[0])
    parts = [str(part) for part in first["loc"]]
    place = ".".join(parts)
    inner = _part(kind, parts[0])
    known = list((inner if inner is not None and len(parts) > 1 else kind).model_fields)
    if first["type"] == "extra_forbidden":
        guess = nearest(parts[-1], known)
        hint = f"did you mean {guess!r}?" if guess else f"expected some of {', '.join(known)}."
        return f"`{place}` is not a field of this training; {hint}"
    if first["type"] == "missing":
        return f"`{place}` is missing; {_described(kind, place)} Add it."
    message = first["msg"].removeprefix("Value error, ")
    return f"`{place}` got {shortened(first['input'])}; {message[0].lower()}{message[1:]}; correct it."


def _part(kind: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return what a field with fields of its own is made of; None for others."""
    field = kind.model_fields.get(name)
    choices = () if field is None else (field.annotation, *get_args(field.annotation))
    return next((each for each in choices if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _described(kind: type[BaseModel], name: str) -> str:
    field = kind.model_fields.get(name)
    return "" if field is None or field.description is None else field.description


def template(kind: type[TrainingConfig]) -> str:
    """Return a configuration as text: each field with what it means, and commented out where it has a default.

    Args:
        kind: The way to train.
    """
    lines: list[str] = []
    for name, field in kind.model_fields.items():
        lines += [f"# {field.description}"]
        if field.is_required():
            lines += [f"{name}: {_EXAMPLES[name]}", ""]
        elif (part := _part(kind, name)) is not None:
            lines += [f"# {name}:"]
            for key, each in part.model_fields.items():
                own = each.get_default(call_default_factory=True)
                default = own if field.default is None else getattr(field.default, key)
                value = _EXAMPLES[key] if each.is_required() else _plain(default)
                lines += [f"#   {key}: {value}  # {each.description}"]
            lines += [""]
        else:
            lines += [f"# {name}: {_plain(field.default)}", ""]
    return "\n".join(lines)


_EXAMPLES: Final = {
    "model": "anisora-v3",
    "out": "runs/training",
    "steps": "1000",
    "data": "clips.jsonl",
    "pairs": "pairs.jsonl",
    "reward": "metric_reward:sharpness=1",
}


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def settings_of(config: TrainingConfig) -> dict[str, Any]:
    """Return a configuration as plain JSON, for records and comparisons."""
    plain: dict[str, Any] = config.model_dump(mode="json")
    return plain
