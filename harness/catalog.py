"""Commands and parity handlers by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "commands": {
        "doctor": "anisora.harness.commands.inspecting:doctor",
        "evaluate": "anisora.harness.commands.running:evaluate",
        "generate": "anisora.harness.commands.running:generate",
        "list": "anisora.harness.commands.inspecting:list_names",
        "rerun": "anisora.harness.commands.running:rerun",
        "rescore": "anisora.harness.commands.running:rescore",
        "run": "anisora.harness.commands.running:run",
        "suite": "anisora.harness.commands.inspecting:suite",
        "verify": "anisora.harness.commands.running:verify",
        "weights": "anisora.harness.commands.weights:weights",
    },
    "parity": {
        "c06_frame_sampling": "anisora.harness.parity_cases.frame_sampling:check",
    },
}
