from pathlib import Path
from typing import Any

import pytest
import yaml

from anisora.harness.errors import ConfigError, DataError
from anisora.training.audit.settings import AuditConfig
from anisora.training.audited_samples import audited_samples
from anisora.training.config import (
    GrpoConfig,
    PreferenceConfig,
    SamplesConfig,
    SupervisedConfig,
    read_config,
    settings_of,
    template,
)

NEEDED: dict[str, Any] = {"model": "anisora-v3:tiny", "data": "demo", "out": "run", "steps": 3}


def written(folder: Path, **said: Any) -> Path:
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump({**NEEDED, **said}), encoding="utf-8")
    return path


def test_what_is_given_goes_before_the_file_whose_paths_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "clips.jsonl").touch()
    path = written(tmp_path, data="clips.jsonl", learning_rate="1e-4", lora={"rank": 4})
    config = read_config(SupervisedConfig, path, {"steps": 5, "lora.alpha": 8})
    assert (config.steps, config.learning_rate, config.seed) == (5, 1e-4, 0)
    assert config.lora is not None
    assert (config.lora.rank, config.lora.alpha) == (4, 8.0)
    assert config.data == str(tmp_path / "clips.jsonl")
    assert config.out == tmp_path / "run"
    assert read_config(SupervisedConfig, path, {"out": "elsewhere"}).out == Path("elsewhere")


