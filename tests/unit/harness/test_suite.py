import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from anisora.harness.errors import AnisoraError, ConfigError, DataError, UnknownNameError
from anisora.harness.protocols import GenerationSettings
from anisora.harness.registry import registry
from anisora.harness.suite import (
    Suite,
    describe,
    load_samples,
    load_suite,
    samples_fingerprint,
    validate_suite,
)
from anisora.harness.types import Clip, Condition, Image, Sample

SUITE = {
    "name": "mine-2",
    "version": 3,
    "title": "Mine",
    "dataset": "manifest:path=items.jsonl",
    "columns": [{"metric": "psnr", "header": "PSNR", "scale": 1, "decimals": 2}],
}

ITEMS = """\
{"id": "b", "label": "talk", "prompt": "b"}
{"id": "a", "label": "walk", "image": "a.png"}
{"id": "c", "label": "talk", "ground_truth": "c.mp4"}
{"id": "d"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a manifest of four items and the files that it names."""
    (tmp_path / "items.jsonl").write_text(ITEMS)
    (tmp_path / "a.png").write_bytes(b"image")
    (tmp_path / "c.mp4").write_bytes(b"video")
    return tmp_path


def written(folder: Path, content: object, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True))
    return str(path)


def test_a_suite_file_is_read_with_its_defaults(folder):
    suite = load_suite(written(folder, SUITE))
    assert (suite.name, suite.version, suite.key, suite.metrics) == ("mine-2", 3, "mine-2@3", ("psnr",))
    assert (suite.seeds, suite.cluster, suite.reference, suite.systems) == ((0,), "label", "ground-truth", ())
    assert suite.settings == GenerationSettings()


def test_generation_settings_become_what_models_take(folder):
    suite = load_suite(written(folder, {**SUITE, "generation": {"height": 480, "fps": 16.0, "guidance": 5}}))
    assert suite.settings == GenerationSettings(height=480, fps=16.0, guidance=5)


def test_paths_of_the_dataset_are_relative_to_the_suite_file_whatever_its_folder_is_called(folder, monkeypatch):
    deep = folder / "a,b=c"
    deep.mkdir()
    for name in ("items.jsonl", "a.png", "c.mp4"):
        (folder / name).rename(deep / name)
    suite = load_suite(written(deep, SUITE))
    monkeypatch.chdir("/")
    assert [sample.id for sample in load_samples(suite)] == ["b", "a", "c", "d"]


def _without(key: str) -> dict:
    return {name: value for name, value in SUITE.items() if name != key}


