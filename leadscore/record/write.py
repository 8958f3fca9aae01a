"""What a run leaves on its shelf, from the values the walk produced, and how it comes to its row in the log."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config, TrackingConfig
from leadscore.errors import LeadscoreError, RecordError
from leadscore.record.find import read_run
from leadscore.record.log import LOG, read_rows
from leadscore.record.row import row_of
from leadscore.record.seals import data_set
from leadscore.record.shelf import (
    CHECKS,
    CONFIG,
    FEATURES,
    IDENTITY,
    MARK,
    METRICS,
    MODEL,
    PREDICTIONS,
    SCHEMA,
    SEARCH,
    VALUES,
    WINDOWS,
    Shelf,
    write_json,
)
from leadscore.record.trackers import Tracker, make_tracker
from leadscore.results import Dataset, FoldResult, TrainedRun, Windows
from leadscore.serving import Serving
from leadscore.split import Fold, UnitFold, caveats, draw_folds
from leadscore.times import format_duration

if TYPE_CHECKING:
    from leadscore.features.plan import Planned

__all__ = [
    "config_yaml",
    "dictionary_cells",
    "ended",
    "markdown_row",
    "record_end",
    "record_failure",
    "record_run",
    "write_config",
    "write_features",
    "write_run",
    "write_windows",
]

log = logging.getLogger(__name__)

PERIODS = 30  # at most, of the observations over time
DICTIONARY = ("column", "meaning", "reads", "window", "unit", "without such rows", "missing means")
ROW_SCHEMA = {
    "version": 1,
    "rows": PREDICTIONS,
    "columns": {
        "user_id": "text; the lead",
        "as_of": "timestamp[us, UTC]; the instant the score would have been made",
        "fold": "int; validation fold, 0 is the earliest",
        "seed": "int; the run's seed; from there upwards its refits, each on a bootstrap of the training leads",
        "label": "int8; 1 converted in [as_of, as_of + horizon), else 0",
        "probability": "float64; P(convert within the horizon)",
    },
}


def write_config(shelf: Shelf, config: Config) -> None:
    """Write `config.yaml`, before any work: what was asked is known of every run, however it ends."""
    shelf.text(CONFIG, config_yaml(config))


def write_windows(shelf: Shelf, windows: Windows) -> None:
    """Write `schema.json` and `windows.json`: all that is known once the folds are laid."""
    shelf.json(SCHEMA, ROW_SCHEMA)
    rows, seal = windows.observations.frame, windows.seal
    shelf.json(
        WINDOWS,
        {
            "data_end": windows.tables.data_end.isoformat(),
            "horizon": format_duration(windows.observations.horizon.to_pytimedelta()),
            "rows": {"load": dict(windows.tables.counts), "window": dict(windows.observations.counts)},
            "notes": list(windows.tables.notes),
            "cache": None if windows.store is None else windows.store.told("tables"),
            "validation": windows.config.validation.name,
            "seal": None if seal is None else {"data_set": data_set(windows.config.data), **seal.to_json()},
            "folds": [_fold(fold, rows) for fold in windows.folds],
            "over_time": _over_time(rows["as_of"], rows["label"]),
            "picture": draw_folds(windows.folds).splitlines(),
            "caveats": caveats(windows.folds, rows),
        },
    )


def write_features(shelf: Shelf, dataset: Dataset) -> None:
    """Write `features.md`, the dictionary of the columns used."""
    lines = [
        "# Features",
        "",
        "Every column of the model table, in its order. A window is half-open: it ends just before the score is made.",
        "",
        markdown_row(DICTIONARY),
        "|" + "---|" * len(DICTIONARY),
        *(markdown_row(dictionary_cells(step).values()) for step in dataset.plan.column_steps),
    ]
    shelf.text(FEATURES, "\n".join(lines) + "\n")


def write_run(shelf: Shelf, run: TrainedRun, serving: Serving) -> str:
    """Write predictions, metrics, checks and the model with what scoring needs; return the sha256 of its manifest."""
    from leadscore.model.store import SERVING, save_model

    shelf.parquet(PREDICTIONS, run.predictions)
    if (values := run.valid_features) is not None:
        shelf.parquet(VALUES, values)
    shelf.json(CHECKS, {"checks": [check.to_json() for check in run.checks], "audit": _audit(run)})
    extra = {"fold": run.folds[-1].number, "seed": run.config.seed}
    manifest = save_model(run.model, shelf.folder / MODEL, extra, {SERVING: serving.to_json()})
    if run.search is not None:
        shelf.json(SEARCH, run.search.to_json())
    shelf.json(METRICS, metrics_of(run))
    return str(manifest["sha256"])


def metrics_of(run: TrainedRun) -> dict[str, Any]:
    """Return `metrics.json`: means over the folds, each fold beside it, what they are to be compared with, and why."""
    last = run.folds[-1]
    return {
        **run.metrics,
        "baselines": {name: [_of(fold.baselines[name].evaluation) for fold in run.folds] for name in last.baselines},
        "best_reachable": None if last.best_reachable is None else [_of(fold.best_reachable) for fold in run.folds],
        "rows": {"features": len(run.dataset.X), "columns": run.dataset.X.shape[1], "folds": _rows(run)},
        "train_and_valid": [None if fold.sides is None else fold.sides.to_json() for fold in run.folds],
        "importance": run.importance.to_dict("records"),
        "importance_scale": run.importance_scale,
        "model_in_words": run.model.in_words(),
        "effects": run.effects,
        **({} if run.search is None else {"search": run.search.summary}),
        "bands": run.bands.to_json(),
        "feature_seconds": {name: round(seconds, 4) for name, seconds in run.dataset.table.seconds.items()},
        "features_from_cache": list(run.dataset.table.recalled),
        "warnings": [*run.warnings, *run.dataset.table.notes, *run.dataset.reviews],
    }


def _audit(run: TrainedRun) -> dict[str, Any] | None:
    """Return what was tried on each feature, and what a person should look at; None where the audit was off."""
    report = run.dataset.audit
    if report is None:
        return None
    return {
        "level": run.dataset.config.audit,
        "tried": {name: list(checks) for name, checks in report.checks.items()},
        "reviews": run.dataset.reviews,
    }


def record_run(shelf: Shelf, tracker: Tracker) -> str | None:
    """Tell the tracker of a finished run, and return where it was told.

    Raises
    ------
    RecordError
        When that cannot be done; the folder is complete all the same.
    """
    try:
        return tracker.record(row_of(read_run(shelf.folder)), shelf.folder)
    except RecordError as error:
        raise RecordError(
            f"{error}. The run itself is whole, in {shelf.folder}: once that is mended, leadscore runs rebuild lists it"
        ) from None


def record_failure(shelf: Shelf, tracker: Tracker, identity: Mapping[str, Any], error: BaseException) -> None:
    """Write down that a run failed or was stopped; what fails while doing so is logged and never hides the first error.

    A run is stopped by Ctrl-C, or by a signal that its door turns into a `KeyboardInterrupt`.
    """
    status = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
    reason = str(error) or ("stopped by Ctrl-C" if status == "cancelled" else type(error).__name__)
    try:
        shelf.json(IDENTITY, {**ended(identity, status), "error": reason})
        tracker.record(row_of(read_run(shelf.folder)), shelf.folder)
    except LeadscoreError as second:
        log.warning("the failure could not be recorded: %s", second)


def record_end(folder: Path, config: TrackingConfig, status: str, reason: str) -> str | None:
    """Write down how a run ended whose process is gone, and return its status; None where it had not begun.

    A run that had come to its end keeps what it wrote, and gets its row if it had not come to that. What fails is
    logged: the folder says `running` then, which `leadscore runs rebuild` takes for interrupted.
    """
    if not (folder / IDENTITY).exists():
        return None
    try:
        run = read_run(folder)
        if run.identity.get("status") == "running":
            write_json(folder / IDENTITY, {**ended(run.identity, status), "error": reason})
            (folder / MARK).unlink(missing_ok=True)
            run = read_run(folder)
        if all(row["run_id"] != run.run_id for row in read_rows(Path(config.root) / LOG)):
            make_tracker(config).record(row_of(run), folder)
    except (LeadscoreError, OSError) as error:
        log.warning("the end of the run in %s could not be recorded: %s", folder, error)
        return status
    return str(run.identity["status"])


def ended(identity: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Return the identity of a run that has come to its end."""
    return {**identity, "status": status, "ended": datetime.now(UTC).isoformat(timespec="microseconds")}