def test_the_name_of_a_suite_stays_one(tmp_path: Path) -> None:
    assert read_config(SupervisedConfig, written(tmp_path), {}).data == "demo"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"learning_rat": 1e-4}, r"train.yaml`: `learning_rat` is not a field .* did you mean 'learning_rate'\?"),
        ({"lora": {"rnk": 4}}, r"`lora.rnk` is not a field .* did you mean 'rank'\?"),
        ({"samples": {"evry": 4}}, r"`samples.evry` is not a field .* did you mean 'every'\?"),
        ({"samples": {"items": 0}}, r"`samples.items` got 0; "),
        ({"zzz": 1}, r"`zzz` is not a field of this training; expected some of model, out, steps"),
        ({"steps": 0}, r"`steps` got 0; input should be greater than or equal to 1"),
        ({"steps": 2.5}, r"`steps` got 2.5; "),
        ({"text_dropout": 1.5}, r"`text_dropout` got 1.5; "),
        ({"dtype": "float64"}, r"`dtype` got 'float64'; "),
        ({"buckets": [[32, 48]]}, r"`buckets.0.2` is missing"),
        ({"betas": [0.9]}, r"`betas.1` is missing"),
        ({"learning_rate": float("nan")}, r"`learning_rate` got nan; "),
    ],
)
def test_a_field_that_cannot_be_is_named(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(SupervisedConfig, written(tmp_path, **said), {})


def test_a_field_that_is_missing_is_named_with_what_it_means() -> None:
    with pytest.raises(ConfigError, match=r"`data` is missing; A manifest, a JSON list .* Add it\."):
        read_config(SupervisedConfig, None, {"model": "anisora-v3", "out": "run", "steps": 1})
    with pytest.raises(ConfigError, match=r"`online.reward` is missing"):
        read_config(PreferenceConfig, None, {"model": "anisora-v3", "out": "run", "steps": 1, "online.data": "demo"})


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean `.*train\.yaml`\?"):
        read_config(SupervisedConfig, written(tmp_path).with_name("trian.yaml"), {})
    for text in ("- a\n", "a: [\n", "\x00"):
        (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"train\.yaml`"):
            read_config(SupervisedConfig, tmp_path / "train.yaml", {})


@pytest.mark.parametrize("kind", [SupervisedConfig, PreferenceConfig, GrpoConfig])
def test_the_template_is_a_configuration_that_names_every_field(tmp_path: Path, kind: Any) -> None:
    text = template(kind)
    (tmp_path / "train.yaml").write_text(text, encoding="utf-8")
    config = read_config(kind, tmp_path / "train.yaml", {})
    assert [name for name in kind.model_fields if f"{name}:" not in text] == []
    bare = "".join(line.removeprefix("# ") for line in text.splitlines(keepends=True) if ": " in line and "# " in line)
    assert "lora.rank" not in bare
    again = settings_of(config)
    assert again["betas"] == [0.9, 0.95]
    assert again["lora"] is None


def test_commented_fields_of_the_template_are_the_defaults(tmp_path: Path) -> None:
    lines = template(SupervisedConfig).splitlines()
    shown = [line.removeprefix("# ") for line in lines if line.startswith("# ") and line[2:].split(":")[0].islower()]
    fields = [line for line in shown if line.split(":")[0] in SupervisedConfig.model_fields and line != "lora:"]
    needed = [line for line in lines if line and not line.startswith("#")]
    (tmp_path / "train.yaml").write_text("\n".join([*needed, *fields]), encoding="utf-8")
    read = read_config(SupervisedConfig, tmp_path / "train.yaml", {})
    (tmp_path / "train.yaml").write_text("\n".join(needed), encoding="utf-8")
    assert read == read_config(SupervisedConfig, tmp_path / "train.yaml", {})
    assert len(fields) > 15


def test_an_audit_is_switched_on_by_one_word_and_more_may_be_said_of_it(tmp_path: Path) -> None:
    path = written(tmp_path, audit=True)
    assert read_config(SupervisedConfig, path, {}).audit == AuditConfig()
    assert read_config(SupervisedConfig, path, {"audit.stop": True}).audit == AuditConfig(stop=True)
    assert read_config(SupervisedConfig, path, {"audit.patience": 3, "audit": True}).audit == AuditConfig(patience=3)
    assert read_config(SupervisedConfig, path, {"audit": False}).audit is None
    with pytest.raises(ConfigError, match=r"`audit.stp` is not a field .* did you mean 'stop'"):
        read_config(SupervisedConfig, path, {"audit.stp": True})


def test_an_audit_has_enough_sample_clips_where_nothing_else_is_said(tmp_path: Path) -> None:
    def samples(kind: Any, **said: Any) -> Any:
        own = {"reward": "metric_reward:sharpness=1"} if kind is GrpoConfig else {}
        return audited_samples(read_config(kind, written(tmp_path, audit=True, **own, **said), {}))

    assert samples(SupervisedConfig) == SamplesConfig(every=200, items=12, seeds=2, steps=None)
    assert samples(GrpoConfig) == SamplesConfig(every=50, items=12, seeds=2, steps=None)
    said = {"every": 7, "seeds": 1, "steps": 4}
    assert samples(GrpoConfig, samples=said) == SamplesConfig(items=12, **said)
    assert samples(SupervisedConfig, samples={"every": None}).every is None
    assert audited_samples(read_config(SupervisedConfig, written(tmp_path), {})) is None
    for some, message in (({"items": 5}, r"`samples\.items` got 5 with `audit`"), (None, "`samples` got null")):
        with pytest.raises(ConfigError, match=message):
            samples(SupervisedConfig, samples=some)


def test_several_rewards_are_named_and_paths_are_of_the_folder(tmp_path: Path) -> None:
    rewards = {"sharp": "metric_reward:sharpness=1", "calm": "metric_reward:temporal_flickering"}
    path = written(tmp_path, reward=rewards, weights={"calm": 0.5}, constants="constants.json", invalid=-1)
    config = read_config(GrpoConfig, path, {"samples.items": 2})
    assert config.reward == rewards
    assert config.constants == tmp_path / "constants.json"
    assert config.invalid == -1
    assert config.samples == SamplesConfig(every=None, items=2, seeds=1, steps=None)
    assert settings_of(read_config(GrpoConfig, written(tmp_path, reward="anime-reward"), {}))["samples"]["every"] == 50
    for said, message in (
        ({"invalid": "drop"}, "`invalid.*` got 'drop'"),
        ({"group_size": 1}, "`group_size` got 1"),
        ({"sampler": "ppo"}, "`sampler` got 'ppo'"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_config(GrpoConfig, written(tmp_path, reward="anime-reward", **said), {})
