"""All trainings of ``anisora learn``: each method with each seed, several at a time, each on one thread."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from anisora.training.learn.tuning import RESULT, TUNED, Method, Tuned, draw_groups, read_tuned, tune

__all__ = ["finished_trials", "run_trials"]


def run_trials(
    out: Path,
    methods: Sequence[Method],
    seeds: Sequence[int],
    *,
    share: float = 1.0,
    workers: int = 1,
    told: Callable[[Tuned], None] = lambda _: None,
) -> list[Tuned]:
    """Train with each method and seed; return what came of it, methods and seeds in the order given.

    Each has a process of its own with one thread, so that its bytes do not depend on how many there are. What is done
    already is taken as it is.

    Args:
        out: The folder of a pretraining.
        methods: One or more.
        seeds: One or more.
        share: Of each method's steps.
        workers: Trainings at a time.
        told: Called with each that ends.

    Raises:
        AnisoraError: As ``draw_groups`` and ``tune``; the others that were begun end first.
    """
    if "gapo" in methods:
        draw_groups(out, share=share)
    asked = [(method, seed) for method in methods for seed in seeds]
    found: dict[tuple[Method, int], Tuned] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_tune, out, method, seed, share): (method, seed) for method, seed in asked}
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            told(found[futures[future]])
    return [found[key] for key in asked]


def _tune(out: Path, method: Method, seed: int, share: float) -> Tuned:
    import torch

    import anisora  # noqa: F401 - settles what other libraries read when they are imported

    torch.set_num_threads(1)
    return tune(out, method, seed, share=share)


def finished_trials(out: Path) -> list[Tuned]:
    """Return what ``run_trials`` finished in a folder, by method and seed."""
    found = [read_tuned(path.parent) for path in (out / TUNED).glob(f"*/{RESULT}")]
    return sorted(found, key=lambda each: (each.method, each.seed))
