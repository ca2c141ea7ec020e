"""Names to objects, resolved only when used.

A catalog is a module with ``CATALOG: {kind: {name: "package.module:attribute"}}``. Our folders and third-party packages
register theirs alike, through the entry point group ``anisora``; loading a catalog imports nothing it names.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from anisora.harness.errors import ConfigError, UnknownNameError

__all__ = ["KINDS", "Registry", "Spec", "SpecValue", "registry"]

KINDS = (
    "metrics",
    "extractors",
    "models",
    "datasets",
    "suites",
    "importers",
    "rewards",
    "ledgers",
    "loggers",
    "training_loggers",
    "presenters",
    "commands",
    "parity",
)

SpecValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Spec:
    """A name with arguments, as users type it: ``anisora-v2:steps=16,device=npu:0,tiny``."""

    name: str
    args: Mapping[str, SpecValue] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Read ``name:key=value,word``; a bare word means ``word=true``.

        Raises:
            ConfigError: An argument is empty, not a word, or given twice.

        Example:
            >>> Spec.parse("damage/freeze:severity=0.5").args["severity"]
            0.5
        """
        name, _, rest = text.partition(":")
        args: dict[str, SpecValue] = {}
        for part in rest.split(",") if rest else ():
            key, equals, value = part.partition("=")
            key = key.strip().replace("-", "_")
            if not re.fullmatch(r"[A-Za-z_]\w*", key) or (equals and not value) or key in args:
                raise ConfigError(f"Specification {text!r} has the argument {part!r}; expected name:key=value,word.")
            args[key] = _value(value) if equals else True
        if not name.strip():
            raise ConfigError(f"Specification {text!r} has no name; expected name:key=value,word.")
        return cls(name.strip(), MappingProxyType(args))

    def __str__(self) -> str:
        """The canonical text: arguments sorted, ``true`` written as a bare word."""
        words = [key if value is True else f"{key}={_text(value)}" for key, value in sorted(self.args.items())]
        return f"{self.name}:{','.join(words)}" if words else self.name


def _value(text: str) -> SpecValue:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _text(value: SpecValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Registry:
    """The names of one kind. A target is ``"package.module:attribute"`` or the object itself."""

    def __init__(self, kind: str, targets: Mapping[str, Any] | None = None) -> None:
        """Start with the given targets."""
        self.kind = kind
        self._targets: dict[str, Any] = dict(targets or {})

    def register(self, name: str, target: object) -> None:
        """Add a name; naming something twice is an error, never a silent replacement."""
        if name in self._targets and self._targets[name] != target:
            raise ConfigError(f"{self.kind} `{name}` is registered twice: {self._targets[name]!r} and {target!r}.")
        self._targets[name] = target

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._targets)

    def __contains__(self, name: object) -> bool:
        """Whether a name is registered; of one with arguments, ``pyiqa:vif``, the part before them."""
        return name in self._targets or (isinstance(name, str) and name.partition(":")[0] in self._targets)

    def target(self, name: str) -> Any:  # noqa: ANN401 - whatever the catalog names
        """Return the target of a name as the catalog has it, importing nothing.

        Raises:
            UnknownNameError: The name is not registered; the message has the nearest one.
        """
        if name not in self._targets:
            singular = self.kind.removesuffix("s")
            raise UnknownNameError(singular, name, self._targets, f'Run "anisora list {self.kind}".')
        return self._targets[name]

    def get(self, name: str) -> Any:  # noqa: ANN401 - whatever the catalog names
        """Import and return the target of a name.

        Raises:
            UnknownNameError: The name is not registered; the message has the nearest one.
        """
        target = self.target(name)
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute) if attribute else import_module(module)

    def create(self, spec: Spec | str) -> Any:  # noqa: ANN401
        """Call the target with the arguments of a specification.

        A target that serves several names (a family) takes the keyword ``name`` and is told which one is meant. One
        that takes arguments of any name (``**words``) refuses those that it does not know by itself.

        Raises:
            ConfigError: The target does not take these arguments.
        """
        spec = Spec.parse(spec) if isinstance(spec, str) else spec
        target: Callable[..., Any] = self.get(spec.name)
        arguments = dict(spec.args)
        parameters = _parameters(target)
        accepted = set(parameters)
        if "name" in accepted:
            arguments["name"] = spec.name
        for argument in spec.args if not _takes_any(target) else ():
            if argument not in accepted:
                allowed = ", ".join(sorted(accepted - {"name"})) or "none"
                raise ConfigError(
                    f"{self.kind.removesuffix('s').capitalize()} {spec.name!r} has no argument "
                    f"{argument!r}; it takes: {allowed}."
                )
        lacking = [argument for argument, required in parameters.items() if required and argument not in arguments]
        if lacking:
            raise ConfigError(
                f"{self.kind.removesuffix('s').capitalize()} {spec.name!r} needs the argument {lacking[0]!r}; "
                f"write {spec.name}:{lacking[0]}=VALUE."
            )
        return target(**arguments)


def _parameters(target: Callable[..., Any]) -> dict[str, bool]:
    """Return the arguments that a target takes by name, and whether it cannot do without."""
    import inspect

    return {
        name: parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for name, parameter in inspect.signature(target).parameters.items()
    }


def _takes_any(target: Callable[..., Any]) -> bool:
    import inspect

    kinds = {parameter.kind for parameter in inspect.signature(target).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


@cache
def registry(kind: str) -> Registry:
    """Return the registry of a kind, filled from every installed catalog.

    Raises:
        ConfigError: The kind is not one of KINDS, or two catalogs claim one name.
    """
    if kind not in KINDS:
        raise ConfigError(f"Registry {kind!r} does not exist; expected one of {', '.join(KINDS)}.")
    filled = Registry(kind)
    for point in sorted(entry_points(group="anisora"), key=lambda point: (point.value, point.name)):
        catalog: Mapping[str, Mapping[str, Any]] = import_module(point.value).CATALOG
        for name, target in catalog.get(kind, {}).items():
            filled.register(name, target)
    return filled
