"""Does scoring give what training recorded? A fresh process scores the validation rows from raw tables and compares."""

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.errors import LeadscoreError, RecordError

if TYPE_CHECKING:
    from leadscore.config.schema import WindowConfig
    from leadscore.record import Run
    from leadscore.scoring.batch import Batch
    from leadscore.tables import Tables

__all__ = ["Parity", "parity", "parity_of"]

ALONE, TOLERANCE = 25, 1e-12
COMPARE = "from leadscore.scoring.parity import compare; compare()"
Parity = dict[str, Any]


def parity(run: "Run", *, plugins: Sequence[str] = (), data_dir: str | Path | None = None) -> tuple[bool, str]:
    """Return whether scoring the saved fold's validation rows gives the recorded predictions, and what was seen.

    Parameters
    ----------
    run : Run
        Done; from `open_run`.
    plugins : sequence of str
        Modules that register what the run used; a record's own list is never imported.
    data_dir : path, optional
        Where the data lie now; default: as recorded.
    """
    found = parity_of(run, plugins=plugins, data_dir=data_dir)
    return found["holds"], found["sentence"]


def parity_of(run: "Run", *, plugins: Sequence[str] = (), data_dir: str | Path | None = None) -> Parity:
    """Return the numbers behind `parity`: `rows`, `differing`, `largest`, `chunks` and `alone`.

    Raises
    ------
    RecordError
        When the rows cannot be scored, with what the process said.
    """
    with tempfile.TemporaryDirectory(prefix="leadscore-parity-") as folder:
        command = [sys.executable, "-c", COMPARE, str(run.folder.resolve()), folder, str(data_dir or ""), *plugins]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip() or f"exit status {done.returncode}"
            raise RecordError(f"run {run.run_id} could not be scored again: {said}")
        found: Parity = json.loads((Path(folder) / "parity.json").read_bytes())
    return {**found, "holds": _holds(found), "sentence": _sentence(found)}


def _holds(found: Parity) -> bool:
    apart = [found[way] for way in ("chunks", "alone") if found[way] is not None]
    return not found["differing"] and all(distance <= TOLERANCE for distance in apart)


def _sentence(found: Parity) -> str:
    rows, differing = found["rows"], found["differing"]
    if differing:
        return (
            f"scoring differs from training in {differing:,} of {rows:,} validation rows, by up to "
            f"{found['largest']:.3g}, first for user_id '{found['first'][0]}' at {found['first'][1]}"
        )
    if found["alone"] is None:
        ways = "chunks and single leads are not asked, because its features compare leads"
    elif _holds(found):
        ways = f"so do chunks and {found['n_alone']} leads one at a time"
    else:
        ways = f"but chunks differ by {found['chunks']:.3g} and leads one at a time by {found['alone']:.3g}"
    return f"scoring from raw tables gives all {rows:,} recorded validation predictions bit for bit; {ways}"


def compare() -> None:
    """Score a recorded run's validation rows in this process, as `parity_of` asks; a refusal has no traceback."""
    from leadscore.record import open_run

    recorded, into, data_dir, *plugins = sys.argv[1:]
    logging.disable(logging.WARNING)
    try:
        # whether another version of a library scores otherwise is what is asked
        run = replace(open_run(Path(recorded)), any_version=True)
        found = _compared(run, into, plugins, data_dir or None)
    except LeadscoreError as error:
        sys.exit(str(error))
    (Path(into) / "parity.json").write_text(json.dumps(found), encoding="utf-8")


def _compared(run: "Run", into: str, plugins: Sequence[str], data_dir: str | None) -> Parity:
    from leadscore.model.store import read_manifest

    kept = read_manifest(run.folder / "model")["extra"]
    told = run.predictions
    told = told[(told["fold"] == kept["fold"]) & (told["seed"] == kept["seed"])].reset_index(drop=True)
    batch = _batch(run, into, plugins, data_dir)
    rows = batch.population.frame.merge(told[["user_id", "as_of", "probability"]], on=["user_id", "as_of"], how="inner")
    if len(rows) != len(told):
        raise RecordError(f"{len(told) - len(rows):,} of {len(told):,} validation rows are not in the data any more")
    due = rows["probability"].to_numpy()
    rows = rows.drop(columns="probability")
    whole = _scores(batch, rows, len(rows))
    differs = np.flatnonzero(whole.view("int64") != due.view("int64"))
    found: Parity = {"rows": len(rows), "differing": len(differs), "chunks": None, "alone": None, "n_alone": 0}
    if len(differs):
        first = rows.iloc[differs[0]]
        found |= {"largest": float(np.abs(whole - due).max()), "first": [first["user_id"], str(first["as_of"])]}
    if any(step.feature.across_leads for step in batch.gaps.plan.steps):
        return found
    some = np.unique(np.linspace(0, len(rows) - 1, ALONE).astype(int))
    alone = _scores(batch, rows.iloc[some], 1)
    chunks = _scores(batch, rows, max(1, len(rows) // 7))
    return found | {
        "chunks": float(np.abs(chunks - whole).max()),
        "alone": float(np.abs(alone - whole[some]).max()),
        "n_alone": len(some),
    }


def _batch(run: "Run", into: str, plugins: Sequence[str], data_dir: str | None) -> "Batch":
    """Return a batch of every point of the run's window, out of which the validation rows are picked."""
    from leadscore.config.score_schema import ScoreConfig
    from leadscore.pipeline import plan_run
    from leadscore.preparing import load_checked
    from leadscore.repetition import config_of
    from leadscore.scoring.batch import Batch
    from leadscore.scoring.gaps import find_gaps
    from leadscore.scoring.population import Population

    recorded = config_of(run, plugins, data_dir, tracking_root=into)
    plan = plan_run(recorded)
    tables = load_checked(recorded.data, None)
    config = ScoreConfig(data=recorded.data, compute=recorded.compute)
    gaps = find_gaps(plan, tables, {}, config, f"{run.model.name} of run {run.run_id}")
    frame = _points(tables, recorded.window)
    return Batch(run, config, tables, Population(frame, tables.data_end, None, {}), gaps)


def _points(tables: "Tables", window: "WindowConfig") -> pd.DataFrame:
    from leadscore.window import own_points

    return own_points(tables, window).dropna(subset=["as_of"])[["user_id", "as_of", "lead_row"]]


def _scores(batch: "Batch", rows: pd.DataFrame, size: int) -> Any:
    return np.concatenate([chunk.frame["probability"].to_numpy() for chunk in batch.chunks(rows, size)])
