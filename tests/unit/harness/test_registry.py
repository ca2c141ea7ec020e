import subprocess
import sys

import pytest

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.harness.registry import KINDS, Registry, Spec, registry


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ("psnr", "psnr", {}),
        (
            "anisora-v2:steps=16,device=npu:0,tiny",
            "anisora-v2",
            {"steps": 16, "device": "npu:0", "tiny": True},
        ),
        ("damage/freeze:severity=0.5", "damage/freeze", {"severity": 0.5}),
        ("x:is-on=false,path=a=b", "x", {"is_on": False, "path": "a=b"}),
    ],
)
def test_a_specification_is_a_name_with_typed_arguments(text: str, name: str, args: dict[str, object]) -> None:
    spec = Spec.parse(text)
    assert (spec.name, dict(spec.args)) == (name, args)


@pytest.mark.parametrize("text", ["", ":a=1", "x:a=", "x:a=1,a=2", "x:1=2", "x:a=1,,b=2", "x: "])
def test_a_malformed_specification_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"Specification .*; expected name:key=value,word"):
        Spec.parse(text)


def test_a_specification_has_one_canonical_text() -> None:
    assert str(Spec.parse("m:b=2,a=1,word,off=false")) == "m:a=1,b=2,off=false,word"
    assert str(Spec.parse("m")) == "m"
    assert Spec.parse(str(Spec.parse("m:b=0.5,a"))) == Spec.parse("m:a,b=0.5")


class Blur:
    def __init__(self, radius: float = 1.0) -> None:
        self.radius = radius


class Family:
    def __init__(self, name: str, strength: int = 0) -> None:
        self.name, self.strength = name, strength


def test_a_target_is_an_object_or_a_lazily_imported_name() -> None:
    names = Registry("metrics", {"blur": Blur, "counter": "collections:Counter", "absent": "no_such_module:x"})
    assert names.names() == ["absent", "blur", "counter"]
    assert names.get("counter").__name__ == "Counter"
    assert names.target("absent") == "no_such_module:x"
    assert names.create("blur:radius=2").radius == 2
    assert "blur" in names
    assert "sharpen" not in names


class Bridge:
    def __init__(self, **words: object) -> None:
        self.words = words


def test_a_target_of_any_words_is_given_all_of_them_and_others_refuse_what_they_do_not_take() -> None:
    names = Registry("metrics", {"bridge": Bridge, "blur": Blur})
    assert names.create("bridge:vif,scale=2").words == {"vif": True, "scale": 2}
    assert names.create("bridge").words == {}
    with pytest.raises(ConfigError, match=r"Metric 'blur' has no argument 'vif'; it takes: radius"):
        names.create("blur:vif")


def test_a_name_with_arguments_is_known_by_its_name() -> None:
    names = Registry("metrics", {"blur": Blur})
    assert "blur:radius=2" in names
    assert "sharpen:radius=2" not in names
    assert 2 not in names


def test_a_family_is_told_which_of_its_names_is_meant() -> None:
    made = Registry("models", {"damage/freeze": Family}).create("damage/freeze:strength=3")
    assert (made.name, made.strength) == ("damage/freeze", 3)


def test_an_argument_that_the_target_does_not_take_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Metric 'blur' has no argument 'radios'; it takes: radius"):
        Registry("metrics", {"blur": Blur}).create("blur:radios=2")


def test_an_unknown_name_gets_the_nearest_and_the_command() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'blur'\? Run \"anisora list metrics\""):
        Registry("metrics", {"blur": Blur}).get("blurr")


def test_a_name_cannot_be_taken_over() -> None:
    names = Registry("metrics", {"blur": Blur})
    names.register("blur", Blur)
    with pytest.raises(ConfigError, match=r"metrics `blur` is registered twice"):
        names.register("blur", Family)


def test_a_registry_of_an_unknown_kind_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"Registry 'metric' does not exist; expected one of metrics"):
        registry("metric")


@pytest.mark.parametrize("kind", KINDS)
def test_every_registered_name_can_be_imported(kind: str) -> None:
    names = registry(kind)
    for name in names.names():
        target = names.target(name)
        if kind in ("ledgers", "suites"):  # resources beside a module, not attributes of it
            assert ":" in target
        else:
            assert names.get(name) is not None


def test_reading_the_catalogs_imports_nothing_heavy() -> None:
    code = (
        "import sys; from anisora.harness.registry import KINDS, registry; [registry(kind).names() for kind "
        "in KINDS]; "
        "print([m for m in ('torch', 'pandas', 'cv2', 'av', 'pyarrow', 'duckdb', 'matplotlib') if m in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