WRONG = {
    "key": (
        {**SUITE, "columnz": []},
        r"mine\.yaml`: `columnz` is not a key of a suite; did you mean 'columns'\?",
    ),
    "misspelt key": (
        {**{key: value for key, value in SUITE.items() if key != "columns"}, "columnz": SUITE["columns"]},
        r"`columnz` is not a key of a suite; did you mean 'columns'",
    ),
    "number as key": ({**SUITE, 1: 2}, r"mine\.yaml`: .*; correct the file"),
    "columns as a mapping": (
        {**SUITE, "columns": {"metric": "psnr"}},
        r"`columns` got \{'metric': 'psnr'\}; input should be a valid list",
    ),
    "strange key": ({**SUITE, "zzz": 1}, r"`zzz` is not a key of a suite; expected some of name, version"),
    "column key": (
        {**SUITE, "columns": [{"metric": "psnr", "header": "P", "decimal": 2}]},
        r"`columns\.0\.decimal` is not a key of a column; did you mean 'decimals'\?",
    ),
    "no name": (_without("name"), r"`name` is missing; expected it as a key of a suite"),
    "no columns": (_without("columns"), r"`columns` is missing"),
    "empty columns": ({**SUITE, "columns": []}, r"`columns` got \[\]; list should have at least 1 item"),
    "capital name": (
        {**SUITE, "name": "Mine"},
        r"`name` got 'Mine'; expected small letters, digits and hyphens",
    ),
    "name of a command": (
        {**SUITE, "name": "bundle"},
        r"`name` got 'bundle'; expected .* none of add, bundle, custom",
    ),
    "custom": ({**SUITE, "name": "custom"}, r"`name` got 'custom'; expected small letters"),
    "version text": ({**SUITE, "version": "1"}, r"`version` got '1'; input should be a valid integer"),
    "version zero": ({**SUITE, "version": 0}, r"`version` got 0; input should be greater than or equal to 1"),
    "seed negative": ({**SUITE, "seeds": [0, -1]}, r"`seeds\.1` got -1; input should be greater"),
    "seed true": ({**SUITE, "seeds": [True]}, r"`seeds\.0` got True; input should be a valid integer"),
    "no seeds": ({**SUITE, "seeds": []}, r"`seeds` got \[\]; list should have at least 1 item"),
    "seeds twice": ({**SUITE, "seeds": [1, 1]}, r"`seeds` has 1 twice; expected each once"),
    "metric twice": (
        {**SUITE, "columns": [{"metric": "psnr", "header": "A"}, {"metric": "psnr", "header": "B"}]},
        r"`columns\.metric` has 'psnr' twice",
    ),
    "header twice": (
        {**SUITE, "columns": [{"metric": "psnr", "header": "A"}, {"metric": "ssim", "header": "A"}]},
        r"`columns\.header` has 'A' twice",
    ),
    "blank header": (
        {**SUITE, "columns": [{"metric": "psnr", "header": " "}]},
        r"`columns\.0\.header` got ' '; expected",
    ),
    "scale zero": (
        {**SUITE, "columns": [{"metric": "p", "header": "P", "scale": 0}]},
        r"scale` got 0; expected a number",
    ),
    "cluster": ({**SUITE, "cluster": "film"}, r"`cluster` got 'film'; input should be 'label' or 'item'"),
    "dataset text": (
        {**SUITE, "dataset": "manifest:path="},
        r"`dataset` got 'manifest:path='; specification",
    ),
    "system text": ({**SUITE, "systems": [":x"]}, r"`systems` got \[':x'\]; specification ':x' has no name"),
    "setting": (
        {**SUITE, "generation": {"heigth": 480}},
        r"`generation` got .*'heigth' is not a setting; did you mean 'height'",
    ),
    "setting text": ({**SUITE, "generation": {"height": "tall"}}, r"`height` got 'tall'; expected a number"),
    "setting half": (
        {**SUITE, "generation": {"steps": 1.5}},
        r"`steps` got 1\.5; expected a whole number above 0",
    ),
    "list": ([1], r"mine\.yaml` got \[1\]; expected the keys name, version"),
    "empty": ("", r"mine\.yaml` got None; expected the keys"),
    "not YAML": ("name: [", r"mine\.yaml` line 1: is not YAML of a suite"),
    "Python object": (
        "name: !!python/object/apply:os.system [ls]",
        r"line 1: is not YAML of a suite \(could not determine",
    ),
    "alias": ("a: &x [1]\nb: *x", r"line 2: is not YAML of a suite \(aliases are not accepted\)"),
    "key twice": ("name: a\nname: b", r"is not YAML of a suite \(key 'name' twice\)"),
    "control characters": ("name: \x00", r"is not YAML of a suite"),
    "impossible date": ("name: 2024-99-99", r"is not YAML of a suite"),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_suite_file_is_named_in_one_line(folder, content, message):
    path = written(folder, content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_suite(path)
    assert "\n" not in str(caught.value)


def test_a_missing_suite_file_is_answered_with_the_nearest_one(folder):
    written(folder, SUITE)
    with pytest.raises(DataError, match=r"mien\.yaml` does not exist; .*did you mean `.*/mine\.yaml`\?"):
        load_suite(str(folder / "mien.yaml"))


def test_a_path_that_is_no_file_or_too_long_is_named(folder):
    with pytest.raises(DataError, match=r"is a folder; expected the YAML file of a suite"):
        load_suite(f"{folder}/")
    with pytest.raises(DataError, match=r"cannot be read: File name too long"):
        load_suite("a/" * 3000 + "b.yaml")


def test_a_suite_file_beyond_the_size_limit_is_not_read(folder):
    with pytest.raises(DataError, match=r"has \d+ bytes; expected a suite of at most"):
        load_suite(written(folder, "# " + "x" * (1 << 20)))


def test_an_unknown_suite_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match=r"Suite 'dmeo' is not known\. Did you mean 'demo'\?"):
        load_suite("dmeo")


def test_every_registered_suite_loads_and_names_only_what_is_registered():
    names = registry("suites").names()
    assert "demo" in names
    for name in names:
        suite = load_suite(name)
        assert suite.name == name
        validate_suite(suite)


def test_loading_a_suite_imports_nothing_heavy():
    code = (
        "import sys; from anisora.harness.suite import load_suite; load_suite('demo');"
        "print(sorted({'torch', 'pandas', 'pyarrow', 'cv2', 'av', 'duckdb', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"columns": [{"metric": "psnrr", "header": "P"}]},
            r"Metric 'psnrr' is not known\. Did you mean 'psnr'\?",
        ),
        ({"dataset": "manfest:path=x"}, r"Dataset 'manfest' is not known\. Did you mean 'manifest'\?"),
        (
            {"systems": ["damage/freez:severity=1"]},
            r"Model 'damage/freez' is not known\. Did you mean 'damage/freeze'\?",
        ),
        (
            {"reference": "ground-thruth"},
            r"Model 'ground-thruth' is not known\. Did you mean 'ground-truth'\?",
        ),
    ],
)
def test_names_that_are_not_registered_are_found_by_validation(folder, change, message):
    suite = load_suite(written(folder, {**SUITE, **change}))
    with pytest.raises(UnknownNameError, match=message):
        validate_suite(suite)