def _of(evaluation: Any) -> dict[str, Any]:
    return dict(evaluation.to_json()["metrics"])


def _rows(run: TrainedRun) -> list[dict[str, int]]:
    return [_counts(fold) for fold in run.folds]


def _counts(result: FoldResult) -> dict[str, int]:
    inner = {"inner": result.n_inner} if result.n_inner else {}
    return {
        "fold": result.number,
        "train": result.n_train,
        **inner,
        "purged": result.n_purged,
        "valid": result.evaluation.n,
    }


def _fold(fold: Fold | UnitFold, rows: Any) -> dict[str, Any]:
    train, valid, label = fold.train(rows), fold.valid(rows), rows["label"]
    return {
        **fold.to_json(),
        "rows": {"train": int(train.sum()), "purged": int(fold.purged(rows).sum()), "valid": int(valid.sum())},
        "positives": {"train": int(label[train].sum()), "valid": int(label[valid].sum())},
    }


def _over_time(as_of: Any, label: Any) -> list[dict[str, Any]]:
    """Return how many observations, and how many that converted, each of some equal periods has.

    They are whole days, and weeks where they are longer: weekly snapshots fill them alike.
    """
    import numpy as np
    import pandas as pd

    if as_of.empty:
        return []
    first = as_of.min().floor("D")
    days = (as_of.max() - first).days // PERIODS + 1
    length = pd.Timedelta(days=days if days < 7 else -(-days // 7) * 7)
    period = ((as_of - first) // length).to_numpy()
    n = np.bincount(period)
    positives = np.bincount(period, weights=label.to_numpy())
    return [
        {"start": (first + number * length).isoformat(), "end": (first + (number + 1) * length).isoformat()}
        | {"rows": int(n[number]), "positives": int(positives[number])}
        for number in range(len(n))
    ]


def dictionary_cells(step: "Planned") -> dict[str, str]:
    """Return what a dictionary says of one column, by the heading it stands under."""
    each = step.feature
    types = ", ".join(each.event_types) or "all events" if each.source == "events" else "the lead's row"
    value = each.no_events
    without = "" if value is None else f"{value:g}" if isinstance(value, int | float) else value
    cells = (each.name, step.meaning, types, each.window, each.unit, without, each.missing or "an error")
    return dict(zip(DICTIONARY, cells, strict=True))


def markdown_row(cells: Iterable[str]) -> str:
    """Return one row of a Markdown table, whatever the cells hold."""
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def config_yaml(config: Config) -> str:
    """Return the resolved config as YAML, keys sorted: made for `git diff`."""
    import yaml

    plain = dataclasses.asdict(config)
    plain.pop("feature_sets")
    return str(yaml.safe_dump(plain, sort_keys=True, allow_unicode=True))
