"""Many run folders, written by hand in the twinkling of an eye: what a site is made of."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from run_folders import finished

from leadscore.record.champion import champion_at, enter_promotion
from leadscore.record.find import read_run

START = datetime(2024, 5, 1, tzinfo=UTC)
MODELS, SETS = ("logistic", "lightgbm", "hist_boosting"), (["base"], ["base", "sessions"], ["base", "recency"])


def run_id_of(number: int) -> str:
    return f"{START + timedelta(hours=number):%Y%m%dT%H%M%S}-{number:08x}"


class ManyRuns:
    """Writes runs under a root, each the copy of one with what the story says of it.

    Parameters
    ----------
    root : Path
        What a `tracking.root` is.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pattern = finished(root.parent / "pattern")
        self._rng = np.random.default_rng(0)
        root.mkdir(parents=True, exist_ok=True)

    def add(self, number: int, folder: Path | None = None, **said: Any) -> Path:
        """Write one run.

        Parameters
        ----------
        number : int
            Its hour, and what its name, model and features follow from.
        folder : Path, optional
            Default: one under the root.
        **said
            `status`, `error`, `notes`, `model`, `feature_sets`, `validation_hash`, `auc`, `checks`, `report`,
            `overrides`; what is not said is made up.
        """
        run_id = run_id_of(number)
        folder = folder or self.root / f"{START:%Y-%m-%d}" / run_id
        folder.mkdir(parents=True)
        status = said.get("status", "done")
        started = START + timedelta(hours=number)
        identity = {
            "run_id": run_id,
            "status": status,
            "started": started.isoformat(timespec="microseconds"),
            "ended": (started + timedelta(minutes=3)).isoformat(timespec="microseconds"),
            "feature_sets": said.get("feature_sets", SETS[number % 3]),
            "config_hash": f"{number:064x}",
            "identity": f"{number:064x}",
            "validation_hash": said.get("validation_hash", "a" * 64),
            "parts": {},
        }
        if "error" in said:
            identity["error"] = said["error"]
        _json(folder / "identity.json", identity)
        model = said.get("model", MODELS[number % 2])
        config = {"data": {"name": "crm"}, "model": {"name": model}, "features": {"logins": {}}, "seed": 0}
        config |= {"notes": said.get("notes", f"try {number}"), "tracking": {"root": str(self.root)}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        if "overrides" in said:
            (folder / ".hydra").mkdir()
            (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(said["overrides"]))
        if status == "done":
            self._measured(folder, said)
        return folder

    def _measured(self, folder: Path, said: dict[str, Any]) -> None:
        auc = said.get("auc", round(float(self._rng.uniform(0.7, 0.8)), 4))
        interval = {"value": auc, "low": auc - 0.03, "high": auc + 0.03}
        fold = {"n": 300, "positives": 150, "metrics": {"auc": auc}, "intervals": {"auc": interval}}
        _json(folder / "metrics.json", {"metrics": fold["metrics"], "intervals": {"auc": interval}, "folds": [fold]})
        _json(folder / "checks.json", {"checks": said.get("checks", [])})
        windows = {"horizon": "30d", "data_end": "2024-07-01T00:00:00+00:00", "validation": "holdout", "folds": []}
        _json(folder / "windows.json", {**windows, "rows": {"load": {}, "window": {}}})
        os.link(self._pattern / "predictions.parquet", folder / "predictions.parquet")
        if said.get("report", True):
            (folder / "report.html").write_text(f"<!doctype html><title>{folder.name}</title><p>its own report</p>")

    def add_sweep(self, first: int, n: int, name: str = "2024-05-01/10-00-00", **said: Any) -> Path:
        """Write a sweep's folder with so many jobs."""
        folder = self.root.parent / "multirun" / name
        folder.mkdir(parents=True)
        (folder / "multirun.yaml").write_text("hydra: {}\n")
        for job in range(n):
            overrides = [f"model={MODELS[job % 2]}", f"seed={job}", "notes=swept"]
            self.add(first + job, folder / str(job), overrides=overrides, notes="swept", **said)
        return folder

    def rescore(self, folder: Path, better: float, **columns: Any) -> None:
        """Give a run predictions of its own: those of converting leads higher, and columns as the story has them."""
        predictions = read_run(folder).predictions
        score = (predictions["probability"] + better * predictions["label"]).clip(0, 1)
        (folder / "predictions.parquet").unlink()
        predictions.assign(probability=score, **columns).to_parquet(folder / "predictions.parquet", index=False)

    def promote(self, number: int, **said: Any) -> None:
        """Make a run champion without asking; `why` and `forced` are the story's."""
        before = champion_at(self.root)
        run = read_run(self.root / f"{START:%Y-%m-%d}" / run_id_of(number))
        verdict = {"answer": "no evidence", "sentence": "None."} if before else None
        how: dict[str, Any] = {"why": "tried", "verdict": verdict, "gate": [], "forced": False, **said}
        enter_promotion(self.root, run, before, **how)

    def remove(self, folder: Path) -> None:
        shutil.rmtree(folder)


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))
