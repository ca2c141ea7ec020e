"""Suites as data: which items, which seeds, which columns. A suite is a YAML file and no Python.

Reading a suite imports nothing that it names; ``validate_suite`` looks the names up, ``load_samples`` makes
the items.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)

from anisora.harness.errors import AnisoraError, ConfigError, DataError, UnknownNameError, nearest
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path
from anisora.harness.media.encoding import DEFAULT_ENCODER
from anisora.harness.protocols import Dataset, GenerationSettings
from anisora.harness.record import RunSpec, digest_of
from anisora.harness.registry import Spec, registry
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.statistics.subset import stratified_sample
from anisora.harness.tracks import DerivedTrack, Track, on_track, posable, split_track
from anisora.harness.types import Sample

__all__ = [
    "RESERVED_NAMES",
    "Column",
    "Expectation",
    "Suite",
    "SuiteCounts",
    "describe",
    "draw_subset",
    "load_samples",
    "load_suite",
    "pose_samples",
    "samples_by_id",
    "samples_fingerprint",
    "strata_of",
    "suite_of_run",
    "validate_suite",
]

_log = logging.getLogger(__name__)

RESERVED_NAMES: Final = frozenset({"show", "bundle", "add", "site", "rebuild", "custom"})
"""Words that the command line reads as something else where a suite's name can stand."""

_MAX_BYTES: Final = 1 << 20

_GENERATION_KEYS: Final = tuple(field.name for field in fields(GenerationSettings))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """A column of a suite's table."""

    metric: str
    header: str
    """The head of the column, as printed."""
    header_zh: str | None = None
    """The same in Chinese, for reports in that language."""
    systems: tuple[str, ...] = ()
    """Of the suite's systems, those that its demonstration scores by this column; all when left out."""
    scale: float = 1.0
    """Printed value = natural value times this."""
    decimals: Annotated[StrictInt, Field(ge=0, le=9)] = 3

    @field_validator("metric", "header", "header_zh")
    @classmethod
    def _not_blank(cls, text: str | None) -> str | None:
        if text is not None and (not text.strip() or not text.isprintable()):
            raise ValueError("expected printable text")
        return text

    def in_language(self, language: str) -> "Column":
        """Return the column with the head in a language, ``en`` or ``zh``, where the suite gives it."""
        if language == "zh" and self.header_zh is not None:
            return self.model_copy(update={"header": self.header_zh})
        return self

    @field_validator("scale")
    @classmethod
    def _finite(cls, scale: float) -> float:
        if not math.isfinite(scale) or scale == 0:
            raise ValueError("expected a number other than 0")
        return scale


class Expectation(_Strict):
    """What is known beforehand of a system: by which columns it must be worse than the ground truth."""

    system: str
    """One of the suite's systems."""
    worse: Annotated[tuple[str, ...], Field(min_length=1)]
    """Metrics of the suite's columns."""


