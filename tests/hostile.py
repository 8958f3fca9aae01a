"""What a user may write where a name or a note is asked for, and a run in which it stands everywhere."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from leadscore import compose, run

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "=cmd|' /C calc'!A0",
    "$x_1$ {{7*7}} &amp; </title></svg>",
    "<!--/leads-->",
]


def hostile_run(home: Path) -> Path:
    """Train on a lead table in which everything that a user can write is hostile; return the run's folder."""
    rng = np.random.default_rng(3)
    n = 300
    created = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(rng.uniform(0, 300, n), "D").round("s")
    place = rng.integers(0, len(EVIL), n)
    converts = rng.uniform(size=n) < 0.15 + 0.12 * place
    won = (created + pd.Timedelta(days=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    leads = pd.DataFrame(
        {
            "user_id": [f"{EVIL[number % len(EVIL)]}{number}" for number in range(n)],
            "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "status": np.where(converts, "converted", "open"),
            "converted_at": np.where(converts, won, ""),
            EVIL[0]: [EVIL[at] for at in place],
            EVIL[1]: rng.uniform(size=n).round(3),
        }
    )
    leads.to_csv(home / "leads.csv", index=False)
    (home / "conf" / "data").mkdir(parents=True)
    (home / "conf" / "features").mkdir()
    data = {
        "defaults": ["/schema/data/files@_here_", "_self_"],
        "name": EVIL[1],
        "dir": str(home),
        "data_end": "2025-03-01T00:00:00Z",
        "statuses": {"open": "open", "converted": "converted"},
        "known_at_creation": {EVIL[0]: "category", EVIL[1]: "number"},
        "leads": {"path": "leads.csv"},
    }
    (home / "conf" / "data" / "evil.yaml").write_text(json.dumps(data))
    features = {
        EVIL[2]: {"aggregate": "attribute", "column": EVIL[0]},
        EVIL[1]: {"aggregate": "attribute", "column": EVIL[1]},
    }
    (home / "conf" / "features" / "evil.yaml").write_text(json.dumps(features))
    config = compose(
        ["data=evil", "features=evil", "metrics.resamples=100", f"tracking.root={home / 'runs'}"],
        config_dir=home / "conf",
    )
    config.notes = " ".join(EVIL)
    config.metrics.slices = [EVIL[0]]
    run(config, home / "runs" / "one")
    return home / "runs" / "one"
