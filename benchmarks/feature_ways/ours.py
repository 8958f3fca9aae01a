"""What leadscore's ways share: its tables, read or kept, the observations, and the seventeen columns declared."""

from pathlib import Path

import pandas as pd
import scipy.sparse
from numba.core.registry import cpu_target

from feature_ways import TYPES
from feature_ways.log import observations
from feature_ways.process import Job
from leadscore.config.schema import ComputeConfig, FilesData, TableConfig
from leadscore.data import prepared_tables
from leadscore.features import FeatureTable, kernel
from leadscore.schemas import check_raw
from leadscore.store import Store, open_store
from leadscore.tables import Tables

__all__ = ["SPECS", "as_frame", "load_compiler", "observed", "open_tables", "store_of"]

assert scipy.sparse  # imported here rather than when it is first needed, as the kernel is
assert kernel
MONTH = {"lookback": "30d"}
SPECS = {
    "events": {"aggregate": "count", "lookback": ["7d", "30d"]},
    "days_since_login": {"aggregate": "days_since_last", "event_type": "login"},
    "types_30d": {"aggregate": "distinct", "column": "event_type", **MONTH},
    "active_days_30d": {"aggregate": "active_days", **MONTH},
    "amount_90d": {"aggregate": "sum", "column": "amount", "lookback": "90d"},
    "mean_gap": {"aggregate": "mean_gap"},
    "weekend_share": {"aggregate": "share", "of": {"when": "weekend"}},
    "paid_30d": {"aggregate": "sum", "column": "amount", "event_type": "invoice", **MONTH},
    **{f"n_{kind}": {"aggregate": "count", "event_type": kind} for kind in TYPES},
}


def load_compiler() -> None:
    """Import what the first call of compiled code imports: imports are no part of any way's time."""
    cpu_target.target_context.refresh()


def store_of(folder: str) -> Store:
    """Return the cache in a folder."""
    store = open_store(ComputeConfig(name="benchmark", cache_dir=folder, cache_limit_gb=1_000))
    assert store is not None
    return store


def open_tables(job: Job, store: Store) -> Tables:
    """Return the log's tables by the loading room's door: read and checked, or mapped where they are kept."""
    config = FilesData(
        name="benchmark",
        dir=job.log,
        data_end="2024-09-27T00:00:00Z",  # 270 days after the log's beginning
        leads=TableConfig(path=Path(job.leads).name),
        events=TableConfig(path=Path(job.events).name, columns={"amount": "amount"}),
    )
    return prepared_tables(config, store, lambda tables: check_raw(tables, config))


def observed(tables: Tables, scenario: str) -> pd.DataFrame:
    """Return the observations as the window room hands them on, by (as_of, lead)."""
    row, as_of = observations(tables.leads["created_at"].astype("int64").to_numpy(), scenario)
    instants = pd.to_datetime(as_of, unit="us", utc=True).as_unit("us")
    frame = pd.DataFrame({"user_id": tables.leads["user_id"].array.take(row), "as_of": instants, "lead_row": row})
    return frame if scenario == "snapshots" else frame.sort_values("as_of", ignore_index=True)


def as_frame(table: FeatureTable) -> pd.DataFrame:
    """Return a feature table as the comparison takes it."""
    return table.X.reset_index()
