"""leadscore: lead-scoring runs that are composed, named, checked, comparable and reversible.

What a door does, a notebook can do too::

    from leadscore import build_dataset, compose, compose_score, open_run, run, score_leads, train_model

Importing the package costs nothing; each name loads what it needs when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "ablate_run",
    "build_dataset",
    "champion_at",
    "compose",
    "diff_runs",
    "load_events",
    "open_run",
    "promote",
    "rollback",
    "run",
    "train_model",
]

_HOMES = {
    "ablate_run": "leadscore.ablation",
    "build_dataset": "leadscore.pipeline",
    "champion_at": "leadscore.record.champion",
    "compose": "leadscore.pipeline",
    "compose_score": "leadscore.scoring",
    "diff_runs": "leadscore.changes",
    "diff_scores": "leadscore.scoring",
    "load_events": "leadscore.data",
    "open_run": "leadscore.record",
    "outcomes_of": "leadscore.scoring",
    "promote": "leadscore.promotion",
    "rollback": "leadscore.record.champion",
    "run": "leadscore.pipeline",
    "score_leads": "leadscore.scoring",
    "train_model": "leadscore.pipeline",
}


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'leadscore' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
