"""A company whose leads were scored some time ago: exports that grow, runs on the early ones, past score files."""

from pathlib import Path
from typing import Any

import pandas as pd

from leadscore import compose, compose_score, open_run
from leadscore.data import load_tables
from leadscore.pipeline import run as train
from leadscore.scoring import prepare_batch, write_scores

CONFIG = """\
defaults: [/schema/data/files@_here_, _self_]
name: exported
dir: ???
timezone: UTC
data_end: "2025-03-01"
statuses: {trial: open, paid: converted, canceled: closed, expired: closed, declined: closed}
known_at_creation: {country: category, source: category, plan: category, company_size: number}
leads: {path: leads.csv}
events: {path: events.csv}
"""
MODEL = ["audit=off", "report=false"]


class World:
    """Exports up to July; what a job of an earlier day sees of them is what `data.data_end` leaves."""

    def __init__(self, root: Path, n_leads: int) -> None:
        self.root, self.conf = root, root / "conf"
        (self.conf / "data").mkdir(parents=True)
        (self.conf / "data" / "exported.yaml").write_text(CONFIG)
        tables = load_tables(compose([f"data.n_leads={n_leads}"]).data)
        form = "%Y-%m-%dT%H:%M:%S.%f%z"
        tables.leads.to_csv(root / "leads.csv", index=False, date_format=form)
        columns = ["user_id", "timestamp", "event_type", "ingested_at"]
        tables.events[columns].to_csv(root / "events.csv", index=False, date_format=form)

    def leads(self) -> pd.DataFrame:
        """Return the lead table, to be edited."""
        empty = {name: [""] for name in ("converted_at", "closed_at", "company_size")}
        path = self.root / "leads.csv"
        return pd.read_csv(path, dtype={"user_id": "str"}, keep_default_na=False, na_values=empty)  # NA is a country

    def train(self, name: str, *overrides: str) -> Any:
        """Train on what was known on 1 March."""
        given = ["data=exported", f"data.dir={self.root}", f"tracking.root={self.root}/outputs", *MODEL]
        train(compose([*given, *overrides], config_dir=self.conf), self.root / "outputs" / name)
        return open_run(self.root / "outputs" / name)

    def score(self, name: str, output: Path, day: str, *overrides: str) -> pd.DataFrame:
        """Score as the job of a day would have."""
        named = {override.partition("=")[0] for override in overrides}
        defaults = {"data.data_end": day, "as_of": day, "since": "60d", "drift.fail": "null"}
        given = [f"{key}={value}" for key, value in defaults.items() if key not in named]
        where = ["data=exported", f"data.dir={self.root}", f"output={output}"]
        config = compose_score([*where, *given, *overrides], config_dir=self.conf)
        write_scores(prepare_batch(open_run(self.root / "outputs" / name), config))
        return read(output)

    @property
    def roots(self) -> list[Path]:
        """Where its runs lie."""
        return [self.root / "outputs"]


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
