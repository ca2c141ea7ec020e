"""Where finished runs are told by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "loggers": {
        "duckdb": "anisora.leaderboards.store:DuckDBLogger",
        "mlflow": "anisora.leaderboards.tracking:MlflowLogger",
    },
    "training_loggers": {
        "duckdb": "anisora.leaderboards.training_store:DuckDBTrainingLogger",
        "mlflow": "anisora.leaderboards.training_tracking:MlflowTrainingLogger",
    },
    "presenters": {
        "published_table": "anisora.leaderboards.published.tables:published_table",
        "stored_run": "anisora.leaderboards.stored_runs:stored_run",
        "runs": "anisora.leaderboards.presentation:present_runs",
    },
    "commands": {
        "claims": "anisora.leaderboards.claims.commands:claims",
        "compare": "anisora.leaderboards.commands:compare",
        "demo": "anisora.leaderboards.commands:demo",
        "leaderboard": "anisora.leaderboards.commands:leaderboard",
        "power": "anisora.leaderboards.commands:power",
        "replot": "anisora.leaderboards.report.paper_figures.commands:replot",
        "report": "anisora.leaderboards.report.commands:report",
    },
}