def test_labels_are_chosen_before_the_limit_counts(folder):
    suite = load_suite(written(folder, SUITE))
    assert [sample.id for sample in load_samples(suite, limit=2)] == ["b", "a"]
    assert [sample.id for sample in load_samples(suite, labels=["talk"])] == ["b", "c"]
    assert [sample.id for sample in load_samples(suite, labels=["talk"], limit=1)] == ["b"]
    assert len(load_samples(suite, limit=99)) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"limit": 0}, ConfigError, r"`--limit` got 0; expected a whole number above 0"),
        ({"limit": -3}, ConfigError, r"`--limit` got -3; expected"),
        ({"labels": []}, ConfigError, r"`--labels` got \[\]; expected at least one label"),
        (
            {"labels": ["tlak"]},
            UnknownNameError,
            r"Label 'tlak' is not known\. Did you mean 'talk'\? .*: talk, walk\.",
        ),
    ],
)
def test_a_wrong_selection_is_named(folder, arguments, error, message):
    suite = load_suite(written(folder, SUITE))
    with pytest.raises(error, match=message):
        load_samples(suite, **arguments)


def test_a_dataset_argument_that_does_not_exist_is_named(folder):
    suite = load_suite(written(folder, {**SUITE, "dataset": "manifest:file=items.jsonl"}))
    with pytest.raises(ConfigError, match=r"Dataset 'manifest' has no argument 'file'; it takes: path"):
        load_samples(suite)


class TwoOfOneId:
    """A dataset as a third party may write it, with an id twice."""

    name = "two"
    revision = "1"

    def __len__(self) -> int:
        return 2

    def __iter__(self):
        return iter((Sample(id="a"), Sample(id="a")))


def test_an_id_that_a_dataset_has_twice_is_named(monkeypatch):
    monkeypatch.setitem(registry("datasets")._targets, "two", TwoOfOneId)
    suite = Suite.model_validate({**SUITE, "dataset": "two"})
    with pytest.raises(DataError, match=r"Dataset `two` has the id 'a' 2 times; expected each id once"):
        load_samples(suite)


def test_counts_are_told_per_label_and_input(folder):
    suite = load_suite(written(folder, {**SUITE, "seeds": [0, 1]}))
    counts = describe(suite, load_samples(suite))
    assert (counts.items, counts.clips) == (4, 8)
    assert list(counts.labels.items()) == [("talk", 2), ("", 1), ("walk", 1)]
    assert (counts.prompts, counts.keyframes, counts.ground_truth, counts.region_masks) == (1, 1, 1, 0)


def test_the_fingerprint_follows_every_input_and_neither_order_nor_place(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"mask")
    (tmp_path / "other.png").write_bytes(b"other")
    image = Image(path=Path("x.png"), digest="i1")
    sample = Sample(
        id="a",
        prompt="p",
        label="l",
        condition=Condition(keyframes=((0.0, image),), region_mask=tmp_path / "mask.png"),
        ground_truth=Clip(path=Path("g.mp4"), digest="g1"),
        metadata={"n": 1},
    )
    second = Sample(id="b")
    first = samples_fingerprint([sample, second])
    moved = replace(
        sample,
        condition=replace(sample.condition, keyframes=((0.0, replace(image, path=Path("/elsewhere.png"))),)),
        metadata={},
    )
    assert samples_fingerprint([second, moved]) == first
    assert first["count"] == 2
    changes = [
        replace(sample, id="c"),
        replace(sample, prompt=None),
        replace(sample, label=("m")),
        replace(sample, ground_truth=None),
        replace(sample, ground_truth=Clip(path=Path("g.mp4"), digest="g2")),
        replace(sample, condition=replace(sample.condition, keyframes=((1.0, image),))),
        replace(sample, condition=replace(sample.condition, keyframes=((0.0, replace(image, digest="i2")),))),
        replace(sample, condition=replace(sample.condition, region_mask=tmp_path / "other.png")),
        replace(sample, condition=replace(sample.condition, motion_score=3.0)),
    ]
    digests = {samples_fingerprint([change, second])["sha256"] for change in changes}
    assert len(digests | {first["sha256"]}) == len(changes) + 1


def test_a_mask_that_is_gone_is_named_when_the_fingerprint_is_taken():
    sample = Sample(id="a", condition=Condition(region_mask=Path("/nowhere/mask.png")))
    with pytest.raises(AnisoraError, match=r"`/nowhere/mask\.png` cannot be read: No such file"):
        samples_fingerprint([sample])
