"""A company's exports, runs that were trained on them, and today's exports to be edited."""

from pathlib import Path
from typing import Any

import pandas as pd

from leadscore import compose, compose_score, open_run, score_leads
from leadscore.config.score_schema import ScoreConfig
from leadscore.data import load_tables
from leadscore.pipeline import run as train
from leadscore.scoring import prepare_batch, write_scores

CONFIG = """\
defaults: [/schema/data/files@_here_, _self_]
name: exported
dir: ???
timezone: UTC
currency: EUR
rates: {EUR: 1.0, GBP: 1.17, USD: 0.92}
data_end: "2025-07-01"
statuses: {trial: open, paid: converted, canceled: closed, expired: closed, declined: closed}
known_at_creation: {country: category, source: category, plan: category, company_size: number}
leads: {path: leads.csv}
events: {path: events.csv, columns: {user_id: user_id}}
"""
MODEL = ["model=lightgbm", "model.n_estimators=10", "audit=off", "report=false"]


def export(folder: Path, leads: pd.DataFrame, events: pd.DataFrame) -> None:
    form = "%Y-%m-%dT%H:%M:%S.%f%z"
    leads.to_csv(folder / "leads.csv", index=False, date_format=form)
    columns = ["user_id", "timestamp", "event_type", "ingested_at"]
    events[columns].to_csv(folder / "events.csv", index=False, date_format=form)


def build(root: Path) -> None:
    """Lay the exports, a config of their own for them, and a delay and a snapshot model trained on them."""
    tables = load_tables(compose(["data.n_leads=800"]).data)
    export(root, tables.leads, tables.events)
    (root / "conf" / "data").mkdir(parents=True)
    (root / "conf" / "data" / "exported.yaml").write_text(CONFIG)
    given = ["data=exported", f"data.dir={root}", f"tracking.root={root}/outputs", *MODEL]
    train(compose(given, config_dir=root / "conf"), root / "delay")
    weekly = ["window=snapshots", "window.max_age=60d", "window.every=7d"]
    train(compose([*given, *weekly], config_dir=root / "conf"), root / "weekly")


class Today:
    """One morning's exports, and how to score them; the output lies beside them."""

    def __init__(self, world: Path, folder: Path) -> None:
        self.world, self.folder, self.output = world, folder, folder / "scores.parquet"
        self.since = "60d"
        self.leads = pd.read_csv(world / "leads.csv", dtype={"user_id": "str"})
        self.events = pd.read_csv(world / "events.csv", dtype={"user_id": "str"})

    def config(self, *overrides: str) -> ScoreConfig:
        self.leads.to_csv(self.folder / "leads.csv", index=False)
        self.events.to_csv(self.folder / "events.csv", index=False)
        named = {override.partition("=")[0] for override in overrides}
        defaults = {"as_of": "data_end", "since": self.since, "output": str(self.output), "drift.fail": "null"}
        given = [f"{key}={value}" for key, value in defaults.items() if key not in named]
        where = ["data=exported", f"data.dir={self.folder}"]
        return compose_score([*where, *given, *overrides], config_dir=self.world / "conf")

    def score(self, *overrides: str, run: str = "delay") -> pd.DataFrame:
        return score_leads(open_run(self.world / run), self.config(*overrides))

    def write(self, *overrides: str, run: str = "delay") -> dict[str, Any]:
        return write_scores(prepare_batch(open_run(self.world / run), self.config(*overrides)))
