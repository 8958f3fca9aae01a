"""Declared aggregates: from the files, with everything the loading room checks, or from the prepared log."""

import pandas as pd

from feature_ways.ours import SPECS, as_frame, load_compiler, observed, open_tables, store_of
from feature_ways.process import Job, Watch
from leadscore.features import build, make_plan

__all__ = ["run"]


def run(job: Job, watch: Watch) -> pd.DataFrame:
    """Open or read the log and compute the features."""
    load_compiler()
    plan = make_plan(SPECS, {}, {})
    with watch("read"):
        tables = open_tables(job, store_of(job.store))
    asked = observed(tables, job.scenario)
    with watch("compute"):
        table = build(tables, asked, plan, workers=2)
    return as_frame(table)
