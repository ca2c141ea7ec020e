"""One dimension of a golden VBench case: our metric and extractors under the case's weights, against its numbers."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anisora.harness.errors import DataError
from anisora.harness.features import FeatureStore
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.parity import Comparison, compare_close, compare_exact
from anisora.harness.protocols import FeatureExtractor, FeatureReader, Metric
from anisora.harness.stages.score import score_one
from anisora.harness.types import Condition, Generation, Image, Sample, Score
from anisora.harness.weights import Tensors

__all__ = ["GoldenDimension", "Raw", "States", "compare_dimension", "seeded_state", "state_digest"]

States = Mapping[str, Tensors]
"""{tag of a network: its seeded state dict under the keys of the published file}"""

Raw = tuple[str, Any, Any, float | None]
"""A raw quantity: name, ours, the reference's, and the tolerance; None compares exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenDimension:
    """How one dimension is computed by our code under weights that a case gives."""

    metric: Callable[[], Metric]
    states: Mapping[str, Callable[[int], Tensors]]
    """{tag: from the case's seed to the seeded state dict of the published file's keys}"""
    extractors: Callable[[States], Mapping[str, FeatureExtractor]]
    """{extractor as the metric requests it: one that holds the seeded network}"""
    raw: Callable[[Generation, Score, FeatureReader, Mapping[str, Any], Mapping[str, Any]], Sequence[Raw]]
    """(item, our score, features, the clip's raw values, the case's tolerances) -> what is compared beside the score.
    """
    video_scale: float = 1.0
    """The case's score of a clip is ours times this; the aggregate is not scaled."""
    undigested: frozenset[str] = frozenset()
    """Tags whose listed sha256 is over another form of the state than the seeded one; their features decide."""


def seeded_state(
    shapes: Mapping[str, Sequence[int]],
    tag: str,
    seed: int,
    *,
    one_dimensional: tuple[float, float] = (1.0, 0.1),
    drawn: Mapping[str, Callable[[Any], Any]] | None = None,
    only: str = "",
    integers: Sequence[str] = (),
) -> Tensors:
    """Return a seeded state dict by the rule of ``weights.untrained_rule``.

    Args:
        shapes: {key of the published file: shape}.
        tag: Of the network, part of each stream's seed.
        seed: Of the case.
        one_dimensional: (a, b) of one-dimensional weights.
        drawn: {key: from its standard normal numbers, float32, to its values} for keys with a rule of their own.
        only: Prefix outside of which tensors are zero.
        integers: Endings of keys that are int64 zeros, such as ``num_batches_tracked``.
    """
    import torch

    from anisora.harness.weights import untrained_normals, untrained_rule

    floats = {key: shape for key, shape in shapes.items() if not key.endswith(tuple(integers) or ("\0",))}
    filled = untrained_rule(floats, tag=tag, seed=seed, one_dimensional=one_dimensional)
    state: Tensors = {}
    for key, shape in shapes.items():
        if key not in floats:
            state[key] = torch.zeros(tuple(shape), dtype=torch.int64)
        elif drawn and key in drawn:
            normals = untrained_normals(key, shape, tag=tag, seed=seed)
            state[key] = torch.from_numpy(np.asarray(drawn[key](normals), np.float32).reshape(tuple(shape)))
        elif only and not key.startswith(only):
            state[key] = torch.zeros(tuple(shape))
        else:
            state[key] = torch.from_numpy(filled[key])
    return state


def state_digest(state: Tensors) -> str:
    """Return the sha256 over keys in order and the bytes of their tensors."""
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].contiguous().numpy().tobytes())
    return digest.hexdigest()


def compare_dimension(
    folder: Path, case: Mapping[str, Any], name: str, dimension: GoldenDimension, *, expected: str = "expected.json"
) -> list[Comparison]:
    """Compute one dimension on the clips of a case and compare weights, raw values, scores and the aggregate.

    Args:
        folder: Of the case.
        case: Its case.json.
        name: Of the dimension, as the case has it.
        dimension: How we compute it.
        expected: The file of the reference's numbers.

    Raises:
        DataError: The case lacks the dimension.
    """
    dims = json.loads((folder / expected).read_text(encoding="utf-8"))["dims"]
    if name not in dims:
        raise DataError(f"`{folder / expected}` has no dimension {name!r}; it has {', '.join(sorted(dims))}.")
    seed = int(case.get("seed", 0))
    states = {tag: make(seed) for tag, make in dimension.states.items()}
    digested = {tag: state for tag, state in states.items() if tag not in dimension.undigested}
    comparisons = _compare_weights(folder, digested)
    metric = dimension.metric()
    tolerance = case["tolerance"][name]
    values: list[Score] = []
    with FeatureStore(
        pool=DecoderPool(), requests=metric.info.requests, extractors=dimension.extractors(states)
    ) as store:
        for video in dims[name]["videos"]:
            item = _item(folder, case, video["name"])
            score = score_one(metric, item, store)
            if score.value is None:
                raise DataError(f"{name} left {video['name']!r} unscored: {score.note}")
            values.append(score)
            label = f"{name} {video['name'][:20]}"
            for what, ours, theirs, allowed in dimension.raw(item, score, store, video["raw"], case["tolerance"]):
                comparisons.append(
                    compare_exact(f"{label} {what}", ours, theirs)
                    if allowed is None
                    else compare_close(f"{label} {what}", ours, theirs, absolute=allowed)
                )
            comparisons.append(_compare(label, score.value * dimension.video_scale, float(video["score"]), tolerance))
    total = sum(score.weight for score in values)
    aggregate = sum(score.weight * (score.value or 0.0) for score in values) / total
    comparisons.append(_compare(f"{name} aggregate", aggregate, float(dims[name]["aggregate"]), tolerance))
    return comparisons


def _compare(name: str, ours: float, theirs: float, tolerance: float | str) -> Comparison:
    if tolerance == "exact":
        return compare_close(name, ours, theirs, absolute=1e-12)  # a mean of whole numbers, summed in another order
    return compare_close(name, ours, theirs, absolute=float(tolerance))


def _compare_weights(folder: Path, states: States) -> list[Comparison]:
    listed = json.loads((folder / "weights.json").read_text(encoding="utf-8"))
    return [
        compare_exact(f"weights {tag}", state_digest(state), listed[tag]["sha256"])
        for tag, state in states.items()
        if tag in listed
    ]


def _item(folder: Path, case: Mapping[str, Any], name: str) -> Generation:
    """Return a clip with its prompt, the stem without ``-<digits>``, and the image of that name."""
    clip = clip_at(folder / str(case["clips"]) / name, None)
    prompt = name.rpartition(".")[0].rpartition("-")[0]
    image = next(
        (path for path in sorted((folder / str(case["images"])).iterdir()) if path.stem == prompt),
        None,
    )
    keyframes = () if image is None else ((0.0, Image(path=image, digest=_sha256(image))),)
    sample = Sample(id=name, prompt=prompt, condition=Condition(keyframes=keyframes))
    return Generation(sample=sample, clip=clip, model="golden")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
