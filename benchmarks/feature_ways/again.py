"""A run in which nothing has changed: the columns are taken from the cache that the run before has filled."""

import pandas as pd

from feature_ways.ours import SPECS, as_frame, load_compiler, observed, open_tables, store_of
from feature_ways.plain import registered
from feature_ways.process import Job, Watch
from leadscore.features import build, make_plan
from leadscore.features.columns import StoredColumns
from leadscore.identity.columns import column_keys
from leadscore.identity.content import data_hash

__all__ = ["run"]


def run(job: Job, watch: Watch) -> pd.DataFrame:
    """Open the prepared log, name every column by what decides its values, and take it or compute it."""
    load_compiler()
    asks = registered() if job.way == "plain_again" else SPECS
    plan, store = make_plan(asks, {}, {}), store_of(job.store)
    with watch("read"):
        tables = open_tables(job, store)
    asked = observed(tables, job.scenario)
    with watch("prepare"):
        content = data_hash(tables)  # which a run needs anyway
    with watch("compute"):
        known = StoredColumns(store, column_keys(plan, content, tables, asked))
        table = build(tables, asked, plan, workers=2, cache=known)
    watch.said["recalled"] = len(table.recalled)
    return as_frame(table)
