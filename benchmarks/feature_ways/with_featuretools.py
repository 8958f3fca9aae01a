"""featuretools with cutoff times: exact, at a cost for each of them; made for some leads, extrapolated to all.

A cutoff is inclusive and a training window's far end is not, so both are moved by one microsecond to `[begin, as_of)`.
"""

from typing import Any

import featuretools as ft
import numpy as np
import pandas as pd
from featuretools.primitives import (
    AggregationPrimitive,
    AvgTimeBetween,
    Count,
    IsWeekend,
    NumUnique,
    PercentTrue,
    Sum,
    TimeSinceLast,
)
from woodwork.column_schema import ColumnSchema
from woodwork.logical_types import Categorical, Datetime, Double

from feature_ways import TYPES
from feature_ways.log import observations
from feature_ways.process import Job, Watch

__all__ = ["run"]

SHARE, LEAST = 0.1, 200  # of leads at the snapshots, which have a cost of their own beside that of their leads
CUTOFFS = 100  # of leads that each have their own
DAY = 86_400  # seconds
MICROSECOND = pd.Timedelta(microseconds=1)


class ActiveDays(AggregationPrimitive):
    """Days, of 24 hours counted back from the score, with an event."""

    name = "active_days"
    input_types = [ColumnSchema(logical_type=Datetime, semantic_tags={"time_index"})]  # noqa: RUF012 - as it wants it
    return_type = ColumnSchema(logical_type=Double, semantic_tags={"numeric"})
    uses_calc_time = True
    default_value = 0

    def get_function(self) -> Any:
        """Return what computes it."""
        return lambda times, time: ((time + MICROSECOND - times) // pd.Timedelta(days=1)).nunique()


def run(job: Job, watch: Watch) -> pd.DataFrame:
    """Read the log, make an entity set and compute the features of some leads."""
    with watch("read"):
        events, leads = pd.read_parquet(job.events), pd.read_parquet(job.leads)
    n_some = CUTOFFS if job.scenario == "own" else max(LEAST, int(SHARE * len(leads)))
    some = np.unique(np.linspace(0, len(leads) - 1, n_some).astype(int))
    row, as_of = observations(leads["created_at"].astype("int64").to_numpy(), job.scenario)
    asked = np.flatnonzero(np.isin(row, some))
    cutoffs = pd.DataFrame({"user_id": leads["user_id"].to_numpy()[row[asked]], "time": _naive(as_of[asked])})
    with watch("prepare"):
        entities = _entities(events, leads)
    with watch("compute", times=len(row) / len(asked)):
        parts = [_computed(entities, cutoffs, window, features) for window, features in _features(entities).items()]
    result = pd.concat(parts, axis=1)
    return result.assign(user_id=cutoffs["user_id"].array, as_of=as_of[asked])


def _naive(microseconds: Any) -> Any:
    return pd.to_datetime(microseconds, unit="us")


def _entities(events: pd.DataFrame, leads: pd.DataFrame) -> ft.EntitySet:
    events = events.assign(timestamp=events["timestamp"].dt.tz_localize(None), event_id=np.arange(len(events)))
    entities = ft.EntitySet("log")
    entities.add_dataframe(dataframe_name="leads", dataframe=leads[["user_id"]], index="user_id")
    types = {"event_type": Categorical, "user_id": Categorical}
    entities.add_dataframe(
        dataframe_name="events", dataframe=events, index="event_id", time_index="timestamp", logical_types=types
    )
    return entities.add_relationship("leads", "user_id", "events", "user_id")


def _features(entities: ft.EntitySet) -> dict[str | None, dict[str, Any]]:
    """Return the features by training window, which is one for a whole call."""
    events = entities["events"].ww
    column = {name: ft.Feature(events[name]) for name in ("event_id", "event_type", "amount", "timestamp")}

    def of(name: str, primitive: Any, kind: str | None = None) -> Any:
        where = {} if kind is None else {"where": column["event_type"] == kind}
        base = column[name] if name in column else ft.Feature(column["timestamp"], primitive=IsWeekend)
        return ft.Feature(base, parent_dataframe_name="leads", primitive=primitive, **where)

    return {
        "7 days": {"events_7d": of("event_id", Count)},
        "30 days": {
            "events_30d": of("event_id", Count),
            "types_30d": of("event_type", NumUnique),
            "active_days_30d": of("timestamp", ActiveDays),
            "paid_30d": of("amount", Sum, "invoice"),
        },
        "90 days": {"amount_90d": of("amount", Sum)},
        None: {
            "days_since_login": of("timestamp", TimeSinceLast, "login"),
            "mean_gap": of("timestamp", AvgTimeBetween),
            "weekend_share": of("weekend", PercentTrue),
            **{f"n_{kind}": of("event_id", Count, kind) for kind in TYPES},
        },
    }


def _computed(entities: ft.EntitySet, cutoffs: pd.DataFrame, window: str | None, features: dict[str, Any]) -> Any:
    found = ft.calculate_feature_matrix(
        list(features.values()),
        entities,
        cutoff_time=cutoffs.assign(time=cutoffs["time"] - MICROSECOND),
        training_window=window,
        approximate=None,
        cutoff_time_in_index=True,
    )
    asked = pd.MultiIndex.from_arrays([cutoffs["user_id"], cutoffs["time"] - MICROSECOND])
    found = found.reindex(asked)[[each.get_name() for each in features.values()]]
    named = found.set_axis(list(features), axis=1).astype("float64").reset_index(drop=True)
    if "days_since_login" in named:
        named["days_since_login"] = (named["days_since_login"] + 1e-6) / DAY
        named["mean_gap"] /= DAY
    zero = [name for name in named if name not in ("days_since_login", "mean_gap", "weekend_share")]
    return named.assign(**named[zero].fillna(0))
