"""Plants known mistakes one by one and tells whether the golden cases notice: each must break its comparison.

A mistake is planted while its module is imported; no file is changed. Each runs in a process of its own, forked from
one that holds the seeded weights of the dimension, so that these are drawn once. The same comparison without a mistake
is the control and must pass.

    python tests/mutants/parity_mutants.py [GOLDEN] [--targets a,b] [--name c] [--jobs 2]
"""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import click
from planted_mistakes import CLIPS, KINDS, LIBRARIES, MISTAKES, Mistake

__all__ = ["CASE", "Outcome", "main", "report", "run_mistakes"]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
CASE: Final = REPOSITORY / "tests" / "data" / "vbench"
CONTROL: Final = "control"
_LIMIT: Final = 900
"""Seconds after which one comparison is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one comparison."""

    target: str
    name: str
    """Of the mistake; ``control`` and the clip where there is none."""
    verdict: str
    """``passed`` or ``failed`` of a control. Of a mistake ``broken`` or ``survived``; ``raised``, where the code stops,
    which is no wrong number; ``not imported``, where the comparison never used the module; or ``died``."""
    detail: str
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether it is as it must be."""
        return self.verdict in ("passed", "broken")


class _Planted(SourceFileLoader):
    """Loads a module with one text in place of another; what is compiled is kept nowhere."""

    def __init__(self, name: str, mistake: Mistake) -> None:
        super().__init__(name, str(REPOSITORY / mistake.file))
        self._mistake = mistake

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._mistake.planted(REPOSITORY), self.path, "exec", dont_inherit=True)


class _Finder:
    """Finds the module of a mistake, and nothing else."""

    def __init__(self, mistake: Mistake) -> None:
        self._mistake = mistake
        self.name = mistake.module
        self.is_used = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name:
            return None
        self.is_used = True
        return spec_from_file_location(name, REPOSITORY / self._mistake.file, loader=_Planted(name, self._mistake))


def run_mistakes(mistakes: Sequence[Mistake], golden: Path, *, jobs: int = 2) -> Iterator[Outcome]:
    """Run the controls and the mistakes, those of one target after each other.

    Args:
        mistakes: Of any targets.
        golden: Folder with the cases of targets that are no dimension.
        jobs: Targets at the same time.
    """
    targets = list(dict.fromkeys(mistake.target for mistake in mistakes))
    work = [(target, [mistake for mistake in mistakes if mistake.target == target]) for target in targets]
    with ThreadPoolExecutor(jobs) as threads:
        queues = [threads.submit(_in_a_process, target, those, golden) for target, those in work]
        for queue in queues:
            yield from queue.result()


def _in_a_process(target: str, mistakes: Sequence[Mistake], golden: Path) -> list[Outcome]:
    """Run the mistakes of one target in a new process, printing each line as it comes."""
    job = {"target": target, "mistakes": [asdict(mistake) for mistake in mistakes], "golden": str(golden)}
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    outcomes = []
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), "--worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **one_thread},  # threads of the parent would be lost by a fork
        cwd=REPOSITORY,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as pipe:
            json.dump(job, pipe)
        for line in process.stdout:
            outcomes.append(Outcome(**json.loads(line)))
            click.echo(_line(outcomes[-1]))
    missing = {mistake.name for mistake in mistakes} - {outcome.name for outcome in outcomes}
    if process.returncode or missing:
        lost = f"the process of {target} ended with {process.returncode}; without a result: {sorted(missing)}"
        outcomes.append(Outcome(target=target, name="all", verdict="died", detail=lost, seconds=0.0))
        click.echo(_line(outcomes[-1]))
    return outcomes


def _line(outcome: Outcome) -> str:
    start = f"{outcome.verdict:12}  {outcome.seconds:3.0f} s  {outcome.target}: {outcome.name}"
    return f"{start}  ({outcome.detail})" if outcome.detail else start


def _work(job: Mapping[str, Any]) -> None:
    """Hold what all comparisons of a target share, and fork one process for each."""
    target, golden = str(job["target"]), Path(job["golden"])
    mistakes = [Mistake(**given) for given in job["mistakes"]]
    states, scale = _weights(target) if target in CLIPS else ({}, 1.0)
    for library in LIBRARIES.get(target, ()):
        import_module("anisora")  # it arranges what these import
        import_module(library)
    # Nothing of ours may be left over from drawing the weights: each fork imports it anew, one module with a mistake.
    for name in [name for name in sys.modules if name.startswith("anisora.")]:
        del sys.modules[name]
    with tempfile.TemporaryDirectory() as folder:
        clips = dict.fromkeys(mistake.clip or CLIPS.get(target, "") for mistake in mistakes)
        cases = {
            clip: _one_clip(target, clip, scale, Path(folder)) if target in CLIPS else golden / target for clip in clips
        }
        for clip, case in cases.items():
            _forked(target, f"{CONTROL} {clip}".strip(), None, lambda case=case: _compared(target, case, states))
        for mistake in mistakes:
            case = cases[mistake.clip or CLIPS.get(target, "")]
            _forked(target, mistake.name, mistake, lambda case=case: _compared(target, case, states))


def _weights(target: str) -> tuple[dict[str, Any], float]:
    """Return {tag: seeded state} of a dimension, and by what its case multiplies the score of a clip."""
    from anisora.metrics.golden.vbench import dimension_named

    dimension = dimension_named(target)
    seed = int(json.loads((CASE / "case.json").read_text(encoding="utf-8"))["seed"])
    return {tag: make(seed) for tag, make in dimension.states.items()}, dimension.video_scale


def _one_clip(target: str, clip: str, scale: float, folder: Path) -> Path:
    """Write the case of a dimension with a single clip, without digests of its weights; return its folder."""
    made = folder / clip
    made.mkdir()
    shutil.copyfile(CASE / "case.json", made / "case.json")
    (made / "weights.json").write_text("{}", encoding="utf-8")
    (made / "clips").symlink_to(CASE / "clips")
    dimension = json.loads((CASE / "expected.json").read_text(encoding="utf-8"))["dims"][target]
    (video,) = (video for video in dimension["videos"] if clip in video["name"])
    expected = {"dims": {target: {"aggregate": float(video["score"]) / scale, "videos": [video]}}}
    (made / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    return made


def _compared(target: str, folder: Path, states: Mapping[str, Any]) -> Sequence[Any]:
    """Return the comparisons of a case by the code as it is imported now."""
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    if target not in CLIPS:
        from anisora.harness.registry import registry

        found: Sequence[Any] = registry("parity").get(target)(folder, case)
        return found
    from anisora.metrics.golden.dimension import compare_dimension
    from anisora.metrics.golden.vbench import dimension_named

    made = {tag: lambda _seed, state=state: state for tag, state in states.items()}
    return compare_dimension(folder, case, target, dataclasses.replace(dimension_named(target), states=made))


def _forked(target: str, name: str, mistake: Mistake | None, compare: Callable[[], Sequence[Any]]) -> None:
    """Run one comparison in a fork, which writes its outcome to stdout, and wait for it."""
    started = time.monotonic()

    def tell(verdict: str, detail: str = "") -> None:
        seconds = time.monotonic() - started
        outcome = Outcome(target=target, name=name, verdict=verdict, detail=detail[:300], seconds=seconds)
        os.write(1, f"{json.dumps(asdict(outcome))}\n".encode())

    child = os.fork()
    if child == 0:
        signal.alarm(_LIMIT)
        try:
            tell(*_judged(mistake, compare))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        tell("died", f"the process ended with {os.waitstatus_to_exitcode(status)}")


def _judged(mistake: Mistake | None, compare: Callable[[], Sequence[Any]]) -> tuple[str, str]:
    finder = None
    if mistake is not None:
        finder = _Finder(mistake)
        sys.meta_path.insert(0, finder)
    try:
        comparisons = compare()
    except Exception as error:
        return "failed" if mistake is None else "raised", f"{type(error).__name__}: {error}"
    if finder is not None and not finder.is_used:
        return "not imported", f"{finder.name} is never imported"
    if not comparisons:
        return "failed" if mistake is None else "survived", "nothing was compared"
    worst = max(comparisons, key=lambda each: (not each.passed, each.error / (each.tolerance or 1e-300)))
    detail = f"error {worst.error:.2g} of {worst.tolerance:.2g}, {worst.name} {worst.note}".rstrip()
    if mistake is None:
        return ("passed", f"{len(comparisons)} compared, {detail}") if worst.passed else ("failed", detail)
    return "survived" if worst.passed else "broken", detail


def _summary(outcomes: Sequence[Outcome], mistakes: Sequence[Mistake], seconds: float) -> str:
    kinds = Counter(mistake.kind for mistake in mistakes)
    broken = sum(outcome.verdict == "broken" for outcome in outcomes)
    wrong = [f"{outcome.target}: {outcome.name}" for outcome in outcomes if not outcome.is_good]
    counted = ", ".join(f"{kinds[kind]} of {kind}" for kind in KINDS)
    text = f"parity-mutants: {broken} of {len(mistakes)} mistakes break a golden case ({counted}), {seconds:.0f} s"
    return f"{text}; not as they must be: {'; '.join(wrong)}" if wrong else text


def report(mistakes: Sequence[Mistake], golden: Path, *, jobs: int = 2) -> int:
    """Run the mistakes whose case is there, and print a line for each and a summary.

    Args:
        mistakes: Of any targets.
        golden: Folder with the cases of targets that are no dimension; without one, their mistakes are left out.
        jobs: Targets at the same time.

    Returns:
        0 where something ran, every mistake breaks its case and every control passes; else 1.
    """
    there = [each for each in mistakes if each.target in CLIPS or (golden / each.target / "case.json").is_file()]
    started = time.monotonic()
    outcomes = list(run_mistakes(there, golden, jobs=jobs))
    click.echo(_summary(outcomes, there, time.monotonic() - started))
    for target, count in Counter(each.target for each in mistakes if each not in there).items():
        click.echo(f"left out: {count} mistakes of {target}, for which `{golden}` has no case")
    return 0 if outcomes and all(outcome.is_good for outcome in outcomes) else 1


@click.command()
@click.argument("golden", type=click.Path(path_type=Path), default=REPOSITORY.parent / "shared" / "golden")
@click.option("--targets", envvar="TARGETS", default="", help="Comma-separated dimensions and kinds of cases.")
@click.option("--name", "names", multiple=True, help="Of a mistake, as it is printed; can be given again.")
@click.option("--jobs", default=2, show_default=True, help="Targets at the same time.")
@click.option("--worker", is_flag=True, hidden=True)
def main(golden: Path, targets: str, names: Sequence[str], jobs: int, worker: bool) -> None:
    """Plant known mistakes one by one; exit 1 unless each breaks a golden case and the code as it is passes.

    Example: python tests/mutants/parity_mutants.py ../shared/golden --targets motion_smoothness
    """
    if worker:
        _work(json.load(sys.stdin))
        return
    asked = [target.strip() for target in targets.split(",") if target.strip()]
    known = {each.target for each in MISTAKES} | {each.name for each in MISTAKES}
    for word in (*asked, *names):
        if word not in known:
            raise click.UsageError(f"no mistake has the target or name {word!r}; planted_mistakes.py has them all")
    chosen = [each for each in MISTAKES if (not asked or each.target in asked) and (not names or each.name in names)]
    sys.exit(report(chosen, golden.resolve(), jobs=jobs))


if __name__ == "__main__":
    main()
