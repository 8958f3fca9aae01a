"""A run's row in the log, from the files in its folder alone: whoever writes it, and whenever, it is the same row."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leadscore.errors import RecordError
from leadscore.record.find import Run
from leadscore.record.shelf import CONFIG

__all__ = ["INTERRUPTED", "is_logged", "row_of"]

INTERRUPTED = "interrupted"  # what a killed run is: its own file says `running` for ever
LONGEST_NOTE = 2_000  # characters; the whole text is in config.yaml
LONGEST_ERROR = 500
IN_COLUMNS = ("auc", "precision_at_0_8_recall")  # metrics with a column of their own


def row_of(run: Run) -> dict[str, Any]:
    """Return the log's row of a run that is not at work.

    Raises
    ------
    RecordError
        When one of its files is missing or damaged.
    """
    try:
        return _row_of(run)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"
        raise RecordError(f"{run.folder}: its files are not as a run leaves them ({said})") from None


def is_logged(run: Run) -> bool:
    """Whether a run was to have a row at all: `tracking=none` asks for none."""
    tracking = _config(run).get("tracking")
    return not isinstance(tracking, dict) or tracking.get("name") != "none"


def _row_of(run: Run) -> dict[str, Any]:
    identity, config = run.identity, _config(run)
    row = {
        "timestamp": _seconds(identity.get("ended") or identity.get("started")),
        "config_hash": identity.get("config_hash"),
        "notes": _short(str(config.get("notes") or "")),
        "run_id": identity["run_id"],
        "identity": identity.get("identity"),
        "status": identity.get("status"),
        "model": config.get("model", {}).get("name"),
        "features": "+".join(identity.get("feature_sets", ())) or f"{len(config.get('features', ()))} features",
        "validation_hash": identity.get("validation_hash"),
    }
    if identity.get("status") == "done":
        return {**row, **_measured(run.metrics, run.checks)}
    error = identity.get("error")
    if identity.get("status") == "running":
        row["status"], error = INTERRUPTED, "the process ended before the run did"
    return {**row, "metrics_json": json.dumps({"error": str(error)[:LONGEST_ERROR]})}


def _measured(metrics: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, Any]:
    values, folds = metrics["metrics"], metrics["folds"]
    counted = {name: sum(fold[name] for fold in folds) for name in ("n", "positives")}
    rest = {name: value for name, value in values.items() if name not in IN_COLUMNS}
    spoken = [check["result"] for check in checks["checks"] if not check.get("muted")]
    said = {result: spoken.count(result) for result in ("note", "problem")}
    more = {**counted, **rest, "reasons": metrics["reasons"], "checks": said}
    return {**{name: values[name] for name in IN_COLUMNS}, "metrics_json": json.dumps(more, allow_nan=False)}


def _config(run: Run) -> dict[str, Any]:
    return run.config if (run.folder / CONFIG).exists() else {}  # killed before it was written


def _seconds(instant: Any) -> str | None:
    return datetime.fromisoformat(instant).isoformat(timespec="seconds") if instant else None


def _short(note: str) -> str:
    return note if len(note) <= LONGEST_NOTE else f"{note[:LONGEST_NOTE]} ... (whole in {CONFIG})"
