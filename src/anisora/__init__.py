"""anisora-harness: evaluation-first harness for anime video generation.

Importing this package is cheap: no torch, pandas or matplotlib is loaded until a name that needs it is used.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from anisora.harness.stages.run import evaluate as evaluate
    from anisora.harness.stages.run import rescore as rescore
    from anisora.harness.stages.run import run as run
    from anisora.leaderboards.store import Leaderboard as Leaderboard
    from anisora.reward.metric_reward import reward as reward

_PUBLIC = {
    "Leaderboard": "anisora.leaderboards.store",
    "evaluate": "anisora.harness.stages.run",
    "rescore": "anisora.harness.stages.run",
    "run": "anisora.harness.stages.run",
}

__all__ = ["Leaderboard", "__version__", "evaluate", "rescore", "reward", "run"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    """Import a public name the first time it is used."""
    if name == "reward":
        return import_module("anisora.reward")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'anisora' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _RewardFolder(ModuleType):
    """The folder ``anisora.reward`` that can also be called: ``anisora.reward("metric_reward:temporal_flickering")``."""

    def __call__(self, name: str, /, **options: Any) -> Any:  # noqa: ANN401 - passed on as they are
        """Create a reward; see ``anisora.reward.metric_reward.reward``."""
        return import_module("anisora.reward.metric_reward").reward(name, **options)


class _Package(ModuleType):
    """This module, told when a sub-package is bound to it."""

    def __setattr__(self, name: str, value: object) -> None:
        # Importing anything below anisora/reward/ binds the folder to the name of the public function. The folder is
        # made callable, so that the name means the same whichever of the two came first.
        if name == "reward" and isinstance(value, ModuleType):
            value.__class__ = _RewardFolder
        super().__setattr__(name, value)


class _TorchvisionHook:
    """Lets ``import torchvision`` work beside a torch build that its compiled operators do not fit.

    The wheel on the package index is compiled for CUDA. Beside a CPU build of torch its extension does not load, and the
    import fails because two operators have no schema (pytorch/vision issues 9077 and 9085). The hook loads the extension
    where that works and declares the two schemas where it does not. It never finds a module itself.
    """

    _SCHEMAS = (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    )

    def __init__(self) -> None:
        self._library: Any = None  # the schemas vanish with the object that declared them
        self._is_done = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Prepare for torchvision when it is looked up; return None, so that the normal import goes on."""
        if name == "torchvision" and not self._is_done:
            self._is_done = True
            found = PathFinder.find_spec(name, path, target)
            if found is not None and found.origin is not None and PathFinder.find_spec("torch") is not None:
                self._prepare(Path(found.origin).parent)
        return None

    def _prepare(self, folder: Path) -> None:
        try:
            torch: Any = import_module("torch")
        except (ImportError, OSError, RuntimeError):
            return  # the import of torchvision itself will say what is wrong with torch
        for extension in (*folder.glob("_C*.so"), *folder.glob("_C*.pyd")):
            try:
                torch.ops.load_library(str(extension))
            except OSError:
                continue
            return
        self._library = torch.library.Library("torchvision", "DEF")
        for schema in self._SCHEMAS:
            self._library.define(schema)


sys.modules[__name__].__class__ = _Package
if not any(type(finder).__name__ == _TorchvisionHook.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, _TorchvisionHook())
