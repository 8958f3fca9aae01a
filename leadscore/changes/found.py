"""What a search found: the parameters that two runs were fitted with, where one of them did not state its own."""

from typing import Any

from leadscore.changes.config import ABSENT, Change, flat, searches
from leadscore.record import Run

__all__ = ["found_changes"]


def found_changes(a: Run, b: Run) -> list[Change]:
    """Return the parameters that a search found in either run and that the models were not fitted with alike."""
    found = [_found(run) for run in (a, b)]
    fitted = [{**dict(flat({"model": run.config["model"]})), **own} for run, own in zip((a, b), found, strict=True)]
    keys = sorted({*found[0], *found[1]})
    pairs = [Change(key, fitted[0].get(key, ABSENT), fitted[1].get(key, ABSENT)) for key in keys]
    return [each for each in pairs if each.a != each.b]


def _found(run: Run) -> dict[str, Any]:
    """Return the parameters that a run's search found, by their keys; none for a run that did not search."""
    if not searches(run.config):
        return {}
    winner: dict[str, Any] = run.metrics["search"]["winner"]["parameters"]
    return {f"model.{key}": value for key, value in winner.items()}