class Suite(_Strict):
    """What is scored and how it is shown."""

    name: str
    version: Annotated[StrictInt, Field(ge=1)]
    """Goes up when items, seeds or columns change: tables of two versions are never mixed."""
    title: str
    title_zh: str | None = None
    """The same in Chinese, for reports in that language."""
    summary: str = ""
    summary_zh: str | None = None
    dataset: str | None
    """``name:key=value`` of a dataset; a relative ``path`` is relative to the suite file. null: the suite has no
    items of its own, the clips that are given are its items, as for ``custom``."""
    track: str | None = None
    """The conditioning that models are given, such as ``i2v``; of several tracks the one that is meant by default."""
    tracks: dict[str, Track] = {}
    """The tracks to choose from by ``suite@track``; none where the data set alone says what models are given."""
    derived: dict[str, DerivedTrack] = {}
    """Rows of tables that are means over several tracks."""
    seeds: Annotated[tuple[Annotated[StrictInt, Field(ge=0, lt=2**63)], ...], Field(min_length=1)] = (0,)
    cluster: Literal["label", "item"] = "label"
    """What counts as one independent draw in an interval."""
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    reference: str | None = "ground-truth"
    """The model that stands for the ground truth, or null."""
    systems: tuple[str, ...] = ()
    """Model specifications that are shown together with the suite."""
    expected: tuple[Expectation, ...] = ()
    """Stated before anything is scored, so that a table can say whether the metrics do what they are for."""
    generation: dict[str, int | float] = {}
    """Settings that every model is asked for: height, width, num_frames, fps, steps, guidance, shift."""

    encoder: str = DEFAULT_ENCODER
    """How clips that are generated for the suite are kept, unless a run says otherwise."""

    _folder: Path | None = PrivateAttr(default=None)
    _own_track: str | None = PrivateAttr(default=None)

    def introduced(self, language: str) -> tuple[str, str]:
        """Return title and summary in a language, ``en`` or ``zh``, where the suite gives them."""
        if language == "zh":
            return self.title_zh or self.title, self.summary_zh or self.summary
        return self.title, self.summary

    @property
    def key(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    def on(self, track: str) -> "Suite":
        """Return the suite with another of its tracks.

        Raises:
            UnknownNameError: It has no such track.
        """
        known = [*self.tracks] or [self.track or ""]
        if track not in known:
            made = f"; {track!r} is derived from others, in tables" if track in self.derived else ""
            has = ", ".join(filter(None, known)) or "none"
            raise UnknownNameError("track", track, known, f"Tracks of suite {self.name!r}: {has}{made}.")
        chosen = self.model_copy(update={"track": track})
        chosen._own_track = self.own_track
        return chosen

    @property
    def own_track(self) -> str | None:
        """The track that the suite's file names, whichever was chosen."""
        return self._own_track or self.track

    @property
    def posed(self) -> Track | None:
        """What the chosen track gives; None where the data set alone says it."""
        return self.tracks.get(self.track or "")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the columns, in their order."""
        return tuple(column.metric for column in self.columns)

    @property
    def settings(self) -> GenerationSettings:
        """The generation settings as models take them."""
        whole: dict[str, Any] = dict(self.generation)
        return GenerationSettings(**whole)

    @property
    def dataset_spec(self) -> Spec:
        """The dataset, with paths made relative to the working directory instead of the suite file.

        Raises:
            ConfigError: The suite has no items of its own.
        """
        if self.dataset is None:
            raise ConfigError(
                f"Suite {self.name!r} has no items of its own: they are the clips that are given; run "
                f'"anisora evaluate {self.name} --videos DIR_OR_MANIFEST".'
            )
        spec = Spec.parse(self.dataset)
        if self._folder is None:
            return spec
        folder = self._folder
        arguments = {
            key: str(folder / value) if isinstance(value, str) and (key == "path" or key.endswith("_path")) else value
            for key, value in spec.args.items()
        }
        return Spec(spec.name, arguments)

    @field_validator("name")
    @classmethod
    def _name_is_a_word(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or name in RESERVED_NAMES or len(name) > 100:
            reserved = ", ".join(sorted(RESERVED_NAMES))
            raise ValueError(f"expected small letters, digits and hyphens, and none of {reserved}")
        return name

    @field_validator("title", "title_zh", "track", "reference")
    @classmethod
    def _not_blank(cls, text: str | None) -> str | None:
        if text is not None and (not text.strip() or not text.isprintable()):
            raise ValueError("expected printable text")
        return text

    @field_validator("dataset", "reference", "systems")
    @classmethod
    def _are_specs(cls, texts: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for text in (texts,) if isinstance(texts, str) else texts or ():
            try:
                Spec.parse(text)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return texts

    @field_validator("generation", mode="before")
    @classmethod
    def _known_settings(cls, settings: object) -> object:
        for key, value in settings.items() if isinstance(settings, dict) else ():
            if key not in _GENERATION_KEYS:
                guess = nearest(str(key), _GENERATION_KEYS)
                hint = f"did you mean {guess!r}" if guess else f"expected {', '.join(_GENERATION_KEYS)}"
                raise ValueError(f"{key!r} is not a setting; {hint}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise ValueError(f"`{key}` got {shortened(value)}; expected a number of at least 0")
            if key in ("height", "width", "num_frames", "steps") and (not isinstance(value, int) or value == 0):
                raise ValueError(f"`{key}` got {shortened(value)}; expected a whole number above 0")
        return settings

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Suite":
        for name, values in (
            ("seeds", self.seeds),
            ("columns.metric", self.metrics),
            ("columns.header", tuple(column.header for column in self.columns)),
            ("systems", self.systems),
        ):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise ValueError(f"`{name}` has {twice[0]!r} twice; expected each once")
        if self.dataset is None and (self.reference or self.systems):
            name = "reference" if self.reference else "systems"
            raise ValueError(f"`{name}` is given and `dataset` is null; expected null or none, as no clip can be made")
        self._names_are_known()
        self._tracks_are_known()
        return self

    def _tracks_are_known(self) -> None:
        for kind, names in (("tracks", self.tracks), ("derived", self.derived)):
            wrong = next((name for name in names if split_track(f"suite@{name}")[1] is None), None)
            if wrong is not None:
                raise ValueError(f"`{kind}` has {wrong!r}; expected names of small letters, digits and hyphens")
        if self.tracks and self.dataset is None:
            raise ValueError("`tracks` is given and `dataset` is null; expected items that can be posed")
        if self.tracks:
            _check_known("track", (self.track or "",), tuple(self.tracks))
        for name, rule in self.derived.items():
            if name in self.tracks:
                raise ValueError(f"`derived` has {name!r}, which is one of the tracks; expected a name of its own")
            _check_known(f"derived.{name}.mean_of", rule.mean_of, tuple(self.tracks))

    def _names_are_known(self) -> None:
        """Refuse a system or metric that only a cross-reference knows."""
        for place, column in enumerate(self.columns):
            _check_known(f"columns.{place}.systems", column.systems, self.systems)
        for place, expectation in enumerate(self.expected):
            _check_known(f"expected.{place}.system", (expectation.system,), self.systems)
            _check_known(f"expected.{place}.worse", expectation.worse, self.metrics)


def _check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            raise ValueError(f"`{name}` has {value!r}; expected one of {', '.join(known) or 'none, as there is none'}")


def load_suite(name_or_path: str) -> Suite:
    """Load a suite by its registered name, or from a YAML file.

    Args:
        name_or_path: A name of ``anisora list suites``, or a path that ends in .yaml or .yml; after it ``@`` and the
            name of one of its tracks, if another one than the suite's own is meant.

    Raises:
        UnknownNameError: No suite has this name, or it has no such track; the message has the nearest one.
        DataError: The file does not exist or cannot be read.
        ConfigError: The file is not a suite; the message has the file, the key and the nearest known key.
    """
    source, track = split_track(name_or_path)
    suite = _loaded(source)
    return suite if track is None else suite.on(track)


def _loaded(name_or_path: str) -> Suite:
    if name_or_path.lower().endswith((".yaml", ".yml")) or "/" in name_or_path:
        path = Path(name_or_path)
        if not path_exists(path) or not path.is_file():
            raise missing_path(path, "the YAML file of a suite")
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise DataError(f"`{path}` has {path.stat().st_size} bytes; expected a suite of at most {_MAX_BYTES}.")
            content = path.read_bytes()
        except OSError as error:
            raise unreadable_path(path, error) from error
        return _suite_of(content, str(path), path.parent)
    target = registry("suites").target(name_or_path)
    if isinstance(target, Suite):
        return target
    package, _, relative = str(target).partition(":")
    resource = files(package).joinpath(relative)
    try:
        content = resource.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Suite {name_or_path!r} is registered as {target!r}, which cannot be read; expected a YAML "
            "file in that package; install it again."
        ) from error
    suite = _suite_of(content, str(target), resource.parent if isinstance(resource, Path) else None)
    if suite.name != name_or_path:
        raise ConfigError(
            f"Suite {name_or_path!r} is registered as {target!r}, whose `name` is {suite.name!r}; "
            "expected the same name; correct the catalog or the file."
        )
    return suite


def _suite_of(content: bytes, origin: str, folder: Path | None) -> Suite:
    try:
        data = yaml.load(content, _SuiteLoader)  # noqa: S506 - a SafeLoader with more refusals
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"`{origin}`{line}: is not YAML of a suite ({reason}); correct the file.") from None
    except (RecursionError, ValueError) as error:  # deep nesting; a date such as 2024-99-99
        raise ConfigError(f"`{origin}`: is not YAML of a suite ({shortened(str(error))}); correct the file.") from None
    if not isinstance(data, dict):
        raise ConfigError(f"`{origin}` got {shortened(data)}; expected the keys {', '.join(Suite.model_fields)}.")
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"`{origin}`: {_one_line(error)}") from None
    suite._folder = folder
    return suite


class _SuiteLoader(yaml.SafeLoader):
    """Plain YAML: no aliases, which can make a small file huge, and no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - as PyYAML declares it
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not accepted", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
        return super().construct_mapping(node, deep)


def _one_line(error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    # A misspelt key is two mistakes, one that is missing and one that is too much: the second one tells more.
    first = next((entry for entry in errors if entry["type"] == "extra_forbidden"), errors[0])
    place = ".".join(str(part) for part in first["loc"] if part != "float")
    inner: dict[str, tuple[type[BaseModel], str]] = {
        "columns": (Column, "a column"),
        "expected": (Expectation, "an expectation"),
        "tracks": (Track, "a track"),
        "derived": (DerivedTrack, "a derived track"),
    }
    model, thing = inner.get(str(first["loc"][0]) if len(first["loc"]) > 2 else "", (Suite, "a suite"))
    known = list(model.model_fields)
    if first["type"] == "extra_forbidden":
        guess = nearest(str(first["loc"][-1]), known)
        hint = f"did you mean {guess!r}?" if guess else f"expected some of {', '.join(known)}."
        return f"`{place}` is not a key of {thing}; {hint}"
    if first["type"] == "missing":
        return f"`{place}` is missing; expected it as a key of {thing}; add it."
    message = first["msg"].removeprefix("Value error, ").replace(" after validation", "")
    message = message.replace("Tuple", "List").replace("tuple", "list")
    if not place:
        return f"{message}; correct the file."
    return f"`{place}` got {shortened(first['input'])}; {message[0].lower()}{message[1:]}; correct the file."


def validate_suite(suite: Suite) -> None:
    """Check that everything a suite names is registered.

    Raises:
        UnknownNameError: A metric, the dataset, or a model is not; the message has the nearest name.
    """
    if suite.dataset is not None:
        registry("datasets").target(Spec.parse(suite.dataset).name)
    for metric in suite.metrics:
        registry("metrics").target(Spec.parse(metric).name)
    for model in (*suite.systems, *((suite.reference,) if suite.reference else ())):
        registry("models").target(Spec.parse(model).name)


def strata_of(suite: Suite, samples: Sequence[Sample]) -> dict[str, str]:
    """Return {item: stratum} for drawing a subset: its label where labels are clusters, else one stratum for all."""
    return {sample.id: (sample.label or "") if suite.cluster == "label" else "" for sample in samples}


def draw_subset(suite: Suite, samples: Sequence[Sample], size: int, seed: int) -> list[Sample]:
    """Draw items so that every stratum has its share, in the order of the suite.

    Raises:
        ConfigError: There are not so many items.
    """
    if not 1 <= size <= len(samples):
        raise ConfigError(
            f"`--subset` got {size!r}; suite {suite.name!r} has {len(samples)} items; draw 1 to that many."
        )
    drawn = set(stratified_sample(strata_of(suite, samples), size, seed))
    return [sample for sample in samples if sample.id in drawn]


def load_samples(
    suite: Suite, *, limit: int | None = None, labels: Sequence[str] | None = None, posed: bool = True
) -> list[Sample]:
    """Load the items of a suite.

    Args:
        suite: The suite.
        limit: Keep this many of the items, from the first.
        labels: Keep items with these labels, before the limit counts.
        posed: With what the suite's track gives, for which frames may have to be read; ``pose_samples`` does it later.

    Raises:
        ConfigError: The limit is not a positive whole number, the dataset does not take its arguments, or the suite has
            no items of its own.
        UnknownNameError: No item has a label.
        DataError: The dataset has no item, or one id twice, or the items lack what the suite's track gives.
    """
    if limit is not None and (isinstance(limit, bool) or limit <= 0):
        raise ConfigError(f"`--limit` got {limit!r}; expected a whole number above 0; leave it out for all items.")
    dataset: Dataset = registry("datasets").create(suite.dataset_spec)
    samples = list(dataset)
    if not samples:
        raise DataError(
            f"Dataset `{suite.dataset}` of suite {suite.name!r} has no item; expected at least one; add items."
        )
    for name, count in Counter(sample.id for sample in samples).items():
        if count > 1:
            raise DataError(
                f"Dataset `{suite.dataset}` has the id {shortened(name)} {count} times; expected each id "
                "once; rename the items."
            )
    if labels is not None:
        known = sorted({sample.label for sample in samples if sample.label is not None})
        for label in labels:
            if label not in known:
                shown = ", ".join(known[:20]) or "none"
                raise UnknownNameError("label", label, known, f"Labels of suite {suite.name!r}: {shown}.")
        samples = [sample for sample in samples if sample.label in labels]
        if not samples:
            raise ConfigError(
                f"`--labels` got {list(labels)!r}; expected at least one label; leave it out for all items."
            )
    if suite.posed is not None:
        samples = posable(samples, suite.posed)
        if not samples:
            raise DataError(
                f"No item of `{suite.name}@{suite.track}` has a region mask, which the track gives; add the column "
                "`region_mask` to the manifest."
            )
    chosen = samples[:limit]
    return pose_samples(suite, chosen) if posed else chosen


def pose_samples(suite: Suite, samples: Sequence[Sample]) -> list[Sample]:
    """Return items with the conditioning of the suite's track.

    Raises:
        DataError: An item lacks what the track gives.
    """
    if suite.posed is None:
        return list(samples)
    return on_track(samples, suite.posed, named=f"{suite.name}@{suite.track}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCounts:
    """How many items of a suite have what."""

    items: int
    labels: dict[str, int]
    """{label: items}, the most frequent first; items without one under ``""``."""
    prompts: int
    keyframes: int
    ground_truth: int
    region_masks: int
    clips: int
    """Items times seeds: what one system has to bring."""


def describe(suite: Suite, samples: Sequence[Sample]) -> SuiteCounts:
    """Count the items of a suite, by label and by input."""
    labels = Counter(sample.label or "" for sample in samples)
    return SuiteCounts(
        items=len(samples),
        labels=dict(sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))),
        prompts=sum(sample.prompt is not None for sample in samples),
        keyframes=sum(bool(sample.condition.keyframes) for sample in samples),
        ground_truth=sum(sample.ground_truth is not None for sample in samples),
        region_masks=sum(sample.condition.region_mask is not None for sample in samples),
        clips=len(samples) * len(suite.seeds),
    )


def suite_of_run(spec: RunSpec) -> Suite | None:
    """Return the suite that a run is of, or None where it is not on this machine in the run's version.

    A suite file that is there and cannot be read is logged.
    """
    source = spec.suite_source or spec.suite
    found, _ = split_track(source)
    if found not in registry("suites") and not Path(found).is_file():
        return None
    try:
        suite = load_suite(source)
    except AnisoraError as error:
        _log.warning("the suite `%s` cannot be read: %s", source, error)
        return None
    return suite if suite.version == spec.suite_version else None


def samples_by_id(suite: Suite | None) -> dict[str, Sample]:
    """Return {item: sample} of a suite, in its order; empty, and logged, where its data are not on this machine.

    Args:
        suite: One without items of its own, or None, has none.
    """
    if suite is None or suite.dataset is None:
        return {}
    try:
        return {sample.id: sample for sample in load_samples(suite)}
    except AnisoraError as error:
        _log.warning("the items of suite `%s` are not on this machine: %s", suite.name, error)
        return {}


def samples_fingerprint(samples: Iterable[Sample]) -> dict[str, Any]:
    """Return the count and the digest of items and inputs, whatever their order and the place of files.

    Two runs whose items differ in an id, a prompt, an image, a position, a ground truth, a mask or a label
    were not given the same task.
    """
    inputs = []
    for sample in sorted(samples, key=lambda sample: sample.id):
        truth, condition = sample.ground_truth, sample.condition
        inputs.append(
            {
                "id": sample.id,
                "prompt": sample.prompt,
                "keyframes": [[position, image.digest] for position, image in condition.keyframes],
                "motion_score": condition.motion_score,
                "region_mask": _mask_digest(condition.region_mask),
                "ground_truth": None if truth is None else [truth.digest, truth.fps],
                "label": sample.label,
            }
        )
    return {"count": len(inputs), "sha256": digest_of(inputs)}


def _mask_digest(mask: Path | None) -> str | None:
    if mask is None:
        return None
    try:
        return sha256_of_file(mask)
    except OSError as error:
        raise unreadable_path(mask, error) from error
