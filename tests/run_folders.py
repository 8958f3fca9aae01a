"""A finished run's folder, written by hand: small, whole, and nothing was trained for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

HASH = "c0ffee11" + "0" * 56
IDENTITY = "1d" * 32
SECRET = "a1b2c3d4" * 5  # as long as a real key
RULES = {"auc": 0.5, "brier": 0.1}


def predictions(rows: int = 300, folds: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    probability = np.round(rng.uniform(size=rows), 3)
    return pd.DataFrame(
        {
            "user_id": [f"lead{n}@example.com" for n in range(rows)],
            "as_of": pd.Timestamp("2024-05-01", tz="UTC").as_unit("us"),
            "fold": np.arange(rows) % folds,
            "seed": 0,
            "label": (rng.uniform(size=rows) < probability).astype("int8"),
            "probability": probability,
        }
    )


def finished(folder: Path, run_id: str = "20240501T000000-aaaaaaaa", **tracking: Any) -> Path:
    """Write a run that was tracked by `tracking=wandb`."""
    (folder / "model").mkdir(parents=True)
    told = {"root": str(folder.parent), "name": "wandb", "timeout": "20s", **tracking}
    config = {"data": {"name": "crm 2"}, "features": {"logins": {}, "sums": {"days": 7}}, "notes": "why", "seed": 0}
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "tracking": told}))
    interval = {"auc": {"value": 0.7, "low": 0.6, "high": 0.8}, "brier": {"value": 0.1, "low": None, "high": None}}
    fold = {"n": 300, "positives": 150, "metrics": {"auc": 0.7, "brier": 0.1}, "intervals": interval}
    check = {"code": "LS005", "result": "problem", "title": "Too few", "sentence": "9 converted.", "action": "Wait."}
    identity = {"run_id": run_id, "status": "done", "started": run_id, "identity": IDENTITY, "config_hash": HASH}
    identity |= {"code_hash": "c" * 64, "data_hash": "d" * 64, "parts": {"model": "e" * 64}}
    _json(folder / "identity.json", identity)
    metrics = {"metrics": fold["metrics"], "folds": [fold], "baselines": {"recency": [RULES]}, "best_reachable": None}
    _json(folder / "metrics.json", metrics)
    _json(folder / "checks.json", {"checks": [check]})
    (folder / "features.md").write_text("# Features\n")
    (folder / "report.html").write_text("<p>report</p>")
    (folder / "model" / "manifest.json").write_text("{}")
    (folder / "model" / "weights.json").write_text("[1]")
    predictions().to_parquet(folder / "predictions.parquet", index=False)
    return folder


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def told(folder: Path) -> dict[str, Any]:
    """Return what the folder says of its copy at Weights & Biases."""
    return json.loads((folder / "mirrors.json").read_text())["wandb"]
